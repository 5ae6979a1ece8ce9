"""A rate card in a file is read whole or not at all; what is wrong is named with line and field."""

import pytest

from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.metering.usage import Measure
from comptoir.pricing.card_files import read_card_file
from comptoir.pricing.skus import Sku
from comptoir.pricing.tiers import Tier
from comptoir.units.errors import Invalid
from comptoir.units.time import MS_PER_HOUR, parse_instant

CARD = """\
name = "enterprise-2027"
currency = "USD"

[[rate]]
kind = "h100-sxm"
class = "on_demand"
price = 2.41
granularity = "1m"

[[rate.tier]]
from_hours = 10000
price = 1.90

[[rate]]
kind = "h100-sxm"
class = "reserved"
site = "paris"
term = "one_year"
price = 1.75
from = 2027-01-01
minimum = "365d"
"""
TABLE = """\
kind,class,price,site,term,from,minimum,granularity,tiers
h100-sxm,on_demand,2.41,,,,,1m,10000:1.90

h100-sxm,reserved,1.75,paris,one_year,2027-01-01T00:00:00Z,365d,,
"""


def test_the_same_card_reads_the_same_from_both_forms() -> None:
    card = read_card_file("card.toml", CARD)
    table = read_card_file("card.csv", TABLE, "enterprise-2027", "USD")
    assert (card.name, card.currency) == (table.name, table.currency) == ("enterprise-2027", "USD")
    assert [rate.line for rate in card.rates] == [4, 14]
    assert [rate.line for rate in table.rates] == [2, 4]
    for one, other in zip(card.rates, table.rates, strict=True):
        assert (one.key, one.price_nanos, one.tiers) == (other.key, other.price_nanos, other.tiers)
        assert (one.minimum_s, one.granularity_s) == (other.minimum_s, other.granularity_s)
    hourly, yearly = card.rates
    assert hourly.tiers == (Tier(10_000 * MS_PER_HOUR, 1_900_000_000),)
    assert (hourly.granularity_s, hourly.measure, hourly.sku) == (
        60, Measure.DELIVERED, Sku.ACCELERATOR,
    )  # fmt: skip
    assert (yearly.lease_class, yearly.site, yearly.term) == (
        LeaseClass.RESERVED, "paris", LeaseTerm.ONE_YEAR,
    )  # fmt: skip
    assert yearly.effective_from_ms == parse_instant("2027-01-01T00:00:00Z")
    assert yearly.minimum_s == 365 * 86_400


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "code"),
    [
        ('"USD"', '"XXX"', 2, "currency", "unknown_currency"),
        ('"h100-sxm"\nclass = "on', '"h100"\nclass = "on', 5, "rate[0].kind", "unknown_kind"),
        ('"on_demand"', '"ondemand"', 6, "rate[0].class", "file_bad_value"),
        ("2.41", "2.41000000001", 7, "rate[0].price", "too_many_decimals"),
        ("2.41", "-2.41", 7, "rate[0].price", "bad_price"),
        ("10000", "0", 11, "rate[0].tier[0].from_hours", "out_of_range"),
        ('"1m"', '"25h"', 8, "rate[0].granularity", "out_of_range"),
        ('"365d"', '"-1d"', 21, "rate[1].minimum", "bad_duration"),
        ('"365d"', '"1097d"', 21, "rate[1].minimum", "out_of_range"),
        ('site = "paris"', 'sites = "paris"', 17, "rate[1].sites", "file_unknown_field"),
        ("price = 1.75\n", "", 14, "rate[1]", "file_missing_field"),
        ("currency", "currencies", 2, "currencies", "file_unknown_field"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    old: str, new: str, line: int, field: str, code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        read_card_file("card.toml", CARD.replace(old, new, 1))
    problems = {(p["line"], p["field"], p["code"]) for p in refused.value.facts["problems"]}
    assert (line, field, code) in problems


def test_tiers_that_do_not_ascend_are_refused_with_both_numbers() -> None:
    first = "price = 1.90\n"
    second = "\n[[rate.tier]]\nfrom_hours = 9999\nprice = 1.5\n"
    with pytest.raises(Invalid, match=r"bad_tiers.*tier 2 begins at 9,999.*not after 10,000"):
        read_card_file("card.toml", CARD.replace(first, first + second))
    with pytest.raises(
        Invalid, match=r"bad_tiers: card\.csv:2: rate\[0\]\.tiers.*at 10 .*after 10"
    ):
        read_card_file("card.csv", TABLE.replace("10000:1.90", "10:1.9 10:1.8"), "a-card", "USD")
    with pytest.raises(Invalid, match=r"'10-1\.9' is not a tier"):
        read_card_file("card.csv", TABLE.replace("10000:1.90", "10-1.9"), "a-card", "USD")


def test_two_rates_for_the_same_are_refused_with_both_lines() -> None:
    twice = TABLE + "h100-sxm,reserved,1.70,paris,one_year,2027-01-01,,,\n"
    with pytest.raises(Invalid, match=r"rate_overlaps: card\.csv:5.*line 4.*at 1\.75"):
        read_card_file("card.csv", twice, "a-card", "USD")


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(Invalid, match=r"card\.csv:3.*9 values"):
        read_card_file("card.csv", TABLE.replace("\n\n", "\nh100-sxm,spot\n"), "a-card", "USD")


def test_a_table_needs_its_cards_name_and_currency() -> None:
    with pytest.raises(Invalid, match=r"file_missing_field.*name is missing"):
        read_card_file("card.csv", TABLE)
