"""The audit of charges: what rates and contracts say, exactly, and what they add at an end.

It prices everything again from the rows alone, in the order in which it was booked, with
nothing of `pricing`.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from comptoir.simulation.audit_contracts import agreed, agreements

TERMS = ["hour", "day", "month", "one_year", "three_years"]
BY_ITS_HOLDER = ("ended_by_holder", "job_finished", "window_end", "tenant_suspended")
Charged = dict[tuple[str, int, int], int]
"""Accelerator-milliseconds by contract version, month and price: credit may cut them further."""
Steps = list[tuple[int, int]]
"""Where prices begin, and what they are."""
Line = list[sqlite3.Row]


def month_of(at_ms: int) -> tuple[int, int]:
    """The first instants of the UTC month that holds `at_ms` and of the next."""
    day = datetime.fromtimestamp(at_ms // 1000, UTC)
    this = datetime(day.year, day.month, 1, tzinfo=UTC)
    following = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC)
    return int(this.timestamp()) * 1000, int(following.timestamp()) * 1000


def charge_problems(
    rows: sqlite3.Connection, usage: list[sqlite3.Row], charges: list[sqlite3.Row]
) -> Iterator[str]:
    """Each usage event is charged exactly what was agreed; so is what a lease's end adds."""
    audit = _Audit(rows)
    found: dict[int, Charged] = defaultdict(lambda: defaultdict(int))
    added: dict[int, Line] = defaultdict(list)
    last = 0
    for row in charges:
        if row["row"] == "usage":
            last = row["usage_seq"]
            key = row["contract_version_id"], month_of(row["starts_at_ms"])[0], row["price_nanos"]
            found[last][key] += row["accelerator_ms"]
            if int(row["numerator"]) != row["accelerator_ms"] * row["price_nanos"]:
                yield f"charge {row['seq']} is not its time at its price"
            audit.billed[row["lease_id"]] += row["accelerator_ms"]
        else:
            added[last].append(row)
    for row in added.pop(0, []):
        yield f"charge {row['seq']} adds to nothing"
    for event in usage:
        expected = audit.expected(event)
        if found.pop(event["seq"], {}) != expected:
            yield f"usage {event['seq']} should be charged {dict(expected)}"
        for row in added.pop(event["seq"], []):
            yield from audit.top_up(row)
    if found or added:
        yield f"charges without usage: {sorted(found)}, {sorted(added)}"
    yield from audit.ends()


class _Audit:
    """What has been used of each tiered rate, and billed of each lease, as charges go by."""

    def __init__(self, rows: sqlite3.Connection) -> None:
        self.rows = rows
        self.cards = {
            row["id"]: row["rate_card_id"] for row in rows.execute("SELECT * FROM tenant")
        }
        self.rates = {row["id"]: row for row in rows.execute("SELECT * FROM rate")}
        self.lines: dict[tuple[str, str, str], Line] = defaultdict(list)
        for rate in self.rates.values():
            if rate["state"] == "approved":
                line = rate["rate_card_id"], rate["kind"], rate["lease_class"]
                self.lines[line].append(rate)
        self.used: dict[tuple[object, ...], int] = defaultdict(int)
        self.said = agreements(rows)
        self.billed: dict[str, int] = defaultdict(int)
        self.added: dict[str, int] = defaultdict(int)

    def closest(self, event: sqlite3.Row, site: str, at_ms: int) -> sqlite3.Row:
        """The rate that prices usage or a lease at an instant."""
        line = self.lines[self.cards[event["tenant_id"]], event["kind"], event["lease_class"]]
        able = [rate for rate in line if _prices(rate, event["term"], site, at_ms)]
        return max(
            able,
            key=lambda r: (TERMS.index(r["term"]), r["site"] != "", r["effective_from_ms"]),
        )

    def expected(self, event: sqlite3.Row) -> Charged:
        """The charges that an event should have."""
        start, end, whole = event["starts_at_ms"], event["ends_at_ms"], event["accelerator_ms"]
        line = self.lines[self.cards[event["tenant_id"]], event["kind"], event["lease_class"]]
        changes = {r["effective_from_ms"] for r in line} | self.said.cuts(event["tenant_id"])
        cuts = {start, end} | {at for at in changes if start < at < end}
        month = month_of(start)[1]
        while month < end:
            cuts.add(month)
            month = month_of(month)[1]
        found: Charged = defaultdict(int)
        before = 0
        for low, high in pairwise(sorted(cuts)):
            so_far = whole * (high - start) // (end - start)
            share, before = so_far - before, so_far
            rate = self.closest(event, event["site"], low)
            if rate["measure"] == event["measure"] and share:
                version, price = self.said.at(event, low)
                steps = _steps(rate, price)
                key = event["tenant_id"], rate["id"], month_of(low)[0], *steps
                for paid, part in _by_tier(steps, self.used[key], share):
                    found[version, month_of(low)[0], paid] += part
                self.used[key] += share
        return found

    def top_up(self, row: sqlite3.Row) -> Iterator[str]:
        """One charge of what was added to a lease: at the price of the tier it falls in."""
        version, price = self.said.at(row, row["ends_at_ms"] - 1)
        steps = _steps(self.rates[row["rate_id"]], price)
        key = row["tenant_id"], row["rate_id"], month_of(row["starts_at_ms"])[0], *steps
        if row["contract_version_id"] != version:
            yield f"charge {row['seq']} is under {row['contract_version_id']}, not {version}"
        amount = row["accelerator_ms"]
        low = self.used[key] + min(amount, 0)
        self.used[key] += amount
        self.added[row["lease_id"]] += amount
        prices = list(_by_tier(steps, low, abs(amount)))
        if [price for price, _ in prices] != [row["price_nanos"]]:
            yield f"charge {row['seq']} is at {row['price_nanos']}, its tiers say {prices}"
        if int(row["numerator"]) != amount * row["price_nanos"]:
            yield f"charge {row['seq']} is not its time at its price"

    def ends(self) -> Iterator[str]:
        """A lease that its holder ended is billed its minimum and whole steps, another is not."""
        for added in self.rows.execute(
            "SELECT t.*, l.tenant_id, l.kind, l.lease_class, l.term, l.state, l.reason"
            " FROM top_up t JOIN lease l ON l.id = t.lease_id"
        ):
            lease_id, size = added["lease_id"], added["accelerators"]
            rate = self.closest(added, added["site"], added["ends_at_ms"] - 1)
            if added["state"] != "ended" or added["reason"] not in BY_ITS_HOLDER:
                yield f"{lease_id} was not ended by its holder, and something was added to it"
            if rate["id"] != added["rate_id"]:
                yield f"{lease_id} is added to by {added['rate_id']}, not by {rate['id']}"
            billed, due = self.billed[lease_id], 0
            if billed:
                due = max(billed, rate["minimum_s"] * 1000 * size)
                step = max(rate["granularity_s"] * 1000 * size, 1)
                due = (due + step - 1) // step * step
            if self.added.pop(lease_id, 0) != max(due - billed, 0):
                yield f"{lease_id} was billed {billed} accelerator-ms and is due {due}"
        if any(self.added.values()):
            yield f"something was added to {sorted(self.added)}, which had no end"


def _prices(rate: sqlite3.Row, term: str, site: str, at_ms: int) -> bool:
    """Whether a rate may price what is asked."""
    return bool(
        rate["effective_from_ms"] <= at_ms
        and rate["site"] in ("", site)
        and TERMS.index(rate["term"]) <= TERMS.index(term)
        and rate["sku"] == "accelerator"
    )


def _steps(rate: sqlite3.Row, price: dict[str, Any] | None) -> Steps:
    """Where the agreed prices of a rate begin, and what they are."""
    listed = [(0, rate["price_nanos"]), *map(tuple, json.loads(rate["tiers"]))]
    return [(begins, agreed(price, asked)) for begins, asked in listed]


def _by_tier(steps: Steps, used: int, share: int) -> Iterator[tuple[int, int]]:
    """The prices of what follows `used`, and how much falls under each."""
    for at, (begins, price) in enumerate(steps):
        ends = steps[at + 1][0] if at + 1 < len(steps) else used + share
        part = min(used + share, ends) - max(used, begins)
        if part > 0:
            yield price, part
