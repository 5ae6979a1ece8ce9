"""Nodes in an operator's hands: drained, failed, repaired, taken for maintenance, kept as spares.

What stands on a node when it goes is `losing.py`'s; what time does to it is `tending.py`'s.
"""

from comptoir.desk.failure_requests import FailNode, PlanMaintenance, SetSpare
from comptoir.desk.operations.gating import move_node, owes_checks, trust_again
from comptoir.desk.operations.losing import drop_promises, fail, fence_lost, fences_at_ms
from comptoir.desk.requests import NodeRef
from comptoir.desk.transaction import Transaction
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import KEEPS_PROMISES, NodeState
from comptoir.leases.breaches import BreachCause
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Conflict, Invalid
from comptoir.units.ids import NodeId
from comptoir.units.text import check_text
from comptoir.units.time import Window, check_instant, format_instant
from comptoir.units.values import replace

MOST_BECAUSE = 500
MOST_LATE_MS = 7 * 86_400_000
"""A failure is reported within a week, whatever is closed: what was billed is credited."""
MOST_OPEN_MS = 62 * 86_400_000
"""Or until its month is closed, for at most two months."""


def drain_node(tx: Transaction, request: NodeRef) -> Node:
    """Give a node no new leases; those it has run to their end, promises look elsewhere."""
    node = live_node(tx, request.node_id)
    if node.drained:
        return node
    node = tx.book.nodes.put(replace(node, drained=True))
    if node.state is NodeState.IN_SERVICE:
        node = move_node(tx, node, NodeState.DRAINING, "drained")
    drop_promises(tx, node, BreachCause.DRAINED)
    return tx.book.nodes[node.id]


def resume_node(tx: Transaction, request: NodeRef) -> Node:
    """Let a drained node take new leases again; maintenance that has begun is over.

    Raises:
        Conflict: `node_not_well`: it failed, is lost from sight or has checks to pass;
            `node_not_fenced`.
    """
    node = live_node(tx, request.node_id)
    if node.state in (NodeState.FAILED, NodeState.UNKNOWN):
        raise Conflict(
            "node_not_well",
            f"{node.id} is {node.state}{_said(node)}",
            f"when it works again: comptoir fleet repair {node.id}",
        )
    if node.state is NodeState.CHECKING and owes_checks(tx, node):
        raise Conflict(
            "node_not_well",
            f"{node.id} is in quarantine until {_and(node.failed_checks)} passed{_said(node)}",
            f"report them: comptoir fleet report {node.id} NAME=passed",
        )
    if node.state not in KEEPS_PROMISES:
        check_fenced(tx, node)
    node = tx.book.nodes.put(replace(node, drained=False))
    if node.state is NodeState.MAINTENANCE:
        return trust_again(tx, end_maintenance(tx, node), "maintenance is over")
    if node.state in (NodeState.DRAINING, NodeState.CHECKING):
        return move_node(tx, node, NodeState.IN_SERVICE, "resumed")
    return node


def _and(checks: tuple[str, ...]) -> str:
    return (
        f"{', '.join(checks)} {'has' if len(checks) == 1 else 'have'}"
        if checks
        else "its checks have"
    )


def fail_node(tx: Transaction, request: FailNode) -> Node:
    """A node is dead: what stood there is undelivered from then on, and moves if it can.

    `stopped` confirms that nothing runs there any more; else it is fenced once its engine has
    confirmed it, or its fencing time has passed.

    Raises:
        Invalid: `failure_in_the_future`, `failure_too_old`, `bad_text`.
        Conflict: `node_retired`.
    """
    node = live_node(tx, request.node_id)
    because = check_text("because", request.because, 1, MOST_BECAUSE)
    at = check_failure_instant(tx, request.failed_at_ms)
    if node.state is NodeState.FAILED:
        fence_at = tx.now_ms if request.stopped else node.fence_at_ms
        return tx.book.nodes.put(replace(node, fence_at_ms=fence_at))
    if node.state is NodeState.UNKNOWN:
        at = min(at, node.state_since_ms)
    fence_at = tx.now_ms if request.stopped else fences_at_ms(tx, node)
    return fail(tx, node, at, because, BreachCause.NODE_FAILED, fence_at)


def repair_node(tx: Transaction, request: NodeRef) -> Node:
    """A node that failed works again, and nothing of before runs there: checks, then service.

    Raises:
        Conflict: `node_not_failed`.
    """
    node = live_node(tx, request.node_id)
    if node.state not in (NodeState.FAILED, NodeState.UNKNOWN):
        raise Conflict(
            "node_not_failed",
            f"{node.id} is {node.state.replace('_', ' ')}",
            "there is nothing to repair",
        )
    if node.state is NodeState.UNKNOWN:
        because = "its operator repaired it"
        at = node.state_since_ms
        node = fail(tx, node, at, because, BreachCause.NODE_UNKNOWN, tx.now_ms)
    node = tx.book.nodes.put(replace(node, fence_at_ms=tx.now_ms, drained=False))
    fence_lost(tx, node)
    return trust_again(tx, tx.book.nodes[node.id], "repaired")


def plan_maintenance(tx: Transaction, request: PlanMaintenance) -> Node:
    """Take a node out of sale for a window; what stands there moves before it, or is told.

    Without a window, planned maintenance is called off.

    Raises:
        Invalid: `end_before_start`, `start_in_the_past`.
        Conflict: `maintenance_began`, `node_retired`.
    """
    node = live_node(tx, request.node_id)
    if node.state is NodeState.MAINTENANCE:
        raise Conflict(
            "maintenance_began",
            f"{node.id} is in maintenance until {_end_of(node)}",
            f"end it: comptoir fleet resume {node.id}",
        )
    if request.from_ms is None:
        return _call_off(tx, node)
    because = check_text("because", request.because, 1, MOST_BECAUSE)
    check_instant("from", request.from_ms)
    if request.until_ms is not None:
        check_instant("to", request.until_ms)
    window = Window(request.from_ms, request.until_ms)
    if window.start_ms < tx.now_ms:
        raise Invalid(
            "start_in_the_past",
            f"{format_instant(window.start_ms)} has passed",
            "give a later instant",
        )
    node = tx.book.nodes.put(
        replace(
            node,
            because=because,
            maintenance_from_ms=window.start_ms,
            maintenance_until_ms=window.end_ms,
        )
    )
    tx.emit(
        "node.maintenance_planned", node.id, None, name=node.name, because=because,
        from_ms=window.start_ms, until_ms=window.end_ms,
    )  # fmt: skip
    drop_promises(tx, node, BreachCause.MAINTENANCE, window)
    _tell_holders(tx, node, window)
    node = tx.book.nodes[node.id]
    if node.state is NodeState.DRAINING and not node.drained:  # it drained for an earlier window
        return move_node(tx, node, NodeState.IN_SERVICE, because)  # till this one is near enough
    return node


def _tell_holders(tx: Transaction, node: Node, window: Window) -> None:
    """Whoever stands there into the window hears of it now, and again when it moves or stops."""
    told = set()
    for allocation in tx.book.snapshot.standing_on(node.id):
        if allocation.lease_id in told or not allocation.delivered:
            continue
        if window.overlaps(Window(tx.now_ms, allocation.ends_at_ms)):
            told.add(allocation.lease_id)
            lease = tx.book.leases[allocation.lease_id]
            tx.emit_lease(
                "lease.maintenance_announced",
                lease,
                node=node.id,
                from_ms=window.start_ms,
                until_ms=window.end_ms,
                notice_s=lease.notice_s,
                because=node.because,
            )


def end_maintenance(tx: Transaction, node: Node) -> Node:
    """The window is over, or was called off."""
    return tx.book.nodes.put(replace(node, maintenance_from_ms=None, maintenance_until_ms=None))


def _call_off(tx: Transaction, node: Node) -> Node:
    if node.maintenance_from_ms is None:
        return node
    tx.emit("node.maintenance_called_off", node.id, None, name=node.name)
    node = end_maintenance(tx, node)
    if node.state is NodeState.DRAINING and not node.drained:
        return move_node(tx, node, NodeState.IN_SERVICE, "maintenance was called off")
    if node.state is NodeState.IN_SERVICE:  # what is said of it was said of the work
        return tx.book.nodes.put(replace(node, because=""))
    return node


def set_spare(tx: Transaction, request: SetSpare) -> Node:
    """Keep a node out of sale to replace others, or put it back; what it has stays."""
    node = live_node(tx, request.node_id)
    if node.spare is request.spare:
        return node
    word = "node.spare" if request.spare else "node.not_spare"
    tx.emit(word, node.id, None, name=node.name)
    node = tx.book.nodes.put(replace(node, spare=request.spare))
    if node.spare:
        drop_promises(tx, node, BreachCause.DRAINED)
    return tx.book.nodes[node.id]


def check_fenced(tx: Transaction, node: Node) -> None:
    """Let a node pass on which nothing of before may run.

    Raises:
        Conflict: `node_not_fenced`.
    """
    if tx.book.lost_on.count(node.id):
        by = node.fence_at_ms
        raise Conflict(
            "node_not_fenced",
            f"what stood on {node.id} may still run there",
            "ask again once its stop is confirmed"
            + (f", at {format_instant(by)} at the latest" if by else ""),
        )


def live_node(tx: Transaction, node_id: NodeId) -> Node:
    """A node by its id or name, that has not left with its inbound lease.

    Raises:
        NotFound: there is none.
        Conflict: `node_retired`.
    """
    node = tx.book.nodes.get(node_id) or tx.book.nodes_by_name.first(node_id)
    if node is None:
        node = tx.store.find("node", (node_id,))
    if node is None:
        raise not_found(f"node {node_id}")
    if node.state is NodeState.RETIRED:
        raise Conflict("node_retired", f"{node.id} left with its inbound lease")
    return node


def check_failure_instant(tx: Transaction, failed_at_ms: int | None) -> int:
    """When a node failed as somebody says: in a month that is open, or within a week.

    Raises:
        Invalid: `failure_in_the_future`, `failure_too_old`, `bad_instant`.
    """
    if failed_at_ms is None:
        return tx.now_ms
    check_instant("at", failed_at_ms)
    if failed_at_ms > tx.now_ms:
        raise Invalid(
            "failure_in_the_future",
            f"{format_instant(failed_at_ms)} has not come yet",
            "say when it failed, or plan maintenance",
        )
    open_ms = max(tx.book.closing.latest_end_ms, tx.now_ms - MOST_OPEN_MS)
    earliest_ms = min(tx.now_ms - MOST_LATE_MS, open_ms)
    if failed_at_ms < earliest_ms:
        raise Invalid(
            "failure_too_old",
            f"{format_instant(failed_at_ms)} is over {MOST_LATE_MS // 86_400_000} days ago, and "
            f"before {format_instant(earliest_ms)}: its month is closed, or two months have passed",
            "report it from then on, and credit the rest by hand",
            {"earliest": format_instant(earliest_ms)},
        )
    return failed_at_ms


def _said(node: Node) -> str:
    return f": {node.because}" if node.because else ""


def _end_of(node: Node) -> str:
    end = node.maintenance_until_ms
    return "somebody ends it" if end is None else format_instant(end)
