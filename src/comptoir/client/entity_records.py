"""What the API says of who sells and who buys."""

from typing import TypedDict


class Entity(TypedDict):
    """A legal entity."""

    id: str
    slug: str
    name: str
    address: list[str]
    country: str
    currency: str
    zone: str
    tax_ids: dict[str, str]
    iban: str
    bic: str
    invoice_series: str
    credit_note_series: str
    admission_required: bool
    created_at: str
    payment_days: int


class TableImported(TypedDict):
    """What came of an imported table."""

    added: int
    repeated: int


class TaxRule(TypedDict):
    """How sales are taxed from a day on."""

    seller: str
    buyer_country: str
    buyer: str
    from_date: str
    treatment: str
    rate_percent: str
    note: str
    source: str
    imported_at: str
    imported_by: str


class FxRate(TypedDict):
    """A rate of exchange from a day on."""

    base: str
    quote: str
    date: str
    rate: str
    source: str
    imported_at: str
    imported_by: str


class Admission(TypedDict):
    """What is known of a customer and agreed with it; money as decimal strings."""

    tenant_id: str
    entity_id: str
    legal_name: str
    address: list[str]
    country: str
    tax_id: str
    is_business: bool
    exemption: str
    currency: str
    terms_version: str
    state: str
    invited_at: str
    invited_by: str
    accepted_at: str | None
    accepted_by: str | None
    screened_at: str | None
    screened_by: str | None
    screening_evidence: str
    proposed_limit: str | None
    credit_limit: str | None
    decided_at: str | None
    decided_by: str | None
    because: str
    low_at: str | None


class Budget(TypedDict):
    """What is meant to be spent, and what is spent in this period."""

    id: str
    tenant_id: str
    project: str
    currency: str
    amount: str
    period: str
    thresholds: list[int]
    when_spent: str
    by_house: bool
    set_by: str
    created_at: str
    period_start: str
    spent: str
    held: str
    warned_percent: int
    ended_at: str | None


class CreditOf(TypedDict):
    """Credit that may still be drawn."""

    id: str
    source: str
    currency: str
    granted: str
    left: str
    starts_at: str
    ends_at: str | None
    kinds: list[str]
    lease_classes: list[str]
    sites: list[str]
    conditions: list[str]
    state: str


class Credit(TypedDict):
    """What a tenant owes and may come to owe, as decimal strings."""

    tenant_id: str
    currency: str
    receivable: str
    unbilled: str
    held: str
    covered: str
    prepaid: str
    granted: str
    tax_percent: str
    owed: str
    limit: str | None
    left: str | None
    leases: int
    blocks: list[CreditOf]
