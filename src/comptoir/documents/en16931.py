"""An invoice by the European semantic model, EN 16931-1: what every syntax of it says.

The numbers behind the names are the standard's business terms (BT) and groups (BG). Amounts and
quantities are integers until they are written; `cii` and `ubl` write them. Invariants: the lines
make the net, net and tax make the gross, gross less paid is due; each line is its quantity times
its price within a cent, and no price is below zero (BR-27).

Source: EN 16931-1:2017; UNTDID 1001, 4461, 5305; UN/ECE Recommendation 20 (HUR, C62).
"""

from dataclasses import dataclass

from comptoir.billing.invoices import (
    SETTLING,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    LineType,
    Party,
    TaxLine,
)
from comptoir.billing.tax import Treatment
from comptoir.documents.words import Words
from comptoir.units.errors import Refused, invariant
from comptoir.units.money import round_to_minor_micros
from comptoir.units.time import MS_PER_HOUR, format_day

HOUR = "HUR"
ONE = "C62"
QUANTITY_DIGITS = 6
"""Decimals of a quantity: an accelerator-hour to the microhour, 3.6 milliseconds."""

CENT_MICROS = 10_000

CATEGORIES = {
    Treatment.STANDARD: "S",
    Treatment.REVERSE_CHARGE: "AE",
    Treatment.ZERO: "Z",
    Treatment.EXEMPT: "E",
    Treatment.OUTSIDE: "O",
}
"""Duty or tax category codes, UNTDID 5305."""

REASON_CODES = {"AE": "VATEX-EU-AE", "O": "VATEX-EU-O"}
TYPES = {InvoiceKind.INVOICE: "380", InvoiceKind.PREPAYMENT: "386"}
"""Document name codes, UNTDID 1001: a commercial invoice, a prepayment invoice."""


@dataclass(frozen=True, slots=True)
class EInvoiceLine:
    """BG-25: its name (BT-153), what else it says (BT-154, BT-127), what it asks.

    `quantity_micro` (BT-129) is negative where the line gives back.
    """

    number: int
    name: str
    details: str
    note: str
    quantity_micro: int
    unit: str
    price_nanos: int
    net_micros: int
    first_day: str
    last_day: str


@dataclass(frozen=True, slots=True)
class EInvoiceTax:
    """BG-23: one category and rate, with why nothing is asked (BT-120, BT-121)."""

    category: str
    rate_ppm: int
    base_micros: int
    amount_micros: int
    reason: str
    reason_code: str


@dataclass(frozen=True, slots=True)
class EInvoice:
    """What an electronic invoice says. Days are local to the seller, the last one included.

    `seller_id` (BT-29) names the seller also where no VAT id may (BR-CO-26).
    """

    number: str
    type_code: str
    currency: str
    issue_day: str
    due_day: str
    first_day: str
    last_day: str
    seller_id: str
    seller: Party
    buyer: Party
    buyer_reference: str
    lines: tuple[EInvoiceLine, ...]
    taxes: tuple[EInvoiceTax, ...]
    net_micros: int
    tax_micros: int
    gross_micros: int
    paid_micros: int
    due_micros: int

    @property
    def outside_vat(self) -> bool:
        """Whether it is not subject to VAT: then nobody's VAT id may stand on it (BR-O-02)."""
        return any(tax.category == "O" for tax in self.taxes)


def why_not(invoice: Invoice) -> Refused | None:
    """Why an invoice cannot be an electronic one; None where it can."""
    if invoice.kind not in TYPES:
        return Refused(
            "not_an_invoice",
            f"{invoice.number} is a chargeback: it asks nobody outside for money",
            "print it: comptoir invoice pdf NUMBER --out FILE",
        )
    if invoice.opening_id is not None:
        return Refused(
            "not_our_invoice",
            f"{invoice.number} was issued by another system, which brought it here",
            "take its document from that system",
        )
    for side, party in (("seller", invoice.seller), ("buyer", invoice.buyer)):
        if not party.country:
            return Refused(
                "party_incomplete",
                f"{invoice.number} does not say the {side}'s country, which EN 16931 asks for",
                "set the entity's country" if side == "seller" else "admit the customer first",
                {"party": side, "field": "country"},
            )
    if len(invoice.taxes) > 1:
        return Refused(
            "taxes_not_by_line",
            f"{invoice.number} has {len(invoice.taxes)} taxes, and no line says which is its own",
            "take its document from the system that issued it",
        )
    return None


def electronic(invoice: Invoice, zone: str, words: Words, reference: str = "") -> EInvoice:
    """An invoice by the semantic model.

    Args:
        invoice: Final.
        zone: The seller's, in which its days are.
        words: The language that its lines are named in.
        reference: What the buyer knows it by (BT-10): its contract, or its own word.

    Raises:
        Refused: `not_an_invoice`, `not_our_invoice`, `party_incomplete`, `taxes_not_by_line`.
    """
    refused = why_not(invoice)
    if refused is not None:
        raise refused
    lines = tuple(
        _line(line, invoice.currency, zone, words)
        for line in invoice.lines
        if line.type not in SETTLING
    )
    taxes = tuple(map(_tax, invoice.taxes)) or (_no_tax(invoice.net_micros, words),)
    tax_micros = sum(tax.amount_micros for tax in taxes)
    paid = -sum(line.amount_micros for line in invoice.lines if line.type in SETTLING)
    gross = invoice.net_micros + tax_micros
    invariant(gross - paid == invoice.total_micros, f"{invoice.number} asks {invoice.total_micros}")
    return EInvoice(
        invoice.number,
        TYPES[invoice.kind],
        invoice.currency,
        format_day(invoice.issued_at_ms, zone),
        format_day(invoice.due_at_ms, zone),
        format_day(invoice.starts_at_ms, zone),
        _last_day(invoice.starts_at_ms, invoice.ends_at_ms, zone),
        invoice.entity_id,
        invoice.seller,
        invoice.buyer,
        reference or invoice.tenant_id,
        lines,
        taxes,
        invoice.net_micros,
        tax_micros,
        gross,
        paid,
        invoice.total_micros,
    )


def _line(line: InvoiceLine, currency: str, zone: str, words: Words) -> EInvoiceLine:
    quantity, unit, price = measured(line, currency)
    return EInvoiceLine(
        line.number,
        words.line(line),
        "" if line.type in (LineType.USAGE, LineType.TOP_UP) else line.description,
        words.late if line.correction else "",
        quantity,
        unit,
        price,
        line.amount_micros,
        format_day(line.starts_at_ms, zone),
        _last_day(line.starts_at_ms, line.ends_at_ms, zone),
    )


def measured(line: InvoiceLine, currency: str) -> tuple[int, str, int]:
    """The quantity, its unit and the price of a line, which make its amount.

    Usage is told in accelerator-hours at its price. Where that does not make the amount (tiers,
    a minimum), and for what is not usage, it is one of the amount itself.
    """
    quantity = line.accelerator_ms * 10**QUANTITY_DIGITS // MS_PER_HOUR
    if line.type is LineType.USAGE and quantity and line.price_nanos:
        numerator = quantity * line.price_nanos * MS_PER_HOUR // 10**QUANTITY_DIGITS
        made = round_to_minor_micros(numerator, currency)
        if abs(made - line.amount_micros) <= CENT_MICROS:
            return quantity, HOUR, line.price_nanos
    sign = -1 if line.amount_micros < 0 else 1
    return sign * 10**QUANTITY_DIGITS, ONE, abs(line.amount_micros) * 1_000


def _tax(tax: TaxLine) -> EInvoiceTax:
    category = CATEGORIES[Treatment(tax.treatment)]
    reason = "" if category in ("S", "Z") else tax.note or str(tax.treatment)
    return EInvoiceTax(
        category,
        tax.rate_ppm,
        tax.base_micros,
        tax.amount_micros,
        reason,
        REASON_CODES.get(category, ""),
    )


def _no_tax(net_micros: int, words: Words) -> EInvoiceTax:
    """An invoice without tax lines: its seller has no tax id, so it is not subject to VAT."""
    return EInvoiceTax("O", 0, net_micros, 0, words.not_taxed, REASON_CODES["O"])


def _last_day(starts_at_ms: int, ends_at_ms: int, zone: str) -> str:
    return format_day(max(starts_at_ms, ends_at_ms - 1), zone)
