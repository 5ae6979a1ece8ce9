"""Losing a node: its promises look elsewhere, what was handed over is lost, and then fenced.

promises   their leases wait again; a guaranteed one has a broken promise
lost       undelivered from the instant of the failure: billed up to there and no further
fenced     the stop is confirmed, or the fencing time has passed: only now is it free again

A turn then finds each lost allocation another node (`replacing.py`).
"""

from comptoir.desk.metered import meter_attempt
from comptoir.desk.operations.breaking import break_promise
from comptoir.desk.operations.ending import end_attempt
from comptoir.desk.operations.gating import gate_between_tenants
from comptoir.desk.operations.lost import attempts_on, lose_allocation
from comptoir.desk.operations.taking_back import drop_promise
from comptoir.desk.transaction import Transaction
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import BreachCause
from comptoir.leases.jobs import Attempt, AttemptState
from comptoir.leases.lease import PROMISED, LeaseState, Reason
from comptoir.units.time import MS_PER_S, Window
from comptoir.units.values import replace

_REASONS: dict[BreachCause, Reason] = {
    BreachCause.NODE_FAILED: Reason.NODE_LOST,
    BreachCause.NODE_UNKNOWN: Reason.NODE_LOST,
    BreachCause.NODE_REJECTED: Reason.NODE_LOST,
    BreachCause.MAINTENANCE: Reason.NODE_MAINTENANCE,
    BreachCause.DRAINED: Reason.NODE_DRAINED,
}


def fail(
    tx: Transaction,
    node: Node,
    failed_at: int,
    because: str,
    cause: BreachCause,
    fence_at: int | None,
) -> Node:
    """A node is dead since an instant; time alone fences what stands there at `fence_at`."""
    node = tx.book.nodes.put(
        replace(node.moved(NodeState.FAILED, failed_at, because), fence_at_ms=fence_at)
    )
    drop_promises(tx, node, cause)
    lost = lose_node(tx, node, cause, failed_at)
    tx.emit(
        "node.failed", node.id, None, name=node.name, because=because, failed_at_ms=failed_at,
        cause=cause, leases=sorted({allocation.lease_id for allocation in lost}),
    )  # fmt: skip
    return node


def lost_at_ms(node: Node) -> int:
    """When a node that was lost from sight counts as failed: by then it has cut itself off."""
    return node.state_since_ms + fencing_time_ms(node)


def drop_promises(
    tx: Transaction, node: Node, cause: BreachCause, within: Window | None = None
) -> None:
    """What is promised on a node (within a window) and not handed over looks elsewhere."""
    for allocation in list(tx.book.snapshot.standing_on(node.id)):
        lease = tx.book.leases[allocation.lease_id]
        if lease.state not in PROMISED:
            continue
        if within is None or within.overlaps(allocation.window):
            break_promise(tx, lease, node, cause)
            drop_promise(tx, lease, LeaseState.WAITING, _REASONS[cause])


def lose_node(tx: Transaction, node: Node, cause: BreachCause, failed_at: int) -> list[Allocation]:
    """All that was handed over on a node is lost from an instant on; returns what was."""
    return [
        lose_allocation(tx, allocation, node, cause, failed_at)
        for allocation in list(tx.book.snapshot.standing_on(node.id))
        if allocation.delivered
    ]


def fence_lost(tx: Transaction, node: Node) -> int | None:
    """Fence what is confirmed to be over on a node; returns when time alone will fence the rest.

    An engine confirms by the end of its attempts; a node that was handed over whole is confirmed
    by whoever takes it back. Once the node's fencing time has passed it has cut itself off.
    """
    timed_out = node.fence_at_ms is not None and node.fence_at_ms <= tx.now_ms
    left = False
    for lost in tx.book.lost_on.get(node.id):
        running = attempts_on(tx, lost)
        if timed_out:
            for attempt in running:
                _give_up(tx, attempt, lost, node)
        elif running or not node.engine:
            left = True
            continue
        tx.book.allocations.put(replace(lost, fenced_at_ms=tx.now_ms))
        gate_between_tenants(tx, node.id, lost.tenant_id)
    return node.fence_at_ms if left else None


def fences_at_ms(tx: Transaction, node: Node) -> int | None:
    """When time alone fences what is lost on a node from now on; None: its engine confirms it.

    An engine that still reaches the node ends the work there, and says so. One that has lost
    sight of it says for how long: `see_node` goes by that.
    """
    return None if node.engine else tx.now_ms + fencing_time_ms(node)


def fencing_time_ms(node: Node) -> int:
    """How long after contact was lost the node has cut itself off."""
    return node.fence_after_s * MS_PER_S


def _give_up(tx: Transaction, attempt: Attempt, lost: Allocation, node: Node) -> None:
    """An attempt on a node that has cut itself off is over, whether anybody saw it or not."""
    lease = tx.book.leases[attempt.lease_id]
    ended = max(lost.delivered_until_ms or 0, attempt.started_at_ms or 0)
    detail = f"its node {node.name} was lost, and its fencing time has passed"
    gone = replace(attempt, state=AttemptState.LOST, ended_at_ms=ended, detail=detail)
    meter_attempt(tx, lease, tx.book.attempts.put(gone))
    end_attempt(tx, tx.book.attempts[attempt.id])
