"""What a legal entity may be: its countries, tax ids, bank account and series."""

import pytest

from comptoir.tenants.entities import (
    check_address,
    check_series,
    check_tax_ids,
    house_entity,
    series_name,
)
from comptoir.units.countries import COUNTRIES, check_country
from comptoir.units.errors import Invalid


def test_the_house_gives_the_numbers_that_it_always_gave() -> None:
    house = house_entity("USD", 0)
    assert series_name(house.invoice_series, house.slug, "acme", 2026) == "ACME-2026"
    assert series_name(house.credit_note_series, house.slug, "acme", 2026) == "CN-ACME-2026"
    assert (house.zone, house.tax_ids, house.admission_required) == ("UTC", (), False)


def test_a_series_names_its_entity_tenant_and_year() -> None:
    pattern = check_series("invoice_series", "{entity}/{tenant}-{year}")
    assert series_name(pattern, "paris", "acme", 2027) == "PARIS/ACME-2027"
    for bad in ("", "{tenant", "{month}", "acme-{year}", "A" * 61, "{tenant!r}", "{}"):
        with pytest.raises(Invalid, match=r"bad_series.*invoice_series"):
            check_series("invoice_series", bad)


def test_a_country_has_one_tax_id() -> None:
    given = (("FR", "FR40303265045"), ("DE", "DE136695976"))
    assert check_tax_ids(given) == (("DE", "DE136695976"), ("FR", "FR40303265045"))
    with pytest.raises(Invalid, match=r"bad_tax_id.*DE has two numbers"):
        check_tax_ids((*given, ("DE", "DE999")))
    with pytest.raises(Invalid, match=r"bad_tax_id.*FR has no number"):
        check_tax_ids((("FR", ""),))
    with pytest.raises(Invalid, match=r"unknown_country.*'EU'"):
        check_tax_ids((("EU", "EU123"),))


def test_countries_are_the_assigned_ones() -> None:
    assert len(COUNTRIES) == 249
    assert check_country("country", "FR") == "FR"
    for wrong in ("fr", "UK", "XX", ""):
        with pytest.raises(Invalid, match=f"unknown_country.*country: '{wrong}'"):
            check_country("country", wrong)


def test_an_address_has_at_most_six_lines() -> None:
    assert check_address("address", ("1 rue de Rivoli", "75001 Paris")) == (
        "1 rue de Rivoli", "75001 Paris",
    )  # fmt: skip
    with pytest.raises(Invalid, match=r"out_of_range.*lines of address"):
        check_address("address", ("x",) * 7)
    with pytest.raises(Invalid, match="bad_text"):
        check_address("address", ("two\nlines",))
