"""The audit of what came in: every amount accounted for once, and what a customer has is what it
paid less what that paid.

As all of the auditor it shares no code with what it audits: plain SQL and integers.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator

Leg = tuple[str, str, int]


def receipt_problems(rows: sqlite3.Connection) -> Iterator[str]:
    """Every broken rule of payments, disputes and dunning."""
    payments = rows.execute(
        "SELECT * FROM payment WHERE state NOT IN ('duplicate', 'passed_over')"
    ).fetchall()
    yield from _payments(payments)
    yield from _invoices(rows, payments)
    yield from _left_unused(rows, payments)
    yield from _disputes(rows)
    yield from _dunning(rows)


def _payments(payments: list[sqlite3.Row]) -> Iterator[str]:
    """What a payment did and what is left of it are what came in; what bounced went out."""
    ids = {p["id"] for p in payments}
    bounced: dict[tuple[str, str], int] = defaultdict(int)
    for p in payments:
        whose = p["entity_id"], p["currency"]
        bounced[whose] += p["bounced_micros"]
        if p["micros"] < 0:
            # One that went out may take several payments back: it names the last of them.
            bounced[whose] -= -p["micros"] - p["left_micros"] if p["about"] in ids else 0
            if p["state"] == "sent" and p["left_micros"]:
                yield f"{p['id']} went out, and {p['left_micros']} of it wait for nothing"
        elif _accounted(p) < p["micros"]:
            yield f"{p['id']} is {p['micros']}, of which {_accounted(p)} are accounted for"
        elif _accounted(p) > p["micros"] and not p["bounced_micros"]:
            yield f"{p['id']} is {p['micros']}, and did {_accounted(p)}"
    for (entity_id, currency), micros in bounced.items():
        if micros:
            yield f"{entity_id}: {micros} {currency} more bounced than went out for it"


def _accounted(payment: sqlite3.Row) -> int:
    return int(
        sum(part["paid_micros"] for part in json.loads(payment["parts"]))
        + payment["left_micros"]
        + payment["refunded_micros"]
        + payment["topped_up_micros"]
        + payment["bounced_micros"]
    )


def _invoices(rows: sqlite3.Connection, payments: list[sqlite3.Row]) -> Iterator[str]:
    """No invoice is paid more than came in for it, nor asked more than its total."""
    given, before = _given(payments), _paid_before(rows)
    for status in rows.execute("SELECT * FROM invoice_status"):
        number, paid = status["number"], status["paid_micros"] - before[status["invoice_id"]]
        if status["paid_micros"] + status["credited_micros"] > status["total_micros"]:
            yield f"{number} of {status['total_micros']} has {paid} paid and more credited"
        if paid > given[status["invoice_id"]]:
            yield f"{number} has {paid} paid, {given[status['invoice_id']]} came in for it"


def _given(payments: list[sqlite3.Row]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for payment in payments:
        for part in json.loads(payment["parts"]):
            found[part["invoice_id"]] += part["micros"]
    return found


def _paid_before(rows: sqlite3.Connection) -> dict[str, int]:
    """What invoices of another system had been paid, or credited, when they were brought."""
    found: dict[str, int] = defaultdict(int)
    for row in rows.execute(
        "SELECT i.id, i.total_micros - b.micros AS before FROM brought_item b"
        " JOIN invoice i ON i.id = b.subject WHERE b.brings = 'invoices'"
    ):
        found[row["id"]] = row["before"]
    return found


def _left_unused(rows: sqlite3.Connection, payments: list[sqlite3.Row]) -> Iterator[str]:
    """No invoice asks money while its customer has some left that was there when it was issued.

    Where payments of the customer bounced, an invoice may ask again what had been paid.
    """
    bounced = {p["tenant_id"] for p in payments if p["bounced_micros"]}
    named = {row["key"] for row in rows.execute("SELECT key FROM entry WHERE key LIKE 'named:%'")}
    asking = rows.execute(
        "SELECT i.*, s.state AS stands FROM invoice i JOIN invoice_status s ON s.invoice_id = i.id"
        " WHERE i.kind <> 'chargeback' AND i.opening_id IS NULL"
        " AND s.total_micros > s.paid_micros + s.credited_micros"
    ).fetchall()
    for p in payments:
        if p["state"] != "excess" or p["tenant_id"] in bounced or f"named:{p['id']}" in named:
            continue
        whose = p["tenant_id"], p["entity_id"], p["currency"]
        for invoice in asking:
            of = invoice["tenant_id"], invoice["entity_id"], invoice["currency"]
            if of == whose and p["booked_at_ms"] < invoice["issued_at_ms"]:
                yield f"{invoice['number']} asks, and {p['left_micros']} of {p['id']} are left"


def _disputes(rows: sqlite3.Connection) -> Iterator[str]:
    """What an invoice has disputed are its open disputes."""
    disputed: dict[str, int] = defaultdict(int)
    for dispute in rows.execute("SELECT * FROM dispute WHERE state = 'open'"):
        disputed[dispute["invoice_id"]] += dispute["gross_micros"]
    for status in rows.execute("SELECT * FROM invoice_status"):
        if status["disputed_micros"] != disputed[status["invoice_id"]]:
            yield (
                f"{status['number']} has {status['disputed_micros']} disputed, its disputes "
                f"{disputed[status['invoice_id']]}"
            )


def _dunning(rows: sqlite3.Connection) -> Iterator[str]:
    """Each step is taken once an invoice, or once since a dispute of one that still asked was
    rejected; never before it is due, and never for nothing."""
    taken: dict[str, int] = defaultdict(int)
    asks: dict[str, int] = {}
    of: dict[str, str] = {}
    for row in rows.execute("SELECT * FROM invoice_status"):
        of[row["number"]], asks[row["number"]] = row["invoice_id"], row["total_micros"]
    for event in rows.execute("SELECT * FROM event ORDER BY seq"):
        data = json.loads(event["data"])
        match event["type"]:
            case "invoice.paid" | "invoice.part_paid" | "invoice.reopened":
                asks[data["number"]] = int(data["open_micros"])
            case "credit_note.issued":
                asks[data["invoice"]] = max(asks[data["invoice"]] - int(data["total_micros"]), 0)
            case "dispute.rejected" if asks[data["number"]] > 0:
                taken.pop(of[data["number"]], None)
            case "invoice.overdue":
                taken[event["subject"]] += 1
                if event["at_ms"] < data["due_at_ms"] or int(data["micros"]) <= 0:
                    yield f"{data['number']} was asked for again at {event['at_ms']}: {data}"
    brought = {row["id"] for row in rows.execute("SELECT id FROM invoice WHERE opening_id <> ''")}
    for row in rows.execute("SELECT * FROM dunned"):
        steps = taken.pop(row["invoice_id"], 0)
        least = 0 if row["invoice_id"] in brought else min(1, row["steps"])  # by its old system
        if not least <= steps <= row["steps"]:
            yield f"{row['invoice_id']} is at step {row['steps']} and was asked {steps} times"
    for invoice_id in taken:
        yield f"{invoice_id} was asked for again, and nothing says how often"


def receipt_legs(rows: sqlite3.Connection) -> Iterator[Leg]:
    """What receipts should have posted, by account and unit.

    What an invoice has been paid, less what credit notes gave back, is off its receivable; what
    a payment did and is not there any more (its invoice was credited before it bounced, or its
    prepaid credit was drawn) is the customer's debt.
    """
    payments = rows.execute(
        "SELECT * FROM payment WHERE state NOT IN ('duplicate', 'passed_over')"
    ).fetchall()
    returned = {
        row["invoice_id"]: row["micros"]
        for row in rows.execute(
            "SELECT invoice_id, sum(returned_micros) AS micros FROM credit_note GROUP BY invoice_id"
        )
    }
    given, before = _given(payments), _paid_before(rows)
    brought = {
        row["subject"]
        for row in rows.execute("SELECT subject FROM brought_item WHERE brings = 'credits'")
    }
    for status in rows.execute("SELECT * FROM invoice_status"):
        tenant, unit = status["tenant_id"], status["currency"]
        paid = status["paid_micros"] + returned.get(status["invoice_id"], 0)
        paid -= before[status["invoice_id"]]
        yield f"receivable:{tenant}", unit, -paid
        yield f"customer_credit:{tenant}", unit, paid - given[status["invoice_id"]]
    for payment in payments:
        got_back = payment["entry_id"].startswith("credit:")
        yield from _payment_legs(payment, got_back or payment["id"] in brought)


def _payment_legs(payment: sqlite3.Row, brought: bool) -> Iterator[Leg]:
    """What is left of a payment that was brought came with the opening, and not as cash; so did
    what a customer got back come with its credit note."""
    entity, unit, tenant = payment["entity_id"], payment["currency"], payment["tenant_id"]
    nobody = f"unidentified_receipts:{entity}"
    came = 0 if brought else payment["micros"]
    yield f"cash:{entity}", unit, came - payment["refunded_micros"]
    if payment["micros"] < 0:
        yield nobody, unit, payment["left_micros"]
        if payment["about"] == "bank fees":
            yield f"bank_fees:{entity}", unit, -payment["micros"]
        return
    owner = f"customer_credit:{tenant}" if tenant is not None else nobody
    owed = _accounted(payment) - payment["micros"]
    yield owner, unit, owed - payment["left_micros"] + payment["micros"] - came
    yield f"deferred_revenue:{tenant}", unit, -payment["topped_up_micros"]
