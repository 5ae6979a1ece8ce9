"""Pools: the flat tables of nodes that are alike, kept true by what the snapshot feeds.

A pool is the nodes of one kind in one cluster, whose supply begins and ends together and carries
the same conditions. Node, rack, pod and cluster shapes are placed inside one pool. The pool knows
rows by their ids and which accelerators of a node are touched; the kernel (`kernel.py`) knows
handles and counts. Neighbours: `snapshot.py` owns the pools, `plan.py` asks them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from comptoir.fleet.conditions import Conditions
from comptoir.fleet.kinds import CATALOGUE, Tenancy
from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.claims import tier_of
from comptoir.leases.lease import Lease, LeaseState
from comptoir.placement import kernel as k
from comptoir.placement.backend import Backend
from comptoir.placement.kernel_reclaim import ENDLESS, room_beside
from comptoir.placement.passing import Passing
from comptoir.placement.tables import Tables
from comptoir.units.ids import AllocationId, LeaseId, NodeId, TenantId
from comptoir.units.time import MS_PER_S

_YEAR_2020_S = 1_577_836_800


@dataclass(frozen=True, slots=True)
class PoolKey:
    """What the nodes of a pool have in common. `starts_at_ms` 0: the supply has begun."""

    kind: str
    site: str
    cluster: str
    starts_at_ms: int
    ends_at_ms: int | None
    conditions: Conditions


class Pool:
    """One pool's tables, and the ids of their rows."""

    def __init__(self, key: PoolKey, backend: Backend) -> None:
        self.key = key
        self.backend = backend
        self.layout = 0
        """Counts the changes of which nodes there are and which of them are in service."""
        self.shared = CATALOGUE[key.kind].tenancy is Tenancy.SANDBOXED_SHARED
        self.ids: list[NodeId] = []
        """Node ids by row number; an unused row keeps its last."""
        self.handles: dict[NodeId, int] = {}
        self.taken: list[int] = []
        """By row number: the touched accelerators of a node, as bits."""
        self.doubled: dict[int, int] = {}
        """Nodes on which several things stand on one accelerator: handle -> how many too many."""
        self.lease_ids: dict[int, LeaseId] = {}
        self.holdings: dict[AllocationId, int] = {}
        self.passing = Passing()
        """By accelerator: what ends by itself, or has yet to start."""
        self.worked: set[int] = set()
        """The row numbers of nodes with planned work."""
        self._leases: dict[LeaseId, int] = {}
        self._owners: dict[TenantId, int] = {}
        self._racks: dict[tuple[str, str], int] = {}
        self._pods: dict[str, int] = {}
        self._pod_sizes: dict[int, int] = {}
        self._unused_nodes: list[int] = []
        self.tables = Tables(self.shared, backend)

    def use(self, backend: Backend) -> None:
        """Go on with another back end, over the same tables."""
        self.backend = backend
        self.tables.use(backend)

    def settle(self) -> None:
        """Make the tables fit to be searched."""
        if self.tables.pool[k.DIRTY] >= 0:
            self.backend.settle(*self.tables.memory[2:4])

    # What the snapshot feeds.

    def add_node(self, node: Node, is_open: bool) -> None:
        """Take a node in; nothing stands on it yet."""
        p = self._pod(node.pod)
        self._pod_sizes[p] += node.accelerators
        self.tables.room_for_pod(self._pod_sizes[p])
        if self._unused_nodes:
            n = self._unused_nodes.pop()
        else:
            n = self.tables.new_node()
            self.ids.append(node.id)
            self.taken.append(0)
        self.tables.put_node(n, self._rack(p, node), node.accelerators)
        row = n // k.NODE_ROW
        self.ids[row], self.taken[row] = node.id, 0
        self.handles[node.id] = n
        self.set_open(n, is_open)

    def remove_node(self, node: Node) -> None:
        """Let a node go; nothing stands on it any more."""
        n = self.handles.pop(node.id)
        self.set_open(n, False)
        self._pod_sizes[self._pods[node.pod]] -= node.accelerators
        self.tables.take_node(n)
        self._unused_nodes.append(n)

    def set_open(self, n: int, is_open: bool) -> None:
        """Whether a node is for sale."""
        self.layout += 1
        if is_open != (self.tables.node[n + k.SIZE] > 0):
            change = self.backend.open_node if is_open else self.backend.close_node
            change(*self.tables.memory[:4], n)

    def hold(self, allocation: Allocation, lease: Lease | None) -> None:
        """An allocation stands on its node from now on."""
        n = self.handles[allocation.node_id]
        row, size = n // k.NODE_ROW, len(allocation.accelerators)
        mask = mask_of(allocation.accelerators)
        fresh = (mask & ~self.taken[row]).bit_count()
        self.taken[row] |= mask
        if fresh < size:
            self.doubled[n] = self.doubled.get(n, 0) + size - fresh
        held_by = self._lease(allocation, lease)
        self.tables.room_for_holding()
        h = self.backend.hold(*self.tables.memory[:4], n, held_by, size, fresh)
        self.holdings[allocation.id] = h
        self.set_window(allocation)

    def set_window(self, allocation: Allocation) -> None:
        """When an allocation stands, if not from now on without an end."""
        h, n = self.holdings[allocation.id], self.handles[allocation.node_id]
        start = -1 if allocation.delivered_from_ms is not None else allocation.starts_at_ms
        end = ENDLESS if allocation.ends_at_ms is None else allocation.ends_at_ms
        end = max(end, allocation.starts_at_ms + 1)
        stays = start < 0 and end == ENDLESS
        if not allocation.lease_id:
            self.worked.add(n // k.NODE_ROW)
        elif stays and n not in self.doubled:
            self.passing.drop(allocation.id)
        else:
            owner, mask = self.owner_of(allocation.tenant_id), mask_of(allocation.accelerators)
            self.passing.put(allocation.id, n // k.NODE_ROW, mask, start, end, owner)
        if not stays:
            self.tables.room_for_window()
            node, held, pool, _, window, _ = self.tables.memory
            self.backend.let_pass(node, held, pool, window, h, start, end)
        elif self.tables.held[h + k.PASSES] >= 0:
            node, held, pool, _, window, _ = self.tables.memory
            self.backend.stay(node, held, pool, window, h)

    def free(self, allocation: Allocation, others: Iterable[Allocation]) -> None:
        """An allocation stands no more; `others` still stand on its node."""
        n, h = self.handles[allocation.node_id], self.holdings.pop(allocation.id)
        self.passing.drop(allocation.id)
        if not allocation.lease_id:
            self.worked.discard(n // k.NODE_ROW)
        row, released = n // k.NODE_ROW, len(allocation.accelerators)
        if n in self.doubled:
            left = 0
            for other in others:
                left |= mask_of(other.accelerators)
            freed = (self.taken[row] & ~left).bit_count()
            self.doubled[n] -= released - freed
            if not self.doubled[n]:
                del self.doubled[n]
            self.taken[row], released = left, freed
        else:
            self.taken[row] &= ~mask_of(allocation.accelerators)
        of = self.tables.held[h + k.OF]
        self.backend.free(*self.tables.memory[:5], h, released)
        if self.tables.pool[of + k.L_FIRST] < 0:
            del self._leases[allocation.lease_id], self.lease_ids[of]
            self.tables.drop_lease(of)

    def change_lease(self, lease: Lease) -> None:
        """A lease that holds something here is in another state, or has other terms."""
        of = self._leases.get(lease.id)
        if of is None:
            return
        rank, since = rank_of(lease), _seconds(lease.state_since_ms)
        if rank != self.tables.pool[of + k.L_RANK] or since != self.tables.pool[of + k.L_SINCE]:
            self.backend.rank_lease(*self.tables.memory[:4], of, rank, since)
        self.tables.pool[of + k.L_SIZE] = lease.accelerators

    # What placement asks.

    def owner_of(self, tenant: TenantId) -> int:
        """The number of a tenant that has held something here; NOBODY if it never did."""
        return k.EVERYBODY if self.shared else self._owners.get(tenant, k.NOBODY)

    def row_of(self, node_id: NodeId) -> int:
        """The row number of a node."""
        return self.handles[node_id] // k.NODE_ROW

    def room_for(self, owner: int) -> int:
        """Untouched accelerators that an owner may be given, in the whole pool."""
        self.settle()
        if self.shared or owner == k.NOBODY:
            return self.tables.pool[k.ALL_ROOM]
        return (
            self.tables.pool[k.ALL_ROOM] + self.tables.pool[self.tables.pool[k.OWNER_FREE] + owner]
        )

    def find(self, level: int, wanted: int, owner: int) -> list[tuple[NodeId, int]]:
        """(node, accelerators) pairs of untouched accelerators at one level, or none."""
        self.tables.room_for_answer(min(wanted, len(self.ids)) + 2)
        self.settle()
        node, _, pool, wide, _, out = self.tables.memory
        pairs = self.backend.find(node, pool, wide, out, level, wanted, owner)
        ids, out = self.ids, self.tables.out
        return [(ids[out[2 * i] // k.NODE_ROW], out[2 * i + 1]) for i in range(pairs)]

    def free_on(self, node_id: NodeId) -> int:
        """How many untouched accelerators a node has, for sale or not."""
        return self.tables.node[self.handles[node_id] + k.FREE]

    def untouched(self, node_id: NodeId, count: int) -> list[int]:
        """The lowest untouched accelerators of a node, as many as asked for."""
        return lowest(~self.taken[self.row_of(node_id)], count)

    def promising_pods(self, wanted: int, rank: int, now_ms: int) -> list[tuple[int, int]]:
        """(score, pod) of the pods in which something might be freed, the best first."""
        self.settle()
        return self.backend.promising_pods(*self.tables.memory[2:4], wanted, rank, _seconds(now_ms))

    def youngest_racks(self, wanted: int, rank: int, now_ms: int) -> list[int]:
        """The racks with the youngest work that may free so much together."""
        self.settle()
        return self.backend.youngest_racks(*self.tables.memory[2:4], wanted, rank, _seconds(now_ms))

    def room_beside(self, racks: list[int]) -> int:
        """Accelerators of wholly free nodes that are in none of some racks."""
        self.settle()
        return room_beside(self.tables.pool, racks)

    def promising_places(
        self, level: int, pods: list[int], wanted: int, rank: int, now_ms: int
    ) -> list[tuple[int, int]]:
        """(score, place) of the places of some pods that might be freed, the best first."""
        listed, now_s = self.backend.listed(pods), _seconds(now_ms)
        return self.backend.promising_places(
            *self.tables.memory[2:4], level, listed, wanted, rank, now_s
        )

    def nodes_of_rack(self, r: int, wanted: int, rank: int, now_ms: int) -> list[tuple[int, int]]:
        """(score, node) of the nodes of a rack that might be freed."""
        return self.backend.nodes_of_rack(
            *self.tables.memory[:3], r, wanted, rank, _seconds(now_ms)
        )

    def weak_leases(self, level: int, place: int, rank: int) -> list[LeaseId]:
        """Leases weaker than `rank` that hold something in a place."""
        found = self.backend.weak_leases(*self.tables.memory[:3], level, place, rank)
        return [self.lease_ids[of] for of in found]

    def gather(
        self, level: int, place: int, claim: tuple[int, int, int, int, int]
    ) -> tuple[int, list[int]]:
        """What is free in a place without any reclaim, and the records of what could be."""
        self.settle()
        node, held, pool, _, window, _ = self.tables.memory
        return self.backend.gathered(node, held, pool, window, level, place, claim)

    def contents(self) -> dict[str, object]:
        """All that the tables say, by ids: two pools of one book say the same."""
        self.settle()
        node, held, pool = self.tables.node, self.tables.held, self.tables.pool
        names = {owner: tenant for tenant, owner in self._owners.items()}
        nodes = {
            id: (
                node[n + k.FREE], node[n + k.SIZE], self.taken[n // k.NODE_ROW],
                names.get(node[n + k.OWNER], node[n + k.OWNER]), self.doubled.get(n, 0),
            )
            for id, n in self.handles.items()
        }  # fmt: skip
        racks = {name: self.tables.counts(r) for name, r in self._racks.items()}
        pods = {name: self.tables.counts(p) for name, p in self._pods.items()}
        holdings = {}
        for id, h in self.holdings.items():
            w, lease = held[h + k.PASSES], held[h + k.OF]
            terms = [pool[lease + column] for column in (k.L_RANK, k.L_SIZE, k.L_SINCE)]
            holdings[id] = (
                self.ids[held[h + k.ON] // k.NODE_ROW], self.lease_ids[lease], held[h + k.HOLDS],
                terms if terms[0] < k.GUARANTEED else [],
                [] if w < 0 else list(self.tables.window[w + k.W_START : w + k.WINDOW_ROW]),
            )  # fmt: skip
        return {
            "nodes": nodes,
            "racks": {name: counts for name, counts in racks.items() if any(counts)},
            "pods": {name: counts for name, counts in pods.items() if any(counts)},
            "holdings": holdings,
        }

    # Rows.

    def number_owner(self, tenant: TenantId) -> int:
        """The number of a tenant here, from now on."""
        if self.shared:
            return k.EVERYBODY
        owner = self._owners.get(tenant)
        if owner is None:
            owner = self._owners[tenant] = len(self._owners) + 1
            self.tables.room_for_owner(owner)
        return owner

    def _lease(self, allocation: Allocation, lease: Lease | None) -> int:
        of = self._leases.get(allocation.lease_id)
        if of is not None:
            return of
        owner = self.number_owner(allocation.tenant_id)
        if lease is None:
            size = len(allocation.accelerators)
            of = self.tables.new_lease(owner, k.GUARANTEED, size, 0)
        else:
            since_s = _seconds(lease.state_since_ms)
            of = self.tables.new_lease(owner, rank_of(lease), lease.accelerators, since_s)
        self._leases[allocation.lease_id] = of
        self.lease_ids[of] = allocation.lease_id
        return of

    def _pod(self, name: str) -> int:
        p = self._pods.get(name)
        if p is None:
            p = self._pods[name] = self.tables.new_pod()
            self._pod_sizes[p] = 0
        return p

    def _rack(self, p: int, node: Node) -> int:
        r = self._racks.get((node.pod, node.rack))
        if r is None:
            r = self._racks[node.pod, node.rack] = self.tables.new_rack(p)
        return r


def _seconds(instant_ms: int) -> int:
    """An instant in 32 bits: seconds since 2020, until 2088."""
    return instant_ms // MS_PER_S - _YEAR_2020_S


def rank_of(lease: Lease) -> int:
    """The tier in which a lease may be reclaimed; GUARANTEED if it may not be."""
    if lease.reclaimable and lease.state is LeaseState.ACTIVE:
        return int(tier_of(lease))
    return k.GUARANTEED


def mask_of(accelerators: Iterable[int]) -> int:
    """Accelerator indexes as bits."""
    mask = 0
    for index in accelerators:
        mask |= 1 << index
    return mask


def lowest(mask: int, count: int) -> list[int]:
    """The lowest `count` set bits of a mask."""
    found: list[int] = []
    while len(found) < count:
        bit = mask & -mask
        found.append(bit.bit_length() - 1)
        mask ^= bit
    return found
