"""Subscribers: who wants to be told what, and changes its mind. Drawn with the workload."""

import random
from collections.abc import Callable
from typing import Any

from comptoir.desk.memory import Memory
from comptoir.desk.notice_requests import (
    CreateSubscription,
    Redeliver,
    RotateSecret,
    SubscriptionRef,
)
from comptoir.tenants.subscriptions import Subscription, SubscriptionKind

Ask = Callable[[str, Any, str], Any]
Maker = Callable[[Memory], Any]
CHOICES = (("*",), ("lease.*",), ("lease.*", "job.*"), ("quota.set", "tenant.*", "node.*"))
TARGETS = {
    SubscriptionKind.WEBHOOK: "https://hooks.example.org/x",
    SubscriptionKind.MAIL: "ada@example.org",
}


class Subscribers:
    """Draws them from the seed."""

    def __init__(self, rng: random.Random, ask: Ask) -> None:
        self._rng = rng
        self._ask = ask

    def makers(self) -> tuple[tuple[Maker, int], ...]:
        """What may happen, and how often beside the rest."""
        return (
            (self._create, 4), (self._delete, 1), (self._enable, 3), (self._rotate, 1),
            (self._test, 1), (self._redeliver, 2),
        )  # fmt: skip

    def _create(self, book: Memory) -> Any:
        kind = self._rng.choice((SubscriptionKind.WEBHOOK,) * 3 + (SubscriptionKind.MAIL,))
        slugs = [tenant.slug for tenant in book.tenants]
        request = CreateSubscription(
            kind, TARGETS[kind], self._rng.choice(CHOICES), key_mark="simulated"
        )
        return self._ask("create_subscription", request, self._rng.choice((*slugs, "operator")))

    def _delete(self, book: Memory) -> Any:
        return self._refer(book, "delete_subscription")

    def _enable(self, book: Memory) -> Any:
        return self._refer(book, "enable_subscription")

    def _test(self, book: Memory) -> Any:
        return self._refer(book, "send_test")

    def _rotate(self, book: Memory) -> Any:
        one = self._one(book)
        return one and self._ask("rotate_secret", RotateSecret(one.id, "simulated"), "operator")

    def _redeliver(self, book: Memory) -> Any:
        one = self._one(book)
        newest = book.last_seq.get("event", 1)
        seq = self._rng.randint(max(newest - 60, 1), newest + 1)
        return one and self._ask("redeliver", Redeliver(one.id, seq), "operator")

    def _refer(self, book: Memory, operation: str) -> Any:
        one = self._one(book)
        return one and self._ask(operation, SubscriptionRef(one.id), "operator")

    def _one(self, book: Memory) -> Subscription | None:
        found = list(book.subscriptions)
        return self._rng.choice(found) if found else None
