"""1,000 seeded schedules over the real desk and store: after each, every rule of the book holds."""

import logging
import random
from collections.abc import Iterator

import pytest

from comptoir.simulation.machines import Machines
from comptoir.simulation.run import simulate_schedule
from tests.placement.fleets import make_node

SCHEDULES = 1_000
CHUNK = 25


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Faults are expected here: their warnings are not worth formatting."""
    logger = logging.getLogger("comptoir")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


@pytest.mark.parametrize("first", range(1, SCHEDULES + 1, CHUNK))
def test_books_hold_under_faults(first: int) -> None:
    for seed in range(first, first + CHUNK):
        report = simulate_schedule(seed)
        assert not report.problems, (
            f"seed {seed} broke the book; replay it with:\n  {report.command}\n  "
            + "\n  ".join(report.problems)
        )


def test_machines_fail_as_often_as_is_asked() -> None:
    calm, rough = simulate_schedule(14, failures=0), simulate_schedule(14, failures=5_000)
    assert not calm.problems and not rough.problems
    assert calm.machines_failed == 0 < rough.machines_failed
    assert rough.command.endswith("--seed 14 --failures 5000")
    nodes = [make_node(number, "h100-sxm", 8, 0, 0) for number in range(2_000)]
    died = Machines(random.Random(1), 50.0).live(nodes, 0, 86_400_000)
    assert 70 < len(died) < 130  # 100 expected: 50 in 1,000 node-days, over 2,000


def test_a_seed_always_gives_the_same_schedule() -> None:
    one, other = simulate_schedule(7), simulate_schedule(7)
    assert (one.commits, one.engine_calls, one.faults) == (
        other.commits,
        other.engine_calls,
        other.faults,
    )
