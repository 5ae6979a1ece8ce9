"""Prospects: a cheap and sound no for who waits, before a place is looked for in earnest.

In a full fleet nearly every question of the queue is asked in vain. A place can only come from
accelerators on which nothing stands, from something that leaves the window free by itself, or
from a weaker lease that may be taken back; where there is none of the three, there is no place. Nor
is there one if no node has the room even without all of these. It never says no where `plan.py`
would say yes (`tests/placement/test_prospects.py`). Neighbour: the desk asks it for each that
waits, and anew when anything has changed.
"""

from dataclasses import dataclass, field

from comptoir.leases.lease import Lease, LeaseClass, Shape
from comptoir.placement.pools import Pool, mask_of, rank_of
from comptoir.placement.reclaim import LEVELS
from comptoir.placement.snapshot import Snapshot
from comptoir.placement.windows import something_passes
from comptoir.units.ids import NodeId, TenantId
from comptoir.units.time import Window

HOLDINGS_A_QUESTION = 200
"""Reading so many of what stands costs as much as a plan: all is read once that pays."""


@dataclass(slots=True)
class _Room:
    """The most room that a pool could have, on a node and in all: for anybody; `own` for one."""

    most: int = 0
    total: int = 0
    own: dict[TenantId, tuple[int, int]] = field(default_factory=dict)

    def on_a_node(self, tenant_id: TenantId) -> int:
        """For a tenant, on one node."""
        return max(self.most, self.own.get(tenant_id, (0, 0))[0])

    def in_all(self, tenant_id: TenantId) -> int:
        """For a tenant, on all nodes together."""
        return self.total + self.own.get(tenant_id, (0, 0))[1]


class Prospects:
    """What the pools of a kind can offer as they stand: good until anything changes."""

    def __init__(self, snapshot: Snapshot, kind: str, now_ms: int) -> None:
        self._snapshot = snapshot
        self._pools = snapshot.pools_of(kind)
        self._now_ms = now_ms
        self._passing: dict[int | None, bool] = {}
        self._weaker: dict[int, bool] = {}
        self._untouched: dict[tuple[TenantId, int, Shape], bool] = {}
        self._rooms: dict[int, list[_Room]] = {}
        self._asked = 0

    def hopeless(self, lease: Lease, strength: int) -> bool:
        """Whether there surely is no place for a lease that waits.

        Args:
            lease: What it asks for.
            strength: The most that it may have as a request: `LeaseRequest.strength`.
        """
        if lease.flexible or lease.alternatives or lease.start_ms > self._now_ms:
            return False
        if not (
            self._something_passes(lease.ends_at_ms)
            or self._fills_gaps(lease)
            or self._something_gives_way(strength)
            or self._something_is_free(lease.tenant_id, lease.accelerators, lease.shape)
        ):
            return True
        return self._no_room(lease, strength)

    def _fills_gaps(self, lease: Lease) -> bool:
        """Whether it may stand until somebody's promise begins, and one begins late enough."""
        gap_ms = lease.least_gap_ms
        if lease.lease_class is not LeaseClass.SPOT or gap_ms is None or lease.ends_at_ms:
            return False
        return self._something_passes(self._now_ms + gap_ms)

    def _something_passes(self, end_ms: int | None) -> bool:
        if end_ms is not None and end_ms <= self._now_ms:
            return True
        if end_ms not in self._passing:
            window = Window(self._now_ms, end_ms)
            self._passing[end_ms] = any(
                something_passes(pool, window, self._now_ms) for pool in self._pools
            )
        return self._passing[end_ms]

    def _something_gives_way(self, strength: int) -> bool:
        if strength not in self._weaker:
            self._weaker[strength] = strength > 0 and any(
                pool.promising_pods(1, strength, self._now_ms) for pool in self._pools
            )
        return self._weaker[strength]

    def _something_is_free(self, tenant_id: TenantId, wanted: int, shape: Shape) -> bool:
        question = tenant_id, wanted, shape
        if question not in self._untouched:
            self._untouched[question] = self._finds(tenant_id, wanted, shape)
        return self._untouched[question]

    def _finds(self, tenant_id: TenantId, wanted: int, shape: Shape) -> bool:
        rooms: list[tuple[int, int, Pool]] = []
        for pool in self._pools:
            owner = pool.owner_of(tenant_id)
            rooms.append((pool.room_for(owner), owner, pool))
        if shape is Shape.SITE and sum(room for room, _, _ in rooms) >= wanted:
            return True
        return any(
            room >= wanted
            and any(pool.find(level, wanted, owner) for level in range(LEVELS[shape] + 1))
            for room, owner, pool in rooms
        )

    def _no_room(self, lease: Lease, strength: int) -> bool:
        """Whether there is no room, were all gone that ends, begins later or may give way."""
        self._asked += 1
        if self._asked * HOLDINGS_A_QUESTION < sum(len(pool.holdings) for pool in self._pools):
            return False
        if strength not in self._rooms:
            self._rooms[strength] = [self._room(pool, strength) for pool in self._pools]
        rooms, tenant_id = self._rooms[strength], lease.tenant_id
        if lease.shape is Shape.NODE:
            return lease.accelerators > max(
                (room.on_a_node(tenant_id) for room in rooms), default=0
            )
        in_all = [room.in_all(tenant_id) for room in rooms]
        return lease.accelerators > (
            sum(in_all) if lease.shape is Shape.SITE else max(in_all, default=0)
        )

    def _room(self, pool: Pool, strength: int) -> "_Room":
        room = _Room()
        for node_id in pool.handles:
            node = self._snapshot.nodes[node_id]
            if not node.for_sale:
                continue
            taken, tenants = self._left_on(node_id, strength)
            free = node.accelerators - taken.bit_count()
            if pool.shared or not tenants:
                room.most, room.total = max(room.most, free), room.total + free
            elif len(tenants) == 1:
                (tenant,) = tenants
                most, total = room.own.get(tenant, (0, 0))
                room.own[tenant] = max(most, free), total + free
        return room

    def _left_on(self, node_id: NodeId, strength: int) -> tuple[int, set[TenantId]]:
        """The accelerators of a node, as bits, on which something stays; and whose it is."""
        taken, tenants = 0, set[TenantId]()
        for standing in self._snapshot.standing_on(node_id):
            yet_to_come = (
                standing.delivered_from_ms is None and standing.starts_at_ms > self._now_ms
            )
            if yet_to_come or standing.ends_at_ms is not None:
                continue
            lease = self._snapshot.leases.get(standing.lease_id)
            if lease is None or rank_of(lease) >= strength:
                taken |= mask_of(standing.accelerators)
                tenants.add(standing.tenant_id)
        return taken, tenants
