"""The kernel's places: every rack and pod that changed, moved to its bucket once.

A gang that takes a hundred nodes of a rack changes the rack's counts once and its bucket once.
Neighbours: `kernel.py`, whose tables these are.
"""

from comptoir.placement.kernel import (
    ALL_CAPACITY,
    ALL_ROOM,
    BITS,
    CAPACITY,
    DIRTY,
    EMPTIES,
    LISTS,
    MAPS,
    MARKED,
    PLACE,
    POD,
    RNEXT,
    ROOM,
    RPREV,
    TOLD_CAPACITY,
    TOLD_ROOM,
    UNMARKED,
    WHOLE,
    WHOLE_RACK,
    WIDE,
    WIDE_WORDS,
    WNEXT,
    WPREV,
    Ints,
    pull,
    push,
)

BY_RACK, BY_POD, BY_WHOLE = 0, 1, 2
"""The regions of the lists of places: racks by room, pods by room, pods by wholly free racks."""


def settle(pool: Ints, wide: Ints) -> None:
    """Move every marked rack, then every pod that this changed, to its bucket."""
    r = pool[DIRTY]
    pods = -1
    while r >= 0:
        following = pool[r + MARKED]
        pool[r + MARKED] = UNMARKED
        p, room, capacity = pool[r + POD], pool[r + ROOM], pool[r + CAPACITY]
        if pool[p + MARKED] == UNMARKED:
            pool[p + MARKED] = pods
            pods = p
        pool[p + ROOM] += room - pool[r + TOLD_ROOM]
        pool[p + CAPACITY] += capacity - pool[r + TOLD_CAPACITY]
        pool[r + TOLD_ROOM] = room
        pool[r + TOLD_CAPACITY] = capacity
        place = -1 if room == 0 else WHOLE_RACK if room == capacity else room
        if place != pool[r + PLACE]:
            move_rack(pool, wide, r, p, place)
        r = following
    pool[DIRTY] = -1
    while pods >= 0:
        following = pool[pods + MARKED]
        pool[pods + MARKED] = UNMARKED
        settle_pod(pool, wide, pods)
        pods = following


def move_rack(pool: Ints, wide: Ints, r: int, p: int, place: int) -> None:
    """Hang a rack under another room, or among its pod's wholly free racks."""
    old = pool[r + PLACE]
    if old == WHOLE_RACK:
        pull(pool, r, RNEXT, RPREV, pool, p + EMPTIES)
        change_whole(pool, wide, p, -1)
    elif old >= 0:
        pull_place(pool, wide, r, RNEXT, RPREV, BY_RACK, old)
    if place == WHOLE_RACK:
        push(pool, r, RNEXT, RPREV, pool, p + EMPTIES)
        change_whole(pool, wide, p, 1)
    elif place >= 0:
        push_place(pool, wide, r, RNEXT, RPREV, BY_RACK, place)
    pool[r + PLACE] = place


def change_whole(pool: Ints, wide: Ints, p: int, by: int) -> None:
    """A pod has one wholly free rack more, or one less."""
    if pool[p + WHOLE]:
        pull_place(pool, wide, p, WNEXT, WPREV, BY_WHOLE, pool[p + WHOLE])
    pool[p + WHOLE] += by
    if pool[p + WHOLE]:
        push_place(pool, wide, p, WNEXT, WPREV, BY_WHOLE, pool[p + WHOLE])


def settle_pod(pool: Ints, wide: Ints, p: int) -> None:
    """Hang a pod under its room, and tell the pool."""
    room = pool[p + ROOM]
    pool[ALL_ROOM] += room - pool[p + TOLD_ROOM]
    pool[ALL_CAPACITY] += pool[p + CAPACITY] - pool[p + TOLD_CAPACITY]
    pool[p + TOLD_ROOM] = room
    pool[p + TOLD_CAPACITY] = pool[p + CAPACITY]
    place = room if room else -1
    old = pool[p + PLACE]
    if place != old:
        if old >= 0:
            pull_place(pool, wide, p, RNEXT, RPREV, BY_POD, old)
        if place >= 0:
            push_place(pool, wide, p, RNEXT, RPREV, BY_POD, place)
        pool[p + PLACE] = place


def push_place(
    pool: Ints, wide: Ints, item: int, after: int, before: int, region: int, bucket: int
) -> None:
    """Hang a rack or pod in a bucket of a region."""
    push(pool, item, after, before, pool, pool[LISTS] + region * pool[WIDE] + bucket)
    wide[pool[MAPS] + region * pool[WIDE_WORDS] + bucket // BITS] |= 1 << (bucket % BITS)


def pull_place(
    pool: Ints, wide: Ints, item: int, after: int, before: int, region: int, bucket: int
) -> None:
    """Take a rack or pod out of a bucket of a region."""
    at = pool[LISTS] + region * pool[WIDE] + bucket
    pull(pool, item, after, before, pool, at)
    if pool[at] < 0:
        wide[pool[MAPS] + region * pool[WIDE_WORDS] + bucket // BITS] &= ~(1 << (bucket % BITS))
