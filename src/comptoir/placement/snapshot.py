"""The snapshot: what placement reads. The book's rows, and the pools that index them.

The desk feeds it every change of a node, a lease, an inbound lease or an allocation
(and feeds the reverse change to undo), so that it is always the book as it stands.
Only allocations that are not yet fenced stand on an accelerator. The rows answer exactly what
stands on one node; the flat tables of `pools.py` answer where there is room, at a cost that
does not grow with the fleet. Planned work on a node stands there like somebody else's promise:
windows before it and after it are free. Supply that has yet to begin has a pool of its own:
`advance` joins it to the others when its time has come.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from comptoir.fleet.kinds import CATALOGUE, Tenancy
from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.eligible import sellable_until, unmet_condition, unmet_terms
from comptoir.leases.inbound import InboundLease, InboundState
from comptoir.leases.lease import Lease, LeaseClass, LeaseRequest, Shape
from comptoir.placement.backend import PLAIN, Backend
from comptoir.placement.kernel import GUARANTEED
from comptoir.placement.pools import Pool, PoolKey, rank_of
from comptoir.placement.rooms import Room, Rooms, Standing
from comptoir.placement.sizes import Sizes, total_and_largest
from comptoir.units.ids import AllocationId, InboundLeaseId, LeaseId, NodeId, TenantId
from comptoir.units.time import Window

Place = tuple[str, ...]

MOST_CAPACITIES = 4_096
_DEPTH = {Shape.SITE: 1, Shape.CLUSTER: 2, Shape.POD: 3, Shape.RACK: 4, Shape.NODE: 5}


def place_of(node: Node, shape: Shape) -> Place:
    """Where a node is, down to `shape`: (site, cluster, pod, rack, node name)."""
    return (node.site, node.cluster, node.pod, node.rack, node.name)[: _DEPTH[shape]]


class Snapshot:
    """The book as placement sees it. Read-only to placement; written by the desk alone."""

    def __init__(self, backend: Backend = PLAIN) -> None:
        self.nodes: dict[NodeId, Node] = {}
        self.leases: dict[LeaseId, Lease] = {}
        self.inbound: dict[InboundLeaseId, InboundLease] = {}
        self.allocations_of: dict[LeaseId, dict[AllocationId, Allocation]] = defaultdict(dict)
        self.pools: dict[PoolKey, Pool] = {}
        self.version = 0
        """Counts changes of capacity: a plan that failed at one version fails at it again."""
        self._backend = backend
        self._standing: dict[NodeId, dict[AllocationId, Allocation]] = {}
        self._work: dict[NodeId, Allocation] = {}
        """Planned work, as what takes all of its node meanwhile."""
        self._pool_of: dict[NodeId, Pool] = {}
        self._nodes_of: dict[InboundLeaseId, dict[NodeId, None]] = defaultdict(dict)
        self.now_ms = 0
        """The latest instant that it was told."""
        self._beginnings: list[tuple[int, int, PoolKey]] = []
        """Pools whose supply has yet to begin, by when it does."""
        self._begun = 0
        self.kept: set[AllocationId] = set()
        """What is kept for somebody who waits: no promise, and in no calendar."""
        self._sizes: dict[Pool, Sizes] = {}
        """Pools that differ by planned work alone share theirs: work makes no place smaller."""
        self._rooms: dict[Pool, Rooms] = {}
        self._rows = Standing(self.nodes, self.leases, self._standing)
        self._capacities: dict[tuple[object, ...], tuple[int, int]] = {}
        self._members: dict[tuple[str, Place], tuple[NodeId, ...]] = {}

    # What placement asks.

    def standing_on(self, node_id: NodeId) -> Iterable[Allocation]:
        """Allocations on a node that are not yet fenced."""
        return self._standing.get(node_id, {}).values()

    def takes(self, node_id: NodeId) -> list[Allocation]:
        """All that takes accelerators of a node at some time: what stands there, planned work."""
        work = self._work.get(node_id)
        return [*self.standing_on(node_id), *([] if work is None else [work])]

    def pools_of(self, kind: str) -> list[Pool]:
        """The pools of a kind, in a fixed order."""
        return [pool for key, pool in self.pools.items() if key.kind == kind]

    def pool_of(self, node_id: NodeId) -> Pool:
        """The pool in which a node is."""
        return self._pool_of[node_id]

    def nodes_in(self, kind: str, place: Place) -> tuple[NodeId, ...]:
        """The nodes of a kind in a place, however wide; kept until a node comes or goes."""
        kept = self._members.get((kind, place))
        if kept is None:
            depth = len(place)
            kept = tuple(
                node_id
                for pool in self.pools_of(kind)
                if (pool.key.site, pool.key.cluster)[:depth] == place[:2]
                for node_id in pool.handles
                if place_of(self.nodes[node_id], Shape.NODE)[:depth] == place
            )
            if len(self._members) >= MOST_CAPACITIES:
                self._members.clear()
            self._members[kind, place] = kept
        return kept

    def may_have_free(self, node: Node, at_least: int) -> bool:
        """A quick no: whether a node can have so many accelerators free over any window."""
        pool = self._pool_of[node.id]
        if pool.free_on(node.id) >= at_least:
            return True
        return any(other.delivered_from_ms is None for other in self.takes(node.id))

    def free_over(self, node: Node, window: Window, now_ms: int) -> list[int]:
        """Accelerators of `node` on which nothing stands during `window`.

        What is delivered and not fenced stands at least until after `now_ms`.
        """
        if node.kept_free(window):
            return []
        taken: set[int] = set()
        for allocation in self.standing_on(node.id):
            if stands_during(allocation, window, now_ms):
                taken.update(allocation.accelerators)
        return [index for index in range(node.accelerators) if index not in taken]

    def free_for(self, tenant: TenantId, node: Node, window: Window, now_ms: int) -> list[int]:
        """As `free_over`; none where tenants do not share nodes and another is there then."""
        if CATALOGUE[node.kind].tenancy is Tenancy.EXCLUSIVE_NODE and any(
            other.tenant_id != tenant and stands_during(other, window, now_ms)
            for other in self.standing_on(node.id)
        ):
            return []
        return self.free_over(node, window, now_ms)

    def in_the_way(self, mine: Allocation, window: Window, now_ms: int) -> list[Allocation]:
        """What keeps `mine` from standing where it is during `window`.

        Whatever stands on one of its accelerators then; and on a node that tenants do not
        share, whatever another tenant has there then.
        """
        held = set(mine.accelerators)
        kind = self.nodes[mine.node_id].kind
        exclusive = CATALOGUE[kind].tenancy is Tenancy.EXCLUSIVE_NODE
        return [
            other
            for other in self.standing_on(mine.node_id)
            if other.id != mine.id
            and (
                held.intersection(other.accelerators)
                or (exclusive and other.tenant_id != mine.tenant_id)
            )
            and stands_during(other, window, now_ms)
        ]

    def promise_end(
        self, node: Node, request: LeaseRequest, window: Window
    ) -> tuple[bool, int | None]:
        """Whether `window` may be promised to a request on a node, and until when it then is.

        Nothing new is promised on a node that is not for sale, nor into its planned work.
        """
        if not node.for_sale or node.kept_free(window):
            return False, None
        return self.supply_end(node, request, window)

    def supply_end(
        self, node: Node, request: LeaseRequest, window: Window
    ) -> tuple[bool, int | None]:
        """Whether a node's supply may be promised over a window, for sale or not; see below."""
        inbound = self.inbound[node.inbound_lease_id]
        if inbound.state is not InboundState.ACTIVE:
            return False, None
        return promised_until(inbound, request, window)

    def capacity(self, request: LeaseRequest, shape: Shape) -> tuple[int, int]:
        """Accelerators of its kind that a request may count on, free or not, for sale or coming
        back: in all places, and in the largest of a shape. Kept until a node changes.
        """
        internal = request.lease_class is LeaseClass.INTERNAL
        key = (request.kind, shape, internal, request.grants, request.residency)
        kept = self._capacities.get(key)
        if kept is None:
            parts = [
                sizes
                for pool, sizes in self._sizes.items()
                if pool.key.kind == request.kind
                and unmet_terms(pool.key.conditions, request) is None
            ]
            kept = total_and_largest(parts, shape)
            if len(self._capacities) >= MOST_CAPACITIES:
                self._capacities.clear()
            self._capacities[key] = kept
        return kept

    def room(self, pool: Pool, strength: int, for_good: bool, now_ms: int) -> Room:
        """The most room that a pool could have, were all gone that may go for a strength."""
        return self._rooms[pool].room((strength, for_good), self._rows, pool.handles, now_ms)

    def settle(self) -> None:
        """Do at once what the first search after a change of the fleet would have to do."""
        for pool in self.pools.values():
            pool.settle()

    def contents(self) -> dict[str, dict[Any, Any]]:
        """All that placement reads: two snapshots of one book, at one instant, say the same."""
        return {
            "nodes": self.nodes,
            "leases": self.leases,
            "inbound": self.inbound,
            "allocations": self.allocations_of,
            "standing": self._standing,
            "pools": {key: pool.contents() for key, pool in self.pools.items()},
            "sizes": {pool.key: sizes.contents() for pool, sizes in self._sizes.items()},
        }

    def use(self, backend: Backend) -> None:
        """Go on with another back end: the tables stay, and so does every answer."""
        self._backend = backend
        for pool in self.pools.values():
            pool.use(backend)

    # What the desk feeds in.

    def advance(self, now_ms: int) -> None:
        """Supply that has begun by now is like any other."""
        self.now_ms = max(self.now_ms, now_ms)
        while self._beginnings and self._beginnings[0][0] <= self.now_ms:
            key = heapq.heappop(self._beginnings)[2]
            pool = self.pools.get(key)
            if pool is not None:
                for node in [self.nodes[node_id] for node_id in pool.handles]:
                    self._move(node)

    def feed_inbound(self, old: InboundLease | None, new: InboundLease | None) -> None:
        """An inbound lease was put or taken away."""
        inbound = new or old
        assert inbound is not None
        if new is not None:
            self.inbound[new.id] = new
        else:
            self.inbound.pop(inbound.id, None)
        if old is not None and new is not None and _terms(old) != _terms(new):
            for node_id in list(self._nodes_of.get(new.id, ())):
                self._move(self.nodes[node_id])
        self.version += 1

    def feed_lease(self, old: Lease | None, new: Lease | None) -> None:
        """A lease was put or taken away."""
        if new is None:
            assert old is not None
            self.leases.pop(old.id, None)
            return
        self.leases[new.id] = new
        held = self.allocations_of.get(new.id)
        if not held or (old is not None and rank_of(old) == rank_of(new) == GUARANTEED):
            return
        for allocation in held.values():
            self._stir(allocation.node_id)
        for pool in {
            id(pool): pool
            for allocation in held.values()
            if (pool := self._pool_of.get(allocation.node_id)) is not None
        }.values():
            pool.change_lease(new)

    def feed_node(self, old: Node | None, new: Node | None) -> None:
        """A node was put or taken away."""
        self._capacities.clear()
        self.version += 1
        if old is not None and new is not None and _where(old) == _where(new):
            self.nodes[new.id] = new
            pool = self._pool_of[new.id]
            self._stir(new.id)
            pool.set_open(pool.handles[new.id], new.for_sale)
            change = new.may_be_waited_for - old.may_be_waited_for
            if change:
                self._sizes[pool].change(new, change)
            if old.maintenance != new.maintenance:
                self._take_for_work(pool, new)
            return
        if old is not None:
            self._leave(old)
            self._nodes_of[old.inbound_lease_id].pop(old.id, None)
            self.nodes.pop(old.id, None)
        if new is not None:
            self.nodes[new.id] = new
            self._nodes_of[new.inbound_lease_id][new.id] = None
            self._enter(new)

    def feed_allocation(self, old: Allocation | None, new: Allocation | None) -> None:
        """An allocation was put or taken away."""
        allocation = new or old
        assert allocation is not None
        if new is None:
            self.allocations_of[allocation.lease_id].pop(allocation.id, None)
            if not self.allocations_of[allocation.lease_id]:
                del self.allocations_of[allocation.lease_id]
        else:
            self.allocations_of[new.lease_id][new.id] = new
        was = old is not None and old.fenced_at_ms is None
        is_now = new is not None and new.fenced_at_ms is None
        if not (was or is_now):
            return
        pool = self._pool_of[allocation.node_id]
        self._stir(allocation.node_id)
        standing = self._standing.setdefault(allocation.node_id, {})
        if was and is_now:
            assert old is not None and new is not None
            standing[new.id] = new
            if old.accelerators == new.accelerators:
                if _promise(old) != _promise(new):
                    pool.set_window(new)
                    self.version += 1
                return
        if was:
            assert old is not None
            standing.pop(old.id, None)
            pool.free(old, self.takes(old.node_id))
        if is_now:
            assert new is not None
            standing[new.id] = new
            pool.hold(new, self.leases.get(new.lease_id))
        if not standing:
            del self._standing[allocation.node_id]
        self.version += 1

    def keep(self, kept: Iterable[Allocation]) -> None:
        """Let accelerators be kept for somebody who waits, while those behind are placed.

        What is kept stands in the way as a promise does, and is taken away before anything
        else is written: the version is as it was.
        """
        with self.tried():
            for allocation in kept:
                self.kept.add(allocation.id)
                self.feed_allocation(None, allocation)

    def give_up(self, kept: Iterable[Allocation]) -> None:
        """What was kept is kept no more."""
        with self.tried():
            for allocation in kept:
                self.feed_allocation(allocation, None)
                self.kept.discard(allocation.id)

    @contextmanager
    def tried(self) -> Iterator[None]:
        """What is fed in here is no change of capacity: it is undone before anybody else asks."""
        version = self.version
        try:
            yield
        finally:
            self.version = version

    # The pools.

    def _stir(self, node_id: NodeId) -> None:
        """Something has changed on a node: what was counted of it is no longer so."""
        self._rooms[self._pool_of[node_id]].stir(node_id)

    def _key(self, node: Node) -> PoolKey:
        inbound = self.inbound[node.inbound_lease_id]
        starts = inbound.starts_at_ms if inbound.starts_at_ms > self.now_ms else 0
        return PoolKey(
            node.kind, node.site, node.cluster, starts, inbound.ends_at_ms, inbound.conditions
        )  # fmt: skip

    def _enter(self, node: Node) -> None:
        """Put a node, and what stands on it, into its pool."""
        self._members.clear()
        key = self._key(node)
        pool = self.pools.get(key)
        if pool is None:
            pool = self.pools[key] = Pool(key, self._backend)
            self._rooms[pool] = Rooms(pool.shared)
            self._sizes[pool] = Sizes(key.site)
            if key.starts_at_ms:
                self._begun += 1
                heapq.heappush(self._beginnings, (key.starts_at_ms, self._begun, key))
        self._pool_of[node.id] = pool
        self._stir(node.id)
        pool.add_node(node, node.for_sale)
        if node.may_be_waited_for:
            self._sizes[pool].change(node, 1)
        for allocation in self.standing_on(node.id):
            pool.hold(allocation, self.leases.get(allocation.lease_id))
        self._take_for_work(pool, node)

    def _take_for_work(self, pool: Pool, node: Node) -> None:
        """Planned work takes a node as it says now, and no more as it said before."""
        before = self._work.pop(node.id, None)
        if before is not None:
            pool.free(before, self.standing_on(node.id))
        work = node.maintenance
        if work is not None:
            self._work[node.id] = taking = Allocation(
                AllocationId(f"work on {node.id}"), LeaseId(""), TenantId(""), node.id,
                node.inbound_lease_id, tuple(range(node.accelerators)), work.start_ms, work.end_ms,
            )  # fmt: skip
            pool.hold(taking, None)

    def _leave(self, node: Node) -> None:
        """Take a node, and what stands on it, out of its pool; an empty pool goes."""
        self._members.clear()
        self._stir(node.id)
        pool = self._pool_of.pop(node.id)
        left = self.takes(node.id)
        while left:
            pool.free(left.pop(), left)
        self._work.pop(node.id, None)
        pool.remove_node(node)
        if node.may_be_waited_for:
            self._sizes[pool].change(node, -1)
        if not pool.handles:
            del self.pools[pool.key], self._sizes[pool], self._rooms[pool]

    def _move(self, node: Node) -> None:
        """The supply of a node has other terms: it may belong to another pool."""
        if self._key(node) != self._pool_of[node.id].key:
            self._capacities.clear()
            self._leave(node)
            self._enter(node)
            self.version += 1


def promised_until(
    supply: InboundLease | PoolKey, request: LeaseRequest, window: Window
) -> tuple[bool, int | None]:
    """Whether supply may be promised to a request over a window, and until when it then is.

    Nothing is promised past the end of the inbound lease: a bounded window must fit; an
    open-ended one is promised up to that end. The same holds of the windows in which the
    inbound lease may be sold.
    """
    if unmet_condition(supply.conditions, request, window) is not None:
        return False, None
    if supply.starts_at_ms > window.start_ms:
        return False, None
    end_ms = sellable_until(supply.conditions, request, window)[1]
    if supply.ends_at_ms is None:
        return True, end_ms
    if supply.ends_at_ms <= window.start_ms:
        return False, None
    if window.end_ms is None:
        return True, min(supply.ends_at_ms, end_ms or supply.ends_at_ms)
    return window.end_ms <= supply.ends_at_ms, window.end_ms


def stands_during(allocation: Allocation, window: Window, now_ms: int) -> bool:
    """Whether an unfenced allocation stands there at some instant of a window.

    What is handed over stands past its promise too, until it is fenced: until after now.
    """
    start_ms, end_ms = allocation.starts_at_ms, allocation.ends_at_ms
    if window.end_ms is not None and window.end_ms <= start_ms:
        return False
    if end_ms is None or end_ms > window.start_ms:
        return True
    if allocation.delivered_from_ms is not None and end_ms <= now_ms:
        end_ms = now_ms + 1
    return max(end_ms, start_ms + 1) > window.start_ms


def _terms(inbound: InboundLease) -> tuple[object, ...]:
    """What decides to which pool the nodes of an inbound lease belong."""
    return inbound.starts_at_ms, inbound.ends_at_ms, inbound.conditions


def _where(node: Node) -> tuple[object, ...]:
    """What decides where a node is in its pool, and how large it is there."""
    return (
        node.inbound_lease_id, node.kind, node.site, node.cluster, node.pod, node.rack,
        node.accelerators,
    )  # fmt: skip


def _promise(allocation: Allocation) -> tuple[int, int | None, bool]:
    return (
        allocation.starts_at_ms,
        allocation.ends_at_ms,
        allocation.delivered_from_ms is None,
    )
