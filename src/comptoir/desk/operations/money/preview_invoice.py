"""A preview: what the current invoice would ask if its period ended now.

It is the close of one tenant: the same lines, the same credit drawn, the same taxes. It works on a
part of the book of its own, which is thrown away (`store/views/tenant_book.py`).
"""

from comptoir.billing.drafts import InvoiceDraft
from comptoir.desk.close_requests import PreviewInvoice
from comptoir.desk.operations.money.agreed_lines import add_true_ups
from comptoir.desk.operations.money.drawing_up import finish_drafts, put_into_drafts
from comptoir.desk.transaction import Transaction

MOST_ACCRUALS = 20_000
"""So many are looked at, at most; a preview of more is of the oldest."""


def preview_invoice(tx: Transaction, request: PreviewInvoice) -> tuple[InvoiceDraft, ...]:
    """The drafts that a tenant's open usage would make now, one a currency.

    Args:
        tx: On a memory that nobody else has.
        request: Whose.
    """
    tenant = tx.book.tenants[request.tenant_id]
    put_into_drafts(tx, tenant, None, tx.now_ms + 1, MOST_ACCRUALS)
    add_true_ups(tx, tenant, None, tx.now_ms)
    return tuple(finish_drafts(tx, tenant, None, tx.now_ms))
