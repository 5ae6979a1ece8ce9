"""Months of an entity in its own zone: they follow without a gap, and close in order."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.billing.periods import (
    Period,
    asked_again,
    begin_close,
    closed,
    month_at,
    month_named,
    next_to_close,
    went_on,
    year_at,
)
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.units.errors import Conflict, Invalid, InvariantBroken, Refused
from comptoir.units.ids import PeriodId, UserId

HOUR = 3_600_000
ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu", "Pacific/Apia")


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1_000


def begin(name: str, made: int, now: int, *known: Period, zone: str = "UTC") -> Period:
    month, due = month_named(name, zone), next_to_close(known, made, zone)
    return begin_close(PeriodId("pd_1"), HOUSE_ENTITY, month, due, known, (now, UserId("us_1")))


def test_the_last_minute_of_a_month_in_paris_is_not_of_the_next_one() -> None:
    """Off-by-one days for zones that are not UTC: 23:30 UTC on the 31st is November in Paris."""
    march = month_named("2026-03", "Europe/Paris")
    assert march.starts_at_ms == at("2026-02-28T23:00")  # 00:00 CET is 23:00 UTC the day before
    assert march.ends_at_ms == at("2026-03-31T22:00")  # 00:00 CEST is 22:00 UTC
    # March loses the hour that the clock skips: 31 days are 743 hours.
    assert march.ends_at_ms - march.starts_at_ms == 743 * HOUR
    october = at("2026-10-31T23:30")
    assert month_at(october, "UTC").name == "2026-10"
    assert month_at(october, "Europe/Paris").name == "2026-11"
    assert month_at(october, "America/New_York").name == "2026-10"
    assert year_at(at("2026-12-31T23:30"), "Europe/Paris") == 2027
    assert year_at(at("2027-01-01T03:00"), "America/New_York") == 2026


@given(st.integers(10_000_000, 4_000_000_000), st.sampled_from(ZONES))
def test_every_instant_lies_in_one_month_and_months_follow_each_other(
    second: int, zone: str
) -> None:
    month = month_at(second * 1_000, zone)
    assert month.starts_at_ms <= second * 1_000 < month.ends_at_ms
    assert month == month_named(month.name, zone)
    following = month_at(month.ends_at_ms, zone)
    assert following.starts_at_ms == month.ends_at_ms
    assert month_at(month.starts_at_ms - 1, zone).ends_at_ms == month.starts_at_ms
    local = datetime.fromtimestamp(month.starts_at_ms // 1_000, UTC).astimezone(ZoneInfo(zone))
    assert local.day == 1


def test_months_of_three_years_count_their_calendar_hours() -> None:
    months = [month_named(f"{2027 + n // 12}-{n % 12 + 1:02d}", "UTC") for n in range(36)]
    assert all(one.ends_at_ms == other.starts_at_ms for one, other in pairwise(months))
    # 2027 and 2029 have 365 days, 2028 has 366: 1,096 days of 24 hours; not 36 months of 730.
    hours = (months[-1].ends_at_ms - months[0].starts_at_ms) // HOUR
    assert hours == 1_096 * 24 == 26_304
    assert hours != 36 * 730


def test_a_month_that_is_not_over_cannot_be_closed() -> None:
    made = at("2026-10-05")
    with pytest.raises(Refused) as refused:
        begin("2026-10", made, at("2026-10-31T23:59"))
    assert refused.value.code == "period_not_over"
    assert "2026-11-01T00:00:00.000Z" in refused.value.message
    assert refused.value.facts["field"] == "period"
    assert begin("2026-10", made, at("2026-11-01")).name == "2026-10"


def test_months_close_in_order_from_the_one_in_which_the_entity_was_made() -> None:
    made, now = at("2026-09-05"), at("2026-12-05")
    with pytest.raises(Invalid) as early:
        begin("2026-08", made, now)
    assert early.value.code == "unknown_period"
    with pytest.raises(Refused) as late:
        begin("2026-11", made, now)
    assert (late.value.code, late.value.facts["first_open"]) == ("earlier_period_open", "2026-09")
    closing = begin("2026-09", made, now)
    with pytest.raises(Refused, match="2026-09 is not closed yet"):
        begin("2026-10", made, now, closing)  # one of them would leave drafts of the other behind
    september = closed(closing, now)
    with pytest.raises(Refused):
        begin("2026-11", made, now, september)
    assert begin("2026-10", made, now, september).starts_at_ms == september.ends_at_ms


def test_closing_again_is_the_same_close_until_it_is_done_and_then_a_conflict() -> None:
    period = begin("2026-09", at("2026-09-05"), at("2026-12-05"))
    assert asked_again(period) is period
    done = closed(went_on(period, 3, 2, 70), at("2026-12-06"))
    with pytest.raises(Conflict) as again:
        asked_again(done)
    assert again.value.code == "period_closed"
    assert "2 drafts of 3 tenants" in again.value.message
    with pytest.raises(InvariantBroken):
        closed(done, at("2026-12-07"))
    with pytest.raises(InvariantBroken):
        went_on(done, 1, 0, 0)


@pytest.mark.parametrize("name", ["2026-13", "2026-00", "2026-1", "october", "1026-10", ""])
def test_what_is_no_month_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        month_named(name, "UTC")
    assert refused.value.facts == {"field": "period"}
