"""The audit of openings: brought whole, once, against one account; numbers go on behind them.

As all of the auditor it shares no code with what it audits: plain SQL and integers.
"""

import sqlite3
import tomllib
from collections import defaultdict
from collections.abc import Iterator

Leg = tuple[str, str, int]
SERIES = "opening"
SUPPLY = ("prepaid_capacity:", "supplier_payable:")
"""Accounts that `audit_contracts` holds."""


def opening_problems(rows: sqlite3.Connection) -> Iterator[str]:
    """Every broken rule of what was brought."""
    standing: dict[str, int] = defaultdict(int)
    for opening in rows.execute("SELECT * FROM opening"):
        standing[opening["entity_id"]] += opening["state"] != "withdrawn"
        items = rows.execute(
            "SELECT * FROM brought_item WHERE opening_id = ? ORDER BY number", (opening["id"],)
        ).fetchall()
        if [item["number"] for item in items] != list(range(1, opening["done_items"] + 1)):
            yield f"{opening['id']} has {opening['done_items']} items, {len(items)} are brought"
        whole = opening["done_items"] == opening["total_items"]
        if whole is not (opening["state"] == "brought"):
            yield f"{opening['id']} is {opening['state']} with {opening['done_items']} items"
        if opening["approved_by"] in (None, opening["proposed_by"]) and items:
            yield f"{opening['id']} was brought and not approved by another"
        if whole:
            yield from _controlled(rows, opening)
    yield from (f"{entity} moves in {n} times" for entity, n in standing.items() if n > 1)


def _controlled(rows: sqlite3.Connection, opening: sqlite3.Row) -> Iterator[str]:
    """What the opening account stands at is what the file said that it must come to."""
    text = rows.execute(
        "SELECT text FROM opening_text WHERE opening_id = ? AND name LIKE 'opening.toml'",
        (opening["id"],),
    ).fetchone()["text"]
    for control in tomllib.loads(text)["control"]:
        if control["of"] != "opening":
            continue
        account = f"opening_balance:{opening['entity_id']}"
        held = rows.execute(
            "SELECT coalesce(sum(amount), 0) FROM posting WHERE account = ? AND unit = ?",
            (account, control["currency"]),
        ).fetchone()[0]
        units, cents = control["amount"].split(".")
        sign = -1 if units.startswith("-") else 1
        wanted = sign * (abs(int(units)) * 1_000_000 + int(cents) * 10_000)
        if held != wanted:
            yield f"{account} stands at {held}, its control says {wanted}"


def first_numbers(rows: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """The first number that each brought series gives here."""
    found = {}
    for row in rows.execute(
        "SELECT o.entity_id, t.text FROM opening o JOIN opening_text t ON t.opening_id = o.id"
        " WHERE o.state IN ('bringing', 'brought') AND t.name = 'opening.toml'"
    ):
        for series in tomllib.loads(row["text"]).get("next_number", ()):
            found[row["entity_id"], series["series"]] = series["next"]
    return found


def brought(rows: sqlite3.Connection) -> Iterator[Leg]:
    """What was brought posts on its own account, and on the opening account."""
    for item in rows.execute(
        "SELECT b.*, o.entity_id FROM brought_item b JOIN opening o ON o.id = b.opening_id"
        " WHERE b.micros <> 0"
    ):
        unit, micros = item["currency"], item["micros"]
        yield f"opening_balance:{item['entity_id']}", unit, -micros
        account = _account(rows, item)
        if not account.startswith(SUPPLY):
            yield account, unit, micros


def _account(rows: sqlite3.Connection, item: sqlite3.Row) -> str:
    def one(query: str) -> str | None:
        found: str | None = rows.execute(query, (item["subject"],)).fetchone()[0]
        return found

    if item["brings"] == "invoices":
        return f"receivable:{one('SELECT tenant_id FROM invoice WHERE id = ?')}"
    if item["brings"] == "prepaid":
        return f"deferred_revenue:{one('SELECT tenant_id FROM credit_block WHERE id = ?')}"
    if item["brings"] == "credits":
        return f"customer_credit:{one('SELECT tenant_id FROM payment WHERE id = ?')}"
    if item["brings"] == "contracts":
        tenant = one("SELECT tenant_id FROM contract WHERE id = ?")
        return f"deferred_revenue:{tenant}" if tenant else f"prepaid_capacity:{item['subject']}"
    if item["brings"] == "payables":
        return f"supplier_payable:{item['subject']}"
    return str(item["subject"])
