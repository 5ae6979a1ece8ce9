"""Budgets of tenants and their projects: set, changed, ended."""

from comptoir.desk.budgeting import current, held_for, keep_told, period_start
from comptoir.desk.credit import hold_all
from comptoir.desk.entity_requests import BudgetRef, SetBudget
from comptoir.desk.terms import currency_at
from comptoir.desk.transaction import Transaction
from comptoir.tenants.budgets import (
    MOST_BUDGETS_A_TENANT,
    Budget,
    BudgetPeriod,
    check_thresholds,
    reach,
    reached_percent,
)
from comptoir.tenants.parties import Tenant
from comptoir.tenants.permissions import not_found, require_tenant
from comptoir.units.errors import Forbidden, Refused
from comptoir.units.ids import BudgetId
from comptoir.units.money import parse_amount
from comptoir.units.text import check_slug
from comptoir.units.values import replace


def set_budget(tx: Transaction, request: SetBudget) -> Budget:
    """Set what a tenant or a project means to spend; the one it has is changed, and goes on.

    Raises:
        Forbidden: `budget_of_the_house`: the house set it.
        Refused: `too_many_budgets`.
        Invalid: `bad_amount`, `too_many_decimals`, `bad_thresholds`, `bad_slug`.
    """
    tenant = tx.acting_tenant(request.tenant_id)
    project = check_slug("project", request.project) if request.project else ""
    currency = currency_at(tx.book, tenant.id, tx.now_ms)
    known = _known(tx, tenant, project)
    starts_ms = tx.now_ms
    if request.period is BudgetPeriod.MONTH:
        starts_ms = period_start(tx, tenant.id)
    budget = Budget(
        id=BudgetId(tx.new_id("bg")) if known is None else known.id,
        tenant_id=tenant.id,
        project=project,
        currency=currency,
        amount_micros=parse_amount(request.amount, currency, "amount", least=1),
        period=request.period,
        thresholds=check_thresholds(request.thresholds),
        when_spent=request.when_spent,
        by_house=tx.actor.tenant_id is None,
        set_by=tx.actor.user_id,
        created_at_ms=tx.now_ms if known is None else known.created_at_ms,
        period_start_ms=starts_ms,
    )
    if known is not None and (known.currency, known.period) == (currency, budget.period):
        now = current(tx, known)
        budget = replace(budget, period_start_ms=now.period_start_ms, spent_micros=now.spent_micros)
        told = min(now.warned_percent, reached_percent(budget, held_for(tx.book, budget)))
        budget = replace(budget, warned_percent=told)
    budget, reached = reach(budget)
    keep_told(tx, budget, reached)
    hold_all(tx, tenant.id)
    tx.emit(
        "budget.set", budget.id, tenant.id, project=project, currency=currency,
        amount_micros=budget.amount_micros, when_spent=budget.when_spent,
    )  # fmt: skip
    return budget


def end_budget(tx: Transaction, request: BudgetRef) -> Budget:
    """End a budget: it counts no more. A second time changes nothing.

    Raises:
        NotFound: no such budget, or it is another tenant's.
        Forbidden: `budget_of_the_house`.
    """
    what = f"budget {request.budget_id}"
    budget = tx.find(tx.book.credit.budgets, request.budget_id)
    if budget is None:
        raise not_found(what)
    require_tenant(tx.actor, budget.tenant_id, what)
    if not budget.live:
        return budget
    _refuse_other_side(tx, budget)
    ended = tx.book.credit.budgets.put(replace(budget, ended_at_ms=tx.now_ms))
    hold_all(tx, budget.tenant_id)
    tx.emit("budget.ended", budget.id, budget.tenant_id, project=budget.project)
    return ended


def _known(tx: Transaction, tenant: Tenant, project: str) -> Budget | None:
    """The budget that a tenant or project has."""
    live = tx.book.credit.budgets_of.get(tenant.id)
    known = next((budget for budget in live if budget.project == project), None)
    if known is not None:
        _refuse_other_side(tx, known)
    elif len(live) >= MOST_BUDGETS_A_TENANT:
        raise Refused(
            "too_many_budgets",
            f"{tenant.slug} has {len(live)} budgets, the most there may be",
            "end one",
            {"budgets": len(live)},
        )
    return known


def _refuse_other_side(tx: Transaction, budget: Budget) -> None:
    if budget.by_house and tx.actor.tenant_id is not None:
        raise Forbidden(
            "budget_of_the_house",
            f"{budget.id} was set by the house, and is the house's to change",
            "ask finance",
        )
