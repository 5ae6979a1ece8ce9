"""Durations as people write them, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.units.durations import format_duration_s, parse_duration_s
from comptoir.units.errors import Invalid


@pytest.mark.parametrize(
    ("text", "seconds"), [("48h", 172_800), ("90m", 5_400), ("1h30m", 5_400), ("2d", 172_800),
                          ("45", 45), ("45s", 45), ("1w", 604_800)],
)  # fmt: skip
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-3h", "1.5h", "3 h", "h3", "3x", "٣h", "9" * 30])
def test_what_is_not_a_duration(text: str) -> None:
    with pytest.raises(Invalid):
        parse_duration_s(text)


@given(st.one_of(st.integers(0, 10**7), st.integers(0, 10**4).map(lambda hours: hours * 3_600)))
def test_a_duration_is_read_as_it_was_written(seconds: int) -> None:
    assert parse_duration_s(format_duration_s(seconds)) == seconds


def test_the_largest_exact_unit_is_written() -> None:
    said = [format_duration_s(seconds) for seconds in (0, 59, 300, 5_400, 86_400, 604_800)]
    assert said == ["0s", "59s", "5m", "90m", "1d", "1w"]
