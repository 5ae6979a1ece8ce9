"""EN 16931 as UN/CEFACT Cross Industry Invoice: the XML that Factur-X embeds, by drafthorse.

Amounts go in as exact decimals of our integers. What it gives has passed Factur-X's own schema;
the business rules (schematron) are run by the tests.

Source: Factur-X 1.0.7, profile EN 16931; github.com/pretix/python-drafthorse.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from comptoir.billing.invoices import Party
from comptoir.documents.en16931 import QUANTITY_DIGITS, EInvoice, EInvoiceLine, EInvoiceTax
from comptoir.documents.extra import needed
from comptoir.units.money import format_minor, format_percent, format_price

GUIDELINE = "urn:cen.eu:en16931:2017"
SCHEMA = "FACTUR-X_EN16931"
SEPA, TRANSFER = "58", "30"
"""Payment means, UNTDID 4461: a credit transfer within SEPA, and any other."""


def cross_industry_invoice(invoice: EInvoice) -> bytes:
    """The XML of an invoice, held to Factur-X's schema.

    Raises:
        Unavailable: `documents_not_installed`.
    """
    document = needed("drafthorse.models.document").Document()
    document.context.guideline_parameter.id = GUIDELINE
    header = document.header
    header.id, header.type_code = invoice.number, invoice.type_code
    header.issue_date_time = _day(invoice.issue_day)
    trade = document.trade
    trade.agreement.buyer_reference = invoice.buyer_reference
    with_vat = not invoice.outside_vat
    trade.agreement.seller.id = invoice.seller_id
    _party(trade.agreement.seller, invoice.seller, with_vat)
    _party(trade.agreement.buyer, invoice.buyer, with_vat)
    for line in invoice.lines:
        trade.items.add(_line(line, invoice))
    for tax in invoice.taxes:
        trade.settlement.trade_tax.add(_tax(tax, invoice))
    trade.delivery.event.occurrence = _day(invoice.last_day)
    _settlement(trade.settlement, invoice)
    xml: bytes = document.serialize(schema=SCHEMA)
    return xml


def means(invoice: EInvoice) -> str:
    """How it is to be paid."""
    return SEPA if invoice.currency == "EUR" else TRANSFER


def _settlement(settlement: Any, invoice: EInvoice) -> None:
    settlement.currency_code = invoice.currency
    settlement.period.start = _day(invoice.first_day)
    settlement.period.end = _day(invoice.last_day)
    if invoice.seller.iban:
        payment = needed("drafthorse.models.payment").PaymentMeans()
        payment.type_code = means(invoice)
        payment.payee_account.iban = invoice.seller.iban.replace(" ", "")
        if invoice.seller.bic:
            payment.payee_institution.bic = invoice.seller.bic
        settlement.payment_means.add(payment)
        settlement.payment_reference = invoice.number
    terms = needed("drafthorse.models.payment").PaymentTerms()
    terms.due = _day(invoice.due_day)
    settlement.terms.add(terms)
    sums = settlement.monetary_summation
    sums.line_total = _money(invoice.net_micros, invoice)
    sums.charge_total = sums.allowance_total = _money(0, invoice)
    sums.tax_basis_total = _money(invoice.net_micros, invoice)
    sums.tax_total = (_money(invoice.tax_micros, invoice), invoice.currency)
    sums.grand_total = _money(invoice.gross_micros, invoice)
    sums.prepaid_total = _money(invoice.paid_micros, invoice)
    sums.due_amount = _money(invoice.due_micros, invoice)


def _party(into: Any, party: Party, with_vat: bool) -> None:
    into.name = party.name
    lines = [*party.address[:3], "", "", ""]
    into.address.line_one, into.address.line_two, into.address.line_three = lines[:3]
    into.address.country_id = party.country
    if party.tax_id and with_vat:
        registration = needed("drafthorse.models.party").TaxRegistration()
        registration.id = ("VA", party.tax_id.replace(" ", ""))
        into.tax_registrations.add(registration)


def _line(line: EInvoiceLine, invoice: EInvoice) -> Any:
    item = needed("drafthorse.models.tradelines").LineItem()
    item.document.line_id = str(line.number)
    if line.note:
        note = needed("drafthorse.models.note").IncludedNote()
        note.content = line.note
        item.document.notes.add(note)
    item.product.name = line.name
    if line.details:
        item.product.description = line.details
    item.agreement.net.amount = Decimal(format_price(line.price_nanos))
    quantity = Decimal(line.quantity_micro).scaleb(-QUANTITY_DIGITS)
    item.delivery.billed_quantity = (quantity, line.unit)
    tax = invoice.taxes[0]
    item.settlement.trade_tax.type_code = "VAT"
    item.settlement.trade_tax.category_code = tax.category
    if tax.category != "O":
        item.settlement.trade_tax.rate_applicable_percent = Decimal(format_percent(tax.rate_ppm))
    item.settlement.period.start = _day(line.first_day)
    item.settlement.period.end = _day(line.last_day)
    item.settlement.monetary_summation.total_amount = _money(line.net_micros, invoice)
    return item


def _tax(tax: EInvoiceTax, invoice: EInvoice) -> Any:
    into = needed("drafthorse.models.accounting").ApplicableTradeTax()
    into.calculated_amount = _money(tax.amount_micros, invoice)
    into.type_code = "VAT"
    into.exemption_reason = tax.reason
    into.basis_amount = _money(tax.base_micros, invoice)
    into.category_code = tax.category
    into.exemption_reason_code = tax.reason_code
    if tax.category != "O":
        into.rate_applicable_percent = Decimal(format_percent(tax.rate_ppm))
    return into


def _money(micros: int, invoice: EInvoice) -> Decimal:
    return Decimal(format_minor(micros, invoice.currency))


def _day(text: str) -> date:
    return date.fromisoformat(text)
