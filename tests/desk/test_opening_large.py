"""Ten thousand open invoices come in small slices, and do not slow down what comes after."""

from comptoir.desk.opening_loop import OpeningLoop
from comptoir.desk.opening_requests import MOST_ITEMS_A_SLICE, BringSlice
from comptoir.ledger import entries as ledger
from comptoir.tenants.entities import HOUSE_ENTITY
from tests.builders import Book
from tests.desk.opening_book import approve, balance, many, propose, receipt, status

INVOICES, CUSTOMERS = 10_000, 300


def test_ten_thousand_invoices_are_brought_in_small_slices(book: Book) -> None:
    files = many(INVOICES, CUSTOMERS)
    opening = approve(book, propose(book, files).opening, files)
    sizes = []

    def submit(piece: BringSlice) -> None:
        sizes.append(len(piece.items))
        book.desk.call("bring_slice", piece)

    loop = OpeningLoop(lambda: book.desk.book, book.store.find, submit)
    while loop.step():
        pass
    assert sum(sizes) == opening.total_items == INVOICES + CUSTOMERS
    assert max(sizes) <= MOST_ITEMS_A_SLICE
    assert len(book.desk.book.closing.statuses) == INVOICES
    owed = sum(12_000 + at - 100 * (at % 3) for at in range(INVOICES)) * 10_000
    assert balance(book, ledger.opening_balance(HOUSE_ENTITY)) == -owed
    asked = 12_000 + 100 - 100 * (100 % 3)  # cents of the invoice that is named
    receipt(book, (asked - 1) * 10_000, "your OLD/26/00100", "a")
    assert status(book, "OLD/26/00100").open_micros == 10_000
