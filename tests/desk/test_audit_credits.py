"""The audit of receipts and of SLA credits finds a book that was changed, and none that was not."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from comptoir.simulation.audit_receipts import receipt_problems
from comptoir.simulation.audit_sla import sla_problems
from tests.builders import Book
from tests.desk.contract_book import Deal
from tests.desk.test_receipts import book_, entry, invoiced, shop  # noqa: F401
from tests.desk.test_sla_credits import october


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "book.db")
    connection.row_factory = sqlite3.Row
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("UPDATE payment SET left_micros = left_micros + 1", "and did"),
        ("UPDATE payment SET left_micros = left_micros - 1", "accounted for"),
        ("UPDATE payment SET parts = '[]'", "0 came in for it"),
        ("UPDATE invoice_status SET disputed_micros = 1", "its disputes"),
        ("INSERT INTO dunned VALUES ('iv_x', 1, 0)", "at step 1 and was asked 0 times"),
    ],
)
def test_a_receipt_that_is_not_accounted_for_is_found_out(
    shop: Book,  # noqa: F811
    rows: sqlite3.Connection,
    changed: str,
    said: str,
) -> None:
    invoice = invoiced(shop)
    book_(shop, entry(1_700, invoice.number))
    assert list(receipt_problems(rows)) == []
    rows.execute(changed)
    assert any(said in problem for problem in receipt_problems(rows))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("UPDATE credit_block SET granted_micros = granted_micros * 2", "was told"),
        ("UPDATE usage SET accelerator_ms = accelerator_ms * 2", "were delivered"),
        ("DELETE FROM breach", "the breaches 0"),
        ("UPDATE accrual SET posted_micros = posted_micros / 2", "are less"),
        ("UPDATE event SET type = 'credit.other' WHERE type = 'credit.sla'", "told to nobody"),
    ],
)
def test_an_sla_credit_that_does_not_follow_from_the_rows_is_found_out(
    deal: Deal,
    rows: sqlite3.Connection,
    changed: str,
    said: str,
) -> None:
    october(deal, "gang")
    assert list(sla_problems(rows)) == []
    for (trigger,) in rows.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        rows.execute(f"DROP TRIGGER {trigger}")
    rows.execute(changed)
    assert any(said in problem for problem in sla_problems(rows))
