"""A preview: what the current invoice would ask if its period ended now.

It is the close of one tenant, undone: the same lines, the same credit drawn, the same taxes.
"""

from comptoir.billing.drafts import InvoiceDraft
from comptoir.desk.close_requests import PreviewInvoice
from comptoir.desk.operations.money.agreed_lines import add_true_ups
from comptoir.desk.operations.money.drawing_up import finish_drafts, put_into_drafts
from comptoir.desk.operations.money.recall_fees import add_recall_fees
from comptoir.desk.transaction import Transaction

MOST_ACCRUALS = 20_000
"""So many are looked at, at most; a preview of more is of the oldest."""


def preview_invoice(tx: Transaction, request: PreviewInvoice) -> tuple[InvoiceDraft, ...]:
    """The drafts that a tenant's open usage would make now, one a currency; none of it is kept.

    What ran in the last minute may not be metered yet.
    """
    tenant = tx.tenant(request.tenant_id)
    mark = tx.book.journal.mark()
    counter, seqs = tx.book.counter, dict(tx.book.last_seq)
    try:
        put_into_drafts(tx, tenant, None, tx.now_ms + 1, MOST_ACCRUALS)
        add_true_ups(tx, tenant, None, tx.now_ms)
        billed = tx.book.money.billing_marks.get(tenant.id)
        since_ms = 0 if billed is None else billed.closed_until_ms
        add_recall_fees(tx, tenant, None, (since_ms, tx.now_ms))
        return tuple(finish_drafts(tx, tenant, None, tx.now_ms))
    finally:
        tx.book.journal.undo_to(mark)
        tx.book.counter, tx.book.last_seq = counter, seqs
