"""The live rows of who buys from whom and on what credit: legal entities, admissions, and the
imported tables of taxes and of rates of exchange, which are small and never change.

A part of the book (`book.credit`), with the same journal. The names of the tables are those of
the store.
"""

from typing import Any

from comptoir.billing.fx import FxKey, FxRate
from comptoir.billing.tax import TaxKey, TaxRule
from comptoir.desk.tables import Index, Journal, Table
from comptoir.tenants.admissions import Admission
from comptoir.tenants.entities import LegalEntity
from comptoir.units.ids import LegalEntityId, TenantId


class CreditBook:
    """The tables of customers' terms and their indexes."""

    def __init__(self, journal: Journal) -> None:
        self.entities = Table[LegalEntityId, LegalEntity]("legal_entity", lambda r: r.id, journal)
        self.admissions = Table[TenantId, Admission]("admission", lambda r: r.tenant_id, journal)
        self.tax_rules = Table[TaxKey, TaxRule]("tax_rule", lambda r: r.key, journal)
        self.fx_rates = Table[FxKey, FxRate]("fx_rate", lambda r: r.key, journal)
        self.tables: tuple[Table[Any, Any], ...] = (
            self.entities, self.admissions, self.tax_rules, self.fx_rates,
        )  # fmt: skip
        self.entity_by_slug = Index[str, LegalEntity](self.entities, lambda e: e.slug)
