"""The audit of periods, drafts, invoices and credit notes: gapless, adding up, in their time.

As all of the auditor it shares no code with what it audits: plain SQL and integers.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator

from comptoir.simulation.audit_openings import SERIES, brought, first_numbers

PER_MICRO = 3_600_000 * 1_000
MINOR = {"USD": 10_000, "EUR": 10_000}
"""Micros of a cent."""
DRAWN = ("drawdown", "on_account")

Leg = tuple[str, str, int]


def invoice_problems(rows: sqlite3.Connection, accruals: dict[str, sqlite3.Row]) -> Iterator[str]:
    """Every broken rule of what was billed."""
    invoices = rows.execute("SELECT * FROM invoice ORDER BY series, sequence").fetchall()
    notes = rows.execute("SELECT * FROM credit_note ORDER BY series, sequence").fetchall()
    drafts = rows.execute("SELECT * FROM invoice_draft").fetchall()
    yield from _numbers(rows, invoices, notes)
    by_bill: dict[str, list[sqlite3.Row]] = defaultdict(list)
    for accrual in accruals.values():
        if accrual["invoice_id"] is not None:
            by_bill[accrual["invoice_id"]].append(accrual)
    for invoice in invoices:
        yield from _lines(invoice, by_bill.pop(invoice["id"], []))
        yield from _asked(rows, invoice)
    for draft in drafts:
        if draft["state"] != "finalised":
            yield from _lines(draft, by_bill.pop(draft["id"], []))
        elif draft["id"] not in {invoice["id"] for invoice in invoices}:
            yield f"draft {draft['id']} is final, and there is no invoice"
    for bill in by_bill:
        yield f"accruals were billed by {bill}, which is neither draft nor invoice"
    yield from _statuses(rows, invoices, notes)
    yield from _periods(rows)


def _numbers(
    rows: sqlite3.Connection, invoices: list[sqlite3.Row], notes: list[sqlite3.Row]
) -> Iterator[str]:
    """1, 2, 3 ... in each series of each entity, and the counter is at the last."""
    given: dict[tuple[str, str], list[int]] = defaultdict(list)
    first = first_numbers(rows)
    for row in (*invoices, *notes):
        if row["series"] == SERIES:
            continue  # another system's numbers
        given[row["entity_id"], row["series"]].append(row["sequence"])
        if row["number"] != f"{row['series']}-{row['sequence']:06d}":
            yield f"{row['id']} is called {row['number']}"
    last = {
        (r["entity_id"], r["name"]): r["last"] for r in rows.execute("SELECT * FROM number_series")
    }
    begun = {series for series, number in last.items() if number >= first.get(series, 1)}
    if begun != set(given):
        yield f"there are series {sorted(last)}, numbers of {sorted(given)}"
    for series, numbers in given.items():
        if numbers != list(range(first.get(series, 1), last.get(series, 0) + 1)):
            yield f"series {series} has the numbers {numbers}, the last is {last.get(series)}"


def _lines(bill: sqlite3.Row, accruals: list[sqlite3.Row]) -> Iterator[str]:
    """A line of usage is its accruals, rounded once; lines are numbered; a total is its parts."""
    exact: dict[int, int] = defaultdict(int)
    for accrual in accruals:
        exact[accrual["invoice_line"]] += int(accrual["numerator"])
        if accrual["currency"] != bill["currency"] or accrual["tenant_id"] != bill["tenant_id"]:
            yield f"{accrual['id']} is billed by {bill['id']}, of another tenant or currency"
    lines, total = json.loads(bill["lines"]), 0
    step = MINOR[bill["currency"]]
    if [line["number"] for line in lines] != list(range(1, len(lines) + 1)):
        yield f"{bill['id']} has lines {[line['number'] for line in lines]}"
    for line in lines:
        amount, numerator = int(line["amount_micros"]), exact.pop(line["number"], 0)
        total += amount
        if line.get("type", "usage") not in ("usage", "top_up"):
            continue
        half_up = (2 * abs(numerator) + step * PER_MICRO) // (2 * step * PER_MICRO) * step
        if amount != (half_up if numerator >= 0 else -half_up):
            yield f"{bill['id']} line {line['number']} asks {amount} for {numerator}"
        if int(line["numerator"]) != numerator:
            yield f"{bill['id']} line {line['number']} is not the sum of its accruals"
    if exact:
        yield f"{bill['id']} has no lines {sorted(exact)}"
    if "total_micros" in bill.keys():  # noqa: SIM118  (a row is no mapping)
        total += sum(int(tax["amount_micros"]) for tax in json.loads(bill["taxes"]))
        if total != bill["total_micros"]:
            yield f"{bill['number']} asks {bill['total_micros']}, its lines and taxes {total}"


def _asked(rows: sqlite3.Connection, invoice: sqlite3.Row) -> Iterator[str]:
    """An invoice's total is what its entry posts on the account that it asks; of one that was
    brought, what was open then."""
    if invoice["opening_id"] is not None:
        return
    side = "internal_transfer" if invoice["kind"] == "chargeback" else "receivable"
    posted = rows.execute(
        "SELECT coalesce(sum(p.amount), 0) FROM posting p JOIN entry e ON e.seq = p.entry_seq"
        " WHERE e.key = ? AND p.account = ? AND p.unit = ?",
        (f"invoice:{invoice['id']}", f"{side}:{invoice['tenant_id']}", invoice["currency"]),
    ).fetchone()[0]
    if posted != invoice["total_micros"]:
        yield f"{invoice['number']} asks {invoice['total_micros']} and posted {posted}"


def _statuses(
    rows: sqlite3.Connection, invoices: list[sqlite3.Row], notes: list[sqlite3.Row]
) -> Iterator[str]:
    """Every invoice has a status, which says what its credit notes have credited, no more."""
    statuses = {row["invoice_id"]: row for row in rows.execute("SELECT * FROM invoice_status")}
    credited: dict[str, int] = defaultdict(int)
    by_line: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for note in notes:
        lines, taxes = json.loads(note["lines"]), json.loads(note["taxes"])
        whole = sum(int(part["amount_micros"]) for part in (*lines, *taxes))
        if whole != note["total_micros"]:
            yield f"{note['number']} credits {note['total_micros']}, its lines {whole}"
        credited[note["invoice_id"]] += note["total_micros"]
        for line in lines:
            by_line[note["invoice_id"]][line["line"]] += int(line["amount_micros"])
    if set(statuses) != {invoice["id"] for invoice in invoices}:
        yield "statuses and invoices are not of the same"
    for invoice in invoices:
        status = statuses.get(invoice["id"])
        if status is None:
            continue
        if status["credited_micros"] != credited[invoice["id"]]:
            yield f"{invoice['number']}: {status['credited_micros']} credited, notes differ"
        if status["total_micros"] != invoice["total_micros"]:
            yield f"{invoice['number']}: its status says {status['total_micros']}"
        for line in json.loads(invoice["lines"]):
            amount, done = int(line["amount_micros"]), by_line[invoice["id"]][line["number"]]
            if abs(done) > abs(amount) or done * amount < 0:
                yield f"{invoice['number']} line {line['number']}: {done} of {amount} credited"


def _periods(rows: sqlite3.Connection) -> Iterator[str]:
    """Periods of an entity follow each other; nothing counts in a closed one that came after."""
    ends: dict[str, int] = {}
    for period in rows.execute("SELECT * FROM period ORDER BY entity_id, starts_at_ms"):
        entity = period["entity_id"]
        if entity in ends and ends[entity] != period["starts_at_ms"]:
            yield f"{period['name']} of {entity} does not begin where the one before ended"
        ends[entity] = period["ends_at_ms"]
        if period["state"] != "closed":
            continue
        for late in rows.execute(
            "SELECT key, effective_at_ms FROM entry WHERE effective_at_ms < ? AND booked_at_ms > ?"
            " AND seq IN (SELECT entry_seq FROM posting WHERE account LIKE 'unbilled:%'"
            " OR account LIKE 'receivable:%')",
            (period["ends_at_ms"], period["closed_at_ms"]),
        ):
            yield f"{late['key']} counts in {period['name']} and came after its close"
        open_ones = rows.execute(
            "SELECT count(*) FROM accrual WHERE invoice_id IS NULL AND service_month_ms < ?"
            " AND NOT correction",
            (period["ends_at_ms"],),
        ).fetchone()[0]
        if open_ones:
            yield f"{period['name']} is closed and {open_ones} accruals of it are not billed"


def billed(rows: sqlite3.Connection) -> Iterator[Leg]:
    """What drafts, invoices and credit notes should have posted, by account and unit."""
    blocks = {row["id"]: row for row in rows.execute("SELECT * FROM credit_block")}
    yield from brought(rows)
    for row in rows.execute(
        "SELECT * FROM drawdown WHERE tenant_id <> '' AND subject NOT LIKE 'opening:%'"
    ):
        source = blocks[row["block_id"]]["source"]
        account = {"grant": "grants", "sla_credit": "sla_credit"}.get(
            source, f"deferred_revenue:{row['tenant_id']}"
        )
        if row["micros"] > 0:  # what is given back stands in the credit note's entry
            yield account, row["currency"], row["micros"]
            yield f"unbilled:{row['tenant_id']}", row["currency"], -row["micros"]
    for block in blocks.values():
        kept = block["source"] not in ("grant", "sla_credit") and block["tenant_id"]
        if kept:  # what was taken back with its payment is over, too, and no income
            deferred, income = f"deferred_revenue:{block['tenant_id']}", block["lapsed_micros"]
            yield deferred, block["currency"], income
            yield "breakage", block["currency"], -income
    unbilled: dict[str, int] = defaultdict(int)
    for row in rows.execute("SELECT invoice_id, posted_micros FROM accrual"):
        unbilled[row["invoice_id"]] += row["posted_micros"]
    for row in rows.execute("SELECT invoice_id, micros FROM drawdown WHERE micros > 0"):
        unbilled[row["invoice_id"]] -= row["micros"]
    for invoice in rows.execute("SELECT * FROM invoice WHERE opening_id IS NULL"):
        yield from _settled(invoice, unbilled[invoice["id"]])
    for note in rows.execute(
        "SELECT n.*, i.kind, i.lines AS invoice_lines FROM credit_note n"
        " JOIN invoice i ON i.id = n.invoice_id"
    ):
        yield from _reversed(note)
        yield from _given_back(rows, note)


def _settled(invoice: sqlite3.Row, unbilled: int) -> Iterator[Leg]:
    tenant, unit = invoice["tenant_id"], invoice["currency"]
    side = "internal_transfer" if invoice["kind"] == "chargeback" else "receivable"
    yield f"{side}:{tenant}", unit, invoice["total_micros"]
    asked = 0
    for line in json.loads(invoice["lines"]):
        against = _against(line, tenant)
        if against.startswith("unbilled"):
            asked += line["amount_micros"]
        else:
            yield against, unit, -line["amount_micros"]
    yield f"unbilled:{tenant}", unit, -unbilled
    yield "rounding", unit, unbilled - asked
    for tax in json.loads(invoice["taxes"]):
        yield f"tax_payable:{invoice['entity_id']}", unit, -tax["amount_micros"]


def _against(line: dict[str, str], tenant: str) -> str:
    return {
        "instalment": f"deferred_revenue:{tenant}",
        "true_up": "breakage",
        "recall_fee": "recall_fees",
        "carried": f"customer_credit:{tenant}",
        "opening": "prior_revenue",
    }.get(line.get("type", "usage"), f"unbilled:{tenant}")


def _reversed(note: sqlite3.Row) -> Iterator[Leg]:
    """The reverse of a note's lines, and what had been paid is credit; drawn credit apart."""
    tenant, unit = note["tenant_id"], note["currency"]
    side = "internal_transfer" if note["kind"] == "chargeback" else "receivable"
    of = {line["number"]: line for line in json.loads(note["invoice_lines"])}
    yield f"{side}:{tenant}", unit, note["returned_micros"] - note["total_micros"]
    yield f"customer_credit:{tenant}", unit, -note["returned_micros"]
    for line in json.loads(note["lines"]):
        if of[line["line"]].get("type") in DRAWN:
            continue
        account = _against(of[line["line"]], tenant)
        if account.startswith("unbilled"):
            account = f"revenue:{of[line['line']]['lease_class']}"
        yield account, unit, line["amount_micros"]
    for tax in json.loads(note["taxes"]):
        yield f"tax_payable:{note['entity_id']}", unit, tax["amount_micros"]


def _given_back(rows: sqlite3.Connection, note: sqlite3.Row) -> Iterator[Leg]:
    """Drawn credit goes back where it came from; what was paid for and is over is owed instead."""
    of = {line["number"]: line for line in json.loads(note["invoice_lines"])}
    lines = [x for x in json.loads(note["lines"]) if of[x["line"]].get("type") in DRAWN]
    if not lines:
        return
    unit, paid_for, back = note["currency"], 0, 0
    for row in rows.execute(
        "SELECT d.*, b.source FROM drawdown d JOIN credit_block b ON b.id = d.block_id"
        " WHERE d.invoice_id = ?",
        (note["invoice_id"],),
    ):
        given = row["source"] in ("grant", "sla_credit")
        paid_for += 0 if given else row["micros"]  # what is left of it was not given back
        account = {"grant": "grants", "sla_credit": "sla_credit"}.get(
            row["source"], f"deferred_revenue:{row['tenant_id']}"
        )
        # A gift is taken back whole; what was paid for, as far as it can be drawn again.
        micros = max(row["micros"], 0) if given else max(-row["micros"], 0)
        back += micros
        yield account, unit, -micros
    lost = (2 * paid_for + MINOR[unit]) // (2 * MINOR[unit]) * MINOR[unit]
    drawn = -sum(line["amount_micros"] for line in lines)
    yield f"customer_credit:{note['tenant_id']}", unit, -lost
    yield "rounding", unit, -(drawn - lost - back)
