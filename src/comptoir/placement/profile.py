"""The profile of a small place: what is held in it over time, as sorted change points.

Exact instants, and as many points as there are beginnings and ends: right for a rack or a
pod, where the calendar of a pool would say "capacity" and not "in one rack".
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

Held = tuple[int, int | None, int]
"""Start, end (None: without one) and accelerators."""


class Profile:
    """What is held, as a step function of time; zero before the first point."""

    def __init__(self, held: Iterable[Held] = ()) -> None:
        changes: dict[int, int] = {}
        for start_ms, end_ms, accelerators in held:
            changes[start_ms] = changes.get(start_ms, 0) + accelerators
            if end_ms is not None:
                changes[end_ms] = changes.get(end_ms, 0) - accelerators
        self._at_ms = sorted(at for at, change in changes.items() if change)
        self._levels: list[int] = []
        level = 0
        for at_ms in self._at_ms:
            level += changes[at_ms]
            self._levels.append(level)

    def most(self, start_ms: int, end_ms: int | None) -> int:
        """The most that is held at once during a window."""
        first = bisect_right(self._at_ms, start_ms) - 1
        last = len(self._at_ms) if end_ms is None else bisect_left(self._at_ms, end_ms)
        levels = self._levels[max(first, 0) : last]
        return max(levels, default=0) if first >= 0 else max([0, *levels])

    def earliest(
        self, most: int, duration_ms: int | None, from_ms: int, latest_ms: int | None = None
    ) -> int | None:
        """The earliest start, from `from_ms` on, of a window in which at most `most` are held.

        Args:
            most: The place's size less what is asked for.
            duration_ms: For how long; None is without an end.
            from_ms: Not before this instant.
            latest_ms: Not after it; None: whenever.
        """
        if most < 0:
            return None
        start: int | None = from_ms
        at = max(bisect_right(self._at_ms, from_ms) - 1, 0)
        for at_ms, level in zip(self._at_ms[at:], self._levels[at:], strict=True):
            if start is not None and duration_ms is not None and at_ms >= start + duration_ms:
                break
            if level > most:
                start = None
            elif start is None:
                start = max(at_ms, from_ms)
        if start is None or (latest_ms is not None and start > latest_ms):
            return None
        return start
