"""Making drafts final: a number, an entry that asks for it, and a status to be paid against.

The number is the next of a counter row that is put in the same commit as the invoice: a
finalisation that does not happen leaves no gap.
"""

from comptoir.billing.drafts import DraftState, InvoiceDraft, carried, finalise
from comptoir.billing.exchange import worth
from comptoir.billing.invoice_status import opened
from comptoir.billing.invoices import Invoice, InvoiceKind, LineType, NumberSeries, settlement
from comptoir.billing.periods import year_at
from comptoir.desk.close_requests import DraftRef
from comptoir.desk.openings import refuse_while_bringing
from comptoir.desk.operations.money.customer_credit import keep_credit, left_of
from comptoir.desk.operations.money.drawing_up import parties_of, tax_of, taxes_on
from comptoir.desk.operations.money.receipts import allocate_payment
from comptoir.desk.operations.money.revaluing import known_rate_nanos_at, rate_nanos_at
from comptoir.desk.receipt_requests import AllocatePayment
from comptoir.desk.transaction import Transaction
from comptoir.tenants.entities import LegalEntity, series_name
from comptoir.tenants.parties import Tenant
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Conflict, Refused
from comptoir.units.recurrence import DAY_MS
from comptoir.units.values import replace


def finalise_invoice(tx: Transaction, request: DraftRef) -> Invoice:
    """Give a draft its number; it is never edited again.

    Raises:
        NotFound: the draft.
        Conflict: `already_final`.
        Refused: `draft_not_whole`: its period is still closing.
    """
    draft = tx.book.closing.drafts.get(request.invoice_id)
    if draft is None or draft.state is DraftState.FINALISED:
        invoice = invoice_of(tx, request)
        raise Conflict(
            "already_final",
            f"{invoice.id} is {invoice.number} since it was issued",
            f"see `comptoir invoice show {invoice.number}`",
            {"number": invoice.number},
        )
    if draft.state is DraftState.FILLING:
        raise Refused(
            "draft_not_whole",
            f"the period of {draft.id} is still closing: {len(draft.lines)} lines so far",
            "try again when it is closed",
            {"lines": len(draft.lines)},
        )
    return make_final(tx, tx.book.tenants[draft.tenant_id], draft)


def make_final(tx: Transaction, tenant: Tenant, draft: InvoiceDraft) -> Invoice:
    """The invoice of a whole draft, posted and asked for.

    Raises:
        Refused: `no_tax_rule`; `no_fx_rate`: it asks in another currency than its entity's, and
            what that is worth today nobody knows.
        Unavailable: `opening_under_way`.
    """
    refuse_while_bringing(tx)
    entity = tx.book.credit.entities[draft.entity_id]
    series = series_of(tx, entity, tenant, entity.invoice_series)
    tax = tax_of(tx, tenant, draft)
    taxes = taxes_on(draft, tax)
    draft = carried(draft, taxes)
    invoice, series = finalise(
        draft, series, parties_of(tx, tenant, tax), taxes, tx.now_ms,
        tx.now_ms + _payment_days(tx, tenant, entity) * DAY_MS,
    )  # fmt: skip
    tx.book.closing.number_series.put(series)
    tx.book.closing.drafts.put(replace(draft, state=DraftState.FINALISED, lines=(), taxes=()))
    tx.append("invoice", invoice)
    rate_nanos = _booked_at(tx, entity, invoice)
    tx.book.closing.statuses.put(opened(invoice, rate_nanos))
    tx.post(
        f"invoice:{invoice.id}", invoice.kind, invoice.number, tx.now_ms,
        settlement(invoice, draft.unbilled_micros),
    )  # fmt: skip
    given = sum(line.amount_micros for line in invoice.lines if line.type is LineType.CARRIED)
    amount = given, worth(given, rate_nanos)
    keep_credit(tx, invoice, invoice.id, invoice.number, amount)
    tx.emit(
        f"{invoice.kind}.issued", invoice.id, tenant.id, number=invoice.number,
        total_micros=str(invoice.total_micros), currency=invoice.currency,
    )  # fmt: skip
    _use_credit(tx, invoice)
    return invoice


def _booked_at(tx: Transaction, entity: LegalEntity, invoice: Invoice) -> int:
    """The rate that an invoice in another currency is booked at; 0: it needs none.

    Raises:
        Refused: `no_fx_rate`.
    """
    if invoice.kind is InvoiceKind.CHARGEBACK or invoice.total_micros <= 0:
        return known_rate_nanos_at(tx, entity, invoice.currency, tx.now_ms)
    return rate_nanos_at(tx, entity, invoice.currency, tx.now_ms)


def _payment_days(tx: Transaction, tenant: Tenant, entity: LegalEntity) -> int:
    """After how many days what is issued now is due: by the contract in force, or the entity."""
    sold = tx.book.contracts.sold_at(tenant.id, tx.now_ms)
    agreed = None if sold is None else sold[1].body.payment_days
    return entity.payment_days if agreed is None else agreed


def _use_credit(tx: Transaction, invoice: Invoice) -> None:
    """Let it be paid by what the customer paid too much or got back, the oldest first."""
    if invoice.kind is InvoiceKind.CHARGEBACK:
        return
    whose = invoice.tenant_id, invoice.entity_id, invoice.currency
    for payment in left_of(tx, *whose):
        if tx.book.closing.statuses[invoice.id].open_micros <= 0:
            return
        allocate_payment(tx, AllocatePayment(payment.id, invoice.id))


def series_of(tx: Transaction, entity: LegalEntity, tenant: Tenant, pattern: str) -> NumberSeries:
    """The series that a pattern names for a tenant today, with the last number it gave."""
    year = year_at(tx.now_ms, entity.zone)
    name = series_name(pattern, entity.slug, tenant.slug, year)
    found = tx.book.closing.number_series.get((entity.id, name))
    return found or NumberSeries(entity.id, name, 0)


def invoice_of(tx: Transaction, request: DraftRef) -> Invoice:
    """A final invoice by its id.

    Raises:
        NotFound: there is none.
    """
    for invoice in tx.book.journal.appended_since((0, 0), "invoice"):
        if invoice.id == request.invoice_id:
            assert isinstance(invoice, Invoice)
            return invoice
    found = tx.store.find("invoice", (request.invoice_id,))
    if found is None:
        raise not_found(f"invoice {request.invoice_id}")
    assert isinstance(found, Invoice)
    return found
