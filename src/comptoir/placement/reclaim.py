"""Which leases give way to a stronger claim: the soonest cover, of equals the cheapest.

Who may be a victim is the lease's own word (`leases/claims.py`): only if its claim is strictly
weaker, it is active, and by then it has run as long as it was promised to: so nobody is
reclaimed by whom it could reclaim, and reclaim never loops. What a victim costs is the work
it loses, its whole gang's, wherever it stands; a later tier is dearer than all before it.

Places of the request's shape are ranked by counters, and the best are read exactly
(`kernel_reclaim.py`): in each, the soonest start at which enough can be free, then the
cheapest victims for it (`kernel_cover.py`), no more of one contract than it allows to be recalled
(`recalls.py`). Bound: MOST_PLACES places with a cover, MOST_TRIED
in all. A place of more than MOST_NODES nodes is read pod by pod if the gang fits in one, then in
the racks with the youngest work, and whole only if those do not suffice.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from comptoir.leases.claims import free_at_ms, tier_of
from comptoir.leases.lease import Lease, LeaseRequest, Shape
from comptoir.placement import kernel as k
from comptoir.placement.kernel_find import ON_CLUSTER, ON_NODE, ON_POD, ON_RACK
from comptoir.placement.kernel_reclaim import (
    ENDLESS,
    MOST_PODS,
    MOST_TRIED,
    RECORD,
)
from comptoir.placement.pools import Pool, mask_of, rank_of
from comptoir.placement.recalls import Bounds, RecallsLeft, without
from comptoir.placement.snapshot import Snapshot, promised_until, stands_during
from comptoir.placement.tiers import by_tier, one_price
from comptoir.units.ids import LeaseId, NodeId
from comptoir.units.time import Window
from comptoir.units.values import replace

MOST_NODES = 4_096
MOST_PLACES = 3
"""Places in which a cover was found, at most: a plan can wait for one more than a replay does."""

MOST_BOUNDED_STARTS = 8
"""So many starts are tried of those at which bounds may allow enough to go."""

MOST_SECOND_BEST = 4
"""For so many victims, the dearest first, it is worked out what their place costs without them."""

LEVELS = {
    Shape.NODE: ON_NODE,
    Shape.RACK: ON_RACK,
    Shape.POD: ON_POD,
    Shape.CLUSTER: ON_CLUSTER,
    Shape.SITE: ON_CLUSTER,
}
CostOf = Callable[[Lease, int], int]
"""What taking a lease back at an instant costs, whole gang: an integer in the caller's unit."""


Reading = tuple[int, list[int], list[LeaseId]]
"""What is free in a place from a start on, the records of what could be, and whose they are."""


@dataclass(frozen=True, slots=True)
class Part:
    """A place, or one pool's part of it."""

    pool: Pool
    level: int
    place: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gang may stand, and the parts of it in which victims are looked for."""

    parts: tuple[Part, ...]
    within: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Cover:
    """The victims of one place. `start_ms`: when their accelerators are free.

    `by_tier` is what they cost, the last tier first: of covers that start at once the one that
    is least there is the best.
    """

    start_ms: int
    cost: int
    by_tier: tuple[int, ...]
    victims: tuple[LeaseId, ...]
    place: Place
    costs: dict[LeaseId, int]
    second_best: dict[LeaseId, int | None]

    @property
    def order(self) -> tuple[int, tuple[int, ...]]:
        """What makes it better than another: the soonest, of equals the cheapest."""
        return self.start_ms, self.by_tier


def lost_accelerator_ms(lease: Lease, now_ms: int) -> int:
    """Work lost by taking a lease back: all since it was last handed over; and one for the act."""
    return lease.accelerators * max(0, now_ms - lease.state_since_ms) + 1


def cheapest_cover(
    snapshot: Snapshot,
    request: LeaseRequest,
    pools: list[Pool],
    now_ms: int,
    cost_of: CostOf,
    recalls_left: RecallsLeft,
) -> tuple[Cover, Cover | None] | None:
    """The best cover among the promising places, and the next best one's; or None."""
    for places in _searches(request, pools, now_ms):
        found: list[tuple[Cover, _Unit]] = []
        for tried, place in enumerate(places, 1):
            unit = _Unit(snapshot, request, place, now_ms, cost_of, recalls_left)
            cover = unit.cover()
            if cover is not None:
                found.append((cover, unit))
            if len(found) >= MOST_PLACES or tried >= MOST_TRIED:
                break
        if found:
            found.sort(key=lambda item: item[0].order)
            best, unit = found[0]
            return unit.explained(best), found[1][0] if len(found) > 1 else None
    return None


def _searches(request: LeaseRequest, pools: list[Pool], now_ms: int) -> Iterator[Iterator[Place]]:
    """Places that might be freed, the most promising first: the next only if none of these can.

    Large clusters and sites pod by pod, then in part, then whole.
    """
    level = LEVELS[request.shape]
    if level != ON_CLUSTER:
        yield _within_pods(request, pools, level, now_ms)
        return
    groups = [[pool] for pool in pools]
    if request.shape is Shape.SITE:
        sites: dict[str, list[Pool]] = {}
        for pool in pools:
            sites.setdefault(pool.key.site, []).append(pool)
        groups = list(sites.values())
    small = [group for group in groups if sum(len(pool.handles) for pool in group) <= MOST_NODES]
    large = [group for group in groups if group not in small]
    in_large = [pool for group in large for pool in group]
    yield chain(_whole(request, small, now_ms), _within_pods(request, in_large, ON_POD, now_ms))
    yield _some_racks(request, large, now_ms)
    yield _whole(request, large, now_ms)


def _whole(request: LeaseRequest, groups: list[list[Pool]], now_ms: int) -> Iterator[Place]:
    """Clusters or sites in which anything might be freed."""
    for group in groups:
        if any(pool.promising_pods(1, request.strength, now_ms) for pool in group):
            parts = tuple(Part(pool, ON_CLUSTER, 0) for pool in group)
            yield Place(parts, parts)


def _some_racks(request: LeaseRequest, groups: list[list[Pool]], now_ms: int) -> Iterator[Place]:
    """Of large clusters and sites, the racks that may free enough; the gang takes room beside."""
    for group in groups:
        racks = [
            Part(pool, ON_RACK, rack)
            for pool in group
            for rack in pool.youngest_racks(request.accelerators, request.strength, now_ms)
        ]
        if racks:
            yield Place(tuple(racks), tuple(Part(pool, ON_CLUSTER, 0) for pool in group))


def _within_pods(
    request: LeaseRequest, pools: list[Pool], level: int, now_ms: int
) -> Iterator[Place]:
    """Pods, racks or nodes, those of MOST_PODS pods ranked at a time."""
    wanted, strength = request.accelerators, request.strength
    pods = sorted(
        (score, number, pod)
        for number, pool in enumerate(pools)
        for score, pod in pool.promising_pods(wanted, strength, now_ms)
    )
    for first in range(0, len(pods), MOST_PODS):
        some = pods[first : first + MOST_PODS]
        places = sorted(
            (score, number, place)
            for number, pool in enumerate(pools)
            for score, place in pool.promising_places(
                level, [pod for _, of, pod in some if of == number], wanted, strength, now_ms
            )
        )
        for _, number, place in places:
            pool = pools[number]
            if level != ON_NODE:
                yield _one(Part(pool, level, place))
                continue
            nodes = pool.nodes_of_rack(place, wanted, strength, now_ms)
            yield from (_one(Part(pool, ON_NODE, node)) for _, node in nodes[:MOST_PLACES])


def _one(part: Part) -> Place:
    return Place((part,), (part,))


class _Unit:
    """One place before one request: what of it is free, and what could be, at an instant."""

    def __init__(
        self,
        snapshot: Snapshot,
        request: LeaseRequest,
        place: Place,
        now_ms: int,
        cost_of: CostOf,
        recalls_left: RecallsLeft,
    ) -> None:
        self._snapshot = snapshot
        self._request = request
        self._place = place
        self._parts = place.parts
        self._now_ms = now_ms
        self._cost_of = cost_of
        self._recalls_left = recalls_left
        self._known: dict[int, Reading] = {}

    def cover(self) -> Cover | None:
        """The soonest start at which enough can be free, and the cheapest victims for it."""
        starts = self._starts()
        low, high = 0, len(starts) - 1
        while low < high:  # what can be free at one start can be at every later one
            middle = (low + high) // 2
            if self._enough(starts[middle]):
                high = middle
            else:
                low = middle + 1
        for start_ms in starts[low : low + MOST_BOUNDED_STARTS]:
            if self._enough(start_ms) and (found := self._cover_at(start_ms)) is not None:
                return found
        return None

    def _cover_at(self, start_ms: int) -> Cover | None:
        """The cheapest victims whose accelerators are enough from a start on."""
        free, records, victims = self._read(start_ms)
        costs, tiers = self._costs(victims)
        missing = self._request.accelerators - free
        bounds = self._bounds(victims, start_ms)
        chosen = list[int]()
        if missing > 0:
            chosen = self._chosen(records, one_price(costs, tiers), missing, bounds)
            if not chosen:
                return None
        return Cover(
            start_ms,
            sum(costs[number] for number in chosen),
            by_tier([costs[n] for n in chosen], [tiers[n] for n in chosen]),
            tuple(victims[number] for number in chosen),
            self._place,
            {victims[number]: costs[number] for number in chosen},
            {},
        )

    def explained(self, cover: Cover) -> Cover:
        """The cover with what the place would cost without each of its dearest victims."""
        free, records, victims = self._read(cover.start_ms)
        costs, tiers = self._costs(victims)
        missing = self._request.accelerators - free
        bounds = self._bounds(victims, cover.start_ms)
        second_best: dict[LeaseId, int | None] = {}
        for victim in sorted(cover.victims, key=lambda v: -cover.costs[v])[:MOST_SECOND_BEST]:
            others = without(records, {victims.index(victim)})
            prices = one_price(costs, tiers)
            chosen = self._chosen(others, prices, missing, bounds) if others else []
            second_best[victim] = sum(costs[number] for number in chosen) if chosen else None
        return replace(cover, second_best=second_best)

    def _costs(self, victims: list[LeaseId]) -> tuple[list[int], list[int]]:
        """What each victim costs, and the tier in which it gives way."""
        leases = [self._snapshot.leases[victim] for victim in victims]
        return [self._cost_of(x, self._now_ms) for x in leases], [int(tier_of(x)) for x in leases]

    def _bounds(self, victims: list[LeaseId], start_ms: int) -> Bounds:
        """How many of the victims may be recalled by a start, contract by contract."""
        leases = [self._snapshot.leases[victim] for victim in victims]
        return Bounds.on(leases, start_ms, self._recalls_left)

    def _chosen(
        self, records: list[int], costs: list[int], missing: int, bounds: Bounds
    ) -> list[int]:
        backend = self._parts[0].pool.backend
        listed = backend.listed(costs)

        def solve(some: list[int]) -> list[int]:
            return list(backend.cover(backend.listed(some), listed, missing))

        return bounds.cover(records, costs, solve) if bounds.left else solve(records)

    def _enough(self, start_ms: int) -> bool:
        free, records, victims = self._read(start_ms)
        wanted = self._request.accelerators - free
        if sum(records[2::RECORD]) < wanted:
            return False
        bounds = self._bounds(victims, start_ms)
        return not bounds.left or bounds.most_freed(records) >= wanted

    def _starts(self) -> list[int]:
        """The instants at which victims' accelerators may be free, before the window is over."""
        leases, window = self._snapshot.leases, self._request.window
        free_at = {
            max(window.start_ms, free_at_ms(leases[victim], self._now_ms))
            for part in self._parts
            for victim in part.pool.weak_leases(part.level, part.place, self._request.strength)
        }
        return sorted(at for at in free_at if window.end_ms is None or at < window.end_ms)

    def _read(self, start_ms: int) -> Reading:
        """As of one start; the same question is answered from memory."""
        if start_ms not in self._known:
            self._known[start_ms] = self._read_now(start_ms)
        return self._known[start_ms]

    def _read_now(self, start_ms: int) -> Reading:
        request, now_ms = self._request, self._now_ms
        end_ms = request.window.end_ms
        window = Window(start_ms, end_ms)
        claim = (0, request.strength, start_ms, ENDLESS if end_ms is None else end_ms, now_ms)
        free, records = 0, list[int]()
        numbers: dict[LeaseId, int] = {}
        for which, part in enumerate(self._parts):
            pool = part.pool
            if not promised_until(pool.key, request, window)[0]:
                continue
            left, more = pool.gather(
                part.level, part.place, (pool.owner_of(request.tenant_id), *claim[1:])
            )
            free += left
            for n, found in _by_node(more):
                if found[0][0] < 0:
                    left, seen = self._look_at(pool.ids[n // k.NODE_ROW], window)
                    free += left
                else:
                    seen = [(pool.lease_ids[of], size, together) for of, size, together in found]
                    seen = self._willing(seen, window)
                for lease_id, size, together in seen:
                    number = numbers.setdefault(lease_id, len(numbers))
                    records += [number, len(self._parts) * n + which, size, together]
        return free + self._beside(window), records, list(numbers)

    def _beside(self, window: Window) -> int:
        """Room in the rest of a large cluster, of which only some racks are read."""
        if self._place.within == self._parts:
            return 0
        return sum(
            part.pool.room_beside([rack.place for rack in self._parts if rack.pool is part.pool])
            for part in self._place.within
            if promised_until(part.pool.key, self._request, window)[0]
        )

    def _willing(
        self, found: list[tuple[LeaseId, int, int]], window: Window
    ) -> list[tuple[LeaseId, int, int]]:
        """Of the weaker leases on a node those that may go; none if they go only together."""
        leases = self._snapshot.leases
        may = [item for item in found if self._may_go(leases[item[0]], window)]
        return may if len(may) == len(found) or not found[0][2] else []

    def _look_at(
        self, node_id: NodeId, window: Window
    ) -> tuple[int, list[tuple[LeaseId, int, int]]]:
        """A node on which promises follow each other, accelerator by accelerator."""
        snapshot, request, now_ms = self._snapshot, self._request, self._now_ms
        node = snapshot.nodes[node_id]
        if node.kept_free(window):
            return 0, []
        shared = snapshot.pool_of(node_id).shared
        blocked, together, masks = 0, 0, dict[LeaseId, int]()
        for other in snapshot.standing_on(node_id):
            if not stands_during(other, window, now_ms):
                continue
            foreign = not shared and other.tenant_id != request.tenant_id
            together |= foreign
            lease = snapshot.leases[other.lease_id]
            if self._may_go(lease, window):
                masks[lease.id] = masks.get(lease.id, 0) | mask_of(other.accelerators)
            elif foreign:
                return 0, []
            else:
                blocked |= mask_of(other.accelerators)
        free = (1 << node.accelerators) - 1 & ~blocked
        for mask in masks.values():
            free &= ~mask
        found = [(v, (mask & ~blocked).bit_count(), together) for v, mask in masks.items()]
        if together and found:
            first, size, _ = found[0]
            found[0] = (first, size + free.bit_count(), together)
            return 0, found
        return free.bit_count(), found

    def _may_go(self, lease: Lease, window: Window) -> bool:
        """Whether a lease is weaker, and can be gone by the start of the window."""
        return (
            rank_of(lease) < self._request.strength
            and free_at_ms(lease, self._now_ms) <= window.start_ms
        )


def _by_node(records: list[int]) -> Iterator[tuple[int, list[tuple[int, int, int]]]]:
    """Of each node its (lease, accelerators, together) records."""
    at = 0
    while at < len(records):
        n, found = records[at + 1], []
        while at < len(records) and records[at + 1] == n:
            found.append((records[at], records[at + 2], records[at + 3]))
            at += RECORD
        yield n, found


def free_without(
    snapshot: Snapshot,
    request: LeaseRequest,
    node_id: NodeId,
    victims: Iterable[LeaseId],
    window: Window,
    now_ms: int,
) -> list[int]:
    """Accelerators of a node that are free for a request over a window once victims are gone."""
    node, gone = snapshot.nodes[node_id], set(victims)
    if not node.for_sale or node.kept_free(window):
        return []
    exclusive = not snapshot.pool_of(node_id).shared
    taken = 0
    for other in snapshot.standing_on(node_id):
        if other.lease_id in gone or not stands_during(other, window, now_ms):
            continue
        if exclusive and other.tenant_id != request.tenant_id:
            return []
        taken |= mask_of(other.accelerators)
    return [index for index in range(node.accelerators) if not taken >> index & 1]


def spared(
    snapshot: Snapshot,
    request: LeaseRequest,
    cover: Cover,
    parts: Iterable[tuple[Pool, NodeId, list[int]]],
    window: Window,
    now_ms: int,
) -> Cover:
    """The cover without victims that are in nobody's way: past its bounds it may have some."""
    used = {node_id: (pool.shared, mask_of(indexes)) for pool, node_id, indexes in parts}

    def in_the_way(victim: LeaseId) -> bool:
        return any(
            (not shared and other.tenant_id != request.tenant_id)
            or mask_of(other.accelerators) & mask
            for other in snapshot.allocations_of[victim].values()
            if other.fenced_at_ms is None and stands_during(other, window, now_ms)
            for shared, mask in [used.get(other.node_id, (True, 0))]
        )

    victims = tuple(victim for victim in cover.victims if in_the_way(victim))
    if len(victims) == len(cover.victims):
        return cover
    return replace(cover, victims=victims, cost=sum(cover.costs[victim] for victim in victims))
