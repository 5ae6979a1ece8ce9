"""Which tax a sale falls under: by country, sort of buyer and day, and what an import refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.billing.tax import (
    Tax,
    TaxRule,
    Treatment,
    read_tax_rules,
    refuse_contradiction,
    tax_for,
)
from comptoir.tenants.admissions import Admission, AdmissionState
from comptoir.tenants.entities import LegalEntity, house_entity
from comptoir.units.errors import Conflict, Invalid, Refused
from comptoir.units.ids import LegalEntityId, TenantId, UserId
from comptoir.units.money import format_percent
from comptoir.units.time import parse_instant
from comptoir.units.values import replace

RULES = """seller,buyer_country,buyer,treatment,rate_percent,from,note
FR,FR,*,standard,19.6,2000-04-01,
FR,FR,*,standard,20,2014-01-01,
FR,EU,business,reverse_charge,0,2010-01-01,"Reverse charge, art. 196 Directive 2006/112/EC"
FR,EU,consumer,standard,20,2010-01-01,
FR,*,*,outside,0,2010-01-01,Outside the scope of French VAT
DE,DE,*,standard,19,2007-01-01,
"""
NOW_MS = parse_instant("2026-11-24T12:00:00Z")


def rules(text: str = RULES) -> list[TaxRule]:
    return read_tax_rules(text, "tax.csv", NOW_MS, "us_finance")


PARIS = replace(
    house_entity("EUR", 0),
    id=LegalEntityId("le_paris"),
    country="FR",
    zone="Europe/Paris",
    tax_ids=(("DE", "DE136695976"), ("FR", "FR40303265045")),
)


def customer(country: str, tax_id: str = "", business: bool = True, exempt: str = "") -> Admission:
    return Admission(
        TenantId("tn"), PARIS.id, "Customer", (), country, tax_id, business, exempt, "EUR", "1",
        AdmissionState.ADMITTED, 0, UserId("us"),
    )  # fmt: skip


def taxed(buyer: Admission | None, at: str, entity: LegalEntity = PARIS) -> Tax | None:
    return tax_for(rules(), entity, buyer, parse_instant(at))


def test_a_business_elsewhere_in_the_union_is_reverse_charged_with_both_tax_ids() -> None:
    found = taxed(customer("IT", "IT00743110157"), "2026-11-24T12:00:00Z")
    assert found == Tax(
        Treatment.REVERSE_CHARGE,
        0,
        "Reverse charge, art. 196 Directive 2006/112/EC",
        "FR",
        "FR40303265045",
        "IT00743110157",
    )
    assert found.on(1_000_000_000, "EUR") == 0


def test_a_business_outside_the_union_needs_no_tax_id() -> None:
    at = parse_instant("2026-11-24T12:00:00Z")
    text = RULES.replace("FR,*,*,outside", "FR,*,business,outside")
    for country, tax_id in (("US", ""), ("US", "12-3456789"), ("CH", "")):
        found = tax_for(rules(text), PARIS, customer(country, tax_id), at)
        assert found is not None
        assert found.treatment is Treatment.OUTSIDE
    with pytest.raises(Refused, match="of FR is for a consumer in US"):
        tax_for(rules(text), PARIS, customer("US", business=False), at)


def test_a_business_in_the_union_that_gave_no_tax_id_is_taxed_as_a_consumer() -> None:
    found = taxed(customer("IT", ""), "2026-11-24T12:00:00Z")
    assert found is not None
    assert (found.treatment, found.rate_ppm) == (Treatment.STANDARD, 200_000)


def test_a_seller_registered_where_the_buyer_is_taxes_as_one_from_there() -> None:
    found = taxed(customer("DE", "DE811115368"), "2026-11-24T12:00:00Z")
    assert found is not None
    assert (found.rate_ppm, found.seller_country, found.seller_tax_id) == (
        190_000, "DE", "DE136695976",
    )  # fmt: skip


def test_the_named_country_comes_before_the_star() -> None:
    found = taxed(customer("US"), "2026-11-24T12:00:00Z")
    assert found is not None
    assert found.treatment is Treatment.OUTSIDE


def test_a_rate_begins_at_midnight_of_the_sellers_zone() -> None:
    # France went from 19.6 % to 20 % on 1 January 2014, which began in Paris at 23:00 UTC.
    before = taxed(customer("FR"), "2013-12-31T22:59:59Z")
    after = taxed(customer("FR"), "2013-12-31T23:00:00Z")
    assert before is not None
    assert after is not None
    assert (before.rate_ppm, after.rate_ppm) == (196_000, 200_000)


def test_a_certificate_exempts() -> None:
    found = taxed(customer("FR", "FR1234567", exempt="ATTEST-2026-7"), "2026-11-24T12:00:00Z")
    assert found is not None
    assert (found.treatment, found.note) == (Treatment.EXEMPT, "exempt: ATTEST-2026-7")


def test_without_a_tax_id_or_an_admission_there_are_no_tax_lines() -> None:
    assert taxed(None, "2026-11-24T12:00:00Z") is None
    assert taxed(customer("FR"), "2026-11-24T12:00:00Z", house_entity("EUR", 0)) is None


def test_a_sale_that_no_rule_is_for_is_refused_with_the_countries_and_the_day() -> None:
    with pytest.raises(Refused, match=r"no_tax_rule.*of DE is for a consumer in DE on 2006-12-31"):
        taxed(customer("DE"), "2006-12-31T12:00:00Z")


def test_tax_is_rounded_once_to_the_minor_unit() -> None:
    tax = Tax(Treatment.STANDARD, 196_000, "", "FR", "", "")
    # 12.37 x 19.6 % = 2.42452 -> 2.42; 12.50 x 19.6 % = 2.45; 0.13 x 19.6 % = 0.02548 -> 0.03
    assert [tax.on(net, "EUR") for net in (12_370_000, 12_500_000, 130_000)] == [
        2_420_000, 2_450_000, 30_000,
    ]  # fmt: skip
    assert tax.on(-12_370_000, "EUR") == -2_420_000
    assert tax.on(1_000_000_000, "JPY") == 196_000_000


@given(st.integers(0, 10**15), st.integers(0, 999_999))
def test_tax_is_within_half_a_minor_unit_of_the_exact_amount(net: int, rate: int) -> None:
    tax = Tax(Treatment.STANDARD, rate, "", "FR", "", "").on(net, "EUR")
    assert tax % 10_000 == 0
    assert abs(tax * 1_000_000 - net * rate) * 2 <= 10_000 * 1_000_000


def test_a_region_names_its_countries_but_the_sellers_own() -> None:
    reverse = [r.buyer_country for r in rules() if r.treatment is Treatment.REVERSE_CHARGE]
    assert len(reverse) == 26  # 27 member states in 2026, France is the seller
    assert {"FR", "EU"} & set(reverse) == set()


@pytest.mark.parametrize(
    ("line", "field", "why"),
    [
        ("FX,FR,*,standard,20,2014-01-01,", "seller", "is not a country"),
        ("FR,UK,*,standard,20,2014-01-01,", "buyer_country", "'UK' is not a country"),
        ("FR,FR,anyone,standard,20,2014-01-01,", "buyer", "none of business, consumer"),
        ("FR,FR,*,usual,20,2014-01-01,", "treatment", "none of standard"),
        ("FR,FR,*,standard,20.00001,2014-01-01,", "rate_percent", "at most 4 decimals"),
        ("FR,FR,*,standard,²,2014-01-01,", "rate_percent", "is not a percentage"),
        ("FR,FR,*,standard,0,2014-01-01,", "rate_percent", "0 % does not go with standard"),
        ("FR,FR,*,zero,20,2014-01-01,", "rate_percent", "20 % does not go with zero"),
        ("FR,FR,*,standard,20,2014-02-30,", "from", "is not a date"),
        ("FR,FR,*,standard,20,2014-01-01", "row", "6 values, the first line names 7"),
        ("FR,FR,*,standard,20,2014-01-01,\nFR,FR,*,standard,21,2014-01-01,", "buyer_country",
         "FR has two lines"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_refused_with_its_field(line: str, field: str, why: str) -> None:
    header = RULES.splitlines()[0]
    with pytest.raises(Invalid, match=why) as caught:
        rules(f"{header}\n{line}\n")
    assert caught.value.code == "bad_table"
    assert caught.value.facts["field"] == field
    assert caught.value.facts["line"] == 1 + len(line.splitlines())


def test_a_file_without_its_fields_is_refused_with_what_is_missing() -> None:
    with pytest.raises(Invalid, match=r"missing: rate_percent, unknown: rate"):
        rules(RULES.replace("rate_percent", "rate"))
    with pytest.raises(Invalid, match="line 1 names nothing"):
        rules("")


def test_a_line_may_come_again_but_not_say_something_else() -> None:
    known = rules()[1]
    refuse_contradiction(replace(known, imported_by="somebody else"), known)
    with pytest.raises(Conflict, match=r"is standard 20 %, and the file says standard 21 %"):
        refuse_contradiction(replace(known, rate_ppm=210_000), known)


def test_a_percentage_is_written_as_it_was_read() -> None:
    assert [format_percent(ppm) for ppm in (200_000, 55_000, 0, 196_000, 1)] == [
        "20", "5.5", "0", "19.6", "0.0001",
    ]  # fmt: skip
