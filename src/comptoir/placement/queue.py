"""The queue: **in which order waiting requests are tried, and what is kept for them**.

Stated policy, all of it here:

1. Claim, then age. An entitled team comes first, then sold windows, then on-demand, then teams
   above their entitlement, then spot; of one claim the oldest request. A request that limits
   of lending hold up (`leases/grounds.py`) holds up nobody.
2. The first of a kind that has to wait gets a *shadow promise*: the accelerators on which it
   can start earliest, by the ends that everybody has promised. Whoever is behind it is placed
   only where that start is not touched: before it, or elsewhere (EASY backfill).
3. Where no promise says when, requests behind it are placed freely, until it has waited as
   long as its class's `ageing_s`: then what is free, and what becomes free, in the roomiest place
   that could hold it is kept for it, until it has enough. So no gang waits for ever.
4. Whoever can be met in several ways stands in the line of its first kind. Its ways of other
   kinds are tried once all who wait for those have been, behind what is kept for their first.

A shadow is found again whenever something changes; it is no promise to the holder.
Source: Lifka, "The ANL/IBM SP Scheduling System" (EASY), 1995.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace

from comptoir.leases.claims import claim_of
from comptoir.leases.lease import Lease, LeaseRequest, LeaseState, Shape
from comptoir.placement.aside import without_rejected
from comptoir.placement.plan import Plan, plan_free, pools_for
from comptoir.placement.pools import Pool
from comptoir.placement.snapshot import Snapshot
from comptoir.placement.windows import available, ends, places_of
from comptoir.units.ids import LeaseId, NodeId, TenantId, id_number
from comptoir.units.time import Window
from comptoir.units.values import replace

MOST_STARTS_ONE_BY_ONE = 24
"""So many ends are tried as starts in order; of the rest the first is found by halving."""

QueueKey = tuple[int, int, int]


def queue_key(lease: Lease) -> QueueKey:
    """The order in which waiting leases are tried: claim, then time of request."""
    claim = claim_of(lease.lease_class, lease.borrowed)
    return -claim, lease.requested_at_ms, id_number(lease.id)


Asked = tuple[object, ...]
"""What a waiting lease asks beside how many."""
Place = tuple[QueueKey, LeaseId]


def asked_of(lease: Lease) -> Asked:
    """All that decides whether a place is found for a lease, but for its size."""
    return (
        lease.lease_class, lease.borrowed, lease.tenant_id, lease.shape, lease.preferred_shape,
        lease.starts_at_ms if lease.starts_at_ms > lease.requested_at_ms else None,
        lease.ends_at_ms, lease.latest_start_ms, lease.duration_s, lease.activated_at_ms is None,
        lease.alternatives, lease.residency, lease.recallable, lease.notice_s,
        lease.minimum_runtime_s,
    )  # fmt: skip


@dataclass(slots=True, eq=False)
class Alike:
    """Those who ask alike but for how many: one that is met in vain answers for all who ask more.

    `asked` is what they ask, `lease` one of them; `sizes` are their places by how many they ask
    for, first first; `least` is the fewest that one asks for.
    """

    asked: Asked
    lease: Lease
    sizes: dict[int, list[Place]]
    least: int

    def put(self, accelerators: int, place: Place) -> None:
        """One more waits."""
        insort(self.sizes.setdefault(accelerators, []), place)
        self.least = min(self.least, accelerators)

    def take(self, accelerators: int, place: Place) -> None:
        """One waits no more."""
        places = self.sizes[accelerators]
        del places[bisect_left(places, place)]
        if not places:
            del self.sizes[accelerators]
            self.least = min(self.sizes, default=0)


InVain = Callable[[Alike], bool]
"""Whether all who ask alike surely have no place, whatever they ask for."""


class Waiting:
    """Every waiting lease, by kind, in the order of the queue. Fed every change of a lease.

    Those that ask alike are also kept together, so that a turn asks each question once however
    many wait for its answer.
    """

    def __init__(self) -> None:
        self._by_kind: dict[str, list[Place]] = {}
        self._alike: dict[str, dict[Asked, Alike]] = {}
        self._of_tenant: dict[tuple[str, TenantId], dict[Asked, Alike]] = {}
        self._known: dict[LeaseId, tuple[str, Asked, int, Place]] = {}
        self._several: list[Place] = []

    def feed(self, old: Lease | None, new: Lease | None) -> None:
        """A lease was put or taken away."""
        if old is not None and (known := self._known.pop(old.id, None)) is not None:
            self._take(old, *known)
        if new is not None and new.state is LeaseState.WAITING:
            asked, place = asked_of(new), (queue_key(new), new.id)
            self._known[new.id] = new.kind, asked, new.accelerators, place
            insort(self._by_kind.setdefault(new.kind, []), place)
            of_kind = self._alike.setdefault(new.kind, {})
            alike = of_kind.get(asked)
            if alike is None:
                alike = of_kind[asked] = Alike(asked, new, {}, new.accelerators)
                self._of_tenant.setdefault((new.kind, new.tenant_id), {})[asked] = alike
            alike.put(new.accelerators, place)
            if new.other_kinds:
                insort(self._several, place)

    def _take(self, old: Lease, kind: str, asked: Asked, accelerators: int, place: Place) -> None:
        line, of_kind = self._by_kind[kind], self._alike[kind]
        del line[bisect_left(line, place)]
        alike = of_kind[asked]
        alike.take(accelerators, place)
        if not alike.sizes:
            del of_kind[asked]
            theirs = self._of_tenant[kind, old.tenant_id]
            del theirs[asked]
            if not theirs:
                del self._of_tenant[kind, old.tenant_id]
        if not line:
            del self._by_kind[kind], self._alike[kind]
        if old.other_kinds:
            del self._several[bisect_left(self._several, place)]

    def kinds(self) -> list[str]:
        """The kinds that somebody waits for."""
        return sorted(self._by_kind)

    def line(self, kind: str) -> list[LeaseId]:
        """Who waits for a kind, first first."""
        return [lease_id for _, lease_id in self._by_kind.get(kind, ())]

    def lines(self) -> dict[str, list[LeaseId]]:
        """Every line, by kind."""
        return {kind: self.line(kind) for kind in self.kinds()}

    def count(self) -> int:
        """How many wait."""
        return len(self._known)

    def alike(self, kind: str) -> Iterable[Alike]:
        """Who waits for a kind, those who ask alike together; nothing may be put meanwhile."""
        return self._alike.get(kind, {}).values()

    def alike_of(self, kind: str, tenant_id: TenantId) -> list[Alike]:
        """The same, of one tenant."""
        return list(self._of_tenant.get((kind, tenant_id), {}).values())

    def of_several_kinds(self, after: QueueKey | None = None) -> list[LeaseId]:
        """Who could be met with another kind too, behind a place in the queue; first first."""
        places = self._several
        at = 0 if after is None else bisect_right(places, after, key=lambda place: place[0])
        return [lease_id for _, lease_id in places[at:]]

    def ahead_of(self, lease: Lease) -> int:
        """How many wait for the same kind and come first."""
        line = self._by_kind.get(lease.kind)
        return bisect_left(line, (queue_key(lease), lease.id)) if line else 0

    def walk(
        self,
        kind: str,
        after: QueueKey | None = None,
        only: Iterable[LeaseId] | None = None,
        in_vain: InVain | None = None,
    ) -> "Walk":
        """Go through the line of a kind.

        Args:
            kind: Whose line.
            after: Only what is behind this place in it; None is all of it.
            only: Only these; None is all.
            in_vain: Whom to leave out, with all who ask alike.
        """
        groups = self.alike(kind) if only is None else self._some(kind, only)
        return Walk([one for one in groups if in_vain is None or not in_vain(one)], after)

    def _some(self, kind: str, only: Iterable[LeaseId]) -> Iterable[Alike]:
        found: dict[Asked, Alike] = {}
        for lease_id in only:
            known = self._known.get(lease_id)
            if known is not None and known[0] == kind:
                _, asked, accelerators, place = known
                alike = found.get(asked)
                if alike is None:
                    lease = self._alike[kind][asked].lease
                    alike = found[asked] = Alike(asked, lease, {}, accelerators)
                alike.put(accelerators, place)
        return found.values()


class Walk:
    """One going through a line, in order. The line may change meanwhile: who comes is not met."""

    def __init__(self, groups: Sequence[Alike], after: QueueKey | None = None) -> None:
        self._heads: list[tuple[Place, int, Alike]] = []
        self._in_vain: dict[Asked, int] = {}
        for alike in groups:
            for accelerators, places in alike.sizes.items():
                at = 0
                if after is not None:
                    at = bisect_right(places, after, key=lambda place: place[0])
                if at < len(places):
                    self._heads.append((places[at], accelerators, alike))
        heapify(self._heads)

    def next(self) -> Place | None:
        """The next of whom it is not known that there is no place; None at the end."""
        while self._heads:
            place, accelerators, alike = self._heads[0]
            if accelerators < self._in_vain.get(alike.asked, accelerators + 1):
                return place
            heappop(self._heads)
        return None

    def passed(self) -> None:
        """This one has been seen to: the next of those who ask alike takes its place."""
        place, accelerators, alike = self._heads[0]
        places = alike.sizes.get(accelerators, [])
        at = bisect_right(places, place)
        if at < len(places):
            heapreplace(self._heads, (places[at], accelerators, alike))
        else:
            heappop(self._heads)

    def in_vain(self) -> None:
        """There is no place for this one, nor for any that asks the same or more of it."""
        _, accelerators, alike = heappop(self._heads)
        known = self._in_vain.get(alike.asked, accelerators)
        self._in_vain[alike.asked] = min(accelerators, known)


@dataclass(frozen=True, slots=True)
class Kept:
    """Accelerators of one node that are kept over a window."""

    node_id: NodeId
    accelerators: tuple[int, ...]
    window: Window


@dataclass(frozen=True, slots=True)
class Shadow:
    """What is kept for a waiting lease. `starts_at_ms` None: nothing says when it can start."""

    lease_id: LeaseId
    starts_at_ms: int | None
    kept: tuple[Kept, ...]


def shadow_of(
    snapshot: Snapshot,
    request: LeaseRequest,
    now_ms: int,
    aged: bool,
    latest_start_ms: int | None = None,
) -> Shadow:
    """What to keep for the first that waits: its earliest start, or once aged what is free."""
    with without_rejected(snapshot, request):
        return _shadow(snapshot, request, now_ms, aged, latest_start_ms)


def _shadow(
    snapshot: Snapshot,
    request: LeaseRequest,
    now_ms: int,
    aged: bool,
    latest_start_ms: int | None,
) -> Shadow:
    plan = _earliest(snapshot, request, now_ms, latest_start_ms)
    if plan is not None:
        kept = tuple(
            Kept(part.node_id, part.accelerators, Window(plan.starts_at_ms, part.ends_at_ms))
            for part in plan.allocations
        )
        return Shadow(request.lease_id, plan.starts_at_ms, kept)
    kept = tuple(_roomiest(snapshot, request, now_ms)) if aged else ()
    return Shadow(request.lease_id, None, kept)


def earliest(
    snapshot: Snapshot,
    request: LeaseRequest,
    now_ms: int,
    latest_start_ms: int | None = None,
) -> Plan | None:
    """The plan with the earliest start at which accelerators are free by what is promised.

    Starts are tried when something ends. A window without an end, or with a fixed one, only
    gets easier to place; for one that moves with its start (it may start until
    `latest_start_ms`), past the first few ends, an earlier start may be missed.
    """
    with without_rejected(snapshot, request):
        return _earliest(snapshot, request, now_ms, latest_start_ms)


def _earliest(
    snapshot: Snapshot, request: LeaseRequest, now_ms: int, latest_start_ms: int | None
) -> Plan | None:
    starts = sorted(
        {
            max(end_ms, now_ms + 1, request.window.start_ms)
            for pool in snapshot.pools_of(request.kind)
            for end_ms in ends(pool)
            if latest_start_ms is None or end_ms <= latest_start_ms
        }
    )

    def plan_at(start_ms: int) -> Plan | None:
        return _plan_at(snapshot, request, start_ms, now_ms, latest_start_ms is not None)

    for start_ms in starts[:MOST_STARTS_ONE_BY_ONE]:
        plan = plan_at(start_ms)
        if plan is not None:
            return plan
    found: Plan | None = None
    low, high = MOST_STARTS_ONE_BY_ONE, len(starts)
    while low < high:
        middle = (low + high) // 2
        plan = plan_at(starts[middle])
        if plan is None:
            low = middle + 1
        else:
            found, high = plan, middle
    return found


def _plan_at(
    snapshot: Snapshot, request: LeaseRequest, start_ms: int, now_ms: int, moves: bool
) -> Plan | None:
    end_ms = request.window.end_ms
    if moves and end_ms is not None:
        end_ms += start_ms - request.window.start_ms
    if end_ms is not None and start_ms >= end_ms:
        return None
    later = replace(request, window=Window(start_ms, end_ms))
    return plan_free(snapshot, later, now_ms, pools_for(snapshot, later))


def _roomiest(snapshot: Snapshot, request: LeaseRequest, now_ms: int) -> Iterator[Kept]:
    """What is free now in the place with the most of it, as much as is asked for."""
    window = Window(max(request.window.start_ms, now_ms), request.window.end_ms)
    best: tuple[int, list[tuple[Pool, list[NodeId]]]] = (0, [])
    by_site: dict[str, tuple[int, list[tuple[Pool, list[NodeId]]]]] = {}

    def free_on(node_id: NodeId) -> list[int]:
        node = snapshot.nodes[node_id]
        return snapshot.free_for(request.tenant_id, node, window, now_ms)

    for pool in pools_for(snapshot, request):
        counts = available(
            pool, request.tenant_id, window, now_ms, lambda node_id: len(free_on(node_id))
        )
        places = places_of(pool, request.shape)
        totals = dict[int, int]()
        rows = dict[int, list[NodeId]]()
        for row in counts.nonzero()[0].tolist():
            place = int(places[row])
            totals[place] = totals.get(place, 0) + int(counts[row])
            rows.setdefault(place, []).append(pool.ids[row])
        if not totals:
            continue
        place = max(totals, key=lambda p: (totals[p], -p))
        free, parts = totals[place], [(pool, rows[place])]
        if request.shape is Shape.SITE:
            beside = by_site.get(pool.key.site, (0, []))
            free, parts = free + beside[0], parts + beside[1]
            by_site[pool.key.site] = (free, parts)
        if free > best[0]:
            best = (free, parts)
    missing = request.accelerators
    for _, node_ids in best[1]:
        for node_id in sorted(node_ids):
            part = free_on(node_id)[:missing]
            missing -= len(part)
            if part:
                yield Kept(node_id, tuple(part), window)
