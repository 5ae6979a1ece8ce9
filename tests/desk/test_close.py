"""The close of a month: once, in slices, the same whoever interrupts it; the late comes next."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.billing.credit_notes import CreditNote
from comptoir.billing.drafts import InvoiceDraft
from comptoir.billing.invoice_status import InvoiceState
from comptoir.billing.invoices import Invoice, InvoiceKind
from comptoir.billing.periods import Period, PeriodState
from comptoir.desk.close_requests import (
    ClosePeriod,
    CloseSlice,
    CreditInvoice,
    DraftRef,
)
from comptoir.desk.desk import Desk
from comptoir.desk.requests import IssueInvoice, RecordUsage, ReportedUsage
from comptoir.leases.lease import Lease, LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.metering.usage import Measure
from comptoir.sales.credit_blocks import EVERYTHING, BlockState, CreditBlock, CreditSource
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.tenants.parties import Tenant, TenantKind
from comptoir.units.errors import ComptoirError, Conflict, Invalid, Refused, Unavailable
from comptoir.units.ids import CreditBlockId, LegalEntityId
from tests.builders import HOUR_MS, START_MS, Book

SPOT, ON_DEMAND = LeaseClass.SPOT, LeaseClass.ON_DEMAND
OCTOBER_MS = 1_790_812_800_000  # 2026-10-01T00:00Z; a book starts on 2026-09-21T14:13:20Z
NOVEMBER_MS = OCTOBER_MS + 31 * 24 * HOUR_MS
CENT = 10_000
TEN_DOLLARS = 10_000_000_000


@pytest.fixture
def shop(book: Book) -> Book:
    book.price(SPOT, TEN_DOLLARS)
    book.price(ON_DEMAND, TEN_DOLLARS, measure=Measure.BUSY)
    book.supply(8)
    return book


def to(book: Book, instant_ms: int) -> None:
    book.clock.instant_ms = instant_ms
    book.turn()


def begin(book: Book, name: str, entity: str = "house") -> Period:
    return book.desk.call("close_period", ClosePeriod(LegalEntityId(entity), name), book.finance)


def close(book: Book, name: str, most: int = 300) -> Period:
    period = begin(book, name)
    while not period.closed:
        period = book.desk.call("close_slice", CloseSlice(period.id, most))
    return period


def drafts(book: Book) -> list[InvoiceDraft]:
    return list(book.desk.book.closing.drafts)


def final(book: Book, draft: InvoiceDraft) -> Invoice:
    return book.desk.call("finalise_invoice", DraftRef(draft.id), book.finance)


def balance(book: Book, account: ledger.Account, unit: str = "USD") -> int:
    held = book.desk.book.money.balances.get((account, ledger.Unit(unit)))
    return held.amount if held else 0


def refused(book: Book, operation: str, request: object) -> ComptoirError:
    with pytest.raises(ComptoirError) as no:
        book.desk.call(operation, request, book.who(operation))
    return no.value


def spot_in_september(shop: Book) -> tuple[Tenant, Lease]:
    acme = shop.tenant("acme")
    lease = shop.lease(acme, SPOT, 2)
    shop.turn()
    return acme, lease


def test_a_month_is_metered_to_its_end_and_drafted_without_a_number(shop: Book) -> None:
    acme, _ = spot_in_september(shop)
    to(shop, OCTOBER_MS + 20_000)
    period = close(shop, "2026-09")
    (draft,) = drafts(shop)
    # 2 accelerators from 2026-09-21T14:13:20Z to 2026-10-01T00:00Z: 2 x 812,800 s = 1,625,600 s,
    # at $10 an hour 16,256,000 / 3,600 = $4,515.555..., rounded once.
    assert (OCTOBER_MS - START_MS) // 1_000 == 812_800
    assert draft.total_micros == 451_556 * CENT
    assert (draft.starts_at_ms, draft.ends_at_ms) == (START_MS, OCTOBER_MS)
    assert not hasattr(draft, "number")
    assert (period.state, period.drafts, period.tenants) == (PeriodState.CLOSED, 1, 1)
    invoice = final(shop, draft)
    assert invoice.number == "ACME-2026-000001"
    assert invoice.id == draft.id
    assert invoice.total_micros == balance(shop, ledger.receivable(acme.id)) == 451_556 * CENT


def test_a_draft_is_numbered_when_it_is_final_and_not_twice(shop: Book) -> None:
    """A draft's number survived finalisation elsewhere; here a draft has none to survive."""
    spot_in_september(shop)
    beta = shop.tenant("beta")
    shop.lease(beta, SPOT, 1)
    shop.turn()
    to(shop, OCTOBER_MS)
    close(shop, "2026-09")
    by_tenant = {draft.tenant_id: draft for draft in drafts(shop)}
    invoice = final(shop, by_tenant[beta.id])
    again = refused(shop, "finalise_invoice", DraftRef(invoice.id))
    assert (again.code, again.facts["number"]) == ("already_final", "BETA-2026-000001")
    assert refused(shop, "finalise_invoice", DraftRef("iv_none")).code == "not_found"  # type: ignore[arg-type]
    series = {s.name: s.last for s in shop.desk.book.closing.number_series}
    assert series == {"BETA-2026": 1}


def test_an_invoice_of_a_closing_month_is_not_made_final(shop: Book) -> None:
    spot_in_september(shop)
    to(shop, OCTOBER_MS)
    period = begin(shop, "2026-09")
    while not drafts(shop):
        period = shop.desk.call("close_slice", CloseSlice(period.id, 1))
    (draft,) = drafts(shop)
    assert refused(shop, "finalise_invoice", DraftRef(draft.id)).code == "draft_not_whole"


def test_closing_twice_or_two_at_once_is_one_close(shop: Book) -> None:
    spot_in_september(shop)
    to(shop, OCTOBER_MS)
    one, other = begin(shop, "2026-09"), begin(shop, "2026-09")
    assert one == other
    shop.desk.call("close_slice", CloseSlice(one.id))
    shop.desk.call("close_slice", CloseSlice(one.id))
    assert len(drafts(shop)) == 1
    no = refused(shop, "close_period", ClosePeriod(HOUSE_ENTITY, "2026-09"))
    assert isinstance(no, Conflict)
    assert (no.code, no.facts["field"]) == ("period_closed", "period")
    assert "1 drafts of 1 tenants" in no.message


def test_a_month_that_runs_or_comes_too_early_is_refused(shop: Book) -> None:
    no = refused(shop, "close_period", ClosePeriod(HOUSE_ENTITY, "2026-09"))
    assert isinstance(no, Refused)
    assert no.code == "period_not_over"
    to(shop, NOVEMBER_MS)
    assert refused(shop, "close_period", ClosePeriod(HOUSE_ENTITY, "2026-10")).code == (
        "earlier_period_open"
    )
    assert isinstance(refused(shop, "close_period", ClosePeriod(HOUSE_ENTITY, "2026-08")), Invalid)


def telemetry(lease: Lease, event: str, start: int, end: int, use: int) -> RecordUsage:
    usage = ReportedUsage(event, lease.id, Measure.BUSY, start, end, use)
    return RecordUsage("telemetry", (usage,))


def test_a_late_event_is_next_months_correction_at_its_own_months_price(shop: Book) -> None:
    acme = shop.tenant("acme")
    lease = shop.lease(acme, ON_DEMAND, 1)
    shop.turn()
    start = START_MS + HOUR_MS
    shop.clock.instant_ms = start + HOUR_MS
    shop.desk.call("record_usage", telemetry(lease, "e1", start, start + HOUR_MS, HOUR_MS))
    shop.price(ON_DEMAND, 2 * TEN_DOLLARS, measure=Measure.BUSY, effective_from_ms=OCTOBER_MS)
    to(shop, OCTOBER_MS)
    close(shop, "2026-09")
    # One hour at $10: September's invoice.
    assert [final(shop, draft).total_micros for draft in drafts(shop)] == [1_000 * CENT]
    before = [p for p in entries(shop) if p.effective_at_ms < OCTOBER_MS]
    # Half an hour of September is reported in October, and one of October, which costs $20.
    late = telemetry(lease, "e2", start, start + HOUR_MS, HOUR_MS // 2)
    shop.desk.call("record_usage", late)
    shop.clock.instant_ms = OCTOBER_MS + HOUR_MS
    new = telemetry(lease, "e3", OCTOBER_MS, OCTOBER_MS + HOUR_MS, HOUR_MS)
    shop.desk.call("record_usage", new)
    assert [p for p in entries(shop) if p.effective_at_ms < OCTOBER_MS] == before
    to(shop, NOVEMBER_MS)
    close(shop, "2026-10")
    (draft,) = drafts(shop)
    # The correction: 0.5 h x $10 = $5, September's price; October: 1 h x $20.
    assert [(line.amount_micros, line.correction) for line in draft.lines] == [
        (500 * CENT, True),
        (2_000 * CENT, False),
    ]
    assert draft.lines[0].starts_at_ms == start
    assert balance(shop, ledger.unbilled(acme.id)) == draft.unbilled_micros


def entries(book: Book) -> list[ledger.Entry]:
    from comptoir.store.views import Views
    from comptoir.store.views import ledger as view
    from comptoir.store.views.reading import Ask

    return list(view.entries(Views(book.store.engine), Ask(500)).items)


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_any_order_any_slices_any_crash_the_same_invoice(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Usage in any order and twice, a close in slices of any size, a desk that dies between."""
    hours = data.draw(st.lists(st.integers(1, 200), min_size=1, max_size=8))
    orders = data.draw(st.permutations(range(len(hours)))), list(range(len(hours)))
    made = []
    for order, most in ((orders[0], data.draw(st.integers(1, 40))), (orders[1], 300)):
        book = Book(tmp_path_factory.mktemp("book"))
        book.price(SPOT, TEN_DOLLARS)
        book.price(ON_DEMAND, 3_333_333_333, measure=Measure.BUSY)
        book.supply(8)
        acme, beta = book.tenant("acme"), book.tenant("beta")
        leases = [book.lease(acme, ON_DEMAND, 1) for _ in range(3)]
        book.lease(beta, SPOT, 1)
        book.turn()
        book.clock.instant_ms = START_MS + 201 * HOUR_MS
        for n in [*order, *order[:2]]:
            lease = leases[n % 3]
            until = START_MS + hours[n] * HOUR_MS
            told = telemetry(lease, f"e{n}", START_MS, until, hours[n] * HOUR_MS - n)
            book.desk.call("record_usage", told)
        to(book, OCTOBER_MS)
        period = begin(book, "2026-09")
        while not period.closed:
            if data.draw(st.booleans()):
                book.desk = Desk(book.store, book.clock, book.desk.entropy)
            period = book.desk.call("close_slice", CloseSlice(period.id, most))
        made.append(
            {
                draft.tenant_id: [
                    (x.number, x.description, x.numerator, x.amount_micros, x.leases)
                    for x in draft.lines
                ]
                for draft in drafts(book)
            }
        )
        for draft in drafts(book):
            final(book, draft)
        assert {s.last for s in book.desk.book.closing.number_series} == {1}
        assert balance(book, ledger.unbilled(acme.id)) == 0
    assert made[0] == made[1]


def grant_credit(book: Book, tenant: Tenant, micros: int, from_ms: int, until_ms: int) -> None:
    """Credit that was paid for, as contracts and top-ups make it."""

    def run(tx, request):  # type: ignore[no-untyped-def]
        block = CreditBlock(
            CreditBlockId(tx.new_id("cb")), tenant.id, None, None, CreditSource.COMMITMENT, "USD",
            micros, 0, 0, from_ms, until_ms, 100, EVERYTHING, (), BlockState.OPEN, tx.now_ms,
        )  # fmt: skip
        tx.book.contracts.credit_blocks.put(block)
        tx.post(
            f"prepaid:{block.id}", "prepaid", "test", tx.now_ms,
            ledger.transfer(
                ledger.receivable(tenant.id), ledger.deferred_revenue(tenant.id),
                ledger.currency("USD"), micros,
            ),
        )  # fmt: skip

    from comptoir.desk.operations import OPERATIONS
    from comptoir.desk.operations.operation import Operation
    from comptoir.tenants.permissions import Permission

    OPERATIONS["test_credit"] = Operation("test_credit", Permission.SYSTEM, run)
    try:
        book.desk.call("test_credit", None)
    finally:
        del OPERATIONS["test_credit"]


def test_prepaid_credit_pays_the_draft_and_what_is_left_expires(shop: Book) -> None:
    acme, _ = spot_in_september(shop)
    grant_credit(shop, acme, 500_000 * CENT, START_MS, OCTOBER_MS)
    to(shop, OCTOBER_MS)
    close(shop, "2026-09")
    (draft,) = drafts(shop)
    # $4,515.5555... of usage is drawn whole from $5,000; the other $484.4444... expire at the
    # end of the month.
    assert [line.amount_micros for line in draft.lines] == [451_556 * CENT, -451_556 * CENT]
    assert draft.total_micros == 0
    exact = 2 * 812_800 * 10_000_000 // 3_600
    assert balance(shop, ledger.BREAKAGE) == -(500_000 * CENT - exact)
    assert balance(shop, ledger.deferred_revenue(acme.id)) == 0
    invoice = final(shop, draft)
    status = shop.store.find("invoice_status", (invoice.id,))
    assert status is not None
    assert status.state is InvoiceState.PAID
    assert balance(shop, ledger.unbilled(acme.id)) == 0


def test_credit_that_is_granted_later_never_pays_for_what_was_used_before(shop: Book) -> None:
    """Elsewhere usage of a closed period consumed credit that was granted after it."""
    acme, _ = spot_in_september(shop)
    grant_credit(shop, acme, 900_000 * CENT, OCTOBER_MS, NOVEMBER_MS)
    to(shop, OCTOBER_MS + HOUR_MS)
    close(shop, "2026-09")
    (draft,) = drafts(shop)
    assert [line.type for line in draft.lines] == ["usage"]
    assert balance(shop, ledger.deferred_revenue(acme.id)) == -900_000 * CENT


def test_voiding_an_invoice_gives_drawn_credit_back(shop: Book) -> None:
    acme, _ = spot_in_september(shop)
    grant_credit(shop, acme, 100_000 * CENT, START_MS, NOVEMBER_MS)
    to(shop, OCTOBER_MS)
    close(shop, "2026-09")
    invoice = final(shop, drafts(shop)[0])
    assert invoice.total_micros == 351_556 * CENT  # $4,515.56 less $1,000.00
    assert not shop.desk.book.contracts.credit_of.get(acme.id)  # it was spent
    note: CreditNote = shop.desk.call("credit_invoice", CreditInvoice(invoice.id, "wrong rate"))
    assert (note.number, note.total_micros) == ("CN-ACME-2026-000001", 351_556 * CENT)
    (block,) = shop.desk.book.contracts.credit_of.get(acme.id)
    assert block.left_micros == 100_000 * CENT
    assert balance(shop, ledger.deferred_revenue(acme.id)) == -100_000 * CENT
    # What the test booked for the prepayment is still asked; of the invoice nothing is.
    assert balance(shop, ledger.receivable(acme.id)) == 100_000 * CENT
    again = refused(shop, "credit_invoice", CreditInvoice(invoice.id, "again"))
    assert again.code == "nothing_to_credit"


@pytest.mark.parametrize(
    ("amount", "code"),
    [("4515.57", "credit_note_too_large"), ("1.001", "too_many_decimals"), ("ten", "bad_amount")],
)
def test_a_credit_note_is_refused_with_the_field_and_the_numbers(
    shop: Book, amount: str, code: str
) -> None:
    spot_in_september(shop)
    to(shop, OCTOBER_MS)
    close(shop, "2026-09")
    invoice = final(shop, drafts(shop)[0])
    no = refused(shop, "credit_invoice", CreditInvoice(invoice.id, "wrong", ((1, amount),)))
    assert no.code == code
    assert no.facts["field"]
    assert not [s for s in shop.desk.book.closing.number_series if s.name.startswith("CN")]


def test_a_preview_is_the_close_that_nobody_keeps(shop: Book) -> None:
    acme, _ = spot_in_september(shop)
    grant_credit(shop, acme, 100_000 * CENT, START_MS, NOVEMBER_MS)
    to(shop, OCTOBER_MS)
    (preview,) = shop.preview(acme)
    assert preview.total_micros == 351_556 * CENT
    assert not drafts(shop)
    close(shop, "2026-09")
    (draft,) = drafts(shop)
    assert (draft.lines, draft.total_micros) == (preview.lines, preview.total_micros)


def test_a_team_gets_a_statement_and_an_invoice_in_between_leaves_the_rest(shop: Book) -> None:
    team = shop.tenant("ranking", TenantKind.TEAM)
    shop.price(LeaseClass.INTERNAL, TEN_DOLLARS)
    shop.lease(team, LeaseClass.INTERNAL, 1)
    shop.turn()
    shop.pass_s(3_600)
    first = shop.desk.call("issue_invoice", IssueInvoice(team.id), shop.finance)
    assert (first.kind, first.total_micros) == (InvoiceKind.CHARGEBACK, 1_000 * CENT)
    to(shop, OCTOBER_MS)
    close(shop, "2026-09")
    (draft,) = drafts(shop)
    # 812,800 s in all, 3,600 s of them in the statement in between: 809,200 s are $2,247.78.
    assert draft.total_micros == 224_778 * CENT
    second = final(shop, draft)
    assert [first.number, second.number] == ["RANKING-2026-000001", "RANKING-2026-000002"]
    assert balance(shop, ledger.internal_transfer(team.id)) == 225_778 * CENT


def test_nothing_counts_in_a_month_after_it_was_closed(shop: Book, tmp_path: Path) -> None:
    acme, lease = spot_in_september(shop)
    to(shop, OCTOBER_MS)
    period = close(shop, "2026-09")
    shop.pass_s(60)
    late = telemetry(lease, "late", START_MS, START_MS + HOUR_MS, HOUR_MS)
    shop.desk.call("record_usage", late)
    for entry in entries(shop):
        if entry.booked_at_ms > (period.closed_at_ms or 0):
            assert entry.effective_at_ms >= OCTOBER_MS
    assert shop.desk.book.money.billing_marks[acme.id].closed_until_ms == OCTOBER_MS


def test_a_number_whose_commit_failed_is_given_to_the_next_invoice(
    shop: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbering gaps are what others had: the counter is put in the invoice's own commit."""
    acme, _ = spot_in_september(shop)
    numbers = []
    for fails in (False, True, True, False):
        shop.pass_s(60)
        with monkeypatch.context() as patch:
            if fails:
                patch.setattr(shop.store, "commit", _full)
                with pytest.raises(Unavailable, match="disk_full"):
                    shop.desk.call("issue_invoice", IssueInvoice(acme.id), shop.finance)
                continue
        made = shop.desk.call("issue_invoice", IssueInvoice(acme.id), shop.finance)
        numbers.append(made.number)
    assert numbers == ["ACME-2026-000001", "ACME-2026-000002"]


def _full(changes: object) -> None:
    raise Unavailable("disk_full", "the disk of the book is full: nothing was written")
