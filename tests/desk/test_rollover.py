"""What a prepaid step leaves rolls over when it ends, also within a month: worked examples."""

from pathlib import Path

import pytest

from comptoir.billing.invoices import Invoice
from comptoir.desk.close_requests import ClosePeriod, CloseSlice
from comptoir.desk.desk import Desk
from comptoir.desk.requests import IssueInvoice, LeaseRef
from comptoir.ledger import entries as ledger
from comptoir.sales.credit_blocks import BlockState, CreditSource
from comptoir.store.rerate import rerate_book
from comptoir.store.views import Views, tenant_book
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.tenants.parties import Role
from tests.builders import Book
from tests.desk.contract_book import Deal
from tests.desk.test_close import CENT, balance, close, drafts, final
from tests.desk.test_close_contracts import ON_DEMAND, close_september, run

TWO_DAYS = """
contract = "ACME-5"
sold_to = "acme"
effective = 2026-10-01
until = 2027-01-01

[[commitment]]
name = "base"
type = "prepaid"
rollover = {rollover}
rollover_for = "{for_}"
access = [ {{ from = 2026-10-02, until = 2026-10-04, amount = "100.00" }} ]
invoice = [ {{ date = 2026-10-02, amount = "100.00" }} ]
"""


def dealing(book: Book) -> Deal:
    """A customer who pays $1 for an hour of a core."""
    acme = book.tenant("acme")
    book.price(ON_DEMAND, 1_000_000_000)
    book.supply(4)
    sales, approver = book.user(Role.SALES), book.user(Role.APPROVER)
    deal = Deal(book, sales, approver, acme, book.user(Role.TENANT_ADMIN, tenant=acme))
    close_september(deal)
    return deal


@pytest.fixture
def deal(book: Book) -> Deal:
    return dealing(book)


def october(deal: Deal) -> list[tuple[str, int]]:
    """What the invoice over October asks besides the instalment, line by line."""
    (usage,) = [draft for draft in drafts(deal.book) if draft.kind == "invoice"]
    return [(line.type, line.amount_micros) for line in final(deal.book, usage).lines]


def left_over(deal: Deal) -> list[tuple[str, int, int, int]]:
    """(state, granted, drawn, lapsed) of what rolled over, as it is kept for good."""
    kept = list(deal.book.store.load().rows["credit_block"])
    return [
        (b.state, b.granted_micros, b.drawn_micros, b.lapsed_micros)
        for b in kept
        if b.source is CreditSource.ROLLOVER
    ]


def test_usage_of_the_same_month_draws_what_rolled_over(deal: Deal) -> None:
    deal.agree(TWO_DAYS.format(rollover="0.50", for_="2d"))
    run(deal, "2026-10-01", "2026-10-11")
    deal.at("2026-11-01")
    close(deal.book, "2026-10")
    # Ten days are 240 hours at $1. The step pays the 48 hours of the 2nd and 3rd; of the $52 that
    # it leaves half rolls over, and the 48 hours of the 4th and 5th draw those $26; $26 are gone.
    assert october(deal) == [
        ("usage", 24_000 * CENT),
        ("drawdown", -4_800 * CENT),
        ("drawdown", -2_600 * CENT),
    ]
    assert balance(deal.book, ledger.BREAKAGE) == -2_600 * CENT
    assert balance(deal.book, ledger.unbilled(deal.acme.id)) == 0
    assert not deal.book.desk.book.contracts.credit_of.get(deal.acme.id)
    step = deal.blocks()[0]
    assert (step.drawn_micros, step.expired_micros, step.lapsed_micros) == (
        4_800 * CENT, 5_200 * CENT, 2_600 * CENT,
    )  # fmt: skip


def test_what_rolled_over_and_was_not_used_in_time_is_gone_with_the_same_close(deal: Deal) -> None:
    deal.agree(TWO_DAYS.format(rollover="1.0", for_="5d"))
    run(deal, "2026-10-02", "2026-10-05")
    deal.at("2026-11-01")
    close(deal.book, "2026-10")
    # 72 hours: 48 draw the step, 24 of the $52 that it leaves; $28 were not used by the 9th.
    assert october(deal) == [
        ("usage", 7_200 * CENT),
        ("drawdown", -4_800 * CENT),
        ("drawdown", -2_400 * CENT),
    ]
    assert left_over(deal) == [(BlockState.EXPIRED, 5_200 * CENT, 2_400 * CENT, 2_800 * CENT)]
    assert balance(deal.book, ledger.BREAKAGE) == -2_800 * CENT


def test_what_nothing_was_used_of_rolls_over_and_goes_at_the_close(deal: Deal) -> None:
    deal.agree(TWO_DAYS.format(rollover="1.0", for_="5d"))
    deal.at("2026-11-01")
    close(deal.book, "2026-10")
    assert left_over(deal) == [(BlockState.EXPIRED, 10_000 * CENT, 0, 10_000 * CENT)]
    assert balance(deal.book, ledger.BREAKAGE) == -10_000 * CENT


def test_what_rolled_over_lives_on_into_the_next_month(deal: Deal) -> None:
    deal.agree(TWO_DAYS.format(rollover="1.0", for_="40d"))
    run(deal, "2026-10-02", "2026-10-05")
    deal.at("2026-11-01")
    close(deal.book, "2026-10")
    october(deal)
    (rest,) = deal.book.desk.book.contracts.credit_of.get(deal.acme.id)
    assert (rest.source, rest.left_micros) == (CreditSource.ROLLOVER, 2_800 * CENT)
    run(deal, "2026-11-02", "2026-11-04")
    deal.at("2026-12-01")
    close(deal.book, "2026-11")
    # 48 hours, of which $28 are paid by what October left.
    assert october(deal) == [("usage", 4_800 * CENT), ("drawdown", -2_800 * CENT)]


def test_an_invoice_in_between_draws_what_rolled_over(deal: Deal) -> None:
    deal.agree(TWO_DAYS.format(rollover="1.0", for_="5d"))
    run(deal, "2026-10-02", "2026-10-05")
    between: Invoice = deal.book.desk.call(
        "issue_invoice", IssueInvoice(deal.acme.id), deal.book.finance
    )
    assert [line.amount_micros for line in between.lines] == [
        7_200 * CENT, -4_800 * CENT, -2_400 * CENT,
    ]  # fmt: skip
    run(deal, "2026-10-05", "2026-10-11")
    deal.at("2026-11-01")
    close(deal.book, "2026-10")
    # Six days are 144 hours; $28 were left for those of the 5th and a part of the 6th.
    assert october(deal) == [("usage", 14_400 * CENT), ("drawdown", -2_800 * CENT)]


def test_a_newer_version_says_how_much_of_a_running_step_rolls_over(deal: Deal) -> None:
    deal.agree(TWO_DAYS.format(rollover="1.0", for_="5d"))
    deal.at("2026-10-03")
    later = TWO_DAYS.format(rollover="0.25", for_="5d")
    deal.agree(later.replace("effective = 2026-10-01", "effective = 2026-10-03"))
    run(deal, "2026-10-03", "2026-10-10")
    deal.at("2026-11-01")
    close(deal.book, "2026-10")
    # The step pays the 24 hours of the 3rd; of the $76 that it leaves a quarter rolls over.
    assert october(deal) == [
        ("usage", 16_800 * CENT),
        ("drawdown", -2_400 * CENT),
        ("drawdown", -1_900 * CENT),
    ]


def test_a_preview_and_what_is_pending_know_what_will_roll_over(deal: Deal) -> None:
    deal.agree(TWO_DAYS.format(rollover="0.50", for_="2d"))
    run(deal, "2026-10-01", "2026-10-11")
    views, now_ms = Views(deal.book.store.engine), deal.book.clock.instant_ms
    (draft,) = tenant_book.preview(views, deal.acme.id, now_ms)
    assert draft.total_micros == (24_000 - 4_800 - 2_600) * CENT
    after = tenant_book.drawing(views, deal.acme.id, now_ms).after.values()
    assert sorted((b.source, b.drawn_micros, b.left_micros) for b in after) == [
        ("commitment", 4_800 * CENT, 0), ("rollover", 2_600 * CENT, 0),
    ]  # fmt: skip
    assert [block.state for block in deal.blocks()] == [BlockState.OPEN]


def test_charges_are_cut_where_what_rolls_over_ends_and_rated_again_are_the_same(
    deal: Deal,
) -> None:
    deal.agree(TWO_DAYS.format(rollover="0.50", for_="2d"))
    run(deal, "2026-10-01", "2026-10-11")
    assert rerate_book(deal.book.store.engine).different == 0


def test_a_draft_that_draws_in_slices_rolls_over_as_one_that_draws_at_once(tmp_path: Path) -> None:
    found = []
    for most in (1, 3, 100_000):
        (tmp_path / str(most)).mkdir()
        deal = dealing(Book(tmp_path / str(most)))
        deal.agree(TWO_DAYS.format(rollover="0.50", for_="2d"))
        running = []
        for day in range(1, 9):  # each of six leases runs for two days
            deal.at(f"2026-10-{day:02}")
            if day <= 6:
                running.append(deal.book.lease(deal.acme, ON_DEMAND, 1))
            if day > 2:
                ended = LeaseRef(running[day - 3].id)
                deal.book.desk.call("end_lease", ended, deal.book.operator)
            deal.book.turn()
        deal.at("2026-11-01")
        call = deal.book.desk.call
        period = call("close_period", ClosePeriod(HOUSE_ENTITY, "2026-10"), deal.book.finance)
        while not period.closed:
            period = call("close_slice", CloseSlice(period.id, most))
            deal.book.desk = Desk(deal.book.store, deal.book.clock, deal.book.desk.entropy)
            call = deal.book.desk.call
        found.append((october(deal), left_over(deal), balance(deal.book, ledger.BREAKAGE)))
    assert found[0] == found[1] == found[2]
    # The 2nd has two cores and so has the 3rd: 96 hours draw the step, two of the $4 it leaves
    # roll over.
    assert found[0][0][1:] == [("drawdown", -9_600 * CENT), ("drawdown", -200 * CENT)]
