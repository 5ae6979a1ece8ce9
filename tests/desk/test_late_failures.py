"""A failure that is reported late: until its month is closed, or within a week."""

import pytest

from comptoir.desk.failure_requests import FailNode
from comptoir.leases.lease import LeaseClass
from comptoir.units.errors import Invalid
from comptoir.units.time import parse_instant
from tests.builders import Book
from tests.desk.test_close import CENT, close, drafts, final

DAY_MS = 86_400_000


def at(book: Book, day: str) -> int:
    book.clock.instant_ms = parse_instant(f"{day}T00:00:00Z")
    book.turn()
    return book.clock.instant_ms


def fail(book: Book, day: str) -> None:
    node = book.desk.book.nodes_by_name.first("node-0")
    assert node is not None
    failed_at_ms = parse_instant(f"{day}T00:00:00Z")
    book.desk.call("fail_node", FailNode(node.id, "dead", failed_at_ms), book.operator)
    book.turn()


def test_a_failure_of_a_month_that_is_open_is_given_back_however_late_it_is_told(
    book: Book,
) -> None:
    acme = book.tenant("acme")
    book.price(LeaseClass.RESERVED, 1_000_000_000)
    book.supply(1)
    at(book, "2026-10-01")
    close(book, "2026-09")
    until = parse_instant("2026-11-05T00:00:00Z")
    book.lease(acme, LeaseClass.RESERVED, 1, ends_at_ms=until)
    book.turn()
    at(book, "2026-10-21")
    fail(book, "2026-10-05")  # 16 days late
    at(book, "2026-11-01")
    close(book, "2026-10")
    (draft,) = drafts(book)
    # Four days of 24 hours at $1.00 are asked: the sixteen that were billed since are given back.
    assert final(book, draft).total_micros == 4 * 24 * 100 * CENT
    at(book, "2026-11-20")
    with pytest.raises(Invalid, match=r"failure_too_old.*before 2026-11-01T00:00:00.000Z") as no:
        fail(book, "2026-10-31")
    assert no.value.facts["earliest"] == "2026-11-01T00:00:00.000Z"


def test_within_a_week_a_failure_is_taken_in_whatever_is_closed(book: Book) -> None:
    book.supply(1)
    at(book, "2026-10-01")
    close(book, "2026-09")
    at(book, "2026-10-03")
    fail(book, "2026-09-27")
