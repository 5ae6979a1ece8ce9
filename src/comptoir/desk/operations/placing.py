"""Where a lease comes to stand: the first of its ways, the earliest start, who gives way.

Neighbours: `request_lease.py` and the turn's queue ask for a place, `holds.py` for one to
keep. `placement` plans; every plan is checked here before anything is written.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from comptoir.desk.operations.effort import Effort, weight_of
from comptoir.desk.operations.giving_back import give_back
from comptoir.desk.operations.grounds import marked, plan_on_ground
from comptoir.desk.operations.quota import judge_quota
from comptoir.desk.operations.recalling import recalls_left
from comptoir.desk.operations.taking_back import drop_promise
from comptoir.desk.operations.wishes import is_narrower
from comptoir.desk.transaction import Transaction
from comptoir.leases.allocation import Allocation
from comptoir.leases.eligible import eligible
from comptoir.leases.lease import Alternative, Lease, LeaseRequest, LeaseState, Reason, request_of
from comptoir.placement.check import check_plan
from comptoir.placement.plan import (
    Plan,
    PlannedAllocation,
    PlannedReclaim,
    refuse_impossible,
)
from comptoir.placement.starts import Search
from comptoir.units.errors import Refused
from comptoir.units.ids import AllocationId, LeaseId
from comptoir.units.recurrence import open_until
from comptoir.units.time import MS_PER_S, Window
from comptoir.units.values import quick, replace

FEW_TRIES = 2
"""How many starts are planned in the queue, where many wait."""


def place(
    tx: Transaction,
    lease: Lease,
    state: LeaseState = LeaseState.SCHEDULED,
    tries: int = FEW_TRIES,
    effort: Effort | None = None,
    ways: Sequence[Alternative] | None = None,
) -> Lease | None:
    """Promise a waiting lease its accelerators, in the first of its ways that has a place.

    Args:
        tx: The transaction.
        lease: A lease that waits.
        state: What it becomes: `scheduled`, or `held`.
        tries: How many later starts of a flexible lease are planned.
        effort: What all its ways together may spend, and what they did; None is a call's.
        ways: The first of its ways, if not all are to be tried.

    Raises:
        Refused: no way of it could ever be met; see `no_way`.
    """
    effort = effort or Effort()
    refused: list[tuple[Alternative, Refused]] = []
    for choice in lease.choices if ways is None else ways:
        chosen = chosen_way(lease, choice)
        try:
            if choice.kind != lease.kind or choice.accelerators > lease.accelerators:
                judge_quota(tx, chosen, tx.book.tenants[lease.tenant_id])
            found = _find(tx, chosen, state, tries, effort)
        except Refused as no:
            refused.append((choice, no))
            continue
        if found is not None and found.give_way:
            found = _without_holds(tx, chosen, found, state)
        if found is not None:
            return _commit(tx, chosen, found, state)
    if len(refused) == len(lease.choices):
        raise no_way(refused)
    return None


def no_way(refused: Sequence[tuple[Alternative, Refused]]) -> Refused:
    """The no to a request of which no way can be met: the first one's, and why not each other."""
    first = refused[0][1]
    if len(refused) == 1:
        return first
    said = [(f"{way.accelerators:,} x {way.kind}, one {way.shape}", no) for way, no in refused]
    ways = [
        {"kind": way.kind, "accelerators": way.accelerators, "shape": way.shape, "code": no.code,
         "message": no.message, "next": no.next}
        for way, no in refused
    ]  # fmt: skip
    return Refused(
        first.code,
        "; ".join(f"{what}: {no.message}" for what, no in said),
        first.next,
        {**first.facts, "ways": ways},
    )


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


def feasible_plans(tx: Transaction, lease: Lease, tries: int, effort: Effort) -> Iterator[Plan]:
    """Plans for a lease with a flexible start, the earliest first: a look, nothing is promised.

    There are no more of them once the effort is over.

    Raises:
        Refused: it could never be met.
    """
    for found in _starts(tx, lease, LeaseState.SCHEDULED, tries, effort):
        yield found.plan


def _find(
    tx: Transaction, lease: Lease, state: LeaseState, tries: int, effort: Effort
) -> _Found | None:
    """Where a lease could stand: from its start on, or from the first that will do for it."""
    if lease.flexible:
        return next(_starts(tx, lease, state, tries, effort), None)
    effort.spent += weight_of(tx, lease.kind)
    return _find_at(tx, lease, state, _asked(tx, lease, None))


def _asked(tx: Transaction, lease: Lease, latest_start_ms: int | None) -> LeaseRequest:
    """What a lease asks of placement now, if there is supply on which it may stand."""
    request = request_of(lease, tx.book.tenants[lease.tenant_id], tx.now_ms)
    if request.preferred_shape and not is_narrower(request.preferred_shape, request.shape):
        request = replace(request, preferred_shape=None)
    eligible(tx.book.inbound_by_kind.each(request.kind), request, latest_start_ms)
    return request


def _starts(
    tx: Transaction, lease: Lease, state: LeaseState, tries: int, effort: Effort
) -> Iterator[_Found]:
    """Where a lease with a flexible start could stand, from each that will do for it."""
    latest_start_ms = lease.latest_start_ms
    assert latest_start_ms is not None
    request = _asked(tx, lease, latest_start_ms)
    refuse_impossible(tx.book.snapshot, request)
    found: dict[int, _Found] = {}
    weight = weight_of(tx, lease.kind)

    def plan_at(asked: LeaseRequest) -> Plan | None:
        if effort.over:
            return None
        effort.spent += weight
        one = _find_at(tx, lease, state, asked)
        if one is None or not _fits_quota(tx, lease, one.plan):
            return None
        found[one.plan.starts_at_ms] = one
        return one.plan

    search = Search(tx.book.snapshot, tx.book.calendars, tx.now_ms, plan_at, lambda: effort.over)
    for start in search.starts(request, latest_start_ms, tries):
        yield found[start.at_ms]


def _fits_quota(tx: Transaction, lease: Lease, plan: Plan) -> bool:
    """Whether a start of a flexible lease leaves its tenant within its quota then."""
    start_ms = plan.starts_at_ms
    ends_ms = start_ms + (lease.duration_s or 0) * MS_PER_S
    promised = replace(lease, scheduled_start_ms=start_ms, ends_at_ms=ends_ms)
    try:
        judge_quota(tx, promised, tx.book.tenants[lease.tenant_id])
    except Refused:
        return False
    return True


def _find_at(
    tx: Transaction, lease: Lease, state: LeaseState, request: LeaseRequest
) -> _Found | None:
    """The plan; a soft hold gives way to a firm request rather than anybody who runs."""
    plan = _planned(tx, lease, state, request)
    soft: list[Lease] = []
    holds = tx.book.leases_by_state.count(LeaseState.HELD)
    if holds and not lease.reclaimable and not lease.is_soft_hold:
        wanted = Window(request.window.start_ms, None if lease.flexible else request.window.end_ms)
        soft = [held for held in soft_holds(tx, lease.kind) if held.window.overlaps(wanted)]
    if not soft or (plan is not None and not plan.reclaims):
        return None if plan is None else _Found(request, plan)
    with _let_go(tx, soft):
        better = _planned(tx, lease, state, request)
    if better is not None and (plan is None or len(better.reclaims) < len(plan.reclaims)):
        give_way = tuple(held for held in soft if _stands_in_the_way(tx, held, lease, better))
        return _Found(request, better, give_way)
    return None if plan is None else _Found(request, plan)


@contextmanager
def _let_go(tx: Transaction, held: Sequence[Lease]) -> Iterator[None]:
    """What is planned in here is planned as if some holds were let go; nothing is written."""
    mark = tx.book.journal.mark()
    with tx.book.snapshot.tried():
        for lease in held:
            for allocation in tx.book.allocations_of(lease.id):
                tx.book.allocations.put(replace(allocation, fenced_at_ms=tx.now_ms))
        try:
            yield
        finally:
            tx.book.journal.undo_to(mark)


def _planned(
    tx: Transaction, lease: Lease, state: LeaseState, request: LeaseRequest
) -> Plan | None:
    """The plan. Nobody is told to go for a hold that may yet be let go: only once it is over.

    Once it is confirmed it is a promise like any other, and may take back as any may.
    """
    plan = plan_on_ground(tx, lease, request)
    if plan is not None and not _ends_with_a_promise(tx, lease, plan):
        return None
    if plan is None or state is not LeaseState.HELD or lease.hold_until_ms is None:
        return plan
    told_ms = [
        reclaim.until_ms - tx.book.leases[reclaim.lease_id].notice_s * MS_PER_S
        for reclaim in plan.reclaims
    ]
    return plan if all(at_ms >= lease.hold_until_ms for at_ms in told_ms) else None


def _ends_with_a_promise(tx: Transaction, lease: Lease, plan: Plan) -> bool:
    """Whether a plan that fills a gap ends where somebody is really promised its place.

    What is only kept for somebody who waits is no promise: nobody has to go for it.
    """
    ends = {part.ends_at_ms for part in plan.allocations}
    if lease.ends_at_ms is not None or not plan.fills_gap or ends == {None}:
        return True
    return _promised_next(tx, lease, plan) is not None or _supply_ends(tx, plan)


def _supply_ends(tx: Transaction, plan: Plan) -> bool:
    """Whether the supply itself is what ends a plan."""
    for part in plan.allocations:
        node = tx.book.nodes[part.node_id]
        inbound = tx.book.inbound[node.inbound_lease_id]
        if part.ends_at_ms in (inbound.ends_at_ms, node.maintenance_from_ms):
            return True
        if inbound.selling_windows and part.ends_at_ms is not None:
            until_ms = open_until(inbound.selling_windows, plan.starts_at_ms, part.ends_at_ms + 1)
            if until_ms == part.ends_at_ms:
                return True
    return False


def soft_holds(tx: Transaction, kind: str) -> list[Lease]:
    """Holds of a kind that give way, in the order in which they were made."""
    held = tx.book.leases_by_state.each(LeaseState.HELD)
    return sorted(
        [lease for lease in held if lease.kind == kind and lease.is_soft_hold],
        key=lambda lease: (lease.requested_at_ms, lease.id),
    )


def _stands_in_the_way(tx: Transaction, held: Lease, lease: Lease, plan: Plan) -> bool:
    """Whether a held lease stands on a node of a plan, where and when the plan would."""
    parts = {part.node_id: part for part in plan.allocations}
    for allocation in tx.book.allocations_of(held.id):
        part = parts.get(allocation.node_id)
        if part is None:
            continue
        planned = _as_allocation(tx, lease, plan, part)
        if allocation in tx.book.snapshot.in_the_way(planned, planned.window, tx.now_ms):
            return True
    return False


def _without_holds(
    tx: Transaction, lease: Lease, found: _Found, state: LeaseState
) -> _Found | None:
    """Let the holds go that stand where a plan would, and plan again.

    Whoever was to give way to them stays longer now. None: it stays where the lease would be;
    then the holds stay, too.
    """
    book = tx.book
    mark, counter, seqs = book.journal.mark(), book.counter, dict(book.last_seq)
    version = book.snapshot.version
    for held in found.give_way:
        drop_promise(tx, held, LeaseState.CANCELLED, Reason.HOLD_GAVE_WAY)
    plan = _planned(tx, lease, state, found.request)
    if plan is not None:
        return _Found(found.request, plan)
    book.journal.undo_to(mark)
    book.counter, book.last_seq = counter, seqs
    book.snapshot.version = version
    return None


def _commit(tx: Transaction, lease: Lease, found: _Found, state: LeaseState) -> Lease:
    plan = found.plan
    lease = marked(tx, lease, plan)
    request = replace(found.request, borrowed=lease.borrowed)
    check_plan(tx.book.snapshot, request, plan, tx.now_ms, recalls_left(tx))
    for reclaim in plan.reclaims:
        _announce_reclaim(tx, lease.id, reclaim)
    next_one = _promised_next(tx, lease, plan)
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
            reclaimed_for=next_one,
        )
    )
    for part in plan.allocations:  # after the lease: what hears of them looks at it
        tx.book.allocations.put(_as_allocation(tx, promised, plan, part, tx.new_id("al")))
    for reclaim in give_back(tx, promised):
        _announce_reclaim(tx, promised.id, reclaim)
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
    if next_one is not None:
        _announce_gap(tx, promised)
    return promised


def _promised_next(tx: Transaction, lease: Lease, plan: Plan) -> LeaseId | None:
    """Who is promised the accelerators of a plan next, if that is what ends it."""
    if lease.ends_at_ms is not None or not plan.fills_gap:
        return None
    found: list[tuple[int, LeaseId]] = []
    for part in plan.allocations:
        if part.ends_at_ms is None:
            continue
        then = Window(part.ends_at_ms, part.ends_at_ms + 1)
        planned = _as_allocation(tx, lease, plan, part)
        found += [
            (other.starts_at_ms, other.lease_id)
            for other in tx.book.snapshot.in_the_way(planned, then, tx.now_ms)
            if other.id in tx.book.allocations and other.starts_at_ms == part.ends_at_ms
        ]
    return min(found)[1] if found else None


def _as_allocation(
    tx: Transaction, lease: Lease, plan: Plan, part: PlannedAllocation, id: str = ""
) -> Allocation:
    """A part of a plan, as it will stand in the book."""
    return Allocation(
        AllocationId(id),
        lease.id,
        lease.tenant_id,
        part.node_id,
        tx.book.nodes[part.node_id].inbound_lease_id,
        part.accelerators,
        plan.starts_at_ms,
        part.ends_at_ms,
    )


def _announce_gap(tx: Transaction, lease: Lease) -> None:
    """Tell who fills a gap, from the beginning, until when it may stay."""
    ends = [a.ends_at_ms for a in tx.book.allocations_of(lease.id) if a.fenced_at_ms is None]
    tx.emit_lease(
        "lease.reclaim_planned",
        lease,
        until_ms=min(end for end in ends if end is not None),
        notice_s=lease.notice_s,
        reclaimed_for=lease.reclaimed_for,
        cost_accelerator_ms=0,
        why="its place is promised to somebody from then on",
    )


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
