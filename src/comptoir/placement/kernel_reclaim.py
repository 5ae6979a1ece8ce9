"""The kernel's victims: which places could be freed, and what it would take in one of them.

`promising_pods` and `promising_places` rank places by their counters alone: what is free there,
what weaker leases hold, for how long they have worked. `gather` then reads one place exactly: what
is free over the window without any reclaim, and one record for each weaker, reclaimable lease on
each node: (lease, node, accelerators, together). On a node of an exclusive kind that another
tenant holds, nothing is free until all that stands there is gone: its records are `together`, and
their accelerators count only if every lease among them goes. `kernel_cover.py` chooses the
cheapest leases.

Counts say which accelerators are free only while one thing stands on each. A node where promises
follow each other on one accelerator is given as a record without a lease: whoever asks looks at it
accelerator by accelerator (`reclaim.py`).
"""

from comptoir.placement.kernel import (
    ALL_ROOM,
    CAPACITY,
    FIRST_POD,
    FREE,
    HEAD,
    HOLDS,
    L_MARK,
    L_OWNER,
    L_RANK,
    L_SINCE,
    L_SIZE,
    MS_PER_S,
    NOBODY,
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
    SIZE,
    SUMS,
    W_END,
    W_START,
    WEAK,
    WIDTH,
    Ints,
)
from comptoir.placement.kernel_cover import cover
from comptoir.placement.kernel_find import ON_CLUSTER, ON_NODE, ON_POD, ON_RACK

ENDLESS = 1 << 60
"""An instant after all others."""

MOST_PODS = 16
"""Pods whose places are ranked at a time: the next only if nothing was found in these."""

MOST_UNITS = 2
"""Places in which a cover was found, at most: the cheapest of them is taken."""

MOST_RANKED = 16
"""Of a large cluster, racks are ranked in the pods that may free so many times what is wanted."""

MOST_SPARE_PERCENT = 150
"""Of those, racks are read that may free so much of what is wanted."""

DENSE = 4
"""Racks of which weaker leases hold at least one in so many are read before all others."""

_SPARSE = 1 << 40
"""An age beyond all ages, in seconds."""

MOST_TRIED = 64
"""Places that are read exactly, at most."""

RECORD = 4
"""Integers of a record: lease, node, accelerators, whether they come only together."""

Claim = tuple[int, int, int, int, int]
"""Whose claim: owner, strength, start and end of the window, and now (ms)."""


def in_the_way(held: Ints, window: Ints, h: int, start_ms: int, end_ms: int, now_ms: int) -> bool:
    """Whether a holding stands at some time in a window; what is handed over stands now."""
    w = held[h + PASSES]
    if w < 0:
        return True
    if window[w + W_START] >= end_ms:
        return False
    return window[w + W_END] > start_ms or (window[w + W_START] < 0 and start_ms <= now_ms)


def score(pool: Ints, wide: Ints, place: int, wanted: int, rank: int, now_s: int) -> int:
    """What freeing `wanted` in a place may cost, by its counters; -1: it cannot be."""
    weak, worked = 0, 0
    for weaker in range(rank):
        weak += pool[place + WEAK + weaker]
        worked += wide[pool[place + SUMS] + weaker]
    if weak == 0 or pool[place + RFREE] + pool[place + PASSING] + weak < wanted:
        return -1
    missing = max(1, wanted - pool[place + ROOM])
    return missing * max(1, now_s - worked // weak)


def promising_pods(
    pool: Ints, wide: Ints, wanted: int, rank: int, now_s: int
) -> list[tuple[int, int]]:
    """(score, pod) of the pods in which something might be freed, the most promising first."""
    found = [(0, 0) for _ in range(0)]
    p = pool[FIRST_POD]
    while p >= 0:
        estimate = score(pool, wide, p, wanted, rank, now_s)
        if estimate >= 0:
            found.append((estimate, p))
        p = pool[p + RSIBLING]
    found.sort()
    return found


def promising_places(
    pool: Ints, wide: Ints, level: int, pods: list[int], wanted: int, rank: int, now_s: int
) -> list[tuple[int, int]]:
    """(score, place) of the places of some pods, the most promising first.

    At node level they are racks: `nodes_of_rack` goes on.
    """
    found = [(0, 0) for _ in range(0)]
    for p in pods:
        if level == ON_POD:
            found.append((youngest(pool, wide, p, wanted, rank, now_s), p))
            continue
        r = pool[p + NODES]
        while r >= 0:
            estimate = score(pool, wide, r, wanted, rank, now_s)
            if estimate >= 0:
                found.append((estimate, r))
            r = pool[r + RSIBLING]
    found.sort()
    return found


def youngest(pool: Ints, wide: Ints, p: int, wanted: int, rank: int, now_s: int) -> int:
    """A pod's score from its racks': what is missing is taken where the work is youngest."""
    by_age = [(0, 0) for _ in range(0)]
    r = pool[p + NODES]
    while r >= 0:
        weak, worked = 0, 0
        for weaker in range(rank):
            weak += pool[r + WEAK + weaker]
            worked += wide[pool[r + SUMS] + weaker]
        if weak:
            by_age.append((max(1, now_s - worked // weak), weak))
        r = pool[r + RSIBLING]
    by_age.sort()
    missing = max(1, wanted - pool[p + ROOM])
    total = 0
    for age, weak in by_age:
        part = min(weak, missing)
        total += part * age
        missing -= part
    return total


def nodes_of_rack(
    node: Ints, held: Ints, pool: Ints, r: int, wanted: int, rank: int, now_s: int
) -> list[tuple[int, int]]:
    """(score, node) of the nodes of a rack that might be freed, the most promising first."""
    found = [(0, 0) for _ in range(0)]
    n = pool[r + NODES]
    while n >= 0:
        weak, worked, passing = 0, 0, 0
        h = node[n + HEAD] if node[n + SIZE] > 0 else -1
        while h >= 0:
            lease, size = held[h + OF], held[h + HOLDS]
            if pool[lease + L_RANK] < rank:
                weak += size
                worked += size * max(1, now_s - pool[lease + L_SINCE])
            elif held[h + PASSES] >= 0:
                passing += size
            h = held[h + ONEXT]
        if weak > 0 and node[n + FREE] + weak + passing >= wanted:
            found.append((worked * max(1, wanted - node[n + FREE]) // weak, n))
        n = node[n + SIBLING]
    found.sort()
    return found


def gather_node(
    node: Ints, held: Ints, pool: Ints, window: Ints, n: int, claim: Claim, records: list[int]
) -> int:
    """Read one open node; returns what is free there without any reclaim."""
    owner, rank, start_ms, end_ms, now_ms = claim
    begun = len(records)
    free = standing = node[n + FREE]
    h = node[n + HEAD]
    if h < 0:
        return free
    if held[h + ONEXT] < 0 and held[h + PASSES] < 0:  # one lease, that stays: the common case
        lease, size = held[h + OF], held[h + HOLDS]
        mine = pool[SHARED] == 1 or pool[lease + L_OWNER] == owner
        if pool[lease + L_RANK] < rank:
            add_record(records, lease, n, size if mine else size + free, 0)
        return free if mine else 0
    together, usable = 0, True
    while h >= 0:
        size, lease = held[h + HOLDS], held[h + OF]
        standing += size
        if held[h + PASSES] >= 0 and not in_the_way(held, window, h, start_ms, end_ms, now_ms):
            free += size
        else:
            weak = pool[lease + L_RANK] < rank
            if weak:
                add_record(records, lease, n, size, 0)
            if pool[lease + L_OWNER] != owner and pool[SHARED] == 0:
                together = 1
                usable = usable and weak
        h = held[h + ONEXT]
    if standing != node[n + SIZE] or not usable:
        del records[begun:]
        if standing != node[n + SIZE]:
            add_record(records, -1, n, 0, 0)
        return 0
    if together:
        for at in range(begun, len(records), RECORD):
            records[at + 3] = 1
        records[begun + 2] += free
        return 0
    return free


def add_record(records: list[int], lease: int, n: int, size: int, together: int) -> None:
    """One weaker lease on one node."""
    records.append(lease)
    records.append(n)
    records.append(size)
    records.append(together)


def gathered(
    node: Ints, held: Ints, pool: Ints, window: Ints, level: int, place: int, claim: Claim
) -> tuple[int, list[int]]:
    """Read one place; returns what is free there without any reclaim, and the records.

    The list is made here: compiled code takes no empty one from outside.
    """
    records = [0 for _ in range(0)]
    free = gather(node, held, pool, window, level, place, claim, records)
    return free, records


def gather(
    node: Ints,
    held: Ints,
    pool: Ints,
    window: Ints,
    level: int,
    place: int,
    claim: Claim,
    records: list[int],
) -> int:
    """Read one place; returns what is free there without any reclaim."""
    if level == ON_NODE:
        return gather_node(node, held, pool, window, place, claim, records)
    free = 0
    for r in racks_of(pool, level, place):
        free += gather_rack(node, held, pool, window, r, claim, records)
    return free


def racks_of(pool: Ints, level: int, place: int) -> list[int]:
    """The racks of a rack, a pod or the cluster."""
    racks = [0 for _ in range(0)]
    if level == ON_RACK:
        racks.append(place)
        return racks
    p = pool[FIRST_POD] if level == ON_CLUSTER else place
    while p >= 0:
        r = pool[p + NODES]
        while r >= 0:
            racks.append(r)
            r = pool[r + RSIBLING]
        p = pool[p + RSIBLING] if level == ON_CLUSTER else -1
    return racks


def weak_leases(node: Ints, held: Ints, pool: Ints, level: int, place: int, rank: int) -> list[int]:
    """Leases weaker than `rank` that hold something in a place, whatever else stands there."""
    found = [0 for _ in range(0)]
    nodes = [0 for _ in range(0)]
    if level == ON_NODE:
        nodes.append(place)
    else:
        for r in racks_of(pool, level, place):
            weak = 0
            for weaker in range(rank):
                weak += pool[r + WEAK + weaker]
            n = pool[r + NODES] if weak else -1
            while n >= 0:
                nodes.append(n)
                n = node[n + SIBLING]
    for n in nodes:
        h = node[n + HEAD] if node[n + SIZE] > 0 else -1
        while h >= 0:
            lease = held[h + OF]
            number = pool[lease + L_MARK]
            known = number < len(found) and found[number] == lease
            if pool[lease + L_RANK] < rank and not known:
                pool[lease + L_MARK] = len(found)
                found.append(lease)
            h = held[h + ONEXT]
    return found


def gather_rack(
    node: Ints, held: Ints, pool: Ints, window: Ints, r: int, claim: Claim, records: list[int]
) -> int:
    """Read the open nodes of a rack; one where nothing weak or passing stands has only room."""
    weak = pool[r + PASSING]
    for weaker in range(claim[1]):
        weak += pool[r + WEAK + weaker]
    if weak == 0 and (claim[0] == NOBODY or pool[r + RFREE] == pool[r + ROOM]):
        return pool[r + ROOM]
    free = 0
    n = pool[r + NODES]
    while n >= 0:
        if node[n + SIZE] > 0:
            free += gather_node(node, held, pool, window, n, claim, records)
        n = node[n + SIBLING]
    return free


def cost_by_age(pool: Ints, lease: int, now_s: int) -> int:
    """Accelerator-milliseconds that a victim loses, the whole gang's; and one for the act."""
    return pool[lease + L_SIZE] * max(0, now_s - pool[lease + L_SINCE]) * MS_PER_S + 1


def youngest_racks(pool: Ints, wide: Ints, wanted: int, rank: int, now_s: int) -> list[int]:
    """Of the pods with the youngest work, the racks with the youngest, that may free enough.

    A rack costs as much to read whatever stands there: those with much to free come first.
    """
    by_age = [(0, 0) for _ in range(0)]
    total = 0
    for _, p in promising_pods(pool, wide, 1, rank, now_s):
        if total >= MOST_RANKED * wanted:
            break
        total += pool[p + RFREE]
        r = pool[p + NODES]
        while r >= 0:
            weak, worked = 0, 0
            for weaker in range(rank):
                weak += pool[r + WEAK + weaker]
                worked += wide[pool[r + SUMS] + weaker]
            if weak:
                total += weak
                sparse = 0 if weak * DENSE >= pool[r + CAPACITY] else _SPARSE
                by_age.append((max(1, now_s - worked // weak) + sparse, r))
            r = pool[r + RSIBLING]
    by_age.sort()
    chosen = [0 for _ in range(0)]
    total = 0
    for _, r in by_age:
        if total * 100 >= MOST_SPARE_PERCENT * wanted:
            break
        chosen.append(r)
        total += pool[r + RFREE]
        for weaker in range(rank):
            total += pool[r + WEAK + weaker]
    return chosen


def room_beside(pool: Ints, racks: list[int]) -> int:
    """Accelerators of wholly free nodes that are in none of some racks."""
    room = pool[ALL_ROOM]
    for r in racks:
        room -= pool[r + ROOM]
    return room


def cover_unit(
    node: Ints,
    held: Ints,
    pool: Ints,
    window: Ints,
    level: int,
    places: list[int],
    wanted: int,
    claim: Claim,
) -> tuple[int, list[int]]:
    """The cheapest victims that free `wanted` in places for good: (cost, leases); cost -1: none.

    For a pool in which one thing stands on each accelerator.
    """
    records = [0 for _ in range(0)]
    victims = [0 for _ in range(0)]
    cost = [0 for _ in range(0)]
    free = 0
    for place in places:
        free += gather(node, held, pool, window, level, place, claim, records)
    for at in range(0, len(records), RECORD):
        lease = records[at]
        number = pool[lease + L_MARK]
        if number >= len(victims) or victims[number] != lease:
            number = len(victims)
            pool[lease + L_MARK] = number
            victims.append(lease)
            cost.append(cost_by_age(pool, lease, claim[4] // MS_PER_S))
        records[at] = number
    chosen = cover(records, cost, wanted - free)
    total = 0
    for number in chosen:
        total += cost[number]
    return total if len(chosen) else -1, [victims[number] for number in chosen]


def reclaim(
    node: Ints,
    held: Ints,
    pool: Ints,
    wide: Ints,
    window: Ints,
    level: int,
    wanted: int,
    owner: int,
    rank: int,
    now_ms: int,
) -> list[int]:
    """The cheapest victims that free `wanted` in one place of a level, weaker than `rank`.

    Bound: of so many of the most promising pods at a time, places are read in the order of
    their counters until a cover was found in MOST_UNITS of them, or MOST_TRIED were read. Of a
    cluster, so many racks with the youngest work are read as may free half as much again.
    """
    best = [0 for _ in range(0)]
    best_cost, found, tried = -1, 0, 0
    claim = (owner, rank, now_ms, ENDLESS, now_ms)
    now_s = now_ms // MS_PER_S
    if level == ON_CLUSTER:
        some = youngest_racks(pool, wide, wanted, rank, now_s)
        missing = wanted - room_beside(pool, some)
        return cover_unit(node, held, pool, window, ON_RACK, some, missing, claim)[1]
    pods = promising_pods(pool, wide, wanted, rank, now_s)
    if len(pods) == 0 or (level == ON_NODE and wanted >= pool[WIDTH]):
        return best
    for first in range(0, len(pods), MOST_PODS):
        some = [pods[i][1] for i in range(first, min(first + MOST_PODS, len(pods)))]
        for _, place in promising_places(pool, wide, level, some, wanted, rank, now_s):
            units = [(0, place)]
            if level == ON_NODE:
                units = nodes_of_rack(node, held, pool, place, wanted, rank, now_s)
            for _, unit in units[:MOST_UNITS]:
                tried += 1
                cost, chosen = cover_unit(node, held, pool, window, level, [unit], wanted, claim)
                if cost >= 0:
                    found += 1
                    if best_cost < 0 or cost < best_cost:
                        best_cost, best = cost, chosen
            if found >= MOST_UNITS or tried >= MOST_TRIED:
                return best
        if found > 0:
            break
    return best
