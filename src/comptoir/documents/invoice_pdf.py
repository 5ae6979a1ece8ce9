"""An invoice as a page that people read: PDF/A-3b by typst, with the e-invoice embedded.

The same invoice makes the same bytes: fonts are typst's own, the time in it is when the invoice
was issued. Factur-X wants to be named in the file's metadata; typst cannot say it, so that stream
alone is written again (`factur_x`).
"""

import json
import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from comptoir.billing.invoices import SETTLING, Invoice, InvoiceKind, InvoiceLine, Party
from comptoir.documents.cii import cross_industry_invoice
from comptoir.documents.en16931 import HOUR, electronic, measured, why_not
from comptoir.documents.extra import needed
from comptoir.documents.factur_x import named_in
from comptoir.documents.words import Words
from comptoir.units.errors import Refused, invariant
from comptoir.units.money import MINOR_DIGITS, format_micros, format_percent, format_price
from comptoir.units.time import MS_PER_HOUR, format_day

_UNDISPLAYED = re.compile(r'the text `"(.+?)"` could not be displayed')


def invoice_pdf(invoice: Invoice, zone: str, words: Words) -> bytes:
    """The PDF of an invoice or a chargeback statement.

    Where it can be an electronic invoice (`why_not`), that is embedded.

    Args:
        invoice: Final.
        zone: The seller's, in which its days are.
        words: The language.

    Raises:
        Refused: `letter_not_in_fonts`.
        Unavailable: `documents_not_installed`.
    """
    inputs = {"data": json.dumps(page_of(invoice, zone, words))}
    xml = None
    if why_not(invoice) is None:
        xml = cross_industry_invoice(electronic(invoice, zone, words))
        inputs["xml"] = xml.decode()
    pdf = _typeset(inputs, datetime.fromtimestamp(invoice.issued_at_ms // 1_000, UTC))
    return pdf if xml is None else named_in(pdf)


def _typeset(inputs: dict[str, str], at: datetime) -> bytes:
    """By typst's own fonts; where a letter is in none of them, by this machine's, too."""
    typst = needed("typst")
    for own_only in (True, False):
        try:
            pdf: bytes = typst.compile(
                _template(), ignore_system_fonts=own_only, sys_inputs=inputs,
                pdf_standards=["a-3b"], timestamp=at,
            )  # fmt: skip
        except typst.TypstError as error:
            letter = _UNDISPLAYED.search(str(error))
            invariant(letter is not None, f"the page of an invoice does not compile: {error}")
        else:
            return pdf
    raise Refused(
        "letter_not_in_fonts",
        f"no font here has the letter {letter.group(1) if letter else '?'}",
        "install one that has it where the server runs, such as Debian's fonts-noto-cjk",
    )


@cache
def _template() -> bytes:
    return files("comptoir.documents").joinpath("invoice.typ").read_bytes()


def page_of(invoice: Invoice, zone: str, words: Words) -> dict[str, Any]:
    """All that stands on the page, as text in its language."""
    asks = invoice.kind is not InvoiceKind.CHARGEBACK
    lines = [line for line in invoice.lines if line.type not in SETTLING]
    return {
        "language": words.code,
        "title": words.titles[invoice.kind],
        "number": invoice.number,
        "issued": format_day(invoice.issued_at_ms, zone),
        "due": format_day(invoice.due_at_ms, zone) if asks else "",
        "first": format_day(invoice.starts_at_ms, zone),
        "last": format_day(max(invoice.starts_at_ms, invoice.ends_at_ms - 1), zone),
        "seller": _party(invoice.seller),
        "buyer": _party(invoice.buyer),
        "lines": [_line(line, invoice, words) for line in lines],
        "totals": _totals(invoice, words),
        "asked": {
            "name": words.labels["due_amount" if asks else "gross"],
            "amount": _money(invoice.total_micros, invoice.currency, words),
        },
        "notes": _notes(invoice, words),
        "pay": _pay(invoice) if asks and invoice.total_micros > 0 else None,
        "labels": words.labels,
    }


def _party(party: Party) -> dict[str, Any]:
    where = [*party.address, party.country] if party.country else [*party.address]
    return {"name": party.name, "lines": where, "tax_id": party.tax_id}


def _line(line: InvoiceLine, invoice: Invoice, words: Words) -> dict[str, Any]:
    _, unit, price_nanos = measured(line, invoice.currency)
    more = [line.description] if line.reference or not line.kind else []
    if line.correction:
        more.append(words.late)
    shown, price = "", ""
    if unit == HOUR:
        shown, price = _hours(line, words), _number(format_price(price_nanos), words)
    elif line.accelerator_ms:
        shown = _hours(line, words)
    amount = _money(line.amount_micros, invoice.currency, words)
    return {
        "name": words.line(line), "more": more, "quantity": shown, "price": price, "amount": amount,
    }  # fmt: skip


def _hours(line: InvoiceLine, words: Words) -> str:
    """Accelerator-hours, to the thousandth."""
    thousandths = line.accelerator_ms * 1_000 // MS_PER_HOUR
    return f"{_number(format_micros(thousandths * 1_000, 3), words)} {words.labels['hours']}"


def _totals(invoice: Invoice, words: Words) -> list[dict[str, str]]:
    code = invoice.currency
    rows = [(words.labels["net"], invoice.net_micros)]
    for tax in invoice.taxes:
        base = _money(tax.base_micros, code, words)
        name = f"{words.treatments[tax.treatment]} {_number(format_percent(tax.rate_ppm), words)} %"
        rows.append((f"{name} {words.labels['on']} {base}", tax.amount_micros))
    settling = [line for line in invoice.lines if line.type in SETTLING]
    if invoice.taxes and settling:
        gross = invoice.net_micros + sum(tax.amount_micros for tax in invoice.taxes)
        rows.append((words.labels["gross"], gross))
    rows += [(words.types[line.type], line.amount_micros) for line in settling]
    return [{"name": name, "amount": _money(micros, code, words)} for name, micros in rows]


def _notes(invoice: Invoice, words: Words) -> list[str]:
    notes = [f"{words.labels['currency']} {invoice.currency}."]
    notes += [tax.note for tax in invoice.taxes if tax.note]
    if not invoice.taxes and invoice.kind is not InvoiceKind.CHARGEBACK:
        notes.append(f"{words.not_taxed}.")
    if invoice.kind is InvoiceKind.CHARGEBACK:
        notes.append(words.labels["nothing"])
    return notes


def _pay(invoice: Invoice) -> dict[str, str] | None:
    if not invoice.seller.iban:
        return None
    return {"iban": invoice.seller.iban, "bic": invoice.seller.bic}


def _money(micros: int, currency: str, words: Words) -> str:
    digits = MINOR_DIGITS[currency]
    return f"{_number(format_micros(micros, digits), words)} {currency}"


def _number(text: str, words: Words) -> str:
    """A decimal string as the language writes numbers."""
    sign = "\u2212" if text.startswith("-") else ""
    whole, point, rest = text.lstrip("-").partition(".")
    grouped = f"{int(whole):,}".replace(",", words.thousands)
    return f"{sign}{grouped}{words.decimal + rest if point else ''}"
