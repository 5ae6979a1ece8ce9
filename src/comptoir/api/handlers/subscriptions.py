"""Subscriptions: where notices are to be sent, and what came of it."""

from typing import Any

from fastapi import Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.encoding import instant
from comptoir.api.shapes import notices as shapes
from comptoir.api.words import Id, Pages, Word
from comptoir.desk import notice_requests as requests
from comptoir.desk.notices import notice_id, notice_seq
from comptoir.store.views import lists
from comptoir.tenants.permissions import Permission, may, not_found
from comptoir.tenants.subscriptions import (
    Delivery,
    Subscription,
    SubscriptionKind,
    SubscriptionState,
    check_target,
)
from comptoir.units.ids import SubscriptionId, TenantId


async def create_subscription(ask: Ask, body: shapes.SubscriptionBody) -> Response:
    """Send notices to a webhook or a mailbox, from now on.

    A webhook's secret is in this answer only: a repeated answer has it null.
    """
    sender = ask.door.sender
    await ask.work(sender.check, body.kind, check_target(body.kind, body.target))
    request = requests.CreateSubscription(
        body.kind,
        body.target,
        tuple(body.types),
        body.note,
        None if body.tenant is None else TenantId(body.tenant),
        sender.key_mark,
    )
    return await _with_secret(ask, "create_subscription", request, 201)


async def list_subscriptions(
    ask: Ask, pages: Pages, kind: SubscriptionKind | None = None, tenant: Word = None
) -> Response:
    """Subscriptions, newest first; to the house, its own and every tenant's."""
    return await ask.page(
        "subscriptions",
        pages,
        lists.subscriptions,
        lambda one: _say(ask, one),
        tenant_id=ask.of_tenant(tenant),
        kind=kind,
    )


async def get_subscription(ask: Ask, subscription: Id) -> Response:
    """One subscription."""
    return said(_say(ask, await _one(ask, subscription)))


async def delete_subscription(ask: Ask, subscription: Id) -> Response:
    """Send it nothing more."""
    return await _do(ask, "delete_subscription", requests.SubscriptionRef(_id(subscription)))


async def enable_subscription(ask: Ask, subscription: Id) -> Response:
    """Try again at once, and go on where it was left."""
    return await _do(ask, "enable_subscription", requests.SubscriptionRef(_id(subscription)))


async def test_subscription(ask: Ask, subscription: Id) -> Response:
    """Send it one notice that says only that it was sent; `deliveries` says how that went."""
    return await _do(ask, "send_test", requests.SubscriptionRef(_id(subscription)))


async def rotate_secret(ask: Ask, subscription: Id) -> Response:
    """Sign with a new secret, which is in this answer only; for a day the old one signs too."""
    request = requests.RotateSecret(_id(subscription), ask.door.sender.key_mark)
    return await _with_secret(ask, "rotate_secret", request)


async def redeliver(ask: Ask, subscription: Id, body: shapes.RedeliverBody) -> Response:
    """Send it a notice once more, whatever came of it before."""
    request = requests.Redeliver(_id(subscription), notice_seq(body.notice))
    return await _do(ask, "redeliver", request)


async def list_deliveries(ask: Ask, subscription: Id, pages: Pages) -> Response:
    """Every try to send of the last 30 days, newest first."""
    found = await _one(ask, subscription)
    return await ask.page(
        "deliveries", pages, lists.deliveries, _delivery, subscription_id=found.id
    )


async def _do(ask: Asking, operation: str, request: Any) -> Response:
    return await ask.do(operation, request, lambda one: _say(ask, one))


async def _with_secret(ask: Asking, operation: str, request: Any, status: int = 200) -> Response:
    """The secret is in the answer itself, and not in the one that is kept for a repetition."""
    return await ask.do(
        operation,
        request,
        lambda one: {**_say(ask, one), "secret": None},
        status,
        once=lambda one: {**_say(ask, one), "secret": ask.door.sender.secret(one)},
    )


async def _one(ask: Asking, id: str) -> Subscription:
    found = await ask.one("subscription", id, "subscription", lists.find)
    assert isinstance(found, Subscription)
    if found.state is SubscriptionState.DELETED:
        raise not_found(f"subscription {id}")
    return found


def _id(id: str) -> SubscriptionId:
    return SubscriptionId(id)


def _say(ask: Asking, one: Subscription) -> dict[str, Any]:
    waits = one.failures and one.state is SubscriptionState.ACTIVE
    previous = one.previous_until_ms
    return {
        "id": one.id,
        "tenant_id": one.tenant_id,
        "kind": one.kind,
        "target": one.target if may(ask.actor, Permission.SUBSCRIPTIONS_WRITE) else one.place,
        "types": list(one.types),
        "note": one.note,
        "created_by": one.created_by,
        "created_at": instant(one.created_at_ms),
        "state": one.state,
        "reason": one.reason,
        "settled_until": notice_id(one.cursor),
        "again": [notice_id(seq) for seq in one.again],
        "failures": one.failures,
        "next_try_at": instant(one.next_try_at_ms) if waits else None,
        "deliveries": one.deliveries,
        "previous_secret_until": None if previous is None else instant(previous),
    }


def _delivery(one: Delivery) -> dict[str, Any]:
    return {
        "number": one.number,
        "notice": notice_id(one.event_seq),
        "notices": one.notices,
        "again": one.again,
        "at": instant(one.at_ms),
        "took_ms": one.took_ms,
        "delivered": one.delivered,
        "status": one.status,
        "detail": one.detail,
    }
