"""Legal entities: who sells. Each has its address, tax ids, bank account, series and zone.

A book has one from the beginning, `HOUSE_ENTITY`: it sells to every tenant that was not admitted
by another. The zone only picks where a month begins and ends; everything else is UTC. Neighbours:
`admissions` says which entity a customer buys from, `billing` numbers what an entity issues.
"""

import re
from dataclasses import dataclass

from comptoir.units.countries import check_country
from comptoir.units.errors import Invalid
from comptoir.units.ids import LegalEntityId
from comptoir.units.text import check_count, check_text

HOUSE_ENTITY = LegalEntityId("le_house")
"""The entity that every book has. No counter gives lower-case letters, so no other is it."""

PAYMENT_DAYS = 30
MOST_PAYMENT_DAYS = 365

TaxIds = tuple[tuple[str, str], ...]

MOST_ADDRESS_LINES = 6
MOST_TAX_IDS = 40
_SERIES = re.compile(r"([A-Z0-9./_-]|\{entity\}|\{tenant\}|\{year\}){1,60}")
_TAX_NUMBER = re.compile(r"[A-Z0-9][A-Z0-9 ./-]{1,28}[A-Z0-9]")


@dataclass(frozen=True, slots=True)
class LegalEntity:
    """One that sells, invoices and is paid.

    `currency` is that of its books. Numbers are given by series: "ACME-2026" is what
    "{tenant}-{year}" makes. With `admission_required` a customer asks for nothing before it is
    admitted. Without a tax id there are no tax lines on its invoices.
    """

    id: LegalEntityId
    slug: str
    name: str
    address: tuple[str, ...]
    country: str
    currency: str
    zone: str
    tax_ids: TaxIds
    iban: str
    bic: str
    invoice_series: str
    credit_note_series: str
    admission_required: bool
    created_at_ms: int
    payment_days: int = PAYMENT_DAYS
    """After how many days its invoices are due, where a contract does not say."""

    def tax_id_in(self, country: str) -> str:
        """Its tax id in a country; empty where it has none."""
        return next((number for place, number in self.tax_ids if place == country), "")


def house_entity(currency: str, now_ms: int) -> LegalEntity:
    """The entity of a new book. Its country is not known yet: it has no tax ids, so no taxes."""
    return LegalEntity(
        id=HOUSE_ENTITY,
        slug="house",
        name="House",
        address=(),
        country="",
        currency=currency,
        zone="UTC",
        tax_ids=(),
        iban="",
        bic="",
        invoice_series="{tenant}-{year}",
        credit_note_series="CN-{tenant}-{year}",
        admission_required=False,
        created_at_ms=now_ms,
    )


def series_name(pattern: str, entity_slug: str, tenant_slug: str, year: int) -> str:
    """The series that a pattern names: "{tenant}-{year}" is "ACME-2026" for acme in 2026."""
    return pattern.format(entity=entity_slug.upper(), tenant=tenant_slug.upper(), year=year)


def check_series(field: str, pattern: str) -> str:
    """`pattern` itself if it names series.

    Raises:
        Invalid: `bad_series`.
    """
    if not _SERIES.fullmatch(pattern):
        raise Invalid(
            "bad_series",
            f"{field} {pattern[:60]!r} is not capital letters, digits, ./_- and the words "
            "{entity}, {tenant}, {year}",
            'write it like "{tenant}-{year}" or "FR-{year}"',
            {"field": field},
        )
    return pattern


def check_address(field: str, lines: tuple[str, ...]) -> tuple[str, ...]:
    """`lines` themselves if they are a postal address.

    Raises:
        Invalid: `out_of_range` or `bad_text`.
    """
    check_count(f"lines of {field}", len(lines), 0, MOST_ADDRESS_LINES)
    return tuple(check_text(field, line, 1, 100) for line in lines)


def check_tax_number(field: str, number: str) -> str:
    """`number` itself if it is empty or reads like a tax id.

    Raises:
        Invalid: `bad_tax_id`.
    """
    if number and not _TAX_NUMBER.fullmatch(number):
        raise Invalid(
            "bad_tax_id",
            f"{field}: {number[:40]!r} is not a tax id",
            'write capital letters and digits: "FR40303265045"',
            {"field": field},
        )
    return number


def check_tax_ids(tax_ids: TaxIds) -> TaxIds:
    """`tax_ids` themselves if each country has one.

    Raises:
        Invalid: `unknown_country`, `bad_tax_id` or `out_of_range`.
    """
    check_count("tax_ids", len(tax_ids), 0, MOST_TAX_IDS)
    seen: set[str] = set()
    for country, number in tax_ids:
        check_country("tax_ids", country)
        if not number or country in seen:
            raise Invalid(
                "bad_tax_id",
                f"tax_ids: {country} has {'no number' if not number else 'two numbers'}",
                "give each country one number",
                {"field": "tax_ids", "country": country},
            )
        check_tax_number("tax_ids", number)
        seen.add(country)
    return tuple(sorted(tax_ids))
