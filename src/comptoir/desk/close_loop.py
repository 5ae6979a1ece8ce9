"""The close loop: every period that is closing goes on, slice by slice, until it is closed.

It chooses nothing: what is left of a close is read from the book by each slice, so a desk that
was killed goes on where it stopped. Between two slices whoever waits has its turn, and a slice
that took long is followed by a smaller one: nobody waits for a close.
"""

import time
from collections.abc import Callable
from typing import Any

from comptoir.desk.close_requests import MOST_A_SLICE, CloseSlice
from comptoir.desk.memory import Memory

LONG_S, SHORT_S = 0.020, 0.010
LEAST_A_SLICE = 20

Submit = Callable[[CloseSlice], Any]
"""How a step tells the book: the `close_slice` operation, through the queue or directly."""


class CloseLoop:
    """The close's side of the book. `step` is one round; who calls it keeps the time."""

    def __init__(self, book: Callable[[], Memory], submit: Submit) -> None:
        self._book = book
        self._submit = submit
        self._most = LEAST_A_SLICE

    def step(self) -> bool:
        """A slice of every period that closes; returns whether there was any."""
        closing = self._book().closing.committed_closing
        for period_id in closing:
            began = time.monotonic()
            self._submit(CloseSlice(period_id, self._most))
            self._adapt(time.monotonic() - began)
        return bool(closing)

    def _adapt(self, took_s: float) -> None:
        """The next slice is smaller after a long one, somewhat larger after a short one."""
        if took_s > LONG_S:
            self._most = max(self._most // 2, LEAST_A_SLICE)
        elif took_s < SHORT_S:
            self._most = min(self._most * 5 // 4, MOST_A_SLICE)
