"""Open-ended work is held for anew as it runs; where that fails it gets its notice, then ends.

What is held when the notice begins pays for the notice: so no work is ended without notice, and
none runs on credit that is not there. Neighbour: `desk/credit.py` takes the holds.
"""

from comptoir.desk.credit import renew_hold
from comptoir.desk.metered import meter_allocation
from comptoir.desk.operations.looking import Look, billable_ms
from comptoir.desk.operations.taking_back import begin_stop, drop_promise
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import Lease, LeaseState, Reason
from comptoir.units.errors import Refused
from comptoir.units.time import MS_PER_S


def renew_holds(look: Look) -> None:
    """Work whose notice is all that is held: hold another stretch, or announce its end."""
    tx, done = look.tx, 0
    holds = tx.book.credit.holds
    if not len(holds):
        return
    for lease in look.leases(LeaseState.ACTIVE):
        due_ms = renewal_due_ms(tx, lease)
        if due_ms is None or due_ms > tx.now_ms:
            continue
        if done >= look.request.most:
            look.leave(lease)
            continue
        done += 1
        for allocation in tx.book.allocations_of(lease.id):
            if allocation.delivered:
                meter_allocation(tx, lease, allocation, billable_ms(tx, allocation, tx.now_ms))
        refused = renew_hold(tx, lease)
        if refused is not None:
            notice_ms = lease.notice_s * MS_PER_S
            until_ms = holds[lease.id].until_ms or tx.now_ms
            begin_stop(tx, lease, _reason(refused), max(until_ms, tx.now_ms + notice_ms))


def renewal_due_ms(tx: Transaction, lease: Lease) -> int | None:
    """When a lease is held for anew: as its notice is all that is left; None: never."""
    hold = tx.book.credit.holds.get(lease.id)
    if hold is None or hold.until_ms is None:
        return None
    return hold.until_ms - lease.notice_s * MS_PER_S


def may_start(tx: Transaction, lease: Lease) -> bool:
    """Hold for what is about to be handed over; what cannot be held for is not begun."""
    if not len(tx.book.credit.holds):
        return True
    refused = renew_hold(tx, lease)
    if refused is None:
        return True
    drop_promise(tx, lease, LeaseState.CANCELLED, _reason(refused))
    return False


def _reason(refused: Refused) -> Reason:
    return Reason(refused.code)
