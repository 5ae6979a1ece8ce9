"""The independent check of replacements. It shares no code with what finds them, on purpose."""

from collections.abc import Sequence

from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.placement.check import check_conditions, check_nobody_displaced, check_supply
from comptoir.placement.plan import Plan, PlannedAllocation
from comptoir.placement.replace import Loss
from comptoir.placement.snapshot import Snapshot
from comptoir.units.errors import invariant

_LEVELS = {"site": 1, "cluster": 2, "pod": 3, "rack": 4, "node": 5}


def check_replacements(
    snapshot: Snapshot, loss: Loss, found: Sequence[PlannedAllocation], now_ms: int
) -> None:
    """Let sound replacements pass.

    Raises:
        InvariantBroken: naming the rule and the numbers.
    """
    if not found:
        return
    lease_id = loss.request.lease_id
    sizes = [len(set(new.accelerators)) for new in found]
    if loss.kept:
        left = list(loss.pieces)
        for size in sizes:
            invariant(size in left, f"{lease_id} lost {loss.pieces}, a replacement has {size}")
            left.remove(size)
    else:
        whole = sum(loss.pieces)
        invariant(sum(sizes) == whole, f"{lease_id} would have {sum(sizes)} of its {whole} back")
    for new in found:
        _check_node(snapshot, loss, new)
    _check_shape(snapshot, loss, found)
    plan = Plan(lease_id, now_ms, tuple(found), (), "replaces what was lost")
    check_supply(snapshot, plan)
    check_conditions(snapshot, loss.request, plan)
    check_nobody_displaced(snapshot, loss.request, plan, now_ms)


def _check_shape(snapshot: Snapshot, loss: Loss, found: Sequence[PlannedAllocation]) -> None:
    lease_id, shape = loss.request.lease_id, loss.request.shape
    news = {new.node_id for new in found}
    invariant(len(news) == len(found), f"{lease_id} would get a node twice")
    invariant(not news & set(loss.kept), f"{lease_id} has one of these nodes already")
    nodes = [snapshot.nodes[node_id] for node_id in (*news, *loss.kept)]
    places = {_place(node)[: _LEVELS[shape.value]] for node in nodes}
    invariant(len(places) == 1, f"{lease_id} would span {len(places)} {shape}s")


def _check_node(snapshot: Snapshot, loss: Loss, new: PlannedAllocation) -> None:
    node, kind = snapshot.nodes[new.node_id], loss.request.kind
    invariant(node.kind == kind, f"{node.id} is {node.kind}, not {kind}")
    invariant(node.state is NodeState.IN_SERVICE, f"{node.id} is {node.state}")
    invariant(node.id not in loss.request.rejected, f"{node.id} was sent back by this lease")
    invariant(not node.spare or node.id in loss.spares, f"{node.id} is a spare of others")
    invariant(
        len(new.accelerators) == len(set(new.accelerators)),
        f"a replacement names an accelerator of {node.id} twice",
    )
    asked = loss.request.window.end_ms
    invariant(
        asked is None or new.ends_at_ms == asked,
        f"a replacement on {node.id} ends at {new.ends_at_ms}, promised {asked}",
    )
    invariant(
        all(0 <= index < node.accelerators for index in new.accelerators),
        f"a replacement names accelerators that {node.id} does not have",
    )
    if node.maintenance_from_ms is not None:
        ends, over = new.ends_at_ms, node.maintenance_until_ms
        before = ends is not None and ends <= node.maintenance_from_ms
        after = over is not None and loss.request.window.start_ms >= over
        invariant(before or after, f"{node.id} has planned work before the end")


def _place(node: Node) -> tuple[str, ...]:
    return node.site, node.cluster, node.pod, node.rack, node.name
