"""A payment that bounces is taken back from all that it paid, whenever its return is reported."""

from dataclasses import replace

import pytest

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.invoice_status import InvoiceState
from comptoir.billing.invoices import Invoice
from comptoir.billing.receipts import PaymentState
from comptoir.desk.close_requests import CreditInvoice
from comptoir.desk.receipt_requests import AllocatePayment, Dun, RefundPayment, TopUp
from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.tenants.entities import HOUSE_ENTITY
from tests.builders import START_MS, Book
from tests.desk.test_receipts import (
    CENT,
    DAY_MS,
    TEN_DOLLARS,
    balance,
    book_,
    entry,
    invoiced,
    kept,
    no,
    status,
    told,
)


@pytest.fixture
def shop(book: Book) -> Book:
    book.price(LeaseClass.SPOT, TEN_DOLLARS)
    book.supply(8)
    return book


def back(cents: int, reference: str, id: str = "r1", **more: object) -> BankEntry:
    """The return of a payment, as the bank reports it."""
    return replace(entry(-cents, reference, id, reversal=True), **more)


def asked(shop: Book, invoice: Invoice) -> int:
    return status(shop, invoice).open_micros // CENT


def test_a_bounce_is_taken_back_from_every_invoice_that_the_payment_paid(shop: Book) -> None:
    first, second = invoiced(shop), invoiced(shop)
    words = f"{first.number} {second.number}"
    [payment] = book_(shop, entry(2_000, words, "e1")).payments
    [bounce] = book_(shop, back(2_000, f"RETURN {first.number}")).payments
    assert (bounce.state, bounce.about) == (PaymentState.SENT, payment.id)
    assert (asked(shop, first), asked(shop, second)) == (1_000, 1_000)
    assert balance(shop, ledger.receivable(first.tenant_id)) == 2_000
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 0
    assert kept(shop, payment).state is PaymentState.BOUNCED


def test_a_part_that_bounces_takes_what_was_left_first_and_then_the_last_invoice(
    shop: Book,
) -> None:
    first, second = invoiced(shop), invoiced(shop)
    [payment] = book_(shop, entry(2_300, f"{first.number} {second.number}", "e1")).payments
    assert balance(shop, ledger.customer_credit(first.tenant_id)) == -300
    # 7.50 bounce: 3.00 were the customer's credit, 4.50 are asked again of the second invoice
    book_(shop, back(750, f"returned {second.number}"))
    assert balance(shop, ledger.customer_credit(first.tenant_id)) == 0
    assert (asked(shop, first), asked(shop, second)) == (0, 450)
    after = kept(shop, payment)
    assert (after.state, after.bounced_micros, after.left_micros) == (
        PaymentState.PARTIAL,
        750 * CENT,
        0,
    )
    # the rest bounces, too: 15.50; then nothing is paid any more, and nothing more can bounce
    book_(shop, back(1_550, f"returned {second.number}", "r2"))
    assert (asked(shop, first), asked(shop, second)) == (1_000, 1_000)
    [third] = book_(shop, back(1, f"returned {second.number}", "r3")).payments
    assert (third.state, third.left_micros) == (PaymentState.UNIDENTIFIED, CENT)


def test_a_bounce_that_names_the_payments_own_reference_needs_no_number(shop: Book) -> None:
    invoice = invoiced(shop)
    paid = replace(entry(1_000, invoice.number, "e1"), end_to_end="PAY-77")
    book_(shop, paid, replace(entry(1_000, "stray", "e2"), end_to_end="PAY-78"))
    [bounce] = book_(shop, back(1_000, "AC04 ACCOUNT CLOSED", end_to_end="PAY-77")).payments
    assert bounce.state is PaymentState.SENT
    assert asked(shop, invoice) == 1_000
    assert balance(shop, ledger.unidentified_receipts(HOUSE_ENTITY)) == -1_000


def test_a_bounce_before_its_payment_waits_for_it(shop: Book) -> None:
    invoice = invoiced(shop)
    [bounce] = book_(shop, back(1_000, f"RETURN {invoice.number}")).payments
    assert (bounce.state, bounce.left_micros) == (PaymentState.UNIDENTIFIED, 1_000 * CENT)
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == -1_000
    assert balance(shop, ledger.unidentified_receipts(HOUSE_ENTITY)) == 1_000
    [payment] = book_(shop, entry(1_000, invoice.number, "e1")).payments
    assert payment.state is PaymentState.BOUNCED
    assert (kept(shop, bounce).state, kept(shop, bounce).left_micros) == (PaymentState.SENT, 0)
    assert asked(shop, invoice) == 1_000
    for account in (ledger.cash(HOUSE_ENTITY), ledger.unidentified_receipts(HOUSE_ENTITY)):
        assert balance(shop, account) == 0


def test_a_bounce_that_nobody_recognises_is_given_to_its_payment_by_hand(shop: Book) -> None:
    invoice = invoiced(shop)
    [payment] = book_(shop, entry(1_000, invoice.number, "e1")).payments
    [bounce] = book_(shop, back(1_000, "R-TRANSACTION")).payments
    assert bounce.state is PaymentState.UNIDENTIFIED
    assert no(shop, "refund_payment", RefundPayment(bounce.id, "no")).code == "went_out"
    assert no(shop, "top_up", TopUp(bounce.id, None, "acme")).code == "went_out"
    given = shop.desk.call("allocate_payment", AllocatePayment(bounce.id, payment.id), shop.finance)
    assert (given.state, given.about) == (PaymentState.SENT, payment.id)
    assert asked(shop, invoice) == 1_000


def test_dunning_goes_on_after_a_bounce_where_it_was(shop: Book) -> None:
    invoice = invoiced(shop)
    shop.clock.instant_ms = invoice.due_at_ms + 4 * DAY_MS
    shop.desk.call("dun", Dun())
    book_(shop, entry(1_000, invoice.number, "e1"))
    assert status(shop, invoice).state is InvoiceState.PAID
    assert invoice.id not in shop.desk.book.receipts.dunned
    book_(shop, back(1_000, invoice.number))
    shop.desk.call("dun", Dun())
    assert [e.data["step"] for e in told(shop, "invoice.overdue")] == ["reminder"]
    shop.clock.instant_ms = invoice.due_at_ms + 15 * DAY_MS  # 11 days after the reminder
    shop.desk.call("dun", Dun())
    assert [e.data["step"] for e in told(shop, "invoice.overdue")] == ["reminder", "second"]


def test_a_top_up_that_bounces_takes_its_credit_away(shop: Book) -> None:
    acme = shop.tenant("acme")
    [payment] = book_(shop, replace(entry(5_000, "for later"), end_to_end="E1")).payments
    block = shop.desk.call("top_up", TopUp(payment.id, None, "acme"))
    book_(shop, back(2_000, "returned", end_to_end="E1"))
    left = shop.desk.book.contracts.credit_blocks[block.id]
    assert left.left_micros == 3_000 * CENT
    assert balance(shop, ledger.deferred_revenue(acme.id)) == -3_000
    book_(shop, back(3_000, "returned", "r2", end_to_end="E1"))
    assert balance(shop, ledger.deferred_revenue(acme.id)) == 0
    assert kept(shop, payment).state is PaymentState.BOUNCED


def test_what_was_sent_back_before_it_bounced_is_owed_by_the_customer(shop: Book) -> None:
    invoice = invoiced(shop)
    [payment] = book_(shop, entry(1_250, invoice.number, "e1")).payments
    shop.desk.call("refund_payment", RefundPayment(payment.id, "too much"))
    book_(shop, back(1_250, invoice.number))
    # 12.50 came in, 2.50 went back, 12.50 bounced: the customer owes 10.00 and 2.50
    assert asked(shop, invoice) == 1_000
    assert balance(shop, ledger.customer_credit(invoice.tenant_id)) == 250
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == -250


def test_what_a_credit_note_had_given_back_of_a_payment_that_bounces(shop: Book) -> None:
    invoice = invoiced(shop)
    book_(shop, entry(1_000, invoice.number, "e1"))
    shop.desk.call("credit_invoice", CreditInvoice(invoice.id, "a gift"))
    assert balance(shop, ledger.customer_credit(invoice.tenant_id)) == -1_000
    book_(shop, back(1_000, invoice.number))
    # nothing was owed, nothing is paid, nothing is credit
    for account in (
        ledger.customer_credit(invoice.tenant_id),
        ledger.receivable(invoice.tenant_id),
        ledger.cash(HOUSE_ENTITY),
    ):
        assert balance(shop, account) == 0


def test_a_file_without_a_word_for_it_takes_back_what_is_named_and_of_the_same_amount(
    shop: Book,
) -> None:
    invoice = invoiced(shop)
    plain = replace(entry(-400, invoice.number, "x1"), reversal=None)
    book_(shop, entry(1_000, invoice.number, "e1"))
    assert book_(shop, plain).outgoing == 1
    whole = replace(entry(-1_000, invoice.number, "x2"), reversal=None)
    [bounce] = book_(shop, whole).payments
    assert (bounce.state, asked(shop, invoice)) == (PaymentState.SENT, 1_000)


def test_a_refund_in_the_banks_file_is_no_bounce(shop: Book) -> None:
    [payment] = book_(shop, entry(1_000, "stray", "e1")).payments
    shop.desk.call("refund_payment", RefundPayment(payment.id, "not ours"))
    sent = replace(entry(-1_000, "stray", "x1"), reversal=None)
    assert book_(shop, sent).outgoing == 1
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 0


def test_a_bounce_in_another_currency_opens_what_its_payment_had_paid(shop: Book) -> None:
    from comptoir.desk.entity_requests import ImportTable

    day = "2026-09-21"  # the day of START_MS
    table = ImportTable(f"date,base,quote,rate\n{day},EUR,USD,1.25\n", "test")
    shop.desk.call("import_fx_rates", table, shop.finance)
    invoice = invoiced(shop)
    euros = BankEntry("e", START_MS, 800 * CENT, "EUR", invoice.number, "")
    book_(shop, euros)
    assert asked(shop, invoice) == 0
    book_(shop, replace(euros, id="r", micros=-400 * CENT, reversal=True))
    assert asked(shop, invoice) == 500
    assert balance(shop, ledger.BROKERAGE) == 500
    book_(shop, replace(euros, id="r2", micros=-400 * CENT, reversal=True))
    assert asked(shop, invoice) == 1_000
    assert balance(shop, ledger.BROKERAGE) == 0
