"""A lease cancelled before it starts, ended while it runs, or given another end."""

from comptoir.desk.credit import change_hold
from comptoir.desk.operations.breaking import bound_breaches
from comptoir.desk.operations.grounds import refuse_longer
from comptoir.desk.operations.queueing import first_ahead, shadow_for
from comptoir.desk.operations.quota import judge_quota
from comptoir.desk.operations.taking_back import begin_stop, drop_promise, fence, give_up
from comptoir.desk.requests import ExtendLease, LeaseRef
from comptoir.desk.transaction import Transaction
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import NOT_STARTED, Lease, LeaseState, Reason, refuse_over, request_of
from comptoir.placement.queue import Shadow
from comptoir.units.errors import Conflict, Invalid, Refused
from comptoir.units.time import LATEST_MS, MS_PER_S, Window, check_instant, format_instant
from comptoir.units.values import replace


def cancel_lease(tx: Transaction, request: LeaseRef) -> Lease:
    """Withdraw a lease that has not started; a second time changes nothing.

    Raises:
        Conflict: `lease_started` or `lease_over`.
    """
    lease = tx.lease(request.lease_id)
    if lease.state is LeaseState.CANCELLED:
        return lease
    refuse_over(lease)
    if lease.state not in NOT_STARTED:
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
    refuse_over(lease)
    if lease.state in NOT_STARTED:
        raise Conflict(
            "lease_not_started",
            f"{lease.id} is {lease.state}",
            f"cancel it: comptoir lease cancel {lease.id}",
        )
    if lease.state is LeaseState.RECLAIMING:
        return give_up(tx, lease, Reason.ENDED_BY_HOLDER)
    return stop_for_good(tx, lease, Reason.ENDED_BY_HOLDER)


def stop_for_good(tx: Transaction, lease: Lease, reason: Reason) -> Lease:
    """Begin the end of an active lease; with nothing running, it is over at once."""
    stopping = begin_stop(tx, lease, reason, tx.now_ms + lease.notice_s * MS_PER_S)
    if not tx.book.live_attempts.count(lease.id):
        return fence(tx, stopping)
    return stopping


def extend_lease(tx: Transaction, request: ExtendLease) -> Lease:
    """Move the end of a lease. A later one is asked for behind all who wait for the same by now.

    Raises:
        Conflict: `lease_over`, `lease_open_ended`, `being_taken_back`, or `lease_flexible`: it
            waits for its start, and has no end before it.
        Invalid: `end_in_the_past` or `end_before_start`.
        Refused: `not_free`: somebody else is promised the accelerators before that end,
            or the inbound lease ends first; `kept_for_who_waits`; `entitled_to_teams`;
            `beyond_limits`.
    """
    lease, ends_at_ms = tx.lease(request.lease_id), request.ends_at_ms
    _refuse_state(lease)
    _refuse_end(tx, lease, ends_at_ms)
    longer = replace(lease, ends_at_ms=ends_at_ms)
    judge_quota(tx, longer, tx.book.tenants[lease.tenant_id])
    refuse_longer(tx, lease, ends_at_ms)
    first = None
    if lease.ends_at_ms is not None and ends_at_ms > lease.ends_at_ms:
        first = first_ahead(tx, _asked_now(tx, lease))
    for allocation in tx.book.allocations_of(lease.id):
        if allocation.fenced_at_ms is None and not allocation.lost:
            _move_end(tx, lease, longer, allocation)
    if first is not None:
        _refuse_delay(tx, lease, *first)
    change_hold(tx, longer)
    bound_breaches(tx, lease, ends_at_ms)
    tx.emit_lease("lease.extended", lease, ends_at_ms=ends_at_ms)
    if lease.flexible:  # placed again, it lasts as long as it does now
        lasts_s = (ends_at_ms - lease.start_ms) // MS_PER_S
        longer = replace(longer, duration_s=max(lasts_s, 1))
    return tx.book.leases.put(longer)


def _refuse_state(lease: Lease) -> None:
    refuse_over(lease)
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


def _refuse_end(tx: Transaction, lease: Lease, ends_at_ms: int) -> None:
    check_instant("ends_at", ends_at_ms)
    if not tx.now_ms < ends_at_ms <= LATEST_MS:
        raise Invalid(
            "end_in_the_past",
            f"{format_instant(min(ends_at_ms, LATEST_MS))} is not a later instant",
            "give a later end, or end the lease",
        )
    if ends_at_ms <= lease.start_ms:
        raise Invalid(
            "end_before_start",
            f"{lease.id} starts at {format_instant(lease.start_ms)}, not before "
            f"{format_instant(ends_at_ms)}",
            "give a later end, or cancel the lease",
        )


def _move_end(tx: Transaction, lease: Lease, longer: Lease, allocation: Allocation) -> None:
    """Move the end of one part; a later end has to be free and supplied."""
    ends_at_ms = longer.ends_at_ms
    assert ends_at_ms is not None and lease.ends_at_ms is not None
    if ends_at_ms <= lease.ends_at_ms:
        sooner = min(ends_at_ms, allocation.ends_at_ms or ends_at_ms)
        tx.book.allocations.put(replace(allocation, ends_at_ms=sooner))
        return
    window = Window(allocation.starts_at_ms, ends_at_ms)
    asked = request_of(longer, tx.book.tenants[lease.tenant_id], tx.now_ms)
    promised, _ = tx.book.snapshot.promise_end(tx.book.nodes[allocation.node_id], asked, window)
    in_the_way = tx.book.snapshot.in_the_way(allocation, window, tx.now_ms)
    if in_the_way or not promised:
        raise Refused(
            "not_free",
            f"until {format_instant(ends_at_ms)} its accelerators are "
            + ("promised to somebody else" if in_the_way else "not supplied"),
            "choose an earlier end, or request another lease",
        )
    tx.book.allocations.put(replace(allocation, ends_at_ms=ends_at_ms))


def _asked_now(tx: Transaction, lease: Lease) -> Lease:
    """What more time asks for: it is younger than all who wait, and of the same claim."""
    return replace(lease, requested_at_ms=tx.now_ms + 1)


def _refuse_delay(tx: Transaction, lease: Lease, waits: Lease, before: Shadow) -> None:
    """Refuse an end, already written, by which the first that waits would start later."""
    if before.starts_at_ms is None:
        return
    after = shadow_for(tx, waits)
    start_ms = None if after is None else after.starts_at_ms
    if start_ms is not None and start_ms <= before.starts_at_ms:
        return
    until = format_instant(max(before.starts_at_ms, lease.ends_at_ms or 0))
    raise Refused(
        "kept_for_who_waits",
        f"{waits.id} waits for {waits.accelerators:,} x {waits.kind} and can start at "
        f"{format_instant(before.starts_at_ms)}, and with that end it would start later",
        f"extend it up to {until} at most, or request another lease",
        {"waits": waits.id, "until": until},
    )
