"""A world that notices are sent to: receivers that are well, down, gone, or whose answer is lost.

It outlives the desk, and keeps what really arrived, for the auditor. The desk may be killed
before a notice has left, and after it has arrived and before anybody knows.
"""

import random
from dataclasses import dataclass
from typing import Any

from comptoir.desk.notice_port import Parcel, Sent
from comptoir.simulation.faults import Faults
from comptoir.tenants.subscriptions import Subscription, SubscriptionKind

KILL_RATE = 0.01


@dataclass(frozen=True, slots=True)
class Arrived:
    """Notices that a receiver has got at once, as documents."""

    subscription_id: str
    documents: tuple[dict[str, Any], ...]


class SimPost:
    """Implements `desk.notice_port.Sender`."""

    key_mark = "simulated"

    def __init__(self, rng: random.Random, faults: Faults) -> None:
        self._rng = rng
        self._faults = faults
        self._moods: dict[str, str] = {}
        self.arrived: list[Arrived] = []

    def check(self, kind: SubscriptionKind, target: str) -> None:
        """Everybody may be sent to."""

    def secret(self, subscription: Subscription) -> str | None:
        """Nobody checks signatures here."""
        return None

    def send(self, parcel: Parcel, at_ms: int) -> Sent:
        """See the port."""
        mood = self._mood(parcel.subscription.id)
        if self._faults.on and self._rng.random() < KILL_RATE:
            self._faults.kill()
        if mood == "gone":
            return Sent(False, 410, "it wants nothing more", 1, gone=True)
        if mood == "down":
            asked_ms = self._rng.choice((0, 0, 30_000))
            return Sent(False, 503, "it answered 503", 1, retry_after_ms=asked_ms)
        documents = tuple(notice.document() for notice in parcel.notices)
        self.arrived.append(Arrived(parcel.subscription.id, documents))
        if self._faults.on and self._rng.random() < KILL_RATE:
            self._faults.kill()
        if mood == "lost":
            return Sent(False, None, "no answer within 15 s", 1)
        return Sent(True, 204, "", 1)

    def _mood(self, id: str) -> str:
        """How a receiver is now; it stays so for a while."""
        if not self._faults.on:
            return "well"
        if id not in self._moods or self._rng.random() < 0.2:
            moods = ("well", "down", "lost", "gone")
            self._moods[id] = self._rng.choices(moods, (70, 18, 10, 2))[0]
        return self._moods[id]
