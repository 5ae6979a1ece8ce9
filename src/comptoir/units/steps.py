"""Steps: a whole number that changes at instants, such as accelerators promised over time.

Spans are added and taken away by their ends; the sum at an instant and the lowest sum over a
window are asked for. Taking away a span that was added leaves no trace of it. The changes lie
in blocks that know their own sum and lowest, so that neither a change nor a question goes
through all of them: 100,000 spans cost a fraction of a millisecond.
"""

from bisect import bisect_left, bisect_right, insort
from itertools import accumulate

from comptoir.units.time import Window

MOST_IN_A_BLOCK = 512


class Steps:
    """A sum of half-open spans, each worth a whole number, positive or negative."""

    def __init__(self) -> None:
        self._deltas: dict[int, int] = {}
        self._blocks: list[list[int]] = []
        """The instants of changes, in order; no block is empty."""
        self._firsts: list[int] = []
        self._sums: list[tuple[int, int, int] | None] = []
        """By block: its sum, the lowest and the highest on the way; None: to be worked out."""

    def add(self, starts_at_ms: int, ends_at_ms: int | None, amount: int) -> None:
        """Add `amount` over [start, end); an end of None is none."""
        if amount == 0 or (ends_at_ms is not None and ends_at_ms <= starts_at_ms):
            return
        self._change(starts_at_ms, amount)
        if ends_at_ms is not None:
            self._change(ends_at_ms, -amount)

    def at(self, instant_ms: int) -> int:
        """The sum at an instant."""
        block = self._block_of(instant_ms)
        if not self._blocks:
            return 0
        times = self._blocks[block]
        before = sum(self._sum(other)[0] for other in range(block))
        return before + sum(map(self._delta, times[: bisect_right(times, instant_ms)]))

    def next_ms(self, after_ms: int) -> int | None:
        """The first instant after another at which the sum changes; None: it never does."""
        block = self._block_of(after_ms)
        for times in self._blocks[block : block + 2]:
            if times[-1] > after_ms:
                return times[bisect_right(times, after_ms)]
        return None

    def highest(self, window: Window) -> int:
        """The highest sum within a window."""
        level = high = self.at(window.start_ms)
        for block in range(self._block_of(window.start_ms), len(self._blocks)):
            times, first, last = self._part(block, window)
            if last == 0:
                break
            if first == 0 and last == len(times):
                total, _, highest = self._sum(block)
                high = max(high, level + highest)
                level += total
                continue
            for time in times[first:last]:
                level += self._deltas[time]
                high = max(high, level)
        return high

    def within(self, window: Window) -> list[tuple[int, int]]:
        """When, after a window's start and before its end, the sum changes, and by how much."""
        found: list[tuple[int, int]] = []
        for block in range(self._block_of(window.start_ms), len(self._blocks)):
            times, first, last = self._part(block, window)
            found += [(time, self._deltas[time]) for time in times[first:last]]
            if last < len(times):
                break
        return found

    def _part(self, block: int, window: Window) -> tuple[list[int], int, int]:
        """The instants of a block, and which of them lie within a window, its start left out."""
        times, end_ms = self._blocks[block], window.end_ms
        last = len(times) if end_ms is None else bisect_left(times, end_ms)
        return times, bisect_right(times, window.start_ms), last

    def lowest(self, window: Window) -> tuple[int, int]:
        """The lowest sum within a window, and the first instant of it."""
        level = low = self.at(window.start_ms)
        at_ms = window.start_ms
        lowest_in: tuple[int, int] | None = None
        for block in range(self._block_of(window.start_ms), len(self._blocks)):
            times, first, last = self._part(block, window)
            if last == 0:
                break
            if first == 0 and last == len(times):
                total, lowest, _ = self._sum(block)
                if level + lowest < low:
                    low, lowest_in = level + lowest, (block, level)
                level += total
                continue
            for time in times[first:last]:
                level += self._deltas[time]
                if level < low:
                    low, at_ms, lowest_in = level, time, None
        return low, at_ms if lowest_in is None else self._reached(*lowest_in, low)

    def _reached(self, block: int, level: int, low: int) -> int:
        """The first instant in a block, begun at a level, at which the sum is so low."""
        for time in self._blocks[block]:
            level += self._deltas[time]
            if level == low:
                break
        return time

    def changes(self) -> dict[int, int]:
        """By how much the sum changes, at each instant at which it does."""
        return dict(sorted(self._deltas.items()))

    def _delta(self, instant_ms: int) -> int:
        return self._deltas[instant_ms]

    def _block_of(self, instant_ms: int) -> int:
        """The block in which an instant lies, or would."""
        return max(bisect_right(self._firsts, instant_ms) - 1, 0)

    def _sum(self, block: int) -> tuple[int, int, int]:
        known = self._sums[block]
        if known is None:
            levels = list(accumulate(map(self._delta, self._blocks[block])))
            known = self._sums[block] = levels[-1], min(levels), max(levels)
        return known

    def _change(self, instant_ms: int, amount: int) -> None:
        block = self._block_of(instant_ms)
        delta = self._deltas.get(instant_ms)
        if delta is None:
            self._deltas[instant_ms] = amount
            self._insert(block, instant_ms)
        elif delta + amount:
            self._deltas[instant_ms] = delta + amount
            self._sums[block] = None
        else:
            del self._deltas[instant_ms]
            times = self._blocks[block]
            del times[bisect_left(times, instant_ms)]
            self._put_back(block, [times] if times else [])

    def _insert(self, block: int, instant_ms: int) -> None:
        if not self._blocks:
            self._put_back(0, [[instant_ms]])
            return
        times = self._blocks[block]
        insort(times, instant_ms)
        half = len(times) // 2
        split = len(times) > MOST_IN_A_BLOCK
        self._put_back(block, [times[:half], times[half:]] if split else [times])

    def _put_back(self, block: int, blocks: list[list[int]]) -> None:
        """A block has changed: it is these now."""
        changed = slice(block, block + 1)
        self._blocks[changed] = blocks
        self._firsts[changed] = [times[0] for times in blocks]
        self._sums[changed] = [None] * len(blocks)
