"""One source, two back ends: the same history gives the same placements and the same tables."""

import hashlib
from typing import Any

import pytest

from comptoir.cli.bench.fleet_load import Load, build
from comptoir.placement import kernel_replay as replay
from comptoir.placement.backend import PLAIN, compiled, digest, source
from comptoir.placement.kernel_find import ON_CLUSTER

SEEDS = (1, 2, 3)


def table_digest(load: Load) -> str:
    """Every integer of every table."""
    tables = load.pool.tables
    seen = hashlib.sha256()
    for table in (tables.node, tables.held, tables.pool, tables.wide):
        seen.update(table.tobytes())
    return seen.hexdigest()


def counts(load: Load) -> dict[str, int]:
    names = ("PLACED", "REFUSED", "RECLAIMS", "VICTIMS", "RELEASED")
    return {name: int(load.state[getattr(replay, name)]) for name in names}


@pytest.mark.parametrize("seed", SEEDS)
def test_plain_and_compiled_place_alike(seed: int) -> None:
    loads = [build(768, 96, backend, seed) for backend in (PLAIN, compiled())]
    for load in loads:
        load.fill()
        load.run(3_000)
    one, other = loads
    assert one.state[replay.HASH] == other.state[replay.HASH]
    assert counts(one) == counts(other)
    assert table_digest(one) == table_digest(other)
    happened = counts(one)
    assert min(happened.values()) > 0, f"the replay must place, refuse, reclaim: {happened}"


def test_a_replay_with_other_requests_has_another_hash() -> None:
    hashes = set()
    for seed in SEEDS:
        load = build(96, 95, PLAIN, seed)
        load.fill()
        hashes.add(load.run(200))
    assert len(hashes) == len(SEEDS)


def test_the_tables_of_an_emptied_fleet_are_those_of_a_new_one() -> None:
    """Whatever was placed and reclaimed in between: no count is left behind."""
    load = build(192, 95, PLAIN)
    new = load.pool.contents()
    load.fill()
    load.run(2_000)
    load.state[replay.TARGET] = -1
    while load.state[replay.HELD] > 0:
        load.step()
    assert load.pool.contents() == new
    assert load.pool.find(ON_CLUSTER, 192 * 8, 0)


def test_the_name_of_the_source_changes_with_a_constant_and_with_a_line() -> None:
    functions: Any = source()
    before = digest(functions)
    assert digest(dict(functions)) == before
    functions["settle"] = functions["mark"]
    assert digest(functions) != before
