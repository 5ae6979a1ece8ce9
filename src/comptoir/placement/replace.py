"""Replacements: another node for each allocation that a lease lost, in the lease's own shape.

The shape is a guarantee: what is left of a gang stays where it is, and a replacement stands in
the same rack, pod, cluster or site as the shape demands, never in a wider place. Beside what is
left each lost allocation goes whole to one node that has none of the lease yet: to a spare, or to
the free node that it fills best. Nothing is reclaimed for it. `check_replace.py` reads the answer
before the desk commits it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from comptoir.fleet.nodes import Node
from comptoir.leases.lease import LeaseRequest
from comptoir.placement.aside import without_rejected
from comptoir.placement.plan import PlannedAllocation, plan_free, pools_for
from comptoir.placement.snapshot import Place, Snapshot, place_of
from comptoir.units.ids import NodeId


@dataclass(frozen=True, slots=True)
class Loss:
    """What a lease lost (`pieces`: the size of each allocation) and where the rest stands.

    The request's window is what is left of its promise. `spares` are nodes kept out of sale that
    it may use.
    """

    request: LeaseRequest
    pieces: tuple[int, ...]
    kept: tuple[NodeId, ...]
    spares: tuple[NodeId, ...] = ()


def find_replacements(snapshot: Snapshot, loss: Loss, now_ms: int) -> tuple[PlannedAllocation, ...]:
    """Nodes for what was lost: as many as there are beside a gang that stands, else all or none.

    Of a gang of which nothing stands, places with spares are tried first, then any free place: a
    plan like any other, but for now and before the queue.
    """
    with without_rejected(snapshot, loss.request):
        return _find_replacements(snapshot, loss, now_ms)


def _find_replacements(
    snapshot: Snapshot, loss: Loss, now_ms: int
) -> tuple[PlannedAllocation, ...]:
    shape = loss.request.shape
    if loss.kept:
        place = place_of(snapshot.nodes[loss.kept[0]], shape)
        return _match(snapshot, loss, _nodes_in(snapshot, loss, place), now_ms)
    for place in sorted({place_of(snapshot.nodes[spare], shape) for spare in loss.spares}):
        found = _match(snapshot, loss, _nodes_in(snapshot, loss, place), now_ms)
        if len(found) == len(loss.pieces):
            return found
    snapshot.advance(now_ms)
    pools = pools_for(snapshot, loss.request)
    plan = plan_free(snapshot, loss.request, now_ms, pools)
    return () if plan is None else plan.allocations


def _nodes_in(snapshot: Snapshot, loss: Loss, place: Place) -> Iterator[Node]:
    """The nodes for sale in a place, and the spares there that may be used, with room on them."""
    spares, least = set(loss.spares), min(loss.pieces)
    for node_id in snapshot.nodes_in(loss.request.kind, place):
        node = snapshot.nodes[node_id]
        if (node.for_sale or node_id in spares) and snapshot.may_have_free(node, least):
            yield node


def _match(
    snapshot: Snapshot, loss: Loss, nodes: Iterable[Node], now_ms: int
) -> tuple[PlannedAllocation, ...]:
    """The largest pieces first, each to a spare or else to the node that it fills best."""
    kept, spares, request = set(loss.kept), set(loss.spares), loss.request
    free = [
        (node.id not in spares, len(indexes), node.id, indexes)
        for node in nodes
        if node.id not in kept
        and not node.kept_free(request.window)
        and snapshot.supply_end(node, request, request.window)[0]
        for indexes in [snapshot.free_for(request.tenant_id, node, request.window, now_ms)]
        if len(indexes) >= min(loss.pieces)
    ]
    free.sort()
    found: list[PlannedAllocation] = []
    for piece in sorted(loss.pieces, reverse=True):
        fit = next((at for at, row in enumerate(free) if row[1] >= piece), None)
        if fit is not None:
            _, _, node_id, indexes = free.pop(fit)
            end = snapshot.supply_end(snapshot.nodes[node_id], request, request.window)[1]
            found.append(PlannedAllocation(node_id, tuple(indexes[:piece]), end))
    return tuple(found)
