"""The kernel's searches: where untouched accelerators are, tightest place first. Read only.

Best fit, in this order: the tightest node that the tenant already uses in part (where tenants
share nodes: that anybody uses); a node of the tightest rack in use; only then of a wholly free
rack, from the pod with fewest of them. Then the same for a gang: tightest rack, wholly free rack,
tightest pod, the whole cluster. So what is broken up is used up, and what is whole stays whole.

A tenant's gang may need its partly used nodes beside wholly free ones: only when those do not
suffice anywhere are the partly used ones added up (`find_scattered`), place by place.
Neighbours: `kernel.py`, whose tables these are; `plan.py` asks level by level.
"""

from comptoir.placement.kernel import (
    ALL_ROOM,
    EMPTIES,
    FIRST_POD,
    FREE,
    LIST,
    NEXT,
    NOBODY,
    NODES,
    POD,
    RACK,
    RNEXT,
    ROOM,
    RSIBLING,
    SHARED,
    SIBLING,
    SIZE,
    WIDE,
    WIDE_WORDS,
    WIDTH,
    WNEXT,
    WORDS,
    Tables,
    first_from,
)
from comptoir.placement.kernel_settle import BY_POD, BY_RACK, BY_WHOLE

ON_NODE, ON_RACK, ON_POD, ON_CLUSTER = range(4)
"""Levels: how close the accelerators are."""

MOST_TAILS = 8
"""Partly used nodes that are looked at for what a gang needs beyond whole nodes."""


def find(t: Tables, level: int, wanted: int, owner: int) -> int:
    """Untouched accelerators for `owner` (0: a tenant that has nothing here) at one level.

    Returns:
        How many (node, accelerators) pairs were written to `t.out`; 0: there are none.
    """
    if level == ON_NODE:
        n = find_node(t, wanted, owner)
        if n < 0:
            return 0
        t.out[0], t.out[1] = n, wanted
        return 1
    if level == ON_RACK:
        place = find_rack(t, wanted)
    elif level == ON_POD:
        place = find_pod(t, wanted)
    else:
        place = 0 if t.meta[ALL_ROOM] >= wanted else -1
    if place >= 0:
        return fill(t, level, place, wanted, owner)
    if t.meta[SHARED] or owner == NOBODY or t.owner_free[owner] == 0:
        return 0
    return find_scattered(t, level, wanted, owner)


def find_up_to(t: Tables, level: int, wanted: int, owner: int) -> int:
    """As `find`, the narrowest level first."""
    for narrower in range(level + 1):
        pairs = find(t, narrower, wanted, owner)
        if pairs:
            return pairs
    return 0


def find_node(t: Tables, wanted: int, owner: int) -> int:
    """The tightest node with so many untouched accelerators, or -1."""
    meta = t.meta
    if wanted >= meta[WIDTH]:
        return -1
    if owner != NOBODY:
        free = first_from(t.node_bits, owner * meta[WORDS], meta[WORDS], wanted)
        if free >= 0:
            return t.node_lists[owner * meta[WIDTH] + free]
    if meta[SHARED] or first_from(t.node_bits, 0, meta[WORDS], wanted) < 0:
        return -1
    room = first_from(t.bits, BY_RACK * meta[WIDE_WORDS], meta[WIDE_WORDS], wanted)
    while room >= 0:
        r = t.lists[BY_RACK * meta[WIDE] + room]
        while r >= 0:
            n = empty_node(t, r, wanted)
            if n >= 0:
                return n
            r = t.rack[r + RNEXT]
        room = first_from(t.bits, BY_RACK * meta[WIDE_WORDS], meta[WIDE_WORDS], room + 1)
    return find_whole_rack(t, wanted, True)


def empty_node(t: Tables, r: int, wanted: int) -> int:
    """A wholly free node of a rack with so many accelerators, or -1."""
    n = t.rack[r + EMPTIES]
    while n >= 0 and t.node[n + SIZE] < wanted:
        n = t.node[n + NEXT]
    return n


def find_rack(t: Tables, wanted: int) -> int:
    """The tightest rack with so much room, a wholly free one last, or -1."""
    meta = t.meta
    room = first_from(t.bits, BY_RACK * meta[WIDE_WORDS], meta[WIDE_WORDS], wanted)
    if room >= 0:
        return t.lists[BY_RACK * meta[WIDE] + room]
    return find_whole_rack(t, wanted, False)


def find_whole_rack(t: Tables, wanted: int, on_one_node: bool) -> int:
    """A wholly free rack with so much room, from the pod with fewest; or a node of it; or -1."""
    meta = t.meta
    count = first_from(t.bits, BY_WHOLE * meta[WIDE_WORDS], meta[WIDE_WORDS], 1)
    while count >= 0:
        p = t.lists[BY_WHOLE * meta[WIDE] + count]
        while p >= 0:
            r = t.pod[p + EMPTIES]
            while r >= 0:
                if t.rack[r + ROOM] >= wanted:
                    found = empty_node(t, r, wanted) if on_one_node else r
                    if found >= 0:
                        return found
                r = t.rack[r + RNEXT]
            p = t.pod[p + WNEXT]
        count = first_from(t.bits, BY_WHOLE * meta[WIDE_WORDS], meta[WIDE_WORDS], count + 1)
    return -1


def find_pod(t: Tables, wanted: int) -> int:
    """The tightest pod with so much room, or -1."""
    meta = t.meta
    room = first_from(t.bits, BY_POD * meta[WIDE_WORDS], meta[WIDE_WORDS], wanted)
    return t.lists[BY_POD * meta[WIDE] + room] if room >= 0 else -1


def fill(t: Tables, level: int, place: int, wanted: int, owner: int) -> int:
    """Write the pairs for `wanted` accelerators of a place that has room for them."""
    pairs = 0
    rest = wanted % (t.meta[WIDTH] - 1)
    if rest and not t.meta[SHARED] and owner != NOBODY:
        n = find_tail(t, level, place, rest, owner)
        if n >= 0:
            t.out[0], t.out[1] = n, rest
            pairs, wanted = 1, wanted - rest
    if level == ON_RACK:
        return fill_rack(t, place, wanted, pairs)
    if level == ON_POD:
        return fill_pod(t, place, wanted, pairs)
    return fill_cluster(t, wanted, pairs)


def find_tail(t: Tables, level: int, place: int, rest: int, owner: int) -> int:
    """A node of the place, partly used by the tenant, for what is left beyond whole nodes."""
    meta = t.meta
    free = first_from(t.node_bits, owner * meta[WORDS], meta[WORDS], rest)
    looks = 0
    while free >= 0:
        n = t.node_lists[owner * meta[WIDTH] + free]
        while n >= 0 and looks < MOST_TAILS:
            if place_of(t, n, level) == place:
                return n
            looks += 1
            n = t.node[n + NEXT]
        if looks >= MOST_TAILS:
            return -1
        free = first_from(t.node_bits, owner * meta[WORDS], meta[WORDS], free + 1)
    return -1


def place_of(t: Tables, n: int, level: int) -> int:
    """The rack or pod of a node, by level; 0 is the whole cluster."""
    if level == ON_NODE:
        return n
    r = t.node[n + RACK]
    return r if level == ON_RACK else t.rack[r + POD] if level == ON_POD else 0


def fill_rack(t: Tables, r: int, wanted: int, pairs: int) -> int:
    """Whole nodes of a rack; where tenants share nodes, the freest first."""
    node, out = t.node, t.out
    if t.meta[SHARED]:
        return fill_shared_rack(t, r, wanted, pairs)
    n = t.rack[r + EMPTIES]
    while wanted > 0 and n >= 0:
        size = node[n + SIZE]
        part = size if size < wanted else wanted
        out[2 * pairs], out[2 * pairs + 1] = n, part
        pairs += 1
        wanted -= part
        n = node[n + NEXT]
    return pairs


def fill_shared_rack(t: Tables, r: int, wanted: int, pairs: int) -> int:
    """Nodes of a rack, freest first, so that the fewest are broken up."""
    node, out = t.node, t.out
    by_free = [(0, 0) for _ in range(0)]
    n = t.rack[r + NODES]
    while n >= 0:
        if node[n + LIST] >= 0:
            by_free.append((-node[n + FREE], n))
        n = node[n + SIBLING]
    for negative, n in sorted(by_free):
        if wanted == 0:
            break
        part = min(-negative, wanted)
        out[2 * pairs], out[2 * pairs + 1] = n, part
        pairs += 1
        wanted -= part
    return pairs


def fill_pod(t: Tables, p: int, wanted: int, pairs: int) -> int:
    """Racks of a pod, the roomiest first, and the tightest that holds the rest last."""
    by_room = [(0, 0) for _ in range(0)]
    r = t.pod[p + NODES]
    while r >= 0:
        if t.rack[r + ROOM] > 0:
            by_room.append((-t.rack[r + ROOM], r))
        r = t.rack[r + RSIBLING]
    by_room.sort()
    at = 0
    while wanted > 0:
        room, r, at = next_place(by_room, at, wanted)
        part = min(room, wanted)
        pairs = fill_rack(t, r, part, pairs)
        wanted -= part
    return pairs


def fill_cluster(t: Tables, wanted: int, pairs: int) -> int:
    """Pods, the roomiest first, and the tightest that holds the rest last."""
    by_room = [(0, 0) for _ in range(0)]
    p = t.meta[FIRST_POD]
    while p >= 0:
        if t.pod[p + ROOM] > 0:
            by_room.append((-t.pod[p + ROOM], p))
        p = t.pod[p + RSIBLING]
    by_room.sort()
    at = 0
    while wanted > 0:
        room, p, at = next_place(by_room, at, wanted)
        part = min(room, wanted)
        pairs = fill_pod(t, p, part, pairs)
        wanted -= part
    return pairs


def next_place(by_room: list[tuple[int, int]], at: int, wanted: int) -> tuple[int, int, int]:
    """The next of places sorted by room: the roomiest, or the tightest that holds the rest."""
    if -by_room[at][0] >= wanted:
        while at + 1 < len(by_room) and -by_room[at + 1][0] >= wanted:
            at += 1
    return -by_room[at][0], by_room[at][1], at + 1


def find_scattered(t: Tables, level: int, wanted: int, owner: int) -> int:
    """As `find` for a gang, the tenant's partly used nodes beside wholly free ones.

    Of the places that hold it, the one with the least left.
    """
    meta = t.meta
    partly = [(0, 0, 0) for _ in range(0)]
    if t.owner_free[owner] + meta[ALL_ROOM] < wanted:
        return 0
    free = first_from(t.node_bits, owner * meta[WORDS], meta[WORDS], 1)
    while free >= 0:
        n = t.node_lists[owner * meta[WIDTH] + free]
        while n >= 0:
            partly.append((place_of(t, n, level), -free, n))
            n = t.node[n + NEXT]
        free = first_from(t.node_bits, owner * meta[WORDS], meta[WORDS], free + 1)
    partly.sort()
    best_first, best_count, best_total, first = -1, 0, 0, 0
    while first < len(partly):
        place, own, after = partly[first][0], 0, first
        while after < len(partly) and partly[after][0] == place:
            own -= partly[after][1]
            after += 1
        total = own + room_of(t, place, level)
        if total >= wanted and (best_first < 0 or total < best_total):
            best_first, best_count, best_total = first, after - first, total
        first = after
    if best_first < 0:
        return 0
    pairs = 0
    whole = min(wanted, room_of(t, partly[best_first][0], level))
    rest = wanted - whole
    for i in range(best_first, best_first + best_count):
        part = min(-partly[i][1], rest)
        if part > 0:
            t.out[2 * pairs], t.out[2 * pairs + 1] = partly[i][2], part
            pairs += 1
            rest -= part
    if whole == 0:
        return pairs
    if level == ON_RACK:
        return fill_rack(t, partly[best_first][0], whole, pairs)
    if level == ON_POD:
        return fill_pod(t, partly[best_first][0], whole, pairs)
    return fill_cluster(t, whole, pairs)


def room_of(t: Tables, place: int, level: int) -> int:
    """The room of a rack, of a pod or of the whole cluster."""
    if level == ON_RACK:
        return t.rack[place + ROOM]
    return t.pod[place + ROOM] if level == ON_POD else t.meta[ALL_ROOM]
