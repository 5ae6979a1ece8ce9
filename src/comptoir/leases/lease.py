"""Outbound leases: demand, from request to end, and the edges between its states."""

from dataclasses import dataclass, replace
from enum import StrEnum

from comptoir.tenants.parties import Tenant
from comptoir.units.errors import invariant
from comptoir.units.ids import LeaseId, TenantId, UserId
from comptoir.units.time import Window


class LeaseClass(StrEnum):
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


class Shape(StrEnum):
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


class LeaseState(StrEnum):
    """`requested` is the instant of decision and is never stored."""

    WAITING = "waiting"
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


_S = LeaseState
EDGES: dict[LeaseState, frozenset[LeaseState]] = {
    _S.WAITING: frozenset({_S.SCHEDULED, _S.ACTIVE, _S.CANCELLED, _S.REFUSED}),
    _S.SCHEDULED: frozenset({_S.ACTIVE, _S.WAITING, _S.CANCELLED, _S.BROKEN}),
    _S.ACTIVE: frozenset({_S.RECLAIMING, _S.ENDED, _S.BROKEN}),
    _S.RECLAIMING: frozenset({_S.WAITING, _S.ENDED, _S.BROKEN}),
    _S.ENDED: frozenset(),
    _S.REFUSED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.BROKEN: frozenset(),
}
FINAL = frozenset(state for state, edges in EDGES.items() if not edges)


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
    called back. Each may be taken back, once it has run `minimum_runtime_s` (`claims.py`).
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
    minimum_runtime_s: int = 0

    @property
    def window(self) -> Window:
        """The window asked for."""
        return Window(self.starts_at_ms, self.ends_at_ms)

    @property
    def reclaimable(self) -> bool:
        """Whether some stronger request may take it back with notice."""
        return self.lease_class is LeaseClass.SPOT or self.lent or self.borrowed or self.recall

    @property
    def strength(self) -> int:
        """How strong its claim is: what is reclaimed is strictly weaker than who claims."""
        return STRENGTH[self.lease_class]

    @property
    def reclaimable_from_ms(self) -> int:
        """From when on an active lease may be reclaimed: it has run long enough by then."""
        return self.state_since_ms

    def moved(self, state: LeaseState, now_ms: int, **fields: object) -> "Lease":
        """The lease in its next state.

        Raises:
            InvariantBroken: no edge leads there.
        """
        invariant(
            state in EDGES[self.state], f"lease {self.id} cannot go from {self.state} to {state}"
        )
        return replace(self, state=state, state_since_ms=now_ms, **fields)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """What placement is asked: the lease's own facts, without its state.

    `grants` are its tenant's; `residency` is every place within which it must stay.
    `preferred_shape` is tried first and is narrower than the shape that is required.
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

    @property
    def strength(self) -> int:
        """How strong a claim it makes."""
        return STRENGTH[self.lease_class]


def request_of(lease: Lease, tenant: Tenant, now_ms: int) -> LeaseRequest:
    """The request that its tenant's `lease` makes of placement at `now_ms`: now or later."""
    return LeaseRequest(
        lease.id,
        lease.tenant_id,
        lease.lease_class,
        lease.kind,
        lease.accelerators,
        lease.shape,
        Window(max(lease.starts_at_ms, now_ms), lease.ends_at_ms),
        lease.notice_s,
        frozenset(tenant.grants),
        tuple(filter(None, dict.fromkeys((lease.residency, tenant.residency)))),
        borrowed=lease.borrowed,
    )
