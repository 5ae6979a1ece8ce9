"""Health reports: checks of a node with their evidence, and what an engine sees of its nodes."""

from comptoir.desk.engine_port import EngineNode, NodeSight
from comptoir.desk.failure_requests import ReportChecks
from comptoir.desk.operations.gating import move_node, well_state
from comptoir.desk.operations.losing import (
    drop_promises,
    fail,
    fences_at_ms,
    fencing_time_ms,
    lost_at_ms,
)
from comptoir.desk.operations.nodes import MOST_LATE_MS, check_fenced, live_node
from comptoir.desk.transaction import Transaction
from comptoir.fleet.checks import CheckOutcome, CheckResult, NodeCheck, check_results, worst
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.leases.breaches import BreachCause
from comptoir.units.errors import Invalid
from comptoir.units.time import check_instant, format_instant
from comptoir.units.values import replace

_RUNS = (NodeState.IN_SERVICE, NodeState.DRAINING)
_MOST_QUOTED = 200


def report_checks(tx: Transaction, request: ReportChecks) -> Node:
    """Keep the evidence; a node in quarantine passes, one in service that failed a check is dead.

    A degraded one stays where it is: in service, or in quarantine.

    What is promised on a node in quarantine looks elsewhere once a check has failed there.

    Raises:
        Invalid: those of `fleet.checks.check_results`; `check_in_the_future`, `check_too_old`.
        Conflict: `node_retired`, or `node_not_fenced`: something of before may still run there.
    """
    node = live_node(tx, request.node_id)
    results = check_results(request.results)
    at = _check_checked_at(tx, request.checked_at_ms)
    for result in results:
        tx.append("node_check", _row(tx, node, result, at))
    outcome = worst(results)
    tx.emit(
        "node.checked", node.id, None, name=node.name, passed=outcome is CheckOutcome.PASSED,
        checks={result.name: result.outcome for result in results},
    )  # fmt: skip
    if at < node.state_since_ms:
        return node  # checked before its present state began: that says nothing of now
    node = _noted(tx, node, results)
    if outcome is CheckOutcome.FAILED:
        return _failed(tx, node, results, at)
    return _passed(tx, node) if outcome is CheckOutcome.PASSED else node


def _row(tx: Transaction, node: Node, result: CheckResult, at: int) -> NodeCheck:
    return NodeCheck(
        tx.book.next_seq("node_check"),
        node.id,
        result.name,
        result.outcome,
        result.evidence,
        at,
        tx.now_ms,
        tx.actor.user_id,
    )


def _passed(tx: Transaction, node: Node) -> Node:
    """Out of quarantine, once every check that failed has passed since."""
    if node.state is not NodeState.CHECKING or node.failed_checks:
        return node
    check_fenced(tx, node)
    node = tx.book.nodes.put(replace(node, owes_checks=False))
    return move_node(tx, node, well_state(node), "its checks passed")


def _failed(tx: Transaction, node: Node, results: tuple[CheckResult, ...], at: int) -> Node:
    """Dead if it was in service; else it stays aside, or goes there after its planned work."""
    bad = next(result for result in results if result.outcome is CheckOutcome.FAILED)
    quoted = "".join(c if c.isprintable() else " " for c in bad.evidence[:_MOST_QUOTED]).strip()
    because = f"check {bad.name} failed" + (f": {quoted}" if quoted else "")
    if node.state in _RUNS:
        return fail(tx, node, at, because, BreachCause.NODE_FAILED, fences_at_ms(tx, node))
    node = tx.book.nodes.put(replace(node, owes_checks=True))
    if node.state is NodeState.CHECKING:
        node = tx.book.nodes.put(replace(node, because=because))
        drop_promises(tx, node, BreachCause.NODE_FAILED)
    return node


def _noted(tx: Transaction, node: Node, results: tuple[CheckResult, ...]) -> Node:
    """Which checks of a node failed and have not passed since."""
    failed = {result.name for result in results if result.outcome is CheckOutcome.FAILED}
    said = {result.name for result in results}
    left = (name for name in node.failed_checks if name not in said)
    return tx.book.nodes.put(replace(node, failed_checks=tuple(sorted({*left, *failed}))))


def _check_checked_at(tx: Transaction, checked_at_ms: int | None) -> int:
    """When a node was checked as somebody says: a failure that it shows is one of then."""
    if checked_at_ms is None:
        return tx.now_ms
    check_instant("at", checked_at_ms)
    if checked_at_ms > tx.now_ms:
        raise Invalid(
            "check_in_the_future",
            f"{format_instant(checked_at_ms)} has not come yet",
            "say when it was checked, or leave the instant out",
        )
    if checked_at_ms < tx.now_ms - MOST_LATE_MS:
        raise Invalid(
            "check_too_old",
            f"the checks are said to be of {format_instant(checked_at_ms)}, more than "
            f"{MOST_LATE_MS // 86_400_000} days ago: they say nothing of the node as it is",
            "check it again",
        )
    return checked_at_ms


def see_node(tx: Transaction, engine: str, seen: EngineNode, seen_at_ms: int) -> int:
    """Take in what an engine sees of a node; returns whether it changed anything.

    What was seen before the node's present state began says nothing of it any more. A node that
    the engine has not reached for its fencing time has cut itself off; so has one that it knows
    to be dead.
    """
    node = tx.book.nodes_by_name.first(seen.name)
    if node is None or node.engine != engine or _is_old(node, seen, seen_at_ms):
        return 0
    before = node
    since = min(seen.since_ms or tx.now_ms, tx.now_ms)
    if seen.sight is NodeSight.WELL:
        _seen_again(tx, node, since if seen.since_ms is not None else None)
    elif node.state in (*_RUNS, NodeState.CHECKING, NodeState.UNKNOWN):
        _lose_sight(tx, node, seen, since)
    node = tx.book.nodes[node.id]
    if seen.sight is not NodeSight.WELL and tx.book.lost_on.count(node.id):
        gone = seen.sight is NodeSight.FAILED or tx.now_ms >= since + fencing_time_ms(node)
        if gone and node.fence_at_ms is None:
            tx.book.nodes.put(replace(node, fence_at_ms=tx.now_ms))
    return tx.book.nodes[node.id] != before


def _is_old(node: Node, seen: EngineNode, seen_at_ms: int) -> bool:
    """Whether a sight is of before the node's present state.

    In the millisecond of a repair, trouble that is older may have been seen just before it: if it
    lasts, it is told again.
    """
    if seen_at_ms != node.state_since_ms or seen.sight is NodeSight.WELL:
        return seen_at_ms < node.state_since_ms
    return seen.since_ms is not None and seen.since_ms < node.state_since_ms


def _seen_again(tx: Transaction, node: Node, back_at: int | None) -> None:
    """It was there all along, unless it came back after it had cut itself off."""
    if node.state is not NodeState.UNKNOWN:
        return
    if back_at is not None and back_at >= lost_at_ms(node):
        _time_out(tx, node, None)  # it answers: its engine says what runs there now
    else:
        state = NodeState.CHECKING if node.owes_checks else well_state(node)
        move_node(tx, node, state, "seen again")


def _lose_sight(tx: Transaction, node: Node, seen: EngineNode, since: int) -> None:
    if seen.sight is NodeSight.FAILED:
        if node.state is NodeState.UNKNOWN:
            since = min(since, node.state_since_ms)
        because = seen.detail or f"{node.engine} says that it is gone"
        fail(tx, node, since, because, BreachCause.NODE_FAILED, tx.now_ms)
    elif node.state is not NodeState.UNKNOWN:
        lost = tx.book.nodes.put(node.moved(NodeState.UNKNOWN, since, seen.detail))
        tx.emit(
            "node.unknown", lost.id, None, name=lost.name, because=seen.detail,
            last_seen_ms=since, failed_from_ms=lost_at_ms(lost),
        )  # fmt: skip
    elif tx.now_ms >= lost_at_ms(node):
        _time_out(tx, node, tx.now_ms)


def _time_out(tx: Transaction, node: Node, fence_at: int | None) -> None:
    """A node that was not reached for its fencing time has failed since it was last seen."""
    because = f"not reached for {node.fence_after_s:,} s"
    fail(tx, node, node.state_since_ms, because, BreachCause.NODE_UNKNOWN, fence_at)
