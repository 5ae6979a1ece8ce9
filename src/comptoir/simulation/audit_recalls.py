"""The audit of recalls: no more of them than contracts allow, each one noted, none paid for twice.

What a contract allows is read from the bodies of its versions. As all of the auditor it shares no
code with what it audits: plain SQL and integers.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise


def recall_problems(rows: sqlite3.Connection) -> Iterator[str]:
    """Every broken rule of recalls."""
    acts = rows.execute("SELECT * FROM contract_act WHERE type = 'recall'").fetchall()
    yield from _numbers(rows, acts)
    yield from _announced(rows, acts)
    yield from _paid(rows, {act["id"] for act in acts})


def _numbers(rows: sqlite3.Connection, acts: list[sqlite3.Row]) -> Iterator[str]:
    """What was recalled in a year, and is to be, is never more than was agreed on by then."""
    taken: Counter[tuple[str, int]] = Counter()
    for act in sorted(acts, key=lambda one: (one["noted_at_ms"], one["id"])):
        number = act["contract_id"], _year(act["effective_at_ms"])
        taken[number] += 1
        most = max(_allowed(rows, act["contract_id"], act["noted_at_ms"]), default=0)
        if taken[number] > most:
            yield f"{number} has {taken[number]} recalls with {act['id']}, and allows {most}"
    for contract_id, year in planned_recalls(rows):
        taken[contract_id, year] += 1
        most = max(_allowed(rows, contract_id, 1 << 62), default=0)
        if taken[contract_id, year] > most:
            yield f"{contract_id} has {taken[contract_id, year]} planned in {year} of {most}"


def planned_recalls(rows: sqlite3.Connection) -> list[tuple[str, int]]:
    """Of each lease that is to be recalled and is not told: its contract, and the year."""
    found = []
    for lease in rows.execute(
        "SELECT l.*, min(a.ends_at_ms) AS taken_at_ms FROM lease l JOIN allocation a"
        " ON a.lease_id = l.id WHERE l.state = 'active' AND l.recall AND l.reclaimed_for IS NOT"
        " NULL AND a.fenced_at_ms IS NULL AND a.delivered_until_ms IS NULL GROUP BY l.id"
    ).fetchall():
        if lease["taken_at_ms"] is not None and lease["taken_at_ms"] < lease["ends_at_ms"]:
            found += [
                (contract_id, _year(lease["taken_at_ms"]))
                for contract_id, _ in clauses_of(rows, lease["tenant_id"], 1 << 62)
            ]
    return found


def clauses_of(
    rows: sqlite3.Connection, tenant_id: str, at_ms: int
) -> list[tuple[str, dict[str, int]]]:
    """The contract with a recall clause that was known, and in force, at an instant; or none."""
    found = []
    for contract in rows.execute(
        "SELECT * FROM contract WHERE tenant_id = ? AND direction = 'sold'", (tenant_id,)
    ).fetchall():
        version = rows.execute(
            "SELECT * FROM contract_version WHERE contract_id = ? AND state = 'approved'"
            " AND approved_at_ms <= ? AND effective_from_ms <= ? ORDER BY number DESC LIMIT 1",
            (contract["id"], at_ms, at_ms),
        ).fetchone()
        ends_ms = rows.execute(
            "SELECT min(effective_at_ms) FROM contract_act WHERE contract_id = ?"
            " AND type = 'exit' AND noted_at_ms <= ?",
            (contract["id"], at_ms),
        ).fetchone()[0]
        if version is None or (ends_ms is not None and ends_ms <= at_ms < 1 << 62):
            continue
        clause = json.loads(version["body"])["recall"]
        if clause is not None and (at_ms < version["until_ms"] or at_ms == 1 << 62):
            found.append((contract["id"], clause))
    return found


def _allowed(rows: sqlite3.Connection, contract_id: str, at_ms: int) -> list[int]:
    """The numbers that a contract's versions allowed, up to an instant."""
    bodies = rows.execute(
        "SELECT body FROM contract_version WHERE contract_id = ? AND state = 'approved'"
        " AND approved_at_ms <= ?",
        (contract_id, at_ms),
    )
    clauses = [json.loads(body)["recall"] for (body,) in bodies.fetchall()]
    return [clause["times_a_year"] for clause in clauses if clause is not None]


def _announced(rows: sqlite3.Connection, acts: list[sqlite3.Row]) -> Iterator[str]:
    """Each recall was noted as it was announced, and nothing else was."""
    noted = Counter((act["subject"], act["noted_at_ms"]) for act in acts)
    leases = {row["id"]: row for row in rows.execute("SELECT * FROM lease WHERE recall")}
    for event in rows.execute("SELECT * FROM event WHERE type = 'lease.reclaiming'").fetchall():
        lease = leases.get(event["subject"])
        if lease is None or json.loads(event["data"])["reason"] != "stronger_request":
            continue
        told = event["subject"], event["at_ms"]
        under = len(clauses_of(rows, lease["tenant_id"], event["at_ms"]))
        if noted[told] != under:
            yield f"{told[0]} was recalled at {told[1]}, and {noted[told]} acts say so"
        noted.pop(told, None)
    yield from (f"{lease} was not recalled at {at}, an act says so" for lease, at in noted)


def _paid(rows: sqlite3.Connection, acts: set[str]) -> Iterator[str]:
    """A recall is paid for once an instant, and only where one was noted."""
    paid: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for table in ("invoice", "invoice_draft"):
        for bill in rows.execute(f"SELECT id, lines FROM {table}"):
            for line in json.loads(bill["lines"]):
                if line.get("type") == "recall_fee":
                    window = line["starts_at_ms"], line["ends_at_ms"]
                    paid[line["reference"]].append(window)
                    if int(line["amount_micros"]) >= 0:
                        yield f"{bill['id']} asks a fee for a recall: {line['amount_micros']}"
    for act_id, found in paid.items():
        if act_id not in acts:
            yield f"{act_id} is paid for and was no recall"
        for (_, end), (start, _) in pairwise(sorted(found)):
            if start < end:
                yield f"the recall {act_id} is paid for twice before {end}"


def _year(instant_ms: int) -> int:
    return datetime.fromtimestamp(instant_ms // 1_000, tz=UTC).year
