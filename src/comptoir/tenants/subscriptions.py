"""Subscriptions: where a tenant, or the house, wants its notices sent, and how that goes.

One model for webhooks and mail. `cursor` is the number of the last event that is settled: what
comes after it is still to be sent, so that nothing is lost whatever happens in between. A
subscription has no secret in the book, only the number of the one in use (`generation`).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from comptoir.units.errors import Invalid
from comptoir.units.ids import SubscriptionId, TenantId, UserId

MOST_TRIES = 25
FIRST_DELAY_MS = 5_000
LONGEST_DELAY_MS = 6 * 3_600_000
LONGEST_ASKED_DELAY_MS = 3_600_000
JITTER_STEPS = 1_000
MAIL_EVERY_MS = 60_000
MOST_AGAIN = 100
MOST_URL_LETTERS = 2_000
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_MOST_MAIL_LETTERS = 254


class SubscriptionKind(StrEnum):
    """How notices are sent."""

    WEBHOOK = "webhook"
    MAIL = "mail"


class SubscriptionState(StrEnum):
    """A disabled one sends nothing by itself until it is enabled; then it goes on."""

    ACTIVE = "active"
    DISABLED = "disabled"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Subscription:
    """Notices of some types, sent to one place, in order.

    `tenant_id` None is the house's. `again`: events to be sent once more, out of order.
    `failures` counts tries in a row that failed; `next_try_at_ms` is the earliest next one.
    `deliveries` counts all tries, and numbers them. `key_mark` names the key from which its
    secrets are made; until `previous_until_ms` the secret before `generation` signs too.
    """

    id: SubscriptionId
    tenant_id: TenantId | None
    kind: SubscriptionKind
    target: str
    types: tuple[str, ...]
    note: str
    created_by: UserId
    created_at_ms: int
    state: SubscriptionState
    cursor: int
    key_mark: str
    reason: str = ""
    again: tuple[int, ...] = ()
    failures: int = 0
    next_try_at_ms: int = 0
    deliveries: int = 0
    generation: int = 1
    previous_until_ms: int | None = None

    @property
    def place(self) -> str:
        """The target without what may be secret in it: of a URL, only whose it is."""
        if self.kind is SubscriptionKind.MAIL:
            return self.target
        parts = urlsplit(self.target)
        return f"{parts.scheme}://{parts.hostname}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try to send: `number` counts those of its subscription.

    `event_seq` is the last of the `notices` that were sent together. `status` is the answer's
    (HTTP's, or SMTP's), None if there was none. `again`: asked for by hand.
    """

    subscription_id: SubscriptionId
    number: int
    event_seq: int
    notices: int
    again: bool
    at_ms: int
    took_ms: int
    delivered: bool
    status: int | None
    detail: str


def check_target(kind: SubscriptionKind, target: str) -> str:
    """`target` itself, if it is written as such a target is.

    Whether it may be called is judged where it is called.

    Raises:
        Invalid: `bad_webhook_url` or `bad_mail_address`.
    """
    if kind is SubscriptionKind.MAIL:
        if len(target) > _MOST_MAIL_LETTERS or not _MAIL.fullmatch(target):
            raise Invalid(
                "bad_mail_address",
                f"{target[:80]!r} is not the address of a mailbox",
                "write it as ada@example.org",
                {"field": "target"},
            )
        return target
    if not _is_webhook_url(target):
        raise Invalid(
            "bad_webhook_url",
            f"{target[:80]!r} is not a URL that notices can be sent to",
            "write it as https://hooks.example.org/comptoir: no user, no fragment, at most "
            f"{MOST_URL_LETTERS:,} printable ASCII characters",
            {"field": "target"},
        )
    return target


def _is_webhook_url(url: str) -> bool:
    printable = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not printable or not 1 <= len(url) <= MOST_URL_LETTERS:
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    named = bool(parts.hostname) and "@" not in parts.netloc and "#" not in url
    return parts.scheme in ("http", "https") and named and port != 0


def delay_ms(failures: int, jitter: int, asked_ms: int = 0) -> int:
    """How long to wait after so many failed tries in a row.

    It doubles from 5 s to 6 h, with up to a quarter more, and is never shorter than what the
    receiver asked for (an hour at most).

    Args:
        failures: From 1 on.
        jitter: 0 to `JITTER_STEPS` - 1, drawn by the caller.
        asked_ms: What the receiver asked for.
    """
    doubled = min(FIRST_DELAY_MS << min(failures - 1, 32), LONGEST_DELAY_MS)
    spread = doubled + doubled * jitter // (4 * JITTER_STEPS)
    return max(spread, min(asked_ms, LONGEST_ASKED_DELAY_MS))
