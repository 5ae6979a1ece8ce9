"""A preview: what the current invoice would ask if its period ended now.

It is the close of one tenant: what broken guarantees are worth so far and what recalls cost, the
same lines, the same credit drawn, the same taxes. It works on a part of the book of its own, which
is thrown away (`store/views/tenant_book.py`).
"""

from collections.abc import Iterator

from comptoir.billing.drafts import InvoiceDraft
from comptoir.billing.periods import Period, PeriodState, month_at
from comptoir.desk.close_requests import PreviewInvoice
from comptoir.desk.entities import entity_of
from comptoir.desk.operations.money.agreed_lines import add_true_ups
from comptoir.desk.operations.money.crediting_breaches import credit_breaches
from comptoir.desk.operations.money.drawing_up import finish_drafts, put_into_drafts
from comptoir.desk.operations.money.recall_fees import add_recall_fees
from comptoir.desk.transaction import Transaction
from comptoir.sales.credit_blocks import CreditSource
from comptoir.sales.tranches import ActType, ContractAct
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
    months, given = list(_open_months(tx, tenant)), _given(tx, tenant)
    for month in months:
        if month.starts_at_ms not in given:
            credit_breaches(tx, tenant, month)
    put_into_drafts(tx, tenant, None, tx.now_ms + 1, MOST_ACCRUALS)
    add_true_ups(tx, tenant, None, tx.now_ms)
    for month in months:
        add_recall_fees(tx, tenant, None, (month.starts_at_ms, month.ends_at_ms))
    return tuple(finish_drafts(tx, tenant, None, tx.now_ms))


def _open_months(tx: Transaction, tenant: Tenant) -> Iterator[Period]:
    """The months in which usage is open, or what was recalled, up to now."""
    entity = entity_of(tx.book, tenant.id)
    mark = tx.book.money.billing_marks.get(tenant.id)
    accruals = tx.book.money.open_accruals_by_tenant.get(tenant.id)
    begun = [one.service_month_ms for one in accruals]
    begun += [act.noted_at_ms for act in _recalls(tx, tenant)]
    first_ms = min(begun, default=tx.now_ms)
    at_ms = max(first_ms, 0 if mark is None else mark.closed_until_ms)
    while at_ms < tx.now_ms:
        month = month_at(at_ms, entity.zone)
        yield Period(
            NOT_YET, entity.id, month.name, month.starts_at_ms,
            min(month.ends_at_ms, tx.now_ms), PeriodState.OPEN, tx.now_ms, SYSTEM.user_id,
        )  # fmt: skip
        at_ms = month.ends_at_ms


def _given(tx: Transaction, tenant: Tenant) -> set[int]:
    """The months for whose broken time something is given already."""
    return {
        block.from_ms
        for block in tx.book.contracts.credit_of.get(tenant.id)
        if block.source is CreditSource.SLA_CREDIT
    }


def _recalls(tx: Transaction, tenant: Tenant) -> Iterator[ContractAct]:
    for contract in tx.book.contracts.sold_to.get(tenant.id):
        for act in tx.book.contracts.acts_of.get(contract.id):
            if act.type is ActType.RECALL:
                yield act
