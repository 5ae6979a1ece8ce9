"""Pools: the flat tables of nodes that are alike, kept true by what the snapshot feeds.

A pool is the nodes of one kind in one cluster, whose supply begins and ends together and carries
the same conditions. Node, rack, pod and cluster shapes are placed inside one pool. The pool knows
rows by their ids and which accelerators of a node are touched; the kernel (`kernel.py`) knows
handles and counts. Neighbours: `snapshot.py` owns the pools, `plan.py` asks them.
"""

from array import array
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
from comptoir.units.ids import AllocationId, LeaseId, NodeId, TenantId
from comptoir.units.time import MS_PER_S

_TERMS = (k.L_RANK, k.L_SIZE, k.L_SINCE, k.L_NOTICE, k.L_FROM)

_CHUNK = 64
"""Unused rows that a table gains at least; a large one gains an eighth."""


@dataclass(frozen=True, slots=True)
class PoolKey:
    """What the nodes of a pool have in common. `starts_at_ms` 0: the supply has begun.

    `work_from_ms`: planned work begins on them then, and nothing is promised into it.
    """

    kind: str
    site: str
    cluster: str
    starts_at_ms: int
    ends_at_ms: int | None
    conditions: Conditions
    work_from_ms: int | None = None


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
        self.lease_ids: list[LeaseId] = []
        self.holdings: dict[AllocationId, int] = {}
        self._leases: dict[LeaseId, int] = {}
        self._owners: dict[TenantId, int] = {}
        self._racks: dict[tuple[str, str], int] = {}
        self._pods: dict[str, int] = {}
        self._pod_sizes: dict[int, int] = {}
        self._unused_nodes: list[int] = []
        self._seen: k.Tables | None = None
        self.node, self.holding = array("i"), array("i")
        self.rack, self.pod, self.lease, self.window = (array("q") for _ in range(4))
        self.owner_free = array("q", [0, 0])
        self.node_lists, self.lists, self.out = array("i"), array("i"), array("i")
        self.node_bits, self.bits = array("q"), array("q")
        self.meta = array("q", bytes(8 * k.META_SIZE))
        for column in (k.DIRTY, k.FREE_HOLDING, k.FREE_LEASE, k.FIRST_POD):
            self.meta[column] = -1
        self.meta[k.SHARED] = self.shared
        self._widen(2)
        self._broaden(2)

    @property
    def tables(self) -> k.Tables:
        """The memory as the back end sees it."""
        if self._seen is None:
            self._seen = k.Tables(
                *(self.backend.view(getattr(self, name)) for name in k.Tables._fields)
            )
        return self._seen

    def settled(self) -> k.Tables:
        """The memory, fit to be searched."""
        if self.meta[k.DIRTY] >= 0:
            self.backend.settle(self.tables)
        return self.tables

    # What the snapshot feeds.

    def add_node(self, node: Node, is_open: bool) -> None:
        """Take a node in; nothing stands on it yet."""
        self._seen = None
        self.layout += 1
        p = self._pod(node.pod)
        r = self._rack(p, node)
        self._pod_sizes[p] += node.accelerators
        if node.accelerators >= self.meta[k.WIDTH]:
            self._widen(node.accelerators + 1)
        if self._pod_sizes[p] >= self.meta[k.WIDE]:
            self._broaden(self._pod_sizes[p] + 1)
        n = self._unused_nodes.pop() if self._unused_nodes else self._new_node()
        owner = k.EVERYBODY if self.shared else k.NOBODY
        self.node[n : n + k.NODE_ROW] = array(
            "i",
            [node.accelerators, node.accelerators, owner, r, -1, -1, k.CLOSED, -1,
             self.rack[r + k.NODES]],
        )  # fmt: skip
        self.rack[r + k.NODES] = n
        row = n // k.NODE_ROW
        self.ids[row], self.taken[row] = node.id, 0
        self.handles[node.id] = n
        if is_open:
            self.backend.open_node(self.tables, n)

    def remove_node(self, node: Node) -> None:
        """Let a node go; nothing stands on it any more."""
        self.layout += 1
        n = self.handles.pop(node.id)
        self.set_open(n, False)
        r = self.node[n + k.RACK]
        self._pod_sizes[self.rack[r + k.POD]] -= node.accelerators
        following = self.node[n + k.SIBLING]
        if self.rack[r + k.NODES] == n:
            self.rack[r + k.NODES] = following
        else:
            before = self.rack[r + k.NODES]
            while self.node[before + k.SIBLING] != n:
                before = self.node[before + k.SIBLING]
            self.node[before + k.SIBLING] = following
        self._unused_nodes.append(n)

    def set_open(self, n: int, is_open: bool) -> None:
        """Whether a node is for sale."""
        self.layout += 1
        if is_open and self.node[n + k.LIST] == k.CLOSED:
            self.backend.open_node(self.tables, n)
        elif not is_open and self.node[n + k.LIST] != k.CLOSED:
            self.backend.close_node(self.tables, n)

    def hold(self, allocation: Allocation, lease: Lease | None) -> None:
        """An allocation stands on its node from now on."""
        n = self.handles[allocation.node_id]
        row, mask, size = (
            n // k.NODE_ROW,
            mask_of(allocation.accelerators),
            len(allocation.accelerators),
        )
        fresh = (mask & ~self.taken[row]).bit_count()
        self.taken[row] |= mask
        if fresh < size:
            self.doubled[n] = self.doubled.get(n, 0) + size - fresh
        held_by = self._lease(allocation, lease)
        if self.meta[k.FREE_HOLDING] < 0:
            self._more(self.holding, k.HOLDING_ROW, k.ONEXT, k.FREE_HOLDING)
            self._room_for_windows()
        self.holdings[allocation.id] = self.backend.hold(self.tables, n, held_by, size, fresh)
        self.set_window(allocation)

    def set_window(self, allocation: Allocation) -> None:
        """When an allocation stands, if not from now on without an end."""
        h = self.holdings[allocation.id]
        if allocation.ends_at_ms is None and allocation.delivered_from_ms is not None:
            if self.holding[h + k.PASSES] >= 0:
                self.backend.stay(self.tables, h)
            return
        start = -1 if allocation.delivered_from_ms is not None else allocation.starts_at_ms
        end = ENDLESS if allocation.ends_at_ms is None else allocation.ends_at_ms
        self.backend.let_pass(self.tables, h, start, max(end, allocation.starts_at_ms + 1))

    def free(self, allocation: Allocation, others: Iterable[Allocation]) -> None:
        """An allocation stands no more; `others` still stand on its node."""
        n, h = self.handles[allocation.node_id], self.holdings.pop(allocation.id)
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
        of = self.holding[h + k.OF]
        self.backend.free(self.tables, h, released)
        if self.lease[of + k.L_FIRST] < 0:
            del self._leases[allocation.lease_id]
            self.lease[of + k.L_FIRST] = self.meta[k.FREE_LEASE]
            self.meta[k.FREE_LEASE] = of

    def change_lease(self, lease: Lease) -> None:
        """A lease that holds something here is in another state, or has other terms."""
        of = self._leases.get(lease.id)
        if of is None:
            return
        rank, since = rank_of(lease), lease.state_since_ms
        if rank != self.lease[of + k.L_RANK] or (
            rank < k.GUARANTEED and since != self.lease[of + k.L_SINCE]
        ):
            self.backend.rank_lease(self.tables, of, rank, since)
        self.lease[of + k.L_SIZE] = lease.accelerators
        self.lease[of + k.L_NOTICE] = lease.notice_s * MS_PER_S
        self.lease[of + k.L_FROM] = lease.reclaimable_from_ms

    # What placement asks.

    def owner_of(self, tenant: TenantId) -> int:
        """The number of a tenant that has held something here; NOBODY if it never did."""
        return k.EVERYBODY if self.shared else self._owners.get(tenant, k.NOBODY)

    def row_of(self, node_id: NodeId) -> int:
        """The row number of a node."""
        return self.handles[node_id] // k.NODE_ROW

    def room_for(self, owner: int) -> int:
        """Untouched accelerators that an owner may be given, in the whole pool."""
        self.settled()
        if self.shared or owner == k.NOBODY:
            return self.meta[k.ALL_ROOM]
        return self.meta[k.ALL_ROOM] + self.owner_free[owner]

    def find(self, level: int, wanted: int, owner: int) -> list[tuple[NodeId, int]]:
        """(node, accelerators) pairs of untouched accelerators at one level, or none."""
        if len(self.out) < 2 * min(wanted, len(self.ids)) + 4:
            self._seen = None
            self.out = array("i", bytes(4 * (2 * min(2 * wanted, len(self.ids)) + 4)))
        pairs = self.backend.find(self.settled(), level, wanted, owner)
        return [
            (self.ids[self.out[2 * i] // k.NODE_ROW], self.out[2 * i + 1]) for i in range(pairs)
        ]

    def free_on(self, node_id: NodeId) -> int:
        """How many untouched accelerators a node has, for sale or not."""
        return self.node[self.handles[node_id] + k.FREE]

    def untouched(self, node_id: NodeId, count: int) -> list[int]:
        """The lowest untouched accelerators of a node, as many as asked for."""
        n = self.handles[node_id]
        return lowest(~self.taken[n // k.NODE_ROW], count)

    def contents(self) -> dict[str, object]:
        """All that the tables say, by ids: two pools of one book say the same."""
        t = self.settled()
        names = {owner: tenant for tenant, owner in self._owners.items()}
        nodes = {
            id: (
                t.node[n + k.FREE], names.get(t.node[n + k.OWNER], t.node[n + k.OWNER]),
                t.node[n + k.LIST] == k.CLOSED, self.taken[n // k.NODE_ROW], self.doubled.get(n, 0),
            )
            for id, n in self.handles.items()
        }  # fmt: skip
        columns = (k.ROOM, k.RFREE, k.CAPACITY, k.PASSING, *range(k.WEAK, k.RACK_ROW))
        racks = {
            name: [t.rack[r + column] for column in columns] for name, r in self._racks.items()
        }
        pods = {name: [t.pod[p + column] for column in columns] for name, p in self._pods.items()}
        holdings = {}
        for id, h in self.holdings.items():
            w = t.holding[h + k.PASSES]
            lease = t.holding[h + k.OF]
            terms = [t.lease[lease + column] for column in _TERMS]
            holdings[id] = (
                self.ids[t.holding[h + k.ON] // k.NODE_ROW], self.lease_ids[lease // k.LEASE_ROW],
                t.holding[h + k.HOLDS], terms if terms[0] < k.GUARANTEED else [],
                [] if w < 0 else list(t.window[w + k.W_START : w + k.WINDOW_ROW]),
            )  # fmt: skip
        return {
            "nodes": nodes,
            "racks": {name: counts for name, counts in racks.items() if any(counts)},
            "pods": {name: counts for name, counts in pods.items() if any(counts)},
            "holdings": holdings,
        }

    # Memory.

    def _lease(self, allocation: Allocation, lease: Lease | None) -> int:
        of = self._leases.get(allocation.lease_id)
        if of is not None:
            return of
        if self.meta[k.FREE_LEASE] < 0:
            self._more(self.lease, k.LEASE_ROW, k.L_FIRST, k.FREE_LEASE)
            self.lease_ids.extend(
                [LeaseId("")] * (len(self.lease) // k.LEASE_ROW - len(self.lease_ids))
            )
        of = self.meta[k.FREE_LEASE]
        self.meta[k.FREE_LEASE] = self.lease[of + k.L_FIRST]
        self._leases[allocation.lease_id] = of
        self.lease_ids[of // k.LEASE_ROW] = allocation.lease_id
        owner = self._owner(allocation.tenant_id)
        fields = [owner, k.GUARANTEED, -1, len(allocation.accelerators), 0, 0, 0, 0]
        if lease is not None:
            fields = [
                owner, rank_of(lease), -1, lease.accelerators, lease.state_since_ms,
                lease.notice_s * MS_PER_S, lease.reclaimable_from_ms, 0,
            ]  # fmt: skip
        self.lease[of : of + k.LEASE_ROW] = array("q", fields)
        return of

    def _owner(self, tenant: TenantId) -> int:
        if self.shared:
            return k.EVERYBODY
        owner = self._owners.get(tenant)
        if owner is None:
            self._seen = None
            owner = self._owners[tenant] = len(self._owners) + 1
            self._room_for_owners()
        return owner

    def _room_for_owners(self) -> None:
        width, words = self.meta[k.WIDTH], self.meta[k.WORDS]
        while len(self.node_lists) < (len(self._owners) + 2) * width:
            owners = 8 + len(self.node_lists) // width // 4
            self.node_lists.extend([-1] * (owners * width))
            self.node_bits.extend([0] * (owners * words))
            self.owner_free.extend([0] * owners)

    def _pod(self, name: str) -> int:
        p = self._pods.get(name)
        if p is None:
            p = self._pods[name] = len(self.pod)
            self.pod.extend([0] * k.POD_ROW)
            for column in (k.EMPTIES, k.RNEXT, k.RPREV, k.PLACE, k.NODES, k.WNEXT, k.WPREV):
                self.pod[p + column] = -1
            self.pod[p + k.MARKED] = -2
            self.pod[p + k.RSIBLING] = self.meta[k.FIRST_POD]
            self.meta[k.FIRST_POD] = p
            self._pod_sizes[p] = 0
        return p

    def _rack(self, p: int, node: Node) -> int:
        r = self._racks.get((node.pod, node.rack))
        if r is None:
            r = self._racks[node.pod, node.rack] = len(self.rack)
            self.rack.extend([0] * k.RACK_ROW)
            for column in (k.EMPTIES, k.RNEXT, k.RPREV, k.PLACE, k.NODES):
                self.rack[r + column] = -1
            self.rack[r + k.MARKED] = -2
            self.rack[r + k.POD] = p
            self.rack[r + k.RSIBLING] = self.pod[p + k.NODES]
            self.pod[p + k.NODES] = r
        return r

    def _new_node(self) -> int:
        n = len(self.node)
        self.node.extend([0] * k.NODE_ROW)
        self.ids.append(NodeId(""))
        self.taken.append(0)
        return n

    def _more(self, table: "array[int]", width: int, link: int, head: int) -> None:
        """Chain unused rows to a table that has none."""
        self._seen = None
        first = len(table)
        rows = max(_CHUNK, first // width // 8)
        table.frombytes(bytes(rows * width * table.itemsize))
        for row in range(first, first + rows * width, width):
            table[row + link] = row + width
        table[first + (rows - 1) * width + link] = self.meta[head]
        self.meta[head] = first

    def _room_for_windows(self) -> None:
        missing = len(self.holding) // k.HOLDING_ROW * k.WINDOW_ROW - len(self.window)
        if missing > 0:
            self._seen = None
            self.window.frombytes(bytes(8 * missing))

    def _widen(self, width: int) -> None:
        """Make room for nodes of up to `width` - 1 accelerators."""
        self._seen = None
        opened = [n for n in self.handles.values() if self.node[n + k.LIST] != k.CLOSED]
        for n in opened:
            self.backend.close_node(self.tables, n)
        self._seen = None
        self.meta[k.WIDTH], self.meta[k.WORDS] = width, -(-width // k.BITS)
        self.node_lists = array("i", [0] * width + [-1] * width)
        self.node_bits = array("q", [0] * (2 * self.meta[k.WORDS]))
        self.owner_free = array("q", [0, 0])
        self._room_for_owners()
        for n in opened:
            self.backend.open_node(self.tables, n)

    def _broaden(self, width: int) -> None:
        """Make room for pods of up to `width` - 1 accelerators; every place is hung anew."""
        self._seen = None
        wide = 1 << (width - 1).bit_length()
        self.meta[k.WIDE], self.meta[k.WIDE_WORDS] = wide, -(-wide // k.BITS)
        self.lists = array("i", [-1] * (3 * wide))
        self.bits = array("q", [0] * (3 * self.meta[k.WIDE_WORDS]))
        for p in self._pods.values():
            self.pod[p + k.PLACE] = self.pod[p + k.EMPTIES] = -1
            self.pod[p + k.WHOLE] = 0
        for r in self._racks.values():
            self.rack[r + k.PLACE] = -1
            if self.rack[r + k.MARKED] == -2:
                self.rack[r + k.MARKED] = self.meta[k.DIRTY]
                self.meta[k.DIRTY] = r


ENDLESS = 1 << 60


def rank_of(lease: Lease) -> int:
    """The tier in which a lease may be reclaimed; GUARANTEED if it may not be."""
    if lease.reclaimable and lease.state is LeaseState.ACTIVE:
        return tier_of(lease)
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
