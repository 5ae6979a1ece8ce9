"""The kernel's gangs: many nodes at once, each rack's counts changed once.

For leases that stand alone on what they hold, from now on, without an end: what the replay
(`kernel_replay.py`) and whoever works on whole fleets uses. The desk feeds allocation by
allocation (`kernel.hold`, `kernel.free`), windows included; the tables are the same after either.
"""

from comptoir.placement.kernel import (
    EMPTIES,
    FREE,
    FREE_HELD,
    GUARANTEED,
    HEAD,
    HOLDS,
    L_FIRST,
    L_OWNER,
    L_RANK,
    LNEXT,
    NEXT,
    NOBODY,
    ON,
    ONEXT,
    OWNER,
    POD,
    PREV,
    RACK,
    RFREE,
    ROOM,
    SHARED,
    SIZE,
    Ints,
    add_holding,
    count_empties,
    free,
    hold,
    mark,
    pull,
    push,
    weigh_rack,
)


def hold_gang(
    node: Ints, held: Ints, pool: Ints, wide: Ints, out: Ints, pairs: int, lease: int
) -> None:
    """Let a lease stand on what a search has written to `out`."""
    shared, owner = pool[SHARED], pool[lease + L_OWNER]
    rack, nodes, size = -1, 0, 0
    for i in range(pairs):
        n, part = out[2 * i], out[2 * i + 1]
        if part != node[n + SIZE] or shared:
            hold(node, held, pool, wide, n, lease, part, part)
            continue
        if node[n + RACK] != rack or part != size:
            if nodes:
                change_whole_nodes(pool, wide, lease, rack, -nodes, size)
            rack, nodes, size = node[n + RACK], 0, part
        nodes += 1
        pull(node, n, NEXT, PREV, pool, rack + EMPTIES)
        node[n + FREE] = 0
        node[n + OWNER] = owner
        add_holding(node, held, pool, n, lease, part)
    if nodes:
        change_whole_nodes(pool, wide, lease, rack, -nodes, size)


def free_gang(node: Ints, held: Ints, pool: Ints, wide: Ints, window: Ints, lease: int) -> int:
    """End all that a lease holds; its row is left to whoever asked. Returns how many holdings."""
    shared = pool[SHARED]
    rack, nodes, size, count = -1, 0, 0, 0
    h = pool[lease + L_FIRST]
    while h >= 0:
        count += 1
        following = held[h + LNEXT]
        n, part = held[h + ON], held[h + HOLDS]
        if part != node[n + SIZE] or shared:
            free(node, held, pool, wide, window, h, part)
            h = following
            continue
        if node[n + RACK] != rack or part != size:
            if nodes:
                change_whole_nodes(pool, wide, lease, rack, nodes, size)
            rack, nodes, size = node[n + RACK], 0, part
        nodes += 1
        push(node, n, NEXT, PREV, pool, rack + EMPTIES)
        node[n + FREE] = part
        node[n + OWNER] = NOBODY
        node[n + HEAD] = -1
        held[h + ONEXT] = pool[FREE_HELD]
        pool[FREE_HELD] = h
        h = following
    if nodes:
        change_whole_nodes(pool, wide, lease, rack, nodes, size)
    pool[lease + L_FIRST] = -1
    return count


def change_whole_nodes(pool: Ints, wide: Ints, lease: int, r: int, nodes: int, size: int) -> None:
    """So many wholly free nodes of a rack more, or less: they were or are a lease's."""
    count_empties(pool, wide, size, nodes)
    pool[r + ROOM] += nodes * size
    pool[r + RFREE] += nodes * size
    pool[pool[r + POD] + RFREE] += nodes * size
    mark(pool, r)
    if pool[lease + L_RANK] < GUARANTEED:
        weigh_rack(pool, wide, lease, r, -nodes * size)
