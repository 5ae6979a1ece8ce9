"""The audit of usage, charges and ledger: every accelerator-millisecond once.

What is billed of it is audited by `audit_close`.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator

from comptoir.simulation.audit_charges import charge_problems, month_of
from comptoir.simulation.audit_close import billed, invoice_problems
from comptoir.simulation.audit_contracts import SUPPLY
from comptoir.simulation.audit_exchange import exchange_legs
from comptoir.simulation.audit_receipts import receipt_legs

PER_MICRO = 3_600_000 * 1_000


def money_problems(rows: sqlite3.Connection) -> Iterator[str]:
    """Every broken rule between delivered time and invoices."""
    usage = rows.execute("SELECT * FROM usage ORDER BY seq").fetchall()
    charges = rows.execute("SELECT * FROM charge ORDER BY seq").fetchall()
    accruals = {row["id"]: row for row in rows.execute("SELECT * FROM accrual")}
    yield from _delivered_once(rows, usage)
    yield from _occupied_once(rows, usage)
    yield from charge_problems(rows, usage, charges)
    yield from _accruals(charges, accruals)
    yield from _ledger(rows)
    yield from _balances(rows, usage, accruals)
    yield from invoice_problems(rows, accruals)


def _delivered_once(rows: sqlite3.Connection, usage: list[sqlite3.Row]) -> Iterator[str]:
    """Events of an allocation follow each other from its handing over to where it is metered."""
    pieces: dict[str, list[sqlite3.Row]] = defaultdict(list)
    for event in usage:
        if event["measure"] == "delivered":
            if event["source"] != "desk":
                yield f"usage {event['seq']}: delivered time from {event['source']}"
            pieces[event["event_id"].split(":")[0]].append(event)
    for a in rows.execute("SELECT * FROM allocation"):
        at, mine = a["delivered_from_ms"], pieces.pop(a["id"], [])
        size = len(json.loads(a["accelerators"]))
        for event in mine:
            span = event["ends_at_ms"] - event["starts_at_ms"]
            if event["starts_at_ms"] != at or event["accelerator_ms"] != span * size:
                yield f"usage {event['seq']} of {a['id']} does not begin at {at}"
            if (
                event["lease_id"] != a["lease_id"]
                or event["inbound_lease_id"] != a["inbound_lease_id"]
            ):
                yield f"usage {event['seq']} names another lease than {a['id']}"
            at = event["ends_at_ms"]
        if mine and at != a["metered_until_ms"]:
            yield f"{a['id']} is metered until {a['metered_until_ms']}, its usage ends at {at}"
        if a["fenced_at_ms"] is not None and a["delivered_from_ms"] is not None:
            if at != a["delivered_until_ms"]:
                yield f"{a['id']} was delivered until {a['delivered_until_ms']}, billed until {at}"
            if a["metered_until_ms"] != a["delivered_until_ms"]:
                yield f"{a['id']} is fenced and not settled"
    for allocation_id in pieces:
        yield f"usage of {allocation_id}, which is not in the book"


def _occupied_once(rows: sqlite3.Connection, usage: list[sqlite3.Row]) -> Iterator[str]:
    """A job's time on its accelerators is counted once, within its allocation's time.

    Of a node that is said to have been lost a while ago, what was booked by then stays booked.
    """
    lost = _lost_at(rows)
    pieces: dict[str, list[sqlite3.Row]] = defaultdict(list)
    for event in usage:
        if event["measure"] == "occupied" and event["source"] == "desk":
            pieces[event["event_id"].split(":")[0]].append(event)
    for row in rows.execute(
        "SELECT t.*, a.delivered_from_ms, a.delivered_until_ms FROM attempt t"
        " JOIN allocation a ON a.id = t.allocation_id"
    ):
        at = row["started_at_ms"]
        mine = pieces.pop(row["id"], [])
        for event in mine:
            span = event["ends_at_ms"] - event["starts_at_ms"]
            size = len(json.loads(row["accelerators"]))
            if event["starts_at_ms"] != at or event["accelerator_ms"] != span * size:
                yield f"usage {event['seq']} of {row['id']} does not begin at {at}"
            at = event["ends_at_ms"]
        if mine and row["delivered_until_ms"] is not None and at > row["delivered_until_ms"]:
            known = lost.get((row["lease_id"], row["node_id"]), 0)
            if mine[-1]["received_at_ms"] > known:
                yield f"{row['id']} occupied accelerators after they were given back"
    for attempt_id in pieces:
        yield f"usage of {attempt_id}, which is not in the book"


def _lost_at(rows: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """When the book learned that a lease had lost a node, for the last time."""
    query = "SELECT * FROM event WHERE type = 'lease.node_lost' ORDER BY seq"
    return {
        (event["subject"], json.loads(event["data"])["node"]): event["at_ms"]
        for event in rows.execute(query)
    }


def _accruals(charges: list[sqlite3.Row], accruals: dict[str, sqlite3.Row]) -> Iterator[str]:
    """An accrual is the sum of its charges and has posted its floor."""
    numerators: dict[str, int] = defaultdict(int)
    times: dict[str, int] = defaultdict(int)
    for row in charges:
        accrual = accruals[row["accrual_id"]]
        numerators[row["accrual_id"]] += int(row["numerator"])
        times[row["accrual_id"]] += row["accelerator_ms"]
        same = (
            "tenant_id", "lease_id", "rate_id", "measure", "currency", "correction",
            "contract_version_id", "price_nanos", "row",
        )  # fmt: skip
        if any(accrual[name] != row[name] for name in same):
            yield f"charge {row['seq']} does not belong to accrual {accrual['id']}"
        if accrual["service_month_ms"] != month_of(row["starts_at_ms"])[0]:
            yield f"charge {row['seq']} lies in another month than accrual {accrual['id']}"
    for accrual in accruals.values():
        if int(accrual["numerator"]) != numerators[accrual["id"]]:
            yield f"{accrual['id']} is not the sum of its charges"
        if accrual["accelerator_ms"] != times[accrual["id"]]:
            yield f"{accrual['id']} has {accrual['accelerator_ms']} accelerator-ms"
        if accrual["posted_micros"] != int(accrual["numerator"]) // PER_MICRO:
            yield f"{accrual['id']} has posted {accrual['posted_micros']}, not its floor"


def _ledger(rows: sqlite3.Connection) -> Iterator[str]:
    """Every entry, every unit: zero."""
    for row in rows.execute(
        "SELECT entry_seq, unit, sum(amount) AS total FROM posting GROUP BY 1, 2 HAVING total <> 0"
    ):
        yield f"entry {row['entry_seq']}: {row['unit']} sums to {row['total']}"
    for row in rows.execute(
        "SELECT seq FROM entry WHERE seq NOT IN (SELECT entry_seq FROM posting)"
        " UNION SELECT entry_seq FROM posting WHERE entry_seq NOT IN (SELECT seq FROM entry)"
    ):
        yield f"entry {row['seq']} has no postings, or they have no entry"


def _balances(
    rows: sqlite3.Connection, usage: list[sqlite3.Row], accruals: dict[str, sqlite3.Row]
) -> Iterator[str]:
    """Balances are the postings' sums, and those are what usage, accruals and invoices say."""
    held = {(r["account"], r["unit"]): r["amount"] for r in rows.execute("SELECT * FROM balance")}
    sums = {
        (r["account"], r["unit"]): r["total"]
        for r in rows.execute(
            "SELECT account, unit, sum(amount) AS total FROM posting GROUP BY account, unit"
        )
    }
    if held != sums:
        yield f"balances and postings differ: {set(held.items()) ^ set(sums.items())}"
    expected: dict[tuple[str, str], int] = defaultdict(int)
    for event in usage:
        if event["measure"] == "delivered":
            unit = f"accelerator_ms:{event['kind']}"
            expected[f"usage:{event['tenant_id']}", unit] += event["accelerator_ms"]
            expected[f"capacity:{event['inbound_lease_id']}", unit] -= event["accelerator_ms"]
    for accrual in accruals.values():
        posted, unit = accrual["posted_micros"], accrual["currency"]
        expected[f"revenue:{accrual['lease_class']}", unit] -= posted
        expected[f"unbilled:{accrual['tenant_id']}", unit] += posted
    for account, unit, amount in (*billed(rows), *receipt_legs(rows), *exchange_legs(rows)):
        expected[account, unit] += amount
    wanted = {key: amount for key, amount in expected.items() if amount}
    mine = {key: n for key, n in sums.items() if n and not key[0].startswith(SUPPLY)}
    if wanted != mine:
        apart = {key: (mine.get(key, 0), wanted.get(key, 0)) for key in {*mine, *wanted}}
        apart = {key: pair for key, pair in apart.items() if pair[0] != pair[1]}
        yield f"the ledger, and what usage, accruals, invoices and receipts say: {apart}"
