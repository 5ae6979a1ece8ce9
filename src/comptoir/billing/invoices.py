"""Invoices and chargeback statements: what is asked of whom, line by line, with its taxes.

An invoice exists from the moment it is final: it has a number and is never edited. Before that
there is a draft (`drafts`), which has none; what becomes of it afterwards is its status
(`invoice_status`). Invariant: an invoice's total is the sum of its lines and taxes, and of its
postings on the account that it asks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.ledger.entries import Posting
from comptoir.metering.usage import Measure
from comptoir.units.errors import broken, invariant
from comptoir.units.ids import (
    InvoiceId,
    LegalEntityId,
    OpeningId,
    PeriodId,
    RateId,
    TenantId,
)
from comptoir.units.money import NUMERATOR_PER_MICRO, minor_micros, round_to_minor_micros

PPM = 1_000_000


class InvoiceKind(StrEnum):
    """A customer is asked to pay, afterwards or ahead; a team is shown what it used."""

    INVOICE = "invoice"
    PREPAYMENT = "prepayment"
    CHARGEBACK = "chargeback"


class LineType(StrEnum):
    """What a line is for. Drawdowns and credits are negative."""

    USAGE = "usage"
    TOP_UP = "top_up"
    DRAWDOWN = "drawdown"
    INSTALMENT = "instalment"
    TRUE_UP = "true_up"
    SLA_CREDIT = "sla_credit"
    RECALL_FEE = "recall_fee"
    """What the house owes for taking a sold lease back."""
    ON_ACCOUNT = "on_account"
    """Usage and its tax, paid ahead without a tax invoice: deducted after taxes."""
    CARRIED = "carried"
    """What would be asked below zero is the customer's credit instead."""
    OPENING = "opening"
    """What another system asked, before it was brought here."""


SETTLING = (LineType.ON_ACCOUNT, LineType.CARRIED)
"""Lines that say how the sum is paid: they stand after the taxes, and bear none."""


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One rate of one contract version in one month, or what else is asked or given.

    `amount_micros` is whole minor units of the currency; `numerator` is exact. `reference` is
    the credit block, commitment or breach that a line of another type than usage is about.
    """

    number: int
    description: str
    kind: str
    lease_class: LeaseClass | None
    measure: Measure | None
    rate_id: RateId
    price_nanos: int
    starts_at_ms: int
    ends_at_ms: int
    leases: int
    accelerator_ms: int
    numerator: int
    amount_micros: int
    correction: bool
    type: LineType = LineType.USAGE
    service_month_ms: int = 0
    contract_version_id: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class TaxLine:
    """One treatment of an invoice's lines; nothing is asked where the recipient accounts for it."""

    treatment: str
    country: str
    rate_ppm: int
    base_micros: int
    amount_micros: int
    note: str


@dataclass(frozen=True, slots=True)
class Party:
    """Who sells, or who buys, as an invoice has to say it; and where who sells is paid."""

    name: str
    address: tuple[str, ...] = ()
    country: str = ""
    tax_id: str = ""
    iban: str = ""
    bic: str = ""


@dataclass(frozen=True, slots=True)
class Invoice:
    """Final from the moment it exists: it is never edited and never deleted."""

    id: InvoiceId
    number: str
    entity_id: LegalEntityId
    series: str
    sequence: int
    kind: InvoiceKind
    tenant_id: TenantId
    period_id: PeriodId | None
    currency: str
    starts_at_ms: int
    ends_at_ms: int
    issued_at_ms: int
    due_at_ms: int
    total_micros: int
    lines: tuple[InvoiceLine, ...]
    taxes: tuple[TaxLine, ...]
    seller: Party
    buyer: Party
    opening_id: OpeningId | None = None
    """The opening that brought it: another system issued it, and its number is that system's."""

    @property
    def net_micros(self) -> int:
        """What was sold, without taxes and before what was paid on account."""
        return net_of(self.lines)


@dataclass(frozen=True, slots=True)
class NumberSeries:
    """A number series of a legal entity, and the last number it gave."""

    entity_id: LegalEntityId
    name: str
    last: int

    def number(self, sequence: int) -> str:
        """How the `sequence`-th of the series is called."""
        return f"{self.name}-{sequence:06d}"


def net_of(lines: Iterable[InvoiceLine]) -> int:
    """What lines ask without taxes: what the taxes are on."""
    return sum(line.amount_micros for line in lines if line.type not in SETTLING)


def total_of(lines: Iterable[InvoiceLine], taxes: Iterable[TaxLine]) -> int:
    """What lines and taxes ask together."""
    return sum(x.amount_micros for x in lines) + sum(tax.amount_micros for tax in taxes)


def tax_line(
    lines: Sequence[InvoiceLine], currency: str, treatment: str, country: str, ppm: int, note: str
) -> TaxLine:
    """The tax on lines: on their sum, rounded once."""
    base = net_of(lines)
    return TaxLine(treatment, country, ppm, base, tax_on(base, ppm, currency), note)


def tax_on(base_micros: int, rate_ppm: int, currency: str) -> int:
    """The tax on an amount, rounded once to the currency's minor unit."""
    return round_to_minor_micros(base_micros * rate_ppm * (NUMERATOR_PER_MICRO // PPM), currency)


def check_invoice(invoice: Invoice) -> Invoice:
    """The invoice itself if it adds up.

    Raises:
        InvariantBroken: its total is not the sum of its lines and taxes, one of them is no whole
            number of the currency's minor units, or its lines are not numbered 1, 2, 3 ...
    """
    _check_whole(invoice)
    total = total_of(invoice.lines, invoice.taxes)
    invariant(
        total == invoice.total_micros,
        f"{invoice.number} asks {invoice.total_micros}, its lines and taxes make {total}",
    )
    numbers = [line.number for line in invoice.lines]
    invariant(
        numbers == [*range(1, len(numbers) + 1)], f"the lines of {invoice.number} are {numbers}"
    )
    return invoice


def _check_whole(invoice: Invoice) -> None:
    """No line and no tax asks a fraction of a minor unit: nobody could pay it."""
    step = minor_micros(invoice.currency)
    parts: tuple[InvoiceLine | TaxLine, ...] = (*invoice.lines, *invoice.taxes)
    for part in parts:
        if part.amount_micros % step:
            broken(f"{invoice.number} asks {part.amount_micros} micros {invoice.currency}: {part}")


def asked_of(kind: InvoiceKind, tenant_id: TenantId) -> ledger.Account:
    """The account that an invoice asks: a customer's receivable, or a team's transfer."""
    if kind is InvoiceKind.CHARGEBACK:
        return ledger.internal_transfer(tenant_id)
    return ledger.receivable(tenant_id)


def settlement(invoice: Invoice, unbilled_micros: int) -> tuple[Posting, ...]:
    """The postings that ask for an invoice.

    Args:
        invoice: With its number.
        unbilled_micros: What stands on `unbilled` for its lines, exact: usage as it was posted,
            less what was drawn and credited. What rounding makes of it more or less goes to
            `rounding`.
    """
    unit, asks = ledger.currency(invoice.currency), asked_of(invoice.kind, invoice.tenant_id)
    unbilled = ledger.unbilled(invoice.tenant_id)
    of_usage = sum(x.amount_micros for x in invoice.lines if _against(invoice, x) == unbilled)
    postings = ledger.transfer(asks, unbilled, unit, of_usage)
    postings += ledger.transfer(ledger.ROUNDING, unbilled, unit, unbilled_micros - of_usage)
    for line in invoice.lines:
        against = _against(invoice, line)
        if against != unbilled:
            postings += ledger.transfer(asks, against, unit, line.amount_micros)
    for tax in invoice.taxes:
        payable = ledger.tax_payable(invoice.entity_id)
        postings += ledger.transfer(asks, payable, unit, tax.amount_micros)
    posted = sum(leg.amount for leg in postings if leg.account == asks)
    invariant(
        posted == invoice.total_micros,
        f"{invoice.number} asks {invoice.total_micros} and posts {posted}",
    )
    return postings


def _against(invoice: Invoice, line: InvoiceLine) -> ledger.Account:
    """Where what a line asks comes from. What the close has posted stands on `unbilled`."""
    if line.type is LineType.INSTALMENT:
        return ledger.deferred_revenue(invoice.tenant_id)
    if line.type is LineType.TRUE_UP:
        return ledger.BREAKAGE
    if line.type is LineType.RECALL_FEE:
        return ledger.RECALL_FEES
    if line.type is LineType.CARRIED:
        return ledger.customer_credit(invoice.tenant_id)
    return ledger.unbilled(invoice.tenant_id)
