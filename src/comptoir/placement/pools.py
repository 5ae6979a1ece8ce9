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
from comptoir.placement.kernel_reclaim import enough_pods, room_beside
from comptoir.units.ids import AllocationId, LeaseId, NodeId, TenantId
from comptoir.units.time import MS_PER_S

_FEWEST_OWNERS = 2
_YEAR_2020_S = 1_577_836_800
MOST_PAIRS = 8_192
"""Nodes in the answer of a search for which `reserve` makes room ahead."""
_CHUNK = 64
"""Unused rows that a table gains at least; a large one gains an eighth."""


Memory = tuple[k.Ints, k.Ints, k.Ints, k.Ints, k.Ints, k.Ints]


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
        self.lease_ids: dict[int, LeaseId] = {}
        self.holdings: dict[AllocationId, int] = {}
        self._leases: dict[LeaseId, int] = {}
        self._owners: dict[TenantId, int] = {}
        self._racks: dict[tuple[str, str], int] = {}
        self._pods: dict[str, int] = {}
        self._pod_sizes: dict[int, int] = {}
        self._unused_nodes: list[int] = []
        self._owner_rows = _FEWEST_OWNERS
        self._seen: Memory | None = None
        self.node, self.held, self.out = array("i"), array("i"), array("i")
        self.pool = array("i", [0] * k.POOL_ROW)
        self.wide, self.window = array("q"), array("q")
        for column in (k.DIRTY, k.FREE_HELD, k.FREE_LEASE, k.FIRST_POD):
            self.pool[column] = -1
        self.pool[k.SHARED] = self.shared
        self._widen(2)
        self._broaden(2)

    @property
    def memory(self) -> "Memory":
        """The tables as the back end sees them: node, held, pool, wide, window, out."""
        if self._seen is None:
            view = self.backend.view
            self._seen = (
                view(self.node), view(self.held), view(self.pool), view(self.wide),
                view(self.window), view(self.out),
            )  # fmt: skip
        return self._seen

    def settle(self) -> None:
        """Make the tables fit to be searched."""
        if self.pool[k.DIRTY] >= 0:
            self.backend.settle(*self.memory[2:4])

    @property
    def bytes_used(self) -> int:
        """What the flat tables take."""
        tables = (self.node, self.held, self.pool, self.wide, self.window, self.out)
        return sum(len(table) * table.itemsize for table in tables)

    # What the snapshot feeds.

    def add_node(self, node: Node, is_open: bool) -> None:
        """Take a node in; nothing stands on it yet."""
        p = self._pod(node.pod)
        r = self._rack(p, node)
        self._pod_sizes[p] += node.accelerators
        if node.accelerators >= self.pool[k.WIDTH]:
            self._widen(node.accelerators + 1)
        if self._pod_sizes[p] >= self.pool[k.WIDE]:
            self._broaden(self._pod_sizes[p] + 1)
        n = self._unused_nodes.pop() if self._unused_nodes else self._new_node()
        owner = k.EVERYBODY if self.shared else k.NOBODY
        size, sibling = node.accelerators, self.pool[r + k.NODES]
        self.node[n : n + k.NODE_ROW] = array("i", [size, -size, owner, r, -1, -1, -1, sibling])
        self.pool[r + k.NODES] = n
        row = n // k.NODE_ROW
        self.ids[row], self.taken[row] = node.id, 0
        self.handles[node.id] = n
        self.set_open(n, is_open)

    def remove_node(self, node: Node) -> None:
        """Let a node go; nothing stands on it any more."""
        n = self.handles.pop(node.id)
        self.set_open(n, False)
        r = self.node[n + k.RACK]
        self._pod_sizes[self.pool[r + k.POD]] -= node.accelerators
        following = self.node[n + k.SIBLING]
        if self.pool[r + k.NODES] == n:
            self.pool[r + k.NODES] = following
        else:
            before = self.pool[r + k.NODES]
            while self.node[before + k.SIBLING] != n:
                before = self.node[before + k.SIBLING]
            self.node[before + k.SIBLING] = following
        self._unused_nodes.append(n)

    def set_open(self, n: int, is_open: bool) -> None:
        """Whether a node is for sale."""
        self.layout += 1
        if is_open != (self.node[n + k.SIZE] > 0):
            change = self.backend.open_node if is_open else self.backend.close_node
            change(*self.memory[:4], n)

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
        if self.pool[k.FREE_HELD] < 0:
            self._more_holdings(max(_CHUNK, len(self.held) // k.HELD_ROW // 8))
        h = self.backend.hold(*self.memory[:4], n, held_by, size, fresh)
        self.holdings[allocation.id] = h
        self.set_window(allocation)

    def set_window(self, allocation: Allocation) -> None:
        """When an allocation stands, if not from now on without an end."""
        h = self.holdings[allocation.id]
        if allocation.ends_at_ms is None and allocation.delivered_from_ms is not None:
            if self.held[h + k.PASSES] >= 0:
                node, held, pool, _, window, _ = self.memory
                self.backend.stay(node, held, pool, window, h)
            return
        if self.pool[k.WINDOWS] == len(self.window):
            self._more_windows()
        start = -1 if allocation.delivered_from_ms is not None else allocation.starts_at_ms
        end = ENDLESS if allocation.ends_at_ms is None else allocation.ends_at_ms
        node, held, pool, _, window, _ = self.memory
        end = max(end, allocation.starts_at_ms + 1)
        self.backend.let_pass(node, held, pool, window, h, start, end)

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
        of = self.held[h + k.OF]
        self.backend.free(*self.memory[:5], h, released)
        if self.pool[of + k.L_FIRST] < 0:
            del self._leases[allocation.lease_id], self.lease_ids[of]
            self.pool[of + k.L_FIRST] = self.pool[k.FREE_LEASE]
            self.pool[k.FREE_LEASE] = of

    def change_lease(self, lease: Lease) -> None:
        """A lease that holds something here is in another state, or has other terms."""
        of = self._leases.get(lease.id)
        if of is None:
            return
        rank, since = rank_of(lease), _seconds(lease.state_since_ms)
        if rank != self.pool[of + k.L_RANK] or since != self.pool[of + k.L_SINCE]:
            self.backend.rank_lease(*self.memory[:4], of, rank, since)
        self.pool[of + k.L_SIZE] = lease.accelerators

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
            return self.pool[k.ALL_ROOM]
        return self.pool[k.ALL_ROOM] + self.pool[self.pool[k.OWNER_FREE] + owner]

    def find(self, level: int, wanted: int, owner: int) -> list[tuple[NodeId, int]]:
        """(node, accelerators) pairs of untouched accelerators at one level, or none."""
        most = 2 * min(wanted, len(self.ids)) + 4
        if len(self.out) < most:
            self._seen = None
            self.out = array("i", bytes(4 * most))
        self.settle()
        node, _, pool, wide, _, out = self.memory
        pairs = self.backend.find(node, pool, wide, out, level, wanted, owner)
        ids, out = self.ids, self.out
        return [(ids[out[2 * i] // k.NODE_ROW], out[2 * i + 1]) for i in range(pairs)]

    def free_on(self, node_id: NodeId) -> int:
        """How many untouched accelerators a node has, for sale or not."""
        return self.node[self.handles[node_id] + k.FREE]

    def untouched(self, node_id: NodeId, count: int) -> list[int]:
        """The lowest untouched accelerators of a node, as many as asked for."""
        return lowest(~self.taken[self.row_of(node_id)], count)

    def promising_pods(self, wanted: int, rank: int, now_ms: int) -> list[tuple[int, int]]:
        """(score, pod) of the pods in which something might be freed, the best first."""
        self.settle()
        return self.backend.promising_pods(*self.memory[2:4], wanted, rank, _seconds(now_ms))

    def enough_pods(self, wanted: int, rank: int, now_ms: int) -> list[int]:
        """The pods with the youngest work that may free so much together."""
        pods = self.promising_pods(1, rank, now_ms)
        return enough_pods(self.pool, pods, wanted, rank)

    def room_beside(self, pods: list[int]) -> int:
        """Accelerators of wholly free nodes that are in none of some pods."""
        self.settle()
        return room_beside(self.pool, pods)

    def promising_places(
        self, level: int, pods: list[int], wanted: int, rank: int, now_ms: int
    ) -> list[tuple[int, int]]:
        """(score, place) of the places of some pods that might be freed, the best first."""
        listed, now_s = self.backend.listed(pods), _seconds(now_ms)
        return self.backend.promising_places(*self.memory[2:4], level, listed, wanted, rank, now_s)

    def nodes_of_rack(self, r: int, wanted: int, rank: int, now_ms: int) -> list[tuple[int, int]]:
        """(score, node) of the nodes of a rack that might be freed."""
        return self.backend.nodes_of_rack(*self.memory[:3], r, wanted, rank, _seconds(now_ms))

    def weak_leases(self, level: int, place: int, rank: int) -> list[LeaseId]:
        """Leases weaker than `rank` that hold something in a place."""
        found = self.backend.weak_leases(*self.memory[:3], level, place, rank)
        return [self.lease_ids[of] for of in found]

    def gather(
        self, level: int, place: int, claim: tuple[int, int, int, int, int]
    ) -> tuple[int, list[int]]:
        """What is free in a place without any reclaim, and the records of what could be."""
        self.settle()
        node, held, pool, _, window, _ = self.memory
        return self.backend.gathered(node, held, pool, window, level, place, claim)

    def contents(self) -> dict[str, object]:
        """All that the tables say, by ids: two pools of one book say the same."""
        self.settle()
        node, held, pool = self.node, self.held, self.pool
        names = {owner: tenant for tenant, owner in self._owners.items()}
        nodes = {
            id: (
                node[n + k.FREE], node[n + k.SIZE], self.taken[n // k.NODE_ROW],
                names.get(node[n + k.OWNER], node[n + k.OWNER]), self.doubled.get(n, 0),
            )
            for id, n in self.handles.items()
        }  # fmt: skip
        racks = {name: self._counts(r) for name, r in self._racks.items()}
        pods = {name: self._counts(p) for name, p in self._pods.items()}
        holdings = {}
        for id, h in self.holdings.items():
            w, lease = held[h + k.PASSES], held[h + k.OF]
            terms = [pool[lease + column] for column in (k.L_RANK, k.L_SIZE, k.L_SINCE)]
            holdings[id] = (
                self.ids[held[h + k.ON] // k.NODE_ROW], self.lease_ids[lease], held[h + k.HOLDS],
                terms if terms[0] < k.GUARANTEED else [],
                [] if w < 0 else list(self.window[w + k.W_START : w + k.WINDOW_ROW]),
            )  # fmt: skip
        return {
            "nodes": nodes,
            "racks": {name: counts for name, counts in racks.items() if any(counts)},
            "pods": {name: counts for name, counts in pods.items() if any(counts)},
            "holdings": holdings,
        }

    def _counts(self, place: int) -> list[int]:
        """What a rack or pod counts."""
        columns = (k.ROOM, k.RFREE, k.CAPACITY, k.PASSING, *range(k.WEAK, k.WEAK + k.STRENGTHS))
        sums = self.pool[place + k.SUMS]
        counts = [self.pool[place + column] for column in columns]
        return [*counts, *self.wide[sums : sums + k.STRENGTHS]]

    # Memory.

    def reserve(self, holdings: int, leases: int) -> None:
        """Make room ahead, and for the largest answer of a search."""
        self._more_holdings(holdings)
        self._more_leases(leases)
        self.out = array("i", bytes(4 * (2 * min(len(self.ids), MOST_PAIRS) + 4)))

    def number_owner(self, tenant: TenantId) -> int:
        """The number of a tenant here, from now on."""
        return self._owner(tenant)

    def _lease(self, allocation: Allocation, lease: Lease | None) -> int:
        of = self._leases.get(allocation.lease_id)
        if of is not None:
            return of
        if self.pool[k.FREE_LEASE] < 0:
            self._more_leases(max(_CHUNK, len(self.lease_ids) // 8))
        of = self.pool[k.FREE_LEASE]
        self.pool[k.FREE_LEASE] = self.pool[of + k.L_FIRST]
        self._leases[allocation.lease_id] = of
        self.lease_ids[of] = allocation.lease_id
        owner = self._owner(allocation.tenant_id)
        fields = [owner, k.GUARANTEED, -1, len(allocation.accelerators), 0, 0]
        if lease is not None:
            since = _seconds(lease.state_since_ms)
            fields = [owner, rank_of(lease), -1, lease.accelerators, since, 0]
        self.pool[of : of + k.LEASE_ROW] = array("i", fields)
        return of

    def _owner(self, tenant: TenantId) -> int:
        if self.shared:
            return k.EVERYBODY
        owner = self._owners.get(tenant)
        if owner is None:
            owner = self._owners[tenant] = len(self._owners) + 1
            if owner >= self._owner_rows:
                self._lay_out(self.pool[k.WIDTH], 2 * self._owner_rows)
        return owner

    def _pod(self, name: str) -> int:
        p = self._pods.get(name)
        if p is None:
            p = self._pods[name] = self._new_rows([0] * k.POD_ROW)
            for column in (k.EMPTIES, k.RNEXT, k.RPREV, k.PLACE, k.NODES, k.WNEXT, k.WPREV):
                self.pool[p + column] = -1
            self.pool[p + k.SUMS] = self._new_words(k.STRENGTHS)
            self.pool[p + k.MARKED] = k.UNMARKED
            self.pool[p + k.NUMBER] = len(self._pods) - 1
            self.pool[p + k.RSIBLING] = self.pool[k.FIRST_POD]
            self.pool[k.FIRST_POD] = p
            self._pod_sizes[p] = 0
        return p

    def _rack(self, p: int, node: Node) -> int:
        r = self._racks.get((node.pod, node.rack))
        if r is None:
            r = self._racks[node.pod, node.rack] = self._new_rows([0] * k.RACK_ROW)
            for column in (k.EMPTIES, k.RNEXT, k.RPREV, k.PLACE, k.NODES):
                self.pool[r + column] = -1
            self.pool[r + k.SUMS] = self._new_words(k.STRENGTHS)
            self.pool[r + k.MARKED] = k.UNMARKED
            self.pool[r + k.NUMBER] = len(self._racks) - 1
            self.pool[r + k.POD] = p
            self.pool[r + k.RSIBLING] = self.pool[p + k.NODES]
            self.pool[p + k.NODES] = r
        return r

    def _new_node(self) -> int:
        self._seen = None
        n = len(self.node)
        self.node.extend([0] * k.NODE_ROW)
        self.ids.append(NodeId(""))
        self.taken.append(0)
        return n

    def _new_rows(self, rows: list[int]) -> int:
        """New memory at the end of the pool's table."""
        self._seen = None
        first = len(self.pool)
        self.pool.extend(rows)
        return first

    def _new_words(self, count: int) -> int:
        """New memory at the end of the table of 64 bits."""
        self._seen = None
        first = len(self.wide)
        self.wide.frombytes(bytes(8 * count))
        return first

    def _more_holdings(self, rows: int) -> None:
        """Chain unused rows before those there are."""
        self._seen = None
        first = len(self.held)
        self.held.frombytes(bytes(4 * rows * k.HELD_ROW))
        for h in range(first, len(self.held), k.HELD_ROW):
            self.held[h + k.ONEXT] = h + k.HELD_ROW
        self.held[len(self.held) - k.HELD_ROW + k.ONEXT] = self.pool[k.FREE_HELD]
        self.pool[k.FREE_HELD] = first

    def _more_windows(self) -> None:
        self._seen = None
        rows = max(_CHUNK, len(self.window) // k.WINDOW_ROW // 8)
        self.window.frombytes(bytes(8 * rows * k.WINDOW_ROW))

    def _more_leases(self, rows: int) -> None:
        """Chain unused rows before those there are."""
        first = self._new_rows([0] * (rows * k.LEASE_ROW))
        for of in range(first, len(self.pool), k.LEASE_ROW):
            self.pool[of + k.L_FIRST] = of + k.LEASE_ROW
        self.pool[len(self.pool) - k.LEASE_ROW + k.L_FIRST] = self.pool[k.FREE_LEASE]
        self.pool[k.FREE_LEASE] = first

    def _widen(self, width: int) -> None:
        """Make room for nodes of up to `width` - 1 accelerators."""
        self._lay_out(width, self._owner_rows)

    def _lay_out(self, width: int, owners: int) -> None:
        """Move the lists of nodes to where there is room for so many buckets and owners."""
        pool, words = self.pool, -(-width // k.BITS)
        old, old_width, sums = pool[k.NODE_LISTS], pool[k.WIDTH], pool[k.OWNER_FREE]
        lists = self._new_rows([0] * width + [-1] * (owners - 1) * width)
        bits = self._new_words(owners * words)
        free = self._new_rows([0] * owners)
        for owner in range(min(owners, self._owner_rows) if old else 0):
            pool[free + owner] = pool[sums + owner]
            for count in range(old_width):
                head = pool[old + owner * old_width + count]
                pool[lists + owner * width + count] = head
                if head > 0 or (head == 0 and owner != k.NOBODY):  # NOBODY's are counts
                    self.wide[bits + owner * words + count // k.BITS] |= 1 << count % k.BITS
        pool[k.WIDTH], pool[k.WORDS] = width, words
        pool[k.NODE_LISTS], pool[k.NODE_BITS], pool[k.OWNER_FREE] = lists, bits, free
        self._owner_rows = owners

    def _broaden(self, width: int) -> None:
        """Make room for pods of up to `width` - 1 accelerators; every place is hung anew."""
        wide = 1 << (width - 1).bit_length()
        self.pool[k.WIDE], self.pool[k.WIDE_WORDS] = wide, -(-wide // k.BITS)
        self.pool[k.LISTS] = self._new_rows([-1] * (3 * wide))
        self.pool[k.MAPS] = self._new_words(3 * self.pool[k.WIDE_WORDS])
        for p in self._pods.values():
            self.pool[p + k.PLACE] = self.pool[p + k.EMPTIES] = -1
            self.pool[p + k.WHOLE] = 0
        for r in self._racks.values():
            self.pool[r + k.PLACE] = -1
            if self.pool[r + k.MARKED] == k.UNMARKED:
                self.pool[r + k.MARKED] = self.pool[k.DIRTY]
                self.pool[k.DIRTY] = r


ENDLESS = 1 << 60


def _seconds(instant_ms: int) -> int:
    """An instant in 32 bits: seconds since 2020, until 2088."""
    return instant_ms // MS_PER_S - _YEAR_2020_S


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
