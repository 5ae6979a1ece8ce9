"""The audit of limits finds out a book that does not hold them, and is silent on one that does."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from comptoir.leases import grounds
from comptoir.leases.lease import LeaseClass
from comptoir.simulation.audit_limits import LimitWatch
from tests.desk.test_lending import Shop, shop  # noqa: F401  (a fixture)
from tests.desk.test_lending_by_site import open_shop

INTERNAL, _, ON_DEMAND, SPOT = LeaseClass


@pytest.fixture
def rows(shop: Shop, tmp_path: Path) -> Iterator[sqlite3.Connection]:  # noqa: F811
    connection = sqlite3.connect(tmp_path / "book.db")
    connection.row_factory = sqlite3.Row
    yield connection
    connection.close()


def look(watch: LimitWatch, book: Shop, rows: sqlite3.Connection) -> list[str]:
    book.turn()
    return list(watch.look(rows, book.clock.instant_ms))


def test_who_is_let_in_beyond_a_limit_is_found_out(
    shop: Shop,  # noqa: F811
    rows: sqlite3.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop.entitle(shop.a, 10, lend_limit=2)
    shop.entitle(shop.b, 4, borrow_limit=1)
    watch = LimitWatch()
    shop.lease(shop.acme, SPOT, 2)
    shop.lease(shop.b, INTERNAL, 5)
    assert look(watch, shop, rows) == []
    monkeypatch.setattr(grounds, "_plainly_too_much", lambda *_: None)
    monkeypatch.setattr(grounds, "limit_passed", lambda *_: None)
    shop.lease(shop.b, INTERNAL, 2)
    said = look(watch, shop, rows)
    assert [f"the borrow limit of {shop.b.id} is passed by 2" in s for s in said] == [True, False]
    assert "what is lent is passed by 1" in said[1]
    assert look(watch, shop, rows) == []  # it is said once


def test_a_limit_set_below_what_stands_there_is_not_held_against_anybody(
    shop: Shop,  # noqa: F811
    rows: sqlite3.Connection,
) -> None:
    shop.entitle(shop.a, 10)
    shop.lease(shop.acme, ON_DEMAND, 12)
    watch = LimitWatch()
    assert look(watch, shop, rows) == []
    shop.entitle(shop.b, 6, lend_limit=0)
    assert look(watch, shop, rows) == []
    assert shop.lease(shop.acme, SPOT, 1).state == "waiting"
    assert look(watch, shop, rows) == []


def test_who_is_let_in_at_a_site_beyond_what_is_lent_there_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = open_shop(tmp_path)
    connection = sqlite3.connect(tmp_path / "book.db")
    connection.row_factory = sqlite3.Row
    book.entitle(book.a, 16, site="paris", lend_limit=8)
    watch = LimitWatch()
    for _ in range(3):
        book.lease(book.acme, SPOT, 8)
    assert look(watch, book, connection) == []
    monkeypatch.setattr(grounds, "_plainly_too_much", lambda *_: None)
    monkeypatch.setattr(grounds, "limit_passed", lambda *_: None)
    book.lease(book.acme, SPOT, 2)
    said = look(watch, book, connection)
    assert any("what is lent at paris is passed by 2" in line for line in said)
    connection.close()
