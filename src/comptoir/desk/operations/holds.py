"""Holds: a window kept for a while, until its holder says yes or lets it go.

A hold is a lease in the state `held` with its pinned promise. A firm one blocks others as any
promise does; a soft one gives way to a firm request (`placing.py`), and its holder is told.
No hold makes anybody who runs give way before its own time is over, and none takes what is kept
for who waits ahead of it (`ahead.py`). Expiry cancels it in the turn.
"""

from comptoir.desk.credit import take_hold
from comptoir.desk.operations.ahead import Ahead, behind_those_ahead, no_place
from comptoir.desk.operations.looking import Look
from comptoir.desk.operations.placing import place
from comptoir.desk.operations.request_lease import judge_request
from comptoir.desk.operations.taking_back import drop_promise
from comptoir.desk.requests import Hold, LeaseRef
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import Lease, LeaseState, Reason
from comptoir.placement.starts import MOST_TRIES
from comptoir.units.errors import Conflict, Invalid, Refused
from comptoir.units.text import check_count
from comptoir.units.time import MS_PER_S, format_instant
from comptoir.units.values import replace

MOST_HOLD_S = {True: 86_400, False: 7 * 86_400}
"""The longest hold: a firm one keeps others away, so a day; a soft one a week."""
MOST_HOLDS_A_TENANT = 16


def hold_capacity(tx: Transaction, request: Hold) -> Lease:
    """Keep accelerators for a window until the holder says yes, or the time is over.

    Raises:
        Invalid: as `request_lease`, or `hold_without_end`.
        Refused: as `request_lease`, `too_many_holds`, or `hold_not_free`: not to be had in
            that window, with how many wait first, and when it could be.
    """
    seconds = check_count("hold_s", request.hold_s, 1, MOST_HOLD_S[request.firm])
    lease = judge_request(tx, request.wanted)
    if lease.ends_at_ms is None and lease.start_ms > tx.now_ms:
        raise Invalid(
            "hold_without_end",
            "a window in the future is held from its start to its end, and this one has no end",
            "give a duration or an end",
        )
    _refuse_too_many(tx, lease)
    lease = replace(lease, hold_until_ms=tx.now_ms + seconds * MS_PER_S, hold_firm=request.firm)
    take_hold(tx, lease)
    tx.book.leases.put(lease)
    tx.emit_lease("lease.requested", lease, shape=lease.shape)
    with behind_those_ahead(tx, lease) as ahead:
        held = place(tx, lease, LeaseState.HELD, MOST_TRIES)
        if held is None:
            raise _not_free(tx, lease, ahead)
    return held


def confirm_hold(tx: Transaction, request: LeaseRef) -> Lease:
    """Say yes: the held window is the holder's. A second time changes nothing.

    Raises:
        Conflict: `not_held`: it is not, or its time or its window is over.
    """
    lease = tx.lease(request.lease_id)
    if lease.state is LeaseState.SCHEDULED and lease.hold_until_ms is not None:
        return lease
    _refuse_not_held(lease)
    if lease.hold_over_ms <= tx.now_ms:  # the next turn lets it go
        raise Conflict(
            "not_held",
            f"{lease.id} was held until {format_instant(lease.hold_over_ms)}",
            "hold it again: comptoir offers",
        )
    confirmed = tx.book.leases.put(lease.moved(LeaseState.SCHEDULED, tx.now_ms, hold_firm=True))
    tx.emit_lease(
        "lease.scheduled",
        confirmed,
        starts_at_ms=confirmed.scheduled_start_ms,
        ends_at_ms=confirmed.ends_at_ms,
        nodes=[a.node_id for a in tx.book.allocations_of(lease.id) if a.fenced_at_ms is None],
        why="the hold was confirmed",
        lent=confirmed.lent,
        borrowed=confirmed.borrowed,
    )
    return confirmed


def release_hold(tx: Transaction, request: LeaseRef) -> Lease:
    """Let a hold go before its time. A second time changes nothing.

    Raises:
        Conflict: `not_held`.
    """
    lease = tx.lease(request.lease_id)
    if lease.state is LeaseState.CANCELLED and lease.hold_until_ms is not None:
        return lease
    _refuse_not_held(lease)
    return drop_promise(tx, lease, LeaseState.CANCELLED, Reason.HOLD_RELEASED)


def expire_holds(look: Look) -> None:
    """Holds whose time is over, or whose window is."""
    tx, done = look.tx, 0
    for lease in look.leases(LeaseState.HELD):
        if lease.hold_over_ms > tx.now_ms:
            continue
        if done >= look.request.most:
            look.leave(lease)
            continue
        done += 1
        drop_promise(tx, lease, LeaseState.CANCELLED, Reason.HOLD_EXPIRED)


def _not_free(tx: Transaction, lease: Lease, ahead: Ahead) -> Refused:
    said, facts = no_place(tx, lease, ahead)
    return Refused(
        "hold_not_free",
        f"{lease.accelerators:,} x {lease.kind} in one {lease.shape} are not free from "
        f"{format_instant(lease.start_ms)} on{said}",
        "look again: comptoir offers",
        {"kind": lease.kind, "accelerators": lease.accelerators, **facts},
    )


def _refuse_not_held(lease: Lease) -> None:
    if lease.state is not LeaseState.HELD:
        why = f": {lease.reason.replace('_', ' ')}" if lease.reason else ""
        raise Conflict(
            "not_held",
            f"{lease.id} is {lease.state}{why}",
            "hold it again: comptoir offers",
        )


def _refuse_too_many(tx: Transaction, lease: Lease) -> None:
    held = sum(
        1
        for other in tx.book.leases_by_state.get(LeaseState.HELD)
        if other.tenant_id == lease.tenant_id
    )
    if held >= MOST_HOLDS_A_TENANT:
        raise Refused(
            "too_many_holds",
            f"this tenant holds {held} windows already, the most there may be",
            "confirm or release one",
            {"holds": held},
        )
