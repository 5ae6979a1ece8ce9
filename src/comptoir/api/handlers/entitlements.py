"""Entitlements: given, listed, ended; who has what now; the policy of each class."""

from typing import Annotated, Any

from fastapi import Query, Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.encoding import encode, instant, money
from comptoir.api.shapes import entitlements as shapes
from comptoir.api.words import Id, InstantWord, Pages, Word
from comptoir.billing.lending import LenderStatement, draw_up_lending
from comptoir.desk import requests
from comptoir.desk.operations.explain_entitlements import Party, Share
from comptoir.leases.lease import LeaseClass
from comptoir.store.views import lending, lists
from comptoir.store.views.reading import Views
from comptoir.tenants.parties import Tenant
from comptoir.units.ids import EntitlementId, TenantId
from comptoir.units.money import format_price
from comptoir.units.time import Window, month_start_ms, parse_instant

Since = Annotated[str | None, Query(alias="from", min_length=1, max_length=64)]


async def set_entitlement(ask: Ask, body: shapes.EntitlementBody) -> Response:
    """Entitle a team or a group, beside what it has already. Rows of one holder add up."""
    given: Any = body
    request = requests.SetEntitlement(
        kind=body.kind,
        accelerators=body.accelerators,
        tenant_id=None if body.team is None else TenantId(body.team),
        group=body.group,
        parent=body.parent,
        site=body.site,
        starts_at_ms=given.starts_at,
        ends_at_ms=given.ends_at,
        lend_limit=body.lend_limit,
        borrow_limit=body.borrow_limit,
        lender_share_bps=body.lender_share_bps,
    )
    return await ask.do("set_entitlement", request, status=201)


async def list_entitlements(
    ask: Ask, pages: Pages, tenant: Word = None, kind: Word = None
) -> Response:
    """Entitlements, latest start first; to a team, its own."""
    return await ask.page(
        "entitlements", pages, lists.entitlements, tenant_id=ask.of_tenant(tenant), kind=kind
    )


async def get_entitlement(ask: Ask, entitlement: Id) -> Response:
    """One entitlement."""
    found = await ask.one("entitlement", entitlement, "entitlement", lists.find)
    return said(ask.encode(found))


async def end_entitlement(ask: Ask, entitlement: Id, body: shapes.EndEntitlementBody) -> Response:
    """End an entitlement, now or later; one that has not begun is withdrawn."""
    given: Any = body
    request = requests.EndEntitlement(EntitlementId(entitlement), given.ends_at)
    return await ask.do("end_entitlement", request)


async def list_shares(ask: Ask, tenant: Word = None, kind: Word = None) -> Response:
    """What is my share, and why: who has, uses, lends and borrows what now."""
    request = requests.ExplainEntitlements(ask.of_tenant(tenant), kind)
    shares: list[Share] = await ask.value("explain_entitlements", request)
    return said({"items": [_share(ask, share) for share in shares]})


async def lender_statement(
    ask: Ask, tenant: Id, from_: Since = None, to: InstantWord = None
) -> Response:
    """What a team was entitled to, used, lent and earned; by default in this UTC month so far."""
    team, now = ask.tenant(tenant), ask.door.desk.clock.now_ms()
    start = month_start_ms(now) if from_ is None else parse_instant(from_)
    window = Window(start, min(parse_instant(to) if to is not None else now, now))
    return said({"items": [_statement(s) for s in await _statements(ask, team, window)]})


async def credit_lender(ask: Ask, tenant: Id, body: shapes.LenderCreditBody) -> Response:
    """Post what a team has earned by lending in whole UTC months that are not yet credited."""
    given: Any = body
    team, book = ask.tenant(tenant), ask.door.desk.book
    until = month_start_ms(ask.door.desk.clock.now_ms()) if given.until is None else given.until
    earned = []
    for kind in await ask.read(lending.lent_kinds, team.id, Window(0, max(until, 1))):
        mark = book.lending_marks.get((team.id, kind))
        since = 0 if mark is None else mark.settled_until_ms
        if since < until:
            (drawn,) = await _statements(ask, team, Window(since, until), kind)
            credits = tuple(drawn.credits.items())
            earned.append(requests.LenderCredit(team.id, kind, since, until, credits))
    request = requests.CreditLender(team.id, tuple(earned))
    return await ask.do("credit_lender", request, _posted)


def _posted(done: tuple[requests.LenderCredit, ...]) -> dict[str, Any]:
    items = [
        {
            "tenant_id": earned.tenant_id,
            "kind": earned.kind,
            "until": instant(earned.until_ms),
            "credits": {currency: money(micros) for currency, micros in earned.credits},
        }
        for earned in done
    ]
    return {"items": items}


async def _statements(
    ask: Asking, team: Tenant, window: Window, kind: str | None = None
) -> list[LenderStatement]:
    """The statements of a team over a window that has passed, one a kind."""

    def draw_up(views: Views) -> list[LenderStatement]:
        kinds = lending.lent_kinds(views, team.id, window) if kind is None else [kind]
        found = []
        for each in kinds:
            own, currency = lending.own_prices(views, team, each)
            facts = lending.facts(views, each, window)
            found.append(draw_up_lending(team.id, facts, window, own, currency))
        return found

    return await ask.read(draw_up)


def _statement(drawn: LenderStatement) -> dict[str, Any]:
    lines = [
        {
            "lease_class": line.lease_class,
            "price_per_accelerator_hour": format_price(line.price_nanos),
            "currency": line.currency,
            "accelerator_ms": str(line.accelerator_ms),
            "credit": money(line.credit_micros),
        }
        for line in drawn.lines
    ]
    credits = {currency: money(micros) for currency, micros in drawn.credits.items()}
    return {**encode(drawn, house=True), "lines": lines, "credits": credits}


async def show_policy(ask: Ask) -> Response:
    """Notice, minimum runtime and ageing of every class."""
    book = ask.door.desk.book
    return said({"items": [encode(book.policy(c), ask.house) for c in LeaseClass]})


async def set_policy(ask: Ask, lease_class: LeaseClass, body: shapes.PolicyBody) -> Response:
    """Settle how leases of a class are treated that are asked for from now on."""
    request = requests.SetPolicy(lease_class, body.notice_s, body.minimum_runtime_s, body.ageing_s)
    return await ask.do("set_policy", request)


def _share(ask: Asking, share: Share) -> dict[str, Any]:
    shown = ask.encode(share)
    for side in ("lent_to", "borrowed_from"):
        shown[side] = [_party(ask, party) for party in getattr(share, side)]
    return shown


def _party(ask: Asking, party: Party) -> dict[str, Any]:
    shown = ask.encode(party)
    if not ask.sees(party.tenant_id):
        shown["tenant_id"] = None
    return shown
