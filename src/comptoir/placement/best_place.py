"""The place that a waiting lease is nearest to: what is free, ends and stands there."""

from dataclasses import dataclass

from comptoir.leases.eligible import unmet_terms
from comptoir.leases.lease import Lease, LeaseRequest, Shape
from comptoir.placement.aside import without_rejected
from comptoir.placement.pools import Pool
from comptoir.placement.snapshot import Place, Snapshot, place_of, stands_during
from comptoir.placement.windows import available, ending, places_of, roomiest
from comptoir.units.ids import LeaseId, NodeId

MOST_COMING = 16


@dataclass(frozen=True, slots=True)
class Coming:
    """Accelerators in the best place that are promised back at an instant."""

    at_ms: int
    lease_id: LeaseId
    accelerators: int


@dataclass(frozen=True, slots=True)
class BestPlace:
    """A place of a request's shape: what its tenant has free there, what ends, its nodes."""

    name: str
    free: int
    coming: tuple[Coming, ...]
    nodes: tuple[NodeId, ...]


NOWHERE = BestPlace("nowhere", 0, (), ())


def best_place(
    snapshot: Snapshot, request: LeaseRequest, now_ms: int, node_id: NodeId | None = None
) -> BestPlace:
    """The roomiest place whose terms it meets, or that of a node; of a site, all pools together."""
    with without_rejected(snapshot, request):
        return _best_place(snapshot, request, now_ms, node_id)


def _best_place(
    snapshot: Snapshot, request: LeaseRequest, now_ms: int, node_id: NodeId | None
) -> BestPlace:
    if node_id is not None:
        where = place_of(snapshot.nodes[node_id], request.shape)
    best, most = NOWHERE, -1
    by_site: dict[Place, BestPlace] = {}
    for pool in snapshot.pools_of(request.kind):
        if unmet_terms(pool.key.conditions, request) is not None:
            continue
        found = _in_pool(snapshot, pool, request, now_ms, node_id)
        if found is None:
            continue
        at, here = found
        if request.shape is Shape.SITE:
            here = by_site[at] = _together(by_site.get(at), here)
        if here.free > most and (node_id is None or at == where):
            best, most = here, here.free
    return best


def _in_pool(
    snapshot: Snapshot,
    pool: Pool,
    request: LeaseRequest,
    now_ms: int,
    wanted: NodeId | None,
) -> tuple[Place, BestPlace] | None:
    def free_on(node_id: NodeId) -> int:
        node = snapshot.nodes[node_id]
        return len(snapshot.free_for(request.tenant_id, node, request.window, now_ms))

    counts = available(pool, request.tenant_id, request.window, now_ms, free_on)
    places = places_of(pool, request.shape)
    found = roomiest(pool, counts, places)
    if found is None:
        return None
    free, place, row = found
    if wanted in pool.handles and wanted is not None:
        row = pool.row_of(wanted)
        place = int(places[row])
        free = int(counts[places == place].sum())
    coming = tuple(
        Coming(end_ms, lease_id, size)
        for end_ms, lease_id, size in ending(
            pool, places, place, request.window.start_ms, MOST_COMING
        )
        if lease_id != request.lease_id
        and (pool.key.ends_at_ms is None or end_ms < pool.key.ends_at_ms)  # else it is gone, too
    )
    where = place_of(snapshot.nodes[pool.ids[row]], request.shape)
    nodes = tuple(id for id in pool.handles if places[pool.row_of(id)] == place)
    return where, BestPlace("/".join(part for part in where if part), free, coming, nodes)


def _together(one: BestPlace | None, other: BestPlace) -> BestPlace:
    if one is None:
        return other
    ends: dict[tuple[int, LeaseId], int] = {}
    for c in one.coming + other.coming:
        ends[c.at_ms, c.lease_id] = ends.get((c.at_ms, c.lease_id), 0) + c.accelerators
    coming = tuple(Coming(at_ms, id, count) for (at_ms, id), count in sorted(ends.items()))
    free, nodes = one.free + other.free, one.nodes + other.nodes
    return BestPlace(one.name, free, coming[:MOST_COMING], nodes)


Slots = set[tuple[NodeId, int]]
"""Accelerators, by node and number."""


def standing_in(
    snapshot: Snapshot, place: BestPlace, request: LeaseRequest, now_ms: int
) -> list[tuple[Lease, Slots]]:
    """What stands in a place during a request's window, with its accelerators there."""
    held: dict[LeaseId, Slots] = {}
    for node_id in place.nodes:
        for allocation in snapshot.standing_on(node_id):
            if stands_during(allocation, request.window, now_ms):
                slots = held.setdefault(allocation.lease_id, set())
                slots.update((node_id, slot) for slot in allocation.accelerators)
    return [(snapshot.leases[lease_id], slots) for lease_id, slots in held.items()]
