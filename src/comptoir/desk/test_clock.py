"""The test clock: a book to try things on, whose time stands until somebody moves it on.

A month of billing, an overdue invoice or a lease that ends can so be seen in a minute. Time
goes on in steps, and after each the book turns as if it had been waited for: what is due between
two instants happens between them. A book has a test clock from its first start on or never, and
its engines do not take part: nothing runs there. Neighbours: `assembly.py` keeps the instant in
a file of the data directory; the book's own records never go back.
"""

import threading
import time
from collections.abc import Callable

from comptoir.desk.desk import Call
from comptoir.desk.queue import DeskQueue
from comptoir.desk.receipt_requests import Dun
from comptoir.desk.requests import Turn
from comptoir.units.errors import Conflict, Invalid
from comptoir.units.time import LATEST_MS, format_instant

DAY_MS = 86_400_000
STEP_MS = 900_000
"""The longest step: work that is held for by the hour is held for in time."""
WORK_S = 1.0
"""How long one call goes on."""
MOST_AHEAD_MS = 3_660 * DAY_MS
_MOST_TURNS = 1_000


class StandingClock:
    """A clock that stands until it is moved on.

    Args:
        instant_ms: Where it stands.
        keep: Makes an instant durable, before anything happens at it.
    """

    def __init__(self, instant_ms: int, keep: Callable[[int], None]) -> None:
        self._instant_ms = instant_ms
        self._keep = keep
        self.moving = threading.Lock()

    def now_ms(self) -> int:
        """Where it stands, in milliseconds UTC."""
        return self._instant_ms

    def move(self, to_ms: int) -> None:
        """Stand at `to_ms` from now on."""
        self._keep(to_ms)
        self._instant_ms = to_ms


def advance(queue: DeskQueue, to_ms: int) -> int:
    """Move the book's time on towards an instant, for about a second; call again to go on.

    Returns:
        Where the clock stands now.

    Raises:
        Conflict: `no_test_clock`.
        Invalid: `clock_backwards` or `clock_too_far`.
    """
    clock = queue.desk.clock
    if not isinstance(clock, StandingClock):
        raise Conflict(
            "no_test_clock",
            "this book's time is the time",
            "try things on a new book: comptoir up --data ./try --test-clock 2026-10-01T00:00:00Z",
        )
    with clock.moving:
        _check(clock.now_ms(), to_ms)
        end = time.monotonic() + WORK_S
        while clock.now_ms() < to_ms:
            before_ms = clock.now_ms()
            clock.move(min(to_ms, (before_ms // STEP_MS + 1) * STEP_MS))
            _settle(queue, Call("turn", Turn()))
            if clock.now_ms() // DAY_MS != before_ms // DAY_MS:
                _settle(queue, Call("dun", Dun()))
            if time.monotonic() >= end:
                break
        return clock.now_ms()


def _check(now_ms: int, to_ms: int) -> None:
    if to_ms < now_ms:
        raise Invalid(
            "clock_backwards",
            f"the clock stands at {format_instant(now_ms)}, after {format_instant(to_ms)}",
            "time only goes on; a new book may begin earlier",
            {"field": "to", "now": format_instant(now_ms)},
        )
    latest_ms = min(now_ms + MOST_AHEAD_MS, LATEST_MS)
    if to_ms > latest_ms:
        raise Invalid(
            "clock_too_far",
            f"{format_instant(to_ms)} is more than {MOST_AHEAD_MS // DAY_MS:,} days ahead",
            f"go to {format_instant(latest_ms)} at most",
            {"field": "to", "latest": format_instant(latest_ms)},
        )


def _settle(queue: DeskQueue, call: Call) -> None:
    """Do what is due now, until nothing is left over."""
    for _ in range(_MOST_TURNS):
        if not queue.call(call).unwrap():
            return
