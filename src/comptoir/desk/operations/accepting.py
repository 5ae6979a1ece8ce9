"""Deliveries in the holder's hands: accepted, or sent back for another node.

A delivery is deemed accepted after the node's own time. What is sent back before that is not
billed at all; after it, up to the instant at which it is sent back. A node goes back whole, for
all that its tenant has there, and does not come to that lease again. A lease may send back a few
nodes and no more, so that nobody shops for free.
"""

from comptoir.desk.failure_requests import AcceptDelivery, RejectNode
from comptoir.desk.operations.gating import move_node
from comptoir.desk.operations.lost import lose_allocation
from comptoir.desk.operations.nodes import MOST_BECAUSE
from comptoir.desk.transaction import Transaction
from comptoir.fleet.kinds import CATALOGUE, Tenancy
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import BreachCause
from comptoir.leases.lease import Lease, LeaseState
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Conflict, Refused
from comptoir.units.ids import LeaseId, NodeId
from comptoir.units.text import check_text
from comptoir.units.values import replace

MOST_REJECTIONS = 3


def accept_delivery(tx: Transaction, request: AcceptDelivery) -> Lease:
    """Accept what was handed over, on one node or on all; a second time changes nothing.

    Raises:
        Conflict: `lease_not_active`.
        NotFound: the lease, or a node that it does not have.
    """
    lease = _active(tx, request.lease_id)
    accepted = []
    for allocation in _delivered(tx, lease, request.node_id):
        if allocation.on_approval(tx.now_ms):
            tx.book.allocations.put(replace(allocation, accepted_at_ms=tx.now_ms))
            accepted.append(allocation.node_id)
    if accepted:
        tx.emit_lease("lease.delivery_accepted", lease, nodes=sorted(accepted))
    return lease


def reject_node(tx: Transaction, request: RejectNode) -> Lease:
    """Send a node back: it is checked, and another takes its place when there is one.

    It goes into quarantine, so nothing is left there: other leases of the tenant lose their part
    of it too, each billed and recorded as if it had sent the node back itself.

    Raises:
        Conflict: `lease_not_active`.
        NotFound: the lease, or a node that it does not have.
        Refused: `node_is_shared`, `too_many_rejections`.
        Invalid: `bad_text`.
    """
    lease = _active(tx, request.lease_id)
    because = check_text("because", request.because, 1, MOST_BECAUSE)
    parts = _delivered(tx, lease, request.node_id)
    node = tx.book.nodes[parts[0].node_id]
    if CATALOGUE[node.kind].tenancy is Tenancy.SANDBOXED_SHARED:
        raise Refused(
            "node_is_shared",
            f"{node.kind} nodes are shared between tenants and not handed over whole",
            "tell the operator what is wrong with it",
        )
    if lease.rejections >= MOST_REJECTIONS:
        raise Refused(
            "too_many_rejections",
            f"{lease.id} has sent back {lease.rejections} nodes, the most there may be",
            "ask the operator",
            {"rejections": lease.rejections, "most": MOST_REJECTIONS},
        )
    _put_aside(tx, node, because)
    node = tx.book.nodes[node.id]
    unbilled = parts[0].on_approval(tx.now_ms)
    tx.emit_lease("lease.node_rejected", lease, node=node.id, because=because, billed=not unbilled)
    for part in list(tx.book.snapshot.standing_on(node.id)):
        if part.delivered:
            _lose(tx, part, node)
    lease = tx.book.leases[lease.id]
    rejected = (*lease.rejected, node.id)
    return tx.book.leases.put(replace(lease, rejections=lease.rejections + 1, rejected=rejected))


def _lose(tx: Transaction, part: Allocation, node: Node) -> None:
    """What is still on approval was never delivered, the rest up to now."""
    since = part.delivered_from_ms or 0 if part.on_approval(tx.now_ms) else tx.now_ms
    lose_allocation(tx, part, node, BreachCause.NODE_REJECTED, since)


def _put_aside(tx: Transaction, node: Node, because: str) -> None:
    """Into quarantine. Without an engine the holder's word is that nothing of its runs there."""
    if node.state in (NodeState.IN_SERVICE, NodeState.DRAINING):
        node = move_node(tx, node, NodeState.CHECKING, f"sent back: {because}")
    tx.book.nodes.put(replace(node, fence_at_ms=None if node.engine else tx.now_ms))


def _active(tx: Transaction, lease_id: LeaseId) -> Lease:
    lease = tx.lease(lease_id)
    if lease.state is not LeaseState.ACTIVE:
        raise Conflict(
            "lease_not_active",
            f"{lease.id} is {lease.state}: it has nothing to accept or to send back",
            "`comptoir lease show` says what it holds",
        )
    return lease


def _delivered(tx: Transaction, lease: Lease, node_id: NodeId | None) -> list[Allocation]:
    """What the lease has, on one node or on all.

    Raises:
        NotFound: it has nothing on that node.
    """
    held = [a for a in tx.book.allocations_of(lease.id) if a.delivered]
    if node_id is None:
        return held
    named = tx.book.nodes_by_name.first(node_id)
    wanted = node_id if named is None else named.id
    parts = [a for a in held if a.node_id == wanted]
    if not parts:
        raise not_found(f"node {node_id} in {lease.id}")
    return parts
