"""A lease cancelled before it starts, ended while it runs, or given another end."""

from comptoir.desk.credit import change_hold
from comptoir.desk.operations.breaking import bound_breaches
from comptoir.desk.operations.grounds import refuse_longer
from comptoir.desk.operations.quota import judge_quota
from comptoir.desk.operations.taking_back import begin_stop, drop_promise, fence
from comptoir.desk.requests import ExtendLease, LeaseRef
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import FINAL, Lease, LeaseState, Reason, request_of
from comptoir.units.errors import Conflict, Invalid, Refused
from comptoir.units.time import LATEST_MS, MS_PER_S, Window, check_instant, format_instant
from comptoir.units.values import replace

_NOT_STARTED = (LeaseState.WAITING, LeaseState.SCHEDULED, LeaseState.HELD)


def cancel_lease(tx: Transaction, request: LeaseRef) -> Lease:
    """Withdraw a lease that has not started; a second time changes nothing.

    Raises:
        Conflict: `lease_started` or `lease_over`.
    """
    lease = tx.lease(request.lease_id)
    if lease.state is LeaseState.CANCELLED:
        return lease
    _refuse_over(lease)
    if lease.state not in _NOT_STARTED:
        raise Conflict(
            "lease_started",
            f"{lease.id} is {lease.state}: its accelerators were handed over",
            f"end it: comptoir lease end {lease.id}",
        )
    return drop_promise(tx, lease, LeaseState.CANCELLED, Reason.ENDED_BY_HOLDER)


def end_lease(tx: Transaction, request: LeaseRef) -> Lease:
    """End a lease early: its jobs get their notice, then the accelerators are free.

    Raises:
        Conflict: `lease_not_started` or `lease_over`.
    """
    lease = tx.lease(request.lease_id)
    if lease.state is LeaseState.ENDED:
        return lease
    _refuse_over(lease)
    if lease.state in _NOT_STARTED:
        raise Conflict(
            "lease_not_started",
            f"{lease.id} is {lease.state}",
            f"cancel it: comptoir lease cancel {lease.id}",
        )
    if lease.state is LeaseState.RECLAIMING:
        return tx.book.leases.put(replace(lease, reason=Reason.ENDED_BY_HOLDER))
    return stop_for_good(tx, lease, Reason.ENDED_BY_HOLDER)


def stop_for_good(tx: Transaction, lease: Lease, reason: Reason) -> Lease:
    """Begin the end of an active lease; with nothing running, it is over at once."""
    stopping = begin_stop(tx, lease, reason, tx.now_ms + lease.notice_s * MS_PER_S)
    if not tx.book.live_attempts.count(lease.id):
        return fence(tx, stopping)
    return stopping


def extend_lease(tx: Transaction, request: ExtendLease) -> Lease:
    """Move the end of a lease.

    Raises:
        Conflict: `lease_over`, `lease_open_ended`, `being_taken_back`, or `lease_flexible`: it
            waits for its start, and has no end before it.
        Invalid: `end_in_the_past`.
        Refused: `not_free`: somebody else is promised the accelerators before that end,
            or the inbound lease ends first; `entitled_to_teams`; `beyond_limits`.
    """
    lease = tx.lease(request.lease_id)
    _refuse_over(lease)
    if lease.ends_at_ms is None:
        raise Conflict("lease_open_ended", f"{lease.id} has no end", "end it when you are done")
    if lease.state is LeaseState.RECLAIMING:
        raise Conflict("being_taken_back", f"{lease.id} is being taken back: {lease.reason}")
    if lease.flexible and lease.state is LeaseState.WAITING:
        raise Conflict(
            "lease_flexible",
            f"{lease.id} waits for a start and has no end yet",
            "cancel it and ask for another duration",
        )
    check_instant("ends_at", request.ends_at_ms)
    if not tx.now_ms < request.ends_at_ms <= LATEST_MS:
        raise Invalid(
            "end_in_the_past",
            f"{format_instant(min(request.ends_at_ms, LATEST_MS))} is not a later instant",
            "give a later end, or end the lease",
        )
    longer_lease = replace(lease, ends_at_ms=request.ends_at_ms)
    judge_quota(tx, longer_lease, tx.book.tenants[lease.tenant_id])
    refuse_longer(tx, lease, request.ends_at_ms)
    asked = request_of(longer_lease, tx.book.tenants[lease.tenant_id], tx.now_ms)
    for allocation in tx.book.allocations_of(lease.id):
        if allocation.fenced_at_ms is not None or allocation.lost:
            continue
        longer = Window(allocation.starts_at_ms, longer_lease.ends_at_ms)
        node = tx.book.nodes[allocation.node_id]
        if request.ends_at_ms <= lease.ends_at_ms:
            sooner = min(request.ends_at_ms, allocation.ends_at_ms or request.ends_at_ms)
            tx.book.allocations.put(replace(allocation, ends_at_ms=sooner))
            continue
        promised, _ = tx.book.snapshot.promise_end(node, asked, longer)
        in_the_way = tx.book.snapshot.in_the_way(allocation, longer, tx.now_ms)
        if in_the_way or not promised:
            raise Refused(
                "not_free",
                f"until {format_instant(request.ends_at_ms)} its accelerators are "
                + ("promised to somebody else" if in_the_way else "not supplied"),
                "choose an earlier end, or request another lease",
            )
        tx.book.allocations.put(replace(allocation, ends_at_ms=request.ends_at_ms))
    change_hold(tx, longer_lease)
    bound_breaches(tx, lease, request.ends_at_ms)
    tx.emit_lease("lease.extended", lease, ends_at_ms=request.ends_at_ms)
    extended = replace(lease, ends_at_ms=request.ends_at_ms)
    if lease.flexible:  # placed again, it lasts as long as it does now
        lasts_s = (request.ends_at_ms - lease.start_ms) // MS_PER_S
        extended = replace(extended, duration_s=max(lasts_s, 1))
    return tx.book.leases.put(extended)


def _refuse_over(lease: Lease) -> None:
    if lease.state in FINAL:
        raise Conflict("lease_over", f"{lease.id} is {lease.state}", "request a new lease")
