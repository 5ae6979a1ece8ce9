"""Health gates: when a node goes into quarantine, and when it comes out.

A gated node is sold only after its checks: when it is new, between two tenants, and after a
failure. A node whose engine can check it is checked after a failure in any case.
"""

from comptoir.desk.transaction import Transaction
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.units.ids import NodeId, TenantId
from comptoir.units.values import replace


def well_state(node: Node) -> NodeState:
    """Where a node goes that is well: to service, or draining as its operator wishes."""
    return NodeState.DRAINING if node.drained else NodeState.IN_SERVICE


def is_checked(tx: Transaction, node: Node) -> bool:
    """Whether a node has to pass checks before it is trusted again."""
    return node.gated or node.engine in tx.checkers


def trust_again(tx: Transaction, node: Node, because: str) -> Node:
    """A node is said to be well: it goes through its checks if it has any, else to service."""
    state = NodeState.CHECKING if is_checked(tx, node) else well_state(node)
    return move_node(tx, node, state, because)


def gate_between_tenants(tx: Transaction, node_id: NodeId, tenant_id: TenantId) -> None:
    """A tenant has left a gated node: it is checked before anybody else has it."""
    node = tx.book.nodes[node_id]
    if not node.gated or node.state not in (NodeState.IN_SERVICE, NodeState.DRAINING):
        return
    standing = list(tx.book.snapshot.standing_on(node.id))
    if any(allocation.delivered_from_ms is not None for allocation in standing):
        return
    if standing and all(allocation.tenant_id == tenant_id for allocation in standing):
        return
    move_node(tx, node, NodeState.CHECKING, "between two tenants")


def move_node(tx: Transaction, node: Node, state: NodeState, because: str) -> Node:
    """Put a node in its next state, and say so. What was lost there keeps its fencing time."""
    fence_at = node.fence_at_ms if tx.book.lost_on.count(node.id) else None
    moved = node.moved(state, tx.now_ms, because)
    moved = tx.book.nodes.put(replace(moved, fence_at_ms=fence_at))
    tx.emit(f"node.{state}", moved.id, None, name=moved.name, because=because)
    return moved
