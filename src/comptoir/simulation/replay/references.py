"""References to compare with: FIFO first-fit and EASY backfill, over a plain table of nodes.

They live the same jobs on the same machines, which die at the same instants, and know nothing
else: no tenants (customers share nodes), no classes, no reclaim, no prices, no record. FIFO starts
jobs in the order of their coming, on the first nodes that hold them, and whoever does not fit stops
all behind. EASY keeps the earliest start of the first that waits, and starts others before it where
that start is not touched; it is told how long every job will run, which nobody knows: it is
flattered.

Source: Lifka, "The ANL/IBM SP Scheduling System" (EASY), 1995.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from comptoir.simulation.replay.breakdowns import NEVER_MS, Breakdowns
from comptoir.simulation.replay.fleets import FleetNode
from comptoir.simulation.replay.lives import Life, Lives
from comptoir.simulation.replay.mixing import Work
from comptoir.simulation.replay.player import Progress
from comptoir.simulation.replay.tally import Sample, Tally
from comptoir.units.errors import Refused

Counts = NDArray[np.int64]
Part = tuple[int, int]
"""A node, and how many of its accelerators."""
_JOBS_A_REPORT = 2_000


class Ground:
    """The nodes: which are up, and what is free on each."""

    def __init__(self, nodes: Sequence[FleetNode]) -> None:
        self.sizes = np.array([node.accelerators for node in nodes], dtype=np.int64)
        self.free = self.sizes.copy()
        self.up = np.ones(len(nodes), dtype=bool)
        places = sorted({(node.kind, node.place) for node in nodes})
        self._places = [
            (kind, np.array([(n.kind, n.place) == (kind, place) for n in nodes]))
            for kind, place in places
        ]

    def find(self, work: Work, free: Counts) -> list[Part] | None:
        """The first nodes of one place that hold a job; one node if one can hold it at all."""
        for kind, here in self._places:
            if work.kind and work.kind != kind:
                continue
            left = np.where(here & self.up, free, 0)
            if work.accelerators <= int(self.sizes[here].max()):
                first = int(np.argmax(left >= work.accelerators))
                if left[first] >= work.accelerators:
                    return [(first, work.accelerators)]
                continue
            totals = np.cumsum(left)
            if totals[-1] < work.accelerators:
                continue
            last = int(np.searchsorted(totals, work.accelerators))
            parts = [(int(n), int(left[n])) for n in np.nonzero(left[:last])[0]]
            return [*parts, (last, work.accelerators - sum(count for _, count in parts))]
        return None

    def ever(self, work: Work) -> bool:
        """Whether an empty fleet would hold it."""
        up, self.up = self.up, np.ones_like(self.up)
        found = self.find(work, self.sizes)
        self.up = up
        return found is not None


@dataclass(slots=True)
class _Stand:
    """A running job: where, and when it is done if nothing comes between."""

    life: Life
    parts: list[Part]
    done_ms: int


@dataclass(slots=True)
class Reference:
    """One replay of a reference; `backfills` is EASY, without it FIFO."""

    ground: Ground
    tally: Tally
    lives: Lives
    breakdowns: Breakdowns
    backfills: bool
    horizon_ms: int
    _queue: list[Life] = field(default_factory=list)
    _running: dict[str, _Stand] = field(default_factory=dict)
    _heap: list[tuple[int, int, str, int]] = field(default_factory=list)
    _order: int = 0
    _sampled: int = 0

    def play(self, works: Sequence[Work], progress: Progress) -> None:
        """Let all of it happen, until all jobs are over or the horizon."""
        coming = now = 0
        while coming < len(works) or self._queue or self._running:
            submit = works[coming].submit_ms if coming < len(works) else NEVER_MS
            done = self._heap[0][0] if self._heap else NEVER_MS
            now = min(submit, done, self.breakdowns.next_ms())
            if now > self.horizon_ms:
                now = self.horizon_ms
                break
            self._sample_until(now)
            self._end(now)
            self._machines(now)
            while coming < len(works) and works[coming].submit_ms <= now:
                self._take(works[coming])
                coming += 1
                if not coming % _JOBS_A_REPORT:
                    progress(coming, len(works))
            self._start(now)
        self._sample_until(now)
        for stand in self._running.values():
            self.lives.leave(stand.life, now)
        self.breakdowns.close(now, self.tally)
        self.tally.close(now, len(self._running), len(self._queue))
        progress(len(works), len(works))

    def _take(self, work: Work) -> None:
        self.tally.submitted(work)
        if self.ground.ever(work):
            self._queue.append(Life(work))
        else:
            why = f"{work.accelerators:,} accelerators are more than any cluster of the fleet has"
            self.tally.rejected(work, Refused("fleet_too_small", why, "ask for fewer"))

    def _end(self, now: int) -> None:
        while self._heap and self._heap[0][0] <= now:
            _, _, job, run = heapq.heappop(self._heap)
            stand = self._running.get(job)
            if stand is not None and stand.life.run == run:
                self.lives.finish(stand.life, now)
                self._clear(job)

    def _machines(self, now: int) -> None:
        for node, fails in self.breakdowns.due(now, self.tally):
            self.ground.up[node] = not fails
            if not fails:
                continue
            hit = [j for j, s in self._running.items() if any(n == node for n, _ in s.parts)]
            again = []
            for job in hit:
                stand = self._running[job]
                self.lives.interrupt(stand.life, True, now)
                self._clear(job)
                again.append(stand.life)
            self._queue[:0] = sorted(again, key=lambda life: life.work.submit_ms)

    def _clear(self, job: str) -> None:
        for node, count in self._running.pop(job).parts:
            self.ground.free[node] += count

    # Who starts.

    def _start(self, now: int) -> None:
        begun = 0
        while begun < len(self._queue):
            parts = self.ground.find(self._queue[begun].work, self.ground.free)
            if parts is None:
                break
            self._place(self._queue[begun], parts, now)
            begun += 1
        del self._queue[:begun]
        if self.backfills and len(self._queue) > 1:
            self._backfill(now)

    def _place(self, life: Life, parts: list[Part], now: int) -> None:
        for node, count in parts:
            self.ground.free[node] -= count
        done_ms = self.lives.begin(life, now)
        self._order += 1
        self._running[life.work.id] = _Stand(life, parts, done_ms)
        heapq.heappush(self._heap, (done_ms, self._order, life.work.id, life.run))

    def _backfill(self, now: int) -> None:
        """Start what does not touch the earliest start of the first that waits."""
        head = self._queue[0].work
        free = np.where(self.ground.up, self.ground.free, 0)
        room, most = int(free.sum()), int(free.max())
        if not room:
            return
        shadow_ms, then = self._shadow(head)
        in_vain: dict[str, int] = {}
        left = [self._queue[0]]
        for at, life in enumerate(self._queue[1:], 1):
            work = life.work
            if not room:
                left += self._queue[at:]
                break
            small = work.accelerators <= most or work.accelerators > self.ground.sizes.max()
            if not small or work.accelerators >= in_vain.get(work.kind, 1 << 60):
                left.append(life)
                continue
            parts = self.ground.find(work, self.ground.free)
            if parts is None or not self._harmless(head, life, parts, shadow_ms, then, now):
                if parts is None and work.accelerators == 1:
                    in_vain[work.kind] = 1
                left.append(life)
                continue
            self._place(life, parts, now)
            if self._running[work.id].done_ms > shadow_ms:
                for node, count in parts:
                    then[node] -= count
            free = np.where(self.ground.up, self.ground.free, 0)
            room, most = int(free.sum()), int(free.max())
        self._queue = left

    def _shadow(self, head: Work) -> tuple[int, Counts]:
        """When the first that waits can start by what ends, and what is free then."""
        then = self.ground.free.copy()
        for stand in sorted(self._running.values(), key=lambda s: s.done_ms):
            for node, count in stand.parts:
                then[node] += count
            if self.ground.find(head, then) is not None:
                return stand.done_ms, then
        return NEVER_MS, then  # it waits for a machine to come back: nothing says when

    def _harmless(
        self, head: Work, life: Life, parts: list[Part], shadow_ms: int, then: Counts, now: int
    ) -> bool:
        """Whether a job is over by then, or what it holds leaves room for the first."""
        restart = self.lives.conditions.restart_ms if life.run else 0
        if now + life.work.duration_ms - life.done_ms + restart <= shadow_ms:
            return True
        rest = then.copy()
        for node, count in parts:
            rest[node] -= count
        return self.ground.find(head, rest) is not None

    def _sample_until(self, now: int) -> None:
        if self._sampled > now:
            return
        free = np.where(self.ground.up, self.ground.free, 0)
        whole = int(free[free == self.ground.sizes].sum())
        while self._sampled <= now:
            sample = Sample(self._sampled, int(free.sum()), whole, len(self._queue))
            self.tally.samples.append(sample)
            self._sampled += self.tally.bucket_ms
