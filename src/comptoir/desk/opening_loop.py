"""The loop that brings: every opening that was approved goes on, slice by slice, until it is there.

It chooses nothing: what is left is read from the book, and what is brought from the files that
were approved, as they are kept word for word. They are read here, beside the desk, so that nobody
waits for it. A desk that was killed goes on where it stopped.
"""

import time
from collections.abc import Callable
from typing import Any

from comptoir.billing.opening import Item, Opening, OpeningText, piece_of
from comptoir.billing.opening_file import read_opening
from comptoir.desk.memory import Memory
from comptoir.desk.opening_requests import MOST_ITEMS_A_SLICE, BringSlice
from comptoir.units.errors import invariant

LONG_S, SHORT_S = 0.020, 0.010
LEAST_A_SLICE = 10

Find = Callable[[str, tuple[Any, ...]], Any]
"""How a committed row is found: the store's `find`."""
Submit = Callable[[BringSlice], Any]
"""How a step tells the book: the `bring_slice` operation, through the queue or directly."""


class OpeningLoop:
    """The loop's side of the book. `step` is one round; who calls it keeps the time."""

    def __init__(self, book: Callable[[], Memory], find: Find, submit: Submit) -> None:
        self._book = book
        self._find = find
        self._submit = submit
        self._most = LEAST_A_SLICE
        self._read: tuple[str, tuple[Item, ...]] = ("", ())

    def step(self) -> bool:
        """A slice of every opening that is being brought; returns whether there was any."""
        bringing = self._book().openings.committed_bringing
        for opening in bringing:
            items = piece_of(self._items(opening), opening.done_items, self._most)
            began = time.monotonic()
            self._submit(BringSlice(opening.id, opening.sha256, opening.done_items, items))
            self._adapt(time.monotonic() - began)
        if not bringing:
            self._read = ("", ())
        return bool(bringing)

    def _items(self, opening: Opening) -> tuple[Item, ...]:
        """What is brought, read once."""
        if self._read[0] != opening.id:
            self._read = opening.id, items_of(opening, self._book(), self._find)
        return self._read[1]

    def _adapt(self, took_s: float) -> None:
        """The next slice is smaller after a long one, somewhat larger after a short one."""
        if took_s > LONG_S:
            self._most = max(self._most // 2, LEAST_A_SLICE)
        elif took_s < SHORT_S:
            self._most = min(self._most * 5 // 4, MOST_ITEMS_A_SLICE)


def items_of(opening: Opening, book: Memory, find: Find) -> tuple[Item, ...]:
    """The items of an opening, from its files as they were proposed."""
    texts: dict[str, str] = {}
    for name in opening.files:
        found = find("opening_text", (opening.id, name))
        invariant(isinstance(found, OpeningText), f"{opening.id} has lost its file {name}")
        texts[name] = found.text
    read = read_opening(texts, book.credit.entity_by_slug.first)
    invariant(read.sha256 == opening.sha256, f"the files of {opening.id} are other files")
    return read.items
