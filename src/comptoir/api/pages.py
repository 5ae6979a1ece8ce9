"""Cursors: where a list goes on, as an opaque word bound to the list that gave it."""

import base64
import binascii
import json
from collections.abc import Callable, Hashable
from typing import Any

from comptoir.store.views.reading import Ask, Key, Page
from comptoir.units.errors import Invalid

MOST_CURSOR_LETTERS = 1_024
MOST_PAGES_KEPT = 128


class PageCache:
    """Pages already written out, good until the book's next commit.

    Many clients poll the same page of a book that stands still. Used from one event
    loop only. A page read after a commit but kept under the version before it is newer
    than its name says, never older.
    """

    def __init__(self) -> None:
        self._version = -1
        self._pages: dict[Hashable, bytes] = {}

    def get(self, version: int, key: Hashable) -> bytes | None:
        """The page as it was written at this version of the book."""
        return self._pages.get(key) if version == self._version else None

    def put(self, version: int, key: Hashable, page: bytes) -> None:
        """Keep a page whose reading began at this version."""
        if version != self._version or len(self._pages) >= MOST_PAGES_KEPT:
            self._pages.clear()
            self._version = version
        self._pages[key] = page


def ask_for(list_name: str, limit: int, cursor: str | None) -> Ask:
    """Which piece of a list the caller wants.

    Raises:
        Invalid: `bad_cursor`: not one that this list gave.
    """
    return Ask(limit, None if cursor is None else _open(list_name, cursor))


def encode_page(
    list_name: str, page: Page[Any], encode: Callable[[Any], dict[str, Any]]
) -> dict[str, Any]:
    """A page and the cursor of the next one."""
    key = page.next_key
    return {
        "items": [encode(item) for item in page.items],
        "next_cursor": None if key is None else _seal(list_name, key),
    }


def _seal(list_name: str, key: Key) -> str:
    text = json.dumps([list_name, *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _open(list_name: str, cursor: str) -> Key:
    try:
        if len(cursor) > MOST_CURSOR_LETTERS:
            raise ValueError
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        said = json.loads(base64.b64decode(padded, b"-_", validate=True))
        if not isinstance(said, list) or not said or said[0] != list_name:
            raise ValueError
        key = said[1:]
        if any(not isinstance(part, int | str) or isinstance(part, bool) for part in key):
            raise ValueError
        if any(isinstance(part, str) and "\0" in part for part in key):
            raise ValueError
    except (ValueError, binascii.Error, RecursionError):
        raise Invalid(
            "bad_cursor",
            "this cursor does not belong to this list",
            "start again without it",
            {"field": "cursor"},
        ) from None
    return tuple(key)
