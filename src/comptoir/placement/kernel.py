"""The kernel's tables, and what writes them: `hold`, `free`, and `settle` after them.

One pool's nodes, racks and pods as rows of flat integer tables, so that a decision costs the
same in a fleet of a thousand nodes and of a million. A *handle* is the first index of a row:
`node[n + FREE]` is the column FREE of node `n`; -1 is none. The source is a plain subset of
Python that runs as it stands over `array` and, compiled by Numba, over the same memory
(`compiled.py`); a test replays one history on both and compares every placement.

Places and nodes hang in *bucket lists* by what they have free, with a bitmap of the buckets
that are not empty: the tightest that fits is the first set bit at or after what is asked.

- A node with something on it and something free hangs under its owner (the one tenant that
  stands there, or everybody where tenants share nodes) and its free count.
- A wholly free node of an exclusive kind hangs in its rack.
- A rack hangs under its *room*: what a gang may take there, the accelerators of its wholly free
  nodes (where tenants share nodes: whatever is free). A wholly free rack hangs in its pod.
- A pod hangs under its room, and under how many wholly free racks it has.

`hold` and `free` change nodes at once and mark their rack; `settle` moves every marked rack and
pod to its bucket, once for a whole gang. Nothing may be searched before it has run.
Invariant: every count is the sum of what hangs below it (`tests/placement/test_kernel.py` holds it
against a model made of sets). Neighbours: `kernel_find.py` searches, `kernel_reclaim.py` looks
for victims, `tables.py` owns the memory.
"""

from collections.abc import MutableSequence
from typing import NamedTuple

Ints = MutableSequence[int]

FREE, SIZE, OWNER, RACK, NEXT, PREV, LIST, HEAD, SIBLING = range(9)
NODE_ROW = 9
"""Of a node: untouched accelerators, all of them, whose it is, its rack, its list's links, which
list that is, the first holding that stands on it, the next node of its rack."""

NOBODY, MIXED = 0, -1
"""Owners: nothing stands there; several tenants do (at different times). Tenants count from 1."""
EVERYBODY = 1
"""The one owner of every node that tenants share."""

UNLISTED, IN_RACK, CLOSED = -1, -2, -3
"""Beside a bucket's index: in no list; in its rack's list of wholly free nodes; not to be given."""

POD, ROOM, RFREE, CAPACITY, EMPTIES, RNEXT, RPREV, PLACE, MARKED, RSIBLING, NODES = range(11)
TOLD_ROOM, TOLD_FREE, TOLD_CAPACITY, PASSING = 11, 12, 13, 14
WEAK, SINCE = 15, 19
RACK_ROW = 23
"""Of a rack: its pod, room, free accelerators, those in service, its list of wholly free nodes, its
links, the bucket it hangs in, the next marked rack, the next rack of its pod, its first node, what
its pod was told last; accelerators held by what ends or is yet to start; and for each strength of a
reclaimable lease the accelerators it holds there and the sum of (accelerators x since when)."""

WHOLE_RACK = -2
"""Beside a bucket's index in PLACE: in its pod's list of wholly free racks."""

# A pod has the columns of a rack, its POD unused, EMPTIES the list of wholly free racks and
# NODES its first rack; and three more.
WHOLE, WNEXT, WPREV = 23, 24, 25
POD_ROW = 26

ON, OF, HOLDS, ONEXT, OPREV, LNEXT, LPREV, PASSES = range(8)
HOLDING_ROW = 8
"""Of a holding: its node, its lease, how many accelerators, the links among what stands on the node
and among what the lease holds, and its row in the table of what passes (-1: it stays)."""

L_OWNER, L_RANK, L_FIRST, L_SIZE, L_SINCE, L_NOTICE, L_FROM, L_MARK = range(8)
LEASE_ROW = 8
"""Of a lease: its tenant, the strength at which it may be reclaimed (GUARANTEED: not at all), its
first holding, all its accelerators, since when it would lose work (ms), its notice (ms), from when
on it may be reclaimed (ms), and a number for the search at hand."""

GUARANTEED = 4

W_HOLDING, W_NODE, W_SIZE, W_START, W_END = range(5)
WINDOW_ROW = 5
"""What passes, one row a holding, packed: START is -1 once it is handed over."""

SHARED, WIDTH, WORDS, WIDE, WIDE_WORDS, DIRTY, FREE_HOLDING, FREE_LEASE = range(8)
ALL_ROOM, ALL_FREE, ALL_CAPACITY, FIRST_POD, WINDOWS = 8, 9, 10, 11, 12
META_SIZE = 13
"""Of the pool: whether tenants share nodes, buckets an owner has and the words of their bitmap,
the same for places, the first marked rack, the unused rows, totals, its first pod, what passes."""

BITS = 62
LOWEST = (0, *sorted(range(66), key=lambda bit: (1 << bit) % 67))
"""The place of a word's only set bit, by the word modulo 67: 2 generates that group."""


class Tables(NamedTuple):
    """One pool's memory. `lists` and `bits` hold three regions of WIDE buckets: racks by room,
    pods by room, pods by wholly free racks. `owner_free` is what an owner's partly used nodes have
    free. `out` receives what a search finds: (node, accelerators) pairs."""

    node: Ints
    rack: Ints
    pod: Ints
    holding: Ints
    lease: Ints
    window: Ints
    owner_free: Ints
    node_lists: Ints
    node_bits: Ints
    lists: Ints
    bits: Ints
    meta: Ints
    out: Ints


def first_from(bits: Ints, base: int, words: int, at: int) -> int:
    """The least set bit at or after `at` of a bitmap that begins at word `base`, or -1."""
    word = at // BITS
    if word >= words:
        return -1
    found = bits[base + word] >> (at % BITS) << (at % BITS)
    while found == 0:
        word += 1
        if word >= words:
            return -1
        found = bits[base + word]
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


def list_node(t: Tables, n: int) -> None:
    """Hang a node where its state says, and count it in its rack."""
    node, meta = t.node, t.meta
    free, owner, r = node[n + FREE], node[n + OWNER], node[n + RACK]
    t.rack[r + RFREE] += free
    if free == 0 or owner == MIXED:
        node[n + LIST] = UNLISTED
        return
    if owner == NOBODY:
        node[n + LIST] = IN_RACK
        t.rack[r + ROOM] += free
        push(node, n, NEXT, PREV, t.rack, r + EMPTIES)
        t.node_lists[free] += 1  # under nobody, the lists' heads are counts by size
        at = free
    else:
        at = owner * meta[WIDTH] + free
        node[n + LIST] = at
        t.owner_free[owner] += free
        if meta[SHARED]:
            t.rack[r + ROOM] += free
        push(node, n, NEXT, PREV, t.node_lists, at)
    t.node_bits[owner * meta[WORDS] + free // BITS] |= 1 << (free % BITS)


def unlist_node(t: Tables, n: int) -> None:
    """The reverse of `list_node`: call it before a node changes."""
    node, meta = t.node, t.meta
    at, free, owner, r = node[n + LIST], node[n + FREE], node[n + OWNER], node[n + RACK]
    t.rack[r + RFREE] -= free
    if at == UNLISTED:
        return
    if at == IN_RACK:
        t.rack[r + ROOM] -= free
        pull(node, n, NEXT, PREV, t.rack, r + EMPTIES)
        t.node_lists[free] -= 1
        last = t.node_lists[free] == 0
    else:
        t.owner_free[owner] -= free
        if meta[SHARED]:
            t.rack[r + ROOM] -= free
        pull(node, n, NEXT, PREV, t.node_lists, at)
        last = t.node_lists[at] < 0
    if last:
        t.node_bits[owner * meta[WORDS] + free // BITS] &= ~(1 << (free % BITS))


def mark(t: Tables, r: int) -> None:
    """A rack has changed: `settle` will look at it."""
    if t.rack[r + MARKED] == -2:
        t.rack[r + MARKED] = t.meta[DIRTY]
        t.meta[DIRTY] = r


def hold(t: Tables, n: int, lease: int, size: int, fresh: int) -> int:
    """Let a lease stand on `size` accelerators of a node, `fresh` of which were untouched.

    Returns:
        The holding's handle: the first unused row, which `meta[FREE_HOLDING]` must have.
    """
    node, holding, meta = t.node, t.holding, t.meta
    h = meta[FREE_HOLDING]
    meta[FREE_HOLDING] = holding[h + ONEXT]
    holding[h + ON], holding[h + OF], holding[h + HOLDS] = n, lease, size
    holding[h + PASSES] = -1
    closed = node[n + LIST] == CLOSED
    if not closed:
        unlist_node(t, n)
    node[n + FREE] -= fresh
    push(holding, h, ONEXT, OPREV, node, n + HEAD)
    push(holding, h, LNEXT, LPREV, t.lease, lease + L_FIRST)
    if not meta[SHARED]:
        owner = node[n + OWNER]
        if owner == NOBODY:
            node[n + OWNER] = t.lease[lease + L_OWNER]
        elif owner != t.lease[lease + L_OWNER]:
            node[n + OWNER] = MIXED
    if not closed:
        list_node(t, n)
        mark(t, node[n + RACK])
    weigh(t, lease, n, size)
    return h


def free(t: Tables, h: int, released: int) -> None:
    """End a holding; `released` of its accelerators are untouched again."""
    node, holding, meta = t.node, t.holding, t.meta
    n, lease = holding[h + ON], holding[h + OF]
    if holding[h + PASSES] >= 0:
        stay(t, h)
    weigh(t, lease, n, -holding[h + HOLDS])
    closed = node[n + LIST] == CLOSED
    if not closed:
        unlist_node(t, n)
    node[n + FREE] += released
    pull(holding, h, ONEXT, OPREV, node, n + HEAD)
    pull(holding, h, LNEXT, LPREV, t.lease, lease + L_FIRST)
    if not meta[SHARED]:
        node[n + OWNER] = owner_now(t, n)
    if not closed:
        list_node(t, n)
        mark(t, node[n + RACK])
    holding[h + ONEXT] = meta[FREE_HOLDING]
    meta[FREE_HOLDING] = h


def owner_now(t: Tables, n: int) -> int:
    """Whose an exclusive node is, by what stands on it."""
    node, holding, lease = t.node, t.holding, t.lease
    first = node[n + HEAD]
    if first < 0:
        return NOBODY
    if node[n + OWNER] != MIXED:
        return node[n + OWNER]
    owner = lease[holding[first + OF] + L_OWNER]
    h = holding[first + ONEXT]
    while h >= 0:
        if lease[holding[h + OF] + L_OWNER] != owner:
            return MIXED
        h = holding[h + ONEXT]
    return owner


def weigh(t: Tables, lease: int, n: int, size: int) -> None:
    """Count (or with a negative size: discount) what could be reclaimed on a node."""
    rank = t.lease[lease + L_RANK]
    if rank >= GUARANTEED or t.node[n + LIST] == CLOSED:
        return
    r = t.node[n + RACK]
    p = t.rack[r + POD]
    worked = size * t.lease[lease + L_SINCE]
    t.rack[r + WEAK + rank] += size
    t.rack[r + SINCE + rank] += worked
    t.pod[p + WEAK + rank] += size
    t.pod[p + SINCE + rank] += worked


def rank_lease(t: Tables, lease: int, rank: int, since_ms: int) -> None:
    """A lease may be reclaimed from now on, or no more, or would lose other work."""
    h = t.lease[lease + L_FIRST]
    while h >= 0:
        weigh(t, lease, t.holding[h + ON], -t.holding[h + HOLDS])
        h = t.holding[h + LNEXT]
    t.lease[lease + L_RANK], t.lease[lease + L_SINCE] = rank, since_ms
    h = t.lease[lease + L_FIRST]
    while h >= 0:
        weigh(t, lease, t.holding[h + ON], t.holding[h + HOLDS])
        h = t.holding[h + LNEXT]


def let_pass(t: Tables, h: int, start_ms: int, end_ms: int) -> None:
    """Give a holding its window: it ends by itself, or has yet to start."""
    holding, window, meta = t.holding, t.window, t.meta
    w = holding[h + PASSES]
    if w < 0:
        w = meta[WINDOWS]
        meta[WINDOWS] = w + WINDOW_ROW
        holding[h + PASSES] = w
        window[w + W_HOLDING], window[w + W_NODE] = h, holding[h + ON]
        window[w + W_SIZE] = holding[h + HOLDS]
        r = t.node[holding[h + ON] + RACK]
        t.rack[r + PASSING] += holding[h + HOLDS]
        t.pod[t.rack[r + POD] + PASSING] += holding[h + HOLDS]
    window[w + W_START], window[w + W_END] = start_ms, end_ms


def stay(t: Tables, h: int) -> None:
    """A holding has no window any more; the last row takes its place."""
    holding, window, meta = t.holding, t.window, t.meta
    w = holding[h + PASSES]
    last = meta[WINDOWS] - WINDOW_ROW
    if w != last:
        for column in range(WINDOW_ROW):
            window[w + column] = window[last + column]
        holding[window[w + W_HOLDING] + PASSES] = w
    meta[WINDOWS] = last
    holding[h + PASSES] = -1
    r = t.node[holding[h + ON] + RACK]
    t.rack[r + PASSING] -= holding[h + HOLDS]
    t.pod[t.rack[r + POD] + PASSING] -= holding[h + HOLDS]


def close_node(t: Tables, n: int) -> None:
    """Give nothing more of a node, and count nothing of it; what stands there stays."""
    h = t.node[n + HEAD]
    while h >= 0:
        weigh(t, t.holding[h + OF], n, -t.holding[h + HOLDS])
        h = t.holding[h + ONEXT]
    unlist_node(t, n)
    t.node[n + LIST] = CLOSED
    t.rack[t.node[n + RACK] + CAPACITY] -= t.node[n + SIZE]
    mark(t, t.node[n + RACK])


def open_node(t: Tables, n: int) -> None:
    """The reverse of `close_node`; a new node begins closed."""
    list_node(t, n)
    h = t.node[n + HEAD]
    while h >= 0:
        weigh(t, t.holding[h + OF], n, t.holding[h + HOLDS])
        h = t.holding[h + ONEXT]
    t.rack[t.node[n + RACK] + CAPACITY] += t.node[n + SIZE]
    mark(t, t.node[n + RACK])


def free_lease(t: Tables, lease: int) -> int:
    """End all that a lease holds, each accelerator held once; returns how many accelerators."""
    count = 0
    h = t.lease[lease + L_FIRST]
    while h >= 0:
        following = t.holding[h + LNEXT]
        size = t.holding[h + HOLDS]
        free(t, h, size)
        count += size
        h = following
    t.lease[lease + L_FIRST] = t.meta[FREE_LEASE]
    t.meta[FREE_LEASE] = lease
    return count
