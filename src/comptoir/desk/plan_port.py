"""The port to whoever plans a rebalance: beside the desk, on a snapshot, in a process of its own.

A plan is a proposal and stays as it was made: it changes nothing until its steps are asked of the
desk one by one (`operations/move_lease.py`), which judges each as the book is by then.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RebalanceAsk:
    """What is looked for: `level` is `pod`, `rack` or `node`; `kind` None is all of them."""

    level: str
    kind: str | None
    horizon_s: int
    restart_s: int
    spread_s: int
    time_limit_s: int


@dataclass(frozen=True, slots=True)
class RebalancePart:
    """One allocation, and the accelerators that take its place."""

    allocation_id: str
    from_node: str
    to_node: str
    accelerators: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RebalanceStep:
    """One lease moved. What it gains is its share of the places that it frees."""

    number: int
    lease_id: str
    tenant_id: str
    kind: str
    running: bool
    notice_s: int
    moves: tuple[RebalancePart, ...]
    gain_accelerator_ms: int
    gain_micros: int | None
    cost_accelerator_ms: int
    cost_micros: int | None
    frees: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class RebalancePlace:
    """A place that is whole once its steps are done, and what of it can be sold then."""

    place: str
    kind: str
    accelerators: int
    gain_accelerator_ms: int
    gain_micros: int | None
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RebalanceUsed:
    """A place that was whole and gets somebody."""

    place: str
    kind: str
    accelerators: int
    lost_accelerator_ms: int
    lost_micros: int | None


@dataclass(frozen=True, slots=True)
class RebalanceSpread:
    """A sold window of which the loss of one pod takes so many less than before."""

    lease_id: str
    kind: str
    worst_before: int
    worst_after: int
    gain_accelerator_ms: int
    step: int


@dataclass(frozen=True, slots=True)
class RebalancePlan:
    """The steps, and how good they are: nothing scores more than `bound_accelerator_ms`.

    The gain is that of the places that become whole, less that of whole ones that are used up. The
    score is the gain and what spreading is worth, less the costs and one accelerator-second for
    each accelerator moved. Money is at list prices of `currency`; None where no rate prices a
    kind.
    """

    id: str
    planned_at_ms: int
    level: str
    kind: str | None
    horizon_s: int
    restart_s: int
    spread_s: int
    nodes: int
    leases: int
    steps: tuple[RebalanceStep, ...]
    places: tuple[RebalancePlace, ...]
    spreads: tuple[RebalanceSpread, ...]
    used_up: tuple[RebalanceUsed, ...]
    gain_accelerator_ms: int
    gain_micros: int | None
    cost_accelerator_ms: int
    cost_micros: int | None
    currency: str
    score_accelerator_ms: int
    bound_accelerator_ms: int
    gap_ppm: int
    solver: str
    how: tuple[str, ...]
    took_s: int
    memory_bytes: int


class Planner(Protocol):
    """Plans one rebalance at a time, and keeps the last few plans."""

    def begin(self, ask: RebalanceAsk, now_ms: int) -> str:
        """Begin to plan; returns the plan's id at once.

        Raises:
            Conflict: `planning_already`.
        """

    def plan(self, plan_id: str) -> RebalancePlan | None:
        """A plan; None while it is being made.

        Raises:
            NotFound: it is not kept, or never was.
            Refused: `planning_out_of_time`, `planning_out_of_memory`, `planning_failed`.
        """
