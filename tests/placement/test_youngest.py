"""Which racks of a large cluster are read for a gang: the youngest work first, and enough of it."""

from dataclasses import replace

import pytest

from comptoir.leases.lease import LeaseClass
from comptoir.placement.backend import PLAIN, Backend, compiled
from comptoir.placement.pools import Pool
from tests.placement.fleets import key_of, make_allocation, make_lease, make_node

NODES_A_RACK, RACKS = 4, 12
NOW_MS = 1_790_000_000_000


def cluster(backend: Backend, ages_s: dict[int, tuple[int, int]]) -> Pool:
    """Racks of 32 accelerators, four a pod; of some racks: how many a spot lease holds, how old."""
    pool = Pool(key_of("h100-sxm"), backend)
    number = 0
    for rack in range(RACKS):
        for at in range(NODES_A_RACK):
            node = make_node(rack * NODES_A_RACK + at, "h100-sxm", 8, rack // 4, rack)
            pool.add_node(node, True)
            size = min(8, ages_s.get(rack, (0, 0))[0] - 8 * at)
            if size > 0:
                number += 1
                since_ms = NOW_MS - 1_000 * ages_s[rack][1]
                lease = make_lease(number, "t1", LeaseClass.SPOT, size, since_ms)
                pool.hold(make_allocation(number, lease, node.id, list(range(size))), lease)
    return pool


def read(pool: Pool, wanted: int, rank: int = 1) -> list[int]:
    """The racks that are read, by number, in order."""
    numbers = {handle: int(rack[1][1:]) for rack, handle in pool._racks.items()}
    return [numbers[r] for r in pool.youngest_racks(wanted, rank, NOW_MS)]


@pytest.fixture(params=["plain", "compiled"])
def backend(request: pytest.FixtureRequest) -> Backend:
    return PLAIN if request.param == "plain" else compiled()


def test_racks_are_read_youngest_first_until_half_as_much_again_may_be_freed(
    backend: Backend,
) -> None:
    pool = cluster(backend, {0: (32, 900), 3: (32, 100), 5: (32, 500), 9: (32, 300)})
    assert read(pool, 40) == [3, 9]
    assert read(pool, 43) == [3, 9, 5]
    assert read(pool, 10_000) == [3, 9, 5, 0]


def test_a_rack_with_little_to_free_is_read_after_all_others(backend: Backend) -> None:
    pool = cluster(backend, {0: (7, 10), 3: (8, 500), 5: (32, 900)})
    assert read(pool, 10_000) == [3, 5, 0]


def test_what_may_not_be_reclaimed_makes_no_rack_worth_reading(backend: Backend) -> None:
    pool = cluster(backend, {2: (32, 100)})
    lease = make_lease(1, "t1", LeaseClass.SPOT, 8, NOW_MS)
    assert read(pool, 64) == [2]
    assert read(pool, 64, rank=0) == []
    for number in range(1, 5):
        kept = replace(lease, id=make_lease(number, "t1", LeaseClass.SPOT, 8, 0).id)
        pool.change_lease(replace(kept, lease_class=LeaseClass.ON_DEMAND))
    assert read(pool, 64) == []
