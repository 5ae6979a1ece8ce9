"""Money that comes in: booked once, given to what it names, and never lost on the way."""

import pytest

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.dunning import DisputeState, DunningStep
from comptoir.billing.invoice_status import InvoiceState, InvoiceStatus
from comptoir.billing.invoices import Invoice
from comptoir.billing.receipts import Payment, PaymentState
from comptoir.desk.close_requests import CreditInvoice
from comptoir.desk.entity_requests import ChangeAccount, ChangeEntity
from comptoir.desk.operations.money.receipts import ReceiptsRecorded
from comptoir.desk.receipt_requests import (
    AllocatePayment,
    Dun,
    OpenDispute,
    RecordReceipts,
    RefundPayment,
    ResolveDispute,
    SetDunning,
    TopUp,
)
from comptoir.desk.requests import IssueInvoice
from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.tenants.parties import Role, TenantKind
from comptoir.units.errors import ComptoirError, Conflict, Invalid, NotFound, Refused
from comptoir.units.ids import LegalEntityId
from tests.builders import START_MS, Book

CENT = 10_000
DAY_MS = 86_400_000
TEN_DOLLARS = 10_000_000_000


@pytest.fixture
def shop(book: Book) -> Book:
    book.price(LeaseClass.SPOT, TEN_DOLLARS)
    book.supply(8)
    return book


def invoiced(shop: Book, slug: str = "acme") -> Invoice:
    """One hour of one accelerator: $10.00."""
    tenant = shop.desk.book.tenant_by_slug.first(slug) or shop.tenant(slug)
    lease = shop.lease(tenant, LeaseClass.SPOT, 1)
    shop.turn()
    shop.pass_s(3_600)
    invoice = shop.desk.call("issue_invoice", IssueInvoice(tenant.id), shop.finance)
    assert invoice.total_micros == 1_000 * CENT
    shop.desk.call("end_lease", _ref(lease), shop.operator)
    shop.turn()
    return invoice


def _ref(lease):  # type: ignore[no-untyped-def]
    from comptoir.desk.requests import LeaseRef

    return LeaseRef(lease.id)


def entry(cents: int, reference: str, id: str = "", reversal: bool = False) -> BankEntry:
    return BankEntry(id or reference, START_MS, cents * CENT, "USD", reference, "A payer", "",
                     reversal)  # fmt: skip


def book_(shop: Book, *entries: BankEntry) -> ReceiptsRecorded:
    request = RecordReceipts(LegalEntityId("house"), "s1", "", entries)
    return shop.desk.call("record_receipts", request, shop.finance)


def status(shop: Book, invoice: Invoice) -> InvoiceStatus:
    found = shop.desk.book.closing.statuses.get(invoice.id)
    return found or shop.store.find("invoice_status", (invoice.id,))


def balance(shop: Book, account: ledger.Account) -> int:
    held = shop.desk.book.money.balances.get((account, ledger.Unit("USD")))
    return held.amount // CENT if held else 0


def kept(shop: Book, payment: Payment) -> Payment:
    return shop.desk.book.receipts.payments.get(payment.id) or shop.store.find(
        "payment", (payment.id,)
    )


def no(shop: Book, operation: str, request: object) -> ComptoirError:
    with pytest.raises(ComptoirError) as said:
        shop.desk.call(operation, request, shop.who(operation))
    return said.value


def test_a_payment_in_two_parts_pays_its_invoice(shop: Book) -> None:
    invoice = invoiced(shop)
    [first] = book_(shop, entry(400, f"{invoice.number} first")).payments
    assert first.state is PaymentState.PARTIAL
    assert status(shop, invoice).open_micros == 600 * CENT
    [second] = book_(shop, entry(600, f"{invoice.number} rest")).payments
    assert second.state is PaymentState.MATCHED
    assert status(shop, invoice).state is InvoiceState.PAID
    # 4.00 + 6.00 came in; nothing is asked any more, nothing is owed back
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 1_000
    assert balance(shop, ledger.receivable(invoice.tenant_id)) == 0
    assert invoice.id not in shop.desk.book.closing.statuses


def test_a_statement_booked_again_changes_nothing(shop: Book) -> None:
    invoice = invoiced(shop)
    entries = (entry(400, invoice.number, "e1"), entry(77, "who knows", "e2"))
    assert len(book_(shop, *entries).payments) == 2
    again = book_(shop, *entries, entries[0])
    assert (again.payments, again.repeated) == ((), 3)
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 477


def test_an_invoice_paid_twice_is_the_customers_credit(shop: Book) -> None:
    invoice = invoiced(shop)
    book_(shop, entry(1_000, invoice.number, "e1"))
    [twice] = book_(shop, entry(1_000, invoice.number, "e2")).payments
    assert (twice.state, twice.tenant_id) == (PaymentState.EXCESS, invoice.tenant_id)
    assert balance(shop, ledger.customer_credit(invoice.tenant_id)) == -1_000


def test_two_payments_of_one_invoice_in_one_file_do_not_pay_it_twice(shop: Book) -> None:
    invoice = invoiced(shop)
    one, two = book_(
        shop, entry(1_000, invoice.number, "a"), entry(1_000, invoice.number, "b")
    ).payments
    assert (one.state, two.state) == (PaymentState.MATCHED, PaymentState.EXCESS)
    assert balance(shop, ledger.receivable(invoice.tenant_id)) == 0


def test_a_receipt_that_names_nothing_waits_and_is_given_by_hand(shop: Book) -> None:
    invoice = invoiced(shop)
    done = book_(shop, entry(1_000, "thank you"))
    [payment] = done.payments
    assert done.suggestions == ((payment.id, (invoice.number,)),)
    assert balance(shop, ledger.unidentified_receipts(HOUSE_ENTITY)) == -1_000
    request = AllocatePayment(payment.id, invoice.number, "4.00")
    part = shop.desk.call("allocate_payment", request, shop.finance)
    assert (part.state, part.left_micros) == (PaymentState.UNIDENTIFIED, 600 * CENT)
    assert no(
        shop, "allocate_payment", AllocatePayment(payment.id, invoice.number, "6.01")
    ).code == ("allocated_too_much")
    assert no(
        shop, "allocate_payment", AllocatePayment(payment.id, invoice.number, "1.005")
    ).code == ("too_many_decimals")
    whole = shop.desk.call(
        "allocate_payment", AllocatePayment(payment.id, invoice.id), shop.finance
    )
    assert (whole.state, whole.tenant_id) == (PaymentState.MATCHED, invoice.tenant_id)
    assert status(shop, invoice).state is InvoiceState.PAID
    assert balance(shop, ledger.unidentified_receipts(HOUSE_ENTITY)) == 0
    assert (
        no(shop, "allocate_payment", AllocatePayment(payment.id, invoice.id)).code == "nothing_left"
    )


def test_what_is_left_is_sent_back_once(shop: Book) -> None:
    invoice = invoiced(shop)
    [payment] = book_(shop, entry(1_250, invoice.number)).payments
    assert no(shop, "refund_payment", RefundPayment(payment.id, "too much", "2.51")).code == (
        "refund_too_large"
    )
    shop.desk.call("refund_payment", RefundPayment(payment.id, "too much", "1.00"))
    rest = shop.desk.call("refund_payment", RefundPayment(payment.id, "too much"))
    assert (rest.state, rest.refunded_micros) == (PaymentState.REFUNDED, 250 * CENT)
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 1_000
    assert balance(shop, ledger.customer_credit(invoice.tenant_id)) == 0


def test_a_top_up_is_credit_from_its_value_date_on(shop: Book) -> None:
    acme = shop.tenant("acme")
    [payment] = book_(shop, entry(5_000, "for later")).payments
    assert no(shop, "top_up", TopUp(payment.id)).code == "tenant_missing"
    shop.pass_s(86_400)
    block = shop.desk.call("top_up", TopUp(payment.id, None, "acme"))
    assert (block.tenant_id, block.granted_micros, block.from_ms) == (
        acme.id,
        5_000 * CENT,
        START_MS,
    )
    assert kept(shop, payment).state is PaymentState.TOPPED_UP
    assert balance(shop, ledger.deferred_revenue(acme.id)) == -5_000
    assert balance(shop, ledger.unidentified_receipts(HOUSE_ENTITY)) == 0


def test_a_payment_that_bounced_opens_its_invoice_again(shop: Book) -> None:
    invoice = invoiced(shop)
    book_(shop, entry(1_000, invoice.number, "e1"))
    done = book_(shop, entry(-1_000, f"RETURN {invoice.number}", "e2", reversal=True))
    assert done.payments[0].state is PaymentState.SENT
    assert status(shop, invoice).open_micros == 1_000 * CENT
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 0
    assert balance(shop, ledger.receivable(invoice.tenant_id)) == 1_000


def test_what_went_out_for_something_else_is_passed_over(shop: Book) -> None:
    done = book_(shop, entry(-5, "account fee"))
    assert (done.payments, done.outgoing) == ((), 1)
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 0


def test_a_dispute_pauses_what_it_disputes_and_nothing_else(shop: Book) -> None:
    invoice = invoiced(shop)
    request = OpenDispute(invoice.id, 1, "node was down", "4.00")
    dispute = shop.desk.call("open_dispute", request, shop.finance)
    shop.clock.instant_ms = invoice.due_at_ms + 3 * DAY_MS
    assert shop.desk.call("dun", Dun()) is False
    assert [e.data["micros"] for e in told(shop, "invoice.overdue")] == [str(600 * CENT)]
    assert no(shop, "open_dispute", OpenDispute(invoice.id, 1, "more", "6.01")).code == (
        "disputed_too_much"
    )
    assert no(shop, "open_dispute", OpenDispute(invoice.id, 2, "more")).code == "unknown_line"
    nothing = no(shop, "open_dispute", OpenDispute(invoice.id, 1, "nothing", "0"))
    assert (nothing.code, "is less than 0.01" in nothing.message) == ("bad_amount", True)
    settled = ResolveDispute(dispute.id, True, "yes, it was")
    assert shop.desk.call("resolve_dispute", settled).state is DisputeState.UPHELD
    after = status(shop, invoice)
    assert (after.disputed_micros, after.credited_micros) == (0, 400 * CENT)
    assert balance(shop, ledger.receivable(invoice.tenant_id)) == 600
    with pytest.raises(Conflict, match="dispute_resolved"):
        shop.desk.call("resolve_dispute", settled)


def test_a_rejected_dispute_is_asked_for_again_from_the_first_step_on(shop: Book) -> None:
    """Rejected 60 days late, when all steps have come: 3, 3 + 11 and 14 + 16 days later."""
    invoice = invoiced(shop)
    dispute = shop.desk.call("open_dispute", OpenDispute(invoice.id, 1, "no"), shop.finance)
    rejected_ms = shop.clock.instant_ms = invoice.due_at_ms + 60 * DAY_MS
    shop.desk.call("dun", Dun())
    assert told(shop, "invoice.overdue") == []
    shop.desk.call("reject_dispute", ResolveDispute(dispute.id, False, "it ran"), shop.finance)
    came = {}
    for days in range(40):
        shop.clock.instant_ms = rejected_ms + days * DAY_MS
        shop.desk.call("dun", Dun())
        came |= {e.data["step"]: days for e in told(shop, "invoice.overdue")[len(came) :]}
    assert came == {"reminder": 3, "second": 14, "final": 30}


def test_what_a_team_is_charged_back_is_not_disputed(shop: Book) -> None:
    team = shop.tenant("ranking", TenantKind.TEAM)
    shop.price(LeaseClass.INTERNAL, TEN_DOLLARS)
    shop.lease(team, LeaseClass.INTERNAL, 1)
    shop.turn()
    shop.pass_s(3_600)
    invoice = shop.desk.call("issue_invoice", IssueInvoice(team.id), shop.finance)
    said = no(shop, "open_dispute", OpenDispute(invoice.id, 1, "no"))
    assert (said.code, said.facts) == ("chargeback_asks_nothing", {"invoice": invoice.number})


def test_a_customer_disputes_its_own_invoices_only(shop: Book) -> None:
    invoice = invoiced(shop)
    mine = shop.user(Role.TENANT_ADMIN, tenant=shop.desk.book.tenants[invoice.tenant_id])
    theirs = shop.user(Role.TENANT_ADMIN, tenant=shop.tenant("beta"))
    with pytest.raises(NotFound):
        shop.desk.call("open_dispute", OpenDispute(invoice.id, 1, "no"), theirs)
    shop.desk.call("open_dispute", OpenDispute(invoice.id, 1, "no"), mine)


def test_each_step_of_dunning_is_taken_once_and_none_of_what_is_paid(shop: Book) -> None:
    first, second = invoiced(shop), invoiced(shop, "beta")
    steps = (DunningStep("please", 1), DunningStep("now", 5))
    shop.desk.call("set_dunning", SetDunning(steps), shop.finance)
    shop.clock.instant_ms = second.due_at_ms + DAY_MS
    assert shop.desk.call("dun", Dun(most=1)) is True
    assert shop.desk.call("dun", Dun(most=1)) is False
    shop.desk.call("dun", Dun())
    book_(shop, entry(1_000, first.number))
    shop.clock.instant_ms = second.due_at_ms + 9 * DAY_MS
    shop.desk.call("dun", Dun())
    said = [(e.data["number"], e.data["step"]) for e in told(shop, "invoice.overdue")]
    assert sorted(said) == sorted(
        [(first.number, "please"), (second.number, "please"), (second.number, "now")]
    )


def test_a_restart_knows_what_is_left_and_what_was_asked(shop: Book) -> None:
    invoice = invoiced(shop)
    book_(shop, entry(1_100, invoice.number), entry(1, "stray"))
    other = invoiced(shop, "beta")
    shop.desk.call("open_dispute", OpenDispute(other.id, 1, "no", "1.00"), shop.finance)
    shop.clock.instant_ms = other.due_at_ms + 4 * DAY_MS
    shop.desk.call("dun", Dun())
    before = {t.name: dict(t.rows) for t in shop.desk.book.receipts.tables}
    shop.desk.reload()
    assert {t.name: dict(t.rows) for t in shop.desk.book.receipts.tables} == before
    assert len(before["payment"]) == 2 and before["dunned"] and before["dispute"]


def test_only_finance_books_money_and_nobody_else_s_account(shop: Book) -> None:
    with pytest.raises(ComptoirError, match="missing_permission"):
        shop.desk.call("record_receipts", RecordReceipts(HOUSE_ENTITY, "s", "", ()), shop.operator)
    with pytest.raises(NotFound):
        shop.desk.call(
            "record_receipts", RecordReceipts(LegalEntityId("none"), "s", "", ()), shop.finance
        )
    many = tuple(entry(1, f"x{n}") for n in range(201))
    with pytest.raises(Invalid, match="too_many_entries"):
        book_(shop, *many)


def told(shop: Book, type: str) -> list:  # type: ignore[type-arg]
    return list(shop.store.find_told([type], None, 0, 100))


def test_another_currency_needs_a_rate(shop: Book) -> None:
    invoice = invoiced(shop)
    euros = BankEntry("e", START_MS, 900 * CENT, "EUR", invoice.number, "")
    [payment] = book_(shop, euros).payments
    assert (payment.state, payment.left_micros) == (PaymentState.EXCESS, 900 * CENT)
    with pytest.raises(Refused, match="no_fx_rate"):
        shop.desk.call("allocate_payment", AllocatePayment(payment.id, invoice.id), shop.finance)


def test_a_credit_note_answers_what_is_disputed_of_its_lines(shop: Book) -> None:
    invoice = invoiced(shop)
    asked = OpenDispute(invoice.id, 1, "node was down", "4.00")
    dispute = shop.desk.call("open_dispute", asked, shop.finance)
    part = CreditInvoice(invoice.id, "by mail", ((1, "1.00"),))
    shop.desk.call("credit_invoice", part)
    # 1.00 of the 4.00 is credited: 3.00 are disputed still, and can be upheld
    assert shop.desk.book.receipts.disputes[dispute.id].micros == 300 * CENT
    assert status(shop, invoice).disputed_micros == 300 * CENT
    settled = ResolveDispute(dispute.id, True, "yes")
    assert shop.desk.call("resolve_dispute", settled).state is DisputeState.UPHELD
    after = status(shop, invoice)
    assert (after.disputed_micros, after.credited_micros) == (0, 400 * CENT)


def test_what_is_upheld_answers_no_other_dispute(shop: Book) -> None:
    invoice = invoiced(shop)
    one, two = (
        shop.desk.call("open_dispute", OpenDispute(invoice.id, 1, "no", "4.00"), shop.finance)
        for _ in range(2)
    )
    shop.desk.call("resolve_dispute", ResolveDispute(two.id, True, "yes"))
    assert shop.desk.book.receipts.disputes[one.id].micros == 400 * CENT
    assert status(shop, invoice).disputed_micros == 400 * CENT


def test_no_dispute_survives_a_void(shop: Book) -> None:
    invoice = invoiced(shop)
    one, two = (
        shop.desk.call("open_dispute", OpenDispute(invoice.id, 1, "no", amount), shop.finance)
        for amount in ("4.00", "6.00")
    )
    shop.desk.call("credit_invoice", CreditInvoice(invoice.id, "wrong"))
    assert status(shop, invoice).state is InvoiceState.VOID
    assert status(shop, invoice).disputed_micros == 0
    assert not shop.desk.book.receipts.disputes_of.get(invoice.id)
    for dispute in (one, two):
        kept_ = shop.store.find("dispute", (dispute.id,))
        assert (kept_.state, kept_.micros) == (DisputeState.UPHELD, dispute.micros)
        assert "CN-" in kept_.resolution
    assert [e.data["micros"] for e in told(shop, "dispute.upheld")] == [
        str(400 * CENT),
        str(600 * CENT),
    ]


def test_an_invoice_says_where_it_is_paid_and_is_due_when_its_seller_says(shop: Book) -> None:
    account = ChangeAccount(HOUSE_ENTITY, "DE89 3704 0044 0532 0130 00", "COBADEFF")
    shop.desk.call("change_account", account)
    shop.desk.call("change_entity", ChangeEntity(HOUSE_ENTITY, payment_days=14), shop.finance)
    invoice = invoiced(shop)
    assert (invoice.seller.iban, invoice.seller.bic) == ("DE89370400440532013000", "COBADEFF")
    assert invoice.due_at_ms == invoice.issued_at_ms + 14 * DAY_MS
    with pytest.raises(Invalid, match="out_of_range"):
        shop.desk.call("change_entity", ChangeEntity(HOUSE_ENTITY, payment_days=366), shop.finance)
