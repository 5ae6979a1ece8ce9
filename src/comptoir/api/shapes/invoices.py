"""Periods, drafts, invoices and what became of them, credit notes, statements of account."""

from typing import Annotated

from pydantic import Field, StrictInt, StringConstraints

from comptoir.api.shapes.common import (
    Answer,
    Body,
    Currency,
    Decimal,
    Instant,
    InstantIn,
    Line,
    Long,
    Named,
)
from comptoir.billing.drafts import DraftState
from comptoir.billing.invoice_status import InvoiceState
from comptoir.billing.invoices import InvoiceKind, LineType
from comptoir.billing.periods import PeriodState
from comptoir.leases.lease import LeaseClass
from comptoir.metering.usage import Measure

MOST_LINES = 1_000


class PeriodBody(Body):
    """Close a month of a legal entity, named by its id or slug."""

    entity: Named = "house"
    period: Annotated[str, StringConstraints(max_length=16), Field(examples=["2026-10"])]


class Period(Answer):
    """A month of an entity that is closing or closed; open ones are not listed.

    `slices`, `tenants`, `drafts` and `accruals` count what its close has done so far.
    """

    id: str
    entity_id: str
    name: str
    starts_at: Instant
    ends_at: Instant
    state: PeriodState
    closing_since: Instant
    closed_by: str
    closed_at: Instant | None
    slices: int
    tenants: int
    drafts: int
    accruals: int


class InvoiceBody(Body):
    """Bill what a tenant has used before `until`: now, or the start of a month of its entity."""

    tenant: Named
    until: InstantIn | None = None


class InvoiceLine(Answer):
    """One price in one month, rounded once, or what else is asked; drawn credit is negative."""

    number: int
    description: str
    kind: str
    lease_class: LeaseClass | None
    measure: Measure | None
    rate_id: str
    price_per_accelerator_hour: Decimal
    starts_at: Instant
    ends_at: Instant
    leases: int
    accelerator_ms: Long
    numerator: Long
    amount: Decimal
    correction: bool
    type: LineType
    contract_version_id: str
    reference: str


class TaxLine(Answer):
    """One treatment of the lines."""

    treatment: str
    country: str
    rate_percent: Decimal
    base: Decimal
    amount: Decimal
    note: str


class Party(Answer):
    """Who sells, or who buys; `iban` and `bic` say where who sells is paid."""

    name: str
    address: list[str]
    country: str
    tax_id: str
    iban: str
    bic: str


class InvoiceDraft(Answer):
    """An invoice to be: it has no number yet, and asks nothing."""

    id: str
    entity_id: str
    tenant_id: str
    kind: InvoiceKind
    period_id: str | None
    currency: Currency
    state: DraftState
    starts_at: Instant
    ends_at: Instant
    drawn_up_at: Instant
    net: Decimal
    total: Decimal
    lines: list[InvoiceLine]
    taxes: list[TaxLine]


class InvoicePreview(Answer):
    """Drafts, one a currency: of what would be asked now, or of instalments that are due."""

    items: list[InvoiceDraft]


class Invoice(Answer):
    """An invoice, or a team's chargeback statement, and what became of it."""

    id: str
    number: str
    entity_id: str
    series: str
    sequence: int
    kind: InvoiceKind
    tenant_id: str
    period_id: str | None
    currency: Currency
    starts_at: Instant
    ends_at: Instant
    issued_at: Instant
    due_at: Instant
    net: Decimal
    total: Decimal
    state: InvoiceState
    paid: Decimal
    credited: Decimal
    disputed: Decimal
    open: Decimal
    opening_id: str | None


class InvoiceDetail(Invoice):
    """An invoice with its lines, taxes and parties."""

    lines: list[InvoiceLine]
    taxes: list[TaxLine]
    seller: Party
    buyer: Party


class CreditBody(Body):
    """So much of a line; without an amount, all that is left of it."""

    line: Annotated[StrictInt, Field(ge=0, le=1_000_000)]
    amount: Annotated[str, StringConstraints(max_length=40)] | None = None


class CreditNoteBody(Body):
    """What is credited, and why; no lines is the whole invoice."""

    reason: Line
    lines: Annotated[list[CreditBody], Field(max_length=MOST_LINES, default_factory=list)]


class CreditLine(Answer):
    """So much of a line of the invoice."""

    line: int
    description: str
    amount: Decimal


class CreditNote(Answer):
    """What is given back of an invoice. `returned` had been paid: it is the customer's credit."""

    id: str
    number: str
    entity_id: str
    series: str
    sequence: int
    tenant_id: str
    invoice_id: str
    invoice_number: str
    currency: Currency
    issued_at: Instant
    issued_by: str
    reason: str
    lines: list[CreditLine]
    taxes: list[TaxLine]
    total: Decimal
    returned: Decimal


class StatementEntry(Answer):
    """What moved a tenant's account, and what it stood at then; asked is positive."""

    seq: int
    at: Instant
    kind: str
    description: str
    amount: Decimal
    balance: Decimal


class AccountStatement(Answer):
    """One currency of a tenant's account over a window: opening + entries = closing.

    Of what it closes with, `owed` is asked by invoices and `credit` is the tenant's own.
    """

    currency: Currency
    opening: Decimal
    closing: Decimal
    owed: Decimal
    charged_back: bool = Field(
        description="An internal team's: `owed` is what it was charged so far, and nobody pays it."
    )
    credit: Decimal
    entries: list[StatementEntry]


class Statements(Answer):
    """A tenant's account: what it was asked and what it paid, one item a currency."""

    tenant_id: str
    starts_at: Instant
    ends_at: Instant
    items: list[AccountStatement]
