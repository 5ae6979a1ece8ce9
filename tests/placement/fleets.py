"""Random fleets for tests of the kernel, and the plain model that it is compared with."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from comptoir.fleet.conditions import OPEN
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import Lease, LeaseClass, LeaseState, OnReclaim, Shape
from comptoir.placement.kernel_find import ON_CLUSTER, ON_NODE, ON_POD, ON_RACK
from comptoir.placement.pools import PoolKey
from comptoir.units.ids import AllocationId, InboundLeaseId, LeaseId, NodeId, TenantId, UserId

LEVELS = (ON_NODE, ON_RACK, ON_POD, ON_CLUSTER)


def key_of(kind: str) -> PoolKey:
    return PoolKey(kind, "s", "c", 0, None, OPEN)


def make_node(number: int, kind: str, size: int, pod: int, rack: int) -> Node:
    return Node(
        NodeId(f"nd_{number}"), f"n{number}", InboundLeaseId("il"), kind, size, 0, "", "s", "c",
        f"p{pod}", f"r{rack}", NodeState.IN_SERVICE,
    )  # fmt: skip


def make_lease(number: int, tenant: str, lease_class: LeaseClass, size: int, since: int) -> Lease:
    return Lease(
        LeaseId(f"ls_{number}"), TenantId(tenant), UserId("u"), "", lease_class, "h100-sxm", size,
        Shape.SITE, since, None, 0, OnReclaim.WAIT, since, LeaseState.ACTIVE, since,
    )  # fmt: skip


def make_allocation(number: int, lease: Lease, node: NodeId, indexes: list[int]) -> Allocation:
    return Allocation(
        AllocationId(f"al_{number}"), lease.id, lease.tenant_id, node, InboundLeaseId("il"),
        tuple(indexes), lease.state_since_ms, None, lease.state_since_ms,
    )  # fmt: skip


@dataclass
class Model:
    """A pool as sets: no index, every answer worked out from nothing."""

    shared: bool
    nodes: dict[NodeId, Node] = field(default_factory=dict)
    closed: set[NodeId] = field(default_factory=set)
    standing: dict[NodeId, dict[AllocationId, Allocation]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def free(self, node: Node) -> int:
        held = {i for a in self.standing[node.id].values() for i in a.accelerators}
        return node.accelerators - len(held)

    def usable(self, node: Node, tenant: str) -> int:
        """What a tenant may be given of a node."""
        if node.id in self.closed:
            return 0
        tenants = {a.tenant_id for a in self.standing[node.id].values()}
        return self.free(node) if self.shared or tenants <= {tenant} else 0

    def place(self, node: Node, level: int) -> tuple[str, ...]:
        return (node.pod, node.rack, node.name)[: ON_CLUSTER - level]

    def places(self, level: int) -> dict[tuple[str, ...], list[Node]]:
        found: dict[tuple[str, ...], list[Node]] = defaultdict(list)
        for node in self.nodes.values():
            found[self.place(node, level)].append(node)
        return found

    def fits(self, level: int, wanted: int, tenant: str) -> bool:
        """Whether any place of a level has so much for a tenant."""
        return any(
            sum(self.usable(node, tenant) for node in nodes) >= wanted
            for nodes in self.places(level).values()
        )

    def room(self, nodes: list[Node]) -> int:
        """What a gang may take: wholly free nodes; where tenants share nodes, all that is free."""
        return sum(
            self.free(node)
            for node in nodes
            if node.id not in self.closed and (self.shared or not self.standing[node.id])
        )
