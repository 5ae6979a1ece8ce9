"""Subscriptions: made, tested, given another secret, enabled again, deleted."""

from dataclasses import replace

from comptoir.desk.memory import HOUSE
from comptoir.desk.notice_requests import (
    CreateSubscription,
    Redeliver,
    RotateSecret,
    SubscriptionRef,
)
from comptoir.desk.notices import notice_id, notice_of, types_matching
from comptoir.desk.ports import Event
from comptoir.desk.transaction import Transaction
from comptoir.tenants.permissions import not_found, require_tenant
from comptoir.tenants.subscriptions import (
    MOST_AGAIN,
    Subscription,
    SubscriptionKind,
    SubscriptionState,
    check_target,
)
from comptoir.units.errors import Conflict, Refused
from comptoir.units.ids import SubscriptionId
from comptoir.units.text import check_count, check_text

MOST_SUBSCRIPTIONS_A_TENANT = 20
MOST_TYPES = 32
ROTATION_MS = 86_400_000


def create_subscription(tx: Transaction, request: CreateSubscription) -> Subscription:
    """Send what happens from now on to one place.

    Raises:
        Invalid: `bad_webhook_url`, `bad_mail_address`, `unknown_notice_type`.
        Refused: `too_many_subscriptions`.
    """
    tenant_id = tx.actor.tenant_id
    if request.tenant_id is not None:
        tenant_id = tx.tenant(request.tenant_id).id
    types = tuple(sorted(set(request.types)))
    check_count("types", len(types), 1, MOST_TYPES)
    types_matching(types)
    have = tx.book.subscriptions_of.count(tenant_id or HOUSE)
    if have >= MOST_SUBSCRIPTIONS_A_TENANT:
        raise Refused(
            "too_many_subscriptions",
            f"there are {have} subscriptions already, the most there may be",
            "delete one first",
        )
    made = Subscription(
        id=SubscriptionId(tx.new_id("sb")),
        tenant_id=tenant_id,
        kind=request.kind,
        target=check_target(request.kind, request.target),
        types=types,
        note=check_text("note", request.note, 0, 100),
        created_by=tx.actor.user_id,
        created_at_ms=tx.now_ms,
        state=SubscriptionState.ACTIVE,
        cursor=tx.book.last_seq.get("event", 0),
        key_mark=request.key_mark,
    )
    tx.book.subscriptions.put(made)
    tx.emit(
        "subscription.created", made.id, tenant_id, kind=made.kind, place=made.place,
        types=list(types),
    )  # fmt: skip
    return made


def delete_subscription(tx: Transaction, request: SubscriptionRef) -> Subscription:
    """Send it nothing more; what is on its way may still arrive."""
    found = _subscription(tx, request.subscription_id)
    tx.emit("subscription.deleted", found.id, found.tenant_id, kind=found.kind, place=found.place)
    return tx.book.subscriptions.put(replace(found, state=SubscriptionState.DELETED))


def enable_subscription(tx: Transaction, request: SubscriptionRef) -> Subscription:
    """Try again at once, and go on where it was left: nothing was lost meanwhile."""
    found = _subscription(tx, request.subscription_id)
    if found.state is SubscriptionState.DISABLED:
        tx.emit(
            "subscription.enabled", found.id, found.tenant_id, kind=found.kind, place=found.place
        )
    return tx.book.subscriptions.put(
        replace(
            found, state=SubscriptionState.ACTIVE, reason="", failures=0, next_try_at_ms=tx.now_ms
        )
    )


def rotate_secret(tx: Transaction, request: RotateSecret) -> Subscription:
    """Sign with a new secret; for a day the one before it signs too.

    Raises:
        Conflict: `no_secret`: it is no webhook.
    """
    found = _subscription(tx, request.subscription_id)
    if found.kind is not SubscriptionKind.WEBHOOK:
        raise Conflict("no_secret", f"{found.id} sends mail: there is no secret", "")
    tx.emit("subscription.rotated", found.id, found.tenant_id, place=found.place)
    overlaps = request.key_mark == found.key_mark
    return tx.book.subscriptions.put(
        replace(
            found,
            generation=found.generation + 1,
            key_mark=request.key_mark,
            previous_until_ms=tx.now_ms + ROTATION_MS if overlaps else None,
        )
    )


def send_test(tx: Transaction, request: SubscriptionRef) -> Subscription:
    """Send it one notice that says only that it was sent; a disabled one gets it too."""
    found = _subscription(tx, request.subscription_id)
    tx.emit("subscription.tested", found.id, found.tenant_id, kind=found.kind, place=found.place)
    return _once_more(tx, found, tx.book.last_seq["event"])


def redeliver(tx: Transaction, request: Redeliver) -> Subscription:
    """Send it a notice once more, whatever came of it before.

    Raises:
        NotFound: there is no such notice, or it concerns somebody else.
        Refused: `too_many_waiting`.
    """
    found = _subscription(tx, request.subscription_id)
    event = tx.store.find("event", (request.event_seq,))
    if not isinstance(event, Event) or not _told(found, event):
        raise not_found(f"notice {notice_id(request.event_seq)}")
    return _once_more(tx, found, request.event_seq)


def _told(found: Subscription, event: Event) -> bool:
    """Whether an event is one that a subscription may be told of."""
    concerns = found.tenant_id in (None, event.tenant_id)
    return concerns and notice_of(event, found.tenant_id is None) is not None


def _once_more(tx: Transaction, found: Subscription, seq: int) -> Subscription:
    if len(found.again) >= MOST_AGAIN:
        raise Refused(
            "too_many_waiting",
            f"{len(found.again)} notices wait to be sent again, the most there may be",
            "wait until some have been sent",
        )
    again = (*(other for other in found.again if other != seq), seq)
    return tx.book.subscriptions.put(replace(found, again=again))


def _subscription(tx: Transaction, id: SubscriptionId) -> Subscription:
    found = tx.book.subscriptions.get(id)
    if found is None or found.state is SubscriptionState.DELETED:
        raise not_found(f"subscription {id}")
    require_tenant(tx.actor, found.tenant_id, f"subscription {id}")
    return found
