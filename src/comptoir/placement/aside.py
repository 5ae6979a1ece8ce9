"""Set aside: nodes that a lease's holder has sent back are no place for that lease again.

They stand in its way, whole and at any time, while a place is looked for: as what is kept for
somebody else does, and as that does not, for nobody but this request. Neighbours: every search
of this room that takes a request asks here; `check.py` reads the answer by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import LeaseRequest
from comptoir.placement.snapshot import Snapshot
from comptoir.units.ids import AllocationId, TenantId


@contextmanager
def without_rejected(snapshot: Snapshot, request: LeaseRequest) -> Iterator[None]:
    """In here the nodes that a request's lease has sent back are nobody's to give."""
    nodes = [snapshot.nodes[node_id] for node_id in request.rejected if node_id in snapshot.nodes]
    aside = [
        Allocation(
            AllocationId(f"aside-{node.id}"), request.lease_id, TenantId(""), node.id,
            node.inbound_lease_id, tuple(range(node.accelerators)), 0, None,
        )
        for node in nodes
    ]  # fmt: skip
    snapshot.keep(aside)
    try:
        yield
    finally:
        snapshot.give_up(aside)
