"""A large draft draws on credit a part at a time: the same lines and blocks as at once."""

from pathlib import Path
from typing import Any

import pytest

from comptoir.billing.bank_files import BankEntry
from comptoir.desk.close_requests import ClosePeriod, CloseSlice
from comptoir.desk.desk import Desk
from comptoir.desk.entity_requests import ImportTable
from comptoir.desk.receipt_requests import RecordReceipts, TopUp
from comptoir.desk.requests import LeaseRef
from comptoir.ledger import entries as ledger
from comptoir.metering.usage import Measure
from comptoir.tenants.parties import Tenant
from comptoir.units.ids import LegalEntityId
from comptoir.units.time import parse_instant
from tests.builders import HOUR_MS, Book
from tests.desk.test_close import (
    CENT,
    ON_DEMAND,
    SPOT,
    TEN_DOLLARS,
    balance,
    drafts,
    final,
    grant_credit,
    telemetry,
    to,
)
from tests.desk.test_close_contracts import admitted

PARIS = LegalEntityId("paris")
LEASES = 12
NOVEMBER_MS = parse_instant("2026-10-31T23:00:00Z")


def day(number: int) -> int:
    """The first instant of a day of October in Paris."""
    return parse_instant("2026-09-30T22:00:00Z") + (number - 1) * 24 * HOUR_MS


def a_month(directory: Path) -> tuple[Book, Tenant]:
    """Twelve leases that begin and end on different days, taxed at 20 %, and credit for some.

    $500 for 1 to 10 October, $700 for 5 October to the end, and $600 on account since the 8th
    that were booked on the 20th: there the usage of before is divided.
    """
    directory.mkdir()
    book = Book(directory)
    acme = admitted(book, "FR", "FR83404833048")
    book.price(SPOT, TEN_DOLLARS)
    book.price(ON_DEMAND, TEN_DOLLARS, measure=Measure.BUSY)
    book.supply(LEASES)
    grant_credit(book, acme, 50_000 * CENT, day(1), day(10))
    grant_credit(book, acme, 70_000 * CENT, day(5), NOVEMBER_MS)
    leases = []
    for at in range(1, 22):
        to(book, day(at))
        if at <= LEASES:
            leases.append(book.lease(acme, ON_DEMAND if at == 1 else SPOT, 1))
            book.turn()
        if at >= 10:
            book.desk.call("end_lease", LeaseRef(leases[at - 10].id), book.operator)
        if at == 20:
            entry = BankEntry("e1", day(8), 60_000 * CENT, "USD", "top-up", "A payer")
            request = RecordReceipts(PARIS, "s", "", (entry,))
            (payment,) = book.desk.call("record_receipts", request, book.finance).payments
            book.desk.call("top_up", TopUp(payment.id, None, acme.id))
    to(book, NOVEMBER_MS)
    rates = ImportTable("date,base,quote,rate\n2026-10-31,USD,EUR,0.90\n", "ecb.csv")
    book.desk.call("import_fx_rates", rates, book.finance)
    return book, acme


def close(book: Book, name: str, most: int) -> int:
    """Close a month, with a restart after every slice; how many slices it took."""
    period = book.desk.call("close_period", ClosePeriod(PARIS, name), book.finance)
    while not period.closed:
        period = book.desk.call("close_slice", CloseSlice(period.id, most))
        book.desk = Desk(book.store, book.clock, book.desk.entropy)
    return period.slices


def what_came_of_it(book: Book, acme: Tenant) -> dict[str, Any]:
    (draft,) = drafts(book)
    invoice = final(book, draft)
    assert balance(book, ledger.unbilled(acme.id)) == 0
    blocks = [book.store.find("credit_block", (b.block_id,)) for b in drawdowns(book, invoice.id)]
    return {
        "lines": [(x.type, x.amount_micros, x.starts_at_ms, x.ends_at_ms) for x in invoice.lines],
        "taxes": [tax.amount_micros for tax in invoice.taxes],
        "drawn": sorted((b.source, b.granted_micros, b.drawn_micros) for b in blocks if b),
        "by usage": sorted(
            (d.from_ms, d.until_ms, d.micros) for d in drawdowns(book, invoice.id)
        ),
    }  # fmt: skip


def drawdowns(book: Book, invoice_id: Any) -> Any:
    return book.store.find_drawdowns(invoice_id)


def test_a_draft_that_draws_in_slices_is_that_which_draws_at_once(tmp_path: Path) -> None:
    found = {}
    for most in (1, 2, 5, 100_000):
        book, acme = a_month(tmp_path / str(most))
        close(book, "2026-09", most)
        slices = close(book, "2026-10", most)
        assert (slices == 1) is (most == 100_000)
        found[most] = what_came_of_it(book, acme)
    assert {kind for kind, *_ in found[1]["lines"]} >= {"usage", "drawdown", "on_account"}
    assert found[1] == found[2] == found[5] == found[100_000]


def test_what_is_reported_while_a_draft_draws_is_of_the_next_period(tmp_path: Path) -> None:
    """Nothing is put into a draft of which a part has drawn: the rest would draw out of turn."""
    book, acme = a_month(tmp_path / "one")
    close(book, "2026-09", 1_000)
    period = book.desk.call("close_period", ClosePeriod(PARIS, "2026-10"), book.finance)
    while not any(draft.drawing for draft in drafts(book)):
        period = book.desk.call("close_slice", CloseSlice(period.id, 2))
    busy = next(lease for lease in leases_of(book, acme) if lease.lease_class is ON_DEMAND)
    told = telemetry(busy, "late", day(2), day(3), HOUR_MS)
    book.desk.call("record_usage", told)
    while not period.closed:
        period = book.desk.call("close_slice", CloseSlice(period.id, 2))
    (draft,) = drafts(book)
    assert not [line for line in draft.lines if line.lease_class is ON_DEMAND]
    assert draft.drawing is None
    to(book, parse_instant("2026-11-30T23:00:00Z"))
    close(book, "2026-11", 100)
    (_, late) = sorted(drafts(book), key=lambda one: one.drawn_up_at_ms)
    usage = [line for line in late.lines if line.lease_class is ON_DEMAND]
    assert [(x.amount_micros, x.correction) for x in usage] == [(1_000 * CENT, True)]


def leases_of(book: Book, acme: Tenant) -> list[Any]:
    with book.store.engine.connect() as connection:
        ids = connection.exec_driver_sql("SELECT id FROM lease").scalars().all()
    return [book.store.find("lease", (one,)) for one in ids]


@pytest.mark.parametrize("most", [1, 3])
def test_credit_that_comes_while_a_draft_draws_is_not_drawn_twice(
    tmp_path: Path, most: int
) -> None:
    """A grant in between divides nothing anew: every accrual had its turn once."""
    book, acme = a_month(tmp_path / "one")
    close(book, "2026-09", 1_000)
    period = book.desk.call("close_period", ClosePeriod(PARIS, "2026-10"), book.finance)
    while not any(draft.drawing for draft in drafts(book)):
        period = book.desk.call("close_slice", CloseSlice(period.id, most))
    grant_credit(book, acme, 1_000_000 * CENT, day(7), day(40))
    while not period.closed:
        period = book.desk.call("close_slice", CloseSlice(period.id, most))
    (draft,) = drafts(book)
    invoice = final(book, draft)
    drawn: dict[str, int] = {}
    for one in drawdowns(book, invoice.id):
        if one.subject != "tax":
            drawn[one.subject] = drawn.get(one.subject, 0) + one.micros
    billed = {str(one.id): one.posted_micros for one in book.store.find_billed(invoice.id)}
    assert all(micros <= billed[subject] for subject, micros in drawn.items())
    assert balance(book, ledger.unbilled(acme.id)) == 0
