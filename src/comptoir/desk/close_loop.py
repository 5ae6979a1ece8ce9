"""The close loop: every period that is closing goes on, slice by slice, until it is closed.

It chooses nothing: what is left of a close is read from the book by each slice, so a desk that
was killed goes on where it stopped. Between two slices whoever waits has its turn.
"""

from collections.abc import Callable
from typing import Any

from comptoir.desk.close_requests import CloseSlice
from comptoir.desk.memory import Memory

Submit = Callable[[CloseSlice], Any]
"""How a step tells the book: the `close_slice` operation, through the queue or directly."""


class CloseLoop:
    """The close's side of the book. `step` is one round; who calls it keeps the time."""

    def __init__(self, book: Callable[[], Memory], submit: Submit) -> None:
        self._book = book
        self._submit = submit

    def step(self) -> bool:
        """A slice of every period that closes; returns whether there was any."""
        closing = self._book().closing.committed_closing
        for period_id in closing:
            self._submit(CloseSlice(period_id))
        return bool(closing)
