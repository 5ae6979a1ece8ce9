"""The notice loop: send what subscriptions are still to be told, and tell the book what came of it.

It chooses nothing: what is to be sent follows from the committed subscriptions (their cursors)
and the committed events. One subscription is served by one thread at a time and in order, and
its cursor moves only past what was delivered; so a notice is sent at least once whatever dies
in between, and a repetition carries the same id. No transaction is open while it sends.

The desk tells it of new events; only what follows a cursor is read from the store, and only
for subscriptions that something concerns.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from comptoir.desk.memory import Memory
from comptoir.desk.notice_port import Parcel, Sender, Sent
from comptoir.desk.notice_requests import SettleDeliveries, Tried
from comptoir.desk.notice_types import NOTICE_TYPES
from comptoir.desk.notices import Notice, notice_of, types_sent
from comptoir.desk.ports import Event, Store
from comptoir.tenants.subscriptions import (
    JITTER_STEPS,
    MAIL_EVERY_MS,
    Subscription,
    SubscriptionKind,
    SubscriptionState,
)
from comptoir.units.errors import ComptoirError
from comptoir.units.ids import SubscriptionId

log = logging.getLogger("comptoir.notices")

MOST_AT_ONCE = 16
"""Tries that one settling covers: as many may come twice when the desk dies before it."""
MOST_IN_A_MAIL = 50
LONGEST_ROUND_MS = 2_000
FAR_BEHIND = 10_000
AGAIN_AFTER_MS = 1_000
MOST_AT_A_TENANT = 4

Submit = Callable[[SettleDeliveries], Any]
"""How the loop tells the book: `settle_deliveries`, through the queue or directly."""
Draw = Callable[[int], int]
"""A random whole number below the one given."""


class NoticeLoop:
    """All subscriptions of one book. `hear` is for the desk's thread, `due` for one other;
    `serve` may run in many, each with a subscription of its own."""

    def __init__(
        self, book: Callable[[], Memory], store: Store, sender: Sender, submit: Submit, draw: Draw
    ) -> None:
        self._book = book
        self._store = store
        self._sender = sender
        self._submit = submit
        self._draw = draw
        self._heard: deque[tuple[int, str, str | None]] = deque()
        self._look_again = True
        self._newest = 0
        """The number of the newest event that is known to be durable."""
        self._known: set[SubscriptionId] = set()
        self._lock = threading.Lock()  # over `_from`
        self._from: dict[SubscriptionId, int] = {}
        """Subscriptions that may have something to be sent, after this event."""
        self._not_before: dict[SubscriptionId, int] = {}
        self._again_from: dict[SubscriptionId, int] = {}
        """Of mail: when the next may be sent that was asked for by hand."""

    def hear(self, events: Sequence[Event]) -> bool:
        """Take the events of a commit; see `Desk.listen`.

        Returns:
            Whether there may be something to send.
        """
        if not events:
            self._look_again = True
            return True
        self._newest = events[-1].seq
        if not self._book().committed_subscriptions:
            return False
        self._heard.extend((e.seq, e.type, e.tenant_id) for e in events if e.type in NOTICE_TYPES)
        return True

    def look_again(self) -> None:
        """Look at all subscriptions: cursors of quiet ones move on too, once in a while."""
        self._look_again = True

    def due(self, now_ms: int, serving: Collection[SubscriptionId] = ()) -> list[SubscriptionId]:
        """The subscriptions to serve now, those who waited longest first.

        Args:
            now_ms: The desk's instant.
            serving: Those that are being served; a tenant has at most a few at a time, so
                that its slow receivers do not take every thread.
        """
        book = self._book()
        if not book.settled:
            return []
        committed = book.committed_subscriptions
        self._note_news(committed)
        busy: dict[str | None, int] = {}
        for id in serving:
            if id in committed:
                busy[committed[id].tenant_id] = busy.get(committed[id].tenant_id, 0) + 1
        found = []
        for one in sorted(committed.values(), key=lambda s: (self._from.get(s.id, 0), s.id)):
            if one.id in serving or not self._is_due(one, now_ms):
                continue
            taken = busy.get(one.tenant_id, 0)
            if taken < MOST_AT_A_TENANT:
                busy[one.tenant_id] = taken + 1
                found.append(one.id)
        return found

    def serve(self, id: SubscriptionId, now_ms: Callable[[], int]) -> bool:
        """Send one subscription what is due, and settle; returns whether anything was sent."""
        one = self._book().committed_subscriptions.get(id)
        if one is None:
            return False
        tries, dropped = self._send_again(one, now_ms)
        passed = 0
        active = one.state is SubscriptionState.ACTIVE
        if active and one.next_try_at_ms <= now_ms():
            more, passed = self._send_next(one, now_ms)
            tries += more
        if not (tries or dropped or passed > one.cursor + FAR_BEHIND):
            return False
        settled = SettleDeliveries(
            id, tuple(tries), passed, tuple(dropped), self._draw(JITTER_STEPS)
        )
        try:
            self._submit(settled)
        except ComptoirError as error:  # what was sent will be sent again, under the same ids
            log.warning("deliveries of %s cannot be settled: %s", id, error)
            self._mark(id, one.cursor)
            self._not_before[id] = now_ms() + AGAIN_AFTER_MS
        return bool(tries)

    # What is due.

    def _note_news(self, committed: dict[SubscriptionId, Subscription]) -> None:
        """Mark the subscriptions that news concern; at first, and after a doubt, all."""
        everything, self._look_again = self._look_again, False
        by_tenant: dict[str | None, list[Subscription]] = {}
        for one in committed.values():
            by_tenant.setdefault(one.tenant_id, []).append(one)
            if everything or one.id not in self._known:
                self._mark(one.id, one.cursor)
        for id in self._known - set(committed):
            self._unmark(id, 0)
            self._not_before.pop(id, None)
            self._again_from.pop(id, None)
        self._known = set(committed)
        while self._heard:
            seq, type, tenant_id = self._heard.popleft()
            audiences = (None,) if tenant_id is None else (None, tenant_id)
            for one in (one for audience in audiences for one in by_tenant.get(audience, ())):
                if type in types_sent(one.types):
                    self._mark(one.id, seq - 1)

    def _mark(self, id: SubscriptionId, after: int) -> None:
        """There may be something to be sent after this event."""
        with self._lock:
            self._from[id] = min(after, self._from.get(id, after))

    def _unmark(self, id: SubscriptionId, otherwise: int) -> int:
        """After which event that may be; from here on only what is marked anew."""
        with self._lock:
            return self._from.pop(id, otherwise)

    def _is_due(self, one: Subscription, now_ms: int) -> bool:
        if self._not_before.get(one.id, 0) > now_ms:
            return False
        if one.again and self._again_from.get(one.id, 0) <= now_ms:
            return True
        waits = one.id in self._from and one.state is SubscriptionState.ACTIVE
        return waits and one.next_try_at_ms <= now_ms

    # Sending.

    def _send_again(
        self, one: Subscription, now_ms: Callable[[], int]
    ) -> tuple[list[Tried], list[int]]:
        """What was asked for by hand: each once; of mail one a minute, as nobody has asked the
        owner of the mailbox."""
        mail = one.kind is SubscriptionKind.MAIL
        if mail and self._again_from.get(one.id, 0) > now_ms():
            return [], []
        if mail and one.again:
            self._again_from[one.id] = now_ms() + MAIL_EVERY_MS
        tries, dropped = [], []
        for seq in one.again[: 1 if mail else MOST_AT_ONCE]:
            event = self._store.find("event", (seq,))
            told = list(_notices(one, [event])) if isinstance(event, Event) else []
            if told:
                tries.append(self._try(one, told, now_ms, again=True))
            else:
                dropped.append(seq)
        return tries, dropped

    def _send_next(self, one: Subscription, now_ms: Callable[[], int]) -> tuple[list[Tried], int]:
        """What follows the cursor, in order, until something fails or enough is sent.

        Returns:
            The tries, and up to which event nothing is left to be sent.
        """
        mail = one.kind is SubscriptionKind.MAIL
        most = MOST_IN_A_MAIL if mail else MOST_AT_ONCE
        after = max(one.cursor, self._unmark(one.id, one.cursor))
        newest = self._newest
        types = sorted(types_sent(one.types))
        events = self._store.find_told(types, one.tenant_id, after, most) if types else []
        told = list(_notices(one, events))
        passed = events[-1].seq if events else after
        if len(events) < most:
            passed = max(passed, newest)  # it was durable before the store was asked
        tries: list[Tried] = []
        until_ms = now_ms() + LONGEST_ROUND_MS
        for parcel in [told] if mail and told else [[notice] for notice in told]:
            tried = self._try(one, parcel, now_ms, again=False)
            tries.append(tried)
            if not tried.delivered:
                self._mark(one.id, one.cursor)
                return tries, 0
            if now_ms() >= until_ms and parcel[-1].seq < told[-1].seq:
                self._mark(one.id, parcel[-1].seq)
                return tries, 0
        if len(events) == most:
            self._mark(one.id, passed)
        return tries, passed

    def _try(
        self, one: Subscription, told: list[Notice], now_ms: Callable[[], int], again: bool
    ) -> Tried:
        at_ms = now_ms()
        try:
            sent = self._sender.send(Parcel(one, tuple(told)), at_ms)
        except Exception as error:  # a bug of ours must not stop the others, nor lose a notice
            log.exception("sending to %s failed", one.id)
            sent = Sent(False, None, f"a bug of the server: {type(error).__name__}", 0)
        return Tried(
            told[-1].seq, len(told), again, at_ms, sent.took_ms, sent.delivered, sent.status,
            sent.detail, sent.gone, sent.retry_after_ms,
        )  # fmt: skip


def _notices(one: Subscription, events: Sequence[Event]) -> Iterator[Notice]:
    for event in events:
        notice = notice_of(event, one.tenant_id is None)
        if notice is not None:
            yield notice
