"""The kernel's places: every rack and pod that changed, moved to its bucket once.

A gang that takes a hundred nodes of a rack changes the rack's counts a hundred times and its
bucket once. Neighbours: `kernel.py`, whose tables these are.
"""

from comptoir.placement.kernel import (
    ALL_CAPACITY,
    ALL_FREE,
    ALL_ROOM,
    BITS,
    CAPACITY,
    DIRTY,
    EMPTIES,
    MARKED,
    PLACE,
    POD,
    RFREE,
    RNEXT,
    ROOM,
    RPREV,
    TOLD_CAPACITY,
    TOLD_FREE,
    TOLD_ROOM,
    WHOLE,
    WHOLE_RACK,
    WIDE,
    WIDE_WORDS,
    WNEXT,
    WPREV,
    Ints,
    Tables,
    pull,
    push,
)

BY_RACK, BY_POD, BY_WHOLE = 0, 1, 2
"""The regions of `lists` and `bits`: racks by room, pods by room, pods by wholly free racks."""


def settle(t: Tables) -> None:
    """Move every marked rack, then every pod that this changed, to its bucket."""
    rack, pod, meta = t.rack, t.pod, t.meta
    r = meta[DIRTY]
    pods = -1
    while r >= 0:
        following = rack[r + MARKED]
        rack[r + MARKED] = -2
        p = rack[r + POD]
        room = rack[r + ROOM]
        if pod[p + MARKED] == -2:
            pod[p + MARKED] = pods
            pods = p
        pod[p + ROOM] += room - rack[r + TOLD_ROOM]
        pod[p + RFREE] += rack[r + RFREE] - rack[r + TOLD_FREE]
        pod[p + CAPACITY] += rack[r + CAPACITY] - rack[r + TOLD_CAPACITY]
        rack[r + TOLD_ROOM], rack[r + TOLD_FREE] = room, rack[r + RFREE]
        rack[r + TOLD_CAPACITY] = rack[r + CAPACITY]
        place = -1 if room == 0 else WHOLE_RACK if room == rack[r + CAPACITY] else room
        if place != rack[r + PLACE]:
            move_rack(t, r, p, place)
        r = following
    meta[DIRTY] = -1
    while pods >= 0:
        following = pod[pods + MARKED]
        pod[pods + MARKED] = -2
        settle_pod(t, pods)
        pods = following


def move_rack(t: Tables, r: int, p: int, place: int) -> None:
    """Hang a rack under another room, or among its pod's wholly free racks."""
    rack, pod = t.rack, t.pod
    old = rack[r + PLACE]
    if old == WHOLE_RACK:
        pull(rack, r, RNEXT, RPREV, pod, p + EMPTIES)
        change_whole(t, p, -1)
    elif old >= 0:
        pull_place(t, rack, r, RNEXT, RPREV, BY_RACK, old)
    if place == WHOLE_RACK:
        push(rack, r, RNEXT, RPREV, pod, p + EMPTIES)
        change_whole(t, p, 1)
    elif place >= 0:
        push_place(t, rack, r, RNEXT, RPREV, BY_RACK, place)
    rack[r + PLACE] = place


def change_whole(t: Tables, p: int, by: int) -> None:
    """A pod has one wholly free rack more, or one less."""
    pod = t.pod
    if pod[p + WHOLE]:
        pull_place(t, pod, p, WNEXT, WPREV, BY_WHOLE, pod[p + WHOLE])
    pod[p + WHOLE] += by
    if pod[p + WHOLE]:
        push_place(t, pod, p, WNEXT, WPREV, BY_WHOLE, pod[p + WHOLE])


def settle_pod(t: Tables, p: int) -> None:
    """Hang a pod under its room, and tell the pool."""
    pod, meta = t.pod, t.meta
    room = pod[p + ROOM]
    meta[ALL_ROOM] += room - pod[p + TOLD_ROOM]
    meta[ALL_FREE] += pod[p + RFREE] - pod[p + TOLD_FREE]
    meta[ALL_CAPACITY] += pod[p + CAPACITY] - pod[p + TOLD_CAPACITY]
    pod[p + TOLD_ROOM], pod[p + TOLD_FREE] = room, pod[p + RFREE]
    pod[p + TOLD_CAPACITY] = pod[p + CAPACITY]
    place = room if room else -1
    old = pod[p + PLACE]
    if place != old:
        if old >= 0:
            pull_place(t, pod, p, RNEXT, RPREV, BY_POD, old)
        if place >= 0:
            push_place(t, pod, p, RNEXT, RPREV, BY_POD, place)
        pod[p + PLACE] = place


def push_place(
    t: Tables, table: Ints, item: int, after: int, before: int, region: int, bucket: int
) -> None:
    """Hang a rack or pod in a bucket of a region."""
    at = region * t.meta[WIDE] + bucket
    push(table, item, after, before, t.lists, at)
    t.bits[region * t.meta[WIDE_WORDS] + bucket // BITS] |= 1 << (bucket % BITS)


def pull_place(
    t: Tables, table: Ints, item: int, after: int, before: int, region: int, bucket: int
) -> None:
    """Take a rack or pod out of a bucket of a region."""
    at = region * t.meta[WIDE] + bucket
    pull(table, item, after, before, t.lists, at)
    if t.lists[at] < 0:
        t.bits[region * t.meta[WIDE_WORDS] + bucket // BITS] &= ~(1 << (bucket % BITS))
