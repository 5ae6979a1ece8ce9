"""Accelerators that are free over a window though something stands there before or after it.

The kernel finds what is untouched. This looks at what passes: holdings that end by themselves or
have yet to start, a packed table of one row each, compared with the window at once. Counts are
exact while one thing stands on each accelerator; a node where several do, or several tenants at
different times, is looked at by its masks (`passing.py`), and one with planned work by its rows.
Neighbours: `pools.py` owns the table, `plan.py` asks after the kernel has found nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from comptoir.leases.lease import Shape
from comptoir.placement import kernel as k
from comptoir.placement.kernel_find import ON_CLUSTER, ON_NODE, ON_RACK
from comptoir.placement.kernel_reclaim import ENDLESS
from comptoir.placement.pools import Pool
from comptoir.units.ids import LeaseId, NodeId, TenantId
from comptoir.units.time import Window

Counts = np.ndarray[Any, np.dtype[np.int64]]
_ROWS_AT_ONCE = 256
FreeOn = Callable[[NodeId], int]
"""How many accelerators of a node are free over the window, by its rows."""


def something_passes(pool: Pool, window: Window, now_ms: int) -> bool:
    """Whether anything that stands in a pool at some time leaves a window free."""
    return bool(_gone(pool, window, now_ms)[1].any())


def available(pool: Pool, tenant: TenantId, window: Window, now_ms: int, free_on: FreeOn) -> Counts:
    """By row number, what each node of a pool has free for a tenant over a window."""
    rows, gone = _gone(pool, window, now_ms)
    node = np.frombuffer(pool.tables.node, np.int32).reshape(-1, k.NODE_ROW)
    gains = np.zeros(len(node), np.int64)
    np.add.at(gains, rows[gone, k.W_NODE] // k.NODE_ROW, rows[gone, k.W_SIZE])
    free = node[:, k.FREE] + gains
    usable = node[:, k.SIZE] > 0
    odd = np.zeros(len(node), np.bool_)
    odd[np.fromiter(pool.doubled, np.int64, len(pool.doubled)) // k.NODE_ROW] = True
    if not pool.shared:
        owner = node[:, k.OWNER]
        mine = (owner == k.NOBODY) | (owner == pool.owner_of(tenant))
        usable &= mine | (free == node[:, k.SIZE])
        odd |= owner == k.MIXED
    counts = np.where(usable, free, 0)
    odd &= (gains != 0) & (node[:, k.SIZE] > 0)
    looked_at: list[int] = np.flatnonzero(odd).tolist()
    for row in pool.worked.intersection(looked_at):
        counts[row] = free_on(pool.ids[row])
    masked = [row for row in looked_at if row not in pool.worked]
    if masked:
        counts[masked] = pool.passing.free(
            masked,
            node[masked, k.SIZE].astype(np.int64),
            [pool.taken[row] for row in masked],
            None if pool.shared else pool.owner_of(tenant),
            window,
            now_ms,
        )
    return counts


def freest(pools: Sequence[Pool], window: Window, now_ms: int) -> Iterator[NodeId]:
    """The nodes of some pools that have anything free over a window, the freest first.

    They are read off the tables: no node's rows are looked at.
    """
    nobody = TenantId("")
    if not pools:
        return
    counts = [available(pool, nobody, window, now_ms, lambda _: 0) for pool in pools]
    free = np.concatenate(counts)
    firsts = np.cumsum([0, *(len(count) for count in counts)])
    for at in np.argsort(-free, kind="stable").tolist():
        if free[at] <= 0:
            return
        number = int(np.searchsorted(firsts, at, side="right")) - 1
        yield pools[number].ids[at - int(firsts[number])]


def _gone(pool: Pool, window: Window, now_ms: int) -> tuple[Counts, np.ndarray[Any, Any]]:
    """What passes in a pool, and which of it does not stand during a window."""
    rows = _passing(pool)
    over = rows[:, k.W_END] <= window.start_ms
    if window.start_ms <= now_ms:
        over &= rows[:, k.W_START] >= 0  # what is handed over and not fenced stands now
    end_ms = ENDLESS if window.end_ms is None else window.end_ms
    return rows, over | (rows[:, k.W_START] >= end_ms)


def passing_rows(pool: Pool) -> int:
    """How many rows are compared for a window: what a plan over one costs grows with them."""
    return len(_passing(pool))


def places_of(pool: Pool, shape: Shape) -> Counts:
    """By row number, the place of each node at a shape, counted from 0."""
    node = np.frombuffer(pool.tables.node, np.int32).reshape(-1, k.NODE_ROW)
    if shape is Shape.NODE:
        return np.arange(len(node), dtype=np.int64)
    if shape in (Shape.CLUSTER, Shape.SITE):
        return np.zeros(len(node), np.int64)
    table = np.frombuffer(pool.tables.pool, np.int32)
    racks = node[:, k.RACK].astype(np.int64)
    at = racks if shape is Shape.RACK else table[racks + k.POD]
    numbers: Counts = table[at + k.NUMBER].astype(np.int64)
    return numbers


def within(pool: Pool, counts: Counts, level: int, place: int) -> Counts:
    """Counts of a place alone, by the kernel's level and handle."""
    if level == ON_CLUSTER:
        return counts
    if level == ON_NODE:
        rows, place = places_of(pool, Shape.NODE), place // k.NODE_ROW
    elif level == ON_RACK:
        rows, place = places_of(pool, Shape.RACK), pool.tables.pool[place + k.NUMBER]
    else:
        rows, place = places_of(pool, Shape.POD), pool.tables.pool[place + k.NUMBER]
    return np.where(rows == place, counts, 0)


def roomiest(pool: Pool, counts: Counts, places: Counts) -> tuple[int, int, int] | None:
    """(free, place, one of its rows) of the place with the most free; None: no node in service."""
    node = np.frombuffer(pool.tables.node, np.int32).reshape(-1, k.NODE_ROW)
    opened = np.flatnonzero(node[:, k.SIZE] > 0)
    if not len(opened):
        return None
    totals = np.bincount(places, weights=counts).astype(np.int64)
    row = int(opened[np.argmax(totals[places[opened]])])
    return int(totals[places[row]]), int(places[row]), row


def ending(
    pool: Pool, places: Counts, place: int, after_ms: int, most: int
) -> list[tuple[int, LeaseId, int]]:
    """(end, lease, accelerators) of what ends by itself in a place after then, soonest first.

    What a lease gives back there at one instant is one row, on however many nodes it stands.
    """
    rows, _ = _gone(pool, Window(0), 0)
    ends_ms = rows[:, k.W_END]
    there = places[rows[:, k.W_NODE] // k.NODE_ROW] == place
    here = rows[there & (ends_ms > after_ms) & (ends_ms < ENDLESS)]
    order = np.argsort(here[:, k.W_END], kind="stable")
    found: dict[tuple[int, LeaseId], int] = {}
    for h, _, size, _, end_ms in _row_by_row(here, order):
        key = end_ms, pool.lease_ids[pool.tables.held[h + k.OF]]
        if key not in found and len(found) == most:
            break
        found[key] = found.get(key, 0) + size
    return [(end_ms, lease_id, size) for (end_ms, lease_id), size in found.items()]


def _row_by_row(rows: Counts, order: Counts) -> Iterator[list[int]]:
    """Rows in an order, some at a time: who has seen enough leaves the rest as they are."""
    for first in range(0, len(order), _ROWS_AT_ONCE):
        yield from rows[order[first : first + _ROWS_AT_ONCE]].tolist()


def ends(pool: Pool) -> list[int]:
    """The instants at which something in a pool ends by itself, each once."""
    return endings(pool, -1, ENDLESS)


def beginnings(pool: Pool, from_ms: int) -> list[int]:
    """The instants, `from_ms` or later, at which something promised in a pool begins."""
    column = _passing(pool)[:, k.W_START]
    starts: list[int] = np.unique(column[column >= from_ms]).tolist()
    return starts


def endings(pool: Pool, after_ms: int, before_ms: int) -> list[int]:
    """The instants between two others at which something in a pool ends by itself."""
    column = _passing(pool)[:, k.W_END]
    ends: list[int] = np.unique(column[(column > after_ms) & (column < before_ms)]).tolist()
    return ends


def next_ending(pool: Pool, after_ms: int) -> int | None:
    """The next instant at which something in a pool ends by itself."""
    column = _passing(pool)[:, k.W_END]
    later = column[column > after_ms]
    end_ms = int(later.min()) if later.size else ENDLESS
    return None if end_ms >= ENDLESS else end_ms


def _passing(pool: Pool) -> Counts:
    """What stands in a pool at some time and not for ever: one row each."""
    return np.frombuffer(pool.tables.window, np.int64)[: pool.tables.pool[k.WINDOWS]].reshape(
        -1, k.WINDOW_ROW
    )


def tightest(counts: Counts, places: Counts, wanted: int) -> tuple[int, int] | None:
    """(free, place) of the tightest place that has so much free, or None."""
    totals = np.bincount(places, weights=counts).astype(np.int64)
    fits = np.flatnonzero(totals >= wanted)
    if not len(fits):
        return None
    place = int(fits[np.argmin(totals[fits])])
    return int(totals[place]), place


def taken_from(
    pool: Pool, counts: Counts, places: Counts, place: int, wanted: int
) -> list[tuple[NodeId, int]]:
    """(node, accelerators) pairs of a place, freest node first; the last is the tightest."""
    rows = np.flatnonzero((places == place) & (counts > 0))
    order = rows[np.lexsort((rows, -counts[rows]))].tolist()
    chosen: list[tuple[NodeId, int]] = []
    while wanted > 0:
        row = order.pop(0)
        if counts[row] >= wanted:
            for other in order:
                if counts[other] < wanted:
                    break
                row = other
        part = min(int(counts[row]), wanted)
        chosen.append((pool.ids[row], part))
        wanted -= part
    return chosen
