"""Money that leaves, is given away, or is paid elsewhere: one asks, another says yes."""

import pytest

from comptoir.billing.approvals import ActKind, Approval, ApprovalState
from comptoir.billing.receipts import Payment, PaymentState
from comptoir.desk.approval_requests import Act, ApprovalRef, AskApproval
from comptoir.desk.close_requests import CreditInvoice
from comptoir.desk.entity_requests import ChangeAccount, GiveGrant
from comptoir.desk.receipt_requests import (
    OpenDispute,
    PostOutgoing,
    RefundPayment,
    ResolveDispute,
    TopUp,
)
from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.tenants.parties import Actor, Role
from comptoir.units.errors import Conflict, Forbidden, Invalid, Refused
from tests.builders import Book
from tests.desk.test_receipts import (
    CENT,
    TEN_DOLLARS,
    balance,
    book_,
    entry,
    invoiced,
    kept,
    status,
)

IBAN = "DE89370400440532013000"


@pytest.fixture
def shop(book: Book) -> Book:
    book.price(LeaseClass.SPOT, TEN_DOLLARS)
    book.supply(8)
    return book


def ask(shop: Book, by: Actor | None = None, **act: object) -> Approval:
    request = AskApproval(Act(**act))  # type: ignore[arg-type]
    return shop.desk.call("ask_approval", request, by or shop.finance)


def approve(shop: Book, approval: Approval, by: Actor) -> Approval:
    return shop.desk.call("approve_act", ApprovalRef(approval.id), by)


def stray(shop: Book, cents: int = 1_000) -> Payment:
    [payment] = book_(shop, entry(cents, "stray")).payments
    return payment


@pytest.mark.parametrize(
    ("operation", "request_of"),
    [
        ("refund_payment", lambda p: RefundPayment(p.id, "no")),
        ("top_up", lambda p: TopUp(p.id, None, "acme")),
        ("credit_invoice", lambda p: CreditInvoice("iv", "no")),
        ("give_grant", lambda p: GiveGrant("acme", "1.00", 2**40)),
        ("resolve_dispute", lambda p: ResolveDispute("dp", True, "yes")),
        ("change_account", lambda p: ChangeAccount(HOUSE_ENTITY, IBAN)),
        ("post_outgoing", lambda p: PostOutgoing(p.id, "a fee")),
    ],
)
def test_nobody_does_alone_what_two_agree_to(shop: Book, operation, request_of) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Forbidden, match="system_only"):
        shop.desk.call(operation, request_of(stray(shop)), shop.finance)


def test_a_refund_is_done_when_another_approves_it_and_not_before(shop: Book) -> None:
    payment = stray(shop)
    asked = ask(shop, refund=RefundPayment(payment.id, "not ours", "4.00"))
    assert (asked.state, asked.kind, asked.subject) == (
        ApprovalState.ASKED,
        ActKind.REFUND,
        payment.id,
    )
    assert "4.00 USD" in asked.summary
    assert kept(shop, payment).left_micros == 1_000 * CENT
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 1_000
    with pytest.raises(Forbidden, match="own_proposal"):  # finance is an approver, too
        approve(shop, asked, shop.finance)
    with pytest.raises(Forbidden, match="missing_permission"):
        approve(shop, asked, shop.user(Role.FINANCE))
    other = shop.user(Role.APPROVER)
    done = approve(shop, asked, other)
    assert (done.state, done.decided_by) == (ApprovalState.APPROVED, other.user_id)
    assert kept(shop, payment).refunded_micros == 400 * CENT
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 600
    with pytest.raises(Conflict, match="already_decided"):
        approve(shop, asked, other)
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 600


def test_what_cannot_be_done_cannot_be_asked_for(shop: Book) -> None:
    payment = stray(shop)
    with pytest.raises(Refused, match="refund_too_large"):
        ask(shop, refund=RefundPayment(payment.id, "not ours", "10.01"))
    for nothing in (
        {"refund": RefundPayment(payment.id, "not ours", "0.00")},
        {"top_up": TopUp(payment.id, "0", "acme")},
    ):
        with pytest.raises(Invalid, match=r"0 USD is less than 0\.01"):
            ask(shop, **nothing)
    with pytest.raises(Forbidden, match="missing_permission"):
        ask(shop, shop.user(Role.SALES), refund=RefundPayment(payment.id, "not ours"))
    assert len(shop.desk.book.receipts.approvals) == 0


def test_an_act_that_the_book_has_overtaken_is_refused(shop: Book) -> None:
    payment = stray(shop)
    other = shop.user(Role.APPROVER)
    first, second = (ask(shop, refund=RefundPayment(payment.id, "r", "6.00")) for _ in range(2))
    approve(shop, first, other)
    with pytest.raises(Refused, match="refund_too_large"):
        approve(shop, second, other)
    assert shop.desk.book.receipts.approvals[second.id].state is ApprovalState.ASKED
    gone = shop.desk.call("withdraw_act", ApprovalRef(second.id), shop.finance)
    assert gone.state is ApprovalState.WITHDRAWN
    with pytest.raises(Conflict, match="already_decided"):
        approve(shop, second, other)


def test_what_could_not_be_done_any_more_lapses_and_says_why(shop: Book) -> None:
    invoice, other = invoiced(shop), shop.user(Role.APPROVER)
    payment = stray(shop)
    dispute = shop.desk.call("open_dispute", OpenDispute(invoice.id, 1, "no", "4.00"), shop.finance)
    kept_on = ask(shop, grant=GiveGrant(invoice.tenant_id, "5.00", 2**41))
    first = ask(shop, refund=RefundPayment(payment.id, "r", "6.00"))
    overtaken = [
        ask(shop, refund=RefundPayment(payment.id, "r", "6.00")),
        ask(shop, top_up=TopUp(payment.id, "5.00", "acme")),
        ask(shop, uphold=ResolveDispute(dispute.id, True, "it was down")),
    ]
    shop.turn()
    assert {a.state for a in shop.desk.book.receipts.approvals} == {ApprovalState.ASKED}
    approve(shop, first, other)
    shop.desk.call("reject_dispute", ResolveDispute(dispute.id, False, "no"), shop.finance)
    for _ in range(6):  # two in a turn, and a round had begun
        shop.turn()
    assert [a.id for a in shop.desk.book.receipts.approvals] == [kept_on.id]
    found = [shop.store.find("approval", (each.id,)) for each in overtaken]
    assert [a.state for a in found] == [ApprovalState.LAPSED] * 3
    assert [a.because.partition(":")[0] for a in found] == [
        "refund_too_large", "refund_too_large", "dispute_resolved",
    ]  # fmt: skip
    with pytest.raises(Conflict, match=r"has lapsed: refund_too_large: 4\.00 USD is left"):
        approve(shop, overtaken[0], other)
    assert kept(shop, payment).left_micros == 400 * CENT


def test_to_judge_what_waits_changes_nothing(shop: Book) -> None:
    ask(shop, credit_note=CreditInvoice(invoiced(shop).id, "a gift", ((1, "1.00"),)))
    shop.turn()
    before = shop.store.find_told(["credit_note.issued"], None, 0, 100), shop.desk.book.counter
    shop.pass_s(3_600)
    assert (
        shop.store.find_told(["credit_note.issued"], None, 0, 100),
        shop.desk.book.counter,
    ) == before
    assert len(shop.desk.book.receipts.approvals) == 1


def test_only_who_asked_or_an_approver_withdraws(shop: Book) -> None:
    asked = ask(shop, refund=RefundPayment(stray(shop).id, "r"))
    with pytest.raises(Forbidden, match="not_yours"):
        shop.desk.call("withdraw_act", ApprovalRef(asked.id), shop.user(Role.FINANCE))
    shop.desk.call("withdraw_act", ApprovalRef(asked.id), shop.user(Role.APPROVER))


def test_every_act_is_done_as_it_was_asked_after_a_restart(shop: Book) -> None:
    invoice, other = invoiced(shop), shop.user(Role.APPROVER)
    payment = stray(shop)
    dispute = shop.desk.call("open_dispute", OpenDispute(invoice.id, 1, "no", "4.00"), shop.finance)
    until_ms = shop.clock.instant_ms + 10**9
    asked = [
        ask(shop, top_up=TopUp(payment.id, "3.00", "acme")),
        ask(shop, grant=GiveGrant(invoice.tenant_id, "5.00", until_ms, ("publish",))),
        ask(shop, uphold=ResolveDispute(dispute.id, True, "it was down")),
        ask(shop, credit_note=CreditInvoice(invoice.id, "a gift", ((1, "1.00"),))),
        ask(shop, account=ChangeAccount(HOUSE_ENTITY, IBAN)),
    ]
    assert status(shop, invoice).credited_micros == 0
    assert shop.desk.book.credit.entities[HOUSE_ENTITY].iban == ""
    shop.desk.reload()
    assert {a.id for a in shop.desk.book.receipts.approvals} == {a.id for a in asked}
    made = [approve(shop, one, other).made for one in asked]
    top_up, grant = (shop.desk.book.contracts.credit_blocks[id] for id in made[:2])
    assert (top_up.granted_micros, grant.granted_micros) == (300 * CENT, 500 * CENT)
    assert grant.conditions == ("publish",)
    assert made[3].startswith("CN-")
    assert status(shop, invoice).credited_micros == 500 * CENT
    assert shop.desk.book.credit.entities[HOUSE_ENTITY].iban == IBAN
    assert kept(shop, payment).state is PaymentState.UNIDENTIFIED or kept(shop, payment).blocks
    assert len(shop.desk.book.receipts.approvals) == 0
    assert len(shop.desk.book.receipts.wanted_acts) == 0


def test_asking_uses_no_number_of_a_series(shop: Book) -> None:
    invoice, other = invoiced(shop), shop.user(Role.APPROVER)
    for _ in range(3):
        ask(shop, credit_note=CreditInvoice(invoice.id, "wrong", ((1, "1.00"),)))
    asked = list(shop.desk.book.receipts.approvals)
    assert approve(shop, asked[2], other).made == "CN-ACME-2026-000001"
    assert approve(shop, asked[0], other).made == "CN-ACME-2026-000002"
