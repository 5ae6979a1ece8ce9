"""Headroom: the books of the kinds that have entitlements, fed beside the snapshot.

It hears every change that the snapshot hears, undo included, and after it; kinds without
entitlements cost a look into an empty table. Neighbours: `kind_book.py` counts, `grounds.py`
judges.
"""

from collections.abc import Sequence

from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.claims import ground_of
from comptoir.leases.inbound import InboundLease
from comptoir.leases.kind_book import KindBook
from comptoir.leases.lease import Lease
from comptoir.placement.snapshot import Snapshot
from comptoir.tenants.entitlements import Entitlement
from comptoir.units.ids import TenantId


class Headroom:
    """The books of all kinds that have entitlements. Written by the desk alone."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._books: dict[str, KindBook] = {}
        self.touched: set[str] = set()
        """Kinds whose sums have changed since somebody last took this."""
        self.outlines: dict[tuple[str, TenantId], object] = {}
        """By kind and team, what its leases were last marked by."""

    def book(self, kind: str, now_ms: int) -> KindBook | None:
        """The book of a kind, if an entitlement governs it."""
        found = self._books.get(kind)
        return found if found is not None and found.governs(now_ms) else None

    def kinds(self) -> Sequence[str]:
        """The kinds that have entitlements, in force or not."""
        return sorted(self._books)

    def contents(self, kind: str) -> dict[str, object]:
        """What the book of a kind holds, to compare two of them."""
        book = self._books.get(kind)
        return {} if book is None else book.contents()

    def feed_entitlement(self, old: Entitlement | None, new: Entitlement | None) -> None:
        """An entitlement was put or taken away."""
        row = new or old
        assert row is not None
        book = self._books.get(row.kind)
        if book is None:
            book = self._books[row.kind] = self._opened(row.kind)
        if new is not None:
            book.put_row(new)
        else:
            book.drop_row(row)
            if not book.rows:
                del self._books[row.kind]
        self.touched.add(row.kind)

    def feed_lease(self, old: Lease | None, new: Lease | None) -> None:
        """A lease may stand on something else than before."""
        book = None if new is None else self._books.get(new.kind)
        if book is None or old is None or new is None or ground_of(old) is ground_of(new):
            return
        kept = self._snapshot.kept  # for it, while others are placed: it does not stand there
        for allocation in self._snapshot.allocations_of.get(new.id, {}).values():
            if (
                allocation.fenced_at_ms is None
                and not allocation.lost
                and allocation.id not in kept
            ):
                book.file(allocation, new, self._snapshot.nodes[allocation.node_id])
        self.touched.add(new.kind)

    def feed_allocation(self, old: Allocation | None, new: Allocation | None) -> None:
        """An allocation was put or taken away."""
        allocation = new or old
        assert allocation is not None
        if not self._books:
            return
        node = self._snapshot.nodes[allocation.node_id]
        book = self._books.get(node.kind)
        if book is None:
            return
        if new is None or new.fenced_at_ms is not None or new.lost:
            book.unfile(allocation.id, node)
        else:
            book.file(new, self._snapshot.leases[new.lease_id], node)
        self.touched.add(node.kind)

    def feed_node(self, old: Node | None, new: Node | None) -> None:
        """A node was put or taken away."""
        node = new or old
        assert node is not None
        book = self._books.get(node.kind)
        if book is None:
            return
        before, after = _for_sale(old), _for_sale(new)
        if after - before:
            inbound = self._snapshot.inbound[node.inbound_lease_id]
            book.bring(inbound, node.site, after - before)
            self.touched.add(node.kind)

    def feed_inbound(self, old: InboundLease | None, new: InboundLease | None) -> None:
        """An inbound lease was put, changed, or taken away."""
        inbound = new or old
        assert inbound is not None
        book = self._books.get(inbound.kind)
        if book is not None:
            book.move_supply(old, new)
            self.touched.add(inbound.kind)

    def _opened(self, kind: str) -> KindBook:
        """The book of a kind as it stands, when its first entitlement comes."""
        book, snapshot = KindBook(kind), self._snapshot
        for node in snapshot.nodes.values():
            if node.kind == kind and _for_sale(node):
                book.bring(snapshot.inbound[node.inbound_lease_id], node.site, node.accelerators)
        for lease in snapshot.leases.values():
            if lease.kind == kind:
                for allocation in snapshot.allocations_of.get(lease.id, {}).values():
                    if allocation.fenced_at_ms is None and not allocation.lost:
                        book.file(allocation, lease, snapshot.nodes[allocation.node_id])
        return book


def _for_sale(node: Node | None) -> int:
    return node.accelerators if node is not None and node.for_sale else 0
