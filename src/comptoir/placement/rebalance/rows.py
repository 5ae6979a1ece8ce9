"""What a rebalance reads: each pool's nodes and what stands on them, as columns.

A pool is the nodes of one kind in one cluster under the same terms: whoever stands on one of
them may stand on any, so a move inside it breaks no condition of the supply. Columns rather than
values, since a fleet of a million nodes is read in one go. Nodes, racks and pods are numbers within
their pool.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from comptoir.fleet.kinds import CATALOGUE, Tenancy
from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.inbound import InboundLease, InboundState
from comptoir.leases.lease import Lease, LeaseClass, LeaseState, Shape
from comptoir.leases.moving import Moving
from comptoir.placement.pools import PoolKey
from comptoir.units.ids import AllocationId, InboundLeaseId, LeaseId, NodeId, TenantId
from comptoir.units.time import MS_PER_S

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
ENDLESS = 1 << 62


class Level(StrEnum):
    """What is to be whole again."""

    NODE = "node"
    RACK = "rack"
    POD = "pod"


@dataclass(frozen=True, slots=True)
class Aim:
    """What is looked for. A place counts for what of `horizon_ms` it would not be whole.

    `restart_ms`: what a running job loses beside its notice. `spread_ms`: what it is worth, per
    accelerator, that the loss of a pod takes one less of a sold window; 0: nothing.
    """

    level: Level
    now_ms: int
    horizon_ms: int
    restart_ms: int
    spread_ms: int

    @property
    def until_ms(self) -> int:
        """Where the horizon ends."""
        return self.now_ms + self.horizon_ms


@dataclass(frozen=True, slots=True)
class Mover:
    """A lease that stands somewhere in a pool. `cost_ms`: per accelerator of its whole gang."""

    lease_id: LeaseId
    tenant_id: TenantId
    shape: Shape
    accelerators: int
    running: bool
    movable: bool
    notice_s: int
    cost_ms: int
    spreads: bool
    why: str


@dataclass(frozen=True, slots=True)
class PoolRows:
    """One pool. The first columns are of nodes, the others of what stands on them.

    Shapes: `size`, `open`, `pod`, `rack` (nodes,); `of_lease`, `on_node`, `count`, `starts`,
    `ends` (allocations,). `open`: for sale, and no work is planned there. `ends` of what is
    handed over and not fenced is after now.
    """

    kind: str
    site: str
    cluster: str
    shared: bool
    node_ids: Sequence[NodeId]
    size: Ints
    open: Flags
    pod: Ints
    rack: Ints
    pod_names: Sequence[str]
    rack_names: Sequence[str]
    leases: Sequence[Mover]
    ids: Sequence[AllocationId]
    slots: Sequence[tuple[int, ...]]
    of_lease: Ints
    on_node: Ints
    count: Ints
    starts: Ints
    ends: Ints

    def places(self, level: Level) -> Ints:
        """The number of the place of each node."""
        if level is Level.NODE:
            return np.arange(len(self.size), dtype=np.int64)
        return self.pod if level is Level.POD else self.rack

    def name_of(self, level: Level, place: int) -> str:
        """How a place is called, from the site down."""
        within = f"{self.site}/{self.cluster}"
        if level is Level.POD:
            return f"{within}/{self.pod_names[place]}"
        if level is Level.RACK:
            return f"{within}/{self.rack_names[place]}"
        return f"{within}/{self.rack_names[int(self.rack[place])]}/{self.node_ids[place]}"


def mover_of(lease: Lease, moving: Moving, aim: Aim) -> Mover:
    """A lease as a rebalance sees it."""
    running = lease.state is LeaseState.ACTIVE
    cost_ms = moving.notice_s * MS_PER_S + aim.restart_ms if running else 0
    return Mover(
        lease.id, lease.tenant_id, lease.shape, lease.accelerators, running, moving.allowed,
        moving.notice_s, cost_ms, lease.lease_class is LeaseClass.RESERVED, moving.why,
    )  # fmt: skip


def read_pools(
    nodes: Iterable[Node],
    inbound: Mapping[InboundLeaseId, InboundLease],
    movers: Mapping[LeaseId, Mover],
    standing: Mapping[NodeId, Sequence[Allocation]],
    aim: Aim,
) -> list[PoolRows]:
    """The pools that supply something now, in a fixed order."""
    members: dict[PoolKey, list[Node]] = defaultdict(list)
    for node in nodes:
        supply = inbound[node.inbound_lease_id]
        if supply.state is InboundState.ACTIVE and supply.starts_at_ms <= aim.now_ms:
            key = PoolKey(
                node.kind, node.site, node.cluster, 0, supply.ends_at_ms, supply.conditions
            )
            members[key].append(node)
    ordered = sorted(members, key=lambda key: (key.kind, key.site, key.cluster, members[key][0].id))
    return [_pool(key, members[key], movers, standing, aim) for key in ordered]


def _pool(
    key: PoolKey,
    nodes: list[Node],
    movers: Mapping[LeaseId, Mover],
    standing: Mapping[NodeId, Sequence[Allocation]],
    aim: Aim,
) -> PoolRows:
    pods: dict[str, int] = {}
    racks: dict[tuple[str, str], int] = {}
    leases: dict[LeaseId, int] = {}
    rows = [
        (row, allocation)
        for row, node in enumerate(nodes)
        for allocation in standing.get(node.id, ())
    ]
    found = [a for _, a in rows]
    now_ms = aim.now_ms
    return PoolRows(
        kind=key.kind,
        site=key.site,
        cluster=key.cluster,
        shared=CATALOGUE[key.kind].tenancy is Tenancy.SANDBOXED_SHARED,
        node_ids=[node.id for node in nodes],
        size=_ints(node.accelerators for node in nodes),
        open=np.array([n.for_sale and n.maintenance is None for n in nodes], dtype=np.bool_),
        pod=_ints(pods.setdefault(node.pod, len(pods)) for node in nodes),
        rack=_ints(racks.setdefault((node.pod, node.rack), len(racks)) for node in nodes),
        pod_names=list(pods),
        rack_names=[f"{pod}/{rack}" for pod, rack in racks],
        of_lease=_ints(leases.setdefault(a.lease_id, len(leases)) for a in found),
        leases=[movers[lease_id] for lease_id in leases],
        ids=[a.id for a in found],
        slots=[a.accelerators for a in found],
        on_node=_ints(row for row, _ in rows),
        count=_ints(len(a.accelerators) for a in found),
        starts=_ints(a.starts_at_ms for a in found),
        ends=_ints(_end_ms(a, now_ms) for a in found),
    )


def _end_ms(allocation: Allocation, now_ms: int) -> int:
    """Until when it stands there: what is handed over and not fenced, past its promise too."""
    if allocation.ends_at_ms is None:
        return ENDLESS
    if allocation.delivered_from_ms is not None:
        return max(allocation.ends_at_ms, now_ms + 1)
    return allocation.ends_at_ms


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, dtype=np.int64)
