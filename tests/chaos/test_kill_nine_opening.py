"""kill -9 while an opening is brought: all of it, once, and the same as without."""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from comptoir.store.opening import sqlite_engine
from comptoir.store.views import Views
from comptoir.store.views import ledger as ledger_view
from tests.builders import START_MS, Book
from tests.desk.opening_book import approve, many, propose

INVOICES = 300
KILLS = 6


def test_an_opening_that_is_killed_again_and_again_is_brought_once(tmp_path: Path) -> None:
    """Every process is killed after some commits, at an instant that nobody chose."""
    (tmp_path / "calm").mkdir()
    book, files = Book(tmp_path / "calm"), many(INVOICES, 40)
    approve(book, propose(book, files).opening, files)
    book.store.close()
    shutil.copytree(tmp_path / "calm", tmp_path / "killed")
    assert run(tmp_path / "calm", None) == 0
    rng, kills = random.Random(11), 0
    while run(tmp_path / "killed", rng.randint(1, 3) if kills < KILLS else None) != 0:
        kills += 1
    assert kills == KILLS
    calm, killed = brought(tmp_path / "calm"), brought(tmp_path / "killed")
    assert len(calm) == INVOICES
    assert killed == calm
    for directory in ("calm", "killed"):
        views = Views(sqlite_engine(tmp_path / directory / "book.db"))
        assert ledger_view.prove(views, START_MS).balanced
        views.engine.dispose()


def run(directory: Path, kill_after: int | None) -> int:
    """One process; killed after so many commits, and its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.bringing", str(directory), str(START_MS)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    if kill_after is not None:
        process.stdout.read(kill_after)
        process.send_signal(signal.SIGKILL)
    process.stdout.read()
    return process.wait(60)


def brought(directory: Path) -> list[tuple[Any, ...]]:
    """What was brought of invoices, without what depends on which slice came when."""
    rows = sqlite3.connect(directory / "book.db")
    (state, done, total), *others = rows.execute(
        "SELECT state, done_items, total_items FROM opening"
    ).fetchall()
    assert (state, done, others) == ("brought", total, [])
    numbers = [row[0] for row in rows.execute("SELECT number FROM brought_item ORDER BY number")]
    assert numbers == list(range(1, total + 1))
    found = rows.execute(
        "SELECT i.number, i.total_micros, s.paid_micros, t.slug, p.amount"
        " FROM invoice i JOIN invoice_status s ON s.invoice_id = i.id"
        " JOIN tenant t ON t.id = i.tenant_id JOIN brought_item b ON b.subject = i.id"
        " JOIN entry e ON e.key = 'opening:' || b.opening_id || ':' || (b.number - 1)"
        " JOIN posting p ON p.entry_seq = e.seq AND p.account = 'receivable:' || t.id"
        " ORDER BY i.number"
    ).fetchall()
    rows.close()
    return found
