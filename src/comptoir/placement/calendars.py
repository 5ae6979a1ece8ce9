"""The calendars of the book: one for each pool, made when it is first asked and kept true.

The desk feeds every change of an allocation and of a lease; a pool nobody has asked about
costs nothing. When a node joins, leaves, or goes out of sale, its pool's calendar is made
again. Places within a pool have profiles (`profile.py`), made and kept in the same way.

Planned work on a node counts as what nobody may take back. What stands on a node that is not
for sale is in no calendar, as its accelerators are in no
capacity. A soft hold counts as what gives way at once. Neighbours: `starts.py` looks for
starts here; the planner asks `may_fit` before it compares windows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import Lease, LeaseRequest, Shape
from comptoir.placement.calendar import Calendar
from comptoir.placement.pools import Pool
from comptoir.placement.profile import Profile
from comptoir.placement.snapshot import Place, Snapshot, place_of
from comptoir.units.ids import AllocationId, NodeId
from comptoir.units.time import MS_PER_S


@dataclass(frozen=True, slots=True)
class _Held:
    """What an allocation has put into its pool's calendar."""

    start_ms: int
    end_ms: int | None
    accelerators: int
    notice_ms: int | None
    open_ended: bool


@dataclass(slots=True)
class _Kept:
    """One pool's calendar, and what it was made of."""

    pool: Pool
    layout: int
    calendar: Calendar
    held: dict[AllocationId, _Held] = field(default_factory=dict)
    open_ended: int = 0
    places: dict[Shape, dict[Place, list[NodeId]]] = field(default_factory=dict)
    profiles: dict[tuple[Place, bool], Profile] = field(default_factory=dict)


class Calendars:
    """Every pool's promises over time. Read-only to placement; fed by the desk alone."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._kept: dict[int, _Kept] = {}
        """By the pool's own identity: hashing what a pool is costs more than a promise."""

    # What placement asks.

    def of(self, pool: Pool, now_ms: int) -> Calendar:
        """The calendar of a pool, at an instant."""
        calendar = self._of(pool, now_ms).calendar
        calendar.roll(now_ms)
        return calendar

    def open_ended(self, pool: Pool, now_ms: int) -> int:
        """Accelerators that leases without an end hold there and nobody may take back."""
        return self._of(pool, now_ms).open_ended

    def places(self, pool: Pool, shape: Shape, now_ms: int) -> dict[Place, list[NodeId]]:
        """The places of a shape in a pool, with their nodes for sale."""
        kept = self._of(pool, now_ms)
        if shape not in kept.places:
            found = kept.places[shape] = dict[Place, list[NodeId]]()
            for node_id in pool.handles:
                node = self._snapshot.nodes[node_id]
                if node.for_sale:
                    found.setdefault(place_of(node, shape), []).append(node_id)
        return kept.places[shape]

    def profile(
        self, pool: Pool, place: Place, node_ids: list[NodeId], reclaims: bool, now_ms: int
    ) -> Profile:
        """What is held in a place within a pool; with `reclaims`, only what nobody may take."""
        kept = self._of(pool, now_ms)
        known = kept.profiles.get((place, reclaims))
        if known is None:
            known = kept.profiles[place, reclaims] = Profile(
                (held.start_ms, held.end_ms, held.accelerators)
                for node_id in node_ids
                for allocation in self._snapshot.takes(node_id)
                if (held := kept.held.get(allocation.id)) is not None
                and not (reclaims and held.notice_ms is not None)
            )
        return known

    def may_fit(self, pool: Pool, request: LeaseRequest, now_ms: int) -> bool:
        """False if a pool surely cannot have so many free over a request's window.

        A site may combine its pools: those always may.
        """
        window = request.window
        if request.shape is Shape.SITE and self._has_siblings(pool):
            return True
        return not self.of(pool, now_ms).impossible(
            request.accelerators, window.start_ms, window.end_ms
        )

    def _has_siblings(self, pool: Pool) -> bool:
        """Whether a site has another pool of the kind."""
        site = pool.key.site
        others = self._snapshot.pools_of(pool.key.kind)
        return any(other is not pool and other.key.site == site for other in others)

    # What the desk feeds in, after the snapshot has heard it.

    def feed_allocation(self, old: Allocation | None, new: Allocation | None) -> None:
        """An allocation was put or taken away."""
        allocation = new or old
        assert allocation is not None
        if not self._kept or allocation.node_id not in self._snapshot.nodes:
            return
        if old is not None and new is not None and _promise(old) == _promise(new):
            return
        self._look_again(allocation, new)

    def feed_lease(self, old: Lease | None, new: Lease | None) -> None:
        """A lease was put or taken away: it may be reclaimable now, or no more."""
        if not self._kept or new is None:
            return
        if old is not None and _terms(old) == _terms(new):
            return
        for allocation in self._snapshot.allocations_of.get(new.id, {}).values():
            if allocation.node_id in self._snapshot.nodes:
                self._look_again(allocation, allocation)

    def _look_again(self, allocation: Allocation, now: Allocation | None) -> None:
        kept = self._kept.get(id(self._snapshot.pool_of(allocation.node_id)))
        if kept is not None:
            self._put(kept, allocation, None if now is None else self._held(now))

    def _of(self, pool: Pool, now_ms: int) -> _Kept:
        kept = self._kept.get(id(pool))
        if kept is None or kept.pool is not pool or kept.layout != pool.layout:
            self._forget_pools_that_left()
            kept = self._kept[id(pool)] = self._made(pool, now_ms)
        return kept

    def _made(self, pool: Pool, now_ms: int) -> _Kept:
        nodes = [node for id in pool.handles if (node := self._snapshot.nodes[id]).for_sale]
        capacity = sum(node.accelerators for node in nodes)
        kept = _Kept(pool, pool.layout, Calendar(now_ms, capacity))
        for node in nodes:
            for allocation in self._snapshot.takes(node.id):
                self._put(kept, allocation, self._held(allocation))
        return kept

    def _forget_pools_that_left(self) -> None:
        there = {id(pool) for pool in self._snapshot.pools.values()}
        self._kept = {key: kept for key, kept in self._kept.items() if key in there}

    def _held(self, allocation: Allocation) -> _Held | None:
        """What an allocation holds; None where it stands no more, or on no node for sale."""
        if allocation.fenced_at_ms is not None or allocation.id in self._snapshot.kept:
            return None
        if not self._snapshot.nodes[allocation.node_id].for_sale:
            return None
        lease = self._snapshot.leases.get(allocation.lease_id)
        end_ms = self._end_ms(allocation)
        if end_ms is not None and end_ms <= allocation.starts_at_ms:
            return None  # its time is over; what delays its fence is not a matter of plans
        notice_ms = None if lease is None else _notice_ms(lease)
        open_ended = lease is not None and lease.ends_at_ms is None and notice_ms is None
        size = len(allocation.accelerators)
        return _Held(allocation.starts_at_ms, end_ms, size, notice_ms, open_ended)

    def _end_ms(self, allocation: Allocation) -> int | None:
        """When it ends: at the latest as planned work on its node begins, which takes it all."""
        work = self._snapshot.nodes[allocation.node_id].maintenance
        if work is None or allocation.starts_at_ms >= work.start_ms:
            return allocation.ends_at_ms
        return min(allocation.ends_at_ms or work.start_ms, work.start_ms)

    def _put(self, kept: _Kept, allocation: Allocation, held: _Held | None) -> None:
        before = kept.held.get(allocation.id)
        if before == held:
            return
        for sign, one in ((-1, before), (1, held)):
            if one is not None:
                size = sign * one.accelerators
                kept.calendar.hold(one.start_ms, one.end_ms, size, one.notice_ms)
                kept.open_ended += size if one.open_ended else 0
        if held is None:
            kept.held.pop(allocation.id, None)
        else:
            kept.held[allocation.id] = held
        if kept.profiles:
            node = self._snapshot.nodes[allocation.node_id]
            for key in _profiles_of(place_of(node, Shape.RACK)):
                kept.profiles.pop(key, None)


def _profiles_of(rack: Place) -> Iterator[tuple[Place, bool]]:
    """The profiles in which what stands in a rack is counted."""
    for place in (rack, rack[:-1]):
        yield place, True
        yield place, False


def _notice_ms(lease: Lease) -> int | None:
    """After which notice it gives way to a firm request; None: it does not."""
    if lease.is_soft_hold:
        return 0
    return lease.notice_s * MS_PER_S if lease.reclaimable else None


def _terms(lease: Lease) -> tuple[int | None, bool]:
    return _notice_ms(lease), lease.ends_at_ms is None


def _promise(allocation: Allocation) -> tuple[object, ...]:
    """What of an allocation a calendar counts; metering it changes nothing here."""
    return (
        allocation.starts_at_ms,
        allocation.ends_at_ms,
        allocation.fenced_at_ms,
        allocation.accelerators,
    )
