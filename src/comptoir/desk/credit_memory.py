"""The live rows of who buys from whom and on what credit: legal entities, admissions, what is held
for leases, budgets, and the imported tables of taxes and of rates of exchange.

A part of the book (`book.credit`), with the same journal. A hold that was let go and a budget
that has ended are evicted after the commit that did it. The names of the tables are the store's.
"""

from typing import Any

from comptoir.billing.credit import CreditHold
from comptoir.billing.fx import FxKey, FxRate
from comptoir.billing.tax import TaxKey, TaxRule
from comptoir.desk.tables import Index, Journal, Sums, Table
from comptoir.tenants.admissions import Admission
from comptoir.tenants.budgets import Budget
from comptoir.tenants.entities import LegalEntity
from comptoir.units.ids import BudgetId, LeaseId, LegalEntityId, TenantId


class CreditBook:
    """The tables of customers' terms and their indexes."""

    def __init__(self, journal: Journal) -> None:
        self.entities = Table[LegalEntityId, LegalEntity]("legal_entity", lambda r: r.id, journal)
        self.admissions = Table[TenantId, Admission]("admission", lambda r: r.tenant_id, journal)
        self.tax_rules = Table[TaxKey, TaxRule]("tax_rule", lambda r: r.key, journal)
        self.fx_rates = Table[FxKey, FxRate]("fx_rate", lambda r: r.key, journal)
        self.holds = Table[LeaseId, CreditHold]("credit_hold", lambda r: r.lease_id, journal)
        self.budgets = Table[BudgetId, Budget]("budget", lambda r: r.id, journal)
        self.tables: tuple[Table[Any, Any], ...] = (
            self.entities, self.admissions, self.tax_rules, self.fx_rates, self.holds,
            self.budgets,
        )  # fmt: skip
        self.entity_by_slug = Index[str, LegalEntity](self.entities, lambda e: e.slug)
        self.holds_of = Index[TenantId, CreditHold](
            self.holds, lambda h: None if h.released else h.tenant_id
        )
        self.held = Sums[tuple[TenantId, str], CreditHold](
            self.holds,
            lambda h: None if h.released else (h.tenant_id, h.currency),
            lambda h: h.micros,
        )
        self.budgets_of = Index[TenantId, Budget](
            self.budgets, lambda b: b.tenant_id if b.live else None
        )
        self.stopping = Index[TenantId, Budget](
            self.budgets, lambda b: b.tenant_id if b.stops else None
        )
        self.taxes_kept: dict[tuple[TenantId, int], int] = {}
        """The tax that a tenant bears on a day, until a rule, an entity or an admission changes."""
        for table in (self.tax_rules, self.entities, self.admissions):
            table.feed(self._forget_taxes)

    def _forget_taxes(self, _old: object = None, _new: object = None) -> None:
        self.taxes_kept.clear()

    def evict_ended(self, rows: dict[str, list[object]]) -> None:
        """Drop what the commit of `rows` has let go."""
        for hold in rows.get("credit_hold", ()):
            assert isinstance(hold, CreditHold)
            if hold.released:
                self.holds.evict(hold.lease_id)
        for budget in rows.get("budget", ()):
            assert isinstance(budget, Budget)
            if not budget.live:
                self.budgets.evict(budget.id)
