"""The audit of rates of exchange: what they made of invoices, and nothing more, is on the books.

As all of the auditor it shares no code with what it audits: plain SQL and integers.
"""

import json
import sqlite3
from collections.abc import Iterator

Leg = tuple[str, str, int]
NANOS = 10**9
DAY_MS = 86_400_000
OLDEST_MS = 10 * DAY_MS
CENT = 10_000


def exchange_legs(rows: sqlite3.Connection) -> Iterator[Leg]:
    """What conversions, gains and losses should have posted, by account and unit.

    Where a payment and its invoice are in two currencies both legs went through the brokerage;
    what was realised stands there, too, in the entity's currency, against gains and losses.
    """
    home = _homes(rows)
    currency = {r["id"]: r["currency"] for r in rows.execute("SELECT id, currency FROM invoice")}
    for payment in rows.execute(
        "SELECT currency, parts FROM payment WHERE state NOT IN ('duplicate', 'passed_over')"
    ):
        for part in json.loads(payment["parts"]):
            theirs = currency[part["invoice_id"]]
            if theirs != payment["currency"]:
                yield "brokerage", payment["currency"], -part["paid_micros"]
                yield "brokerage", theirs, part["micros"]
    for status in rows.execute("SELECT * FROM invoice_status"):
        entity = status["entity_id"]
        made, moved = status["realised_micros"], status["revalued_micros"]
        yield "brokerage", home[entity], made
        yield f"revaluation:{entity}", home[entity], moved
        yield f"fx_gain_loss:{entity}", home[entity], -made - moved


def exchange_problems(rows: sqlite3.Connection) -> Iterator[str]:
    """Every broken rule of what rates of exchange made."""
    statuses = {r["invoice_id"]: r for r in rows.execute("SELECT * FROM invoice_status")}
    home, realised = _homes(rows), dict.fromkeys(statuses, 0)
    for payment in rows.execute(
        "SELECT * FROM payment WHERE state NOT IN ('duplicate', 'passed_over')"
    ):
        yield from _worth(rows, payment, home[payment["entity_id"]])
        for part in json.loads(payment["parts"]):
            status = statuses[part["invoice_id"]]
            made = part.get("realised_micros", 0)
            realised[part["invoice_id"]] += made
            wanted = _made(payment, part, status, home[payment["entity_id"]])
            # Of a payment that bounced in parts, cents of two currencies were taken each time.
            if abs(made - wanted) > (5 * CENT if payment["bounced_micros"] else 2):
                yield f"{payment['id']} realised {made} of {status['number']}, not {wanted}"
    returned = {
        r["invoice_id"] for r in rows.execute("SELECT * FROM credit_note WHERE returned_micros > 0")
    }
    for invoice_id, status in statuses.items():
        if _is_settled(status) and status["revalued_micros"]:
            yield f"{status['number']} asks nothing, and {status['revalued_micros']} are revalued"
        if not status["paid_micros"] and status["realised_micros"]:
            yield f"{status['number']} has nothing paid, {status['realised_micros']} realised"
        if invoice_id not in returned and status["realised_micros"] != realised[invoice_id]:
            made = realised[invoice_id]
            yield f"{status['number']} has realised {status['realised_micros']}, not {made}"
    yield from _booked(rows, statuses, home)


def _is_settled(status: sqlite3.Row) -> bool:
    return bool(status["total_micros"] <= status["paid_micros"] + status["credited_micros"])


def _homes(rows: sqlite3.Connection) -> dict[str, str]:
    return {r["id"]: r["currency"] for r in rows.execute("SELECT id, currency FROM legal_entity")}


def _made(payment: sqlite3.Row, part: dict[str, int], status: sqlite3.Row, home: str) -> int:
    """What a part is worth more than it was booked at, from the rows alone."""
    came, asked = part["paid_micros"], part["micros"]
    if payment["currency"] != home:
        if not payment["worth_micros"]:
            return 0
        came = came * payment["worth_micros"] // payment["micros"]
    if status["currency"] != home:
        if not status["rate_nanos"]:
            return 0
        asked = asked * status["rate_nanos"] // NANOS
    return int(came - asked)


def _worth(rows: sqlite3.Connection, payment: sqlite3.Row, home: str) -> Iterator[str]:
    """A payment is worth what the rate of its value date says, as it was known when it came."""
    if payment["currency"] == home or payment["entry_id"].startswith("credit:"):
        return
    at, known, micros = payment["value_at_ms"], payment["booked_at_ms"], max(payment["micros"], 0)
    # Of a rate that came in the very same moment nobody knows whether it was there already.
    wanted = [_at(rows, payment["currency"], home, micros, at, known - since) for since in (0, 1)]
    brought = rows.execute(
        "SELECT 1 FROM brought_item WHERE subject = ?", (payment["id"],)
    ).fetchone()
    worth = payment["worth_micros"]
    if brought is None and all(abs(worth - one) > 1 for one in wanted):
        yield f"{payment['id']} is worth {worth}, its day's rate says {wanted[0]}"


def _booked(
    rows: sqlite3.Connection, statuses: dict[str, sqlite3.Row], home: dict[str, str]
) -> Iterator[str]:
    """An invoice in another currency is booked at the rate of its day, and there is one."""
    asked = "SELECT * FROM invoice WHERE opening_id IS NULL AND kind <> 'chargeback'"
    for invoice in rows.execute(asked):
        mine = home[invoice["entity_id"]]
        if invoice["currency"] == mine or invoice["total_micros"] <= 0:
            continue
        at, rate = invoice["issued_at_ms"], statuses[invoice["id"]]["rate_nanos"]
        known = [_at(rows, invoice["currency"], mine, NANOS, at, at - since) for since in (0, 1)]
        if not any(wanted and abs(rate - wanted) <= 1 for wanted in known):
            wanted = known[0]
            yield f"{invoice['number']} is booked at {rate}, its day's rate was {wanted}"


def _at(
    rows: sqlite3.Connection, base: str, quote: str, micros: int, at_ms: int, known_ms: int
) -> int:
    """An amount in another currency by the last rate of a pair; 0 where there is none."""
    rate = rows.execute(
        "SELECT * FROM fx_rate WHERE ((base = ? AND quote = ?) OR (base = ? AND quote = ?))"
        " AND day_ms <= ? AND day_ms > ? AND imported_at_ms <= ? ORDER BY day_ms DESC",
        (base, quote, quote, base, max(at_ms, 0), at_ms - OLDEST_MS, known_ms),
    ).fetchone()
    if rate is None:
        return 0
    if rate["base"] == base:
        return int(micros * rate["rate_nanos"] // NANOS)
    return int(micros * NANOS // rate["rate_nanos"])
