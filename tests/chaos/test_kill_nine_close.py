"""kill -9 inside a close and a finalisation: the same invoices, no gap, the ledger at zero."""

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from comptoir.leases.lease import LeaseClass
from comptoir.store.opening import sqlite_engine
from comptoir.store.views import Views
from comptoir.store.views import ledger as ledger_view
from tests.builders import HOUR_MS, Book
from tests.desk.test_close import OCTOBER_MS

TENANTS = 12
KILLS = 6
LATER_MS = OCTOBER_MS + HOUR_MS


def test_a_close_that_is_killed_again_and_again_makes_the_same_invoices(tmp_path: Path) -> None:
    """Every process is killed after some commits, at an instant that nobody chose."""
    (tmp_path / "calm").mkdir()
    used(Book(tmp_path / "calm"))
    shutil.copytree(tmp_path / "calm", tmp_path / "killed")
    assert run(tmp_path / "calm", None) == 0
    rng, kills = random.Random(11), 0
    while run(tmp_path / "killed", rng.randint(1, 3) if kills < KILLS else None) != 0:
        kills += 1
    assert kills == KILLS
    calm, killed = invoices(tmp_path / "calm"), invoices(tmp_path / "killed")
    assert len(calm) == TENANTS
    assert killed == calm
    for directory in ("calm", "killed"):
        views = Views(sqlite_engine(tmp_path / directory / "book.db"))
        assert ledger_view.prove(views, LATER_MS).balanced
        views.engine.dispose()


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


def run(directory: Path, kill_after: int | None) -> int:
    """One process; killed after so many commits, and its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.closing", str(directory), str(LATER_MS)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    if kill_after is not None:
        process.stdout.read(kill_after)
        process.send_signal(signal.SIGKILL)
    process.stdout.read()
    return process.wait(60)


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
