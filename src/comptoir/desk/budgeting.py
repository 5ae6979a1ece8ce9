"""Budgets in the desk: counted as usage is booked, told at their thresholds, asked before work.

Neighbours: `tenants/budgets.py` is the arithmetic, `credit.py` the holds that are asked about.
"""

from collections.abc import Mapping

from comptoir.billing.credit import CreditHold
from comptoir.desk.entities import entity_of
from comptoir.desk.memory import Memory
from comptoir.desk.transaction import Transaction
from comptoir.ledger import entries as ledger
from comptoir.metering.usage import UsageEvent
from comptoir.tenants.budgets import (
    WHOLE,
    Budget,
    WhenSpent,
    begun,
    reach,
    reached_percent,
    spend,
)
from comptoir.units.errors import Refused
from comptoir.units.ids import TenantId
from comptoir.units.money import minor_up
from comptoir.units.time import month_start_ms
from comptoir.units.wire import money


def count_spending(tx: Transaction, event: UsageEvent, booked: Mapping[ledger.Unit, int]) -> None:
    """Count what an event added to a tenant's bill against its budgets, and tell thresholds."""
    project = _project_of(tx, event)
    for budget in tx.book.credit.budgets_of.get(event.tenant_id):
        micros = booked.get(ledger.currency(budget.currency), 0)
        if micros and budget.covers(project):
            keep_told(tx, *spend(current(tx, budget), micros))


def tell_held(tx: Transaction, tenant_id: TenantId) -> None:
    """Tell the thresholds that what is spent and held has newly reached, of budgets that stop.

    Booking uses up what was held at no higher price, so that only what is held anew is asked.
    """
    for budget in tx.book.credit.stopping.get(tenant_id):
        now = current(tx, budget)
        # All that the tenant holds is an upper bound: most holds need no closer look.
        most = tx.book.credit.held.of((tenant_id, budget.currency))
        if reached_percent(now, most) > now.warned_percent:
            now, reached = reach(now, held_for(tx.book, now))
            if reached is not None:
                keep_told(tx, now, reached)


def keep_told(tx: Transaction, budget: Budget, reached: int | None) -> None:
    """Keep a budget as it stands, and tell a threshold that it has newly reached."""
    tx.book.credit.budgets.put(budget)
    if reached is not None:
        _tell(tx, budget, reached)


def refuse_beyond_budget(tx: Transaction, hold: CreditHold, running: bool = False) -> None:
    """Let a hold pass that every budget which stops has room for.

    Work that runs is asked only by budgets that take back.

    Raises:
        Refused: `budget_exhausted`.
    """
    for budget in tx.book.credit.stopping.get(hold.tenant_id):
        if budget.currency != hold.currency or not budget.covers(hold.project):
            continue
        if running and budget.when_spent is not WhenSpent.TAKE_BACK:
            continue
        now = current(tx, budget)
        # All that the tenant holds is an upper bound: most requests need no closer look.
        most = tx.book.credit.held.of((hold.tenant_id, hold.currency)) + hold.micros
        if now.spent_micros + most <= now.amount_micros:
            continue
        held = held_for(tx.book, budget, hold)
        missing = now.spent_micros + held + hold.micros - now.amount_micros
        if missing > 0:
            raise _no(tx, now, held, hold.micros, missing)


def held_for(book: Memory, budget: Budget, but: CreditHold | None = None) -> int:
    """What the work that a budget counts holds, that of one lease left out."""
    return sum(
        hold.micros
        for hold in book.credit.holds_of.each(budget.tenant_id)
        if hold.currency == budget.currency
        and budget.covers(hold.project)
        and (but is None or hold.lease_id != but.lease_id)
    )


def current(tx: Transaction, budget: Budget) -> Budget:
    """A budget as it stands in the period that runs now."""
    return begun(budget, period_start(tx, budget.tenant_id))


def period_start(tx: Transaction, tenant_id: TenantId) -> int:
    """When the month of a tenant's seller began."""
    return month_start_ms(tx.now_ms, entity_of(tx.book, tenant_id).zone)


def _project_of(tx: Transaction, event: UsageEvent) -> str:
    lease = tx.find(tx.book.leases, event.lease_id)
    return "" if lease is None else lease.project


def _tell(tx: Transaction, budget: Budget, reached: int) -> None:
    tx.emit(
        "budget.exhausted" if reached == WHOLE else "budget.warned", budget.id, budget.tenant_id,
        project=budget.project, currency=budget.currency, amount_micros=budget.amount_micros,
        spent_micros=budget.spent_micros, percent=reached, when_spent=budget.when_spent,
    )  # fmt: skip


def _no(tx: Transaction, budget: Budget, held: int, asked: int, missing: int) -> Refused:
    slug = tx.book.tenants[budget.tenant_id].slug
    project = f" --project {budget.project}" if budget.project else ""
    whose = f"project {budget.project} of {slug}" if budget.project else slug
    code = budget.currency
    return Refused(
        "budget_exhausted",
        f"{whose} has spent {minor_up(budget.spent_micros, code)} and holds "
        f"{minor_up(held, code)} of its budget of {minor_up(budget.amount_micros, code)} {code}, "
        f"and this may cost {minor_up(asked, code)} more",
        f"end something, or raise the budget: comptoir budget set AMOUNT --tenant {slug}{project}",
        {
            "budget": budget.id,
            "project": budget.project,
            "currency": budget.currency,
            "amount": money(budget.amount_micros),
            "spent": money(budget.spent_micros),
            "held": money(held),
            "asked": money(asked),
            "missing": money(missing),
        },
    )
