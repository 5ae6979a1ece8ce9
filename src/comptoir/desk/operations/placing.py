"""Where a lease comes to stand: the first of its ways, the earliest start, who gives way.

Neighbours: `request_lease.py` and the turn's queue ask for a place, `holds.py` for one to
keep. `placement` plans; every plan is checked here before anything is written.
"""

from dataclasses import dataclass

from comptoir.desk.operations.grounds import marked, plan_on_ground
from comptoir.desk.operations.quota import judge_quota
from comptoir.desk.operations.taking_back import drop_promise
from comptoir.desk.operations.wishes import is_narrower
from comptoir.desk.transaction import Transaction
from comptoir.leases.allocation import Allocation
from comptoir.leases.eligible import eligible
from comptoir.leases.lease import Alternative, Lease, LeaseRequest, LeaseState, Reason, request_of
from comptoir.placement.check import check_plan
from comptoir.placement.plan import Plan, PlannedReclaim
from comptoir.units.errors import Refused
from comptoir.units.ids import AllocationId, LeaseId
from comptoir.units.time import MS_PER_S, Window
from comptoir.units.values import quick, replace


def place(tx: Transaction, lease: Lease, state: LeaseState = LeaseState.SCHEDULED) -> Lease | None:
    """Promise a waiting lease its accelerators, in the first of its ways that has a place.

    Raises:
        Refused: no way of it could ever be met; the first one's no.
    """
    no: Refused | None = None
    possible = False
    for choice in lease.choices:
        chosen = chosen_way(lease, choice)
        try:
            if choice.kind != lease.kind or choice.accelerators > lease.accelerators:
                judge_quota(tx, chosen, tx.book.tenants[lease.tenant_id])
            found = _find(tx, chosen)
        except Refused as refused:
            no = no or refused
            continue
        possible = True
        if found is not None:
            return _commit(tx, chosen, found, state)
    if no is not None and not possible:
        raise no
    return None


def chosen_way(lease: Lease, choice: Alternative) -> Lease:
    """A lease as it is if it is met in one of its ways."""
    if (choice.kind, choice.accelerators, choice.shape) == (
        lease.kind,
        lease.accelerators,
        lease.shape,
    ):
        return lease
    return replace(lease, kind=choice.kind, accelerators=choice.accelerators, shape=choice.shape)


@quick
@dataclass(frozen=True, slots=True)
class _Found:
    """A plan, the question it answers, and the soft holds that stand where it would."""

    request: LeaseRequest
    plan: Plan
    give_way: tuple[Lease, ...] = ()


def _find(tx: Transaction, lease: Lease) -> _Found | None:
    request = request_of(lease, tx.book.tenants[lease.tenant_id], tx.now_ms)
    if not is_narrower(request.preferred_shape, request.shape):
        request = replace(request, preferred_shape=None)
    latest_start_ms = lease.latest_start_ms if lease.flexible else None
    eligible(tx.book.inbound_by_kind.get(request.kind), request, latest_start_ms)
    found = _find_at(tx, lease, request)
    if found is None or not lease.flexible or found.plan.starts_at_ms == request.window.start_ms:
        return found
    # Reclaiming takes a notice: the whole duration begins after it.
    start_ms = found.plan.starts_at_ms
    if start_ms > (lease.latest_start_ms or 0):
        return None
    window = Window(start_ms, start_ms + (lease.duration_s or 0) * MS_PER_S)
    return _find_at(tx, lease, replace(request, window=window))


def _find_at(tx: Transaction, lease: Lease, request: LeaseRequest) -> _Found | None:
    """The plan; a soft hold gives way to a firm request rather than anybody who runs.

    Whether it would help is tried with the holds taken away, and undone.
    """
    plan = _planned(tx, lease, request)
    soft = [] if lease.reclaimable or _is_soft(lease) else soft_holds(tx, lease.kind)
    if not soft or (plan is not None and not plan.reclaims):
        return None if plan is None else _Found(request, plan)
    mark = tx.book.journal.mark()
    for held in soft:
        for allocation in tx.book.allocations_of(held.id):
            tx.book.allocations.put(replace(allocation, fenced_at_ms=tx.now_ms))
    better = _planned(tx, lease, request)
    tx.book.journal.undo_to(mark)
    if better is not None and (plan is None or len(better.reclaims) < len(plan.reclaims)):
        give_way = tuple(held for held in soft if _stands_in_the_way(tx, held, lease, better))
        return _Found(request, better, give_way)
    return None if plan is None else _Found(request, plan)


def _planned(tx: Transaction, lease: Lease, request: LeaseRequest) -> Plan | None:
    """The plan. Nobody is told to go for a hold that may yet be let go: only once it is over."""
    plan = plan_on_ground(tx, lease, request)
    if plan is None or lease.hold_until_ms is None:
        return plan
    told_ms = [
        reclaim.until_ms - tx.book.leases[reclaim.lease_id].notice_s * MS_PER_S
        for reclaim in plan.reclaims
    ]
    return plan if all(at_ms >= lease.hold_until_ms for at_ms in told_ms) else None


def soft_holds(tx: Transaction, kind: str) -> list[Lease]:
    """Holds of a kind that give way, in the order in which they were made."""
    held = tx.book.leases_by_state.get(LeaseState.HELD)
    return sorted(
        (lease for lease in held if lease.kind == kind and not lease.hold_firm),
        key=lambda lease: (lease.requested_at_ms, lease.id),
    )


def _is_soft(lease: Lease) -> bool:
    return lease.hold_until_ms is not None and not lease.hold_firm


def _stands_in_the_way(tx: Transaction, held: Lease, lease: Lease, plan: Plan) -> bool:
    """Whether a held lease stands on a node of a plan, where and when the plan would."""
    parts = {part.node_id: part for part in plan.allocations}
    for allocation in tx.book.allocations_of(held.id):
        part = parts.get(allocation.node_id)
        if part is None:
            continue
        planned = Allocation(
            AllocationId(""), lease.id, lease.tenant_id, part.node_id,
            allocation.inbound_lease_id, part.accelerators, plan.starts_at_ms, part.ends_at_ms,
        )  # fmt: skip
        if allocation in tx.book.snapshot.in_the_way(planned, planned.window, tx.now_ms):
            return True
    return False


def _commit(tx: Transaction, lease: Lease, found: _Found, state: LeaseState) -> Lease:
    plan = found.plan
    for held in found.give_way:
        drop_promise(tx, held, LeaseState.CANCELLED, Reason.HOLD_GAVE_WAY)
    lease = marked(tx, lease, plan)
    request = replace(found.request, borrowed=lease.borrowed)
    check_plan(tx.book.snapshot, request, plan, tx.now_ms)
    for reclaim in plan.reclaims:
        _announce_reclaim(tx, lease.id, reclaim)
    for part in plan.allocations:
        tx.book.allocations.put(
            Allocation(
                AllocationId(tx.new_id("al")),
                lease.id,
                lease.tenant_id,
                part.node_id,
                tx.book.nodes[part.node_id].inbound_lease_id,
                part.accelerators,
                plan.starts_at_ms,
                part.ends_at_ms,
            )
        )
    ends_ms = lease.ends_at_ms
    if lease.flexible:
        ends_ms = plan.starts_at_ms + (lease.duration_s or 0) * MS_PER_S
    promised = tx.book.leases.put(
        lease.moved(
            state,
            tx.now_ms,
            scheduled_start_ms=plan.starts_at_ms,
            ends_at_ms=ends_ms,
            reason=Reason.NONE,
            reclaimed_for=None,
        )
    )
    tx.emit_lease(
        f"lease.{state}",
        promised,
        starts_at_ms=plan.starts_at_ms,
        ends_at_ms=ends_ms,
        nodes=[part.node_id for part in plan.allocations],
        why=plan.why,
        lent=promised.lent,
        borrowed=promised.borrowed,
        **_held_until(promised),
    )
    return promised


def _held_until(lease: Lease) -> dict[str, object]:
    if lease.state is not LeaseState.HELD:
        return {}
    return {"hold_until_ms": lease.hold_until_ms, "hold_firm": lease.hold_firm}


def _announce_reclaim(tx: Transaction, claimant: LeaseId, reclaim: PlannedReclaim) -> None:
    victim = tx.book.leases[reclaim.lease_id]
    tx.book.leases.put(replace(victim, reclaimed_for=claimant))
    for allocation in tx.book.allocations_of(victim.id):
        if allocation.fenced_at_ms is None:
            end = min(reclaim.until_ms, allocation.ends_at_ms or reclaim.until_ms)
            tx.book.allocations.put(replace(allocation, ends_at_ms=end))
    tx.emit_lease(
        "lease.reclaim_planned",
        victim,
        until_ms=reclaim.until_ms,
        notice_s=victim.notice_s,
        reclaimed_for=claimant,
        cost_accelerator_ms=reclaim.cost_accelerator_ms,
        why=reclaim.why,
    )
