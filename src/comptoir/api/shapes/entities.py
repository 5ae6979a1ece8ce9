"""Legal entities, imported tables, admissions."""

from typing import Annotated

from pydantic import Field, StringConstraints

from comptoir.api.shapes.common import (
    Answer,
    Body,
    Count,
    Currency,
    CurrencyIn,
    Decimal,
    Flag,
    Instant,
    InstantIn,
    Line,
    Named,
)
from comptoir.billing.tax import Buyer, Treatment
from comptoir.tenants.admissions import AdmissionState
from comptoir.tenants.entities import MOST_ADDRESS_LINES, MOST_TAX_IDS, PAYMENT_DAYS

Country = Annotated[str, StringConstraints(max_length=2), Field(examples=["FR"])]
Address = Annotated[list[Line], Field(max_length=MOST_ADDRESS_LINES)]
TaxIds = Annotated[dict[str, Line], Field(max_length=MOST_TAX_IDS, examples=[{"FR": "FR40303"}])]
Day = Annotated[str, Field(json_schema_extra={"format": "date"}, examples=["2026-01-31"])]
AmountIn = Annotated[str, StringConstraints(max_length=32), Field(examples=["250000.00"])]
"""Money as a decimal string, judged by the currency that it is in."""
Words = Annotated[str, StringConstraints(max_length=500)]


class EntityBody(Body):
    """A legal entity. Its currency, zone and series are for good."""

    slug: Line = Field(examples=["paris"])
    name: Line = Field(examples=["Comptoir SAS"])
    country: Country
    currency: CurrencyIn
    zone: Line = "UTC"
    address: Address = Field(default_factory=list)
    tax_ids: TaxIds = Field(default_factory=dict)
    iban: Line = ""
    bic: Line = ""
    invoice_series: Line = "{entity}-{year}"
    credit_note_series: Line = "CN-{entity}-{year}"
    admission_required: Flag = False
    payment_days: Count = Field(default=PAYMENT_DAYS, description="Until its invoices are due.")


class EntityChangeBody(Body):
    """What its next invoices say; left out, as it is."""

    name: Line | None = None
    country: Country | None = None
    address: Address | None = None
    tax_ids: TaxIds | None = None
    admission_required: Flag | None = None
    payment_days: Count | None = None


class AccountBody(Body):
    """Where an entity is paid; left out, as it is."""

    iban: Line | None = None
    bic: Line | None = None


class Entity(Answer):
    """One that sells, invoices and is paid."""

    id: str
    slug: str
    name: str
    address: list[str]
    country: str
    currency: Currency
    zone: str
    tax_ids: dict[str, str]
    iban: str
    bic: str
    invoice_series: str
    credit_note_series: str
    admission_required: bool
    created_at: Instant
    payment_days: int


class TableBody(Body):
    """A CSV file, and where it came from."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]
    source: Line = Field(examples=["ecb-2026-11.csv"])


class TableImported(Answer):
    """How many lines were new, and how many the book had already."""

    added: int
    repeated: int


class TaxRule(Answer):
    """How sales of one country to another are taxed, from a day on."""

    seller: str
    buyer_country: str
    buyer: Buyer
    from_date: Day
    treatment: Treatment
    rate_percent: Decimal
    note: str
    source: str
    imported_at: Instant
    imported_by: str


class FxRate(Answer):
    """What one unit of `base` is worth in `quote`, from a day on."""

    base: Currency
    quote: Currency
    date: Day
    rate: Decimal
    source: str
    imported_at: Instant
    imported_by: str


class AdmissionBody(Body):
    """An invitation: who the customer is, and which terms it is to accept."""

    entity: Named = Field(default="house", description="By id or slug.")
    legal_name: Line
    country: Country
    terms_version: Line = Field(examples=["2026-11"])
    address: Address = Field(default_factory=list)
    tax_id: Line = ""
    is_business: Flag = True
    exemption: Line = Field(default="", description="The certificate that frees it from taxes.")


class AcceptBody(Body):
    """Yes to this version of the terms."""

    terms_version: Line


class ScreenBody(Body):
    """A screening, its evidence, and the credit limit that it supports; null is no limit."""

    screened_at: InstantIn
    evidence: Words
    credit_limit: AmountIn | None


class AdmitBody(Body):
    """The limit that was proposed, said again; null is no limit."""

    credit_limit: AmountIn | None


class RefuseBody(Body):
    """Why."""

    because: Words


class Admission(Answer):
    """What is known of a customer and agreed with it. Screenings are shown to the house only."""

    tenant_id: str
    entity_id: str
    legal_name: str
    address: list[str]
    country: str
    tax_id: str
    is_business: bool
    exemption: str
    currency: Currency
    terms_version: str
    state: AdmissionState
    invited_at: Instant
    invited_by: str
    accepted_at: Instant | None
    accepted_by: str | None
    screened_at: Instant | None
    screened_by: str | None
    screening_evidence: str
    proposed_limit: Decimal | None
    credit_limit: Decimal | None
    decided_at: Instant | None
    decided_by: str | None
    because: str
    low_at: Instant | None
