"""The close of a period: begun by finance, done by the desk's own loop in slices.

What is left to do is read from the book itself: tenants whose mark lies before the period's end,
and of a tenant the accruals that are still open. So a close that was interrupted goes on, and
two who close at once do the same work once. Within a slice tenants are closed in the order in
which they came; a tenant with much to bill takes several.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from comptoir.billing.periods import (
    Period,
    asked_again,
    begin_close,
    closed,
    month_named,
    next_to_close,
    went_on,
)
from comptoir.desk.close_requests import ClosePeriod, CloseSlice
from comptoir.desk.entities import entity_of
from comptoir.desk.openings import refuse_while_bringing
from comptoir.desk.operations.money.agreed_lines import add_true_ups, prepayment_drafts
from comptoir.desk.operations.money.crediting_breaches import credit_breaches
from comptoir.desk.operations.money.drawing_credit import expire_credit
from comptoir.desk.operations.money.drawing_up import (
    draw_drafts,
    finish_drafts,
    meter_tenant,
    put_into_drafts,
)
from comptoir.desk.operations.money.issue_invoice import move_mark
from comptoir.desk.operations.money.recall_fees import add_recall_fees
from comptoir.desk.operations.money.revaluing import check_rates, revalue
from comptoir.desk.transaction import Transaction
from comptoir.sales.credit_blocks import CreditSource
from comptoir.tenants.entities import LegalEntity
from comptoir.tenants.parties import Tenant
from comptoir.tenants.permissions import not_found
from comptoir.units.ids import LegalEntityId, PeriodId

METERING_COSTS = 4
"""What one allocation costs of a slice's work, in accruals: an event, a charge, an entry."""
FINISHING_COSTS = 20


def close_period(tx: Transaction, request: ClosePeriod) -> Period:
    """Begin to close a month; the desk goes on by itself.

    Raises:
        NotFound: the entity.
        Invalid: `bad_period`, `unknown_period`.
        Refused: `period_not_over`, `earlier_period_open`; `no_fx_rate`: something is asked in
            another currency, and what it is worth at the end of the month nobody knows.
        Conflict: `period_closed`.
        Unavailable: `opening_under_way`.
    """
    entity = entity_named(tx, request.entity_id)
    refuse_while_bringing(tx)
    month = month_named(request.period, entity.zone)
    known = tx.book.closing.periods_of.get(entity.id)
    for period in known:
        if period.starts_at_ms == month.starts_at_ms:
            return asked_again(period)
    cut_over_ms = tx.book.openings.cut_over_ms(entity.id)
    began_ms = entity.created_at_ms if cut_over_ms is None else cut_over_ms
    due = next_to_close(known, began_ms, entity.zone)
    begun = begin_close(
        PeriodId(tx.new_id("pd")), entity.id, month, due, known, (tx.now_ms, tx.actor.user_id)
    )
    check_rates(tx, entity, month.ends_at_ms)
    tx.book.closing.periods.put(begun)
    tx.emit("period.closing", begun.id, None, entity=entity.slug, period=begun.name)
    return begun


def close_slice(tx: Transaction, request: CloseSlice) -> Period:
    """Do a piece of a close; the period as it is then."""
    period = tx.book.closing.periods.get(request.period_id)
    if period is None:
        raise not_found(f"period {request.period_id}")
    if period.closed:
        return period
    work = _Work(request.most)
    for tenant in _to_close(tx, period):
        if work.left <= 0 or not _close_tenant(tx, period, tenant, work):
            return tx.book.closing.periods.put(
                went_on(period, work.tenants, work.drafts, work.accruals)
            )
    done = closed(went_on(period, work.tenants, work.drafts, work.accruals), tx.now_ms)
    tx.book.closing.periods.put(done)
    tx.emit(
        "period.closed", done.id, None,
        entity=tx.book.credit.entities[done.entity_id].slug, period=done.name,
        drafts=done.drafts, tenants=done.tenants,
    )  # fmt: skip
    return done


@dataclass(slots=True)
class _Work:
    """What a slice may still do, and what it has done."""

    left: int
    tenants: int = 0
    drafts: int = 0
    accruals: int = 0


def _to_close(tx: Transaction, period: Period) -> Iterator[Tenant]:
    """The entity's tenants that this close has not come to, in the order in which they came."""
    for tenant in list(tx.book.tenants):
        mark = tx.book.money.billing_marks.get(tenant.id)
        if mark is not None and mark.closed_until_ms >= period.ends_at_ms:
            continue
        if entity_of(tx.book, tenant.id).id == period.entity_id:
            yield tenant


def _close_tenant(tx: Transaction, period: Period, tenant: Tenant, work: _Work) -> bool:
    """As much of one tenant as the slice has room for; whether all: then it has its cut."""
    end_ms, counts_at_ms = period.ends_at_ms, period.ends_at_ms - 1
    if not _draws(tx, period, tenant):
        if not _fill(tx, period, tenant, work):
            return False
        if not _credited(tx, period, tenant):  # the usage of the month draws it
            credit_breaches(tx, tenant, period)
    most = max(work.left, 1)
    cost = draw_drafts(tx, tenant, period.id, counts_at_ms, most)
    work.left -= cost
    if cost >= most:
        if _draws(tx, period, tenant):  # what is reported from here on is of the next period
            move_mark(tx, tenant, end_ms)
        return False
    add_true_ups(tx, tenant, period.id, end_ms)
    add_recall_fees(tx, tenant, period.id, (period.starts_at_ms, end_ms))
    drafts = finish_drafts(tx, tenant, period.id, counts_at_ms)
    drafts += prepayment_drafts(tx, tenant, period.id, end_ms)
    expire_credit(tx, tenant, end_ms, counts_at_ms)
    entity = tx.book.credit.entities[period.entity_id]
    revalue(tx, entity, tenant, counts_at_ms, counts_at_ms)
    move_mark(tx, tenant, end_ms, closed=True)
    work.left -= 1 + FINISHING_COSTS * len(drafts)
    work.drafts += len(drafts)
    work.tenants += 1
    return True


def _draws(tx: Transaction, period: Period, tenant: Tenant) -> bool:
    """Whether usage of a tenant's drafts has begun to draw: nothing is put into them any more."""
    drafts = tx.book.closing.drafts_of.get((tenant.id, period.id))
    return any(draft.drawing is not None for draft in drafts)


def _credited(tx: Transaction, period: Period, tenant: Tenant) -> bool:
    """Whether what the period's broken guarantees are worth was granted by an earlier slice."""
    return any(
        block.source is CreditSource.SLA_CREDIT and block.from_ms == period.starts_at_ms
        for block in tx.book.contracts.credit_of.get(tenant.id)
    )


def _fill(tx: Transaction, period: Period, tenant: Tenant, work: _Work) -> bool:
    """Meter what was used and put it into drafts, as far as there is room; whether all."""
    most = max(work.left // METERING_COSTS, 1)
    metered = meter_tenant(tx, tenant, period.ends_at_ms, most)
    work.left -= metered * METERING_COSTS
    if metered == most:
        return False
    most = max(work.left, 1)
    taken, cost = put_into_drafts(tx, tenant, period.id, period.ends_at_ms, most)
    work.left -= cost
    work.accruals += taken
    return cost < most


def entity_named(tx: Transaction, named: LegalEntityId) -> LegalEntity:
    """A legal entity by its id or slug.

    Raises:
        NotFound: there is none.
    """
    found = tx.book.credit.entities.get(named) or tx.book.credit.entity_by_slug.first(named)
    if found is None:
        raise not_found(f"legal entity {named}")
    return found
