"""Instants are whole milliseconds UTC; windows are half-open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.units.errors import Invalid
from comptoir.units.time import (
    LATEST_MS,
    Window,
    check_instant,
    format_instant,
    month_start_ms,
    next_month_ms,
    parse_instant,
)

instants = st.integers(0, LATEST_MS)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    start = draw(st.integers(0, 40))
    return Window(start, draw(st.one_of(st.none(), st.integers(start + 1, 50))))


@given(instants)
def test_an_instant_reads_as_it_was_written(instant: int) -> None:
    assert parse_instant(format_instant(instant)) == instant


@given(st.integers(0, LATEST_MS - 40 * 86_400_000))
def test_months_follow_each_other_without_a_gap(instant: int) -> None:
    start, following = month_start_ms(instant), next_month_ms(instant)
    assert start <= instant < following
    assert month_start_ms(following) == following
    assert month_start_ms(following - 1) == start
    assert 28 <= (following - start) / 86_400_000 <= 31


@given(windows(), windows())
def test_windows_overlap_where_they_share_an_instant(one: Window, other: Window) -> None:
    shared = any(one.contains(t) and other.contains(t) for t in range(60))
    assert one.overlaps(other) == other.overlaps(one) == shared


@pytest.mark.parametrize("instant", [-1, LATEST_MS + 1, -(10**30), 10**30])
def test_instants_beyond_the_calendar_are_refused(instant: int) -> None:
    with pytest.raises(Invalid, match="bad_instant"):
        check_instant("ends_at", instant)


@pytest.mark.parametrize("text", ["", "now", "2026-11-28", "2026-11-28T06:00:00", "2026-13-01T0Z"])
def test_what_is_no_instant_with_a_zone_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="bad_instant"):
        parse_instant(text)
