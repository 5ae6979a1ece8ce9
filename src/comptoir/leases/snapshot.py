"""The snapshot: what placement reads. Nodes, and what stands on each accelerator.

The desk feeds it every change of a node, a lease, an inbound lease or an allocation
(and feeds the reverse change to undo), so that it is always the book as it stands.
Only allocations that are not yet fenced stand on an accelerator. Counts of
*untouched* accelerators (nothing stands there, now or later) per node and per place
make the common decision independent of the fleet's size.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator

from comptoir.fleet.kinds import CATALOGUE, Tenancy
from comptoir.fleet.nodes import Node, NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.eligible import sellable_until, unmet_condition
from comptoir.leases.inbound import InboundLease, InboundState
from comptoir.leases.lease import Lease, LeaseRequest, Shape
from comptoir.units.ids import AllocationId, InboundLeaseId, LeaseId, NodeId
from comptoir.units.time import Window

Place = tuple[str, ...]

_DEPTH = {Shape.SITE: 1, Shape.CLUSTER: 2, Shape.POD: 3, Shape.RACK: 4, Shape.NODE: 5}


def place_of(node: Node, shape: Shape) -> Place:
    """Where a node is, down to `shape`: (site, cluster, pod, rack, node name)."""
    return (node.site, node.cluster, node.pod, node.rack, node.name)[: _DEPTH[shape]]


class Snapshot:
    """The book as placement sees it. Read-only to placement; written by the desk alone."""

    def __init__(self) -> None:
        self.nodes: dict[NodeId, Node] = {}
        self.leases: dict[LeaseId, Lease] = {}
        self.inbound: dict[InboundLeaseId, InboundLease] = {}
        self.allocations_of: dict[LeaseId, dict[AllocationId, Allocation]] = defaultdict(dict)
        self._standing: dict[NodeId, dict[AllocationId, Allocation]] = defaultdict(dict)
        self._untouched: dict[NodeId, set[int]] = {}
        self._by_free: dict[str, dict[int, dict[NodeId, None]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        self._partial: dict[str, dict[NodeId, int]] = defaultdict(dict)
        self._places: dict[tuple[str, Shape], dict[Place, dict[NodeId, None]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        self._place_free: dict[tuple[str, Shape], dict[Place, int]] = defaultdict(
            lambda: defaultdict(int)
        )
        self._capacities: dict[tuple[str, Shape], tuple[int, int]] = {}
        self.version = 0
        """Counts changes of capacity: a plan that failed at one version fails at it again."""

    # What placement asks.

    def standing_on(self, node_id: NodeId) -> Iterable[Allocation]:
        """Allocations on a node that are not yet fenced."""
        return self._standing[node_id].values()

    def untouched(self, node_id: NodeId) -> set[int]:
        """Accelerators of a node on which nothing stands, now or later."""
        return self._untouched.get(node_id, set())

    def nodes_by_untouched(self, kind: str, at_least: int) -> Iterator[Node]:
        """Nodes in service with at least so many untouched accelerators, tightest first."""
        buckets = self._by_free[kind]
        for count in sorted(count for count, ids in buckets.items() if count >= at_least and ids):
            for node_id in buckets[count]:
                yield self.nodes[node_id]

    def freest_first(self, kind: str, among: Container[NodeId]) -> Iterator[Node]:
        """Nodes in service among some, most untouched accelerators first, then by id."""
        buckets = self._by_free[kind]
        for count in sorted((c for c, ids in buckets.items() if c and ids), reverse=True):
            for node_id in sorted(id for id in buckets[count] if id in among):
                yield self.nodes[node_id]

    def partial_nodes(self, kind: str) -> list[Node]:
        """Nodes in service on which something stands that ends or has yet to start."""
        return [self.nodes[i] for i in self._partial[kind] if self._placeable(self.nodes[i])]

    def places(self, kind: str, shape: Shape) -> dict[Place, dict[NodeId, None]]:
        """The nodes in service of a kind, by place."""
        return self._places[kind, shape]

    def place_untouched(self, kind: str, shape: Shape, place: Place) -> int:
        """How many untouched accelerators a place has."""
        return self._place_free[kind, shape][place]

    def free_over(self, node: Node, window: Window, now_ms: int) -> list[int]:
        """Accelerators of `node` on which nothing stands during `window`.

        What is delivered and not fenced stands at least until after `now_ms`.
        """
        taken: set[int] = set()
        for allocation in self._standing[node.id].values():
            if standing_window(allocation, now_ms).overlaps(window):
                taken.update(allocation.accelerators)
        return [index for index in range(node.accelerators) if index not in taken]

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
            for other in self._standing[mine.node_id].values()
            if other.id != mine.id
            and (
                held.intersection(other.accelerators)
                or (exclusive and other.tenant_id != mine.tenant_id)
            )
            and standing_window(other, now_ms).overlaps(window)
        ]

    def promise_end(
        self, node: Node, request: LeaseRequest, window: Window
    ) -> tuple[bool, int | None]:
        """Whether `window` may be promised to a request on a node, and until when it then is.

        Nothing new is promised on a node that is not in service, and nothing past the end
        of the inbound lease: a bounded window must
        fit; an open-ended one is promised up to that end. The same holds of the windows in
        which the inbound lease may be sold.
        """
        inbound = self.inbound[node.inbound_lease_id]
        conditions = inbound.conditions
        if unmet_condition(conditions, request, window) is not None:
            return False, None
        end_ms = sellable_until(conditions, request, window)[1]
        if not self._placeable(node):
            return False, None
        if inbound.state is not InboundState.ACTIVE or inbound.starts_at_ms > window.start_ms:
            return False, None
        if inbound.ends_at_ms is None:
            return True, end_ms
        if inbound.ends_at_ms <= window.start_ms:
            return False, None
        if window.end_ms is None:
            return True, min(inbound.ends_at_ms, end_ms or inbound.ends_at_ms)
        return window.end_ms <= inbound.ends_at_ms, window.end_ms

    def total(self, kind: str) -> int:
        """Accelerators of a kind in service."""
        return self._capacity(kind, Shape.SITE)[0]

    def largest_place(self, kind: str, shape: Shape) -> int:
        """Accelerators of the largest place of a shape, in service, free or not."""
        return self._capacity(kind, shape)[1]

    def _capacity(self, kind: str, shape: Shape) -> tuple[int, int]:
        """Accelerators in all places of a shape and in the largest; kept until a node changes."""
        kept = self._capacities.get((kind, shape))
        if kept is None:
            sizes = [
                sum(self.nodes[node_id].accelerators for node_id in ids)
                for ids in self._places[kind, shape].values()
            ]
            kept = self._capacities[kind, shape] = (sum(sizes), max(sizes, default=0))
        return kept

    # What the desk feeds in.

    def feed_inbound(self, old: InboundLease | None, new: InboundLease | None) -> None:
        """An inbound lease was put or taken away."""
        self._feed(self.inbound, old, new)

    def feed_lease(self, old: Lease | None, new: Lease | None) -> None:
        """A lease was put or taken away."""
        if new is not None:
            self.leases[new.id] = new
        elif old is not None:
            self.leases.pop(old.id, None)

    def feed_node(self, old: Node | None, new: Node | None) -> None:
        """A node was put or taken away."""
        node = new or old
        assert node is not None
        self._capacities.clear()
        if old is not None:
            self._unindex(old)
        if new is None:
            self.nodes.pop(node.id, None)
            self._untouched.pop(node.id, None)
        else:
            self.nodes[new.id] = new
            taken = {i for a in self._standing[new.id].values() for i in a.accelerators}
            self._untouched[new.id] = set(range(new.accelerators)) - taken
            self._index(new)
        self.version += 1

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
        if was and is_now and _same_hold(old, new):
            assert new is not None
            self._standing[new.node_id][new.id] = new
            return
        node = self.nodes[allocation.node_id]
        self._unindex(node)
        standing = self._standing[node.id]
        if was:
            standing.pop(allocation.id, None)
        if is_now:
            assert new is not None
            standing[new.id] = new
        taken = {i for a in standing.values() for i in a.accelerators}
        self._untouched[node.id] = set(range(node.accelerators)) - taken
        self._index(node)
        self.version += 1

    def _feed(
        self,
        table: dict[InboundLeaseId, InboundLease],
        old: InboundLease | None,
        new: InboundLease | None,
    ) -> None:
        if new is not None:
            table[new.id] = new
        elif old is not None:
            table.pop(old.id, None)
        self.version += 1

    @staticmethod
    def _placeable(node: Node) -> bool:
        return node.state is NodeState.IN_SERVICE

    def _index(self, node: Node) -> None:
        if not self._placeable(node):
            return
        free = len(self._untouched[node.id])
        self._by_free[node.kind][free][node.id] = None
        for shape in Shape:
            place = place_of(node, shape)
            self._places[node.kind, shape][place][node.id] = None
            self._place_free[node.kind, shape][place] += free
        partial = sum(
            1
            for a in self._standing[node.id].values()
            if a.ends_at_ms is not None or a.delivered_from_ms is None
        )
        if partial:
            self._partial[node.kind][node.id] = partial

    def _unindex(self, node: Node) -> None:
        if not self._placeable(node):
            return
        free = len(self._untouched[node.id])
        self._by_free[node.kind][free].pop(node.id, None)
        self._partial[node.kind].pop(node.id, None)
        for shape in Shape:
            place = place_of(node, shape)
            ids = self._places[node.kind, shape][place]
            ids.pop(node.id, None)
            self._place_free[node.kind, shape][place] -= free
            if not ids:
                del self._places[node.kind, shape][place]
                del self._place_free[node.kind, shape][place]


def standing_window(allocation: Allocation, now_ms: int) -> Window:
    """When an unfenced allocation stands: past its promise too, until it is fenced."""
    end = allocation.ends_at_ms
    if end is not None and allocation.delivered_from_ms is not None:
        end = max(end, now_ms + 1)
    if end is not None and end <= allocation.starts_at_ms:
        end = allocation.starts_at_ms + 1
    return Window(allocation.starts_at_ms, end)


def _same_hold(old: Allocation | None, new: Allocation | None) -> bool:
    assert old is not None and new is not None
    return (old.accelerators, old.ends_at_ms, old.delivered_from_ms is None) == (
        new.accelerators,
        new.ends_at_ms,
        new.delivered_from_ms is None,
    )
