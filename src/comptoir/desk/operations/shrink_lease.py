"""Accelerators given back early: whole nodes, or some of one. What is left runs on."""

from comptoir.desk.credit import change_hold
from comptoir.desk.metered import meter_allocation
from comptoir.desk.operations.gating import gate_between_tenants
from comptoir.desk.operations.taking_back import spare_victims
from comptoir.desk.requests import ShrinkLease
from comptoir.desk.transaction import Transaction
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import Lease, LeaseState, refuse_over
from comptoir.units.errors import Conflict, Invalid
from comptoir.units.ids import AllocationId, NodeId
from comptoir.units.text import check_count
from comptoir.units.values import replace


def shrink_lease(tx: Transaction, request: ShrinkLease) -> Lease:
    """Give back accelerators of a lease that is promised or active.

    Parts on which nothing runs go first, the smallest before the others, so that what is
    left stands on few nodes. What is given back is metered up to now and free at once.

    Raises:
        Invalid: `shrink_to_what` or `out_of_range`.
        Conflict: `lease_over`, `being_taken_back`, `lease_not_promised`, `accelerators_lost`,
            `not_on_this_node`, `nothing_left`, or `attempt_running`: an attempt sits on what
            would be given back.
    """
    lease = tx.lease(request.lease_id)
    if (request.accelerators is None) == (not request.node_ids):
        raise Invalid(
            "shrink_to_what",
            "say how many accelerators to keep, or which nodes to give back: one of the two",
            "for example --accelerators 8",
        )
    _refuse_state(tx, lease)
    parts = [a for a in tx.book.allocations_of(lease.id) if a.fenced_at_ms is None and not a.lost]
    if any(part.ends_at_ms is not None and part.ends_at_ms <= tx.now_ms for part in parts):
        raise Conflict(
            "being_taken_back", f"the time of {lease.id} is over", "nothing is left to do"
        )
    given = (
        _named(lease, parts, request) if request.node_ids else _chosen(tx, lease, parts, request)
    )
    _refuse_running(tx, lease, [part for part, _ in given])
    for part, count in given:
        _give_back(tx, lease, part, count)
    left = lease.accelerators - sum(count for _, count in given)
    tx.emit_lease(
        "lease.shrunk",
        lease,
        accelerators_left=left,
        nodes=list(dict.fromkeys(part.node_id for part, _ in given)),
    )
    shrunk = tx.book.leases.put(replace(lease, accelerators=left, alternatives=()))
    change_hold(tx, shrunk)
    spare_victims(tx, shrunk)
    return shrunk


def _refuse_state(tx: Transaction, lease: Lease) -> None:
    refuse_over(lease)
    if lease.state not in (LeaseState.SCHEDULED, LeaseState.ACTIVE):
        raise Conflict(
            "lease_not_promised",
            f"{lease.id} is {lease.state}: there is nothing that it could give back",
            "cancel it and ask for fewer",
        )
    broken = sum(breach.accelerators for breach in tx.book.open_breaches.get(lease.id))
    if lease.lost or broken:
        raise Conflict(
            "accelerators_lost",
            f"{max(sum(lease.lost), broken):,} accelerators of {lease.id} are lost and not "
            "replaced yet",
            "wait until they are, or end it",
        )


def _named(
    lease: Lease, parts: list[Allocation], request: ShrinkLease
) -> list[tuple[Allocation, int]]:
    by_node: dict[NodeId, list[Allocation]] = {}
    for part in parts:
        by_node.setdefault(part.node_id, []).append(part)
    wrong = [node_id for node_id in request.node_ids if node_id not in by_node]
    if wrong:
        raise Conflict(
            "not_on_this_node",
            f"{lease.id} holds nothing on {', '.join(wrong[:5])}",
            f"see what it holds: comptoir lease show {lease.id}",
        )
    chosen = [part for node_id in dict.fromkeys(request.node_ids) for part in by_node[node_id]]
    given = [(part, len(part.accelerators)) for part in chosen]
    if len(given) == len(parts):
        raise Conflict(
            "nothing_left",
            f"{lease.id} holds nothing but that",
            f"end it instead: comptoir lease end {lease.id}",
        )
    return given


def _chosen(
    tx: Transaction, lease: Lease, parts: list[Allocation], request: ShrinkLease
) -> list[tuple[Allocation, int]]:
    """What to give back, from parts on which nothing runs as long as there are any."""
    most = max(lease.accelerators - 1, 1)
    keep = check_count("accelerators", request.accelerators or 0, 1, most)
    give = lease.accelerators - keep
    busy = {attempt.allocation_id for attempt in tx.book.live_attempts.get(lease.id)}
    ordered = sorted(parts, key=lambda a: (a.id in busy, len(a.accelerators), a.node_id))
    given: list[tuple[Allocation, int]] = []
    for part in ordered:
        count = min(give, len(part.accelerators))
        if count:
            given.append((part, count))
            give -= count
    return given


def _refuse_running(tx: Transaction, lease: Lease, parts: list[Allocation]) -> None:
    touched = {part.id: part for part in parts}
    for attempt in tx.book.live_attempts.get(lease.id):
        part = touched.get(attempt.allocation_id)
        if part is not None:
            raise Conflict(
                "attempt_running",
                f"attempt {attempt.number} of {attempt.job_id} runs on the "
                f"{len(part.accelerators):,} accelerators of {part.node_id}",
                f"cancel it first: comptoir job cancel {attempt.job_id}",
                {"job": attempt.job_id, "node": part.node_id},
            )


def _give_back(tx: Transaction, lease: Lease, part: Allocation, count: int) -> None:
    """End a part; if some of it stays, that is a new part from now on.

    What stays on approval was a new part all along: none of it is billed before it is accepted.
    """
    kept = part.accelerators[: len(part.accelerators) - count]
    if part.delivered_from_ms is None:
        if kept:
            tx.book.allocations.put(replace(part, accelerators=kept))
        else:
            tx.book.allocations.put(replace(part, fenced_at_ms=tx.now_ms))
        return
    on_approval = part.on_approval(tx.now_ms)
    given = replace(part, accelerators=part.accelerators[len(kept) :]) if on_approval else part
    until = max(part.billable_until(tx.now_ms), part.delivered_from_ms)
    ended = replace(given, delivered_until_ms=until, fenced_at_ms=tx.now_ms)
    meter_allocation(tx, lease, tx.book.allocations.put(ended), until)
    if kept:
        stays = replace(part, id=AllocationId(tx.new_id("al")), accelerators=kept)
        if not on_approval:
            now = tx.now_ms
            stays = replace(stays, starts_at_ms=now, delivered_from_ms=now, metered_until_ms=None)
        tx.book.allocations.put(stays)
    gate_between_tenants(tx, part.node_id, lease.tenant_id)
