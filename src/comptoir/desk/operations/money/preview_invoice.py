"""A preview: what the current invoice would ask if its period ended now.

It is the close of one tenant: what broken guarantees are worth so far, the same lines, the same
credit drawn, the same taxes. It works on a part of the book of its own, which is thrown away
(`store/views/tenant_book.py`).
"""

from collections.abc import Iterator

from comptoir.billing.drafts import InvoiceDraft
from comptoir.billing.periods import Period, PeriodState, month_at
from comptoir.desk.close_requests import PreviewInvoice
from comptoir.desk.entities import entity_of
from comptoir.desk.operations.money.agreed_lines import add_true_ups
from comptoir.desk.operations.money.crediting_breaches import credit_breaches
from comptoir.desk.operations.money.drawing_up import finish_drafts, put_into_drafts
from comptoir.desk.transaction import Transaction
from comptoir.sales.credit_blocks import CreditSource
from comptoir.tenants.parties import SYSTEM, Tenant
from comptoir.units.ids import PeriodId

MOST_ACCRUALS = 20_000
"""So many are looked at, at most; a preview of more is of the oldest."""
NOT_YET = PeriodId("")
"""Months that are previewed have no close."""


def preview_invoice(tx: Transaction, request: PreviewInvoice) -> tuple[InvoiceDraft, ...]:
    """The drafts that a tenant's open usage would make now, one a currency.

    Args:
        tx: On a memory that nobody else has.
        request: Whose.
    """
    tenant = tx.book.tenants[request.tenant_id]
    for month in _open_months(tx, tenant):
        credit_breaches(tx, tenant, month)
    put_into_drafts(tx, tenant, None, tx.now_ms + 1, MOST_ACCRUALS)
    add_true_ups(tx, tenant, None, tx.now_ms)
    return tuple(finish_drafts(tx, tenant, None, tx.now_ms))


def _open_months(tx: Transaction, tenant: Tenant) -> Iterator[Period]:
    """The months in which usage is open, up to now, for whose broken time nothing is given yet."""
    entity = entity_of(tx.book, tenant.id)
    mark = tx.book.money.billing_marks.get(tenant.id)
    accruals = tx.book.money.open_accruals_by_tenant.get(tenant.id)
    first_ms = min((one.service_month_ms for one in accruals), default=tx.now_ms)
    at_ms = max(first_ms, 0 if mark is None else mark.closed_until_ms)
    given = {
        block.from_ms
        for block in tx.book.contracts.credit_of.get(tenant.id)
        if block.source is CreditSource.SLA_CREDIT
    }
    while at_ms < tx.now_ms:
        month = month_at(at_ms, entity.zone)
        if month.starts_at_ms not in given:
            yield Period(
                NOT_YET, entity.id, month.name, month.starts_at_ms,
                min(month.ends_at_ms, tx.now_ms), PeriodState.OPEN, tx.now_ms, SYSTEM.user_id,
            )  # fmt: skip
        at_ms = month.ends_at_ms
