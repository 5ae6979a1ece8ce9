"""Entitlements: given, listed, ended; who has what now; the policy of each class."""

from typing import Any

from fastapi import Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.encoding import encode
from comptoir.api.shapes import entitlements as shapes
from comptoir.api.words import Id, Pages, Word
from comptoir.desk import requests
from comptoir.desk.operations.explain_entitlements import Party, Share
from comptoir.leases.lease import LeaseClass
from comptoir.store.views import lists
from comptoir.units.ids import EntitlementId, TenantId


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
