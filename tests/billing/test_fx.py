"""Rates of exchange: the one in force, the other way round, through a third currency; never old."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.billing.fx import (
    FxRate,
    conversion_at,
    read_fx_rates,
    refuse_contradiction,
)
from comptoir.units.errors import Conflict, Invalid, Refused
from comptoir.units.money import format_rate
from comptoir.units.time import parse_instant
from comptoir.units.values import replace

RATES = """date,base,quote,rate
2026-11-20,EUR,USD,1.0832
2026-11-23,EUR,USD,1.0900
2026-11-23,EUR,GBP,0.8450
2026-11-23,EUR,JPY,168.25
"""
NOW_MS = parse_instant("2026-11-24T12:00:00Z")
MILLION = 10**12


def rates(text: str = RATES) -> list[FxRate]:
    return read_fx_rates(text, "ecb.csv", NOW_MS, "us_finance")


def converted(micros: int, base: str, quote: str, at: str = "2026-11-24T12:00:00Z") -> int:
    return conversion_at(rates(), base, quote, parse_instant(at)).convert(micros)


def test_the_last_rate_on_or_before_the_day_counts() -> None:
    assert converted(MILLION, "EUR", "USD") == 1_090_000 * 10**6
    assert converted(MILLION, "EUR", "USD", "2026-11-22T23:59:59Z") == 1_083_200 * 10**6


def test_a_pair_is_taken_the_other_way_round() -> None:
    # 1,000,000 USD / 1.09 = 917,431.192660... EUR
    assert converted(MILLION, "USD", "EUR") == 917_431_192_661


def test_a_pair_without_a_rate_goes_through_a_third_currency() -> None:
    # 1,000,000 USD / 1.09 x 0.845 = 775,229.357798... GBP
    found = conversion_at(rates(), "USD", "GBP", NOW_MS)
    assert found.convert(MILLION) == 775_229_357_798
    assert [(rate.base, rate.quote) for rate in found.rates] == [("EUR", "USD"), ("EUR", "GBP")]


def test_a_currency_is_worth_itself_without_any_rate() -> None:
    assert conversion_at([], "USD", "USD", NOW_MS).convert(-7) == -7


def test_a_rate_of_the_future_or_older_than_ten_days_is_none() -> None:
    with pytest.raises(Refused, match=r"no_fx_rate.*EUR to USD on 2026-11-19"):
        converted(1, "EUR", "USD", "2026-11-19T23:59:59Z")
    with pytest.raises(Refused, match=r"no_fx_rate.*nor in the 10 days before"):
        converted(1, "EUR", "USD", "2026-12-03T00:00:00Z")
    assert converted(MILLION, "EUR", "USD", "2026-12-02T23:59:59Z") == 1_090_000 * 10**6


@given(st.integers(-(10**15), 10**15), st.sampled_from(["USD", "GBP", "JPY", "EUR"]))
def test_there_and_back_is_what_it_was_within_the_rounding(micros: int, quote: str) -> None:
    there = conversion_at(rates(), "EUR", quote, NOW_MS)
    back = conversion_at(rates(), quote, "EUR", NOW_MS)
    assert (there.numerator, there.denominator) == (back.denominator, back.numerator)
    # Half a micro of the quote, worth at most half a micro of it in euro, and half a micro more.
    most = 1 + there.denominator // there.numerator
    assert abs(back.convert(there.convert(micros)) - micros) <= most
    assert there.convert(-micros) == -there.convert(micros)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("2026-11-20,EUR,ECU,1.1", "quote"),
        ("2026-11-20,EUR,EUR,1.1", "quote"),
        ("2026-11-20,EUR,USD,0.000", "rate"),
        ("2026-11-20,EUR,USD,-1", "rate"),
        ("2026-11-20,EUR,USD,1.0000000001", "rate"),
        ("20.11.2026,EUR,USD,1.1", "date"),
        ("2026-11-25,EUR,USD,1.1", "date"),
        ("2026-11-20,EUR,USD,1.1\n2026-11-20,EUR,USD,1.1", "date"),
    ],
)
def test_a_wrong_line_is_refused_with_its_field(line: str, field: str) -> None:
    with pytest.raises(Invalid, match="bad_table") as caught:
        rates(f"date,base,quote,rate\n{line}\n")
    assert caught.value.facts["field"] == field


def test_a_rate_may_come_again_but_not_be_another() -> None:
    known = rates()[0]
    refuse_contradiction(replace(known, source="again"), known)
    with pytest.raises(Conflict, match=r"on 2026-11-20 is 1.0832, and the file says 1.09"):
        refuse_contradiction(replace(known, rate_nanos=1_090_000_000), known)


def test_a_rate_is_written_as_it_was_read() -> None:
    assert [format_rate(rate.rate_nanos) for rate in rates()] == [
        "1.0832", "1.09", "0.845", "168.25",
    ]  # fmt: skip
