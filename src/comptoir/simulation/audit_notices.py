"""The audit of notices: what arrived against what happened, worked out from the raw rows.

No notice that a subscription wants is lost, none arrives that concerns somebody else, those
that come first come in order, and a repetition says the same.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from comptoir.desk.notice_types import NOTICE_TYPES
from comptoir.simulation.sim_post import Arrived

HIDDEN = {"reclaimed_for", "why", "cost_accelerator_ms", "inbound_lease_id"}


@dataclass(frozen=True, slots=True)
class _One:
    """A subscription as the rows tell it."""

    id: str
    tenant_id: str | None
    patterns: tuple[str, ...]
    state: str
    cursor: int
    after: int
    """The event of its creation: it is told what came after that."""
    by_hand: frozenset[int]
    """Events that somebody asked to have sent: out of order, and of any type."""

    def wants(self, event: sqlite3.Row) -> bool:
        return (
            event["seq"] > self.after
            and self.tenant_id in (None, event["tenant_id"])
            and any(_names(pattern, event["type"]) for pattern in self.patterns)
        )


def notice_problems(rows: sqlite3.Connection, arrived: Sequence[Arrived]) -> Iterator[str]:
    """Every broken rule, one sentence each."""
    told = {name for name, kind in NOTICE_TYPES.items() if not kind.directed}
    events = {row["seq"]: row for row in rows.execute("SELECT * FROM event ORDER BY seq")}
    by_subscription: dict[str, list[dict[str, Any]]] = {}
    for parcel in arrived:
        by_subscription.setdefault(parcel.subscription_id, []).extend(parcel.documents)
    for one in _subscriptions(rows):
        documents = by_subscription.pop(one.id, [])
        seqs = [int(document["id"].removeprefix("nt_")) for document in documents]
        yield from _content_problems(one, documents, seqs, events)
        first = [seq for seq in dict.fromkeys(seqs) if seq not in one.by_hand]
        if first != sorted(first):
            yield f"{one.id} first got its notices in the order {first}"
        wanted = {seq for seq, row in events.items() if row["type"] in told and one.wants(row)}
        due = wanted if one.state == "active" else {seq for seq in wanted if seq <= one.cursor}
        lost = sorted(due - set(seqs))
        if lost:
            yield f"{one.id} ({one.state}, settled to {one.cursor}) never got {lost[:9]}"
        odd = sorted(set(first) - wanted)
        if odd:
            yield f"{one.id} got {odd[:9]}, which it does not want"
    for id in by_subscription:
        yield f"{id} was sent something and is not in the book"
    yield from _delivery_problems(rows)


def _subscriptions(rows: sqlite3.Connection) -> list[_One]:
    by_hand: dict[str, set[int]] = {}
    for row in rows.execute("SELECT subscription_id, event_seq FROM delivery WHERE again"):
        by_hand.setdefault(row["subscription_id"], set()).add(row["event_seq"])
    created = {
        row["subject"]: row["seq"]
        for row in rows.execute("SELECT seq, subject FROM event WHERE type='subscription.created'")
    }
    return [
        _One(
            row["id"], row["tenant_id"], tuple(json.loads(row["types"])), row["state"],
            row["cursor"], created[row["id"]],
            frozenset(by_hand.get(row["id"], set()) | set(json.loads(row["again"]))),
        )
        for row in rows.execute("SELECT * FROM subscription")
    ]  # fmt: skip


def _content_problems(
    one: _One, documents: list[dict[str, Any]], seqs: list[int], events: dict[int, sqlite3.Row]
) -> Iterator[str]:
    """Each says what the book says, the same each time, and no more than its reader may know."""
    said: dict[int, dict[str, Any]] = {}
    for seq, document in zip(seqs, documents, strict=True):
        row = events.get(seq)
        if row is None:
            yield f"{one.id} got {document['id']}, and nothing like that was committed"
            continue
        facts = (document["type"], document["subject"], document["tenant"])
        if facts != (row["type"], row["subject"], row["tenant_id"]):
            yield f"{one.id} got {facts} as {document['id']}"
        if one.tenant_id not in (None, row["tenant_id"]):
            yield f"{one.id} of {one.tenant_id} got {document['id']} of {row['tenant_id']}"
        if one.tenant_id is not None and HIDDEN & set(document["data"]):
            yield f"{one.id} was told {HIDDEN & set(document['data'])} in {document['id']}"
        if said.setdefault(seq, document) != document:
            yield f"{one.id} got {document['id']} twice, and the second said otherwise"


def _delivery_problems(rows: sqlite3.Connection) -> Iterator[str]:
    """Tries are numbered without a gap, and the subscription knows how many there were."""
    for row in rows.execute(
        "SELECT s.id, s.deliveries, count(d.number) AS tries, max(d.number) AS last"
        " FROM subscription s LEFT JOIN delivery d ON d.subscription_id = s.id GROUP BY s.id"
    ):
        if not row["deliveries"] == row["tries"] == (row["last"] or 0):
            yield f"{row['id']} counts {row['deliveries']} tries, {row['tries']} are written down"


def _names(pattern: str, type: str) -> bool:
    return pattern in ("*", type) or (pattern.endswith(".*") and type.startswith(pattern[:-1]))
