"""The client's way to periods, invoices and credit notes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from comptoir.client.invoice_records import (
    CreditNote,
    Invoice,
    InvoiceDetail,
    InvoiceDraft,
    Period,
    Statements,
)
from comptoir.client.parties import PAGE
from comptoir.client.receipt_records import Approval
from comptoir.client.transport import Transport, path_of


class Periods:
    """Months of legal entities, and their close."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def close(self, period: str, entity: str = "house") -> Period:
        """Begin to close a month such as "2026-10"; the server goes on by itself."""
        body = {"entity": entity, "period": period}
        return cast(Period, self._transport.write("POST", path_of("periods"), body))

    def list(self, entity: str | None = None) -> Iterator[Period]:
        """Periods that are closing or closed, newest first."""
        return self._transport.pages(path_of("periods"), PAGE, entity=entity)


class Invoices:
    """Invoices and chargeback statements: drafts, final ones, and what becomes of them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def issue(self, tenant: str, until: str | None = None) -> InvoiceDetail:
        """Bill what a tenant has used and not been billed, by default up to now."""
        body = {"tenant": tenant, "until": until}
        return cast(InvoiceDetail, self._transport.write("POST", path_of("invoices"), body))

    def list(self, tenant: str | None = None) -> Iterator[Invoice]:
        """Every invoice that you may see."""
        return self._transport.pages(path_of("invoices"), PAGE, tenant=tenant)

    def get(self, invoice: str) -> InvoiceDetail:
        """One invoice, by its id or its number."""
        return cast(InvoiceDetail, self._transport.get(path_of("invoices", invoice)))

    def pdf(self, invoice: str, language: str = "en") -> tuple[bytes, str]:
        """An invoice as a PDF, and which e-invoice is in it: "EN 16931", or "none: why"."""
        path = path_of("invoices", invoice, "pdf")
        body, headers = self._transport.get_bytes(path, language=language)
        return body, headers["comptoir-e-invoice"]

    def xml(self, invoice: str, profile: str = "factur-x", language: str = "en") -> bytes:
        """An invoice as XML: "factur-x" (CII) or "peppol" (UBL)."""
        path = path_of("invoices", invoice, "xml")
        return self._transport.get_bytes(path, profile=profile, language=language)[0]

    def drafts(
        self, tenant: str | None = None, period: str | None = None, entity: str | None = None
    ) -> Iterator[InvoiceDraft]:
        """Invoices that are not final yet; of a period by its id or name, of an entity by its id
        or slug."""
        named = {"tenant": tenant, "period": period, "entity": entity}
        return self._transport.pages(path_of("invoice-drafts"), PAGE, **named)

    def draft(self, draft: str) -> InvoiceDraft:
        """One invoice that is not final yet, by its id."""
        return cast(InvoiceDraft, self._transport.get(path_of("invoice-drafts", draft)))

    def finalise(self, draft: str) -> InvoiceDetail:
        """Give a draft its number and ask for it."""
        path = path_of("invoice-drafts", draft, "finalise")
        return cast(InvoiceDetail, self._transport.write("POST", path, {}))

    def preview(self, tenant: str) -> Sequence[InvoiceDraft]:
        """What the current invoice would ask if its period ended now, one a currency."""
        found = self._transport.get(path_of("tenants", tenant, "invoice-preview"))
        return cast("Sequence[InvoiceDraft]", found["items"])

    def prepay(self, tenant: str) -> Sequence[InvoiceDraft]:
        """Draw up the instalments of commitments whose day has come."""
        path = path_of("tenants", tenant, "prepayments")
        return cast("Sequence[InvoiceDraft]", self._transport.write("POST", path, {})["items"])

    def statement(
        self, tenant: str, since: str | None = None, until: str | None = None
    ) -> Statements:
        """A tenant's account: what it was asked and what it paid."""
        path = path_of("tenants", tenant, "statement")
        return cast(Statements, self._transport.get(path, since=since, until=until))


class CreditNotes:
    """Invoices taken back, in part or whole."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def issue(
        self, invoice: str, reason: str, lines: Mapping[int, str | None] | None = None
    ) -> Approval:
        """Ask to credit lines (line -> amount, None for all of it), or the whole invoice."""
        body = {
            "reason": reason,
            "lines": [{"line": n, "amount": amount} for n, amount in (lines or {}).items()],
        }
        path = path_of("invoices", invoice, "credit-notes")
        return cast(Approval, self._transport.write("POST", path, body))

    def list(self, tenant: str | None = None, invoice: str | None = None) -> Iterator[CreditNote]:
        """Every credit note that you may see, newest first."""
        return self._transport.pages(path_of("credit-notes"), PAGE, tenant=tenant, invoice=invoice)

    def get(self, note: str) -> CreditNote:
        """One credit note, by its id or its number."""
        return cast(CreditNote, self._transport.get(path_of("credit-notes", note)))
