"""What goes out and is not known is kept, and posted by hand once two agree."""

import pytest

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.receipts import Payment, PaymentState
from comptoir.desk.approval_requests import Act, ApprovalRef, AskApproval
from comptoir.desk.entity_requests import CreateEntity
from comptoir.desk.receipt_requests import PostOutgoing, RecordReceipts
from comptoir.ledger import entries as ledger
from comptoir.store.views import Views
from comptoir.store.views.payables import payables
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.tenants.parties import Role
from comptoir.units.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from tests.builders import START_MS, Book
from tests.desk.contract_book import BOUGHT, SOLD, Deal, rent
from tests.desk.test_receipts import balance, kept

USD = 1_000_000


def passed_over(book: Book, dollars: int, words: str, file: str = "s1") -> Payment:
    """A statement that tells of one amount that went out, and the row that is kept of it."""
    entry = BankEntry(words, START_MS, -dollars * USD, "USD", words, "A payee")
    request = RecordReceipts(HOUSE_ENTITY, file, "", (entry,))
    done = book.desk.call("record_receipts", request, book.finance)
    assert (done.payments, done.outgoing) == ((), 1)
    (found,) = book.store.find_payments_alike(HOUSE_ENTITY, [(-dollars * USD, START_MS)])
    assert found.state is PaymentState.PASSED_OVER
    return found  # type: ignore[no-any-return]


def post(book: Book, payment: Payment, contract: str | None = None) -> Payment:
    """Asked for by finance, done when another approves."""
    act = Act(outgoing=PostOutgoing(payment.id, "looked it up", contract))
    asked = book.desk.call("ask_approval", AskApproval(act), book.finance)
    with pytest.raises(Forbidden, match="own_proposal"):
        book.desk.call("approve_act", ApprovalRef(asked.id), book.finance)
    book.desk.call("approve_act", ApprovalRef(asked.id), book.user(Role.APPROVER))
    return kept(book, payment)


def test_a_fee_that_was_passed_over_is_posted_once_two_agree(book: Book) -> None:
    fee = passed_over(book, 5, "account fee")
    assert balance(book, ledger.cash(HOUSE_ENTITY)) == 0
    posted = post(book, fee)
    assert (posted.state, posted.about) == (PaymentState.SENT, "bank fees")
    assert balance(book, ledger.bank_fees(HOUSE_ENTITY)) == 500
    assert balance(book, ledger.cash(HOUSE_ENTITY)) == -500
    again = Act(outgoing=PostOutgoing(fee.id, "once more"))
    with pytest.raises(Refused, match="not_passed_over"):
        book.desk.call("ask_approval", AskApproval(again), book.finance)


def test_what_was_passed_over_is_kept_once_however_many_files_tell_of_it(book: Book) -> None:
    fee = passed_over(book, 5, "account fee")
    entry = BankEntry("account fee", START_MS, -5 * USD, "USD", "account fee", "A payee")
    for file in ("s1", "another"):
        request = RecordReceipts(HOUSE_ENTITY, file, "", (entry,))
        done = book.desk.call("record_receipts", request, book.finance)
        assert (done.payments, done.outgoing, done.repeated) == ((), 0, 1)
    book.desk.reload()
    assert kept(book, fee) == fee


def test_a_supplier_that_the_bank_names_otherwise_is_paid_by_hand(deal: Deal) -> None:
    deal.agree(BOUGHT)
    rent(deal)
    deal.at("2026-10-02")  # $600 are owed
    book = deal.book
    payment = passed_over(book, 250, "N.C. HOLDING 17")
    posted = post(book, payment, "NORTH-1")
    assert (posted.state, posted.about) == (PaymentState.SENT, "NORTH-1")
    [owed] = payables(Views(book.store.engine))
    assert owed.payable.micros == 350 * USD
    assert balance(book, ledger.cash(HOUSE_ENTITY)) == -25_000


def test_nothing_is_posted_to_a_contract_that_cannot_have_been_paid(deal: Deal) -> None:
    sold = deal.agree(SOLD).contract
    fee = passed_over(deal.book, 5, "fee")

    def asked(contract: str | None, reason: str = "why") -> None:
        act = Act(outgoing=PostOutgoing(fee.id, reason, contract))
        deal.book.desk.call("ask_approval", AskApproval(act), deal.book.finance)

    with pytest.raises(Refused, match="wrong_supply"):
        asked(sold.number)
    with pytest.raises(NotFound):
        asked("NOWHERE-1")
    with pytest.raises(Invalid, match="bad_text"):
        asked(None, "")


def test_the_first_account_of_an_entity_needs_a_second_person(book: Book) -> None:
    iban = "DE89370400440532013000"
    request = CreateEntity("berlin", "Comptoir GmbH", "DE", "EUR", iban=iban, bic="COBADEFF")
    made = book.desk.call("create_entity", request, book.finance)
    assert (made.iban, made.bic) == ("", "")
    (asked,) = book.desk.book.receipts.approvals
    assert iban in asked.summary
    with pytest.raises(Forbidden, match="own_proposal"):
        book.desk.call("approve_act", ApprovalRef(asked.id), book.finance)
    book.desk.call("approve_act", ApprovalRef(asked.id), book.user(Role.APPROVER))
    now = book.desk.book.credit.entities[made.id]
    assert (now.iban, now.bic) == (iban, "COBADEFF")


def test_an_entity_with_an_account_that_is_none_is_not_made(book: Book) -> None:
    request = CreateEntity("berlin", "Comptoir GmbH", "DE", "EUR", iban="DE00")
    with pytest.raises(Invalid, match="bad_iban"):
        book.desk.call("create_entity", request, book.finance)
    assert book.desk.book.credit.entity_by_slug.first("berlin") is None
    with pytest.raises(Conflict, match="entity_exists"):
        book.desk.call("create_entity", CreateEntity("house", "H", "DE", "EUR"), book.finance)
