"""The planner. This file decides where a lease stands and **which leases are reclaimed**.

Order of trying, in the pools that the request may use:

1. untouched accelerators, tightest place first: the kernel's bucket lists (`kernel_find.py`);
2. accelerators that are free over the window though something stands there before or after
   it (`windows.py`); the calendars say no first where they can;
3. for a lease that gives way and has no end, the longest gap before somebody's promise
   (`gaps.py`);
4. for a request that is stronger than what stands there, the soonest and cheapest set of
   reclaimable leases (`reclaim.py`).

A node, rack, pod or cluster lies in one pool; only a site combines its pools. A plan is a
proposal: it changes nothing until the desk commits it, and `check.py` reads it first.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from comptoir.leases.claims import EARLIER, gives_way_as
from comptoir.leases.lease import LeaseRequest, Shape
from comptoir.placement import windows
from comptoir.placement.aside import without_rejected
from comptoir.placement.gaps import longest_gap
from comptoir.placement.kernel_find import ON_CLUSTER
from comptoir.placement.pools import Pool, PoolKey
from comptoir.placement.recalls import RecallsLeft, any_number
from comptoir.placement.reclaim import (
    LEVELS,
    CostOf,
    Cover,
    cheapest_cover,
    free_without,
    lost_accelerator_ms,
    spared,
)
from comptoir.placement.snapshot import Snapshot, promised_until
from comptoir.units.errors import Refused, invariant
from comptoir.units.ids import LeaseId, NodeId
from comptoir.units.time import Window
from comptoir.units.values import quick, replace

MayFit = Callable[[Pool, LeaseRequest], bool]
"""A cheap no: False if a pool cannot have enough free over the request's window."""

Chosen = list[tuple[Pool, NodeId, int]]
"""Nodes and how many accelerators of each."""


@quick
@dataclass(frozen=True, slots=True)
class PlannedAllocation:
    """Accelerators of one node, promised up to `ends_at_ms`."""

    node_id: NodeId
    accelerators: tuple[int, ...]
    ends_at_ms: int | None


@dataclass(frozen=True, slots=True)
class PlannedReclaim:
    """A lease to be taken back so that its accelerators are free at `until_ms`.

    `cost` is what was compared: accelerator-ms of lost work, or what `cost_of` said.
    """

    lease_id: LeaseId
    until_ms: int
    cost_accelerator_ms: int
    why: str
    cost: int = 0


@quick
@dataclass(frozen=True, slots=True)
class Plan:
    """A whole gang, from one start on, and what it takes back.

    `fills_gap`: without an end of its own, it ends before what somebody else is promised.
    """

    lease_id: LeaseId
    starts_at_ms: int
    allocations: tuple[PlannedAllocation, ...]
    reclaims: tuple[PlannedReclaim, ...]
    why: str
    fills_gap: bool = False


def plan_lease(
    snapshot: Snapshot,
    request: LeaseRequest,
    now_ms: int,
    *,
    eligible: Collection[PoolKey] | None = None,
    may_fit: MayFit | None = None,
    cost_of: CostOf = lost_accelerator_ms,
    recalls_left: RecallsLeft = any_number,
) -> Plan | None:
    """Where `request` can stand, or None: it has to wait.

    Args:
        eligible: The pools that the request may use; None is all of its kind.
        may_fit: The calendar's cheap no, asked of each pool before windows are compared.
        cost_of: What it costs to take a lease back, an integer.
        recalls_left: How many leases of a contract may be recalled.

    Raises:
        Refused: `kind_not_in_fleet`, `fleet_too_small` or `shape_impossible`: it could not
            stand here even on an empty fleet.
    """
    refuse_impossible(snapshot, request)
    snapshot.advance(now_ms)
    pools = pools_for(snapshot, request, eligible)
    if request.rejected:
        with without_rejected(snapshot, request):
            return _planned(snapshot, request, now_ms, pools, may_fit, cost_of, recalls_left)
    return _planned(snapshot, request, now_ms, pools, may_fit, cost_of, recalls_left)


def _planned(
    snapshot: Snapshot,
    request: LeaseRequest,
    now_ms: int,
    pools: list[Pool],
    may_fit: MayFit | None,
    cost_of: CostOf,
    recalls_left: RecallsLeft,
) -> Plan | None:
    return (
        plan_free(snapshot, request, now_ms, pools, may_fit)
        or plan_gap(snapshot, request, now_ms, pools)
        or plan_reclaim(snapshot, request, now_ms, pools, cost_of, recalls_left)
    )


def refuse_impossible(snapshot: Snapshot, request: LeaseRequest) -> None:
    """Say no at once to what no waiting can make possible.

    Raises:
        Refused: as `plan_lease`.
    """
    wanted = request.accelerators
    total, largest = snapshot.capacity(request, request.shape)
    if wanted <= largest:
        return
    whole = max(snapshot.capacity(request, shape)[1] for shape in Shape)  # no shape is wider
    facts = {"kind": request.kind, "accelerators": wanted, "in_service": total}
    if total == 0:
        raise Refused(
            "kind_not_in_fleet",
            f"no {request.kind} is in service",
            "`comptoir fleet show` lists the kinds there are",
            facts,
        )
    if wanted > total:
        raise Refused(
            "fleet_too_small",
            f"you asked for {wanted:,} x {request.kind}; {total:,} are in service"
            + (f", {whole:,} of them at one site" if whole < total else ""),
            f"ask for at most {whole:,}",
            facts,
        )
    fits = [shape for shape in Shape if snapshot.capacity(request, shape)[1] >= wanted]
    raise Refused(
        "shape_impossible",
        f"the largest {request.shape} of {request.kind} in service holds {largest:,} "
        f"accelerators, you asked for {wanted:,} in one {request.shape}",
        f"use --shape {fits[0]}" if fits else f"ask for at most {largest:,}",
        {**facts, "shape": request.shape, "largest": largest},
    )


def plan_free(
    snapshot: Snapshot,
    request: LeaseRequest,
    now_ms: int,
    pools: list[Pool],
    may_fit: MayFit | None = None,
) -> Plan | None:
    """A plan on accelerators that are free over the whole window, tightest place first."""
    shapes = [request.shape]
    if request.preferred_shape is not None:
        shapes.insert(0, request.preferred_shape)
    for shape in shapes:
        chosen = _untouched(request, shape, pools)
        if chosen:
            parts = [(pool, id, pool.untouched(id, count)) for pool, id, count in chosen]
        else:
            chosen = _over_window(snapshot, request, shape, pools, now_ms, may_fit)
            parts = [
                (pool, id, _free_on(snapshot, request, id, now_ms)[:count])
                for pool, id, count in chosen
            ]
        if parts:
            return Plan(
                request.lease_id,
                request.window.start_ms,
                _promised(request, request.window, parts),
                (),
                "free accelerators, in the tightest place that holds them all",
            )
    return None


def plan_gap(
    snapshot: Snapshot, request: LeaseRequest, now_ms: int, pools: list[Pool]
) -> Plan | None:
    """A plan that ends by itself, before what is promised to somebody else begins."""
    found = longest_gap(request, pools, lambda ask, some: plan_free(snapshot, ask, now_ms, some))
    if found is None:
        return None
    why = "fills the longest gap before what is promised to somebody else"
    return replace(found, why=why, fills_gap=True)


def plan_reclaim(
    snapshot: Snapshot,
    request: LeaseRequest,
    now_ms: int,
    pools: list[Pool],
    cost_of: CostOf = lost_accelerator_ms,
    recalls_left: RecallsLeft = any_number,
) -> Plan | None:
    """The soonest plan that takes back weaker, reclaimable leases; of equals the cheapest.

    An entitled team takes spot first, then what is lent or borrowed, then what it may recall:
    a later tier is looked at only if the ones before do not free enough (`leases/claims.py`).
    """
    found = None
    for reach in range(1, request.strength + 1):
        asked = replace(request, reach=reach)
        found = cheapest_cover(snapshot, asked, pools, now_ms, cost_of, recalls_left)
        if found is not None:
            break
    if found is None:
        return None
    cover, second = found
    window = Window(cover.start_ms, request.window.end_ms)
    parts = _freed(snapshot, request, cover, window, now_ms)
    cover = spared(snapshot, request, cover, parts, window, now_ms)
    why = f"no {request.accelerators:,} free: the cheapest reclaimable leases give way"
    if reach > 1:
        why = f"{why}; {EARLIER[reach - 1]} alone would not free enough"
    if second is not None:
        why += f", at a cost of {cover.cost:,}; in the next best place it is {second.cost:,}"
        if second.start_ms > cover.start_ms:
            why += f", {second.start_ms - cover.start_ms:,} ms later"
    return Plan(
        request.lease_id,
        cover.start_ms,
        _promised(request, window, parts),
        tuple(_reclaim(snapshot, cover, victim, now_ms) for victim in cover.victims),
        why,
    )


def pools_for(
    snapshot: Snapshot, request: LeaseRequest, eligible: Collection[PoolKey] | None = None
) -> list[Pool]:
    """The pools that a request may use over its window, the one with the least free first."""
    pools = [
        pool
        for pool in snapshot.pools_of(request.kind)
        if (eligible is None or pool.key in eligible)
        and promised_until(pool.key, request, request.window)[0]
    ]
    if len(pools) < 2:
        return pools
    return sorted(pools, key=lambda pool: pool.room_for(pool.owner_of(request.tenant_id)))


def _untouched(request: LeaseRequest, shape: Shape, pools: list[Pool]) -> Chosen:
    """Accelerators on which nothing stands at all: no windows to compare."""
    for level in range(LEVELS[shape] + 1):
        for pool in pools:
            found = pool.find(level, request.accelerators, pool.owner_of(request.tenant_id))
            if found:
                return [(pool, node_id, count) for node_id, count in found]
    if shape is Shape.SITE and len(pools) > 1:
        return _untouched_in_site(request, pools)
    return []


def _untouched_in_site(request: LeaseRequest, pools: list[Pool]) -> Chosen:
    """As above, from several pools of a site: of the sites that hold it, the tightest."""
    best: tuple[int, str, list[tuple[int, Pool]]] | None = None
    for site in sorted({pool.key.site for pool in pools}):
        rooms = [
            (pool.room_for(pool.owner_of(request.tenant_id)), pool)
            for pool in pools
            if pool.key.site == site
        ]
        total = sum(room for room, _ in rooms)
        if total >= request.accelerators and (best is None or total < best[0]):
            best = total, site, rooms
    if best is None:
        return []
    chosen: Chosen = []
    missing = request.accelerators
    for room, pool in sorted(best[2], key=lambda item: -item[0]):
        part = min(room, missing)
        if part:
            found = pool.find(ON_CLUSTER, part, pool.owner_of(request.tenant_id))
            chosen += [(pool, node_id, count) for node_id, count in found]
            missing -= part
    return chosen


def _over_window(
    snapshot: Snapshot,
    request: LeaseRequest,
    shape: Shape,
    pools: list[Pool],
    now_ms: int,
    may_fit: MayFit | None,
) -> Chosen:
    """Accelerators on which something stands, but not during the window: tightest place first."""
    if not any(windows.something_passes(pool, request.window, now_ms) for pool in pools):
        return []
    pools = [pool for pool in pools if may_fit is None or may_fit(pool, request)]
    free = [
        (
            pool,
            windows.available(
                pool,
                request.tenant_id,
                request.window,
                now_ms,
                lambda node_id: len(_free_on(snapshot, request, node_id, now_ms)),
            ),
        )
        for pool in pools
    ]
    for narrow, level in LEVELS.items():
        if narrow is Shape.SITE or level > LEVELS[shape]:
            continue
        chosen = _in_tightest(request, narrow, free)
        if chosen:
            return chosen
    if shape is Shape.SITE:
        for site in sorted({pool.key.site for pool in pools}):
            there = [(pool, counts) for pool, counts in free if pool.key.site == site]
            if sum(int(counts.sum()) for _, counts in there) >= request.accelerators:
                return _from_site(request, there)
    return []


def _in_tightest(
    request: LeaseRequest, shape: Shape, free: list[tuple[Pool, windows.Counts]]
) -> Chosen:
    """The tightest place of a shape that holds them all; none if there is none."""
    best: tuple[int, Pool, windows.Counts, windows.Counts, int] | None = None
    for pool, counts in free:
        places = windows.places_of(pool, shape)
        found = windows.tightest(counts, places, request.accelerators)
        if found is not None and (best is None or found[0] < best[0]):
            best = found[0], pool, counts, places, found[1]
    if best is None:
        return []
    _, pool, counts, places, place = best
    taken = windows.taken_from(pool, counts, places, place, request.accelerators)
    return [(pool, node_id, count) for node_id, count in taken]


def _from_site(request: LeaseRequest, site: list[tuple[Pool, windows.Counts]]) -> Chosen:
    """A gang from several pools, the roomiest first."""
    chosen: Chosen = []
    missing = request.accelerators
    for pool, counts in sorted(site, key=lambda item: -int(item[1].sum())):
        part = min(int(counts.sum()), missing)
        places = windows.places_of(pool, Shape.SITE)
        taken = windows.taken_from(pool, counts, places, 0, part)
        chosen += [(pool, node_id, count) for node_id, count in taken]
        missing -= part
    return chosen


def _freed(
    snapshot: Snapshot, request: LeaseRequest, cover: Cover, window: Window, now_ms: int
) -> list[tuple[Pool, NodeId, list[int]]]:
    """The accelerators that a request gets in a place once the victims are gone."""
    site: list[tuple[Pool, windows.Counts]] = []

    def free_on(node_id: NodeId) -> list[int]:
        return free_without(snapshot, request, node_id, cover.victims, window, now_ms)

    for part in cover.place.within:
        pool = part.pool
        if not promised_until(pool.key, request, window)[0]:
            continue
        counts = windows.available(
            pool, request.tenant_id, window, now_ms, lambda node_id: len(free_on(node_id))
        )
        for victim in cover.victims:
            for allocation in snapshot.allocations_of[victim].values():
                if allocation.fenced_at_ms is None and allocation.node_id in pool.handles:
                    row = pool.row_of(allocation.node_id)
                    counts[row] = len(free_on(allocation.node_id))
        site.append((pool, windows.within(pool, counts, part.level, part.place)))
    missing = request.accelerators
    chosen: list[tuple[Pool, NodeId, list[int]]] = []
    for pool, node_id, count in _from_site(request, site):
        chosen.append((pool, node_id, free_on(node_id)[:count]))
        missing -= len(chosen[-1][2])
    invariant(missing == 0, f"the cover for {request.lease_id} is short of {missing}")
    return chosen


def _free_on(snapshot: Snapshot, request: LeaseRequest, node_id: NodeId, now_ms: int) -> list[int]:
    return free_without(snapshot, request, node_id, (), request.window, now_ms)


def _promised(
    request: LeaseRequest, window: Window, parts: list[tuple[Pool, NodeId, list[int]]]
) -> tuple[PlannedAllocation, ...]:
    """A gang is whole or absent: all of it is promised up to where its first part ends."""
    end_ms: int | None = None
    for pool in {id(pool): pool for pool, _, _ in parts}.values():
        end = promised_until(pool.key, request, window)[1]
        if end is not None and (end_ms is None or end < end_ms):
            end_ms = end
    if len(parts) > 1:
        parts = sorted(parts, key=lambda part: part[1])
    return tuple(
        [PlannedAllocation(node_id, tuple(indexes), end_ms) for _, node_id, indexes in parts]
    )


def _reclaim(snapshot: Snapshot, cover: Cover, victim: LeaseId, now_ms: int) -> PlannedReclaim:
    """A victim, and why it and not another."""
    lease, cost = snapshot.leases[victim], cover.costs[victim]
    why = f"{gives_way_as(lease)}; taking it back costs {cost:,} accelerator-ms of work"
    if victim not in cover.second_best:
        why += f", of {cover.cost:,} in all, the least that frees enough there"
    elif (without := cover.second_best[victim]) is None:
        why += ", and without it not enough can be freed there"
    else:
        why += f"; all together cost {cover.cost:,}, and without it {without:,}"
    return PlannedReclaim(victim, cover.start_ms, lost_accelerator_ms(lease, now_ms), why, cost)
