"""An invoice in between: what a tenant has used and not been billed, drafted and final at once."""

from comptoir.billing.invoices import Invoice
from comptoir.desk.entities import entity_of
from comptoir.desk.money_memory import BillingMark
from comptoir.desk.operations.money.agreed_lines import add_late_usage
from comptoir.desk.operations.money.drawing_up import (
    finish_drafts,
    meter_tenant,
    open_accruals,
    put_into_drafts,
)
from comptoir.desk.operations.money.finalising import make_final
from comptoir.desk.requests import IssueInvoice
from comptoir.desk.transaction import Transaction
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Invalid, Refused
from comptoir.units.time import check_instant, format_instant, month_start_ms
from comptoir.units.values import replace

EVERYTHING = 1 << 60


def issue_invoice(tx: Transaction, request: IssueInvoice) -> Invoice:
    """Meter up to now, then bill whole months before `until`, or all there is up to now.

    Raises:
        Invalid: `bad_until`: neither now nor the start of a past or present month.
        Refused: `nothing_to_bill`.
    """
    tenant = tx.tenant(request.tenant_id)
    until = _until(tx, tenant, request.until_ms)
    meter_tenant(tx, tenant, tx.now_ms, EVERYTHING)
    first = next(open_accruals(tx, tenant, until), None)
    if first is None:
        raise Refused(
            "nothing_to_bill",
            f"{tenant.slug} has used nothing before {format_instant(until)} that is not billed",
            "see `comptoir usage list`",
        )
    put_into_drafts(tx, tenant, None, until, EVERYTHING, first.currency)
    add_late_usage(tx, tenant, None)
    (draft,) = finish_drafts(tx, tenant, None, tx.now_ms)
    move_mark(tx, tenant, until)
    return make_final(tx, tenant, draft)


def _until(tx: Transaction, tenant: Tenant, until_ms: int | None) -> int:
    if until_ms is None or until_ms == tx.now_ms:
        return tx.now_ms
    check_instant("until", until_ms)
    zone = entity_of(tx.book, tenant.id).zone
    if until_ms > tx.now_ms or until_ms != month_start_ms(until_ms, zone):
        raise Invalid(
            "bad_until",
            f"{format_instant(until_ms)} is neither now nor the start of a month ({zone}) that "
            "has begun",
            "leave it out to bill up to now",
        )
    return until_ms


def move_mark(tx: Transaction, tenant: Tenant, until_ms: int, closed: bool = False) -> None:
    """From now on usage of before is a correction; with `closed`, nothing counts there either."""
    mark = tx.book.money.billing_marks.get(tenant.id) or BillingMark(tenant.id, 0)
    mark = replace(mark, invoiced_until_ms=max(mark.invoiced_until_ms, until_ms))
    if closed:
        mark = replace(mark, closed_until_ms=max(mark.closed_until_ms, until_ms))
    tx.book.money.billing_marks.put(mark)
