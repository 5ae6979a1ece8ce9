"""The audit of what the house owes its customers for broken guarantees.

Promised, broken and delivered time are worked out again from usage and breaches, and what that
is worth from the file of the contract. As all of the auditor it shares no code with what it
audits: plain SQL and integers.
"""

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

PPM = 1_000_000
MINOR = 10_000
"""Micros of a cent."""
NUMERATOR_PER_MICRO = 3_600_000_000
"""Nanos times milliseconds in an hour's micro."""
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def sla_problems(rows: sqlite3.Connection) -> Iterator[str]:
    """Every broken rule of SLA credits."""
    blocks = {
        row["id"]: row
        for row in rows.execute("SELECT * FROM credit_block WHERE source = 'sla_credit'")
    }
    windows: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for event in rows.execute("SELECT * FROM event WHERE type = 'credit.sla'"):
        block = blocks.pop(event["subject"], None)
        if block is None:
            yield f"{event['subject']} was told twice, or is no credit"
            continue
        data = json.loads(event["data"])
        first, until = _window(data["because"][0])
        windows[data["contract"]].append((first, until))
        yield from _credit(rows, block, data, (first, until))
    yield from _given_back(rows, blocks)
    yield from (f"{block_id} was granted and told to nobody" for block_id in blocks)
    for contract_id, found in windows.items():
        for (_, end), (start, _) in pairwise(sorted(found)):
            if start < end:
                yield f"{contract_id} was credited twice for what lies before {end}"


def _given_back(rows: sqlite3.Connection, blocks: dict[str, sqlite3.Row]) -> Iterator[str]:
    """What was billed while down is given back once, never above what its time was charged."""
    breaches = {row["id"]: row for row in rows.execute("SELECT * FROM breach")}
    for event in rows.execute("SELECT * FROM event WHERE type = 'credit.billed_while_down'"):
        block, data = blocks.pop(event["subject"], None), json.loads(event["data"])
        breach = breaches.pop(data["breach"], None)
        if block is None or breach is None:
            yield f"{event['subject']} gives back what was given back, or nothing"
            continue
        billed = breach["billed_accelerator_ms"]
        if data["billed_accelerator_ms"] != billed or block["granted_micros"] <= 0:
            yield f"{block['id']} gives back {block['granted_micros']} for {billed} billed"
        charged, used, asked = 0, 0, False
        for row in rows.execute(
            "SELECT *, EXISTS (SELECT 1 FROM accrual a JOIN invoice_status s"
            " ON s.invoice_id = a.invoice_id WHERE a.id = charge.accrual_id AND s.state = 'void')"
            " AS void FROM charge WHERE lease_id = ? AND ends_at_ms > ? AND starts_at_ms < ?"
            " AND measure = 'delivered'",
            (breach["lease_id"], breach["failed_at_ms"], breach["broken_from_ms"]),
        ):
            charged += int(row["numerator"])
            used += row["accelerator_ms"]
            asked = asked or not row["void"]
        if not used or block["granted_micros"] > charged // NUMERATOR_PER_MICRO + MINOR:
            yield f"{block['id']} gives back {block['granted_micros']}, {charged} was charged"
        if used and not asked and block["expired_micros"] < block["granted_micros"]:
            yield f"{block['id']} gives back what is void: {block['drawn_micros']} of it was drawn"


def _window(words: str) -> tuple[int, int]:
    """From when to when a credit is, as its explanation says."""
    first, until = (
        round(datetime.fromisoformat(found).timestamp() * 1_000)
        for found in _INSTANT.findall(words)[:2]
    )
    return first, until


def _credit(
    rows: sqlite3.Connection, block: sqlite3.Row, data: dict[str, Any], window: tuple[int, int]
) -> Iterator[str]:
    promised, broken = data["promised_accelerator_ms"], data["broken_accelerator_ms"]
    down, name = data["down_accelerator_ms"], block["id"]
    if int(data["micros"]) != block["granted_micros"] or block["granted_micros"] % MINOR:
        yield f"{name} grants {block['granted_micros']}, its customer was told {data['micros']}"
    if json.loads(block["conditions"]) != data["because"]:
        yield f"{name} is explained otherwise than its customer was told"
    delivered = _delivered(rows, block["tenant_id"], window)
    if promised - broken != delivered:
        yield f"{name} promises {promised}, {broken} of it broken; {delivered} were delivered"
    most = _broken(rows, block["tenant_id"], window)
    degraded = any(" degraded" in one for one in data["breaches"])
    if not 0 <= broken <= most or not 0 < down <= promised or not (broken or degraded):
        yield f"{name} counts {broken} broken and {down} down, the breaches {most}"
    share, versions = _share(rows, block["contract_id"], window[0], promised, down)
    charged = _charged(rows, versions, window)
    if block["granted_micros"] > charged * share // PPM + MINOR:
        yield f"{name} grants {block['granted_micros']}, {share} millionths of {charged} are less"


def _delivered(rows: sqlite3.Connection, tenant_id: str, window: tuple[int, int]) -> int:
    total = 0
    for event in rows.execute(
        "SELECT * FROM usage WHERE tenant_id = ? AND measure = 'delivered'"
        " AND lease_class <> 'spot' AND ends_at_ms > ? AND starts_at_ms < ?",
        (tenant_id, *window),
    ):
        start, end = event["starts_at_ms"], event["ends_at_ms"]
        held = min(end, window[1]) - max(start, window[0])
        total += event["accelerator_ms"] * held // (end - start)
    return total


def _broken(rows: sqlite3.Connection, tenant_id: str, window: tuple[int, int]) -> int:
    total = 0
    for row in rows.execute("SELECT * FROM breach WHERE tenant_id = ?", (tenant_id,)):
        until = row["broken_until_ms"]
        end = min(window[1], window[1] if until is None else until)
        total += max(end - max(row["broken_from_ms"], window[0]), 0) * row["accelerators"]
    return total


def _share(
    rows: sqlite3.Connection, contract_id: str, at_ms: int, promised: int, down: int
) -> tuple[int, list[str]]:
    """What the version in force credits for so much down, and the contract's versions."""
    versions = rows.execute(
        "SELECT * FROM contract_version WHERE contract_id = ? AND state = 'approved'"
        " ORDER BY number",
        (contract_id,),
    ).fetchall()
    begun = [row for row in versions if row["effective_from_ms"] <= at_ms]
    sla = json.loads(begun[-1]["body"])["sla"] if begun else None
    if sla is None:
        return 0, []
    available = (promised - down) * PPM // promised
    worth = [step["credit_ppm"] for step in sla["credits"] if available < step["below_ppm"]]
    return min(max(worth, default=0), sla["cap_ppm"]), [row["id"] for row in versions]


def _charged(rows: sqlite3.Connection, versions: list[str], window: tuple[int, int]) -> int:
    marks = ",".join("?" * len(versions))
    found = rows.execute(
        "SELECT coalesce(sum(max(posted_micros, 0)), 0) FROM accrual WHERE first_at_ms >= ?"
        f" AND first_at_ms < ? AND lease_class <> 'spot' AND contract_version_id IN ({marks})",
        (*window, *versions),
    ).fetchone()[0]
    return int(found)
