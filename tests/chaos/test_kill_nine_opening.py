"""kill -9 while an opening is brought: all of it, once, and the same as without."""

import sqlite3
from pathlib import Path
from typing import Any

from tests.builders import START_MS, Book
from tests.chaos.killing import calm_and_killed
from tests.desk.opening_book import approve, many, propose

INVOICES = 300


def test_an_opening_that_is_killed_again_and_again_is_brought_once(tmp_path: Path) -> None:
    """Every process is killed after some commits, at an instant that nobody chose."""
    (tmp_path / "calm").mkdir()
    book, files = Book(tmp_path / "calm"), many(INVOICES, 40)
    approve(book, propose(book, files).opening, files)
    book.store.close()
    calm, killed = map(brought, calm_and_killed(tmp_path, "bringing", START_MS))
    assert len(calm) == INVOICES
    assert killed == calm


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
