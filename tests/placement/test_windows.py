"""What is counted free over a window is what the rows of each node say."""

import random
from collections.abc import Iterator

import numpy as np
import pytest

from comptoir.placement.passing import BITS, Passing
from comptoir.placement.windows import available
from comptoir.units.ids import AllocationId, TenantId
from comptoir.units.time import Window
from tests.placement.test_starts import BUCKET_MS, crowd

HELD = tuple[int, int, int, int, int]
"""Node, mask, start (-1: handed over), end and owner."""


@pytest.mark.parametrize("seed", range(150))
def test_what_is_counted_free_over_a_window_is_what_the_rows_say(seed: int) -> None:
    rng = random.Random(seed)
    world = crowd(rng)
    for _ in range(8):
        start_ms = world.now_ms + rng.choice((0, 1, rng.randint(0, 30) * BUCKET_MS))
        window = Window(start_ms, rng.choice((None, start_ms + rng.randint(1, 20) * BUCKET_MS)))
        tenant = TenantId(rng.choice(("t1", "t2", "t9")))
        for pool in world.snapshot.pools.values():
            by_rows = {
                id: len(world.snapshot.free_for(tenant, node, window, world.now_ms))
                for id in pool.handles
                if (node := world.snapshot.nodes[id]).for_sale
            }
            counts = available(pool, tenant, window, world.now_ms, by_rows.__getitem__)
            assert {id: counts[pool.row_of(id)] for id in by_rows} == by_rows


def holdings(rng: random.Random, width: int) -> Iterator[HELD]:
    """What passes on a few nodes: each accelerator one thing at a time."""
    for node in range(rng.randint(1, 5)):
        owner = rng.randint(1, 2)
        for at in range(rng.randint(0, 4)):
            start_ms = 100 * at + rng.randint(0, 50)
            mask = rng.getrandbits(width) | 1 << rng.randrange(width)
            handed_over = at == 0 and rng.random() < 0.5
            yield node, mask, -1 if handed_over else start_ms, start_ms + 50, owner


@pytest.mark.parametrize("width", [1, 8, BITS, BITS + 1, 200])
@pytest.mark.parametrize("seed", range(20))
def test_masks_say_what_sets_of_accelerators_say(seed: int, width: int) -> None:
    rng = random.Random(seed)
    passing, held = Passing(), dict[AllocationId, HELD]()
    for number, one in enumerate(holdings(rng, width)):
        id = AllocationId(f"al_{number}")
        passing.put(id, *one)
        held[id] = one
        if rng.random() < 0.3:
            passing.drop(gone := rng.choice(list(held)))
            del held[gone]
    nodes = sorted({one[0] for one in held.values()})
    if not nodes:
        return
    sizes = np.full(len(nodes), width, np.int64)
    for _ in range(10):
        start_ms, now_ms = rng.randint(0, 400), rng.randint(0, 100)
        window = Window(start_ms, rng.choice((None, start_ms + rng.randint(1, 200))))
        ever = [_union(one[1] for one in held.values() if one[0] == node) for node in nodes]
        found = passing.free(nodes, sizes, ever, None, window, now_ms)
        then = [
            _union(
                mask
                for on, mask, start, end, _ in held.values()
                if on == node
                and Window(start, max(end, now_ms + 1) if start < 0 else end).overlaps(window)
            )
            for node in nodes
        ]
        assert found.tolist() == [width - mask.bit_count() for mask in then]


def _union(masks: Iterator[int]) -> int:
    together = 0
    for mask in masks:
        together |= mask
    return together
