"""The notice port: what carries a notice out of the house.

The desk says what is to be sent, to where, and remembers what came of it; a sender sends and
decides nothing. It may be asked to send the same again: the ids stay the same.
"""

from dataclasses import dataclass
from typing import Protocol

from comptoir.desk.notices import Notice
from comptoir.tenants.subscriptions import Subscription, SubscriptionKind


@dataclass(frozen=True, slots=True)
class Parcel:
    """Notices for one subscription, oldest first; one for a webhook, some for a mail."""

    subscription: Subscription
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of sending a parcel.

    `gone`: the receiver wants nothing more, or this can never arrive: it is not tried again.
    `retry_after_ms` is what the receiver asked for.
    """

    delivered: bool
    status: int | None
    detail: str
    took_ms: int
    gone: bool = False
    retry_after_ms: int = 0


class Sender(Protocol):
    """Sends notices. Safe to use from many threads."""

    @property
    def key_mark(self) -> str:
        """The name of the key from which secrets are made here."""
        ...

    def check(self, kind: SubscriptionKind, target: str) -> None:
        """Let a target pass that may be sent to; may ask a name server.

        Raises:
            Invalid: `webhook_not_https`.
            Refused: `address_refused`, `host_unknown`, `mail_not_configured`.
        """
        ...

    def secret(self, subscription: Subscription) -> str | None:
        """The secret that its receiver checks signatures with; None if it has none."""
        ...

    def send(self, parcel: Parcel, at_ms: int) -> Sent:
        """Send a parcel, within a bounded time. Never raises for what the receiver does."""
        ...
