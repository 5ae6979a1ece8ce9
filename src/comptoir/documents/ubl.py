"""EN 16931 as UBL 2.1 by the rules of Peppol BIS Billing 3.0.

Peppol asks for more than the model: who sends and who receives each have an electronic address.
Ours are tax ids, under the code that Peppol's list of address schemes has for their country.

Source: docs.peppol.eu/poacc/billing/3.0 (BIS Billing 3.0, code list EAS).
"""

from typing import Any, Final

from comptoir.billing.invoices import Party
from comptoir.documents.cii import means
from comptoir.documents.en16931 import QUANTITY_DIGITS, EInvoice, EInvoiceLine, EInvoiceTax
from comptoir.documents.extra import needed
from comptoir.units.errors import Refused
from comptoir.units.money import format_micros, format_minor, format_percent, format_price

CUSTOMIZATION = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
PROFILE = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
NAMESPACE = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"

VAT_SCHEMES: Final = {
    "AD": "9922", "AL": "9923", "AT": "9914", "BA": "9924", "BE": "9925", "BG": "9926",
    "CH": "9927", "CY": "9928", "CZ": "9929", "DE": "9930", "EE": "9931", "ES": "9920",
    "FR": "9957", "GB": "9932", "GR": "9933", "HR": "9934", "HU": "9910", "IE": "9935",
    "IT": "0211", "LI": "9936", "LT": "9937", "LU": "9938", "LV": "9939", "MC": "9940",
    "ME": "9941", "MK": "9942", "MT": "9943", "NL": "9944", "PL": "9945", "PT": "9946",
    "RO": "9947", "RS": "9948", "SE": "9955", "SI": "9949", "SK": "9950", "SM": "9951",
    "TR": "9952", "VA": "9953",
}  # fmt: skip
"""Electronic address schemes for VAT numbers, by country."""


def peppol_invoice(invoice: EInvoice) -> bytes:
    """The XML of an invoice.

    Raises:
        Refused: `no_peppol_address`.
        Unavailable: `documents_not_installed`.
    """
    etree = needed("lxml.etree")
    root = etree.Element(f"{{{NAMESPACE}}}Invoice", nsmap={None: NAMESPACE, "cac": CAC, "cbc": CBC})
    _write(root, _header(invoice))
    for line in invoice.lines:
        _write(root, [("cac:InvoiceLine", _line(line, invoice))])
    xml: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return xml


Content = str | list[Any]
"""Text, or elements: pairs of a name and its content, or triples with attributes between."""


def _write(parent: Any, elements: list[Any]) -> None:
    """Put elements into one; those without content are left out."""
    etree = needed("lxml.etree")
    for name, *attributes, content in elements:
        if not content:
            continue
        prefix, _, local = name.partition(":")
        space = CAC if prefix == "cac" else CBC
        child = etree.SubElement(parent, f"{{{space}}}{local}", *attributes)
        if isinstance(content, str):
            child.text = content
        else:
            _write(child, content)


def _header(invoice: EInvoice) -> list[Any]:
    return [
        ("cbc:CustomizationID", CUSTOMIZATION),
        ("cbc:ProfileID", PROFILE),
        ("cbc:ID", invoice.number),
        ("cbc:IssueDate", invoice.issue_day),
        ("cbc:DueDate", invoice.due_day),
        ("cbc:InvoiceTypeCode", invoice.type_code),
        ("cbc:DocumentCurrencyCode", invoice.currency),
        ("cbc:BuyerReference", invoice.buyer_reference),
        (
            "cac:InvoicePeriod",
            [("cbc:StartDate", invoice.first_day), ("cbc:EndDate", invoice.last_day)],
        ),
        (
            "cac:AccountingSupplierParty",
            [("cac:Party", _party("seller", invoice.seller, invoice, invoice.seller_id))],
        ),
        ("cac:AccountingCustomerParty", [("cac:Party", _party("buyer", invoice.buyer, invoice))]),
        ("cac:PaymentMeans", _payment(invoice)),
        ("cac:TaxTotal", _taxes(invoice)),
        ("cac:LegalMonetaryTotal", _totals(invoice)),
    ]


def _party(side: str, party: Party, invoice: EInvoice, seller_id: str = "") -> list[Any]:
    scheme, address = _endpoint(side, party, invoice)
    lines = [*party.address[:3], "", "", ""]
    vat = "" if invoice.outside_vat else party.tax_id.replace(" ", "")
    return [
        ("cbc:EndpointID", {"schemeID": scheme}, address),
        ("cac:PartyIdentification", [("cbc:ID", seller_id)] if seller_id else []),
        (
            "cac:PostalAddress",
            [
                ("cbc:StreetName", lines[0]),
                ("cbc:AdditionalStreetName", lines[1]),
                ("cac:AddressLine", [("cbc:Line", lines[2])] if lines[2] else []),
                ("cac:Country", [("cbc:IdentificationCode", party.country)]),
            ],
        ),
        (
            "cac:PartyTaxScheme",
            [("cbc:CompanyID", vat), ("cac:TaxScheme", [("cbc:ID", "VAT")])] if vat else [],
        ),
        ("cac:PartyLegalEntity", [("cbc:RegistrationName", party.name)]),
    ]


def _endpoint(side: str, party: Party, invoice: EInvoice) -> tuple[str, str]:
    scheme = VAT_SCHEMES.get(party.country)
    if scheme is None or not party.tax_id:
        raise Refused(
            "no_peppol_address",
            f"the {side} of {invoice.number}, {party.name}, has no electronic address: Peppol "
            f"knows tax ids of {len(VAT_SCHEMES)} countries, and it has "
            + (f"{party.tax_id} of {party.country}" if party.tax_id else "none"),
            "without Peppol: comptoir invoice pdf NUMBER --out FILE",
            {"party": side, "country": party.country},
        )
    return scheme, party.tax_id.replace(" ", "")


def _payment(invoice: EInvoice) -> list[Any]:
    if not invoice.seller.iban:
        return []
    return [
        ("cbc:PaymentMeansCode", means(invoice)),
        ("cbc:PaymentID", invoice.number),
        (
            "cac:PayeeFinancialAccount",
            [
                ("cbc:ID", invoice.seller.iban.replace(" ", "")),
                ("cac:FinancialInstitutionBranch", [("cbc:ID", invoice.seller.bic)])
                if invoice.seller.bic
                else ("cbc:Name", ""),
            ],
        ),
    ]


def _taxes(invoice: EInvoice) -> list[Any]:
    of_each = [
        (
            "cac:TaxSubtotal",
            [
                _money("TaxableAmount", tax.base_micros, invoice),
                _money("TaxAmount", tax.amount_micros, invoice),
                ("cac:TaxCategory", _category(tax, why=True)),
            ],
        )
        for tax in invoice.taxes
    ]
    return [_money("TaxAmount", invoice.tax_micros, invoice), *of_each]


def _category(tax: EInvoiceTax, why: bool = False) -> list[Any]:
    return [
        ("cbc:ID", tax.category),
        ("cbc:Percent", "" if tax.category == "O" else format_percent(tax.rate_ppm)),
        ("cbc:TaxExemptionReasonCode", tax.reason_code if why else ""),
        ("cbc:TaxExemptionReason", tax.reason if why else ""),
        ("cac:TaxScheme", [("cbc:ID", "VAT")]),
    ]


def _totals(invoice: EInvoice) -> list[Any]:
    return [
        _money("LineExtensionAmount", invoice.net_micros, invoice),
        _money("TaxExclusiveAmount", invoice.net_micros, invoice),
        _money("TaxInclusiveAmount", invoice.gross_micros, invoice),
        _money("PrepaidAmount", invoice.paid_micros, invoice),
        _money("PayableAmount", invoice.due_micros, invoice),
    ]


def _line(line: EInvoiceLine, invoice: EInvoice) -> list[Any]:
    quantity = format_micros(line.quantity_micro, QUANTITY_DIGITS)
    return [
        ("cbc:ID", str(line.number)),
        ("cbc:Note", line.note),
        ("cbc:InvoicedQuantity", {"unitCode": line.unit}, quantity),
        _money("LineExtensionAmount", line.net_micros, invoice),
        (
            "cac:InvoicePeriod",
            [("cbc:StartDate", line.first_day), ("cbc:EndDate", line.last_day)],
        ),
        (
            "cac:Item",
            [
                ("cbc:Description", line.details),
                ("cbc:Name", line.name),
                ("cac:ClassifiedTaxCategory", _category(invoice.taxes[0])),
            ],
        ),
        (
            "cac:Price",
            [("cbc:PriceAmount", {"currencyID": invoice.currency}, format_price(line.price_nanos))],
        ),
    ]


def _money(name: str, micros: int, invoice: EInvoice) -> tuple[str, dict[str, str], str]:
    amount = format_minor(micros, invoice.currency)
    return f"cbc:{name}", {"currencyID": invoice.currency}, amount
