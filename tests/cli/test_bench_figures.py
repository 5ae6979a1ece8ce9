"""What a bench says of its runs."""

import random

import pytest

from comptoir.cli.bench import calendar as bench_calendar
from comptoir.cli.bench.figures import figure
from comptoir.cli.bench.placement import _numbers, _reclaims

NEEDED = ("decisions_per_s", "decision_p999_us", "state_mb")


@pytest.mark.parametrize("took_us", [[], [40.0, 90.0]])
def test_a_fleet_that_needed_no_reclaim_says_nothing_of_them(took_us: list[float]) -> None:
    said = _reclaims("plain", took_us)
    ends = [figure(name, "", [1.0]) for name in NEEDED]
    numbers = _numbers("plain", [*ends[:2], *said, ends[2]])
    assert ("plain_reclaim_p99_us" in numbers) is bool(took_us)
    assert {f"plain_{name}" for name in NEEDED} <= set(numbers)


@pytest.mark.parametrize(("nodes", "asked"), [(8, 400), (3_072, 100), (1_000_000, 100)])
def test_the_calendar_of_a_fleet_of_any_size_is_filled_and_never_overfilled(
    nodes: int, asked: int
) -> None:
    capacity = nodes * bench_calendar.ACCELERATORS
    held = bench_calendar.drawn_reservations(random.Random(7), capacity, asked)
    assert len(held) == asked
    changes = sorted([(a, k) for a, _, k in held] + [(b, -k) for _, b, k in held])
    standing = most = 0
    for _, by in changes:
        standing += by
        most = max(most, standing)
    assert 0 < most <= capacity


def test_a_year_that_is_full_takes_no_more_reservations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_calendar, "FULL_PER_MILLE", 2_000)
    held = bench_calendar.drawn_reservations(random.Random(7), 1, 100_000)
    assert 0 < len(held) < 100_000
