"""kill -9 inside a close and a finalisation: the same invoices, no gap, the ledger at zero."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from comptoir.leases.lease import LeaseClass
from tests.builders import HOUR_MS, Book
from tests.chaos.killing import calm_and_killed
from tests.desk.test_close import OCTOBER_MS

TENANTS = 12
LATER_MS = OCTOBER_MS + HOUR_MS


def test_a_close_that_is_killed_again_and_again_makes_the_same_invoices(tmp_path: Path) -> None:
    """Every process is killed after some commits, at an instant that nobody chose."""
    (tmp_path / "calm").mkdir()
    used(Book(tmp_path / "calm"))
    calm, killed = map(invoices, calm_and_killed(tmp_path, "closing", LATER_MS))
    assert len(calm) == TENANTS
    assert killed == calm


def used(book: Book) -> None:
    """A month in which twelve customers use something; no two as much."""
    book.price(LeaseClass.SPOT, 1_234_567_891)
    book.supply(TENANTS * 2)
    for number in range(TENANTS):
        book.lease(book.tenant(f"t{number}"), LeaseClass.SPOT, 1)
        book.turn()
        book.pass_s(3_600 + number)
    book.clock.instant_ms = OCTOBER_MS
    book.turn()
    book.store.close()


def invoices(directory: Path) -> list[dict[str, Any]]:
    """What was issued, without what depends on who came first."""
    rows = sqlite3.connect(directory / "book.db")
    rows.row_factory = sqlite3.Row
    assert rows.execute("SELECT state FROM period").fetchone()["state"] == "closed"
    assert not rows.execute("SELECT 1 FROM invoice_draft WHERE state <> 'finalised'").fetchall()
    assert not rows.execute("SELECT 1 FROM accrual WHERE invoice_id IS NULL").fetchall()
    found = []
    for row in rows.execute("SELECT * FROM invoice ORDER BY number"):
        lines = [
            (x["number"], x["numerator"], x["amount_micros"]) for x in json.loads(row["lines"])
        ]
        found.append({"number": row["number"], "total": row["total_micros"], "lines": lines})
        assert row["sequence"] == 1  # each customer has a series of its own
    rows.close()
    return found
