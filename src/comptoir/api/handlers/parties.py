"""Tenants, quotas, users, keys."""

from typing import Annotated, Any

from fastapi import Query, Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.encoding import encode, instant
from comptoir.api.shapes import parties as shapes
from comptoir.api.words import Id, Pages, Word
from comptoir.desk import requests
from comptoir.store.views import lists
from comptoir.tenants.parties import Role, User
from comptoir.tenants.permissions import Permission, may, not_found
from comptoir.units.errors import NotFound
from comptoir.units.ids import KeyId, RateCardId, TenantId, UserId


async def who_am_i(ask: Ask) -> Response:
    """Who is asking, and what they may do."""
    book, actor = ask.door.desk.book, ask.actor
    key = book.keys.get(actor.key_id) if actor.key_id else None
    tenant = book.tenants.get(actor.tenant_id) if actor.tenant_id else None
    expires = key.expires_at_ms if key else None
    return said(
        {
            "user_id": actor.user_id,
            "name": book.users[actor.user_id].name,
            "tenant_id": actor.tenant_id,
            "tenant_slug": tenant.slug if tenant else None,
            "roles": list(actor.roles),
            "permissions": [p for p in Permission if may(actor, p)],
            "key_id": actor.key_id,
            "key_expires_at": None if expires is None else instant(expires),
        }
    )


async def create_tenant(ask: Ask, body: shapes.TenantBody) -> Response:
    """Make a tenant: an internal team or a customer."""
    card = None if body.rate_card is None else rate_card_id(ask, body.rate_card)
    return await ask.do(
        "create_tenant",
        requests.CreateTenant(
            body.slug, body.name, body.kind, card, tuple(body.grants), body.residency
        ),
        status=201,
    )


async def list_tenants(ask: Ask, pages: Pages) -> Response:
    """Tenants, newest first; to a tenant's user, its own."""
    return await ask.page("tenants", pages, lists.tenants, tenant_id=ask.actor.tenant_id)


async def get_tenant(ask: Ask, tenant: Id) -> Response:
    """One tenant, by id or slug."""
    return said(ask.encode(ask.tenant(tenant)))


async def suspend_tenant(ask: Ask, tenant: Id) -> Response:
    """No new leases; waiting ones are cancelled, running ones stopped with their notice."""
    return await ask.do("suspend_tenant", requests.TenantRef(TenantId(tenant)))


async def resume_tenant(ask: Ask, tenant: Id) -> Response:
    """The tenant may lease again."""
    return await ask.do("resume_tenant", requests.TenantRef(TenantId(tenant)))


async def set_eligibility(ask: Ask, tenant: Id, body: shapes.EligibilityBody) -> Response:
    """Record the grants that a tenant holds and where its data must stay."""
    grants = None if body.grants is None else tuple(body.grants)
    request = requests.SetEligibility(TenantId(tenant), grants, body.residency)
    return await ask.do("set_eligibility", request)


async def set_quota(ask: Ask, tenant: Id, kind: Id, body: shapes.QuotaBody) -> Response:
    """Bound what a tenant may hold or be promised of a kind."""
    return await ask.do("set_quota", requests.SetQuota(TenantId(tenant), kind, body.accelerators))


async def list_quotas(ask: Ask, tenant: Id, pages: Pages) -> Response:
    """A tenant's quotas, by kind; a kind without one is not bounded."""
    return await ask.page("quotas", pages, lists.quotas, tenant_id=ask.tenant(tenant).id)


async def create_user(ask: Ask, body: shapes.UserBody) -> Response:
    """Make a user of the house or of a tenant."""
    tenant = None if body.tenant is None else TenantId(body.tenant)
    return await ask.do(
        "create_user", requests.CreateUser(body.name, tuple(body.roles), tenant), status=201
    )


async def list_users(ask: Ask, pages: Pages, tenant: Word = None) -> Response:
    """Users, newest first; without a user administrator's rights, oneself."""
    return await ask.page(
        "users", pages, lists.users, tenant_id=ask.of_tenant(tenant), user_id=_only_user(ask)
    )


async def get_user(ask: Ask, user: Id) -> Response:
    """One user."""
    return said(ask.encode(_user(ask, user)))


async def disable_user(ask: Ask, user: Id) -> Response:
    """Disable a user: its keys stop working at once."""
    return await ask.do("disable_user", requests.UserRef(UserId(user)))


async def issue_key(ask: Ask, body: shapes.KeyBody) -> Response:
    """Issue an API key, for oneself or as a user administrator for another.

    The secret is in this answer only: a repeated answer has it null.
    """
    user = None if body.user_id is None else UserId(body.user_id)
    expires: Any = body.expires_at
    return await ask.do(
        "issue_key", requests.IssueKey(user, body.note, expires), _issued_key, status=201
    )


async def list_keys(ask: Ask, pages: Pages, tenant: Word = None, user: Word = None) -> Response:
    """Keys, newest first; without a user administrator's rights, one's own."""
    only = _only_user(ask) or (user and _user(ask, user).id)
    if user is not None and only != user:
        raise not_found(f"user {user}")
    return await ask.page("keys", pages, lists.keys, tenant_id=ask.of_tenant(tenant), user_id=only)


async def revoke_key(
    ask: Ask,
    key: Id,
    with_issued: Annotated[
        bool, Query(description="And every key issued with it, and with those.")
    ] = False,
) -> Response:
    """Revoke a key: one's own, or as a user administrator another's."""
    return await ask.do("revoke_key", requests.RevokeKey(KeyId(key), with_issued))


def rate_card_id(ask: Asking, named: str) -> RateCardId:
    """A rate card by id or name.

    Raises:
        NotFound: there is none.
    """
    for card in list(ask.door.desk.book.money.rate_cards.rows.values()):
        if named in (card.id, card.name):
            return card.id
    raise not_found(f"rate card {named}")


def _issued_key(issued: requests.IssuedKey) -> dict[str, Any]:
    return {**encode(issued.key, house=True), "secret": issued.secret}


def _only_user(ask: Asking) -> UserId | None:
    """Whom a list of users or keys is narrowed to; None: all that the actor may see."""
    actor = ask.actor
    sees_all = ask.house or Role.TENANT_ADMIN in actor.roles
    return None if sees_all else actor.user_id


def _user(ask: Asking, id: str) -> User:
    found = ask.door.desk.book.users.get(UserId(id))
    only = _only_user(ask)
    if found is None or not ask.sees(found.tenant_id) or (only and found.id != only):
        raise _no_user(id)
    return found


def _no_user(id: str) -> NotFound:
    return not_found(f"user {id}")
