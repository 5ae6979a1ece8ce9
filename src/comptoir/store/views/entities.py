"""Lists of who sells and who buys: entities, admissions, imported tables."""

from comptoir.billing.fx import FxRate
from comptoir.billing.tax import TaxRule
from comptoir.store import entity_tables as t
from comptoir.store.views.reading import Ask, Page, Views, equal
from comptoir.tenants.admissions import Admission, AdmissionState
from comptoir.tenants.entities import LegalEntity

MOST_ENTITIES = 10_000


def entities(views: Views, ask: Ask) -> Page[LegalEntity]:
    """Legal entities, newest first."""
    return views.page("legal_entity", ask, keys=("created_at_ms", "id"))


def sellers(views: Views) -> list[LegalEntity]:
    """All legal entities, in the order in which they were made."""
    c = t.legal_entity.c
    return views.all("legal_entity", order=(c.created_at_ms, c.id), most=MOST_ENTITIES)


def entity(views: Views, named: str) -> LegalEntity | None:
    """An entity by its id or slug."""
    c = t.legal_entity.c
    return views.find("legal_entity", (c.id == named) | (c.slug == named))


def admissions(
    views: Views, ask: Ask, tenant_id: str | None = None, state: AdmissionState | None = None
) -> Page[Admission]:
    """Admissions, newest invitation first."""
    c = t.admission.c
    wanted = equal(c.tenant_id, tenant_id), equal(c.state, state)
    return views.page("admission", ask, *wanted, keys=("invited_at_ms", "tenant_id"))


def admission(views: Views, tenant_id: str) -> Admission | None:
    """The admission of a tenant."""
    return views.find("admission", t.admission.c.tenant_id == tenant_id)


def tax_rules(views: Views, ask: Ask, seller: str | None = None) -> Page[TaxRule]:
    """Tax rules, the last to come into force first."""
    keys = ("from_day_ms", "seller", "buyer_country", "buyer")
    return views.page("tax_rule", ask, equal(t.tax_rule.c.seller, seller), keys=keys)


def fx_rates(views: Views, ask: Ask, base: str | None = None) -> Page[FxRate]:
    """Rates of exchange, newest first."""
    return views.page(
        "fx_rate", ask, equal(t.fx_rate.c.base, base), keys=("day_ms", "base", "quote")
    )
