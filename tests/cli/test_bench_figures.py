"""What a bench says of its runs."""

import pytest

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
