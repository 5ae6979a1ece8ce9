"""Invoices and chargeback statements: open accruals become lines, each rounded once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from comptoir.billing.accruals import Accrual
from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.ledger.entries import Posting
from comptoir.metering.usage import Measure
from comptoir.pricing.charges import ChargeRow
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import invariant
from comptoir.units.ids import InvoiceId, RateId, TenantId
from comptoir.units.money import round_to_minor_micros
from comptoir.units.time import MS_PER_S


class InvoiceKind(StrEnum):
    """A customer is asked to pay; a team is shown what it used."""

    INVOICE = "invoice"
    CHARGEBACK = "chargeback"


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One price of one rate in one month. `amount_micros` is whole minor units of the currency."""

    number: int
    description: str
    kind: str
    lease_class: LeaseClass
    measure: Measure
    rate_id: RateId
    price_nanos: int
    starts_at_ms: int
    ends_at_ms: int
    leases: int
    accelerator_ms: int
    numerator: int
    amount_micros: int
    correction: bool


@dataclass(frozen=True, slots=True)
class Invoice:
    """Final from the moment it exists: it is never edited and never deleted."""

    id: InvoiceId
    number: str
    series: str
    sequence: int
    kind: InvoiceKind
    tenant_id: TenantId
    currency: str
    starts_at_ms: int
    ends_at_ms: int
    issued_at_ms: int
    total_micros: int
    lines: tuple[InvoiceLine, ...]


_WORDS = {
    ChargeRow.USAGE: "{} accelerator-hours",
    ChargeRow.TOP_UP: "accelerator-hours up to the minimum or the whole step",
}


def series_of(tenant: Tenant, issued_at_ms: int) -> str:
    """The tenant's invoice series of the year: "ACME-2026"."""
    year = datetime.fromtimestamp(issued_at_ms // MS_PER_S, UTC).year
    return f"{tenant.slug.upper()}-{year}"


def draw_up(
    invoice_id: InvoiceId,
    tenant: Tenant,
    accruals: Sequence[Accrual],
    sequence: int,
    issued_at_ms: int,
) -> tuple[Invoice, dict[str, int], tuple[Posting, ...]]:
    """The invoice over `accruals`, and the postings that settle them.

    Args:
        invoice_id: The new invoice's id.
        tenant: Whose accruals these are.
        accruals: Open ones, of one currency, at least one.
        sequence: The next number of the tenant's series of this year.
        issued_at_ms: Now.

    Returns:
        The invoice; the line number each accrual went to, by accrual id; postings that
        clear `unbilled`, ask for whole minor units, and leave the rest in `rounding`.
    """
    invariant(bool(accruals), "an invoice needs something to bill")
    currency = accruals[0].currency
    groups: dict[tuple[int, RateId, str, int, str, bool], list[Accrual]] = {}
    for accrual in accruals:
        invariant(accrual.currency == currency, "one invoice, one currency")
        invariant(accrual.tenant_id == tenant.id, "one invoice, one tenant")
        key = (
            accrual.service_month_ms, accrual.rate_id, accrual.contract_version_id,
            -accrual.price_nanos, accrual.row.value, accrual.correction,
        )  # fmt: skip
        groups.setdefault(key, []).append(accrual)
    lines = tuple(
        _line(number, groups[key], currency) for number, key in enumerate(sorted(groups), 1)
    )
    placed = {
        str(accrual.id): number
        for number, key in enumerate(sorted(groups), 1)
        for accrual in groups[key]
    }
    series = series_of(tenant, issued_at_ms)
    invoice = Invoice(
        id=invoice_id,
        number=f"{series}-{sequence:06d}",
        series=series,
        sequence=sequence,
        kind=InvoiceKind.CHARGEBACK if tenant.is_internal else InvoiceKind.INVOICE,
        tenant_id=tenant.id,
        currency=currency,
        starts_at_ms=min(line.starts_at_ms for line in lines),
        ends_at_ms=max(line.ends_at_ms for line in lines),
        issued_at_ms=issued_at_ms,
        total_micros=sum(line.amount_micros for line in lines),
        lines=lines,
    )
    return invoice, placed, _settlement(invoice, tenant, accruals)


def _line(number: int, accruals: Sequence[Accrual], currency: str) -> InvoiceLine:
    first = accruals[0]
    numerator = sum(accrual.numerator for accrual in accruals)
    return InvoiceLine(
        number=number,
        description=f"{first.kind} {first.lease_class}, {_WORDS[first.row]}".format(first.measure),
        kind=first.kind,
        lease_class=first.lease_class,
        measure=first.measure,
        rate_id=first.rate_id,
        price_nanos=first.price_nanos,
        starts_at_ms=min(accrual.first_at_ms for accrual in accruals),
        ends_at_ms=max(accrual.last_at_ms for accrual in accruals),
        leases=len({accrual.lease_id for accrual in accruals}),
        accelerator_ms=sum(accrual.accelerator_ms for accrual in accruals),
        numerator=numerator,
        amount_micros=round_to_minor_micros(numerator, currency),
        correction=first.correction,
    )


def _settlement(
    invoice: Invoice, tenant: Tenant, accruals: Sequence[Accrual]
) -> tuple[Posting, ...]:
    unit = ledger.currency(invoice.currency)
    unbilled = ledger.unbilled(tenant.id)
    account = ledger.internal_transfer if tenant.is_internal else ledger.receivable
    posted = sum(accrual.posted_micros for accrual in accruals)
    return (
        *ledger.transfer(account(tenant.id), unbilled, unit, invoice.total_micros),
        *ledger.transfer(ledger.ROUNDING, unbilled, unit, posted - invoice.total_micros),
    )
