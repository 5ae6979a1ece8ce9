"""The audit of credit: what is held, for whom, and that no work is ended without its notice.

From plain rows and in its own words: no code of what it audits.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator

OVER = ("ended", "refused", "cancelled", "broken")
STOPS = ("credit_exhausted", "budget_exhausted")


def credit_problems(rows: sqlite3.Connection) -> Iterator[str]:
    """Every broken rule of limits, holds and budgets."""
    leases = {row["id"]: row for row in rows.execute("SELECT * FROM lease")}
    holds = {row["lease_id"]: row for row in rows.execute("SELECT * FROM credit_hold")}
    yield from _admissions(rows)
    yield from _held(rows, leases, holds)
    yield from _held_ahead(rows, leases, holds)
    yield from _notice(rows, leases, holds)
    yield from _budgets(rows, leases)


def _admissions(rows: sqlite3.Connection) -> Iterator[str]:
    for row in rows.execute("SELECT * FROM admission WHERE state = 'admitted'"):
        if row["accepted_at_ms"] is None or row["screened_at_ms"] is None:
            yield f"{row['tenant_id']} is admitted, and had not accepted or was not screened"
        if row["decided_by"] == row["invited_by"]:
            yield f"{row['tenant_id']} was admitted by who invited it"


def _held(
    rows: sqlite3.Connection, leases: dict[str, sqlite3.Row], holds: dict[str, sqlite3.Row]
) -> Iterator[str]:
    """What lives of a limited tenant is held for; what is over, or of nobody limited, is not."""
    limited = {
        row["tenant_id"]
        for row in rows.execute(
            "SELECT tenant_id FROM admission"
            " WHERE state = 'admitted' AND credit_limit_micros IS NOT NULL"
            " UNION SELECT tenant_id FROM budget"
            " WHERE ended_at_ms IS NULL AND when_spent <> 'warn'"
        )
    }
    for lease in leases.values():
        hold = holds.get(lease["id"])
        live = lease["state"] not in OVER
        is_held = hold is not None and not hold["released"]
        if is_held is not (live and lease["tenant_id"] in limited):
            yield (
                f"{lease['id']} of {lease['tenant_id']} is {lease['state']} and "
                f"{'held for' if is_held else 'not held for'}"
            )
    for lease_id, hold in holds.items():
        if lease_id not in leases or int(hold["accelerator_ms"]) < 0:
            yield f"a hold for {lease_id} of {hold['accelerator_ms']} accelerator-ms"


def _held_ahead(
    rows: sqlite3.Connection, leases: dict[str, sqlite3.Row], holds: dict[str, sqlite3.Row]
) -> Iterator[str]:
    """Open-ended work that was not told to go has used nothing after what is held for it."""
    used: dict[str, int] = defaultdict(int)
    for row in rows.execute(
        "SELECT lease_id, max(ends_at_ms) AS until FROM usage"
        " WHERE measure = 'delivered' GROUP BY lease_id"
    ):
        used[row["lease_id"]] = row["until"]
    for lease_id, hold in holds.items():
        lease = leases.get(lease_id)
        if hold["released"] or lease is None or lease["state"] != "active":
            continue
        if lease["ends_at_ms"] is None and hold["until_ms"] is None:
            yield f"{lease_id} runs without an end, and is held for without one"
        if hold["until_ms"] is not None and used[lease_id] > hold["until_ms"]:
            yield f"{lease_id} was used until {used[lease_id]}, held for until {hold['until_ms']}"


def _notice(
    rows: sqlite3.Connection, leases: dict[str, sqlite3.Row], holds: dict[str, sqlite3.Row]
) -> Iterator[str]:
    """Who is ended for want of credit was held for, and had all its notice."""
    for event in rows.execute("SELECT * FROM event WHERE type = 'lease.reclaiming'"):
        data = json.loads(event["data"])
        if data["reason"] not in STOPS:
            continue
        if data["kill_at_ms"] - event["at_ms"] < data["notice_s"] * 1_000:
            yield f"{event['subject']} was given less than its {data['notice_s']} s of notice"
        if event["subject"] not in holds:
            yield f"{event['subject']} was ended for {data['reason']} and was never held for"
        if leases[event["subject"]]["ends_at_ms"] is not None:
            yield f"{event['subject']} has an end, and was ended for {data['reason']}"


def _budgets(rows: sqlite3.Connection, leases: dict[str, sqlite3.Row]) -> Iterator[str]:
    """What a budget for once has counted is what was booked since it was set, for its project."""
    booked: list[tuple[int, str, str, str, int]] = []
    for row in rows.execute(
        "SELECT e.key, e.booked_at_ms, p.account, p.unit, p.amount FROM entry e"
        " JOIN posting p ON p.entry_seq = e.seq"
        " WHERE e.kind = 'usage' AND p.account LIKE 'unbilled:%'"
    ):
        source, event_id = row["key"].split(":", 1)[1].split(":", 1)
        used = rows.execute(
            "SELECT lease_id FROM usage WHERE source = ? AND event_id = ?", (source, event_id)
        ).fetchone()
        project = "" if used is None else leases[used["lease_id"]]["project"]
        tenant = row["account"].split(":", 1)[1]
        booked.append((row["booked_at_ms"], tenant, project, row["unit"], row["amount"]))
    for budget in rows.execute("SELECT * FROM budget WHERE period = 'once'"):
        counted = [
            (at, amount)
            for at, tenant, project, unit, amount in booked
            if tenant == budget["tenant_id"]
            and unit == budget["currency"]
            and budget["project"] in ("", project)
            and at <= (budget["ended_at_ms"] or at)
        ]
        least = sum(
            amount
            for at, amount in counted
            if at > budget["created_at_ms"] and at != budget["ended_at_ms"]
        )
        most = sum(amount for at, amount in counted if at >= budget["created_at_ms"])
        if not least <= budget["spent_micros"] <= most:
            yield (
                f"{budget['id']} counted {budget['spent_micros']} micros; {least} to {most} were "
                "booked"
            )
        reached = budget["spent_micros"] >= budget["amount_micros"]
        if reached is not (budget["warned_percent"] == 100) and budget["ended_at_ms"] is None:
            yield f"{budget['id']} is told {budget['warned_percent']} %, reached: {reached}"
