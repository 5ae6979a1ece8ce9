"""An invoice or a chargeback statement over what a tenant has used and not been billed."""

from comptoir.billing.invoices import Invoice, draw_up, series_of
from comptoir.desk.metered import meter_allocation
from comptoir.desk.money_memory import BillingMark, Series
from comptoir.desk.operations.taking_back import meter_live_attempts
from comptoir.desk.requests import IssueInvoice
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import LeaseState
from comptoir.units.errors import Invalid, Refused
from comptoir.units.ids import InvoiceId
from comptoir.units.time import check_instant, format_instant, month_start_ms
from comptoir.units.values import replace


def issue_invoice(tx: Transaction, request: IssueInvoice) -> Invoice:
    """Meter up to now, then bill whole months before `until`, or all there is up to now.

    Raises:
        Invalid: `bad_until`: neither now nor the start of a past or present UTC month.
        Refused: `nothing_to_bill`.
    """
    tenant = tx.tenant(request.tenant_id)
    if request.until_ms is not None:
        check_instant("until", request.until_ms)
    until = tx.now_ms if request.until_ms is None else request.until_ms
    if until > tx.now_ms or (until != tx.now_ms and until != month_start_ms(until)):
        raise Invalid(
            "bad_until",
            f"{format_instant(until)} is neither now nor the start of a month (UTC) that has begun",
            "leave it out to bill up to now",
        )
    for lease in tx.book.leases_by_tenant.get(tenant.id):
        if lease.state in (LeaseState.ACTIVE, LeaseState.RECLAIMING):
            for allocation in tx.book.allocations_of(lease.id):
                if allocation.delivered:
                    meter_allocation(tx, lease, allocation, tx.now_ms)
            meter_live_attempts(tx, lease)
    accruals = [
        accrual
        for accrual in tx.book.money.open_accruals_by_tenant.get(tenant.id)
        if accrual.service_month_ms < until
    ]
    if not accruals:
        raise Refused(
            "nothing_to_bill",
            f"{tenant.slug} has used nothing before {format_instant(until)} that is not billed",
            "see `comptoir usage list`",
        )
    currency = accruals[0].currency
    accruals = [accrual for accrual in accruals if accrual.currency == currency]
    series = series_of(tenant, tx.now_ms)
    last = tx.book.money.series.get(series)
    number = (last.last if last else 0) + 1
    invoice, placed, postings = draw_up(
        InvoiceId(tx.new_id("iv")), tenant, accruals, number, tx.now_ms
    )
    tx.book.money.series.put(Series(series, number))
    for accrual in accruals:
        tx.book.money.accruals.put(
            replace(accrual, invoice_id=invoice.id, invoice_line=placed[accrual.id])
        )
    mark = tx.book.money.billing_marks.get(tenant.id)
    if mark is None or mark.invoiced_until_ms < until:
        tx.book.money.billing_marks.put(BillingMark(tenant.id, until))
    tx.append("invoice", invoice)
    tx.post(f"invoice:{invoice.id}", invoice.kind, invoice.number, tx.now_ms, postings)
    tx.emit(
        f"{invoice.kind}.issued", invoice.id, tenant.id, number=invoice.number,
        total_micros=str(invoice.total_micros), currency=invoice.currency,
    )  # fmt: skip
    return invoice
