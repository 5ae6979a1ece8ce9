"""The memory of a pool's flat tables: it grows by rows, and lists move to where there is room.

Rows are handed out here and filled by `pools.py`; the kernel (`kernel.py`) says what their columns
mean and changes them. Growing is never a change: every handle stays what it was. While compiled
code looks at the memory it must not grow, so views are dropped before it does.
"""

from array import array

from comptoir.placement import kernel as k
from comptoir.placement.backend import Backend

Memory = tuple[k.Ints, k.Ints, k.Ints, k.Ints, k.Ints, k.Ints]

_FEWEST_OWNERS = 2
_LEAST_ROWS = 64
"""Unused rows that a table gains at least; a large one gains an eighth."""


class Tables:
    """node, held, pool: 32 bits; wide, window: 64; `out` receives what a search finds."""

    def __init__(self, shared: bool, backend: Backend) -> None:
        self._backend = backend
        self._seen: Memory | None = None
        self._owner_rows = _FEWEST_OWNERS
        self._pods: list[int] = []
        self._racks: list[int] = []
        self._leases = 0
        self.node, self.held, self.out = array("i"), array("i"), array("i")
        self.pool = array("i", [0] * k.POOL_ROW)
        self.wide, self.window = array("q"), array("q")
        for column in (k.DIRTY, k.FREE_HELD, k.FREE_LEASE, k.FIRST_POD):
            self.pool[column] = -1
        self.pool[k.SHARED] = shared
        self._lay_out_nodes(2, _FEWEST_OWNERS)
        self._lay_out_places(2)

    @property
    def memory(self) -> Memory:
        """The tables as the back end sees them: node, held, pool, wide, window, out."""
        if self._seen is None:
            view = self._backend.view
            self._seen = (
                view(self.node), view(self.held), view(self.pool), view(self.wide),
                view(self.window), view(self.out),
            )  # fmt: skip
        return self._seen

    def use(self, backend: Backend) -> None:
        """Let another back end see the same memory."""
        self._backend, self._seen = backend, None

    @property
    def bytes_used(self) -> int:
        """What all of it takes."""
        tables = (self.node, self.held, self.pool, self.wide, self.window, self.out)
        return sum(len(table) * table.itemsize for table in tables)

    def new_pod(self) -> int:
        """A pod without racks."""
        p = self._new_place(k.POD_ROW, len(self._pods))
        self.pool[p + k.WNEXT] = self.pool[p + k.WPREV] = -1
        self.pool[p + k.RSIBLING] = self.pool[k.FIRST_POD]
        self.pool[k.FIRST_POD] = p
        self._pods.append(p)
        return p

    def new_rack(self, p: int) -> int:
        """A rack without nodes, in a pod."""
        r = self._new_place(k.RACK_ROW, len(self._racks))
        self.pool[r + k.POD] = p
        self.pool[r + k.RSIBLING] = self.pool[p + k.NODES]
        self.pool[p + k.NODES] = r
        self._racks.append(r)
        return r

    def new_node(self) -> int:
        """An empty row; `put_node` fills it."""
        self._seen = None
        n = len(self.node)
        self.node.extend([0] * k.NODE_ROW)
        return n

    def put_node(self, n: int, r: int, size: int) -> None:
        """A closed node of a rack, with nothing on it."""
        if size >= self.pool[k.WIDTH]:
            self._lay_out_nodes(size + 1, self._owner_rows)
        owner = k.EVERYBODY if self.pool[k.SHARED] else k.NOBODY
        sibling = self.pool[r + k.NODES]
        self.node[n : n + k.NODE_ROW] = array("i", [size, -size, owner, r, -1, -1, -1, sibling])
        self.pool[r + k.NODES] = n

    def take_node(self, n: int) -> None:
        """Out of its rack with a closed node."""
        r, following = self.node[n + k.RACK], self.node[n + k.SIBLING]
        if self.pool[r + k.NODES] == n:
            self.pool[r + k.NODES] = following
            return
        before = self.pool[r + k.NODES]
        while self.node[before + k.SIBLING] != n:
            before = self.node[before + k.SIBLING]
        self.node[before + k.SIBLING] = following

    def room_for_pod(self, size: int) -> None:
        """Let a pod have so many accelerators."""
        if size >= self.pool[k.WIDE]:
            self._lay_out_places(size + 1)

    def room_for_owner(self, owner: int) -> None:
        """Let an owner have so high a number."""
        if owner >= self._owner_rows:
            self._lay_out_nodes(self.pool[k.WIDTH], 2 * self._owner_rows)

    def room_for_holding(self) -> None:
        """Let one more lease stand on one more node."""
        if self.pool[k.FREE_HELD] < 0:
            self.more_holdings(max(_LEAST_ROWS, len(self.held) // k.HELD_ROW // 8))

    def room_for_window(self) -> None:
        """Let one more holding pass."""
        if self.pool[k.WINDOWS] == len(self.window):
            self._seen = None
            rows = max(_LEAST_ROWS, len(self.window) // k.WINDOW_ROW // 8)
            self.window.frombytes(bytes(8 * rows * k.WINDOW_ROW))

    def room_for_answer(self, pairs: int) -> None:
        """Let a search find so many nodes."""
        if len(self.out) < 2 * pairs:
            self._seen = None
            self.out = array("i", bytes(8 * pairs))

    def new_lease(self, owner: int, rank: int, size: int, since_s: int) -> int:
        """A lease that holds nothing yet."""
        if self.pool[k.FREE_LEASE] < 0:
            self.more_leases(max(_LEAST_ROWS, self._leases // 8))
        of = self.pool[k.FREE_LEASE]
        self.pool[k.FREE_LEASE] = self.pool[of + k.L_FIRST]
        self.pool[of : of + k.LEASE_ROW] = array("i", [owner, rank, -1, size, since_s, 0])
        return of

    def drop_lease(self, of: int) -> None:
        """A lease that holds nothing any more."""
        self.pool[of + k.L_FIRST] = self.pool[k.FREE_LEASE]
        self.pool[k.FREE_LEASE] = of

    def more_holdings(self, rows: int) -> None:
        """Chain unused rows before those there are."""
        self._seen = None
        first = len(self.held)
        self.held.frombytes(bytes(4 * rows * k.HELD_ROW))
        for h in range(first, len(self.held), k.HELD_ROW):
            self.held[h + k.ONEXT] = h + k.HELD_ROW
        self.held[len(self.held) - k.HELD_ROW + k.ONEXT] = self.pool[k.FREE_HELD]
        self.pool[k.FREE_HELD] = first

    def more_leases(self, rows: int) -> None:
        """Chain unused rows before those there are."""
        self._leases += rows
        first = self._new_rows([0] * (rows * k.LEASE_ROW))
        for of in range(first, len(self.pool), k.LEASE_ROW):
            self.pool[of + k.L_FIRST] = of + k.LEASE_ROW
        self.pool[len(self.pool) - k.LEASE_ROW + k.L_FIRST] = self.pool[k.FREE_LEASE]
        self.pool[k.FREE_LEASE] = first

    def counts(self, place: int) -> list[int]:
        """What a rack or pod counts."""
        columns = (k.ROOM, k.RFREE, k.CAPACITY, k.PASSING, *range(k.WEAK, k.WEAK + k.STRENGTHS))
        sums = self.pool[place + k.SUMS]
        counts = [self.pool[place + column] for column in columns]
        return [*counts, *self.wide[sums : sums + k.STRENGTHS]]

    def _new_place(self, row: int, number: int) -> int:
        place = self._new_rows([0] * row)
        for column in (k.EMPTIES, k.RNEXT, k.RPREV, k.PLACE, k.NODES):
            self.pool[place + column] = -1
        self.pool[place + k.MARKED] = k.UNMARKED
        self.pool[place + k.NUMBER] = number
        self.pool[place + k.SUMS] = self._new_words(k.STRENGTHS)
        return place

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

    def _lay_out_nodes(self, width: int, owners: int) -> None:
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

    def _lay_out_places(self, width: int) -> None:
        """Make room for pods of up to `width` - 1 accelerators; `settle` hangs every place anew."""
        wide = 1 << (width - 1).bit_length()
        self.pool[k.WIDE], self.pool[k.WIDE_WORDS] = wide, -(-wide // k.BITS)
        self.pool[k.LISTS] = self._new_rows([-1] * (3 * wide))
        self.pool[k.MAPS] = self._new_words(3 * self.pool[k.WIDE_WORDS])
        for p in self._pods:
            self.pool[p + k.PLACE] = self.pool[p + k.EMPTIES] = -1
            self.pool[p + k.WHOLE] = 0
        for r in self._racks:
            self.pool[r + k.PLACE] = -1
            if self.pool[r + k.MARKED] == k.UNMARKED:
                self.pool[r + k.MARKED] = self.pool[k.DIRTY]
                self.pool[k.DIRTY] = r
