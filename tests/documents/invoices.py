"""Invoices of all sorts, to make documents of."""

from collections.abc import Sequence
from dataclasses import replace

from comptoir.billing.drafts import a_line
from comptoir.billing.invoices import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    LineType,
    Party,
    TaxLine,
    check_invoice,
    tax_line,
    total_of,
)
from comptoir.leases.lease import LeaseClass
from comptoir.metering.usage import Measure
from comptoir.units.ids import InvoiceId, LegalEntityId, PeriodId, RateId, TenantId
from comptoir.units.money import round_to_minor_micros
from comptoir.units.time import MS_PER_HOUR, parse_instant

OCTOBER = (parse_instant("2026-10-01T00:00:00+02:00"), parse_instant("2026-11-01T00:00:00+01:00"))
SELLER = Party(
    "Comptoir Paris SAS", ("12 rue du Port", "75012 Paris"), "FR", "FR12345678901",
    "FR1420041010050500013M02606", "PSSTFRPPPAR",
)  # fmt: skip
BUYER = Party("Acme GmbH", ("Hafenstr. 3", "10115 Berlin"), "DE", "DE123456789")
EURO = 1_000_000


def usage(
    accelerator_ms: int = 1_024 * 744 * MS_PER_HOUR + 1_234_567,
    price_nanos: int = 2_410_000_000,
    amount_micros: int | None = None,
    currency: str = "EUR",
    **changes: object,
) -> InvoiceLine:
    """A line of usage; its amount is that of its price unless it is given."""
    exact = accelerator_ms * price_nanos
    line = InvoiceLine(
        number=0,
        description="h100-sxm reserved, delivered accelerator-hours",
        kind="h100-sxm",
        lease_class=LeaseClass.RESERVED,
        measure=Measure.DELIVERED,
        rate_id=RateId("rt_1"),
        price_nanos=price_nanos,
        starts_at_ms=OCTOBER[0],
        ends_at_ms=OCTOBER[1],
        leases=3,
        accelerator_ms=accelerator_ms,
        numerator=exact,
        amount_micros=round_to_minor_micros(exact, currency)
        if amount_micros is None
        else amount_micros,
        correction=False,
    )
    return replace(line, **changes)  # type: ignore[arg-type]


def other(type: LineType, micros: int, description: str) -> InvoiceLine:
    """A line that is not of usage."""
    return a_line(type, description, micros, OCTOBER, "cb_1")


def an_invoice(
    *lines: InvoiceLine,
    tax: tuple[str, int, str] | None = ("standard", 200_000, ""),
    kind: InvoiceKind = InvoiceKind.INVOICE,
    parties: Sequence[Party] = (SELLER, BUYER),
    currency: str = "EUR",
) -> Invoice:
    """A final invoice of October over lines, with one tax or none."""
    numbered = tuple(replace(line, number=n) for n, line in enumerate(lines or (usage(),), 1))
    taxes: tuple[TaxLine, ...] = ()
    if tax is not None:
        taxes = (tax_line(numbered, currency, tax[0], "FR", tax[1], tax[2]),)
    invoice = Invoice(
        id=InvoiceId("iv_1"),
        number="ACME-2026-000001",
        entity_id=LegalEntityId("le_1"),
        series="ACME-2026",
        sequence=1,
        kind=kind,
        tenant_id=TenantId("tn_1"),
        period_id=PeriodId("pd_1"),
        currency=currency,
        starts_at_ms=OCTOBER[0],
        ends_at_ms=OCTOBER[1],
        issued_at_ms=OCTOBER[1] + 3 * MS_PER_HOUR,
        due_at_ms=OCTOBER[1] + 30 * 24 * MS_PER_HOUR,
        total_micros=total_of(numbered, taxes),
        lines=numbered,
        taxes=taxes,
        seller=parties[0],
        buyer=parties[1],
    )
    return check_invoice(invoice)


SORTS = {
    "VAT, with credits": an_invoice(
        usage(),
        usage(1_000_000_000, 2_000_000_000, 123 * EURO),  # tiers: no one price makes it
        usage(type=LineType.TOP_UP, accelerator_ms=500, correction=True),
        other(LineType.SLA_CREDIT, -2_380_800_000, "10 % of October: node a-17 was down"),
        other(LineType.DRAWDOWN, -5_000 * EURO, "of commitment compute-2026"),
        other(LineType.ON_ACCOUNT, -100 * EURO, "top-up of 2026-10-02"),
    ),
    "reverse charge": an_invoice(tax=("reverse_charge", 0, "VAT reverse-charged, art. 196")),
    "zero-rated": an_invoice(tax=("zero", 0, "")),
    "exempt": an_invoice(tax=("exempt", 0, "exempt: certificate 17")),
    "outside the scope": an_invoice(tax=("outside", 0, "supplied outside the EU")),
    "no tax at all": an_invoice(tax=None, currency="USD"),
    "an instalment ahead": an_invoice(
        other(LineType.INSTALMENT, 50_000 * EURO, "1st of 4 of compute-2026"),
        kind=InvoiceKind.PREPAYMENT,
    ),
    "below zero, carried": an_invoice(
        usage(MS_PER_HOUR),
        other(LineType.SLA_CREDIT, -100 * EURO, "more than was used"),
        other(LineType.CARRIED, 117_110_000, "carried to credit"),
    ),
}  # fmt: skip
