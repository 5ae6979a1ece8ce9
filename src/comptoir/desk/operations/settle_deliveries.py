"""What came of sending becomes what the book knows: the cursor, the tries, the next try.

The cursor moves only past what was delivered, so a notice whose sending is not known to have
succeeded is sent again, under the same id.
"""

from dataclasses import replace

from comptoir.desk.notice_requests import SettleDeliveries, Tried
from comptoir.desk.transaction import Transaction
from comptoir.tenants.subscriptions import (
    MAIL_EVERY_MS,
    MOST_TRIES,
    Delivery,
    Subscription,
    SubscriptionKind,
    SubscriptionState,
    delay_ms,
)


def settle_deliveries(tx: Transaction, request: SettleDeliveries) -> int:
    """Write down a loop's tries; returns how many. One that is deleted meanwhile: nothing."""
    found = tx.book.subscriptions.get(request.subscription_id)
    if found is None or found.state is SubscriptionState.DELETED:
        return 0
    for tried in request.tries:
        found = replace(found, deliveries=found.deliveries + 1)
        tx.append("delivery", _delivery(found, tried))
        found = _settled(tx, found, tried, request.jitter)
    again = tuple(seq for seq in found.again if seq not in request.dropped)
    if not found.failures:
        found = replace(found, cursor=max(found.cursor, request.passed))
    tx.book.subscriptions.put(replace(found, again=again))
    return len(request.tries)


def _settled(tx: Transaction, found: Subscription, tried: Tried, jitter: int) -> Subscription:
    if tried.again:  # asked for by hand: tried once, and nothing else follows from it
        left = tuple(seq for seq in found.again if seq != tried.event_seq)
        return replace(found, again=left)
    if tried.delivered:
        mail = found.kind is SubscriptionKind.MAIL
        return replace(
            found,
            cursor=max(found.cursor, tried.event_seq),
            failures=0,
            next_try_at_ms=tried.at_ms + MAIL_EVERY_MS if mail else 0,
        )
    failures = found.failures + 1
    wait_ms = delay_ms(failures, jitter, tried.retry_after_ms)
    found = replace(found, failures=failures, next_try_at_ms=tx.now_ms + wait_ms)
    if tried.gone or failures >= MOST_TRIES:
        return _disabled(tx, found, tried)
    return found


def _disabled(tx: Transaction, found: Subscription, tried: Tried) -> Subscription:
    """Send nothing more until somebody has looked; the feed and other subscriptions tell it."""
    reason = tried.detail
    if not tried.gone:
        reason = f"{found.failures} tries in a row failed; the last: {tried.detail}"
    if found.state is SubscriptionState.ACTIVE:
        tx.emit(
            "subscription.disabled", found.id, found.tenant_id, kind=found.kind,
            place=found.place, failures=found.failures, reason=reason,
        )  # fmt: skip
    return replace(found, state=SubscriptionState.DISABLED, reason=reason)


def _delivery(found: Subscription, tried: Tried) -> Delivery:
    return Delivery(
        found.id,
        found.deliveries,
        tried.event_seq,
        tried.notices,
        tried.again,
        tried.at_ms,
        tried.took_ms,
        tried.delivered,
        tried.status,
        tried.detail,
    )
