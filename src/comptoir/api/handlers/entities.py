"""Who sells and who buys: legal entities, imported tables, admissions of customers."""

from typing import Any

from fastapi import Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.handlers.approvals import ask_for
from comptoir.api.shapes import entities as shapes
from comptoir.api.words import Id, Pages, Word
from comptoir.desk import entity_requests as requests
from comptoir.desk.approval_requests import Act
from comptoir.store.views import entities as views
from comptoir.tenants.admissions import Admission, AdmissionState
from comptoir.tenants.permissions import not_found
from comptoir.units.ids import LegalEntityId, TenantId


async def create_entity(ask: Ask, body: shapes.EntityBody) -> Response:
    """Make a legal entity that sells."""
    given = body.model_dump()
    given["address"] = tuple(body.address)
    given["tax_ids"] = tuple(body.tax_ids.items())
    return await ask.do("create_entity", requests.CreateEntity(**given), status=201)


async def change_entity(ask: Ask, entity: Id, body: shapes.EntityChangeBody) -> Response:
    """Change what an entity's next invoices say."""
    request = requests.ChangeEntity(
        LegalEntityId(entity),
        body.name,
        body.country,
        None if body.address is None else tuple(body.address),
        None if body.tax_ids is None else tuple(body.tax_ids.items()),
        body.admission_required,
        body.payment_days,
    )
    return await ask.do("change_entity", request)


async def change_account(ask: Ask, entity: Id, body: shapes.AccountBody) -> Response:
    """Ask to change where an entity is paid."""
    request = requests.ChangeAccount(LegalEntityId(entity), body.iban, body.bic)
    return await ask_for(ask, Act(account=request))


async def list_entities(ask: Ask, pages: Pages) -> Response:
    """Legal entities, newest first."""
    return await ask.page("entities", pages, views.entities)


async def get_entity(ask: Ask, entity: Id) -> Response:
    """One legal entity, by id or slug."""
    found = await ask.read(views.entity, entity)
    if found is None:
        raise not_found(f"entity {entity}")
    return said(ask.encode(found))


async def import_tax_rules(ask: Ask, body: shapes.TableBody) -> Response:
    """Take in tax rules from CSV, whole or not at all; lines that are known count once."""
    return await ask.do("import_tax_rules", requests.ImportTable(body.text, body.source))


async def import_fx_rates(ask: Ask, body: shapes.TableBody) -> Response:
    """Take in rates of exchange from CSV, whole or not at all; lines that are known count once."""
    return await ask.do("import_fx_rates", requests.ImportTable(body.text, body.source))


async def list_tax_rules(ask: Ask, pages: Pages, seller: Word = None) -> Response:
    """Tax rules, the last to come into force first."""
    return await ask.page("tax_rules", pages, views.tax_rules, seller=seller)


async def list_fx_rates(ask: Ask, pages: Pages, base: Word = None) -> Response:
    """Rates of exchange, newest first."""
    return await ask.page("fx_rates", pages, views.fx_rates, base=base)


async def invite_customer(ask: Ask, tenant: Id, body: shapes.AdmissionBody) -> Response:
    """Invite a customer to accept the terms; one that has not accepted is invited anew."""
    request = requests.InviteCustomer(
        TenantId(tenant),
        LegalEntityId(body.entity),
        body.legal_name,
        body.country,
        body.terms_version,
        tuple(body.address),
        body.tax_id,
        body.is_business,
        body.exemption,
    )
    return await ask.do("invite_customer", request, lambda made: _admission(ask, made), 201)


async def accept_terms(ask: Ask, tenant: Id, body: shapes.AcceptBody) -> Response:
    """Accept the terms one was invited to; only the customer's own admin can."""
    request = requests.AcceptTerms(TenantId(tenant), body.terms_version)
    return await ask.do("accept_terms", request, lambda made: _admission(ask, made))


async def screen_customer(ask: Ask, tenant: Id, body: shapes.ScreenBody) -> Response:
    """Record a screening with its evidence, and propose a credit limit."""
    given: Any = body
    request = requests.ScreenCustomer(
        TenantId(tenant), given.screened_at, body.evidence, body.credit_limit
    )
    return await ask.do("screen_customer", request, lambda made: _admission(ask, made))


async def admit_customer(ask: Ask, tenant: Id, body: shapes.AdmitBody) -> Response:
    """Admit a customer with the limit that was proposed; nobody admits whom they invited."""
    request = requests.AdmitCustomer(TenantId(tenant), body.credit_limit)
    return await ask.do("admit_customer", request, lambda made: _admission(ask, made))


async def refuse_customer(ask: Ask, tenant: Id, body: shapes.RefuseBody) -> Response:
    """Turn a customer away that was not admitted yet."""
    request = requests.RefuseCustomer(TenantId(tenant), body.because)
    return await ask.do("refuse_customer", request, lambda made: _admission(ask, made))


async def get_admission(ask: Ask, tenant: Id) -> Response:
    """The admission of one customer."""
    known = ask.tenant(tenant)
    found = await ask.read(views.admission, known.id)
    if found is None:
        raise not_found(f"admission of {known.slug}")
    return said(_admission(ask, found))


async def list_admissions(
    ask: Ask, pages: Pages, tenant: Word = None, state: AdmissionState | None = None
) -> Response:
    """Admissions, newest invitation first; to a customer, its own."""
    return await ask.page(
        "admissions",
        pages,
        views.admissions,
        lambda found: _admission(ask, found),
        tenant_id=ask.of_tenant(tenant),
        state=state,
    )


def _admission(ask: Asking, admission: Admission) -> dict[str, Any]:
    """Screenings and proposals are the house's own."""
    shown = ask.encode(admission)
    if not ask.house:
        hidden = ("screened_at", "screened_by", "proposed_limit")
        shown |= {**dict.fromkeys(hidden), "screening_evidence": ""}
    return shown
