"""The auditor: reads the raw rows that a schedule left, and works every rule out again.

It shares no code with what it audits: no metering, no pricing, no placement, no desk; plain
SQL, integers and its own tables of what is allowed. Each broken rule is one sentence.
`audit_space` holds accelerators and states, `audit_windows` what was promised when,
`audit_money` usage to invoices, `audit_contracts` what is agreed, drawn and bought,
`audit_credit` what is held and who is told, `audit_receipts` what came in and what it paid,
`audit_exchange` what rates of exchange made of it, `audit_sla` what broken guarantees are worth,
`audit_recalls` how often and at what fee the house took back what it sold, `audit_notices` what
arrived where it was to be sent, `audit_memory` the desk's memory against its store.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from comptoir.desk.desk import Desk
from comptoir.desk.engine_port import StopNotice
from comptoir.simulation.audit_contracts import contract_problems
from comptoir.simulation.audit_credit import credit_problems
from comptoir.simulation.audit_entitled import entitled_problems
from comptoir.simulation.audit_exchange import exchange_problems
from comptoir.simulation.audit_failures import failure_problems
from comptoir.simulation.audit_memory import memory_problems
from comptoir.simulation.audit_money import money_problems
from comptoir.simulation.audit_notices import notice_problems
from comptoir.simulation.audit_openings import opening_problems
from comptoir.simulation.audit_recalls import recall_problems
from comptoir.simulation.audit_receipts import receipt_problems
from comptoir.simulation.audit_sla import sla_problems
from comptoir.simulation.audit_space import space_problems
from comptoir.simulation.audit_windows import window_problems
from comptoir.simulation.machines import Trouble
from comptoir.simulation.sim_engine import Run
from comptoir.simulation.sim_post import Arrived
from comptoir.simulation.template import BookPlace
from comptoir.simulation.workload import Asked
from comptoir.store.rerate import rerate_book
from comptoir.units.ids import AttemptId

NAMED = {
    "request_lease": "lease",
    "hold_capacity": "lease",
    "submit_job": "job",
    "declare_supply": "inbound_lease",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the world knows besides the book: what was asked and heard, and what really ran."""

    asked: Mapping[str, Asked]
    runs: list[Run]
    told: Mapping[AttemptId, StopNotice]
    untold: list[AttemptId]
    troubles: list[Trouble]
    arrived: list[Arrived]
    now_ms: int
    clocks_agree: bool


def audit(place: BookPlace, desk: Desk, facts: Facts) -> list[str]:
    """Every broken rule of the book on disk."""
    rows = place.rows()
    try:
        return [
            *space_problems(rows),
            *window_problems(rows),
            *entitled_problems(rows),
            *money_problems(rows),
            *contract_problems(rows),
            *credit_problems(rows),
            *opening_problems(rows),
            *receipt_problems(rows),
            *exchange_problems(rows),
            *sla_problems(rows),
            *recall_problems(rows),
            *_event_problems(rows),
            *_promise_problems(rows, facts),
            *_engine_problems(rows, facts),
            *_told_problems(rows, facts),
            *failure_problems(rows, facts.troubles if facts.clocks_agree else [], facts.now_ms),
            *notice_problems(rows, facts.arrived),
            *memory_problems(desk),
            *_replay_problems(place),
        ]
    finally:
        rows.close()


def _replay_problems(place: BookPlace) -> Iterator[str]:
    """`comptoir db rerate` finds nothing: the one rule that is asked of the code itself."""
    for one in rerate_book(place.engine).differences:
        yield f"usage {one.usage_seq} of {one.lease_id} is {one.booked}, again {one.expected}"


def _event_problems(rows: sqlite3.Connection) -> Iterator[str]:
    """Append-only tables are numbered without a gap, and time does not run back in them."""
    for table in ("event", "usage", "charge", "entry", "node_check", "drawdown"):
        count, low, high = rows.execute(
            f"SELECT count(*), min(seq), max(seq) FROM {table}"
        ).fetchone()
        if count and (low, high) != (1, count):
            yield f"{table}: {count} rows numbered {low} to {high}"
    last = 0
    for row in rows.execute("SELECT seq, at_ms FROM event ORDER BY seq"):
        if row["at_ms"] < last:
            yield f"event {row['seq']} lies {last - row['at_ms']} ms before the one before it"
        last = row["at_ms"]


def _promise_problems(rows: sqlite3.Connection, facts: Facts) -> Iterator[str]:
    """No acknowledged write is lost, and none, acknowledged or not, took effect twice."""
    answers = {
        row["key"]: (row["status"], row["body"]) for row in rows.execute("SELECT * FROM answer")
    }
    made: dict[tuple[str, str], list[str]] = defaultdict(list)
    for table in set(NAMED.values()):
        for row in rows.execute(f"SELECT id, name FROM {table}"):
            made[table, row["name"]].append(row["id"])
    reported = {
        row["event_id"] for row in rows.execute("SELECT event_id FROM usage WHERE source <> 'desk'")
    }
    invoices = {row["id"] for row in rows.execute("SELECT id FROM invoice")}
    came = Counter(
        row["bank_reference"] for row in rows.execute("SELECT bank_reference FROM payment")
    )
    for key, asked in facts.asked.items():
        if asked.answer is not None and answers.get(key) != asked.answer:
            yield f"{key} was answered {asked.answer}, the book says {answers.get(key)}"
        status, body = answers.get(key, (0, b"{}"))
        done = status == 200
        said = json.loads(body)
        operation = asked.call.operation
        if operation in NAMED:
            ids = made[NAMED[operation], key]
            if ids != ([said["id"]] if done else []):
                yield f"{key} {operation} was answered {said} and made {ids}"
        elif operation == "record_usage" and done:
            lost = {event.event_id for event in asked.call.request.events} - reported
            if lost:
                yield f"{key}: usage {sorted(lost)} was acknowledged and is lost"
        elif operation == "record_receipts" and done:
            for name in {entry.id for entry in asked.call.request.entries if entry.micros > 0}:
                if came[name] != 1:
                    yield f"{key}: the receipt {name} was acknowledged and is booked {came[name]}x"
        elif operation == "issue_invoice" and done and said["id"] not in invoices:
            yield f"{key}: invoice {said['id']} was acknowledged and is lost"


def _engine_problems(rows: sqlite3.Connection, facts: Facts) -> Iterator[str]:
    """What really ran: one lease at a time on an accelerator, on what was handed over to it."""
    standing: dict[tuple[str, int], list[tuple[int, int, str]]] = defaultdict(list)
    for run in facts.runs:
        end = min(run.ends_at_ms, facts.now_ms)
        for index in run.order.accelerators:
            standing[run.order.node_id, index].append(
                (run.started_at_ms, end, run.order.attempt_id)
            )
    for slot, intervals in standing.items():
        intervals.sort()
        for (_, end, one), (start, _, other) in pairwise(intervals):
            if start < end:
                yield f"{one} and {other} ran on {slot} at once, {end - start} ms long"
    attempts = {
        row["id"]: row
        for row in rows.execute(
            "SELECT t.id, t.exit_code, t.state, a.delivered_from_ms, a.fenced_at_ms"
            " FROM attempt t JOIN allocation a ON a.id = t.allocation_id"
        )
    }
    for run in facts.runs:
        row = attempts.get(run.order.attempt_id)
        if row is None:
            yield f"{run.order.attempt_id} ran and is not in the book"
            continue
        over = run.ends_at_ms <= facts.now_ms
        if row["state"] == "exited" and (not over or row["exit_code"] != run.exit_code):
            yield f"{row['id']} exited with {row['exit_code']} in the book, {run.exit_code} really"
        if not facts.clocks_agree:
            continue
        fenced = row["fenced_at_ms"]
        if run.started_at_ms < row["delivered_from_ms"] or (
            fenced is not None and min(run.ends_at_ms, facts.now_ms) > fenced
        ):
            yield f"{row['id']} ran outside the time its accelerators were handed over"


def _told_problems(rows: sqlite3.Connection, facts: Facts) -> Iterator[str]:
    """No job is signalled before it could read why; what it reads is what the book says."""
    for attempt_id in facts.untold:
        yield f"{attempt_id} was signalled and had been told nothing"
    for attempt_id, notice in facts.told.items():
        row = rows.execute(
            "SELECT job_id, lease_id, number, stop_at_ms FROM attempt WHERE id = ?", (attempt_id,)
        ).fetchone()
        said = (notice.job_id, notice.lease_id, notice.attempt_number, notice.told_at_ms)
        if row is None or tuple(row) != said:
            yield f"{attempt_id} was told {said}, the book says {row and tuple(row)}"
