"""Health gates: when a node goes into quarantine, and when it comes out.

A gated node is sold only after its checks: when it is new, between two tenants, and after a
failure. A node whose engine can check it is checked after a failure in any case.
"""

from comptoir.desk.transaction import Transaction
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import KEEPS_PROMISES, NodeState
from comptoir.units.ids import NodeId, TenantId
from comptoir.units.values import replace


def well_state(node: Node) -> NodeState:
    """Where a node goes that is well: to service, or draining as its operator wishes."""
    return NodeState.DRAINING if node.drained else NodeState.IN_SERVICE


def owes_checks(tx: Transaction, node: Node) -> bool:
    """Whether a node has to pass checks before it is trusted again."""
    return node.gated or node.engine in tx.checkers or node.owes_checks


def trust_again(tx: Transaction, node: Node, because: str) -> Node:
    """A node is said to be well: it goes through its checks if it has any, else to service."""
    if owes_checks(tx, node):
        return move_node(tx, node, NodeState.CHECKING, because)
    return move_node(tx, replace(node, failed_checks=()), well_state(node), because)


def gate_between_tenants(tx: Transaction, node_id: NodeId, tenant_id: TenantId) -> None:
    """A tenant has left a gated node: it is checked before anybody else has it.

    Only a tenant whose own next promise there begins at once goes on without.
    """
    node = tx.book.nodes[node_id]
    if not node.gated or node.state not in KEEPS_PROMISES:
        return
    for allocation in tx.book.snapshot.standing_on(node.id):
        ends_ms = allocation.ends_at_ms  # what is over is handed to nobody
        now_due = allocation.starts_at_ms <= tx.now_ms
        now_due = now_due and (ends_ms is None or tx.now_ms < ends_ms)
        goes_on = allocation.tenant_id == tenant_id and now_due
        if goes_on or allocation.delivered_from_ms is not None:
            return
    move_node(tx, node, NodeState.CHECKING, "between two tenants")


def move_node(tx: Transaction, node: Node, state: NodeState, because: str) -> Node:
    """Put a node in its next state, and say so. What was lost there keeps its fencing time."""
    fence_at = node.fence_at_ms if tx.book.lost_on.count(node.id) else None
    owes = node.owes_checks or state is NodeState.CHECKING
    moved = node.moved(state, tx.now_ms, because)
    moved = tx.book.nodes.put(replace(moved, fence_at_ms=fence_at, owes_checks=owes))
    tx.emit(f"node.{state}", moved.id, None, name=moved.name, because=because)
    return moved
