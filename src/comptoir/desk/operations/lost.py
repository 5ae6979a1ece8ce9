"""One allocation lost: undelivered from an instant on, its jobs told, the guarantee broken.

It stays on its accelerators until it is fenced: `losing.py` says when that is.
"""

from comptoir.desk.metered import meter_allocation
from comptoir.desk.operations.breaking import break_delivery
from comptoir.desk.transaction import Transaction
from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import BreachCause
from comptoir.leases.jobs import Attempt
from comptoir.leases.lease import Lease, LeaseState
from comptoir.units.values import replace


def lose_allocation(
    tx: Transaction,
    allocation: Allocation,
    node: Node,
    cause: BreachCause,
    failed_at: int,
    kill_at: int | None = None,
    *,
    breaks: bool = True,
) -> Allocation:
    """What was handed over is undelivered since `failed_at`, or since it was last billed.

    Its jobs are told at once, and ended at `kill_at` (None: at once too). `breaks` False: another
    node takes its place in the same instant, and no guarantee is broken.
    """
    lease = tx.book.leases[allocation.lease_id]
    lost = undeliver(tx, lease, allocation, failed_at, tx.now_ms if kill_at is None else kill_at)
    since = lost.delivered_until_ms or 0
    if breaks:
        break_delivery(tx, lease, lost, node, cause, min(failed_at, since))
    tx.book.replaced_in_vain.pop(lease.id, None)
    if lease.state in (LeaseState.ACTIVE, LeaseState.RECLAIMING):
        tx.book.leases.put(replace(lease, lost=(*lease.lost, len(lost.accelerators))))
    tx.emit_lease(
        "lease.node_lost",
        lease,
        node=node.id,
        cause=cause,
        because=node.because,
        lost=len(lost.accelerators),
        undelivered_from_ms=since,
    )
    return lost


def undeliver(
    tx: Transaction, lease: Lease, allocation: Allocation, since_ms: int, kill_at_ms: int
) -> Allocation:
    """What was handed over is its holder's no more since an instant, or since it was last billed.

    It stays on its accelerators until it is fenced; its jobs are told, and ended at `kill_at_ms`.
    """
    first = max(allocation.delivered_from_ms or 0, allocation.metered_until_ms or 0)
    since = max(min(since_ms, allocation.billable_until(tx.now_ms)), first)
    gone = tx.book.allocations.put(replace(allocation, delivered_until_ms=since))
    gone = meter_allocation(tx, lease, gone, since)
    for attempt in attempts_on(tx, gone):
        tx.book.attempts.put(
            replace(
                attempt,
                stop_at_ms=attempt.stop_at_ms or tx.now_ms,
                kill_at_ms=min(kill_at_ms, attempt.kill_at_ms or kill_at_ms),
            )
        )
    return gone


def attempts_on(tx: Transaction, allocation: Allocation) -> list[Attempt]:
    """The live attempts on an allocation."""
    live = tx.book.live_attempts.get(allocation.lease_id)
    return [attempt for attempt in live if attempt.allocation_id == allocation.id]
