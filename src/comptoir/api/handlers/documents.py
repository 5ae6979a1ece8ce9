"""Documents of invoices: PDF and XML, made anew for whoever asks, the same bytes each time."""

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import Query, Response

from comptoir.api.door import Ask
from comptoir.api.handlers.invoices import found_invoice
from comptoir.api.words import InvoiceWord
from comptoir.billing.invoices import Invoice
from comptoir.documents.cii import cross_industry_invoice
from comptoir.documents.en16931 import electronic, why_not
from comptoir.documents.invoice_pdf import invoice_pdf
from comptoir.documents.ubl import peppol_invoice
from comptoir.documents.words import words_of
from comptoir.store.views import entities

PDF, XML = "application/pdf", "application/xml"
EMBEDDED = "Comptoir-E-Invoice"
"""A header: the profile of the e-invoice in a PDF, or "none" and why."""

Language = Annotated[Literal["en", "fr"], Query()]
Profile = Annotated[Literal["factur-x", "peppol"], Query()]


async def get_invoice_pdf(ask: Ask, invoice: InvoiceWord, language: Language = "en") -> Response:
    """An invoice as a PDF, with its EN 16931 XML embedded (Factur-X) where it can be one."""
    words = words_of(language)
    body, found = await _made(ask, invoice, lambda one, zone: invoice_pdf(one, zone, words))
    refused = why_not(found)
    headers = {EMBEDDED: "EN 16931" if refused is None else f"none: {refused.code}"}
    return Response(body, media_type=PDF, headers=headers)


async def get_invoice_xml(
    ask: Ask, invoice: InvoiceWord, profile: Profile = "factur-x", language: Language = "en"
) -> Response:
    """An invoice as XML for machines: Factur-X's (CII), or Peppol BIS Billing 3.0's (UBL)."""
    words = words_of(language)
    writes = peppol_invoice if profile == "peppol" else cross_industry_invoice
    body, _ = await _made(ask, invoice, lambda one, zone: writes(electronic(one, zone, words)))
    return Response(body, media_type=XML)


async def _made(
    ask: Ask, named: str, make: Callable[[Invoice, str], bytes]
) -> tuple[bytes, Invoice]:
    """What is made of an invoice that may be seen, in a thread of its own."""
    invoice = (await found_invoice(ask, named)).invoice
    seller = await ask.read(entities.entity, invoice.entity_id)
    zone = "UTC" if seller is None else seller.zone
    return await ask.work(make, invoice, zone), invoice
