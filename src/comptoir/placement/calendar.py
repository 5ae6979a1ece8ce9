"""The calendar of a pool: how many accelerators are promised, in buckets of five minutes.

It is an index over the book's allocations and answers one question fast: from when on are k
accelerators free for so long? Exact instants stay in the book, so windows are rounded
*outwards* here: what the calendar calls free is free. A bucket that a window covers in part
is also counted as an *edge*; without its edges a bucket says what is held through all of it,
which is how `impossible` may say no for certain.

Two layers: the firm one holds what nobody may take back, the other everything. A request
that may reclaim reads the firm layer, and what is reclaimable stands in its way only until
now plus its contractual notice. What is open-ended fills the calendar to its horizon.

The horizon moves with time: the table is an eighth longer than a year, and slides when that
is used up. Neighbours: `calendars.py` feeds one for each pool; `runs.py` searches it.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from comptoir.placement.compiled import can_compile, compiled
from comptoir.placement.runs import Counts, first_run, first_run_in_chunks, last_bad
from comptoir.units.errors import invariant

BUCKET_MS = 300_000
BUCKETS = 105_120
"""A year of five minutes."""

_MANY = 256
"""More windows than that are written down at once."""

Search = Callable[[Any, int, int, int, int], int]


@cache
def fastest_search() -> Search:
    """The search for this installation: the compiled one if there is a compiler, and its cache."""
    if not can_compile():
        return first_run_in_chunks
    try:
        search = compiled(first_run)
    except RuntimeError:  # Numba may write its cache nowhere: `comptoir doctor` says so
        return first_run_in_chunks
    search(np.zeros(1, np.int32), 0, 0, 1, 0)  # compiled now, not at the first question
    return search


class Layer:
    """Counts of held accelerators by bucket, from `origin` on. Buckets are absolute numbers."""

    def __init__(self, origin: int, size: int) -> None:
        self.origin = origin
        self.held: Counts = np.zeros(size, np.int32)
        self.edges: Counts = np.zeros(size, np.int32)
        self.endless = 0
        """Held without an end since before now: through every bucket, so a number is enough."""
        self._beyond: dict[tuple[int, int | None], int] = {}
        """Windows that reach past the table: what a slide brings in."""
        self._pending: dict[tuple[int, int | None], int] = {}

    @property
    def horizon(self) -> int:
        """The first bucket past the table."""
        return self.origin + self.held.size

    def hold(self, start_ms: int, end_ms: int | None, accelerators: int) -> None:
        """Add to a window (a negative number takes away); written down at the next question.

        The parts of a gang, and what is added and taken away again, come to one change.
        """
        key = (start_ms, end_ms)
        total = self._pending.get(key, 0) + accelerators
        if total:
            self._pending[key] = total
        else:
            self._pending.pop(key, None)

    def settle(self, now_bucket: int) -> None:
        """Write down what is pending."""
        if len(self._pending) > _MANY:
            self._write_many()
        for (start_ms, end_ms), accelerators in self._pending.items():
            self._write(start_ms, end_ms, accelerators, now_bucket)
        self._pending.clear()

    def slide(self, origin: int) -> None:
        """Begin at a later bucket; what lies before it is forgotten."""
        old_horizon = self.horizon
        by = min(origin - self.origin, self.held.size)
        for table in (self.held, self.edges):
            table[: table.size - by] = table[by:].copy()
            table[table.size - by :] = 0
        self.origin = origin
        for (start_ms, end_ms), accelerators in list(self._beyond.items()):
            self._fill(start_ms, end_ms, accelerators, max(old_horizon, origin))
            if end_ms is not None and end_ms <= self.horizon * BUCKET_MS:
                del self._beyond[start_ms, end_ms]

    def _write_many(self) -> None:
        """Write down at once what lies within the table, as differences; the rest stays."""
        inside = [
            (start_ms, end_ms, accelerators)
            for (start_ms, end_ms), accelerators in self._pending.items()
            if end_ms is not None and end_ms <= self.horizon * BUCKET_MS
        ]
        if not inside:
            return
        for start_ms, end_ms, _ in inside:
            del self._pending[start_ms, end_ms]
        rows = np.array(inside, np.int64)
        size = self.held.size
        starts, ends = rows[:, 0] // BUCKET_MS, -(-rows[:, 1] // BUCKET_MS)
        low = np.clip(starts - self.origin, 0, size)
        high = np.maximum(np.clip(ends - self.origin, 0, size), low)
        change = np.zeros(size + 1, np.int64)
        np.add.at(change, low, rows[:, 2])
        np.subtract.at(change, high, rows[:, 2])
        self.held += np.cumsum(change[:size]).astype(np.int32)
        counts = rows[:, 2].astype(np.int32)
        first = (rows[:, 0] % BUCKET_MS != 0) & (starts >= self.origin) & (low < high)
        last = (rows[:, 1] % BUCKET_MS != 0) & (low < high) & ~(first & (ends - 1 == starts))
        np.add.at(self.edges, low[first], counts[first])
        np.add.at(self.edges, high[last] - 1, counts[last])

    def _write(self, start_ms: int, end_ms: int | None, accelerators: int, now_bucket: int) -> None:
        key = (start_ms, end_ms)
        known = self._beyond.get(key, 0)
        if end_ms is None and not known and start_ms // BUCKET_MS <= now_bucket:
            self.endless += accelerators
            invariant(self.endless >= 0, "more was given back to the calendar than it held")
            return
        if end_ms is None or end_ms > self.horizon * BUCKET_MS:
            self._beyond[key] = known + accelerators
            if not self._beyond[key]:
                del self._beyond[key]
        self._fill(start_ms, end_ms, accelerators, self.origin)

    def _fill(self, start_ms: int, end_ms: int | None, accelerators: int, since: int) -> None:
        """Add to the buckets of a window from `since` on, outwards, and to its edges."""
        start = start_ms // BUCKET_MS
        end = self.horizon if end_ms is None else -(-end_ms // BUCKET_MS)
        low, high = max(start, since) - self.origin, min(end, self.horizon) - self.origin
        if low >= high:
            return
        self.held[low:high] += accelerators
        first_in_part = start_ms % BUCKET_MS != 0 and since <= start < self.horizon
        last_in_part = (
            end_ms is not None and end_ms % BUCKET_MS != 0 and since < end <= self.horizon
        )
        if first_in_part:
            self.edges[start - self.origin] += accelerators
        if last_in_part and not (first_in_part and end - 1 == start):
            self.edges[end - 1 - self.origin] += accelerators


class Calendar:
    """One pool's promises.

    Args:
        now_ms: The instant; it only moves forward, with `roll`.
        capacity: Accelerators in service.
        buckets: How far the calendar sees.
        search: How runs of good buckets are found; the fastest there is if not said.
    """

    def __init__(
        self, now_ms: int, capacity: int = 0, buckets: int = BUCKETS, search: Search | None = None
    ) -> None:
        self.capacity = capacity
        self._buckets = buckets
        self._search = search or fastest_search()
        self._now_ms = now_ms
        size = buckets + max(buckets // 8, 1)
        origin = now_ms // BUCKET_MS
        self._firm = Layer(origin, size)
        self._all = Layer(origin, size)
        self._notices: dict[int, int] = {}
        """Reclaimable accelerators by their notice in milliseconds."""

    @property
    def horizon_ms(self) -> int:
        """Up to where the calendar sees."""
        return (self._now_ms // BUCKET_MS + self._buckets) * BUCKET_MS

    def roll(self, now_ms: int) -> None:
        """Move on to an instant."""
        self._now_ms = max(now_ms, self._now_ms)
        bucket = self._now_ms // BUCKET_MS
        for layer in (self._firm, self._all):
            layer.settle(bucket)
            if bucket + self._buckets > layer.horizon:
                layer.slide(bucket)

    def hold(
        self,
        start_ms: int,
        end_ms: int | None,
        accelerators: int,
        notice_ms: int | None = None,
    ) -> None:
        """Promise accelerators over a window; a negative number takes a promise back.

        Args:
            start_ms: From when on.
            end_ms: Until when; None has no end.
            accelerators: How many.
            notice_ms: The notice after which they can be reclaimed; None: they cannot.
        """
        self._all.hold(start_ms, end_ms, accelerators)
        if notice_ms is None:
            self._firm.hold(start_ms, end_ms, accelerators)
            return
        left = self._notices.get(notice_ms, 0) + accelerators
        invariant(left >= 0, "more was given back to the calendar than it held")
        if left:
            self._notices[notice_ms] = left
        else:
            self._notices.pop(notice_ms, None)

    def free_through(self, start_ms: int, end_ms: int | None, reclaims: bool = False) -> int:
        """Accelerators that are free during all of a window, as far as the calendar sees."""
        layer = self._layer(reclaims)
        low, high = self._span(layer, start_ms, end_ms)
        most = int(layer.held[low:high].max()) if low < high else 0
        return max(self.capacity - layer.endless - most, 0)

    def impossible(
        self, accelerators: int, start_ms: int, end_ms: int | None, reclaims: bool = False
    ) -> bool:
        """Whether so many surely cannot stand there: a count that needs no exact instants.

        Buckets that the window covers in part, and windows that cover a bucket in part, are
        left out: False promises nothing.
        """
        layer = self._layer(reclaims)
        spare = self.capacity - layer.endless - accelerators
        if spare < 0:
            return True
        low = max(-(-start_ms // BUCKET_MS), self._now_ms // BUCKET_MS) - layer.origin
        high = layer.held.size if end_ms is None else end_ms // BUCKET_MS - layer.origin
        high = min(high, layer.held.size)
        if low >= high:
            return False
        return bool((layer.held[low:high] - layer.edges[low:high]).max() > spare)

    def earliest(
        self,
        accelerators: int,
        duration_ms: int | None,
        from_ms: int,
        latest_ms: int | None = None,
        reclaims: bool = False,
    ) -> int | None:
        """The earliest start from which so many are free for so long.

        Args:
            accelerators: How many.
            duration_ms: For how long; None is without an end.
            from_ms: Not before this instant (nor before now).
            latest_ms: Not after this instant; None: as far as the calendar sees.
            reclaims: Whether what is reclaimable may be taken back for it.

        Returns:
            `from_ms` itself, the beginning of a bucket, or None.
        """
        from_ms = max(from_ms, self._now_ms)
        latest_ms = self.horizon_ms if latest_ms is None else latest_ms
        at = self._first(accelerators, duration_ms, from_ms, latest_ms, reclaims)
        while reclaims and at is not None and at <= latest_ms:
            told = self._told_by(accelerators, duration_ms, at)
            if told == at:
                return at
            at = self._first(accelerators, duration_ms, told, latest_ms, reclaims)
        return at if at is not None and at <= latest_ms else None

    def _layer(self, reclaims: bool) -> Layer:
        layer = self._firm if reclaims else self._all
        layer.settle(self._now_ms // BUCKET_MS)
        return layer

    def _span(self, layer: Layer, start_ms: int, end_ms: int | None) -> tuple[int, int]:
        """A window outwards, as places of a layer's table."""
        low = max(start_ms, self._now_ms) // BUCKET_MS - layer.origin
        high = layer.held.size if end_ms is None else -(-end_ms // BUCKET_MS) - layer.origin
        return max(low, 0), min(high, layer.held.size)

    def _first(
        self,
        accelerators: int,
        duration_ms: int | None,
        from_ms: int,
        latest_ms: int,
        reclaims: bool,
    ) -> int | None:
        layer = self._layer(reclaims)
        spare = self.capacity - layer.endless - accelerators
        first = from_ms // BUCKET_MS - layer.origin
        if spare < 0 or from_ms > latest_ms or first >= layer.held.size:
            return None
        if duration_ms is None:
            found = last_bad(layer.held, first, spare) + 1
        else:
            found = self._run(layer, first, from_ms, latest_ms, duration_ms, spare)
        if not 0 <= found < layer.held.size:
            return None
        return max(from_ms, (found + layer.origin) * BUCKET_MS)

    def _run(
        self, layer: Layer, first: int, from_ms: int, latest_ms: int, duration_ms: int, spare: int
    ) -> int:
        """The bucket to start in. From within a bucket a window may reach one bucket further."""
        last = latest_ms // BUCKET_MS - layer.origin
        if from_ms % BUCKET_MS:
            end = -(-(from_ms + duration_ms) // BUCKET_MS) - layer.origin
            if not (layer.held[first : min(end, layer.held.size)] > spare).any():
                return first
            first += 1
        width = -(-duration_ms // BUCKET_MS)
        room = layer.held.size - width
        found = -1
        if room >= first:
            found = int(self._search(layer.held, first, min(last, room), width, spare))
        if found < 0 and last > room:
            # So late that it reaches past the table, where only what is endless is known.
            found = last_bad(layer.held, first, spare) + 1
        return found

    def _told_by(self, accelerators: int, duration_ms: int | None, at_ms: int) -> int:
        """`at_ms`, or when enough of what is reclaimable has had its notice by then."""
        if not self._notices or at_ms >= self._now_ms + max(self._notices):
            return at_ms
        end_ms = None if duration_ms is None else at_ms + duration_ms
        near_ms = self._now_ms + max(self._notices)
        near_ms = near_ms if end_ms is None else min(near_ms, end_ms)
        if self.free_through(at_ms, near_ms) >= accelerators:
            return at_ms
        spare = self.free_through(at_ms, end_ms, reclaims=True) - accelerators
        for notice_ms in sorted(self._notices):
            told_ms = self._now_ms + notice_ms
            still = sum(held for other, held in self._notices.items() if other > notice_ms)
            if told_ms >= at_ms and still <= spare:
                return told_ms
        return self._now_ms + max(self._notices)
