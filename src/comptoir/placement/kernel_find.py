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
    LISTS,
    MAPS,
    NEXT,
    NOBODY,
    NODE_BITS,
    NODE_LISTS,
    NODES,
    OWNER_FREE,
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
    Ints,
    first_from,
)
from comptoir.placement.kernel_settle import BY_POD, BY_RACK, BY_WHOLE

ON_NODE, ON_RACK, ON_POD, ON_CLUSTER = range(4)
"""Levels: how close the accelerators are."""

MOST_TAILS = 8
"""Partly used nodes that are looked at for what a gang needs beyond whole nodes."""


def find(node: Ints, pool: Ints, wide: Ints, out: Ints, level: int, wanted: int, owner: int) -> int:
    """Untouched accelerators for `owner` (NOBODY: a tenant that has nothing here) at one level.

    Returns:
        How many (node, accelerators) pairs were written to `out`; 0: there are none.
    """
    if level == ON_NODE:
        n = find_node(node, pool, wide, wanted, owner)
        if n < 0:
            return 0
        out[0] = n
        out[1] = wanted
        return 1
    if level == ON_RACK:
        place = find_rack(node, pool, wide, wanted)
    elif level == ON_POD:
        place = find_pod(pool, wide, wanted)
    else:
        place = 0 if pool[ALL_ROOM] >= wanted else -1
    if place >= 0:
        return fill(node, pool, wide, out, level, place, wanted, owner)
    if pool[SHARED] or owner == NOBODY or pool[pool[OWNER_FREE] + owner] == 0:
        return 0
    return find_scattered(node, pool, wide, out, level, wanted, owner)


def find_up_to(
    node: Ints, pool: Ints, wide: Ints, out: Ints, level: int, wanted: int, owner: int
) -> int:
    """As `find`, the narrowest level first."""
    narrower = ON_NODE if wanted < pool[WIDTH] else ON_RACK
    while narrower <= level:
        pairs = find(node, pool, wide, out, narrower, wanted, owner)
        if pairs:
            return pairs
        narrower += 1
    return 0


def find_node(node: Ints, pool: Ints, wide: Ints, wanted: int, owner: int) -> int:
    """The tightest node with so many untouched accelerators, or -1."""
    width, words = pool[WIDTH], pool[WORDS]
    if wanted >= width:
        return -1
    bits = pool[NODE_BITS]
    if owner != NOBODY:
        free = first_from(wide, bits + owner * words, words, wanted)
        if free >= 0:
            return pool[pool[NODE_LISTS] + owner * width + free]
    if pool[SHARED] or first_from(wide, bits, words, wanted) < 0:
        return -1
    lists, maps, words = pool[LISTS], pool[MAPS], pool[WIDE_WORDS]
    room = first_from(wide, maps, words, wanted)  # of the first region: racks
    while room >= 0:
        r = pool[lists + room]
        while r >= 0:
            n = empty_node(node, pool, r, wanted)
            if n >= 0:
                return n
            r = pool[r + RNEXT]
        room = first_from(wide, maps, words, room + 1)
    return find_whole_rack(node, pool, wide, wanted, True)


def empty_node(node: Ints, pool: Ints, r: int, wanted: int) -> int:
    """A wholly free node of a rack with so many accelerators, or -1."""
    n = pool[r + EMPTIES]
    while n >= 0 and node[n + SIZE] < wanted:
        n = node[n + NEXT]
    return n


def find_rack(node: Ints, pool: Ints, wide: Ints, wanted: int) -> int:
    """The tightest rack with so much room, a wholly free one last, or -1."""
    r = first_place(pool, wide, BY_RACK, wanted)
    return r if r >= 0 else find_whole_rack(node, pool, wide, wanted, False)


def find_pod(pool: Ints, wide: Ints, wanted: int) -> int:
    """The tightest pod with so much room, or -1."""
    return first_place(pool, wide, BY_POD, wanted)


def first_place(pool: Ints, wide: Ints, region: int, bucket: int) -> int:
    """The first place of the first bucket at or after one, or -1."""
    words = pool[WIDE_WORDS]
    found = first_from(wide, pool[MAPS] + region * words, words, bucket)
    return -1 if found < 0 else pool[pool[LISTS] + region * pool[WIDE] + found]


def find_whole_rack(node: Ints, pool: Ints, wide: Ints, wanted: int, on_one_node: bool) -> int:
    """A wholly free rack with so much room, from the pod with fewest; or a node of it; or -1."""
    words = pool[WIDE_WORDS]
    maps, lists = pool[MAPS] + BY_WHOLE * words, pool[LISTS] + BY_WHOLE * pool[WIDE]
    count = first_from(wide, maps, words, 1)
    while count >= 0:
        p = pool[lists + count]
        while p >= 0:
            r = pool[p + EMPTIES]
            while r >= 0:
                if pool[r + ROOM] >= wanted:
                    found = empty_node(node, pool, r, wanted) if on_one_node else r
                    if found >= 0:
                        return found
                r = pool[r + RNEXT]
            p = pool[p + WNEXT]
        count = first_from(wide, maps, words, count + 1)
    return -1


def fill(
    node: Ints, pool: Ints, wide: Ints, out: Ints, level: int, place: int, wanted: int, owner: int
) -> int:
    """Write the pairs for `wanted` accelerators of a place that has room for them."""
    pairs = 0
    rest = wanted % (pool[WIDTH] - 1)
    if rest and owner != NOBODY and not pool[SHARED]:
        n = find_tail(node, pool, wide, level, place, rest, owner)
        if n >= 0:
            out[0] = n
            out[1] = rest
            pairs, wanted = 1, wanted - rest
    return fill_place(node, pool, out, level, place, wanted, pairs)


def fill_place(
    node: Ints, pool: Ints, out: Ints, level: int, place: int, wanted: int, pairs: int
) -> int:
    """Add the pairs for `wanted` accelerators of a place's room."""
    if level == ON_RACK:
        return fill_rack(node, pool, out, place, wanted, pairs)
    if level == ON_POD:
        return fill_pod(node, pool, out, place, wanted, pairs)
    return fill_cluster(node, pool, out, wanted, pairs)


def find_tail(
    node: Ints, pool: Ints, wide: Ints, level: int, place: int, rest: int, owner: int
) -> int:
    """A node of the place, partly used by the tenant, for what is left beyond whole nodes."""
    words = pool[WORDS]
    bits, lists = pool[NODE_BITS] + owner * words, pool[NODE_LISTS] + owner * pool[WIDTH]
    free = first_from(wide, bits, words, rest)
    looks = 0
    while free >= 0:
        n = pool[lists + free]
        while n >= 0:
            if looks == MOST_TAILS:
                return -1
            if place_of(node, pool, n, level) == place:
                return n
            looks += 1
            n = node[n + NEXT]
        free = first_from(wide, bits, words, free + 1)
    return -1


def place_of(node: Ints, pool: Ints, n: int, level: int) -> int:
    """The rack or pod of a node, by level; 0 is the whole cluster."""
    if level == ON_NODE:
        return n
    r = node[n + RACK]
    return r if level == ON_RACK else pool[r + POD] if level == ON_POD else 0


def fill_rack(node: Ints, pool: Ints, out: Ints, r: int, wanted: int, pairs: int) -> int:
    """Whole nodes of a rack; where tenants share nodes, the freest first."""
    if pool[SHARED]:
        return fill_shared_rack(node, pool, out, r, wanted, pairs)
    n = pool[r + EMPTIES]
    while wanted > 0 and n >= 0:
        size = node[n + SIZE]
        part = size if size < wanted else wanted
        out[2 * pairs] = n
        out[2 * pairs + 1] = part
        pairs += 1
        wanted -= part
        n = node[n + NEXT]
    return pairs


def fill_shared_rack(node: Ints, pool: Ints, out: Ints, r: int, wanted: int, pairs: int) -> int:
    """Nodes of a rack, freest first, so that the fewest are broken up."""
    by_free = [(0, 0) for _ in range(0)]
    n = pool[r + NODES]
    while n >= 0:
        if node[n + SIZE] > 0 and node[n + FREE] > 0:
            by_free.append((-node[n + FREE], n))
        n = node[n + SIBLING]
    by_free.sort()
    at = 0
    while wanted > 0:
        room, n, at = next_place(by_free, at, wanted)
        part = min(room, wanted)
        out[2 * pairs] = n
        out[2 * pairs + 1] = part
        pairs += 1
        wanted -= part
    return pairs


def fill_pod(node: Ints, pool: Ints, out: Ints, p: int, wanted: int, pairs: int) -> int:
    """Racks of a pod, the roomiest first, and the tightest that holds the rest last."""
    by_room = [(0, 0) for _ in range(0)]
    r = pool[p + NODES]
    while r >= 0:
        if pool[r + ROOM] > 0:
            by_room.append((-pool[r + ROOM], r))
        r = pool[r + RSIBLING]
    by_room.sort()
    at = 0
    while wanted > 0:
        room, r, at = next_place(by_room, at, wanted)
        part = min(room, wanted)
        pairs = fill_rack(node, pool, out, r, part, pairs)
        wanted -= part
    return pairs


def fill_cluster(node: Ints, pool: Ints, out: Ints, wanted: int, pairs: int) -> int:
    """Pods, the roomiest first, and the tightest that holds the rest last."""
    by_room = [(0, 0) for _ in range(0)]
    p = pool[FIRST_POD]
    while p >= 0:
        if pool[p + ROOM] > 0:
            by_room.append((-pool[p + ROOM], p))
        p = pool[p + RSIBLING]
    by_room.sort()
    at = 0
    while wanted > 0:
        room, p, at = next_place(by_room, at, wanted)
        part = min(room, wanted)
        pairs = fill_pod(node, pool, out, p, part, pairs)
        wanted -= part
    return pairs


def next_place(by_room: list[tuple[int, int]], at: int, wanted: int) -> tuple[int, int, int]:
    """The next of (-room, place) pairs, sorted: the roomiest, or the tightest that holds it all.

    Returns:
        Its room, the place, and where the search goes on.
    """
    while -by_room[at][0] >= wanted and at + 1 < len(by_room) and -by_room[at + 1][0] >= wanted:
        at += 1
    return -by_room[at][0], by_room[at][1], at + 1


def find_scattered(
    node: Ints, pool: Ints, wide: Ints, out: Ints, level: int, wanted: int, owner: int
) -> int:
    """As `find` for a gang, the tenant's partly used nodes beside wholly free ones.

    Of the places that hold it, the one with the least left.
    """
    if pool[pool[OWNER_FREE] + owner] + pool[ALL_ROOM] < wanted:
        return 0
    partly = partly_used(node, pool, wide, level, owner)
    best, best_end, best_total, first = 0, 0, 0, 0
    while first < len(partly):
        place, own, end = partly[first][0], 0, first
        while end < len(partly) and partly[end][0] == place:
            own -= partly[end][1]
            end += 1
        total = own + room_of(pool, place, level)
        if total >= wanted and (best_end == 0 or total < best_total):
            best, best_end, best_total = first, end, total
        first = end
    if best_end == 0:
        return 0
    place = partly[best][0]
    whole = min(wanted, room_of(pool, place, level))
    pairs, rest = 0, wanted - whole
    for i in range(best, best_end):
        part = min(-partly[i][1], rest)
        if part > 0:
            out[2 * pairs] = partly[i][2]
            out[2 * pairs + 1] = part
            pairs += 1
            rest -= part
    return fill_place(node, pool, out, level, place, whole, pairs) if whole else pairs


def partly_used(
    node: Ints, pool: Ints, wide: Ints, level: int, owner: int
) -> list[tuple[int, int, int]]:
    """(place, -free, node) of the nodes that a tenant uses in part, sorted."""
    words = pool[WORDS]
    bits, lists = pool[NODE_BITS] + owner * words, pool[NODE_LISTS] + owner * pool[WIDTH]
    partly = [(0, 0, 0) for _ in range(0)]
    free = first_from(wide, bits, words, 1)
    while free >= 0:
        n = pool[lists + free]
        while n >= 0:
            partly.append((place_of(node, pool, n, level), -free, n))
            n = node[n + NEXT]
        free = first_from(wide, bits, words, free + 1)
    partly.sort()
    return partly


def room_of(pool: Ints, place: int, level: int) -> int:
    """The room of a rack or pod, or of the whole cluster."""
    return pool[ALL_ROOM] if level == ON_CLUSTER else pool[place + ROOM]
