"""Rebalance: what is asked, the plan, and one lease moved."""

from typing import Annotated, Literal

from pydantic import Field

from comptoir.api.shapes.common import Answer, Body, Instant, Line, Long, Named
from comptoir.placement.rebalance.rows import Level

MOST_S = 366 * 86_400
MOST_TIME_LIMIT_S = 3_600
_Seconds = Annotated[int, Field(strict=True, ge=0, le=MOST_S)]


class RebalanceBody(Body):
    """What is looked for.

    `level` is what is to be whole. A place counts for what of `horizon_s` it would not be whole;
    a running lease costs its notice and `restart_s`; an accelerator less in the worst loss of one
    pod is worth `spread_s`, 0: nothing.
    """

    level: Level = Level.POD
    kind: Named | None = None
    horizon_s: Annotated[int, Field(strict=True, ge=3_600, le=MOST_S)] = 86_400
    restart_s: _Seconds = 900
    spread_s: _Seconds = 900
    time_limit_s: Annotated[int, Field(strict=True, ge=1, le=MOST_TIME_LIMIT_S)] = 120


class RebalancePart(Answer):
    """One allocation, and the accelerators that take its place."""

    allocation_id: str
    from_node: str
    to_node: str
    accelerators: list[int]


class RebalanceStep(Answer):
    """One lease moved. `gain` is its share of the places that it frees, at list prices."""

    number: int
    lease_id: str
    tenant_id: str
    kind: str
    running: bool
    notice_s: int
    moves: list[RebalancePart]
    gain_accelerator_ms: Long
    gain: str | None
    cost_accelerator_ms: Long
    cost: str | None
    frees: list[str]
    why: str


class RebalancePlace(Answer):
    """A place that is whole once its steps are done, and what of it can be sold then."""

    place: str
    kind: str
    accelerators: int
    gain_accelerator_ms: Long
    gain: str | None
    steps: list[int]


class RebalanceUsed(Answer):
    """A place that was whole and gets somebody."""

    place: str
    kind: str
    accelerators: int
    lost_accelerator_ms: Long
    lost: str | None


class RebalanceSpread(Answer):
    """A sold window of which the loss of one pod takes less than before."""

    lease_id: str
    kind: str
    worst_before: int
    worst_after: int
    gain_accelerator_ms: Long
    step: int


class RebalancePlan(Answer):
    """The steps, and how good they are: no set of moves scores more than the bound.

    `gap_ppm` is how far the score is from the bound, in millionths of it.
    """

    id: str
    planned_at: Instant
    level: Level
    kind: str | None
    horizon_s: int
    restart_s: int
    spread_s: int
    nodes: int
    leases: int
    steps: list[RebalanceStep]
    places: list[RebalancePlace]
    spreads: list[RebalanceSpread]
    used_up: list[RebalanceUsed]
    gain_accelerator_ms: Long
    gain: str | None
    cost_accelerator_ms: Long
    cost: str | None
    currency: str
    score_accelerator_ms: Long
    bound_accelerator_ms: Long
    gap_ppm: int
    solver: Literal["highs", "greedy"]
    how: list[str]
    took_s: int
    memory_bytes: Long


class Planning(Answer):
    """A plan that is made, or being made: then it is null."""

    id: str
    state: Literal["planning", "planned"]
    plan: RebalancePlan | None


class MovePart(Body):
    """One allocation of the lease, and the accelerators of a node that take its place."""

    allocation_id: Named
    to_node: Named
    accelerators: Annotated[
        list[Annotated[int, Field(strict=True, ge=0, le=1_023)]],
        Field(min_length=1, max_length=1_024),
    ]


class MoveBody(Body):
    """Which parts of a lease move, and why, as its holder is told."""

    moves: Annotated[list[MovePart], Field(min_length=1, max_length=4_096)]
    because: Line = "places are made whole again"
