"""What time does to nodes: lost work is fenced, maintenance comes and goes.

A turn looks only at the nodes of the node agenda: those that changed, that lost something, or
whose instant has come.
"""

from comptoir.desk.operations.gating import move_node, trust_again
from comptoir.desk.operations.losing import (
    drop_promises,
    fence_lost,
    lose_node,
)
from comptoir.desk.operations.nodes import end_maintenance
from comptoir.desk.transaction import Transaction
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import BreachCause
from comptoir.units.time import MS_PER_S, Window
from comptoir.units.values import replace

MOST_TENDED = 1_000


def tend_nodes(tx: Transaction) -> bool:
    """Move the nodes whose time has come; returns whether some were left over."""
    agenda = tx.book.node_agenda
    due = agenda.take(tx.now_ms, MOST_TENDED)
    try:
        for node_id in due:
            node = tx.book.nodes.get(node_id)
            agenda.remind(node_id, None if node is None else _tend(tx, node))
    except BaseException:
        for node_id in due:
            agenda.touch(node_id)
        raise
    return len(due) == MOST_TENDED


def _tend(tx: Transaction, node: Node) -> int | None:
    """Do what is due on a node; returns when time alone may next do something."""
    node = _maintain(tx, node)
    fence_at = fence_lost(tx, node)
    node = _maintain(tx, tx.book.nodes[node.id])  # it may have waited for the fence
    times = [fence_at, *_next(tx, node)]
    return min((at for at in times if at is not None), default=None)


def _maintain(tx: Transaction, node: Node) -> Node:
    start, end = node.maintenance_from_ms, node.maintenance_until_ms
    if start is None:
        return node
    over = end is not None and end <= tx.now_ms
    if node.state in (NodeState.FAILED, NodeState.UNKNOWN, NodeState.RETIRED):
        return end_maintenance(tx, node) if over else node
    if node.state is not NodeState.MAINTENANCE:
        if start <= tx.now_ms:
            node = _begin(tx, node, start)
        elif node.state is NodeState.IN_SERVICE and moves_at_ms(tx, node) <= tx.now_ms:
            node = move_node(tx, node, NodeState.DRAINING, node.because)
    if node.state is NodeState.MAINTENANCE and over and not tx.book.lost_on.count(node.id):
        node = trust_again(tx, end_maintenance(tx, node), "maintenance is over")
    return node


def _begin(tx: Transaction, node: Node, start: int) -> Node:
    """The window has come: what could not be moved is undelivered until it is over.

    A node without an engine is in the hands of whoever works on it: nothing runs there.
    """
    node = move_node(tx, node, NodeState.MAINTENANCE, node.because)
    fence_at = None if node.engine else tx.now_ms
    node = tx.book.nodes.put(replace(node, fence_at_ms=fence_at))
    drop_promises(tx, node, BreachCause.MAINTENANCE, node.maintenance)
    lose_node(tx, node, BreachCause.MAINTENANCE, start)
    return node


def moves_at_ms(tx: Transaction, node: Node) -> int:
    """When what stands on a node begins to move before its maintenance: the longest notice."""
    notices = [
        tx.book.leases[allocation.lease_id].notice_s * MS_PER_S
        for allocation in standing_into_maintenance(tx, node)
    ]
    return (node.maintenance_from_ms or 0) - max(notices, default=0)


def standing_into_maintenance(tx: Transaction, node: Node) -> list[Allocation]:
    """What was handed over on a node and reaches into its planned work."""
    return [
        allocation
        for allocation in tx.book.snapshot.standing_on(node.id)
        if allocation.delivered
        and (allocation.ends_at_ms is None or allocation.ends_at_ms > tx.now_ms)
        and node.kept_free(Window(tx.now_ms, allocation.ends_at_ms))
    ]


def _next(tx: Transaction, node: Node) -> list[int | None]:
    if node.state in (NodeState.MAINTENANCE, NodeState.FAILED, NodeState.UNKNOWN):
        return [node.maintenance_until_ms]
    start = node.maintenance_from_ms
    if node.state is NodeState.IN_SERVICE and start is not None:
        return [moves_at_ms(tx, node)]
    return [start]
