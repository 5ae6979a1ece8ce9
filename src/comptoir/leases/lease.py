"""Outbound leases: demand, from request to end, and the edges between its states."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from comptoir.leases.term import LeaseTerm
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Conflict, broken
from comptoir.units.ids import LeaseId, NodeId, SeriesId, TenantId, UserId
from comptoir.units.time import LATEST_MS, MS_PER_S, Window
from comptoir.units.values import Term, quick, replace


class LeaseClass(Term):
    """Strongest first; see `STRENGTH`."""

    INTERNAL = "internal"
    RESERVED = "reserved"
    ON_DEMAND = "on_demand"
    SPOT = "spot"


STRENGTH: dict[LeaseClass, int] = {
    LeaseClass.INTERNAL: 3,
    LeaseClass.RESERVED: 2,
    LeaseClass.ON_DEMAND: 1,
    LeaseClass.SPOT: 0,
}


class Shape(Term):
    """How close the accelerators must be: all in one of these."""

    NODE = "node"
    RACK = "rack"
    POD = "pod"
    CLUSTER = "cluster"
    SITE = "site"


class OnReclaim(StrEnum):
    """What a reclaimed lease does next."""

    WAIT = "wait"
    END = "end"


class LeaseState(Term):
    """`requested` is the instant of decision and is never stored."""

    WAITING = "waiting"
    HELD = "held"
    SCHEDULED = "scheduled"
    ACTIVE = "active"
    RECLAIMING = "reclaiming"
    ENDED = "ended"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    BROKEN = "broken"


class Reason(StrEnum):
    """Why a lease is being taken back, or was ended."""

    NONE = ""
    STRONGER_REQUEST = "stronger_request"
    WINDOW_END = "window_end"
    ENDED_BY_HOLDER = "ended_by_holder"
    JOB_FINISHED = "job_finished"
    TENANT_SUSPENDED = "tenant_suspended"
    SUPPLY_ENDED = "supply_ended"
    SELLING_WINDOW_END = "selling_window_end"
    WINDOW_PASSED = "window_passed"
    NODE_DRAINED = "node_drained"
    HOLD_EXPIRED = "hold_expired"
    HOLD_RELEASED = "hold_released"
    HOLD_GAVE_WAY = "hold_gave_way"
    NODE_LOST = "node_lost"
    NODE_MAINTENANCE = "node_maintenance"
    MOVED = "moved"
    CREDIT_EXHAUSTED = "credit_exhausted"
    BUDGET_EXHAUSTED = "budget_exhausted"


_S = LeaseState
EDGES: dict[LeaseState, frozenset[LeaseState]] = {
    _S.WAITING: frozenset({_S.SCHEDULED, _S.HELD, _S.ACTIVE, _S.CANCELLED, _S.REFUSED, _S.BROKEN}),
    _S.HELD: frozenset({_S.SCHEDULED, _S.CANCELLED}),
    _S.SCHEDULED: frozenset({_S.ACTIVE, _S.WAITING, _S.CANCELLED, _S.BROKEN}),
    _S.ACTIVE: frozenset({_S.RECLAIMING, _S.WAITING, _S.ENDED, _S.BROKEN}),
    _S.RECLAIMING: frozenset({_S.WAITING, _S.ENDED, _S.BROKEN}),
    _S.ENDED: frozenset(),
    _S.REFUSED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.BROKEN: frozenset(),
}
FINAL = frozenset(state for state, edges in EDGES.items() if not edges)
STANDING = frozenset((_S.SCHEDULED, _S.ACTIVE, _S.RECLAIMING))
"""In these it has its accelerators, or is promised them for good."""


TOLD_AHEAD_MS = 250
"""A notice is given so much sooner, so that it is whole though a turn comes a moment late."""

LEAST_GAP_S = 60
"""What fills a gap before a promise stays so long at least: moving in has its price."""

PROMISED = frozenset({_S.SCHEDULED, _S.HELD})
"""States in which accelerators are promised and nothing is handed over yet."""
NOT_STARTED = PROMISED | {_S.WAITING}
"""States in which nothing is handed over, and something may be."""


@quick
@dataclass(frozen=True, slots=True)
class Alternative:
    """One complete way in which a request can be met; the whole gang takes it."""

    kind: str
    accelerators: int
    shape: Shape


@quick
@dataclass(frozen=True, slots=True)
class Lease:
    """k accelerators of a kind, in a shape, over a half-open window, for a tenant, in a class.

    `starts_at_ms` is the earliest start asked for and `ends_at_ms` the end (None:
    open-ended). `notice_s` is how long a stop is announced. While `reclaiming`,
    `stop_at_ms` is when its jobs were told and `kill_at_ms` when its time is over: its
    billing ends there at the latest. `residency` is where its data must stay, beside what
    its tenant requires; empty is anywhere.

    `lent`: an on-demand lease that stands on the idle entitlement of a team; `borrowed`: a
    team's use above its own entitlement; `recall`: a sold window whose contract lets it be
    called back, or could be: `recall_spent` while its contract allows no more recalls. Each may be
    taken back, once it has run `minimum_runtime_s` (`claims.py`).
    With a `latest_start_ms` the start is flexible until the lease is handed over: it lasts
    `duration_s` from its promised start on, and while it has none `ends_at_ms` is the latest
    end. `alternatives` are tried in order, itself among them, until it is handed over; the
    one that wins is then its kind, accelerators and shape. `preferred_shape` is narrower
    than `shape` and tried first. Occurrences of a recurring request share a `series`. A
    `held` lease is a promise that waits for a yes until `hold_until_ms`; unless it is
    `hold_firm` it gives way. `warned_end_ms` is the end of which its holder has been warned.

    While active, `lost` has the size of each allocation whose node was lost and is not replaced
    yet; `rejections` counts the nodes its holder sent back, `rejected` names them. `term` is for
    how long it was asked for, by which it is priced; `project` is whose budget it counts against.
    """

    id: LeaseId
    tenant_id: TenantId
    requested_by: UserId
    name: str
    lease_class: LeaseClass
    kind: str
    accelerators: int
    shape: Shape
    starts_at_ms: int
    ends_at_ms: int | None
    notice_s: int
    on_reclaim: OnReclaim
    requested_at_ms: int
    state: LeaseState
    state_since_ms: int
    scheduled_start_ms: int | None = None
    activated_at_ms: int | None = None
    stop_at_ms: int | None = None
    kill_at_ms: int | None = None
    reason: Reason = Reason.NONE
    reclaimed_for: LeaseId | None = None
    reclaims: int = 0
    residency: str = ""
    lent: bool = False
    borrowed: bool = False
    recall: bool = False
    recall_spent: bool = False
    minimum_runtime_s: int = 0
    latest_start_ms: int | None = None
    duration_s: int | None = None
    preferred_shape: Shape | None = None
    alternatives: tuple[Alternative, ...] = ()
    series: SeriesId | None = None
    hold_until_ms: int | None = None
    hold_firm: bool = False
    warned_end_ms: int | None = None
    lost: tuple[int, ...] = ()
    rejections: int = 0
    term: LeaseTerm = LeaseTerm.HOUR
    project: str = ""
    rejected: tuple[NodeId, ...] = ()

    @property
    def window(self) -> Window:
        """The window asked for; once a flexible start is promised, the window promised."""
        return Window(self.start_ms, self.ends_at_ms)

    @property
    def flexible(self) -> bool:
        """Whether its start may still be chosen."""
        return self.latest_start_ms is not None and self.activated_at_ms is None

    @property
    def start_ms(self) -> int:
        """Not handed over before this instant."""
        if self.flexible and self.scheduled_start_ms is not None:
            return self.scheduled_start_ms
        return self.starts_at_ms

    @property
    def waits_until_ms(self) -> int | None:
        """The instant from which waiting is in vain."""
        if self.flexible and self.latest_start_ms is not None:
            return self.latest_start_ms + 1
        return self.ends_at_ms

    @property
    def choices(self) -> tuple[Alternative, ...]:
        """In which ways it can be met now, best first."""
        if self.alternatives and self.activated_at_ms is None:
            return self.alternatives
        return (Alternative(self.kind, self.accelerators, self.shape),)

    @property
    def other_kinds(self) -> bool:
        """Whether it can be met with another kind than the first, for whose line it waits."""
        return any(choice.kind != self.kind for choice in self.choices)

    @property
    def hold_over_ms(self) -> int:
        """When a hold is over: at its own end, or with its window."""
        ends = (self.hold_until_ms, self.ends_at_ms)
        return min((end for end in ends if end is not None), default=LATEST_MS)

    @property
    def is_soft_hold(self) -> bool:
        """Whether it is kept for its holder only until a firm request wants it."""
        return self.hold_until_ms is not None and not self.hold_firm

    @property
    def least_gap_ms(self) -> int | None:
        """How long a gap before somebody's promise must last for it to stand there.

        None: it needs a place that nobody is promised later. A gap gives the minimum
        runtime, and at least as long as its notice before the notice begins.
        """
        if self.ends_at_ms is not None or self.lease_class is not LeaseClass.SPOT:
            return None
        return max(self.minimum_runtime_s, 2 * self.notice_s, LEAST_GAP_S) * MS_PER_S

    def warning_due_ms(self, lead_s: int) -> int | None:
        """When its holder is to be warned of its end; None: it has none, or was warned of it.

        The lead is at most half of what the lease lasts.
        """
        if self.ends_at_ms is None or self.warned_end_ms == self.ends_at_ms:
            return None
        lasts_ms = self.ends_at_ms - (self.activated_at_ms or self.start_ms)
        return self.ends_at_ms - min(lead_s * MS_PER_S, max(lasts_ms, 0) // 2)

    @property
    def recallable(self) -> bool:
        """Whether its recall clause may be used: it has one that is not spent."""
        return self.recall and not self.recall_spent

    @property
    def reclaimable(self) -> bool:
        """Whether some stronger request may take it back with notice."""
        return self.lease_class is LeaseClass.SPOT or self.lent or self.borrowed or self.recallable

    @property
    def reclaimable_from_ms(self) -> int:
        """From when on an active lease may be reclaimed: it has run long enough by then.

        While a lease is active, its state has lasted since its last activation.
        """
        return self.state_since_ms + self.minimum_runtime_s * MS_PER_S

    def moved(self, state: LeaseState, now_ms: int, **fields: object) -> "Lease":
        """The lease in its next state.

        Raises:
            InvariantBroken: no edge leads there.
        """
        if state not in EDGES[self.state]:
            broken(f"lease {self.id} cannot go from {self.state} to {state}")
        return replace(self, state=state, state_since_ms=now_ms, **fields)  # type: ignore[arg-type]


MOST_REACH = 3
"""An entitled team takes back leases of so many tiers (`claims.Tier`)."""


def refuse_over(lease: Lease) -> None:
    """Refuse to do anything to a lease that is over.

    Raises:
        Conflict: `lease_over`.
    """
    if lease.state in FINAL:
        raise Conflict("lease_over", f"{lease.id} is {lease.state}", "request a new lease")


@quick
@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """What placement is asked: the lease's own facts, without its state.

    `rejected` are nodes that it has sent back. `grants` are its tenant's; `residency` is every
    place within which it must stay.
    `preferred_shape` is tried first and is narrower than the shape that is required.
    `borrowed`: a team asks for more than it is entitled to. Spot without an end may
    fill a gap before somebody's promise that lasts at least `least_gap_ms`; None: it fills none.
    """

    lease_id: LeaseId
    tenant_id: TenantId
    lease_class: LeaseClass
    kind: str
    accelerators: int
    shape: Shape
    window: Window
    notice_s: int
    grants: frozenset[str] = frozenset()
    residency: tuple[str, ...] = ()
    preferred_shape: Shape | None = None
    borrowed: bool = False
    reach: int = MOST_REACH
    least_gap_ms: int | None = None
    rejected: tuple[NodeId, ...] = ()

    @property
    def strength(self) -> int:
        """Leases of a lower tier may give way to it (`claims.Tier`): most claims reach spot,
        an entitled team's as far as `reach` says now, and that of spot nobody.
        """
        if self.lease_class is LeaseClass.INTERNAL and not self.borrowed:
            return self.reach
        return 0 if self.lease_class is LeaseClass.SPOT else 1


_set_of = lru_cache(maxsize=4_096)(frozenset[str])
"""A tenant's grants, hashed once: they are part of the key of every question of capacity."""


@lru_cache(maxsize=4_096)
def _residency(asked: str, of_tenant: str) -> tuple[str, ...]:
    return tuple(filter(None, dict.fromkeys((asked, of_tenant))))


def request_of(lease: Lease, tenant: Tenant, now_ms: int) -> LeaseRequest:
    """The request that its tenant's `lease` makes of placement at `now_ms`: now or later."""
    start_ms, end_ms = max(lease.start_ms, now_ms), lease.ends_at_ms
    if lease.flexible and lease.scheduled_start_ms is None:
        end_ms = start_ms + (lease.duration_s or 0) * MS_PER_S
    return LeaseRequest(
        lease.id,
        lease.tenant_id,
        lease.lease_class,
        lease.kind,
        lease.accelerators,
        lease.shape,
        Window(start_ms, end_ms),
        lease.notice_s,
        _set_of(tenant.grants),
        _residency(lease.residency, tenant.residency),
        borrowed=lease.borrowed,
        preferred_shape=lease.preferred_shape,
        least_gap_ms=lease.least_gap_ms,
        rejected=lease.rejected,
    )
