"""Money is exact: prices read as written, one rounding, half away from zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.units.errors import Invalid
from comptoir.units.money import (
    MINOR_DIGITS,
    NUMERATOR_PER_MICRO,
    floor_micros,
    format_micros,
    format_minor,
    format_price,
    parse_amount,
    parse_price,
    round_to_minor_micros,
)

numerators = st.integers(-(10**45), 10**45)
currencies = st.sampled_from(sorted(MINOR_DIGITS))


@given(st.integers(0, 10**18 - 1))
def test_a_price_reads_as_it_was_written(nanos: int) -> None:
    assert parse_price(format_price(nanos)) == nanos


@pytest.mark.parametrize("text", ["", "-1", "1e3", ".5", "1.", "NaN", "1,5", "٣"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="bad_price"):
        parse_price(text)


def test_a_price_of_too_many_decimals_is_refused_with_both_numbers() -> None:
    with pytest.raises(Invalid, match=r"2\.1234567891 has 10 decimals.* at most 9") as refused:
        parse_price("2.1234567891")
    assert refused.value.code == "too_many_decimals"
    assert refused.value.facts == {"decimals": 10, "most": 9}


@given(numerators)
def test_floor_is_the_most_that_is_earned(numerator: int) -> None:
    micros = floor_micros(numerator)
    assert micros * NUMERATOR_PER_MICRO <= numerator < (micros + 1) * NUMERATOR_PER_MICRO


@given(numerators, currencies)
def test_rounding_moves_at_most_half_a_minor_unit(numerator: int, currency: str) -> None:
    step = 10 ** (6 - MINOR_DIGITS[currency])
    rounded = round_to_minor_micros(numerator, currency)
    assert rounded % step == 0
    assert 2 * abs(rounded * NUMERATOR_PER_MICRO - numerator) <= step * NUMERATOR_PER_MICRO
    assert round_to_minor_micros(-numerator, currency) == -rounded
    assert format_minor(rounded, currency).count(".") == (MINOR_DIGITS[currency] > 0)


@given(st.integers(-(10**9), 10**9), currencies)
def test_exactly_half_goes_away_from_zero(halves: int, currency: str) -> None:
    step = 10 ** (6 - MINOR_DIGITS[currency])
    exact = (2 * halves + 1) * step * NUMERATOR_PER_MICRO // 2
    expected = (halves + 1) * step if halves >= 0 else halves * step
    assert round_to_minor_micros(exact, currency) == expected


@given(st.integers(-(2**63), 2**63))
def test_micros_are_written_exactly(micros: int) -> None:
    whole, _, fraction = format_micros(micros).lstrip("-").partition(".")
    assert int(whole) * 10**6 + int(fraction) == abs(micros)


@given(st.integers(-9 * 10**12, 9 * 10**12), currencies)
def test_an_amount_reads_as_it_was_written(minor: int, currency: str) -> None:
    micros = minor * 10 ** (6 - MINOR_DIGITS[currency])
    assert parse_amount(format_minor(micros, currency), currency, least=-(10**24)) == micros


def test_an_amount_has_no_more_decimals_than_its_currency() -> None:
    with pytest.raises(Invalid, match=r"1\.005 has 3 decimals; USD has 2"):
        parse_amount("1.005", "USD")
    with pytest.raises(Invalid, match="JPY has 0"):
        parse_amount("100.0", "JPY")
    assert parse_amount("1.005", "KWD") == 1_005_000


@pytest.mark.parametrize("text", ["", "1e3", "1,000.00", "-1.00", "1.", "NaN", "٣", "9" * 14])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="bad_amount"):
        parse_amount(text, "USD")


@pytest.mark.parametrize(("currency", "smallest"), [("USD", "0.01"), ("JPY", "1")])
def test_an_amount_that_is_too_small_is_refused_with_the_smallest_there_is(
    currency: str, smallest: str
) -> None:
    with pytest.raises(
        Invalid, match=f"0 {currency} is less than {smallest}$|less than {smallest}"
    ):
        parse_amount("0", currency, least=1)


@pytest.mark.parametrize(
    ("text", "currency", "most"),
    [
        ("99999999999999999999.00", "USD", "9223372036854.77"),
        ("9999999999999", "JPY", "9223372036854"),
    ],
)
def test_an_amount_that_is_too_large_is_told_the_largest(
    text: str, currency: str, most: str
) -> None:
    with pytest.raises(Invalid, match=f"is too large: the ledger holds at most {most}"):
        parse_amount(text, currency)
    assert parse_amount(most, currency) > 0
