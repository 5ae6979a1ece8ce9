"""Prospects: a cheap and sound no for who waits, before a place is looked for in earnest.

In a full fleet nearly every question of the queue is asked in vain. A place can only come from
accelerators on which nothing stands, from something that leaves the window free by itself, or
from a weaker lease that may be taken back; where there is none of the three, there is no place. Nor
is there one if no node has the room even without all of these. It never says no where `plan.py`
would say yes (`tests/placement/test_prospects.py`). Neighbour: the desk asks it for each that
waits, and anew when anything has changed.
"""

from comptoir.leases.lease import Lease, LeaseClass, Shape
from comptoir.placement.pools import Pool
from comptoir.placement.reclaim import LEVELS
from comptoir.placement.rooms import Room
from comptoir.placement.snapshot import Snapshot
from comptoir.placement.windows import something_passes
from comptoir.units.ids import TenantId
from comptoir.units.time import Window


class Prospects:
    """What the pools of a kind can offer as they stand: good until anything changes."""

    def __init__(self, snapshot: Snapshot, kind: str, now_ms: int) -> None:
        self._snapshot = snapshot
        self._pools = snapshot.pools_of(kind)
        self._now_ms = now_ms
        self._passing: dict[int | None, bool] = {}
        self._weaker: dict[int, bool] = {}
        self._untouched: dict[tuple[TenantId, int, Shape], bool] = {}
        self._rooms: dict[tuple[int, bool], list[Room]] = {}

    def hopeless(self, lease: Lease, accelerators: int, strength: int) -> bool:
        """Whether there surely is no place for a lease that waits, did it ask for so many.

        Args:
            lease: What it asks for; whoever asks alike gets the same answer.
            accelerators: How many.
            strength: The most that it may have as a request: `LeaseRequest.strength`.
        """
        if lease.starts_at_ms > self._now_ms or lease.flexible or lease.alternatives:
            return False
        return self._no_room(lease, accelerators, strength) or not (
            self._something_passes(lease.ends_at_ms)
            or self._fills_gaps(lease)
            or self._something_gives_way(strength)
            or self._something_is_free(lease.tenant_id, accelerators, lease.shape)
        )

    def _fills_gaps(self, lease: Lease) -> bool:
        """Whether it may stand until somebody's promise begins, and one begins late enough."""
        if lease.lease_class is not LeaseClass.SPOT or lease.ends_at_ms:
            return False
        gap_ms = lease.least_gap_ms
        return gap_ms is not None and self._something_passes(self._now_ms + gap_ms)

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

    def _no_room(self, lease: Lease, accelerators: int, strength: int) -> bool:
        """Whether there is no room, were all gone that ends, begins later or may give way."""
        for_good = lease.ends_at_ms is None
        if for_good and lease.lease_class is LeaseClass.SPOT:
            for_good = not self._fills_gaps(lease)
        rooms = self._rooms.get((strength, for_good))
        if rooms is None:
            rooms = self._rooms[strength, for_good] = [
                self._snapshot.room(pool, strength, for_good, self._now_ms) for pool in self._pools
            ]
        tenant_id = lease.tenant_id
        if lease.shape is Shape.NODE:
            if len(rooms) == 1:  # asked so often that it counts
                return accelerators > rooms[0].on_a_node(tenant_id)
            return accelerators > max([room.on_a_node(tenant_id) for room in rooms], default=0)
        in_all = [room.in_all(tenant_id) for room in rooms]
        most = sum(in_all) if lease.shape is Shape.SITE else max(in_all, default=0)
        return accelerators > most
