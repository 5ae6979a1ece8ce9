"""What a customer got back is found, used and sent back; its statement adds up whatever happens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.invoice_status import InvoiceState
from comptoir.billing.invoices import Invoice
from comptoir.billing.receipts import Payment, PaymentState
from comptoir.desk.close_requests import CreditInvoice
from comptoir.desk.receipt_requests import AllocatePayment, RefundPayment, TopUp
from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.store.views import Views
from comptoir.store.views.close import AccountStatement, statement
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.units.errors import Invalid, Refused
from tests.builders import START_MS, Book
from tests.desk.test_receipts import CENT, balance, book_, entry, invoiced, kept, shop, status

__all__ = ["shop"]


def credit(book: Book) -> list[Payment]:
    """What customers have got back and not used."""
    return [p for p in book.desk.book.receipts.payments if p.is_credit]


def take_back(book: Book, invoice: Invoice, cents: int | None = None) -> None:
    lines = () if cents is None else ((1, f"{cents // 100}.{cents % 100:02d}"),)
    book.desk.call("credit_invoice", CreditInvoice(invoice.id, "agreed", lines))


def test_what_was_paid_and_credited_pays_the_next_invoice(shop: Book) -> None:
    first = invoiced(shop)
    book_(shop, entry(1_000, first.number))
    take_back(shop, first, 600)
    # $6.00 of the $10.00 that were paid are credited: they are the customer's, and listed.
    (own,) = credit(shop)
    assert (own.left_micros, own.tenant_id, own.reference) == (
        600 * CENT, first.tenant_id, "CN-ACME-2026-000001",
    )  # fmt: skip
    assert balance(shop, ledger.customer_credit(first.tenant_id)) == -600
    second = invoiced(shop)
    # The next invoice asks $10.00, $6.00 of which are paid the moment it is issued.
    assert (status(shop, second).paid_micros, status(shop, second).open_micros) == (
        600 * CENT, 400 * CENT,
    )  # fmt: skip
    assert kept(shop, own).state is PaymentState.PARTIAL
    assert balance(shop, ledger.customer_credit(first.tenant_id)) == 0
    assert balance(shop, ledger.receivable(first.tenant_id)) == 400
    # Credited whole, the second asks no more, and the $6.00 that had paid it are there again.
    take_back(shop, second)
    assert status(shop, second).state is InvoiceState.VOID
    assert [p.left_micros for p in credit(shop)] == [600 * CENT]
    assert balance(shop, ledger.receivable(first.tenant_id)) == 0


def test_what_a_customer_got_back_can_be_sent_back_or_kept_for_later_use(shop: Book) -> None:
    invoice = invoiced(shop)
    book_(shop, entry(1_000, invoice.number))
    take_back(shop, invoice)
    (own,) = credit(shop)
    shop.desk.call("refund_payment", RefundPayment(own.id, "as asked", "4.00"))
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 600
    block = shop.desk.call("top_up", TopUp(own.id))
    assert block.granted_micros == 600 * CENT
    assert balance(shop, ledger.customer_credit(invoice.tenant_id)) == 0
    assert balance(shop, ledger.deferred_revenue(invoice.tenant_id)) == -600
    assert credit(shop) == []


def test_a_restart_knows_what_a_customer_got_back(shop: Book) -> None:
    invoice = invoiced(shop)
    book_(shop, entry(1_000, invoice.number))
    take_back(shop, invoice)
    before = credit(shop)
    shop.desk.reload()
    assert credit(shop) == before
    assert len(before) == 1
    assert status(shop, invoiced(shop)).state is InvoiceState.PAID


def test_a_payment_that_bounces_after_it_was_credited_leaves_no_credit(shop: Book) -> None:
    invoice = invoiced(shop)
    book_(shop, entry(1_000, invoice.number, "e1"))
    take_back(shop, invoice)
    assert len(credit(shop)) == 1
    book_(shop, entry(-1_000, f"RETURN {invoice.number}", "e2", reversal=True))
    # The money is gone: nobody is owed any, and nothing waits to be given to an invoice.
    assert credit(shop) == []
    assert balance(shop, ledger.customer_credit(invoice.tenant_id)) == 0
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 0


def test_a_line_that_is_named_twice_in_a_credit_note_is_refused(shop: Book) -> None:
    invoice = invoiced(shop)
    twice = CreditInvoice(invoice.id, "slip", ((1, "5.00"), (1, "5.00")))
    with pytest.raises(Invalid, match="line_twice"):
        shop.desk.call("credit_invoice", twice)
    assert status(shop, invoice).credited_micros == 0


def test_a_top_up_in_another_currency_than_its_use_costs_is_refused(shop: Book) -> None:
    acme = shop.tenant("acme")
    euros = BankEntry("e", START_MS, 900 * CENT, "EUR", "for later", "A payer")
    (payment,) = book_(shop, euros).payments
    with pytest.raises(Refused, match="other_currency") as no:
        shop.desk.call("top_up", TopUp(payment.id, None, acme.id))
    assert (no.value.facts["currency"], no.value.facts["wanted"]) == ("EUR", "USD")
    assert kept(shop, payment).left_micros == 900 * CENT


# The statement.


def statements(book: Book, since: int, until: int) -> list[AccountStatement]:
    tenant = book.desk.book.tenant_by_slug.first("acme")
    assert tenant is not None
    return statement(Views(book.store.engine), tenant.id, False, (since, until))


def test_a_statement_shows_all_of_a_payment_and_what_is_left_of_it(shop: Book) -> None:
    invoice = invoiced(shop)
    book_(shop, entry(1_250, invoice.number))
    (account,) = statements(shop, 0, shop.clock.instant_ms + 1)
    assert sorted(x.amount_micros for x in account.entries) == [-1_250 * CENT, 1_000 * CENT]
    assert (account.closing_micros, account.owed_micros, account.credit_micros) == (
        -250 * CENT, 0, 250 * CENT,
    )  # fmt: skip


ACTS = ["use", "pay", "credit", "allocate", "refund"]


def at_random(book: Book, act: str, invoices: list[Invoice], at: int, cents: int) -> None:
    """One act on one of some invoices; what is refused changes nothing."""
    invoice = invoices[at % len(invoices)]
    left = [p for p in book.desk.book.receipts.payments if p.left_micros]
    try:
        if act == "use":
            invoices.append(invoiced(book))
        elif act == "pay":
            book_(book, entry(cents, f"{invoice.number} {book.clock.instant_ms}"))
        elif act == "credit":
            take_back(book, invoice, cents)
        elif left and act == "allocate":
            request = AllocatePayment(left[0].id, invoice.number)
            book.desk.call("allocate_payment", request, book.finance)
        elif left:
            book.desk.call("refund_payment", RefundPayment(left[0].id, "asked"))
    except Refused:
        pass
    book.pass_s(60)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(ACTS), st.integers(0, 9), st.integers(1, 1_500)),
        min_size=1, max_size=7,
    ),
    st.integers(0, 1_000),
)  # fmt: skip
def test_whatever_happens_a_statement_adds_up_and_is_the_ledger(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int, int]], permille: int
) -> None:
    """Opening + entries = closing, over any window; two windows that meet are one."""
    book = Book(tmp_path_factory.mktemp("book"))
    book.price(LeaseClass.SPOT, 10_000_000_000)
    book.supply(8)
    book.tenant("acme")
    invoices = [invoiced(book)]
    for act, at, cents in acts:
        at_random(book, act, invoices, at, cents)
    end = book.clock.instant_ms + 1
    middle = START_MS + (end - START_MS) * permille // 1_000
    (whole,) = statements(book, 0, end)
    parts = [*statements(book, 0, middle), *statements(book, middle, end)]
    for account in (whole, *parts):
        moved = sum(x.amount_micros for x in account.entries)
        assert account.opening_micros + moved == account.closing_micros
        assert account.owed_micros - account.credit_micros == account.closing_micros
    assert [x for part in parts for x in part.entries] == list(whole.entries)
    acme = invoices[0].tenant_id
    owed, own = balance(book, ledger.receivable(acme)), balance(book, ledger.customer_credit(acme))
    assert whole.closing_micros == (owed + own) * CENT
    assert whole.credit_micros == -own * CENT
    # What waits to be used is what the ledger says is the customer's, to the cent.
    waiting = [p for p in book.desk.book.receipts.payments if p.tenant_id == acme]
    assert sum(p.left_micros for p in waiting) == -own * CENT


def test_what_was_paid_too_much_pays_the_next_invoice_by_itself(shop: Book) -> None:
    first = invoiced(shop)
    (payment,) = book_(shop, entry(1_600, first.number)).payments
    assert (payment.state, payment.left_micros) == (PaymentState.EXCESS, 600 * CENT)
    second = invoiced(shop)
    # $16.00 came for $10.00; the next invoice asks $10.00, of which the $6.00 are paid at once.
    assert (status(shop, second).paid_micros, status(shop, second).open_micros) == (
        600 * CENT, 400 * CENT,
    )  # fmt: skip
    assert (kept(shop, payment).left_micros, kept(shop, payment).state) == (0, PaymentState.PARTIAL)
    assert balance(shop, ledger.customer_credit(first.tenant_id)) == 0
    assert balance(shop, ledger.receivable(first.tenant_id)) == 400
    (account,) = statement(Views(shop.store.engine), first.tenant_id, False, (0, 1 << 60))
    used = account.entries[-1]
    assert used.description == f"{payment.id} pays {second.number}: 6.00 USD of its own credit"
    assert (used.amount_micros, account.closing_micros) == (0, 400 * CENT)


def test_the_oldest_of_what_is_left_pays_first_whatever_left_it(shop: Book) -> None:
    first = invoiced(shop)
    (early,) = book_(shop, entry(1_300, first.number, "e1")).payments
    take_back(shop, first, 200)
    (got_back,) = credit(shop)
    second = invoiced(shop)
    # $3.00 too much and $2.00 got back pay $5.00 of the second.
    assert status(shop, second).open_micros == 500 * CENT
    (late,) = book_(shop, entry(1_100, second.number, "e2")).payments
    assert [kept(shop, one).left_micros for one in (early, got_back, late)] == [0, 0, 600 * CENT]


def test_a_statement_shows_all_of_a_payment_that_is_topped_up_in_part(shop: Book) -> None:
    first = invoiced(shop)
    (stray,) = book_(shop, entry(1_000, "thank you")).payments
    shop.desk.call("top_up", TopUp(stray.id, "7.00", first.tenant_id))
    (account,) = statement(Views(shop.store.engine), first.tenant_id, False, (0, 1 << 60))
    # $10.00 came in, and $7.00 of them are kept as prepaid credit: $3.00 are its own.
    assert [(x.kind, x.amount_micros) for x in account.entries] == [
        ("invoice", 1_000 * CENT), ("payment", -1_000 * CENT), ("top_up", 700 * CENT),
    ]  # fmt: skip
    assert account.credit_micros == 300 * CENT
    assert "7.00 USD are prepaid" in account.entries[-1].description
