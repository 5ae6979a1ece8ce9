"""Steps: a whole number that changes at instants, such as accelerators promised over time.

Spans are added and taken away by their ends; the sum at an instant and the lowest sum over a
window are asked for. Taking away a span that was added leaves no trace of it.
"""

from bisect import bisect_left, bisect_right, insort
from itertools import accumulate

from comptoir.units.time import Window


class Steps:
    """A sum of half-open spans, each worth a whole number, positive or negative."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._deltas: dict[int, int] = {}
        self._levels: list[int] | None = []

    def add(self, starts_at_ms: int, ends_at_ms: int | None, amount: int) -> None:
        """Add `amount` over [start, end); an end of None is none."""
        if amount == 0 or (ends_at_ms is not None and ends_at_ms <= starts_at_ms):
            return
        self._change(starts_at_ms, amount)
        if ends_at_ms is not None:
            self._change(ends_at_ms, -amount)
        self._levels = None

    def at(self, instant_ms: int) -> int:
        """The sum at an instant."""
        index = bisect_right(self._times, instant_ms)
        return self._sums()[index - 1] if index else 0

    def lowest(self, window: Window) -> tuple[int, int]:
        """The lowest sum within a window, and the first instant of it."""
        first = max(bisect_right(self._times, window.start_ms) - 1, 0)
        last = len(self._times)
        if window.end_ms is not None:
            last = bisect_left(self._times, window.end_ms)
        levels = self._sums()[first:last]
        if not levels or self._times[first] > window.start_ms:
            levels = [0, *levels]
            first -= 1
        low = min(levels)
        at = first + levels.index(low)
        return low, window.start_ms if at < 0 else max(self._times[at], window.start_ms)

    def changes(self) -> dict[int, int]:
        """By how much the sum changes, at each instant at which it does."""
        return dict(sorted(self._deltas.items()))

    def _change(self, instant_ms: int, amount: int) -> None:
        delta = self._deltas.get(instant_ms)
        if delta is None:
            self._deltas[instant_ms] = amount
            insort(self._times, instant_ms)
        elif delta + amount:
            self._deltas[instant_ms] = delta + amount
        else:
            del self._deltas[instant_ms]
            del self._times[bisect_left(self._times, instant_ms)]

    def _sums(self) -> list[int]:
        if self._levels is None:
            self._levels = list(accumulate(map(self._deltas.__getitem__, self._times)))
        return self._levels
