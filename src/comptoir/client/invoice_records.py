"""What the API says of periods, invoices and credit notes, by the rules of `records`."""

from typing import TypedDict


class Period(TypedDict):
    """A month of a legal entity that is closing or closed."""

    id: str
    entity_id: str
    name: str
    starts_at: str
    ends_at: str
    state: str
    closing_since: str
    closed_by: str
    closed_at: str | None
    slices: int
    tenants: int
    drafts: int
    accruals: int


class InvoiceLine(TypedDict):
    """One price in one month, or what else is asked; drawn credit is negative."""

    number: int
    description: str
    kind: str
    lease_class: str | None
    measure: str | None
    price_per_accelerator_hour: str
    starts_at: str
    ends_at: str
    leases: int
    accelerator_ms: str
    amount: str
    correction: bool
    type: str
    reference: str


class TaxLine(TypedDict):
    """One treatment of the lines."""

    treatment: str
    country: str
    rate_percent: str
    base: str
    amount: str
    note: str


class Party(TypedDict):
    """Who sells, or who buys."""

    name: str
    address: list[str]
    country: str
    tax_id: str
    iban: str
    bic: str


class InvoiceDraft(TypedDict):
    """An invoice to be: it has no number yet."""

    id: str
    tenant_id: str
    kind: str
    period_id: str | None
    currency: str
    state: str
    starts_at: str
    ends_at: str
    net: str
    total: str
    lines: list[InvoiceLine]
    taxes: list[TaxLine]


class Invoice(TypedDict):
    """An invoice or a chargeback statement, and what became of it."""

    id: str
    number: str
    entity_id: str
    kind: str
    tenant_id: str
    period_id: str | None
    currency: str
    starts_at: str
    ends_at: str
    issued_at: str
    due_at: str
    net: str
    total: str
    state: str
    paid: str
    credited: str
    disputed: str
    open: str
    opening_id: str | None


class InvoiceDetail(Invoice):
    """An invoice with its lines, taxes and parties."""

    lines: list[InvoiceLine]
    taxes: list[TaxLine]
    seller: Party
    buyer: Party


class CreditLine(TypedDict):
    """So much of a line of an invoice."""

    line: int
    description: str
    amount: str


class CreditNote(TypedDict):
    """What is given back of an invoice."""

    id: str
    number: str
    tenant_id: str
    invoice_id: str
    invoice_number: str
    currency: str
    issued_at: str
    issued_by: str
    reason: str
    lines: list[CreditLine]
    taxes: list[TaxLine]
    total: str
    returned: str


class StatementEntry(TypedDict):
    """What moved an account, and what it stood at then."""

    seq: int
    at: str
    kind: str
    description: str
    amount: str
    balance: str


class AccountStatement(TypedDict):
    """One currency of a tenant's account over a window: opening + entries = closing."""

    currency: str
    opening: str
    closing: str
    owed: str
    charged_back: bool
    credit: str
    entries: list[StatementEntry]


class Statements(TypedDict):
    """A tenant's account."""

    tenant_id: str
    starts_at: str
    ends_at: str
    items: list[AccountStatement]
