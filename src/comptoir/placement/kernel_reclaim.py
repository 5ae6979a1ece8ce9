"""The kernel's victims: which places could be freed, and what it would take in one of them.

`candidates` ranks places by their counters alone: what is free there, what weaker leases hold, for
how long they have worked. `gather` then reads one place exactly: what is free over the window
without any reclaim, and one record for each weaker, reclaimable lease on each node: (lease, node,
accelerators, together). On a node of an exclusive kind that another tenant holds, nothing is free
until all that stands there is gone: its records are `together`, and their accelerators count
only if every lease among them goes. `kernel_cover.py` chooses the cheapest leases.

Counts say which accelerators are free only while one thing stands on each. A node where promises
follow each other on one accelerator is given as a record without a lease: whoever asks looks at it
accelerator by accelerator (`reclaim.py`).
"""

from comptoir.placement.kernel import (
    CLOSED,
    FIRST_POD,
    FREE,
    HEAD,
    HOLDS,
    L_FROM,
    L_MARK,
    L_NOTICE,
    L_OWNER,
    L_RANK,
    L_SINCE,
    L_SIZE,
    LIST,
    NODES,
    OF,
    ONEXT,
    PASSES,
    PASSING,
    RFREE,
    ROOM,
    RSIBLING,
    SHARED,
    SIBLING,
    SINCE,
    SIZE,
    W_END,
    W_START,
    WEAK,
    WIDTH,
    Ints,
    Tables,
)
from comptoir.placement.kernel_cover import cover
from comptoir.placement.kernel_find import ON_CLUSTER, ON_NODE, ON_RACK

ENDLESS = 1 << 60
"""An instant after all others."""

MOST_UNITS = 8
"""Places in which a cover was found, at most: the cheapest of them is taken."""

MOST_TRIED = 64
"""Places that are read exactly, at most."""

RECORD = 4
"""Integers of a record: lease, node, accelerators, whether they come only together."""


def in_the_way(t: Tables, h: int, start_ms: int, end_ms: int, now_ms: int) -> bool:
    """Whether a holding stands at some time in a window; what is handed over stands now."""
    w = t.holding[h + PASSES]
    if w < 0:
        return True
    if t.window[w + W_START] >= end_ms:
        return False
    return t.window[w + W_END] > start_ms or (t.window[w + W_START] < 0 and start_ms <= now_ms)


def score(table: Ints, place: int, wanted: int, rank: int, now_ms: int) -> int:
    """What freeing `wanted` in a place may cost, by its counters; -1: it cannot be."""
    weak, worked = 0, 0
    for weaker in range(rank):
        weak += table[place + WEAK + weaker]
        worked += table[place + SINCE + weaker]
    if weak == 0 or table[place + RFREE] + table[place + PASSING] + weak < wanted:
        return -1
    missing = max(1, wanted - table[place + ROOM])
    return missing * max(1, now_ms - worked // weak)


def candidates(t: Tables, level: int, wanted: int, rank: int, now_ms: int) -> list[tuple[int, int]]:
    """(score, place) of the places that might be freed, the most promising first.

    At node level: the racks whose nodes may be.
    """
    found = [(0, 0) for _ in range(0)]
    p = t.meta[FIRST_POD]
    weak = 0
    while p >= 0:
        for weaker in range(rank):
            weak += t.pod[p + WEAK + weaker]
        if level != ON_CLUSTER:
            estimate = score(t.pod, p, wanted, rank, now_ms)
            if estimate >= 0 and level <= ON_RACK:
                add_racks(t, p, wanted, rank, now_ms, found)
            elif estimate >= 0:
                found.append((estimate, p))
        p = t.pod[p + RSIBLING]
    if level == ON_CLUSTER and weak > 0:
        found.append((0, 0))
    found.sort()
    return found


def add_racks(
    t: Tables, p: int, wanted: int, rank: int, now_ms: int, found: list[tuple[int, int]]
) -> None:
    """The racks of a pod that might be freed."""
    r = t.pod[p + NODES]
    while r >= 0:
        estimate = score(t.rack, r, wanted, rank, now_ms)
        if estimate >= 0:
            found.append((estimate, r))
        r = t.rack[r + RSIBLING]


def nodes_of_rack(t: Tables, r: int, wanted: int, rank: int, now_ms: int) -> list[tuple[int, int]]:
    """(score, node) of the nodes of a rack that might be freed, the most promising first."""
    found = [(0, 0) for _ in range(0)]
    n = t.rack[r + NODES]
    while n >= 0:
        weak, worked, passing = 0, 0, 0
        h = t.node[n + HEAD] if t.node[n + LIST] != CLOSED else -1
        while h >= 0:
            lease, size = t.holding[h + OF], t.holding[h + HOLDS]
            if t.lease[lease + L_RANK] < rank:
                weak += size
                worked += size * max(1, now_ms - t.lease[lease + L_SINCE])
            elif t.holding[h + PASSES] >= 0:
                passing += size
            h = t.holding[h + ONEXT]
        if weak > 0 and t.node[n + FREE] + weak + passing >= wanted:
            found.append((worked * max(1, wanted - t.node[n + FREE]) // weak, n))
        n = t.node[n + SIBLING]
    found.sort()
    return found


def gather_node(
    t: Tables,
    n: int,
    owner: int,
    rank: int,
    window: tuple[int, int, int],
    notice_ms: int,
    records: list[int],
) -> int:
    """Read one node; returns what is free there without any reclaim.

    Args:
        window: Start and end of what is asked for, and now (ms).
        notice_ms: Leases that must be told longer before are no victims; ENDLESS: all that may
            ever be taken back are, however long they have run.
    """
    node, holding, lease = t.node, t.holding, t.lease
    start_ms, end_ms, now_ms = window
    begun = len(records)
    free, standing, together = node[n + FREE], node[n + FREE], 0
    usable = True
    h = node[n + HEAD]
    while h >= 0:
        size, of = holding[h + HOLDS], holding[h + OF]
        standing += size
        if not in_the_way(t, h, start_ms, end_ms, now_ms):
            free += size
            h = holding[h + ONEXT]
            continue
        foreign = t.meta[SHARED] == 0 and lease[of + L_OWNER] != owner
        if (
            lease[of + L_RANK] < rank
            and lease[of + L_NOTICE] <= notice_ms
            and (
                notice_ms == ENDLESS
                or lease[of + L_FROM] <= max(start_ms, now_ms + lease[of + L_NOTICE])
            )
        ):
            records.extend([of, n, size, 0])
        elif foreign:
            usable = False
        if foreign:
            together = 1
        h = holding[h + ONEXT]
    if standing != node[n + SIZE] or not usable:
        del records[begun:]
        if standing != node[n + SIZE]:
            records.extend([-1, n, 0, 0])
        return 0
    if together:
        for at in range(begun, len(records), RECORD):
            records[at + 3] = 1
        records[begun + 2] += free
        return 0
    return free


def gather(
    t: Tables,
    level: int,
    place: int,
    owner: int,
    rank: int,
    window: tuple[int, int, int],
    notice_ms: int,
    records: list[int],
) -> int:
    """Read one place; returns what is free there without any reclaim. See `gather_node`."""
    if level == ON_NODE:
        return gather_node(t, place, owner, rank, window, notice_ms, records)
    if level == ON_RACK:
        return gather_rack(t, place, owner, rank, window, notice_ms, records)
    free = 0
    p = t.meta[FIRST_POD] if level == ON_CLUSTER else place
    while p >= 0:
        r = t.pod[p + NODES]
        while r >= 0:
            free += gather_rack(t, r, owner, rank, window, notice_ms, records)
            r = t.rack[r + RSIBLING]
        p = t.pod[p + RSIBLING] if level == ON_CLUSTER else -1
    return free


def gather_rack(
    t: Tables,
    r: int,
    owner: int,
    rank: int,
    window: tuple[int, int, int],
    notice_ms: int,
    records: list[int],
) -> int:
    """Read the open nodes of a rack."""
    free = 0
    n = t.rack[r + NODES]
    while n >= 0:
        if t.node[n + LIST] != CLOSED:
            free += gather_node(t, n, owner, rank, window, notice_ms, records)
        n = t.node[n + SIBLING]
    return free


def cost_by_age(t: Tables, lease: int, now_ms: int) -> int:
    """Accelerator-milliseconds that a victim loses, the whole gang's; and one for the act."""
    return t.lease[lease + L_SIZE] * max(0, now_ms - t.lease[lease + L_SINCE]) + 1


def cover_unit(
    t: Tables, level: int, place: int, wanted: int, owner: int, rank: int, now_ms: int
) -> tuple[int, list[int]]:
    """The cheapest victims that free `wanted` in a place for good: (cost, leases); cost -1: none.

    For a pool in which one thing stands on each accelerator.
    """
    records = [0 for _ in range(0)]
    victims = [0 for _ in range(0)]
    cost = [0 for _ in range(0)]
    window = (now_ms, ENDLESS, now_ms)
    free = gather(t, level, place, owner, rank, window, ENDLESS, records)
    for at in range(0, len(records), RECORD):
        lease = records[at]
        number = t.lease[lease + L_MARK]
        if number >= len(victims) or victims[number] != lease:
            number = t.lease[lease + L_MARK] = len(victims)
            victims.append(lease)
            cost.append(cost_by_age(t, lease, now_ms))
        records[at] = number
    chosen = cover(records, cost, wanted - free)
    total = 0
    for number in chosen:
        total += cost[number]
    return total if len(chosen) else -1, [victims[number] for number in chosen]


def reclaim(t: Tables, level: int, wanted: int, owner: int, rank: int, now_ms: int) -> list[int]:
    """The cheapest victims that free `wanted` in one place of a level, weaker than `rank`.

    Bound: places are read in the order of their counters until a cover was found in MOST_UNITS of
    them, or MOST_TRIED were read.
    """
    best = [0 for _ in range(0)]
    best_cost, found, tried = -1, 0, 0
    if level == ON_NODE and wanted >= t.meta[WIDTH]:
        return best
    for _, place in candidates(t, level, wanted, rank, now_ms):
        units = [(0, place)]
        if level == ON_NODE:
            units = nodes_of_rack(t, place, wanted, rank, now_ms)
        for _, unit in units[:MOST_UNITS]:
            tried += 1
            cost, chosen = cover_unit(t, level, unit, wanted, owner, rank, now_ms)
            if cost >= 0:
                found += 1
                if best_cost < 0 or cost < best_cost:
                    best_cost, best = cost, chosen
        if found >= MOST_UNITS or tried >= MOST_TRIED:
            break
    return best
