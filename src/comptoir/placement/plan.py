"""The planner. This file decides where a lease stands and **which leases are reclaimed**.

Order of trying: free accelerators, tightest place first; then, for a request that is
stronger than what stands there, the cheapest set of reclaimable leases. A plan is a
proposal: it changes nothing until the desk commits it, and `check.py` reads it first.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from comptoir.fleet.kinds import CATALOGUE, Tenancy
from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import STRENGTH, Lease, LeaseRequest, LeaseState, Shape
from comptoir.leases.snapshot import Place, Snapshot, standing_window
from comptoir.units.errors import Refused
from comptoir.units.ids import LeaseId, NodeId
from comptoir.units.time import MS_PER_S, Window

MOST_PLACES_FOR_RECLAIM = 64
MOST_SECOND_THOUGHTS = 16


@dataclass(frozen=True, slots=True)
class PlannedAllocation:
    """Accelerators of one node, promised up to `ends_at_ms`."""

    node_id: NodeId
    accelerators: tuple[int, ...]
    ends_at_ms: int | None


@dataclass(frozen=True, slots=True)
class PlannedReclaim:
    """A lease to be taken back so that its accelerators are free at `until_ms`."""

    lease_id: LeaseId
    until_ms: int
    cost_accelerator_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole gang, from one start on, and what it takes back."""

    lease_id: LeaseId
    starts_at_ms: int
    allocations: tuple[PlannedAllocation, ...]
    reclaims: tuple[PlannedReclaim, ...]
    why: str


def plan_lease(snapshot: Snapshot, request: LeaseRequest, now_ms: int) -> Plan | None:
    """Where `request` can stand, or None: it has to wait.

    Raises:
        Refused: `kind_not_in_fleet`, `fleet_too_small` or `shape_impossible`: it could not
            stand here even on an empty fleet.
    """
    refuse_impossible(snapshot, request)
    return plan_free(snapshot, request, now_ms) or plan_reclaim(snapshot, request, now_ms)


def refuse_impossible(snapshot: Snapshot, request: LeaseRequest) -> None:
    """Say no at once to what no waiting can make possible.

    Raises:
        Refused: as `plan_lease`.
    """
    total = snapshot.total(request.kind)
    facts = {"kind": request.kind, "accelerators": request.accelerators, "in_service": total}
    if total == 0:
        raise Refused(
            "kind_not_in_fleet",
            f"no {request.kind} is in service",
            "`comptoir fleet show` lists the kinds there are",
            facts,
        )
    if request.accelerators > total:
        raise Refused(
            "fleet_too_small",
            f"you asked for {request.accelerators:,} x {request.kind}; {total:,} are in service",
            f"ask for at most {total:,}",
            facts,
        )
    largest = snapshot.largest_place(request.kind, request.shape)
    if request.accelerators > largest:
        fits = [
            shape
            for shape in reversed(Shape)
            if snapshot.largest_place(request.kind, shape) >= request.accelerators
        ]
        wider = next((shape for shape in Shape if shape in fits), None)
        raise Refused(
            "shape_impossible",
            f"the largest {request.shape} of {request.kind} in service holds {largest:,} "
            f"accelerators, you asked for {request.accelerators:,} in one {request.shape}",
            f"use --shape {wider}" if wider else f"ask for at most {largest:,}",
            {**facts, "shape": request.shape, "largest": largest},
        )


def plan_free(snapshot: Snapshot, request: LeaseRequest, now_ms: int) -> Plan | None:
    """A plan on accelerators that are free over the whole window, tightest place first."""
    chosen = _untouched(snapshot, request) or _free_over_window(snapshot, request, now_ms)
    if chosen is None:
        return None
    return Plan(
        request.lease_id,
        request.window.start_ms,
        _promised(snapshot, request, request.window, chosen),
        (),
        "free accelerators, in the tightest place that holds them all",
    )


def plan_reclaim(snapshot: Snapshot, request: LeaseRequest, now_ms: int) -> Plan | None:
    """The soonest plan that takes back weaker, reclaimable leases; of equals the cheapest."""
    best: tuple[int, int, Plan] | None = None
    tried = 0
    for node_ids in snapshot.places(request.kind, request.shape).values():
        nodes = [snapshot.nodes[node_id] for node_id in node_ids]
        victims = _victims(snapshot, request, nodes)
        within = sum(lease.accelerators for lease in victims)
        if not victims or within + _most_free(nodes, snapshot) < request.accelerators:
            continue
        tried += 1
        if tried > MOST_PLACES_FOR_RECLAIM:
            break
        found = _cheapest_cover(snapshot, request, nodes, victims, now_ms)
        if found is not None:
            cost, plan = found
            if best is None or (plan.starts_at_ms, cost) < best[:2]:
                best = (plan.starts_at_ms, cost, plan)
    return best[2] if best else None


def _most_free(nodes: list[Node], snapshot: Snapshot) -> int:
    """At most so many accelerators of these nodes could be free without any reclaim."""
    return sum(
        node.accelerators
        if any(_passes(a) for a in snapshot.standing_on(node.id))
        else len(snapshot.untouched(node.id))
        for node in nodes
    )


def _passes(allocation: Allocation) -> bool:
    """Whether it will end by itself, or has yet to start."""
    return allocation.ends_at_ms is not None or allocation.delivered_from_ms is None


def _untouched(snapshot: Snapshot, request: LeaseRequest) -> dict[NodeId, list[int]] | None:
    """Accelerators on which nothing stands at all: no windows to compare."""
    if request.shape is Shape.NODE:
        for node in snapshot.nodes_by_untouched(request.kind, request.accelerators):
            if _may_stand(snapshot, request, node):
                return {node.id: sorted(snapshot.untouched(node.id))[: request.accelerators]}
        return None
    places = [
        (snapshot.place_untouched(request.kind, request.shape, place), place)
        for place in snapshot.places(request.kind, request.shape)
    ]
    for free, place in sorted(places):
        if free < request.accelerators:
            continue
        node_ids = snapshot.places(request.kind, request.shape)[place]
        chosen = _take(
            request.accelerators,
            (
                (node.id, sorted(snapshot.untouched(node.id)))
                for node in snapshot.freest_first(request.kind, node_ids)
                if _may_stand(snapshot, request, node)
            ),
        )
        if chosen is not None:
            return chosen
    return None


def _free_over_window(
    snapshot: Snapshot, request: LeaseRequest, now_ms: int
) -> dict[NodeId, list[int]] | None:
    """As above, counting too what ends before the window or starts after it."""
    if not snapshot.partial_nodes(request.kind):
        return None
    fits: list[tuple[int, Place, dict[NodeId, list[int]]]] = []
    for place, node_ids in snapshot.places(request.kind, request.shape).items():
        free = {
            node.id: snapshot.free_over(node, request.window, now_ms)
            for node in map(snapshot.nodes.__getitem__, node_ids)
            if _may_stand(snapshot, request, node)
        }
        count = sum(map(len, free.values()))
        if count >= request.accelerators:
            fits.append((count, place, free))
    for _, _, free in sorted(fits, key=lambda fit: fit[:2]):
        chosen = _take(request.accelerators, _freest_first(free.items()))
        if chosen is not None:
            return chosen
    return None


def _freest_first(
    offered: Iterable[tuple[NodeId, list[int]]],
) -> list[tuple[NodeId, list[int]]]:
    """Nodes with what is free on them, most first, then by id."""
    return sorted(offered, key=lambda item: (-len(item[1]), item[0]))


def _take(
    wanted: int, offered: Iterable[tuple[NodeId, list[int]]]
) -> dict[NodeId, list[int]] | None:
    """Whole nodes first, so that a gang leaves the fewest nodes broken; None if short.

    `offered` comes freest first; no more of it is looked at than is needed.
    """
    chosen: dict[NodeId, list[int]] = {}
    for node_id, free in offered:
        if wanted == 0:
            break
        part = free[:wanted]
        if part:
            chosen[node_id] = part
            wanted -= len(part)
    return chosen if wanted == 0 else None


def _may_stand(snapshot: Snapshot, request: LeaseRequest, node: Node) -> bool:
    """Whether supply and tenancy allow this tenant on this node over this window."""
    if not snapshot.promise_end(node, request, request.window)[0]:
        return False
    if CATALOGUE[node.kind].tenancy is Tenancy.SANDBOXED_SHARED:
        return True
    return all(a.tenant_id == request.tenant_id for a in snapshot.standing_on(node.id))


def _promised(
    snapshot: Snapshot, request: LeaseRequest, window: Window, chosen: dict[NodeId, list[int]]
) -> tuple[PlannedAllocation, ...]:
    return tuple(
        PlannedAllocation(
            node_id,
            tuple(indexes),
            snapshot.promise_end(snapshot.nodes[node_id], request, window)[1],
        )
        for node_id, indexes in sorted(chosen.items())
    )


def _victims(snapshot: Snapshot, request: LeaseRequest, nodes: list[Node]) -> list[Lease]:
    found: dict[LeaseId, Lease] = {}
    for node in nodes:
        for allocation in snapshot.standing_on(node.id):
            lease = snapshot.leases[allocation.lease_id]
            if (
                lease.reclaimable
                and lease.state is LeaseState.ACTIVE
                and STRENGTH[lease.lease_class] < STRENGTH[request.lease_class]
                and lease.id != request.lease_id
            ):
                found[lease.id] = lease
    return list(found.values())


def _cheapest_cover(
    snapshot: Snapshot,
    request: LeaseRequest,
    nodes: list[Node],
    victims: list[Lease],
    now_ms: int,
) -> tuple[int, Plan] | None:
    """Victims by notice, then by cost per accelerator, until the gang fits; the needless go.

    The shortest sufficient beginning of that order is found by halving: each look reads
    every allocation of the place, so there must be few of them.
    """
    end_ms = request.window.end_ms
    ordered = sorted(
        (x for x in victims if end_ms is None or now_ms + x.notice_s * MS_PER_S < end_ms),
        key=lambda x: (x.notice_s, _cost(x, now_ms) / x.accelerators, x.id),
    )
    low, high = 1, len(ordered)
    fit = _fit_without(snapshot, request, nodes, ordered, now_ms) if ordered else None
    if fit is None:
        return None
    while low < high:
        middle = (low + high) // 2
        smaller = _fit_without(snapshot, request, nodes, ordered[:middle], now_ms)
        if smaller is None:
            low = middle + 1
        else:
            high, fit = middle, smaller
    taken = ordered[:high]
    by_cost = sorted(taken, key=lambda lease: -_cost(lease, now_ms))
    for lease in by_cost[:MOST_SECOND_THOUGHTS]:
        fewer = [other for other in taken if other.id != lease.id]
        smaller = _fit_without(snapshot, request, nodes, fewer, now_ms) if fewer else None
        if smaller is not None:
            taken, fit = fewer, smaller
    window, chosen = fit
    cost = sum(_cost(lease, now_ms) for lease in taken)
    reclaims = tuple(
        PlannedReclaim(
            lease.id,
            window.start_ms,
            _cost(lease, now_ms),
            f"{lease.lease_class}, reclaimable, loses the least running time",
        )
        for lease in taken
    )
    return cost, Plan(
        request.lease_id,
        window.start_ms,
        _promised(snapshot, request, window, chosen),
        reclaims,
        f"no {request.accelerators} free: the cheapest reclaimable leases give way",
    )


def _cost(lease: Lease, now_ms: int) -> int:
    """Accelerator-milliseconds lost at most: all since it started, the whole gang's."""
    return lease.accelerators * (now_ms - (lease.activated_at_ms or now_ms))


def _fit_without(
    snapshot: Snapshot,
    request: LeaseRequest,
    nodes: list[Node],
    victims: list[Lease],
    now_ms: int,
) -> tuple[Window, dict[NodeId, list[int]]] | None:
    notice_ms = max(lease.notice_s for lease in victims) * MS_PER_S
    start = max(request.window.start_ms, now_ms + notice_ms)
    if request.window.end_ms is not None and start >= request.window.end_ms:
        return None
    window = Window(start, request.window.end_ms)
    gone = {lease.id for lease in victims}
    shared = CATALOGUE[request.kind].tenancy is Tenancy.SANDBOXED_SHARED
    offered: list[tuple[NodeId, list[int]]] = []
    for node in nodes:
        if not snapshot.promise_end(node, request, window)[0]:
            continue
        others = [a for a in snapshot.standing_on(node.id) if a.lease_id not in gone]
        if not shared and any(a.tenant_id != request.tenant_id for a in others):
            continue
        taken = {
            index
            for a in others
            if standing_window(a, now_ms).overlaps(window)
            for index in a.accelerators
        }
        offered.append((node.id, [i for i in range(node.accelerators) if i not in taken]))
    chosen = _take(request.accelerators, _freest_first(offered))
    return None if chosen is None else (window, chosen)
