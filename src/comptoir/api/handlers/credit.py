"""Credit that a tenant has, budgets, grants."""

from typing import Any

from fastapi import Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.encoding import instant, money
from comptoir.api.handlers.approvals import ask_for
from comptoir.api.shapes import credit as shapes
from comptoir.api.words import Id, Pages, Word
from comptoir.desk import entity_requests as requests
from comptoir.desk.approval_requests import Act
from comptoir.desk.budgeting import held_for
from comptoir.desk.entities import entity_of
from comptoir.sales.credit_blocks import Covers, CreditBlock
from comptoir.store.views import budgets as views
from comptoir.store.views import lists
from comptoir.tenants.budgets import Budget, begun
from comptoir.units.ids import BudgetId, TenantId
from comptoir.units.money import format_percent
from comptoir.units.time import month_start_ms


async def set_budget(ask: Ask, body: shapes.BudgetBody) -> Response:
    """Set what a tenant or a project means to spend; the one it has is changed."""
    request = requests.SetBudget(
        body.amount,
        None if body.tenant is None else TenantId(body.tenant),
        body.project,
        body.period,
        tuple(body.thresholds),
        body.when_spent,
    )
    return await ask.do("set_budget", request, lambda made: _budget(ask, made))


async def end_budget(ask: Ask, budget: Id) -> Response:
    """End a budget; a second time changes nothing."""
    request = requests.BudgetRef(BudgetId(budget))
    return await ask.do("end_budget", request, lambda made: _budget(ask, made))


async def list_budgets(
    ask: Ask, pages: Pages, tenant: Word = None, project: Word = None
) -> Response:
    """Budgets that count, newest first; to a tenant, its own."""
    return await ask.page(
        "budgets",
        pages,
        views.budgets,
        lambda found: _budget(ask, found),
        tenant_id=ask.of_tenant(tenant),
        project=project,
    )


async def get_budget(ask: Ask, budget: Id) -> Response:
    """One budget, with what is spent in this period."""
    return said(_budget(ask, await ask.one("budget", budget, "budget", lists.find)))


async def give_grant(ask: Ask, tenant: Id, body: shapes.GrantBody) -> Response:
    """Ask to give a customer credit that costs it nothing, until it expires."""
    until: Any = body.until
    request = requests.GiveGrant(
        TenantId(tenant), body.amount, until, tuple(body.conditions), Covers(tuple(body.kinds))
    )
    return await ask_for(ask, Act(grant=request))


async def show_credit(ask: Ask, tenant: Id) -> Response:
    """What a tenant owes and may come to owe, and the credit that it has."""
    found: requests.Credit = await ask.value("show_credit", requests.ShowCredit(TenantId(tenant)))
    exposure = found.exposure
    left = exposure.left_micros
    return said(
        {
            "tenant_id": exposure.tenant_id,
            "currency": exposure.currency,
            "receivable": money(exposure.receivable_micros),
            "unbilled": money(exposure.unbilled_micros),
            "held": money(exposure.held_micros),
            "covered": money(exposure.covered_micros),
            "prepaid": money(exposure.prepaid_micros),
            "granted": money(exposure.granted_micros),
            "limit": None if exposure.limit_micros is None else money(exposure.limit_micros),
            "tax_percent": format_percent(exposure.tax_ppm),
            "owed": money(exposure.owed_micros),
            "left": None if left is None else money(left),
            "leases": found.leases,
            "blocks": [_block(block) for block in found.blocks],
        }
    )


def _budget(ask: Asking, budget: Budget) -> dict[str, Any]:
    desk = ask.door.desk
    zone = entity_of(desk.book, budget.tenant_id).zone
    found = ask.encode(begun(budget, month_start_ms(desk.clock.now_ms(), zone)))
    return {**found, "held": money(held_for(desk.book, budget) if budget.live else 0)}


def _block(block: CreditBlock) -> dict[str, Any]:
    return {
        "id": block.id,
        "source": block.source,
        "currency": block.currency,
        "granted": money(block.granted_micros),
        "left": money(block.left_micros),
        "starts_at": instant(block.from_ms),
        "ends_at": None if block.until_ms is None else instant(block.until_ms),
        "kinds": list(block.covers.kinds),
        "lease_classes": list(block.covers.lease_classes),
        "sites": list(block.covers.sites),
        "conditions": list(block.conditions),
        "state": block.state,
    }
