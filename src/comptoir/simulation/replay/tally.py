"""What came of a replay, counted as it happens: waits, slowdowns, use, losses, refusals.

Integers while counting; ratios are made once, when the report is written. *Bounded slowdown* is
(end - submission) / max(run time, 10 s), at least 1, of jobs that finished.

Source: Feitelson et al., "Theory and Practice in Parallel Job Scheduling", 1997 (bounded slowdown).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from comptoir.leases.lease import LeaseClass
from comptoir.simulation.replay.mixing import Work
from comptoir.units.errors import Refused
from comptoir.units.time import MS_PER_S

BOUND_MS = 10 * MS_PER_S
SIZES = (1, 8, 64, 512)
"""Jobs are told apart by size: up to so many accelerators, and above the last."""
MOST_SAID = 20


def size_name(accelerators: int) -> str:
    """The group of a size: "1", "2-8", "9-64" ..."""
    low = 1
    for most in SIZES:
        if accelerators <= most:
            return str(most) if low == most else f"{low}-{most}"
        low = most + 1
    return f"over {SIZES[-1]}"


SIZE_NAMES = (*map(size_name, SIZES), size_name(SIZES[-1] + 1))
Group = tuple[LeaseClass, str]
"""A class and the name of a size."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The fleet at an instant: accelerators for sale and free, and free on wholly free nodes."""

    at_ms: int
    free: int
    free_whole: int
    waiting: int


@dataclass(slots=True)
class Tally:
    """All counts of one replay. `bucket_ms` is the grain of what is drawn over time."""

    bucket_ms: int
    slices: int = 1
    busy_by_class: dict[LeaseClass, list[int]] = field(default_factory=dict)
    down_ms: list[int] = field(default_factory=list)
    useful_ms: Counter[LeaseClass] = field(default_factory=Counter)
    delivered_ms: Counter[LeaseClass] = field(default_factory=Counter)
    waits: dict[Group, list[int]] = field(default_factory=dict)
    team_waits: dict[str, list[int]] = field(default_factory=dict)
    """Of internal jobs, by team."""
    slowdowns: dict[Group, list[int]] = field(default_factory=dict)
    """In thousandths."""
    asked: Counter[LeaseClass] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[Work, Refused]] = field(default_factory=list)
    """The first of them."""
    reclaims: Counter[LeaseClass] = field(default_factory=Counter)
    reclaimed_by_bucket: Counter[int] = field(default_factory=Counter)
    lost_to_failures_ms: int = 0
    lost_to_reclaims_ms: int = 0
    node_failures: int = 0
    interrupted: int = 0
    finished_jobs: int = 0
    gave_up_jobs: int = 0
    running: int = 0
    waiting: int = 0
    end_ms: int = 0
    samples: list[Sample] = field(default_factory=list)
    _since: dict[str, int] = field(default_factory=dict)

    def submitted(self, work: Work) -> None:
        """A job has come."""
        self.asked[work.lease_class] += 1

    def rejected(self, work: Work, why: Refused) -> None:
        """It was refused at once."""
        self.refusals[why.code] += 1
        if len(self.refused) < MOST_SAID:
            self.refused.append((work, why))

    def started(self, work: Work, now_ms: int) -> None:
        """A job runs for the first time."""
        waited = now_ms - work.submit_ms
        self.waits.setdefault(self._group(work), []).append(waited)
        if work.lease_class is LeaseClass.INTERNAL:
            self.team_waits.setdefault(work.tenant, []).append(waited)

    def runs(self, work: Work, now_ms: int) -> None:
        """A job runs from now on."""
        self._since[work.id] = now_ms

    def stops(self, work: Work, now_ms: int, useful_ms: int, lost: bool | None) -> None:
        """A job runs no more: for itself (None), told to go, or its node was lost."""
        since = self._since.pop(work.id)
        ran = (now_ms - since) * work.accelerators
        by_class = self.busy_by_class.setdefault(work.lease_class, [])
        self._spread(by_class, since, now_ms, work.accelerators)
        self.delivered_ms[work.lease_class] += ran
        self.useful_ms[work.lease_class] += useful_ms
        if lost is None:
            return
        if lost:
            self.interrupted += 1
            self.lost_to_failures_ms += ran - useful_ms
        else:
            self.reclaims[work.lease_class] += 1
            self.reclaimed_by_bucket[now_ms // self.bucket_ms] += 1
            self.lost_to_reclaims_ms += ran - useful_ms

    def finished(self, work: Work, now_ms: int) -> None:
        """A job has done all of its work."""
        self.finished_jobs += 1
        bounded = max(work.duration_ms, BOUND_MS)
        slowdown = max(1_000 * (now_ms - work.submit_ms) // bounded, 1_000)
        self.slowdowns.setdefault(self._group(work), []).append(slowdown)

    def gave_up(self) -> None:
        """A job's lease is over before its work is."""
        self.gave_up_jobs += 1

    def machine_failed(self) -> None:
        """A machine died."""
        self.node_failures += 1

    def machine_down(self, from_ms: int, until_ms: int, accelerators: int) -> None:
        """Its accelerators were out of service so long."""
        self._spread(self.down_ms, from_ms, until_ms, accelerators)

    def close(self, now_ms: int, running: int, waiting: int) -> None:
        """The replay is over, and so many jobs are not."""
        self.end_ms, self.running, self.waiting = now_ms, running, waiting

    def _group(self, work: Work) -> Group:
        return work.lease_class, size_name(-(-work.accelerators // self.slices))

    def _spread(self, buckets: list[int], from_ms: int, until_ms: int, accelerators: int) -> None:
        """Add accelerator-milliseconds to the buckets that an interval touches."""
        size = self.bucket_ms
        first, last = from_ms // size, until_ms // size
        buckets.extend([0] * (last + 1 - len(buckets)))
        if first == last:
            buckets[first] += (until_ms - from_ms) * accelerators
            return
        buckets[first] += ((first + 1) * size - from_ms) * accelerators
        buckets[last] += (until_ms - last * size) * accelerators
        for bucket in range(first + 1, last):
            buckets[bucket] += size * accelerators


def at_percent(ordered: Sequence[int], per_cent: int) -> int:
    """The value that so many in a hundred do not exceed, of a sorted list."""
    return ordered[max(-(-len(ordered) * per_cent // 100) - 1, 0)] if ordered else 0
