"""Rooms: the most room that the nodes of a pool could have, were all gone that may go.

What may go is what ends by itself, what has yet to begin, and what is weaker than a request. The
sums are kept node by node: a change is looked at once somebody asks, and only on the nodes that
it touched. Neighbours: `snapshot.py` says which nodes those are, `prospects.py` asks.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import Lease
from comptoir.placement.pools import mask_of, rank_of
from comptoir.units.ids import AllocationId, LeaseId, NodeId, TenantId


@dataclass(slots=True)
class _Share:
    """Free accelerators of some nodes: in all, the most on one, and how many nodes have so many."""

    total: int = 0
    most: int = 0
    nodes: dict[int, int] = field(default_factory=dict)

    def count(self, free: int, sign: int) -> None:
        """A node with so much is one more of them, or one less."""
        left = self.nodes.get(free, 0) + sign
        self.total += sign * free
        if left:
            self.nodes[free] = left
            self.most = max(self.most, free)
            return
        del self.nodes[free]
        if free == self.most:
            self.most = max(self.nodes, default=0)


_NONE = _Share()


class Room:
    """The most room that a pool could have for requests of one strength.

    For those that stay for good (`for_good`), what has yet to begin and stays is in the way; others
    may end before it.
    """

    def __init__(
        self, strength: int, for_good: bool, shared: bool, nodes: Iterable[NodeId]
    ) -> None:
        self._strength = strength
        self._for_good = for_good
        self._shared = shared
        self._anybody = _Share()
        self._own: dict[TenantId, _Share] = {}
        """On nodes on which only one tenant's stays: others cannot have it."""
        self._known: dict[NodeId, tuple[_Share, int]] = {}
        self._stirred = set(nodes)
        self._starts: dict[NodeId, int] = {}
        self._coming: list[tuple[int, NodeId]] = []
        """When something begins on a node, which counts from then on."""

    def stir(self, node_id: NodeId) -> None:
        """Something has changed on a node."""
        self._stirred.add(node_id)

    def on_a_node(self, tenant_id: TenantId) -> int:
        """For a tenant, on one node."""
        own = self._own.get(tenant_id)
        most = self._anybody.most
        return most if own is None or own.most < most else own.most

    def in_all(self, tenant_id: TenantId) -> int:
        """For a tenant, on all nodes together."""
        return self._anybody.total + self._own.get(tenant_id, _NONE).total

    def look(self, book: "Standing", pool_nodes: Mapping[NodeId, int], now_ms: int) -> None:
        """Look again at what has changed since, and at what has begun."""
        while self._coming and self._coming[0][0] <= now_ms:
            starts_ms, node_id = heapq.heappop(self._coming)
            if self._starts.get(node_id) == starts_ms:
                self._stirred.add(node_id)
        for node_id in self._stirred:
            known = self._known.pop(node_id, None)
            if known is not None:
                known[0].count(known[1], -1)
            self._starts.pop(node_id, None)
            if node_id in pool_nodes and book.nodes[node_id].for_sale:
                self._count(book, node_id, now_ms)
        self._stirred.clear()

    def _count(self, book: "Standing", node_id: NodeId, now_ms: int) -> None:
        taken, mine, several = 0, None, False
        starts: int | None = None
        for standing in book.on(node_id):
            if standing.delivered_from_ms is None and standing.starts_at_ms > now_ms:
                if starts is None or standing.starts_at_ms < starts:
                    starts = standing.starts_at_ms
                if not self._for_good:
                    continue
            if standing.ends_at_ms is not None:
                continue
            lease = book.leases.get(standing.lease_id)
            if lease is None or rank_of(lease) >= self._strength:
                taken |= mask_of(standing.accelerators)
                several |= mine is not None and mine != standing.tenant_id
                mine = standing.tenant_id
        if starts is not None:
            self._starts[node_id] = starts
            heapq.heappush(self._coming, (starts, node_id))
        if several and not self._shared:
            return
        share = self._anybody
        if mine is not None and not self._shared:
            share = self._own.setdefault(mine, _Share())
        free = book.nodes[node_id].accelerators - taken.bit_count()
        share.count(free, 1)
        self._known[node_id] = share, free


@dataclass(frozen=True, slots=True)
class Standing:
    """What a room is counted from: the book's own rows, read only."""

    nodes: Mapping[NodeId, Node]
    leases: Mapping[LeaseId, Lease]
    standing: Mapping[NodeId, Mapping[AllocationId, Allocation]]

    def on(self, node_id: NodeId) -> Iterable[Allocation]:
        """What stands on a node and is not fenced."""
        return self.standing.get(node_id, {}).values()


class Rooms:
    """The rooms of a pool, by the strength of who asks."""

    def __init__(self, shared: bool) -> None:
        self._shared = shared
        self._rooms: dict[tuple[int, bool], Room] = {}

    def stir(self, node_id: NodeId) -> None:
        """Something has changed on a node, or it came or went."""
        for room in self._rooms.values():
            room.stir(node_id)

    def room(
        self,
        asked: tuple[int, bool],
        book: Standing,
        pool_nodes: Mapping[NodeId, int],
        now_ms: int,
    ) -> Room:
        """The room for a strength, for good or not, as the book stands."""
        room = self._rooms.get(asked)
        if room is None:
            room = self._rooms[asked] = Room(*asked, self._shared, pool_nodes)
        room.look(book, pool_nodes, now_ms)
        return room
