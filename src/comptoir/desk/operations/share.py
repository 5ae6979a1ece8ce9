"""The reservable share: what leases without an end must leave of each pool for windows.

Every plan of the desk is asked for here, so that the share is kept and the calendars are asked
first. Neighbours: `grounds.py` asks on what a lease may stand, `placing.py` what it commits.
"""

from collections.abc import Collection

from comptoir.desk.operations.recalling import recalls_left
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import Lease, LeaseRequest
from comptoir.placement.plan import Plan, plan_lease
from comptoir.placement.pools import PoolKey
from comptoir.units.errors import Refused


def plan_in_share(
    tx: Transaction,
    lease: Lease,
    request: LeaseRequest,
    eligible: Collection[PoolKey] | None = None,
) -> Plan | None:
    """Where a lease can stand within the share that it may take, or None: it has to wait.

    Args:
        tx: The transaction.
        lease: The lease.
        request: What it asks of placement now.
        eligible: The pools that it may use; None is all of its kind.

    Raises:
        Refused: `open_ended_cap`, and those of `placement.plan.refuse_impossible`.
    """
    with_room = pools_with_room(tx, lease)
    if with_room is not None:
        eligible = [key for key in with_room if eligible is None or key in eligible]
    return plan_lease(
        tx.book.snapshot,
        request,
        tx.now_ms,
        eligible=eligible,
        may_fit=lambda pool, asked: tx.book.calendars.may_fit(pool, asked, tx.now_ms),
        recalls_left=recalls_left(tx),
    )


def pools_with_room(tx: Transaction, lease: Lease) -> list[PoolKey] | None:
    """The pools that may take a lease without an end; None: all of its kind.

    The operator keeps a share of each pool for windows (`open_ended_percent`): what nobody
    may take back and nothing ends would fill the calendar to its horizon.

    Raises:
        Refused: `open_ended_cap`: more than the share of any pool.
    """
    percent = tx.book.setting("open_ended_percent")
    if percent >= 100 or lease.ends_at_ms is not None or lease.reclaimable:
        return None
    found, largest = [], 0
    for pool in tx.book.snapshot.pools_of(lease.kind):
        capacity = tx.book.calendars.of(pool, tx.now_ms).capacity
        most = capacity * percent // 100
        largest = max(largest, most)
        if tx.book.calendars.open_ended(pool, tx.now_ms) + lease.accelerators <= most:
            found.append(pool.key)
    if lease.accelerators > largest:
        raise Refused(
            "open_ended_cap",
            f"at most {percent} % of a pool may be held without an end: of {lease.kind} "
            f"{largest:,} accelerators, and you asked for {lease.accelerators:,}",
            f"give it an end, or ask for at most {largest:,}",
            {"kind": lease.kind, "largest": largest, "percent": percent},
        )
    return found
