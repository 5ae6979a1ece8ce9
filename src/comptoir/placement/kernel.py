"""The kernel's tables, and what writes them: `hold`, `free`, and `settle` after them.

One pool's nodes, racks, pods and leases as rows of flat integer tables, so that a decision costs
the same in a fleet of a thousand nodes and of a million. A *handle* is the first index of a
row: `node[n + FREE]` is the column FREE of node `n`; -1 is none. Tables of 32 bits: `node`; `held`,
one row for each lease on each node; and `pool`, which has racks, pods, leases and lists, its totals
first. What needs 64 bits is in `wide`: bitmaps and sums; and in `window`: what passes. The
source is a plain subset of Python that runs as it stands over `array` and, compiled by Numba, over
the same memory (`backend.py`); a test replays one history on both and compares every placement.

Places and nodes hang in *bucket lists* by what they have free, with a bitmap of the buckets
that are not empty: the tightest that fits is the first set bit at or after what is asked.

- A node with something on it and something free hangs under its owner (the one tenant that
  stands there, or everybody where tenants share nodes) and its free count.
- A wholly free node of an exclusive kind hangs in its rack.
- A rack hangs under its *room*: what a gang may take there, the accelerators of its wholly free
  nodes (where tenants share nodes: whatever is free). A wholly free rack hangs in its pod.
- A pod hangs under its room, and under how many wholly free racks it has.

A gang changes the counts of each rack once, and marks it; `settle` (`kernel_settle.py`) then moves
every marked rack and pod to its bucket. Nothing may be searched before it has run.
Invariant: every count is the sum of what hangs below it (`tests/placement/test_kernel.py` holds it
against a model made of sets). Neighbours: `kernel_find.py` searches, `kernel_reclaim.py` looks
for victims, `tables.py` owns the memory, `pools.py` knows the ids.
"""

from collections.abc import MutableSequence

Ints = MutableSequence[int]

FREE, SIZE, OWNER, RACK, NEXT, PREV, HEAD, SIBLING = range(8)
NODE_ROW = 8
"""Of a node: untouched accelerators, all of them (negative: the node is closed, nothing is given of
it), whose it is, its rack, the links of the list it hangs in, the first holding on it, the next
node of its rack."""

NOBODY, MIXED = 0, -1
"""Owners: nothing stands there; several tenants do (at different times). Tenants count from 1."""
EVERYBODY = 1
"""The one owner of every node that tenants share."""

ON, OF, HOLDS, ONEXT, LNEXT, LPREV, PASSES = range(7)
HELD_ROW = 7
"""Of a holding: its node, its lease, how many accelerators, the next that stands on the node, the
links among what the lease holds, and its row in the table of what passes (-1: it stays)."""

SHARED, WIDTH, WORDS, NODE_LISTS, NODE_BITS, OWNER_FREE = range(6)
WIDE, WIDE_WORDS, LISTS, MAPS = 6, 7, 8, 9
DIRTY, FIRST_POD, FREE_HELD, FREE_LEASE, WINDOWS = 10, 11, 12, 13, 14
ALL_ROOM, ALL_CAPACITY = 15, 16
POOL_ROW = 17
"""Of the pool, at handle 0: whether tenants share nodes; how many buckets an owner has, the words
of their bitmap, where those of all owners begin, and what owners' partly used nodes have free; the
same for places (three regions: racks by room, pods by room, pods by wholly free racks); the first
marked rack, the first pod, the first unused rows, the end of what passes; totals."""

POD, ROOM, RFREE, CAPACITY, EMPTIES, RNEXT, RPREV, PLACE, MARKED, RSIBLING, NODES = range(11)
TOLD_ROOM, TOLD_CAPACITY, NUMBER, PASSING, WEAK, SUMS = 11, 12, 13, 14, 15, 19
RACK_ROW = 20
"""Of a rack: its pod, room, free accelerators, those in service, its list of wholly free nodes, its
links, the bucket it hangs in, the next marked rack, the next rack of its pod, its first node, what
its pod was told last, its number; accelerators held by what ends or is yet to start, and for each
strength by leases that may be reclaimed; and where in `wide` the sums of (accelerators x since
when) of those are, one for each strength."""

WHOLE, WNEXT, WPREV = 20, 21, 22
POD_ROW = 23
"""A pod has the columns of a rack (EMPTIES lists its wholly free racks, NODES is its first rack),
how many wholly free racks it has, and the links among pods with as many."""

WHOLE_RACK, UNMARKED = -2, -2
"""In PLACE: in its pod's list of wholly free racks. In MARKED: in no list of marked places."""

L_OWNER, L_RANK, L_FIRST, L_SIZE, L_SINCE, L_MARK = range(6)
LEASE_ROW = 6
"""Of a lease: its tenant, the strength at which it may be reclaimed (GUARANTEED: not at all), its
first holding, all its accelerators, since when it would lose work (s), and a number for the
search at hand."""

STRENGTHS = GUARANTEED = 4
MS_PER_S = 1_000

W_HELD, W_NODE, W_SIZE, W_START, W_END = range(5)
WINDOW_ROW = 5
"""What passes, one row a holding, packed: START is -1 once it is handed over."""

BITS = 62
LOWEST = (0, *sorted(range(66), key=lambda bit: (1 << bit) % 67))
"""The place of a word's only set bit, by the word modulo 67: 2 generates that group."""


def first_from(wide: Ints, base: int, words: int, at: int) -> int:
    """The least set bit at or after `at` of a bitmap that begins at word `base`, or -1."""
    word = at // BITS
    if word >= words:
        return -1
    found = wide[base + word] >> (at % BITS) << (at % BITS)
    while found == 0:
        word += 1
        if word >= words:
            return -1
        found = wide[base + word]
    return word * BITS + LOWEST[(found & -found) % 67]


def push(table: Ints, item: int, after: int, before: int, lists: Ints, at: int) -> None:
    """Put `item` first in the list whose head is `lists[at]`."""
    first = lists[at]
    table[item + after] = first
    table[item + before] = -1
    if first >= 0:
        table[first + before] = item
    lists[at] = item


def pull(table: Ints, item: int, after: int, before: int, lists: Ints, at: int) -> None:
    """Take `item` out of the list whose head is `lists[at]`."""
    following, previous = table[item + after], table[item + before]
    if previous >= 0:
        table[previous + after] = following
    else:
        lists[at] = following
    if following >= 0:
        table[following + before] = previous


def list_node(node: Ints, pool: Ints, wide: Ints, n: int) -> None:
    """Hang an open node where its state says."""
    free, owner = node[n + FREE], node[n + OWNER]
    if free == 0 or owner == MIXED:
        return
    if owner == NOBODY:
        add_empty(node, pool, wide, n, node[n + RACK], free)
        return
    push(node, n, NEXT, PREV, pool, pool[NODE_LISTS] + owner * pool[WIDTH] + free)
    wide[pool[NODE_BITS] + owner * pool[WORDS] + free // BITS] |= 1 << (free % BITS)
    pool[pool[OWNER_FREE] + owner] += free
    if pool[SHARED]:
        change_room(node, pool, n, free)


def unlist_node(node: Ints, pool: Ints, wide: Ints, n: int) -> None:
    """The reverse of `list_node`: call it before a node changes."""
    free, owner = node[n + FREE], node[n + OWNER]
    if free == 0 or owner == MIXED:
        return
    if owner == NOBODY:
        r = node[n + RACK]
        pull(node, n, NEXT, PREV, pool, r + EMPTIES)
        count_empties(pool, wide, free, -1)
        pool[r + ROOM] -= free
        mark(pool, r)
        return
    at = pool[NODE_LISTS] + owner * pool[WIDTH] + free
    pull(node, n, NEXT, PREV, pool, at)
    if pool[at] < 0:
        wide[pool[NODE_BITS] + owner * pool[WORDS] + free // BITS] &= ~(1 << (free % BITS))
    pool[pool[OWNER_FREE] + owner] -= free
    if pool[SHARED]:
        change_room(node, pool, n, -free)


def add_empty(node: Ints, pool: Ints, wide: Ints, n: int, r: int, size: int) -> None:
    """A node is wholly free: it hangs in its rack."""
    push(node, n, NEXT, PREV, pool, r + EMPTIES)
    count_empties(pool, wide, size, 1)
    pool[r + ROOM] += size
    mark(pool, r)


def count_empties(pool: Ints, wide: Ints, size: int, by: int) -> None:
    """Wholly free nodes of a size: the buckets of NOBODY hold counts, not lists."""
    at = pool[NODE_LISTS] + size
    pool[at] += by
    if pool[at] == 0:
        wide[pool[NODE_BITS] + size // BITS] &= ~(1 << (size % BITS))
    else:
        wide[pool[NODE_BITS] + size // BITS] |= 1 << (size % BITS)


def change_room(node: Ints, pool: Ints, n: int, by: int) -> None:
    """Where tenants share nodes, all that is free is room."""
    r = node[n + RACK]
    pool[r + ROOM] += by
    mark(pool, r)


def mark(pool: Ints, r: int) -> None:
    """A rack has changed: `settle` will look at it."""
    if pool[r + MARKED] == UNMARKED:
        pool[r + MARKED] = pool[DIRTY]
        pool[DIRTY] = r


def count_held(
    node: Ints, pool: Ints, wide: Ints, lease: int, n: int, free: int, size: int
) -> None:
    """A node's rack and pod have so many more free, and hold so many more of a lease."""
    r = node[n + RACK]
    pool[r + RFREE] += free
    pool[pool[r + POD] + RFREE] += free
    if pool[lease + L_RANK] < GUARANTEED:
        weigh_rack(pool, wide, lease, r, size)


def add_holding(node: Ints, held: Ints, pool: Ints, n: int, lease: int, size: int) -> int:
    """A new row, first among what stands on the node and among what the lease holds."""
    h = pool[FREE_HELD]
    pool[FREE_HELD] = held[h + ONEXT]
    latest = pool[lease + L_FIRST]
    held[h + ON] = n
    held[h + OF] = lease
    held[h + HOLDS] = size
    held[h + ONEXT] = node[n + HEAD]
    held[h + LNEXT] = latest
    held[h + LPREV] = -1
    held[h + PASSES] = -1
    if latest >= 0:
        held[latest + LPREV] = h
    node[n + HEAD] = h
    pool[lease + L_FIRST] = h
    return h


def hold(
    node: Ints, held: Ints, pool: Ints, wide: Ints, n: int, lease: int, size: int, fresh: int
) -> int:
    """Let a lease stand on `size` accelerators of a node, `fresh` of which were untouched.

    Returns:
        The holding's handle: the first unused row, which `pool[FREE_HELD]` must have.
    """
    h = add_holding(node, held, pool, n, lease, size)
    owner, mine = node[n + OWNER], pool[lease + L_OWNER]
    if owner != mine and owner != NOBODY:
        mine = MIXED
    change_node(node, pool, wide, n, mine, node[n + FREE] - fresh)
    if node[n + SIZE] > 0:
        count_held(node, pool, wide, lease, n, -fresh, size)
    return h


def free(
    node: Ints, held: Ints, pool: Ints, wide: Ints, window: Ints, h: int, released: int
) -> None:
    """End a holding; `released` of its accelerators are untouched again."""
    n, lease = held[h + ON], held[h + OF]
    if held[h + PASSES] >= 0:
        stay(node, held, pool, window, h)
    leave_node(node, held, n, h)
    pull(held, h, LNEXT, LPREV, pool, lease + L_FIRST)
    change_node(node, pool, wide, n, owner_now(node, held, pool, n), node[n + FREE] + released)
    if node[n + SIZE] > 0:
        count_held(node, pool, wide, lease, n, released, -held[h + HOLDS])
    held[h + ONEXT] = pool[FREE_HELD]
    pool[FREE_HELD] = h


def leave_node(node: Ints, held: Ints, n: int, h: int) -> None:
    """Take a holding out of what stands on a node: few do, so that one link is enough."""
    at = node[n + HEAD]
    if at == h:
        node[n + HEAD] = held[h + ONEXT]
        return
    while held[at + ONEXT] != h:
        at = held[at + ONEXT]
    held[at + ONEXT] = held[h + ONEXT]


def change_node(node: Ints, pool: Ints, wide: Ints, n: int, owner: int, free: int) -> None:
    """A node is another's, or has another number of untouched accelerators."""
    old = node[n + FREE]
    if node[n + SIZE] < 0:
        node[n + OWNER] = owner
        node[n + FREE] = free
        return
    if owner != node[n + OWNER] or owner < EVERYBODY:
        unlist_node(node, pool, wide, n)
        node[n + OWNER] = owner
        node[n + FREE] = free
        list_node(node, pool, wide, n)
        return
    lists = pool[NODE_LISTS] + owner * pool[WIDTH]
    bits = pool[NODE_BITS] + owner * pool[WORDS]
    if old:
        pull(node, n, NEXT, PREV, pool, lists + old)
        if pool[lists + old] < 0:
            wide[bits + old // BITS] &= ~(1 << (old % BITS))
    if free:
        push(node, n, NEXT, PREV, pool, lists + free)
        wide[bits + free // BITS] |= 1 << (free % BITS)
    node[n + FREE] = free
    pool[pool[OWNER_FREE] + owner] += free - old
    if pool[SHARED]:
        change_room(node, pool, n, free - old)


def owner_now(node: Ints, held: Ints, pool: Ints, n: int) -> int:
    """Whose a node is, by what stands on it."""
    first = node[n + HEAD]
    if first < 0:
        return EVERYBODY if pool[SHARED] else NOBODY
    if node[n + OWNER] != MIXED:
        return node[n + OWNER]
    owner = pool[held[first + OF] + L_OWNER]
    h = held[first + ONEXT]
    while h >= 0:
        if pool[held[h + OF] + L_OWNER] != owner:
            return MIXED
        h = held[h + ONEXT]
    return owner


def weigh(node: Ints, pool: Ints, wide: Ints, lease: int, n: int, size: int) -> None:
    """Count (or with a negative size: discount) what could be reclaimed on an open node."""
    if pool[lease + L_RANK] < GUARANTEED:
        weigh_rack(pool, wide, lease, node[n + RACK], size)


def weigh_rack(pool: Ints, wide: Ints, lease: int, r: int, size: int) -> None:
    """The same for a whole rack, of a lease that may be reclaimed."""
    rank, worked = pool[lease + L_RANK], size * pool[lease + L_SINCE]
    p = pool[r + POD]
    pool[r + WEAK + rank] += size
    pool[p + WEAK + rank] += size
    wide[pool[r + SUMS] + rank] += worked
    wide[pool[p + SUMS] + rank] += worked


def rank_lease(
    node: Ints, held: Ints, pool: Ints, wide: Ints, lease: int, rank: int, since_s: int
) -> None:
    """A lease may be reclaimed from now on, or no more, or would lose other work."""
    for sign in (-1, 1):
        h = pool[lease + L_FIRST]
        while h >= 0:
            if node[held[h + ON] + SIZE] > 0:
                weigh(node, pool, wide, lease, held[h + ON], sign * held[h + HOLDS])
            h = held[h + LNEXT]
        pool[lease + L_RANK] = rank
        pool[lease + L_SINCE] = since_s


def let_pass(
    node: Ints, held: Ints, pool: Ints, window: Ints, h: int, start_ms: int, end_ms: int
) -> None:
    """Give a holding its window: it ends by itself, or has yet to start."""
    w = held[h + PASSES]
    if w < 0:
        w = pool[WINDOWS]
        pool[WINDOWS] = w + WINDOW_ROW
        held[h + PASSES] = w
        window[w + W_HELD] = h
        window[w + W_NODE] = held[h + ON]
        window[w + W_SIZE] = held[h + HOLDS]
        count_passing(node, pool, held[h + ON], held[h + HOLDS])
    window[w + W_START] = start_ms
    window[w + W_END] = end_ms


def stay(node: Ints, held: Ints, pool: Ints, window: Ints, h: int) -> None:
    """A holding has no window any more; the last row takes its place."""
    w = held[h + PASSES]
    last = pool[WINDOWS] - WINDOW_ROW
    if w != last:
        for column in range(WINDOW_ROW):
            window[w + column] = window[last + column]
        held[window[w + W_HELD] + PASSES] = w
    pool[WINDOWS] = last
    held[h + PASSES] = -1
    count_passing(node, pool, held[h + ON], -held[h + HOLDS])


def count_passing(node: Ints, pool: Ints, n: int, by: int) -> None:
    """Accelerators of a node's rack and pod that come free by themselves, or have not begun."""
    r = node[n + RACK]
    pool[r + PASSING] += by
    pool[pool[r + POD] + PASSING] += by


def close_node(node: Ints, held: Ints, pool: Ints, wide: Ints, n: int) -> None:
    """Give nothing more of a node, and count nothing of it; what stands there stays."""
    h = node[n + HEAD]
    while h >= 0:
        weigh(node, pool, wide, held[h + OF], n, -held[h + HOLDS])
        h = held[h + ONEXT]
    unlist_node(node, pool, wide, n)
    count_open(node, pool, n, -1)
    node[n + SIZE] = -node[n + SIZE]


def open_node(node: Ints, held: Ints, pool: Ints, wide: Ints, n: int) -> None:
    """The reverse of `close_node`; a new node begins closed."""
    node[n + SIZE] = -node[n + SIZE]
    count_open(node, pool, n, 1)
    list_node(node, pool, wide, n)
    h = node[n + HEAD]
    while h >= 0:
        weigh(node, pool, wide, held[h + OF], n, held[h + HOLDS])
        h = held[h + ONEXT]


def count_open(node: Ints, pool: Ints, n: int, sign: int) -> None:
    """A node's accelerators are in service, or no more."""
    r = node[n + RACK]
    pool[r + CAPACITY] += sign * node[n + SIZE]
    pool[r + RFREE] += sign * node[n + FREE]
    pool[pool[r + POD] + RFREE] += sign * node[n + FREE]
    mark(pool, r)
