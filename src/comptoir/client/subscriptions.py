"""The client's way to subscriptions: notices sent to webhooks and mailboxes."""

from collections.abc import Iterator, Sequence
from typing import cast

from comptoir.client.parties import PAGE
from comptoir.client.records import Delivery, NewSubscription, Subscription
from comptoir.client.transport import Transport, path_of


class Subscriptions:
    """Where notices are sent, and what came of it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        target: str,
        types: Sequence[str] = ("*",),
        kind: str = "webhook",
        note: str = "",
        tenant: str | None = None,
    ) -> NewSubscription:
        """Send notices to a URL (or with `kind="mail"` to a mailbox), from now on.

        The secret with which a webhook checks signatures is shown this once.
        """
        body = {
            "kind": kind,
            "target": target,
            "types": [*types],
            "note": note,
            "tenant": tenant,
        }
        made = self._transport.write("POST", path_of("subscriptions"), body)
        return cast(NewSubscription, made)

    def list(self, kind: str | None = None, tenant: str | None = None) -> Iterator[Subscription]:
        """Every subscription that you may see, newest first."""
        return self._transport.pages(path_of("subscriptions"), PAGE, kind=kind, tenant=tenant)

    def get(self, subscription_id: str) -> Subscription:
        """One subscription."""
        return cast(Subscription, self._transport.get(path_of("subscriptions", subscription_id)))

    def delete(self, subscription_id: str) -> Subscription:
        """Send it nothing more."""
        return self._do(subscription_id, "delete")

    def enable(self, subscription_id: str) -> Subscription:
        """Try again at once, and go on where it was left."""
        return self._do(subscription_id, "enable")

    def test(self, subscription_id: str) -> Subscription:
        """Send it one notice that says only that it was sent."""
        return self._do(subscription_id, "test")

    def rotate(self, subscription_id: str) -> NewSubscription:
        """A new secret, shown this once; for a day the one before it signs too."""
        return cast(NewSubscription, self._do(subscription_id, "rotate"))

    def redeliver(self, subscription_id: str, notice: str) -> Subscription:
        """Send it a notice once more."""
        path = path_of("subscriptions", subscription_id, "redeliver")
        return cast(Subscription, self._transport.write("POST", path, {"notice": notice}))

    def deliveries(self, subscription_id: str) -> Iterator[Delivery]:
        """Every try to send of the last 30 days, newest first."""
        return self._transport.pages(path_of("subscriptions", subscription_id, "deliveries"), PAGE)

    def _do(self, subscription_id: str, verb: str) -> Subscription:
        path = path_of("subscriptions", subscription_id, verb)
        return cast(Subscription, self._transport.write("POST", path))
