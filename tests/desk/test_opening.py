"""Moving in: everything once, against one account, and the book goes on from there."""

import pytest

from comptoir.billing.credit_notes import CreditNote
from comptoir.billing.invoice_status import InvoiceState
from comptoir.billing.invoices import Invoice
from comptoir.billing.opening import OpeningState
from comptoir.billing.receipts import PaymentState
from comptoir.desk.close_requests import ClosePeriod, CreditInvoice, PreviewInvoice
from comptoir.desk.contract_requests import SettleSupply
from comptoir.desk.desk import Desk
from comptoir.desk.entity_requests import ImportTable
from comptoir.desk.opening_loop import items_of
from comptoir.desk.opening_requests import (
    ApproveOpening,
    BringSlice,
    OpeningRef,
    ProposeOpening,
)
from comptoir.desk.receipt_requests import (
    AllocatePayment,
    Dun,
    OpenDispute,
    RecordReceipts,
    ResolveDispute,
)
from comptoir.desk.requests import CreateTenant, DeclareSupply, IssueInvoice, NewNode
from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.sales.credit_blocks import CreditSource
from comptoir.store.views import Views, close, receipts
from comptoir.store.views import ledger as ledger_view
from comptoir.store.views.payables import payables
from comptoir.store.views.reading import Ask
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.tenants.parties import Role, TenantKind
from comptoir.units.errors import ComptoirError
from tests.builders import HOUR_MS, START_MS, Book, SeededEntropy
from tests.desk.opening_book import (
    BOOKS,
    DOLLAR,
    OCTOBER_MS,
    SEPTEMBER_MS,
    approve,
    balance,
    bring,
    bring_some,
    closed,
    contract,
    move_in,
    no,
    propose,
    read,
    receipt,
    status,
    tenant,
    texts,
)


def test_everything_is_brought_against_one_account(book: Book) -> None:
    opening = move_in(book)
    assert (opening.state, opening.done_items) == (OpeningState.BROUGHT, opening.total_items)
    acme, borealis = tenant(book, "acme"), tenant(book, "borealis")
    expected = {
        # open of RE and INV and ACME: 36,000 + 24,000, and 1,760 + 1,260
        ledger.receivable(acme): 60_000,
        ledger.receivable(borealis): 3_020,
        # 600,000 invoiced ahead, 410,000 of it used; a top-up of 2,500, a gift owes nothing
        ledger.deferred_revenue(acme): -190_000,
        ledger.deferred_revenue(borealis): -2_500,
        ledger.customer_credit(borealis): -77,
        # 2,000,000 paid ahead to the partner, 1,250,000 used
        ledger.prepaid_capacity(contract(book, "NORTHERN-2026")): 750_000,
        ledger.supplier_payable("northern-cloud"): -125_000,
        ledger.cash(HOUSE_ENTITY): 912_000,
        ledger.tax_payable(HOUSE_ENTITY): -5_000,
        BOOKS: -1_402_443,
    }
    found = {row.account: row.amount for row in book.desk.book.money.balances if row.amount}
    assert found == {account: amount * DOLLAR for account, amount in expected.items()}
    views = Views(book.store.engine)
    assert ledger_view.prove(views, START_MS).balanced
    entries = ledger_view.entries(views, Ask(100)).items
    assert {entry.effective_at_ms for entry in entries} == {SEPTEMBER_MS}


def test_the_same_files_again_change_nothing_and_others_are_refused(book: Book) -> None:
    first = propose(book, texts())
    again = propose(book, texts())
    assert (again.repeated, again.opening) == (True, first.opening)
    other = texts({"opening.toml": ('"thank you"', '"thanks"')})
    assert no(book, other).code == "opening_exists"
    approve(book, first.opening, texts())
    bring(book.desk)
    before = book.desk.book.version
    assert propose(book, texts()).opening.state is OpeningState.BROUGHT
    assert book.desk.book.version == before
    assert no(book, other).code == "opening_exists"


def test_a_withdrawn_opening_makes_room_for_another(book: Book) -> None:
    first = propose(book, texts()).opening
    other = texts({"opening.toml": ('"thank you"', '"thanks"')})
    book.desk.call("withdraw_opening", OpeningRef(first.id), book.finance)
    assert move_in(book, other).state is OpeningState.BROUGHT
    with pytest.raises(ComptoirError, match="opening_not_proposed"):
        book.desk.call("withdraw_opening", OpeningRef(first.id), book.finance)


def test_nobody_approves_their_own(book: Book) -> None:
    opening = propose(book, texts()).opening
    request = ApproveOpening(opening.id, read(book, texts()))
    with pytest.raises(ComptoirError, match="own_proposal"):
        book.desk.call("approve_opening", request, book.finance)  # finance may approve, too
    with pytest.raises(ComptoirError, match="missing_permission"):
        book.desk.call("approve_opening", request, book.user(Role.FINANCE))
    with pytest.raises(ComptoirError, match="missing_permission"):
        book.desk.call("propose_opening", ProposeOpening(request.file), book.user(Role.APPROVER))


def test_a_check_says_all_and_keeps_nothing(book: Book) -> None:
    before = book.desk.book.version, len(book.desk.book.tenants)
    said = book.desk.call(
        "propose_opening", ProposeOpening(read(book, texts()), True), book.finance
    )
    assert (said.dry_run, said.opening.total_items, len(said.opening.totals)) == (True, 14, 8)
    assert (book.desk.book.version, len(book.desk.book.tenants)) == before
    assert not len(book.desk.book.openings.openings)


def test_numbers_go_on_where_the_other_system_stopped(book: Book) -> None:
    book.price_all()
    book.supply(8)
    move_in(book)
    acme = book.desk.book.tenants[tenant(book, "acme")]
    book.lease(acme, LeaseClass.SPOT, 1)
    book.turn()
    book.pass_s(3_600)
    invoice = book.desk.call("issue_invoice", IssueInvoice(acme.id), book.finance)
    assert invoice.number == "ACME-2026-000042"
    note: CreditNote = book.desk.call("credit_invoice", CreditInvoice(invoice.id, "a slip"))
    assert note.number == "CN-ACME-2026-000003"


def test_usage_after_the_cut_over_draws_what_was_brought(book: Book) -> None:
    book.price_all(price_nanos=10_000_000_000)
    book.supply(8)
    move_in(book)
    borealis = book.desk.book.tenants[tenant(book, "borealis")]
    book.lease(borealis, LeaseClass.SPOT, 2)
    book.turn()
    book.pass_s(3_600)
    # 2 accelerator-hours at $10, all of it paid by the top-up: the grant is for h100-sxm alone.
    invoice: Invoice = book.desk.call("issue_invoice", IssueInvoice(borealis.id), book.finance)
    assert [line.amount_micros // DOLLAR for line in invoice.lines] == [20, -20]
    blocks = {b.source: b for b in book.desk.book.contracts.credit_of.get(borealis.id)}
    assert blocks[CreditSource.TOP_UP].left_micros == 2_480 * DOLLAR
    assert balance(book, ledger.deferred_revenue(borealis.id)) == -2_480 * DOLLAR


def test_what_was_invoiced_ahead_is_not_asked_again_and_the_next_instalment_is(book: Book) -> None:
    move_in(book)
    acme = tenant(book, "acme")
    book.clock.instant_ms = START_MS + 200 * 24 * HOUR_MS  # 2027-04: the second instalment is due
    drafts = book.desk.call("draw_up_prepayments", PreviewInvoice(acme), book.finance)
    assert [draft.total_micros // DOLLAR for draft in drafts] == [400_000]
    (block,) = book.desk.book.contracts.credit_of.get(acme)
    assert (block.granted_micros, block.left_micros) == (1_000_000 * DOLLAR, 590_000 * DOLLAR)


def test_a_true_up_counts_what_was_spent_before_the_cut_over(book: Book) -> None:
    """The step of July to December promises 100,000; 35,000 were spent before September."""
    move_in(book)
    for month in range(9, 13):
        later = START_MS + (month - 8) * 31 * 24 * HOUR_MS
        book.clock.instant_ms = later
        closed(book, f"2026-{month:02d}")
    asked = [
        (line.type.value, line.amount_micros // DOLLAR)
        for draft in book.desk.book.closing.drafts
        for line in draft.lines
    ]
    assert asked == [("true_up", 65_000)]  # nothing for the step that the other system trued up


def test_the_first_month_that_is_closed_is_that_of_the_cut_over(book: Book) -> None:
    august = texts({"opening.toml": ("cut_over = 2026-09-01", "cut_over = 2026-08-01")})
    august["opening.toml"] = august["opening.toml"].replace("2026-08-", "2026-07-")
    august["opening.toml"] = august["opening.toml"].replace(
        "cut_over = 2026-07-01", "cut_over = 2026-08-01"
    )
    august["invoices.csv"] = august["invoices.csv"].replace("2026-08-31", "2026-07-31")
    move_in(book, august)
    closed(book, "2026-08")
    with pytest.raises(ComptoirError, match="period_not_over"):
        closed(book, "2026-09")


def test_bought_capacity_costs_from_the_cut_over(book: Book) -> None:
    """10 accelerators at $8 an hour from 1 September on, though they came in August."""
    move_in(book)
    nodes = (NewNode("n-1", 10, 1 << 30, ""),)
    supply = DeclareSupply(
        "northern", "h100-sxm", nodes, "northern-cloud", SEPTEMBER_MS - 30 * 24 * HOUR_MS,
        cost_nanos=8_000_000_000,
    )  # fmt: skip
    inbound = book.desk.call("declare_supply", supply, book.operator)
    until = SEPTEMBER_MS + 100 * HOUR_MS
    book.desk.call("settle_supply", SettleSupply(until), book.finance)
    assert balance(book, ledger.cost_of_capacity(inbound.id)) == 10 * 8 * 100 * DOLLAR
    prepaid = ledger.prepaid_capacity(contract(book, "NORTHERN-2026"))
    assert balance(book, prepaid) == (750_000 - 8_000) * DOLLAR
    assert balance(book, ledger.supplier_payable("northern-cloud")) == -125_000 * DOLLAR


def test_an_open_invoice_is_paid_by_the_bank_as_ours_are(book: Book) -> None:
    move_in(book)
    payment = receipt(book, 1_000 * DOLLAR, "our order 4711 INV/17 thanks")
    assert payment.state is PaymentState.PARTIAL
    assert status(book, "INV/17").open_micros == 760 * DOLLAR
    payment = receipt(book, 60_000 * DOLLAR, "acme 2026 000040, ACME-2026-000041", "e2")
    assert payment.state is PaymentState.MATCHED
    assert status(book, "ACME-2026-000040").state is InvoiceState.PAID
    assert balance(book, ledger.receivable(tenant(book, "acme"))) == 0
    assert receipt(book, 5 * DOLLAR, "17", "e3").state is PaymentState.UNIDENTIFIED


def test_an_open_invoice_is_dunned_from_where_the_other_system_stopped(book: Book) -> None:
    """INV/17 was due on 30 July and asked for twice: on 21 September the third asking is due."""
    move_in(book)
    assert book.desk.call("dun", Dun()) is False
    dunned = {
        book.desk.book.closing.statuses[d.invoice_id].number: d.steps
        for d in book.desk.book.receipts.dunned
    }
    assert dunned == {"INV/17": 3, "ACME-2026-000040": 2}


def test_open_invoices_are_aged_and_stand_on_the_statement(book: Book) -> None:
    move_in(book)
    views = Views(book.store.engine)
    aged = {one.tenant_id: one.buckets for one in receipts.ageing(views, START_MS)}
    # On 21 September: due 19 September, 2 days late; due 30 July, 53 days late.
    assert aged[tenant(book, "borealis")] == (0, 1_260 * DOLLAR, 1_760 * DOLLAR, 0, 0)
    assert aged[tenant(book, "acme")] == (24_000 * DOLLAR, 36_000 * DOLLAR, 0, 0, 0)
    window = (SEPTEMBER_MS, START_MS)
    (account,) = close.statement(views, tenant(book, "borealis"), False, window)
    # $1,760 and $1,260 are asked; $77 of credit are its own.
    assert (account.opening_micros, account.closing_micros) == (0, (3_020 - 77) * DOLLAR)
    assert (account.owed_micros, account.credit_micros) == (3_020 * DOLLAR, 77 * DOLLAR)
    asked = [entry.description for entry in account.entries if entry.amount_micros > 0]
    assert set(asked) == {"INV/17", "RE-2026-0419"}


def test_a_payable_is_owed_until_the_day_that_was_brought(book: Book) -> None:
    move_in(book)
    (owed,) = payables(Views(book.store.engine), "northern-cloud")
    assert owed.payable.micros == 125_000 * DOLLAR
    assert owed.payable.due_at_ms == OCTOBER_MS - 1  # 30 September, to its end


def test_unapplied_credit_pays_an_invoice(book: Book) -> None:
    move_in(book)
    (payment,) = book.desk.book.receipts.payments
    book.desk.call("allocate_payment", AllocatePayment(payment.id, "RE-2026-0419"), book.finance)
    assert status(book, "RE-2026-0419").open_micros == (1_260 - 77) * DOLLAR
    assert balance(book, ledger.customer_credit(tenant(book, "borealis"))) == 0


def test_crediting_what_was_brought_gives_back_what_was_asked(book: Book) -> None:
    """Half of the net 1,060.00 takes half of its tax of 200.00; the rest takes the rest."""
    move_in(book)
    borealis = tenant(book, "borealis")
    invoice = status(book, "RE-2026-0419").invoice_id
    half: CreditNote = book.desk.call(
        "credit_invoice", CreditInvoice(invoice, "agreed", ((1, "530.00"),))
    )
    assert [t.amount_micros // DOLLAR for t in half.taxes] == [100, 0]
    rest: CreditNote = book.desk.call("credit_invoice", CreditInvoice(invoice, "all"))
    assert half.total_micros + rest.total_micros == 1_260 * DOLLAR
    assert status(book, "RE-2026-0419").state is InvoiceState.VOID
    assert balance(book, ledger.receivable(borealis)) == 1_760 * DOLLAR
    assert balance(book, ledger.PRIOR_REVENUE) == 1_060 * DOLLAR
    assert balance(book, BOOKS) == -1_402_443 * DOLLAR  # what was brought stays what it was


def test_a_customer_comes_admitted_with_its_limit(book: Book) -> None:
    opening = move_in(book)
    admission = book.desk.book.credit.admissions[tenant(book, "acme")]
    assert admission.admitted
    assert admission.limit_micros == 500_000 * DOLLAR
    assert (admission.invited_by, admission.decided_by) == (
        opening.proposed_by,
        opening.approved_by,
    )


def test_a_killed_desk_goes_on_and_nothing_is_brought_twice(book: Book) -> None:
    opening = approve(book, propose(book, texts()).opening, texts())
    for _ in range(opening.total_items * 2):
        bring_some(book.desk, opening, 3)
        book.desk = Desk(book.store, book.clock, SeededEntropy())  # a new process reads the book
    assert book.desk.book.openings.openings[opening.id].state is OpeningState.BROUGHT
    assert balance(book, BOOKS) == -1_402_443 * DOLLAR
    assert len(book.desk.book.closing.statuses) == 4


def test_a_customer_that_is_here_has_its_contract_from_the_approval_on(book: Book) -> None:
    """What it uses is priced by the contract at once, not when the loop comes to it."""
    acme = book.tenant("acme")
    files = texts()
    opening = approve(book, propose(book, files).opening, files)
    assert (opening.state, opening.done_items) == (OpeningState.BRINGING, 2)
    assert book.desk.book.contracts.sold_at(acme.id, START_MS) is not None
    bring(book.desk)
    assert balance(book, BOOKS) == -1_402_443 * DOLLAR


def test_a_customer_and_its_contracts_are_one_piece(book: Book) -> None:
    opening = approve(book, propose(book, texts()).opening, texts())
    assert bring_some(book.desk, opening, 1).done_items == 2


def test_two_who_bring_the_same_items_bring_them_once(book: Book) -> None:
    opening = approve(book, propose(book, texts()).opening, texts())
    first = bring_some(book.desk, opening, 5)
    items = items_of(opening, book.desk.book, book.store.find)[:5]
    again = BringSlice(opening.id, opening.sha256, 0, items)
    assert book.desk.call("bring_slice", again) == first


def test_nothing_sees_half_of_an_opening(book: Book) -> None:
    opening = approve(book, propose(book, texts()).opening, texts())
    bring_some(book.desk, opening, 7)
    for operation, request in (
        ("close_period", ClosePeriod(HOUSE_ENTITY, "2026-09")),
        ("record_receipts", RecordReceipts(HOUSE_ENTITY, "s", "a", ())),
    ):
        with pytest.raises(ComptoirError, match="opening_under_way"):
            book.desk.call(operation, request, book.finance)
    another = CreateTenant("borealis", "Another", TenantKind.ENTERPRISE)
    with pytest.raises(ComptoirError, match="opening_under_way"):
        book.desk.call("create_tenant", another, book.operator)
    bring(book.desk)
    receipt(book, DOLLAR, "INV/17")


def test_a_line_of_a_brought_invoice_is_disputed_and_credited(book: Book) -> None:
    move_in(book)
    invoice = status(book, "INV/17").invoice_id
    opened = OpenDispute(invoice, 1, "never had it", "900.00")
    dispute = book.desk.call("open_dispute", opened, book.finance)
    assert dispute.gross_micros == 1_080 * DOLLAR  # a half of 1,800.00, and of its 360.00 of tax
    upheld = ResolveDispute(dispute.id, True, "they did not")
    book.desk.call("resolve_dispute", upheld)
    found = status(book, "INV/17")
    assert (found.credited_micros, found.open_micros) == (1_080 * DOLLAR, 680 * DOLLAR)


def test_an_invoice_in_another_currency_is_worth_what_it_was_at_the_cut_over(book: Book) -> None:
    """EUR 100.00 at 1.10 is $110.00; at the end of September at 1.20 it is $10.00 more."""
    rates = "date,base,quote,rate\n2026-08-01,EUR,USD,1.05\n2026-09-01,EUR,USD,1.10\n"
    book.desk.call("import_fx_rates", ImportTable(rates, "fx.csv"), book.finance)
    euros = (
        '[[invoice]]\nnumber = "EU-1"\ntenant = "borealis"\ndate = 2026-08-01\ndue = 2026-08-31\n'
        'currency = "EUR"\ngross = "100.00"\n'
        '[[control]]\nof = "invoices"\ncurrency = "EUR"\namount = "100.00"\n'
        '[[control]]\nof = "opening"\ncurrency = "EUR"\namount = "-100.00"\n'
    )
    files = texts()
    files["opening.toml"] += euros
    move_in(book, files)
    book.clock.instant_ms = OCTOBER_MS
    later = "date,base,quote,rate\n2026-09-30,EUR,USD,1.20\n"
    book.desk.call("import_fx_rates", ImportTable(later, "fx.csv"), book.finance)
    closed(book, "2026-09")
    assert balance(book, ledger.revaluation(HOUSE_ENTITY)) == 10 * DOLLAR
