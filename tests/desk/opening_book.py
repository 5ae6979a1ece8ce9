"""A book that moves in: the example's files, or changed ones, proposed, approved and brought."""

from pathlib import Path

import pytest

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.invoice_status import InvoiceStatus
from comptoir.billing.opening import Opening, OpeningFile, piece_of
from comptoir.billing.opening_file import files_named, read_opening
from comptoir.billing.receipts import Payment
from comptoir.desk.close_requests import ClosePeriod, CloseSlice
from comptoir.desk.desk import Desk
from comptoir.desk.opening_loop import OpeningLoop, items_of
from comptoir.desk.opening_requests import (
    ApproveOpening,
    BringSlice,
    ProposedOpening,
    ProposeOpening,
)
from comptoir.desk.receipt_requests import RecordReceipts
from comptoir.ledger import entries as ledger
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.tenants.parties import Actor, Role
from comptoir.units.errors import ComptoirError
from comptoir.units.ids import ContractId, TenantId
from tests.builders import HOUR_MS, START_MS, Book

EXAMPLE = Path(__file__).parents[2] / "examples" / "opening"
SEPTEMBER_MS = 1_788_220_800_000  # 2026-09-01T00:00Z; a book starts on 2026-09-21T14:13:20Z


def texts(changes: dict[str, tuple[str, str]] | None = None) -> dict[str, str]:
    """The example's files, each with a passage said otherwise; the TOML is the first."""
    main = (EXAMPLE / "opening.toml").read_text()
    found = {"opening.toml": main}
    found |= {name: (EXAMPLE / name).read_text() for name in files_named("opening.toml", main)}
    for name, (old, new) in (changes or {}).items():
        assert old in found[name], old
        found[name] = found[name].replace(old, new)
    return found


SMALL = """
opening = "{entity}-1"
entity = "{entity}"
cut_over = {cut_over}
from = "another"
[[customer]]
tenant = "{tenant}"
name = "{name}"
[customer.admission]
legal_name = "{name}"
country = "{country}"
terms = "1"
accepted = 2025-01-01
screened = 2025-01-01
evidence = "e"
[[invoice]]
number = "{number}"
tenant = "{tenant}"
date = {date}
due = {due}
gross = "100.00"
{more}[[control]]
of = "invoices"
amount = "100.00"
[[control]]
of = "opening"
amount = "-100.00"
"""
"""What an entity of its own brings at the least: a customer, and what it owes."""


def read(book: Book, files: dict[str, str]) -> OpeningFile:
    return read_opening(files, book.desk.book.credit.entity_by_slug.first)


def propose(book: Book, files: dict[str, str], by: Actor | None = None) -> ProposedOpening:
    request = ProposeOpening(read(book, files))
    return book.desk.call("propose_opening", request, by or book.finance)


def approve(book: Book, opening: Opening, files: dict[str, str]) -> Opening:
    approver = book.user(Role.APPROVER)
    return book.desk.call(
        "approve_opening", ApproveOpening(opening.id, read(book, files)), approver
    )


def bring(desk: Desk) -> None:
    """All that is approved, as the loop brings it."""
    loop = OpeningLoop(
        lambda: desk.book, desk.store.find, lambda piece: desk.call("bring_slice", piece)
    )
    while loop.step():
        pass


def bring_some(desk: Desk, opening: Opening, most: int) -> Opening:
    """One slice."""
    now = desk.book.openings.openings[opening.id]
    items = piece_of(items_of(now, desk.book, desk.store.find), now.done_items, most)
    return desk.call("bring_slice", BringSlice(now.id, now.sha256, now.done_items, items))


def move_in(book: Book, files: dict[str, str] | None = None) -> Opening:
    """The whole way."""
    files = files or texts()
    opening = propose(book, files).opening
    approve(book, opening, files)
    bring(book.desk)
    return book.desk.book.openings.openings[opening.id]


def many(invoices: int, customers: int) -> dict[str, str]:
    """An opening with so many open invoices of so many customers, and its true controls."""
    rows = ["number,tenant,date,due,gross,tax,tax_rate,paid"]
    still_open = 0
    for at in range(invoices):
        gross, paid = 12_000 + at, 100 * (at % 3)
        tax = gross - gross * 100 // 120
        amounts = f"{_cents(gross)},{_cents(tax)},20,{_cents(paid)}"
        rows.append(f"OLD/26/{at:05d},c{at % customers:04d},2026-07-01,2026-08-01,{amounts}")
        still_open += gross - paid
    named = [
        f'[[customer]]\ntenant = "c{at:04d}"\nname = "Customer {at}"\n' for at in range(customers)
    ]
    sums = [
        f'[[control]]\nof = "invoices"\ncount = {invoices}\namount = "{_cents(still_open)}"\n',
        f'[[control]]\nof = "opening"\namount = "-{_cents(still_open)}"\n',
    ]
    head = 'opening = "many"\nentity = "house"\ncut_over = 2026-09-01\nfrom = "Old"\n'
    table = '[files]\ninvoices = "invoices.csv"\n'
    main = "".join([head, *named, table, *sums])
    return {"opening.toml": main, "invoices.csv": "\n".join(rows) + "\n"}


def _cents(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02d}"


DOLLAR = 1_000_000
OCTOBER_MS = SEPTEMBER_MS + 30 * 24 * HOUR_MS
BOOKS = ledger.opening_balance(HOUSE_ENTITY)


def balance(book: Book, account: ledger.Account) -> int:
    held = book.desk.book.money.balances.get((account, ledger.Unit("USD")))
    return held.amount if held else 0


def no(book: Book, files: dict[str, str]) -> ComptoirError:
    with pytest.raises(ComptoirError) as refused:
        propose(book, files)
    return refused.value


def status(book: Book, number: str) -> InvoiceStatus:
    found = [s for s in book.desk.book.closing.statuses if s.number == number]
    return found[0] if found else book.store.find_statuses([number])[0]


def tenant(book: Book, slug: str) -> TenantId:
    found = book.desk.book.tenant_by_slug.first(slug)
    assert found is not None
    return found.id


def contract(book: Book, number: str) -> ContractId:
    found = book.desk.book.contracts.by_number.first(number)
    assert found is not None
    return found.id


def receipt(book: Book, amount: int, reference: str, id: str = "e1") -> Payment:
    entry = BankEntry(id, START_MS, amount, "USD", reference, "somebody")
    done = book.desk.call(
        "record_receipts", RecordReceipts(HOUSE_ENTITY, "s", "a", (entry,)), book.finance
    )
    (payment,) = done.payments
    return payment


def closed(book: Book, name: str) -> None:
    period = book.desk.call("close_period", ClosePeriod(HOUSE_ENTITY, name), book.finance)
    while not period.closed:
        period = book.desk.call("close_slice", CloseSlice(period.id))
