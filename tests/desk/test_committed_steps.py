"""Steps of postpaid commitments: cut at their own edges, trued up once, late usage set against it.

Every core costs $1 an hour in these worked examples.
"""

from collections.abc import Callable

import pytest

from comptoir.desk.close_requests import ClosePeriod, CloseSlice, CreditInvoice
from comptoir.desk.requests import IssueInvoice, LeaseRef
from comptoir.leases.lease import Lease, LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.metering.usage import Measure
from comptoir.sales.committed_steps import CommittedStep
from comptoir.sales.credit_blocks import Covers
from comptoir.sales.tranches import ActType
from comptoir.store.rerate import rerate_book
from comptoir.store.views import Views
from comptoir.store.views.tenant_book import drawing
from comptoir.tenants.parties import Role
from comptoir.units.errors import Conflict, Invalid
from comptoir.units.ids import LegalEntityId
from comptoir.units.money import NUMERATOR_PER_MICRO
from comptoir.units.time import parse_instant
from tests.builders import HOUR_MS, Book
from tests.desk.contract_book import Deal
from tests.desk.test_close import CENT, balance, close, drafts, final, telemetry
from tests.desk.test_close_contracts import admitted, close_september

ON_DEMAND = LeaseClass.ON_DEMAND
DAYS = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2026-12-01

[[commitment]]
name = "days"
type = "postpaid"
access = [ { from = 2026-10-11, until = 2026-10-21, amount = "300.00" } ]
"""
OCTOBER = DAYS.replace("2026-10-11", "2026-10-01").replace("2026-10-21", "2026-11-01")
THREE_MONTHS = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2027-01-01

[[commitment]]
name = "monthly"
type = "postpaid"
access = [
  { from = 2026-10-01, until = 2026-11-01, amount = "300.00" },
  { from = 2026-11-01, until = 2026-12-01, amount = "300.00" },
  { from = 2026-12-01, until = 2027-01-01, amount = "300.00" },
]

[exit]
notice = "10d"
"""
Deals = Callable[[Measure], Deal]


@pytest.fixture
def made(book: Book) -> Deals:
    def make(measure: Measure) -> Deal:
        acme = book.tenant("acme")
        book.price(ON_DEMAND, 1_000_000_000, measure=measure)
        book.supply(10)
        return Deal(
            book, book.user(Role.SALES), book.user(Role.APPROVER), acme,
            book.user(Role.TENANT_ADMIN, tenant=acme),
        )  # fmt: skip

    return make


@pytest.fixture
def deal(made: Deals) -> Deal:
    return made(Measure.DELIVERED)


@pytest.fixture
def reported(made: Deals) -> tuple[Deal, Lease]:
    """A lease that is billed what telemetry reports, under a commitment of $300 for October."""
    deal = made(Measure.BUSY)
    close_september(deal)
    deal.agree(OCTOBER)
    deal.at("2026-10-02")
    lease = deal.book.lease(deal.acme, ON_DEMAND, 10)
    deal.book.turn()
    return deal, lease


def at(day: str) -> int:
    return parse_instant(f"{day}T00:00:00Z")


def step(deal: Deal) -> CommittedStep:
    return next(iter(deal.book.desk.book.contracts.steps))


def asked(deal: Deal, name: str) -> list[tuple[str, int]]:
    """Close a month; the lines of its draft, in cents, finalised."""
    close(deal.book, name)
    return [
        (line.type.value, line.amount_micros // CENT)
        for draft in drafts(deal.book)
        for line in final(deal.book, draft).lines
    ]


def report(deal: Deal, lease: Lease, name: str, day: str, hours: int) -> None:
    """So many core-hours of a day, reported now."""
    start = at(day)
    told = telemetry(lease, name, start, start + 24 * HOUR_MS, hours * HOUR_MS)
    deal.book.desk.call("record_usage", told, deal.book.operator)


def test_usage_of_a_step_that_begins_inside_a_month_is_counted_from_its_first_instant(
    deal: Deal,
) -> None:
    """One core all of October. $300 were committed for 11 to 21 October: 240 hours are $240.00.

    The accrual begins on the 1st: told by that, nothing would have been spent in the step.
    """
    close_september(deal)
    deal.agree(DAYS)
    deal.at("2026-10-01")
    deal.book.lease(deal.acme, ON_DEMAND, 1)
    deal.book.turn()
    deal.at("2026-11-01")
    assert asked(deal, "2026-10") == [("usage", 744_00), ("true_up", 60_00)]
    assert step(deal).numerator == 240 * 10**6 * NUMERATOR_PER_MICRO
    again = rerate_book(deal.book.store.engine)  # the cuts are found again
    assert (again.different, again.charges) == (0, 3)


def test_a_step_is_looked_at_once_and_what_was_spent_too_much_asks_nothing(deal: Deal) -> None:
    close_september(deal)
    deal.agree(DAYS.replace("300.00", "200.00"))
    deal.at("2026-10-01")
    deal.book.lease(deal.acme, ON_DEMAND, 1)
    deal.book.turn()
    deal.at("2026-11-01")
    assert asked(deal, "2026-10") == [("usage", 744_00)]
    assert (step(deal).settled, step(deal).asked_micros) == (True, 0)


def test_late_usage_of_a_step_is_set_against_its_true_up(reported: tuple[Deal, Lease]) -> None:
    """$300 committed, 120 hours reported in time: $180 are asked besides.

    100 more hours of October are reported in November: in time, the true-up had been $80. So
    $100 of usage and -$100 of true-up. 150 more in December: -$80 is all that is left of it.
    """
    deal, lease = reported
    deal.at("2026-10-20")
    report(deal, lease, "e1", "2026-10-10", 120)
    deal.at("2026-11-01")
    assert asked(deal, "2026-10") == [("usage", 120_00), ("true_up", 180_00)]
    deal.at("2026-11-05")
    report(deal, lease, "e2", "2026-10-11", 100)
    deal.at("2026-12-01")
    assert asked(deal, "2026-11") == [("usage", 100_00), ("true_up", -100_00)]
    report(deal, lease, "e3", "2026-10-12", 150)
    deal.at("2027-01-01")
    assert asked(deal, "2026-12") == [("usage", 150_00), ("true_up", -80_00)]
    # 370 hours of October were used in all, and $370 are asked.
    assert balance(deal.book, ledger.receivable(deal.acme.id)) == 370_00 * CENT
    assert balance(deal.book, ledger.BREAKAGE) == 0
    assert balance(deal.book, ledger.unbilled(deal.acme.id)) == 0


def test_an_invoice_in_between_and_a_preview_set_late_usage_against_the_true_up(
    reported: tuple[Deal, Lease],
) -> None:
    deal, lease = reported
    deal.at("2026-11-01")
    assert asked(deal, "2026-10") == [("true_up", 300_00)]
    deal.at("2026-11-05")
    report(deal, lease, "e1", "2026-10-10", 100)
    (shown,) = deal.book.preview(deal.acme)
    invoice = deal.book.desk.call("issue_invoice", IssueInvoice(deal.acme.id), deal.book.finance)
    for lines in (shown.lines, invoice.lines):
        assert [(x.type, x.amount_micros) for x in lines] == [
            ("usage", 100_00 * CENT), ("true_up", -100_00 * CENT), 
        ]  # fmt: skip
    deal.at("2026-12-01")
    assert asked(deal, "2026-11") == []


def test_a_preview_shows_the_true_up_of_a_step_that_is_over(deal: Deal) -> None:
    close_september(deal)
    deal.agree(DAYS)
    deal.at("2026-10-20")
    assert deal.book.preview(deal.acme) == ()
    deal.at("2026-10-22")
    (shown,) = deal.book.preview(deal.acme)
    assert [(x.type, x.amount_micros) for x in shown.lines] == [("true_up", 300_00 * CENT)]
    assert not step(deal).settled


def test_what_was_credited_of_a_true_up_is_not_given_back_again(
    reported: tuple[Deal, Lease],
) -> None:
    """$300 asked, $250 of it credited by hand; 100 hours turn up: only $50 are still asked.

    In time the true-up had been $200: as no more than that is asked, nothing is taken off.
    """
    deal, lease = reported
    deal.at("2026-11-01")
    close(deal.book, "2026-10")
    (draft,) = drafts(deal.book)
    invoice = final(deal.book, draft)
    note = CreditInvoice(invoice.id, "we lost your telemetry", ((1, "250.00"),))
    deal.book.desk.call("credit_invoice", note)
    assert step(deal).asked_micros == 50_00 * CENT
    report(deal, lease, "e1", "2026-10-10", 100)
    deal.at("2026-12-01")
    assert asked(deal, "2026-11") == [("usage", 100_00)]


def test_an_exit_ends_the_step_that_runs_at_its_share_and_releases_the_others(deal: Deal) -> None:
    """Notice on 6 November ends it on the 16th: half of November's 30 days, $150 of $300.

    One core from 1 to 6 November is $120.00: $30 are short. December's $300 are not owed.
    """
    close_september(deal)
    deal.agree(THREE_MONTHS)
    deal.at("2026-11-01")
    assert asked(deal, "2026-10") == [("true_up", 300_00)]
    lease = deal.book.lease(deal.acme, ON_DEMAND, 1)
    deal.book.turn()
    deal.at("2026-11-06")
    deal.book.desk.call("end_lease", LeaseRef(lease.id), deal.book.operator)
    deal.act(ActType.EXIT, by=deal.buyer)
    deal.at("2026-12-01")
    assert asked(deal, "2026-11") == [("usage", 120_00), ("true_up", 30_00)]
    deal.at("2027-01-01")
    assert asked(deal, "2026-12") == []


def test_an_exit_may_cost_a_share_of_what_it_releases(deal: Deal) -> None:
    """A quarter of what is released: half of November, $150, and December, $300: $112.50."""
    close_september(deal)
    deal.agree(THREE_MONTHS + 'rest = 0.25\nfee = "10.00"\n')
    deal.at("2026-11-01")
    assert asked(deal, "2026-10") == [("true_up", 300_00)]
    deal.at("2026-11-06")
    deal.act(ActType.EXIT, by=deal.buyer)
    deal.at("2026-12-01")
    # The half of November that was committed and not spent, then the fee and its share.
    assert asked(deal, "2026-11") == [("true_up", 150_00), ("true_up", 10_00), ("true_up", 112_50)]


def test_each_share_that_an_exit_costs_is_a_line_of_whole_cents(deal: Deal) -> None:
    """An exit on 15 November: 16 of its 30 days are released, of $100.01 $53.338666...

    Of that and of December's $100.01 half is asked, $76.674333...: $76.67, and the fee of $10. The
    14 days that were kept are $46.671333...: nothing of them was spent, $46.67.
    """
    close_september(deal)
    deal.agree(THREE_MONTHS.replace("300.00", "100.01") + 'rest = 0.5\nfee = "10.00"\n')
    deal.at("2026-11-01")
    assert asked(deal, "2026-10") == [("true_up", 100_01)]
    deal.at("2026-11-05")
    deal.act(ActType.EXIT, by=deal.buyer)
    deal.at("2026-12-01")
    close(deal.book, "2026-11")
    [draft] = drafts(deal.book)
    invoice = final(deal.book, draft)
    assert [(line.description, line.amount_micros / CENT) for line in invoice.lines] == [
        ("ACME-1, monthly: committed and not spent by 2026-11-15", 46_67),
        ("ACME-1: fee of the exit, ended early 2026-11-15", 10_00),
        ("ACME-1, monthly: 50 % of the 153.35 released, ended early 2026-11-15", 76_67),
    ]


PREPAID = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2027-01-01

[[commitment]]
name = "ahead"
type = "prepaid"
access = [
  { from = 2026-10-01, until = 2026-12-01, amount = "200.00" },
  { from = 2026-12-01, until = 2027-01-01, amount = "100.00" },
]
invoice = [ { date = 2026-10-01, amount = "INSTALMENT" }, { date = 2026-12-15, amount = "REST" } ]

[exit]
notice = "10d"
"""


@pytest.mark.parametrize(
    ("paid", "rest", "settled"), [("280.00", "20.00", -80_00), ("150.00", "150.00", 50_00)]
)
def test_an_exit_gives_back_what_was_paid_for_released_steps_and_asks_for_kept_ones(
    deal: Deal, paid: str, rest: str, settled: int
) -> None:
    """The step of October and November is kept, $200; that of December is released.

    $280 were asked ahead: $80 are given back. $150 were: $50 are still to be paid.
    """
    close_september(deal)
    deal.agree(PREPAID.replace("INSTALMENT", paid).replace("REST", rest))
    deal.at("2026-11-01")
    assert [kind for kind, _ in asked(deal, "2026-10")] == ["instalment"]
    deal.at("2026-11-06")
    deal.act(ActType.EXIT, by=deal.buyer)
    deal.at("2026-12-01")
    lines = asked(deal, "2026-11")
    assert lines[0] == ("instalment", settled)
    # What was asked for is what was kept; none of it was used by its end.
    assert balance(deal.book, ledger.deferred_revenue(deal.acme.id)) == 0
    assert balance(deal.book, ledger.BREAKAGE) == -200_00 * CENT
    deal.at("2027-01-01")
    assert asked(deal, "2026-12") == []


def test_a_step_that_a_version_drops_before_it_begins_asks_nothing(deal: Deal) -> None:
    close_september(deal)
    deal.agree(DAYS)
    gone = DAYS.replace("effective = 2026-10-01", "effective = 2026-10-05")
    deal.agree(gone[: gone.index("[[commitment]]")])
    deal.at("2026-11-01")
    assert asked(deal, "2026-10") == []
    assert step(deal).released


def test_nothing_is_promised_for_before_the_first_version_takes_effect(deal: Deal) -> None:
    with pytest.raises(Conflict, match="contract_changes_the_past") as no:
        deal.propose(DAYS.replace("effective = 2026-10-01", "effective = 2026-10-12"))
    assert no.value.facts["reasons"] == ["days: a new step from 2026-10-11T00:00:00.000Z"]


LAPSES = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2027-01-01

[[commitment]]
name = "ahead"
type = "prepaid"
access = [ { from = 2026-10-05, until = 2026-10-25, amount = "100.00" } ]
invoice = [ { date = 2026-10-01, amount = "100.00" } ]
"""


def test_late_usage_draws_what_of_prepaid_credit_has_lapsed(made: Deals) -> None:
    """$100 were prepaid for 5 to 25 October. 30 hours were reported in time; $70 lapsed.

    50 hours of October come in November: paid from what lapsed. 50 more: $20 of them, and 30 are
    owed; as in time, when 130 hours would have drawn $100 and asked $30.
    """
    deal = made(Measure.BUSY)
    close_september(deal)
    deal.agree(LAPSES)
    deal.at("2026-10-02")
    lease = deal.book.lease(deal.acme, ON_DEMAND, 10)
    deal.book.turn()
    deal.at("2026-10-20")
    report(deal, lease, "e1", "2026-10-10", 30)
    deal.at("2026-11-01")
    assert asked(deal, "2026-10") == [
        ("usage", 30_00),
        ("drawdown", -30_00),
        ("instalment", 100_00),
    ]
    assert balance(deal.book, ledger.BREAKAGE) == -70_00 * CENT
    report(deal, lease, "e2", "2026-10-11", 50)
    deal.at("2026-12-01")
    assert asked(deal, "2026-11") == [("usage", 50_00), ("drawdown", -50_00)]
    assert balance(deal.book, ledger.BREAKAGE) == -20_00 * CENT
    report(deal, lease, "e3", "2026-10-12", 50)
    report(deal, lease, "e4", "2026-10-26", 5)  # outside of its window: owed
    deal.at("2027-01-01")
    assert asked(deal, "2026-12") == [("usage", 55_00), ("drawdown", -20_00)]
    (block,) = deal.blocks()
    assert (block.drawn_micros, block.lapsed_micros) == (100_00 * CENT, 0)
    assert balance(deal.book, ledger.BREAKAGE) == 0
    assert balance(deal.book, ledger.deferred_revenue(deal.acme.id)) == 0
    assert balance(deal.book, ledger.receivable(deal.acme.id)) == 135_00 * CENT
    assert balance(deal.book, ledger.unbilled(deal.acme.id)) == 0


def test_what_rolled_over_is_not_drawn_twice_by_late_usage(made: Deals) -> None:
    """Of $100 a quarter lives on in November: $75 lapsed, and late usage draws no more of it."""
    deal = made(Measure.BUSY)
    close_september(deal)
    rolls = 'rollover = 0.25\nrollover_for = "60d"\ntype = "prepaid"'
    deal.agree(LAPSES.replace('type = "prepaid"', rolls))
    deal.at("2026-10-02")
    lease = deal.book.lease(deal.acme, ON_DEMAND, 10)
    deal.book.turn()
    deal.at("2026-11-01")
    assert asked(deal, "2026-10") == [("instalment", 100_00)]
    report(deal, lease, "e1", "2026-10-11", 90)
    deal.at("2026-11-20")
    report(deal, lease, "e2", "2026-11-11", 40)
    deal.at("2026-12-01")
    lines = asked(deal, "2026-11")
    # 90 late hours draw the $75 that lapsed, 40 of November the $25 that rolled over.
    assert lines == [("usage", 90_00), ("usage", 40_00), ("drawdown", -75_00), ("drawdown", -25_00)]
    assert balance(deal.book, ledger.BREAKAGE) == 0


def test_a_step_of_a_month_is_the_month_that_its_entity_closes(book: Book) -> None:
    """In Paris October has 745 hours, of which the first two lie in September in UTC.

    One core for all of it at $1, and $700 committed for 1 October to 1 November: nothing is short.
    """
    acme = admitted(book, "FR", "FR83404833048")
    book.price(ON_DEMAND, 1_000_000_000)
    book.supply(1)
    deal = Deal(book, book.user(Role.SALES), book.user(Role.APPROVER), acme, book.operator)
    text = 'entity = "paris"\n' + OCTOBER.replace("300.00", "700.00")
    with pytest.raises(Invalid, match="zone_of_another") as no:
        deal.propose(text)
    assert no.value.facts == {"file": "UTC", "entity": "Europe/Paris"}
    deal.agree('zone = "Europe/Paris"\n' + text)
    book.clock.instant_ms = parse_instant("2026-09-30T22:00:00Z")
    book.lease(acme, ON_DEMAND, 1)
    book.turn()
    book.clock.instant_ms = parse_instant("2026-10-31T23:00:00Z")
    for name in ("2026-09", "2026-10"):
        asked_for = ClosePeriod(LegalEntityId("paris"), name)
        period = book.desk.call("close_period", asked_for, book.finance)
        while not period.closed:
            period = book.desk.call("close_slice", CloseSlice(period.id))
    (draft,) = drafts(book)
    assert [(x.type, x.amount_micros) for x in draft.lines] == [("usage", 745_00 * CENT)]
    assert (step(deal).settled, step(deal).asked_micros) == (True, 0)


def test_what_is_pending_is_read_beside_the_desk_and_is_what_the_close_draws(deal: Deal) -> None:
    """Two cores from 1 October under $100 of credit from the 5th: after a day of it $48 pend."""
    close_september(deal)
    deal.agree(LAPSES)
    deal.at("2026-10-01")
    deal.book.lease(deal.acme, ON_DEMAND, 2)
    deal.book.turn()
    deal.at("2026-10-06")
    (block,) = deal.blocks()
    found = drawing(Views(deal.book.store.engine), deal.acme.id, at("2026-10-06"))
    assert found.after[block.id].drawn_micros == 48_00 * CENT
    assert found.hourly_nanos(block.covers) == 2_000_000_000
    assert found.hourly_nanos(Covers(kinds=("h100-sxm",))) == 0
    assert deal.blocks() == [block]  # nothing of it is written
    deal.at("2026-11-01")
    assert asked(deal, "2026-10")[1] == ("drawdown", -100_00)


def test_a_preview_finds_nothing_of_what_the_book_has_under_an_id_of_its_own(deal: Deal) -> None:
    """The draft that it makes has an id that no draft of the book has, now or later."""
    close_september(deal)
    deal.at("2026-10-01")
    deal.book.lease(deal.acme, ON_DEMAND, 1)
    deal.book.turn()
    deal.at("2026-10-02")
    (shown,) = deal.book.preview(deal.acme)
    assert shown.net_micros == 24_00 * CENT
    invoice = deal.book.desk.call("issue_invoice", IssueInvoice(deal.acme.id), deal.book.finance)
    assert invoice.id != shown.id
    assert deal.book.preview(deal.acme) == ()
