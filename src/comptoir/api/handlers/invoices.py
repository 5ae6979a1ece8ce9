"""Periods, drafts, invoices, credit notes, statements of account."""

from collections.abc import Callable
from typing import Any

from fastapi import Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.encoding import encode, instant, money
from comptoir.api.handlers.approvals import ask_for
from comptoir.api.shapes import invoices as shapes
from comptoir.api.words import Id, InstantWord, InvoiceWord, NumberWord, Pages, Word
from comptoir.billing.credit_notes import CreditNote
from comptoir.billing.drafts import InvoiceDraft
from comptoir.billing.invoice_status import opened, paid
from comptoir.billing.invoices import Invoice
from comptoir.desk import close_requests as requests
from comptoir.desk.approval_requests import Act
from comptoir.desk.requests import IssueInvoice
from comptoir.store.views import close as views
from comptoir.store.views.close import Billed
from comptoir.store.views.tenant_book import preview
from comptoir.tenants.permissions import not_found
from comptoir.units.ids import InvoiceId, LegalEntityId, TenantId
from comptoir.units.time import parse_instant


async def close_period(ask: Ask, body: shapes.PeriodBody) -> Response:
    """Begin to close a month of a legal entity; the server goes on by itself."""
    request = requests.ClosePeriod(LegalEntityId(body.entity), body.period)
    return await ask.do("close_period", request, status=201)


async def list_periods(ask: Ask, pages: Pages, entity: Word = None) -> Response:
    """Periods that are closing or closed, newest first."""
    return await ask.page("periods", pages, views.periods, entity=entity)


async def list_drafts(
    ask: Ask, pages: Pages, tenant: Word = None, period: Word = None, entity: Word = None
) -> Response:
    """Invoices that are not final, newest first; a period by its id or name, a legal entity by its
    id or slug."""
    return await ask.page(
        "invoice-drafts",
        pages,
        views.drafts,
        _draft,
        tenant_id=ask.of_tenant(tenant),
        period=period,
        entity=entity,
    )


async def get_draft(ask: Ask, draft: Id) -> Response:
    """One invoice that is not final, with its lines, by its id."""
    found = await ask.read(views.draft, draft)
    if found is None:
        raise not_found(f"draft {draft}")
    return said(_draft(found))


async def finalise_invoice(ask: Ask, draft: Id) -> Response:
    """Give a draft its number and ask for it; it is never edited again."""
    request = requests.DraftRef(InvoiceId(draft))
    return await ask.do("finalise_invoice", request, _issued(ask), 201)


async def preview_invoice(ask: Ask, tenant: Id) -> Response:
    """What the current invoice would ask if its period ended now."""
    now_ms = ask.door.desk.clock.now_ms()
    return said(_drafts(await ask.read(preview, ask.tenant(tenant).id, now_ms)))


async def draw_up_prepayments(ask: Ask, tenant: Id) -> Response:
    """Draw up the instalments of commitments whose day has come, as drafts of prepayments."""
    request = requests.PreviewInvoice(TenantId(tenant))
    return await ask.do("draw_up_prepayments", request, _drafts, 201)


async def issue_invoice(ask: Ask, body: shapes.InvoiceBody) -> Response:
    """Issue an invoice, or a team's chargeback statement, over what is not yet billed."""
    until: Any = body.until
    request = IssueInvoice(TenantId(body.tenant), until)
    return await ask.do("issue_invoice", request, _issued(ask), 201)


async def list_invoices(ask: Ask, pages: Pages, tenant: Word = None) -> Response:
    """Invoices, newest first, without their lines."""
    return await ask.page(
        "invoices", pages, views.invoices, _billed, tenant_id=ask.of_tenant(tenant)
    )


async def get_invoice(ask: Ask, invoice: InvoiceWord) -> Response:
    """One invoice with its lines, by id or number."""
    return said(_billed(await found_invoice(ask, invoice), lines=True))


async def credit_invoice(ask: Ask, invoice: InvoiceWord, body: shapes.CreditNoteBody) -> Response:
    """Ask to credit lines of an invoice, or all of it: the only way to take it back."""
    found = await ask.read(views.invoice, invoice)
    if found is None:
        raise not_found(f"invoice {invoice}")
    lines = tuple((line.line, line.amount) for line in body.lines)
    request = requests.CreditInvoice(found.invoice.id, body.reason, lines)
    return await ask_for(ask, Act(credit_note=request))


async def list_credit_notes(
    ask: Ask, pages: Pages, tenant: Word = None, invoice: NumberWord = None
) -> Response:
    """Credit notes, newest first; of one invoice by its id or number."""
    return await ask.page(
        "credit-notes",
        pages,
        views.credit_notes,
        _note,
        tenant_id=ask.of_tenant(tenant),
        invoice=invoice,
    )


async def get_credit_note(ask: Ask, note: Id) -> Response:
    """One credit note, by id or number."""
    found = await ask.read(views.credit_note, note)
    if found is None or not ask.sees(found.tenant_id):
        raise not_found(f"credit note {note}")
    return said(_note(found))


async def give_statement(
    ask: Ask, tenant: Id, since: InstantWord = None, until: InstantWord = None
) -> Response:
    """A tenant's account: what it was asked and what it paid, from `since` to `until`."""
    found = ask.tenant(tenant)
    window = (
        0 if since is None else parse_instant(since),
        # With what was booked in this very millisecond.
        ask.door.desk.clock.now_ms() + 1 if until is None else parse_instant(until),
    )
    accounts = await ask.read(views.statement, found.id, found.is_internal, window)
    items = [
        {
            "currency": account.currency,
            "opening": money(account.opening_micros),
            "closing": money(account.closing_micros),
            "owed": money(account.owed_micros),
            "charged_back": found.is_internal,
            "credit": money(account.credit_micros),
            "entries": [encode(entry, house=True) for entry in account.entries],
        }
        for account in accounts
    ]
    starts, ends = map(instant, window)
    return said({"tenant_id": found.id, "starts_at": starts, "ends_at": ends, "items": items})


async def found_invoice(ask: Asking, invoice: str) -> Billed:
    """An invoice by its id or number, if this actor may know of it.

    Raises:
        NotFound: there is none, or it is another tenant's.
    """
    found = await ask.read(views.invoice, invoice)
    if found is None or not ask.sees(found.invoice.tenant_id):
        raise not_found(f"invoice {invoice}")
    return found


def _issued(ask: Asking) -> Callable[[Invoice], dict[str, Any]]:
    """How an invoice that was just issued is said: credit of before may have paid it already."""
    statuses = ask.door.desk.book.closing.statuses

    def say(invoice: Invoice) -> dict[str, Any]:
        fresh = opened(invoice, 0)
        status = statuses.get(invoice.id) or paid(fresh, fresh.open_micros)
        return _billed(Billed(invoice, status), lines=True)

    return say


def _billed(billed: Billed, lines: bool = False) -> dict[str, Any]:
    invoice, status = billed.invoice, billed.status
    shown = encode(invoice, house=True)
    parts = _parts(invoice)
    for name in ("lines", "taxes", "seller", "buyer"):
        del shown[name]
    shown |= {
        "net": money(invoice.net_micros),
        "state": status.state,
        "paid": money(status.paid_micros),
        "credited": money(status.credited_micros),
        "disputed": money(status.disputed_micros),
        "open": money(status.open_micros),
    }
    if lines:
        shown |= parts
        shown |= {"seller": encode(invoice.seller, True), "buyer": encode(invoice.buyer, True)}
    return shown


def _draft(draft: InvoiceDraft) -> dict[str, Any]:
    sums = {"net": money(draft.net_micros), "total": money(draft.total_micros)}
    shown = {**encode(draft, house=True), **sums, **_parts(draft)}
    del shown["drawing"]
    return shown


def _drafts(drafts: tuple[InvoiceDraft, ...]) -> dict[str, Any]:
    return {"items": [_draft(draft) for draft in drafts]}


def _note(note: CreditNote) -> dict[str, Any]:
    return {**encode(note, house=True), **_parts(note)}


def _parts(bill: Invoice | InvoiceDraft | CreditNote) -> dict[str, Any]:
    return {
        "lines": [encode(line, house=True) for line in bill.lines],
        "taxes": [encode(tax, house=True) for tax in bill.taxes],
    }
