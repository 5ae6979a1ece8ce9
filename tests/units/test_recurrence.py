"""Recurring windows are right over every change of the clock: spring, autumn, a lost day."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.units.errors import Invalid
from comptoir.units.recurrence import (
    DAY_MS,
    EVERY_DAY,
    Recurrence,
    check_zone,
    format_recurrence,
    next_opening,
    open_until,
    parse_recurrence,
)
from comptoir.units.time import format_instant, parse_instant

HOUR_MS = 3_600_000
NIGHTS = parse_recurrence("weekdays 20:00 to 08:00 Europe/Paris")
# Zones with changes of an hour, of half an hour (Lord Howe), at midnight, of a whole day.
ZONES = (
    *("UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"),
    *("America/Havana", "Pacific/Apia", "Africa/Casablanca", "America/St_Johns"),
)
CHANGES = [
    parse_instant(text)
    for text in (
        "2026-03-29T01:00:00Z",  # Paris springs forward
        "2026-10-25T01:00:00Z",  # Paris falls back
        "2026-03-08T07:00:00Z",  # New York and, within hours, others
        "2026-11-01T06:00:00Z",
        "2026-04-04T15:00:00Z",  # Lord Howe, half an hour
        "2026-10-03T15:30:00Z",
        "2026-03-08T05:00:00Z",  # Havana, at midnight
        "2011-12-30T10:00:00Z",  # Samoa loses Friday the 30th
        "2026-02-15T02:00:00Z",  # Casablanca, for Ramadan
    )
]


@st.composite
def recurrences(draw: st.DrawFn) -> Recurrence:
    days = tuple(sorted(draw(st.sets(st.integers(0, 6), min_size=1))))
    start = draw(st.integers(0, 1_439) | st.sampled_from([0, 90, 120, 150, 180]))
    end = draw(st.integers(1, 1_440) | st.sampled_from([90, 120, 150, 180, 1_440]))
    return Recurrence(days, start, end, draw(st.sampled_from(ZONES)))


near_changes = st.builds(
    lambda change, off: change + off * 60_000,
    st.sampled_from(CHANGES),
    st.integers(-3 * 1_440, 3 * 1_440),
)


def wall(instant_ms: int, zone: str) -> datetime:
    return datetime.fromtimestamp(instant_ms // 1_000, ZoneInfo(zone)).replace(tzinfo=None)


def first_reading(target: datetime, zone: str) -> int:
    """By brute force: the first minute at which the clock reads `target` or later."""
    at = int(target.replace(tzinfo=UTC).timestamp()) * 1_000 - 30 * HOUR_MS
    while wall(at, zone) < target:
        at += 60_000
    return at


@settings(max_examples=60, deadline=None)
@given(recurrences(), near_changes)
def test_a_window_is_from_one_first_reading_of_the_clock_to_another(
    recurrence: Recurrence, around_ms: int
) -> None:
    for window in recurrence.occurrences(around_ms, around_ms + DAY_MS):
        opened = wall(window.start_ms, recurrence.zone)
        # The day that it belongs to is the one whose clock has just reached the start.
        day = next(
            day
            for back in (0, 1, 2)
            if (day := opened.date() - timedelta(days=back)).weekday() in recurrence.days
            and first_reading(_at(day, recurrence.start_minute), recurrence.zone) == window.start_ms
        )
        over = recurrence.end_minute <= recurrence.start_minute
        target = _at(day + timedelta(days=int(over)), recurrence.end_minute)
        assert first_reading(target, recurrence.zone) == window.end_ms


def _at(day: object, minute: int) -> datetime:
    return datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute)  # type: ignore[arg-type]


@given(recurrences(), near_changes, st.integers(1, 20))
def test_windows_come_in_order_and_never_overlap(
    recurrence: Recurrence, from_ms: int, days: int
) -> None:
    found = list(recurrence.occurrences(from_ms, from_ms + days * DAY_MS))
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(found))
    assert all(window.end_ms > from_ms for window in found)
    assert all(window.start_ms < from_ms + days * DAY_MS for window in found)


@given(
    st.sampled_from(ZONES),
    near_changes,
    st.lists(st.integers(1, 1_439), unique=True, min_size=1, max_size=4),
)
def test_windows_that_meet_on_the_clock_meet_in_time(
    zone: str, from_ms: int, cuts: list[int]
) -> None:
    marks = [0, *sorted(cuts), 1_440]
    parts = [Recurrence(EVERY_DAY, start, end, zone) for start, end in pairwise(marks)]
    until_ms = from_ms + 4 * DAY_MS
    found = sorted(
        (window.start_ms, window.end_ms)
        for part in parts
        for window in part.occurrences(from_ms, until_ms)
    )
    assert found[0][0] <= from_ms and found[-1][1] >= until_ms
    assert all(one[1] == other[0] for one, other in pairwise(found))
    assert open_until(tuple(parts), from_ms, until_ms) == until_ms


@given(recurrences(), near_changes)
def test_the_window_that_holds_an_instant_is_found_and_no_other(
    recurrence: Recurrence, at_ms: int
) -> None:
    around = list(recurrence.occurrences(at_ms - 3 * DAY_MS, at_ms + 3 * DAY_MS))
    holding = [window for window in around if window.contains(at_ms)]
    assert recurrence.holding(at_ms) == (holding[0] if holding else None)
    until = open_until((recurrence,), at_ms, at_ms + 30 * DAY_MS)
    assert (until is None) == (not holding)
    following = recurrence.next_from(at_ms)
    assert following is not None and following.start_ms >= at_ms
    assert not [w for w in around if at_ms <= w.start_ms < following.start_ms]


@given(recurrences())
def test_a_recurrence_reads_as_it_was_written(recurrence: Recurrence) -> None:
    assert parse_recurrence(format_recurrence(recurrence)) == recurrence


def windows(recurrence: Recurrence, first: str, last: str) -> list[str]:
    found = recurrence.occurrences(parse_instant(first), parse_instant(last))
    return [f"{format_instant(w.start_ms)[5:16]} {format_instant(w.end_ms)[5:16]}" for w in found]


def test_a_night_is_an_hour_short_in_spring_and_an_hour_long_in_autumn() -> None:
    every_night = parse_recurrence("daily 20:00 to 08:00 Europe/Paris")
    assert windows(every_night, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z") == [
        "03-28T19:00 03-29T06:00",
        "03-29T18:00 03-30T06:00",
    ]
    assert windows(every_night, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z") == [
        "10-24T18:00 10-25T07:00",
        "10-25T19:00 10-26T07:00",
    ]


def test_fridays_night_ends_on_saturday_and_the_weekend_is_closed() -> None:
    assert windows(NIGHTS, "2026-11-26T12:00:00Z", "2026-12-01T00:00:00Z") == [
        "11-26T19:00 11-27T07:00",
        "11-27T19:00 11-28T07:00",
        "11-30T19:00 12-01T07:00",
    ]
    saturday = parse_instant("2026-11-28T12:00:00Z")
    assert open_until((NIGHTS,), saturday, saturday + DAY_MS) is None
    opening = next_opening((NIGHTS,), saturday)
    assert opening is not None and opening.start_ms == parse_instant("2026-11-30T19:00:00Z")


def test_a_window_that_the_clock_skips_does_not_occur_that_day() -> None:
    skipped = parse_recurrence("sun 02:15 to 02:45 Europe/Paris")
    assert windows(skipped, "2026-03-28T00:00:00Z", "2026-04-06T00:00:00Z") == [
        "04-05T00:15 04-05T00:45"
    ]
    twice = parse_recurrence("sun 02:15 to 02:45 Europe/Paris")
    assert windows(twice, "2026-10-24T00:00:00Z", "2026-10-26T00:00:00Z") == [
        "10-25T00:15 10-25T00:45"
    ]
    lost_friday = parse_recurrence("fri 00:00 to 24:00 Pacific/Apia")
    assert len(windows(lost_friday, "2011-12-24T12:00:00Z", "2012-01-05T00:00:00Z")) == 0


def test_windows_that_meet_are_one_stretch() -> None:
    week = parse_recurrence("weekdays 20:00 to 08:00 UTC"), parse_recurrence("sat-sun 08:00 to "
        "20:00 UTC"), parse_recurrence("sat,sun 20:00 to 08:00 UTC")  # fmt: skip
    friday_evening = parse_instant("2026-11-27T21:00:00Z")
    until = open_until(week, friday_evening, friday_evening + 30 * DAY_MS)
    assert until == parse_instant("2026-11-30T08:00:00Z")


def test_the_calendar_ends_without_an_error() -> None:
    daily = parse_recurrence("daily 00:00 to 24:00 Pacific/Kiritimati")
    last_ms = parse_instant("9999-12-31T23:59:59Z")
    assert daily.next_from(last_ms) is None
    assert open_until((daily,), last_ms, last_ms + DAY_MS) is None
    assert list(daily.occurrences(0, DAY_MS))


@pytest.mark.parametrize(
    "text",
    [
        *("", "weekdays", "weekdays 20:00 Europe/Paris", "weekdays 20:00 to 8:00 Europe/Paris"),
        *("someday 20:00 to 08:00 UTC", "mon 25:00 to 26:00 UTC", "mon 10:60 to 11:00 UTC"),
        *("mon 24:00 to 02:00 UTC", "mon- 10:00 to 11:00 UTC", "mon,,tue 10:00 to 11:00 UTC"),
        "x" * 300,
    ],
)
def test_what_is_no_recurring_window_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="bad_recurrence"):
        parse_recurrence(text)


@pytest.mark.parametrize(
    "name",
    [
        *("", "Paris", "Europe", "Europe/Atlantis", "../etc/passwd", "/etc/localtime"),
        *("localtime", "posix/Europe/Paris", "right/Europe/Paris", "Europe/Paris\n"),
    ],
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="unknown_zone"):
        check_zone(name)


def test_ranges_of_days_may_pass_the_weeks_end() -> None:
    assert parse_recurrence("fri-mon 08:00-12:00 UTC").days == (0, 4, 5, 6)
    assert parse_recurrence("MON,wed 22:00 to 00:00 UTC") == Recurrence((0, 2), 1_320, 1_440, "UTC")


def test_dates_whose_window_a_clock_skips_are_named() -> None:
    night = parse_recurrence("daily 02:30-02:45 Europe/Paris")
    since, until = parse_instant("2027-03-26T00:00:00Z"), parse_instant("2027-03-31T00:00:00Z")
    assert night.skipped(since, until) == ["2027-03-28"]
    assert len(list(night.occurrences(since, until))) == 4
    assert NIGHTS.skipped(since, until) == []
