"""Budgets as they are kept; what is spent is of the period in which it was last booked."""

from comptoir.store import entity_tables as t
from comptoir.store.views.reading import Ask, Page, Views, equal
from comptoir.tenants.budgets import Budget


def budgets(
    views: Views, ask: Ask, tenant_id: str | None = None, project: str | None = None
) -> Page[Budget]:
    """Budgets that count, newest first."""
    c = t.budget.c
    wanted = c.ended_at_ms.is_(None), equal(c.tenant_id, tenant_id), equal(c.project, project)
    return views.page("budget", ask, *wanted, keys=("created_at_ms", "id"))
