"""From a trace to what is asked of a fleet: whole accelerators, classes, copies, a span.

All of it follows from the options and their seed. A fraction of an accelerator is rounded up to
a declared slice; what that loses is counted.
"""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from comptoir.leases.lease import LeaseClass
from comptoir.simulation.replay.trace import Trace, TraceJob
from comptoir.units.errors import Invalid
from comptoir.units.values import replace

MS_PER_DAY = 86_400_000
MOST_COPIES = 10_000
MOST_SLICES = 64
WORDS = {str(one): one for one in LeaseClass}


@dataclass(frozen=True, slots=True)
class Mix:
    """Which share of the jobs is of which class, in parts of their sum."""

    parts: tuple[tuple[LeaseClass, int], ...]

    @property
    def whole(self) -> int:
        """What the parts add up to."""
        return sum(part for _, part in self.parts)


@dataclass(frozen=True, slots=True)
class Work:
    """One job to replay: whole accelerators (or slices) for so much time."""

    id: str
    submit_ms: int
    duration_ms: int
    accelerators: int
    tenant: str
    lease_class: LeaseClass
    kind: str
    """Empty: any that there is."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What a replay asks, in order of time.

    Args:
        works: The jobs.
        slices: Into how many an accelerator is divided; works count in these.
        asked_ms: Accelerator-milliseconds as the trace has them.
        rounding_ms: What rounding up to slices adds to that.
        rounded: How many jobs were rounded up.
        other_types: How many jobs named a type that the fleet does not have: any will do.
        until_ms: What is submitted from then on is left out.
    """

    works: tuple[Work, ...]
    slices: int
    asked_ms: int
    rounding_ms: int
    rounded: int
    other_types: int
    until_ms: int

    def only(self, lease_class: LeaseClass) -> "Workload":
        """The same without the jobs of other classes."""
        works = tuple(work for work in self.works if work.lease_class is lease_class)
        return replace(self, works=works)


def parse_mix(text: str) -> Mix:
    """A mix such as `internal=50,on_demand=30,spot=20`.

    Raises:
        Invalid: `bad_mix`.
    """
    parts: dict[LeaseClass, int] = {}
    for word in text.split(","):
        name, _, share = word.strip().partition("=")
        lease_class = WORDS.get(name.replace("-", "_"))
        if lease_class is None or not share.isdecimal() or lease_class in parts:
            raise Invalid(
                "bad_mix",
                f"{word.strip()!r} is not a class and its part, each once",
                f"for example internal=50,spot=50; classes are {', '.join(WORDS)}",
            )
        parts[lease_class] = int(share)
    if not sum(parts.values()):
        raise Invalid("bad_mix", "the parts of a mix add up to nothing", "give one a part")
    return Mix(tuple(parts.items()))


@dataclass(frozen=True, slots=True)
class Overlay:
    """How a trace is laid over a fleet.

    Args:
        mix: Which share of the jobs is of which class.
        copies: How many times the trace is laid over itself, each shifted by its own share of
            the span. What a shift moves past the end begins again at the start.
        days: Only what is submitted in so many days; None for all.
        slices: Into how many an accelerator may be divided.
        seed: Decides shifts and classes.
    """

    mix: Mix
    copies: int = 1
    days: int | None = None
    slices: int = 1
    seed: int = 1


def workload(trace: Trace, overlay: Overlay, kinds: Collection[str]) -> Workload:
    """The jobs that a fleet of these kinds is asked for."""
    whole_ms = trace.span_ms + 1
    until_ms = whole_ms if overlay.days is None else overlay.days * MS_PER_DAY
    first_ms, slices = trace.jobs[0].submit_ms, overlay.slices
    works: list[Work] = []
    asked: Fraction | int = 0
    lost: Fraction | int = 0
    rounded = others = 0
    for copy in range(overlay.copies):
        rng = random.Random(f"{overlay.seed}/{copy}")
        shift = rng.randrange(whole_ms) if copy else 0
        classes = _drawn(rng, overlay.mix)
        for job in trace.jobs:
            at_ms = (job.submit_ms - first_ms + shift) % whole_ms
            lease_class = next(classes)
            if at_ms >= until_ms:
                continue
            count, more = _in_slices(job, slices)
            asked += job.accelerators * job.duration_ms
            if more:
                lost += more * job.duration_ms
                rounded += 1
            kind = job.accelerator_type if job.accelerator_type in kinds else ""
            others += bool(job.accelerator_type and not kind)
            name = f"{job.id}+{copy}" if copy else job.id
            works.append(Work(name, at_ms, job.duration_ms, count, job.tenant, lease_class, kind))
    works.sort(key=lambda work: work.submit_ms)  # what comes at once keeps the trace's order
    return Workload(tuple(works), slices, int(asked), int(lost), rounded, others, until_ms)


def _in_slices(job: TraceJob, slices: int) -> tuple[int, Fraction | int]:
    """How many slices hold a job, and how much of an accelerator that is more than it asks."""
    wanted = job.accelerators * slices
    count = -(-wanted.numerator // wanted.denominator)
    return count, 0 if count == wanted else Fraction(count, slices) - job.accelerators


def _drawn(rng: random.Random, mix: Mix) -> Iterator[LeaseClass]:
    """Classes as the mix has them, one a job."""
    classes = [lease_class for lease_class, _ in mix.parts]
    weights = [part for _, part in mix.parts]
    while True:
        yield from rng.choices(classes, weights, k=1_024)


def shares(works: Sequence[Work], lease_class: LeaseClass) -> Mapping[str, int]:
    """Accelerator-milliseconds that each tenant asks in a class."""
    totals: dict[str, int] = {}
    for work in works:
        if work.lease_class is lease_class:
            size = work.accelerators * work.duration_ms
            totals[work.tenant] = totals.get(work.tenant, 0) + size
    return totals
