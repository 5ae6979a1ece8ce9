"""Pages of lists on the wire, what is kept of them, and cursors: where a list goes on.

A cursor is an opaque word bound to the list that gave it.
"""

import base64
import binascii
import json
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from comptoir.store.views.reading import Ask, Key
from comptoir.units.errors import Invalid
from comptoir.units.wire import dump

MOST_CURSOR_LETTERS = 1_024
MOST_PAGES_KEPT = 128
MOST_ROWS_KEPT = 4_096


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


class WrittenRows:
    """Rows already written out, good while the row is the same. Safe from any thread.

    A page under steady writes is new each time, but most of its rows are not.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bool], tuple[Hashable, bytes]] = {}

    def write(self, row: tuple[Any, ...], house: bool, write: Callable[[Any], bytes]) -> bytes:
        """A row, whose first column is its id, as the house or a tenant sees it."""
        key = (row[0], house)
        kept = self._kept.get(key)
        if kept is not None and kept[0] == row:
            return kept[1]
        written = write(row)
        if len(self._kept) >= MOST_ROWS_KEPT:
            self._kept.clear()
        self._kept[key] = row, written
        return written


def ask_for(list_name: str, limit: int, cursor: str | None) -> Ask:
    """Which piece of a list the caller wants.

    Raises:
        Invalid: `bad_cursor`: not one that this list gave.
    """
    return Ask(limit, None if cursor is None else _open(list_name, cursor))


def write_page(list_name: str, items: Iterable[bytes], next_key: Key | None) -> bytes:
    """A page of written items, and the cursor of the next one."""
    cursor = dump(None if next_key is None else _seal(list_name, next_key))
    return b'{"items":[%s],"next_cursor":%s}' % (b",".join(items), cursor)


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
