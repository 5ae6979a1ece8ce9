"""All stored usage priced again gives every charge bit by bit; what was tampered with is found."""

from pathlib import Path

import pytest
from sqlalchemy import text

from comptoir.desk.requests import (
    IssueInvoice,
    LeaseRef,
    ProposeRate,
    RateRef,
    RecordUsage,
    ReportedUsage,
)
from comptoir.leases.lease import Lease, LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.metering.usage import Measure
from comptoir.pricing.tiers import Tier
from comptoir.store.rerate import rerate, rerate_book
from comptoir.units.errors import Invalid
from comptoir.units.time import MS_PER_HOUR
from tests.builders import Book

ON_DEMAND, SPOT = LeaseClass.ON_DEMAND, LeaseClass.SPOT


def price(book: Book, lease_class: LeaseClass, nanos: int, **more: object) -> None:
    asked = ProposeRate(book.card, "cpu-core", lease_class, nanos, **more)  # type: ignore[arg-type]
    rate = book.desk.call("propose_rate", asked, book.operator)
    book.desk.call("approve_rate", RateRef(rate.id), book.finance)


def busy(book: Book, lease: Lease, name: str, start_ms: int, end_ms: int) -> None:
    event = ReportedUsage(name, lease.id, Measure.BUSY, start_ms, end_ms, (end_ms - start_ms) // 3)
    book.desk.call("record_usage", RecordUsage("telemetry", (event,)), book.operator)


@pytest.fixture
def lived(tmp_path: Path) -> Book:
    """A book with tiers, steps, a month's end, prices that change, and usage from the future."""
    book = Book(tmp_path)
    book.supply(8)
    acme, uni = book.tenant("acme"), book.tenant("uni")
    price(
        book, ON_DEMAND, 999_999_937, tiers=(Tier(5 * MS_PER_HOUR, 777_777_777),), minimum_s=2**21
    )
    price(book, ON_DEMAND, 888_888_883, term=LeaseTerm.DAY, granularity_s=4_001)
    price(book, SPOT, 333_333_331, measure=Measure.BUSY, granularity_s=60)
    leases = [
        book.lease(acme, ON_DEMAND, 2),
        book.lease(uni, ON_DEMAND, 3),
        book.lease(acme, ON_DEMAND, 1, ends_at_ms=book.clock.instant_ms + 90 * MS_PER_HOUR * 24),
        book.lease(uni, SPOT, 1),
    ]
    book.turn()
    for turn in range(12):
        book.pass_s(30 * MS_PER_HOUR // 1_000 + turn)
        now = book.clock.instant_ms
        busy(book, leases[3], f"b{turn}", now - 3_333, now + 120_000)
        if turn == 4:  # known later than some usage of the time from which it counts
            later = {"minimum_s": 2**21, "effective_from_ms": now + MS_PER_HOUR}
            price(book, ON_DEMAND, 666_666_667, **later)
            later = {"granularity_s": 60, "effective_from_ms": now + 1}
            price(book, SPOT, 222_222_223, measure=Measure.BUSY, **later)
        if turn == 6:
            book.desk.call("issue_invoice", IssueInvoice(acme.id), book.finance)
    for lease in (leases[0], leases[2], leases[3]):
        book.desk.call("end_lease", LeaseRef(lease.id), book.operator)
    book.turn()
    busy(book, leases[3], "late", now - 4_444, now - 1_111)
    book.turn()
    return book


def test_every_charge_comes_out_again(lived: Book) -> None:
    done = rerate_book(lived.store.engine)
    assert done.differences == ()
    assert done.different == 0
    with lived.store.engine.connect() as connection:
        rows = connection.execute(text('SELECT "row", COUNT(*) FROM charge GROUP BY "row"'))
        counts = dict(rows.all())
        usage = connection.execute(text("SELECT COUNT(*) FROM usage")).scalar_one()
        owed = connection.execute(text("SELECT numerator FROM charge")).scalars().all()
    assert done.charges == sum(counts.values())
    assert counts["top_up"] >= 3
    assert (done.usage, done.numerator) == (usage, sum(map(int, owed)))


@pytest.mark.parametrize(
    "change",
    [
        "price_nanos = price_nanos + 1",
        "numerator = CAST(CAST(numerator AS INTEGER) + 1 AS TEXT)",
        "accelerator_ms = accelerator_ms - 1",
        "list_price_nanos = 0",
        "rate_id = (SELECT max(rate_id) FROM charge c WHERE c.rate_id <> charge.rate_id)",
        "contract_version_id = 'cv_X'",
        "term = 'three_years'",
        "starts_at_ms = starts_at_ms + 1",
    ],
)
@pytest.mark.parametrize("row", ["usage", "top_up"])
def test_what_was_tampered_with_is_found(lived: Book, change: str, row: str) -> None:
    with lived.store.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER charge_no_update"))
        one = f"(SELECT max(seq) FROM charge WHERE \"row\" = '{row}')"
        connection.execute(text(f"UPDATE charge SET {change} WHERE seq = {one}"))
    assert rerate_book(lived.store.engine).different >= 1


def test_a_charge_that_is_missing_is_found(lived: Book) -> None:
    with lived.store.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER charge_no_delete"))
        connection.execute(text("DELETE FROM charge WHERE seq = 5"))
    assert rerate_book(lived.store.engine).different >= 1


def test_where_there_is_no_book_nothing_is_priced(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no_book"):
        rerate(tmp_path)
