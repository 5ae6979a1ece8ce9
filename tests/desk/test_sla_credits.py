"""A broken guarantee is credited at the close by the contract's own terms, without a claim."""

import pytest

from comptoir.billing.invoices import LineType
from comptoir.desk.close_requests import ClosePeriod, CloseSlice
from comptoir.desk.failure_requests import FailNode, ReportChecks
from comptoir.desk.requests import (
    IssueInvoice,
    LeaseRef,
    NodeRef,
    RecordUsage,
    ReportedUsage,
)
from comptoir.fleet.checks import CheckOutcome, CheckResult
from comptoir.fleet.states import NodeState
from comptoir.leases.lease import Lease, LeaseClass, Shape
from comptoir.ledger import entries as ledger
from comptoir.metering.usage import Measure
from comptoir.sales.credit_blocks import BlockState, CreditSource
from comptoir.store.views import Views, tenant_book
from comptoir.tenants.parties import Role
from comptoir.units.ids import LegalEntityId, NodeId
from tests.builders import Book
from tests.desk.contract_book import Deal

CENT = 10_000
HOUR = 3_600_000
TERMS = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2027-10-01

[[price]]
kind = "cpu-core"
price = 1.00

[sla]
unit = "UNIT"
healthy_minimum = 1
replace_within = "1h"
exclusions = ["maintenance"]
cap = 1
credit = [
  { below = 0.999, credit = 0.10 },
  { below = 0.99, credit = 0.30 },
]
"""


@pytest.fixture
def deal(book: Book) -> Deal:
    acme = book.tenant("acme")
    return Deal(
        book, book.user(Role.SALES), book.user(Role.APPROVER), acme,
        book.user(Role.TENANT_ADMIN, tenant=acme),
    )  # fmt: skip


def october(deal: Deal, unit: str):  # type: ignore[no-untyped-def]
    """8 cores on two nodes from 1 October on; one node of 4 is dead from the 11th to the 12th."""
    book = deal.book
    book.price_all(price_nanos=4_000_000_000)
    book.supply(4, 4, engine="")
    deal.agree(TERMS.replace("UNIT", unit))
    deal.at("2026-10-01")
    lease = book.lease(deal.acme, LeaseClass.ON_DEMAND, 8, shape=Shape.CLUSTER)
    deal.at("2026-10-01")
    deal.at("2026-10-11")
    node = next(n for n in book.desk.book.nodes if n.accelerators == 4)
    book.desk.call("fail_node", FailNode(node.id, "power", None, stopped=True), book.operator)
    book.turn()
    deal.at("2026-10-12")
    book.desk.call("repair_node", NodeRef(node.id), book.operator)
    book.turn()
    deal.at("2026-11-01")
    book.pass_s(60)
    for month in ("2026-09", "2026-10"):
        request = ClosePeriod(LegalEntityId("house"), month)
        period = book.desk.call("close_period", request, book.finance)
        while not period.closed:
            period = book.desk.call("close_slice", CloseSlice(period.id))
    return lease


def test_a_gang_that_missed_a_node_for_a_day_is_credited_by_the_gang(deal: Deal) -> None:
    """By gang all 8 cores count for the day; delivered were 31 x 24 x 8 - 24 x 4 = 5,856 h.

    Promised 5,856 + 96 = 5,952 h; down 24 x 8 = 192 h; available 5,760 / 5,952 = 96.77 %: 30 %
    of $5,856.00 = $1,756.80.
    """
    october(deal, "gang")
    book = deal.book.desk.book
    [block] = [b for b in book.contracts.credit_blocks if b.source is CreditSource.SLA_CREDIT] or [
        deal.book.store.find("credit_block", (told(deal)[0].subject,))
    ]
    assert block.granted_micros == 175_680 * CENT
    assert (block.drawn_micros, block.state) == (block.granted_micros, BlockState.SPENT)
    [draft] = [d for d in book.closing.drafts if d.tenant_id == deal.acme.id]
    amounts = {line.type: line.amount_micros // CENT for line in draft.lines}
    assert amounts == {LineType.USAGE: 585_600, LineType.DRAWDOWN: -175_680}
    held = book.money.balances[ledger.SLA_CREDIT, ledger.Unit("USD")]
    assert held.amount == 175_680 * CENT
    [event] = told(deal)
    assert event.data["down_accelerator_ms"] == 192 * 3_600_000
    assert event.data["broken_accelerator_ms"] == 96 * 3_600_000
    assert event.data["because"] == list(block.conditions)


def test_by_the_accelerator_the_same_day_is_worth_less(deal: Deal) -> None:
    """Down are the 96 h that were not delivered: 5,856 / 5,952 = 98.387 %: 30 % too.

    By node it is the same four cores.
    """
    october(deal, "accelerator")
    [event] = told(deal)
    assert event.data["down_accelerator_ms"] == 96 * 3_600_000


def fail_from(deal: Deal, day: str, until: str, accelerators: int = 4) -> None:
    """One node of the lease is dead from a day to another."""
    book = deal.book
    deal.at(day)
    node = next(
        n
        for n in book.desk.book.nodes
        if n.accelerators == accelerators and n.state is NodeState.IN_SERVICE
    )
    book.desk.call("fail_node", FailNode(node.id, "power", None, stopped=True), book.operator)
    book.turn()
    deal.at(until)
    book.desk.call("repair_node", NodeRef(node.id), book.operator)
    book.turn()


def close_october(deal: Deal) -> None:
    book = deal.book
    deal.at("2026-11-01")
    book.pass_s(60)
    for month in ("2026-09", "2026-10"):
        request = ClosePeriod(LegalEntityId("house"), month)
        period = book.desk.call("close_period", request, book.finance)
        while not period.closed:
            period = book.desk.call("close_slice", CloseSlice(period.id))


def begun(
    deal: Deal, terms: str, *, measure: Measure = Measure.DELIVERED, nodes: tuple[int, ...] = (4, 4)
) -> Lease:
    """8 cores on two nodes from 1 October on, by a measure."""
    book = deal.book
    for lease_class in LeaseClass:
        book.price(lease_class, 4_000_000_000, measure=measure)
    book.supply(*nodes, engine="")
    deal.agree(terms)
    deal.at("2026-10-01")
    lease = book.lease(deal.acme, LeaseClass.ON_DEMAND, 8, shape=Shape.CLUSTER)
    deal.at("2026-10-01")
    return lease


def test_an_invoice_within_the_month_takes_nothing_off_its_credit(deal: Deal) -> None:
    """The same october as above; all up to the 20th is invoiced on the 20th.

    Charges are still $5,856.00 and the credit 30 % of them, $1,756.80. The rest of October,
    12 x 24 x 8 = 2,304 h at $1.00, draws it whole and is billed $547.20.
    """
    begun(deal, TERMS.replace("UNIT", "gang"))
    fail_from(deal, "2026-10-11", "2026-10-12")
    deal.at("2026-10-20")
    deal.book.desk.call("issue_invoice", IssueInvoice(deal.acme.id), deal.book.finance)
    close_october(deal)
    [event] = told(deal)
    assert event.data["promised_accelerator_ms"] == 5_952 * 3_600_000
    assert event.data["micros"] == str(175_680 * CENT)
    [draft] = [d for d in deal.book.desk.book.closing.drafts if d.tenant_id == deal.acme.id]
    amounts = {line.type: line.amount_micros // CENT for line in draft.lines}
    assert amounts == {LineType.USAGE: 230_400, LineType.DRAWDOWN: -175_680}


def test_what_is_promised_is_delivered_time_whatever_the_rate_bills(deal: Deal) -> None:
    """Billed is busy time: one hour of 8 cores, reported for 5 October, at $1.00 = $8.00.

    Availability is of what was promised all the same: 5,760 / 5,952 = 96.77 %: 30 % = $2.40.
    """
    lease = begun(deal, TERMS.replace("UNIT", "gang"), measure=Measure.BUSY)
    deal.at("2026-10-05")
    at = deal.book.clock.instant_ms
    deal.book.desk.call(
        "record_usage",
        RecordUsage(
            "dcgm", (ReportedUsage("one", lease.id, Measure.BUSY, at - HOUR, at, 8 * HOUR),)
        ),
        deal.book.operator,
    )
    fail_from(deal, "2026-10-11", "2026-10-12")
    close_october(deal)
    [event] = told(deal)
    assert event.data["promised_accelerator_ms"] == 5_952 * HOUR
    assert event.data["micros"] == str(240 * CENT)


def test_outages_and_charges_are_those_of_the_contract_s_own_time(deal: Deal) -> None:
    """The contract ends with the 15th; a node is dead from the 15th to the 17th.

    Under it: 15 days x 24 h x 8 = 2,880 h promised, of which the outage takes 24 h x 4 = 96.
    Down by accelerator: 96 / 2,880 = 3.33 %, 96.66 % available: 30 % of 2,784 h at $1.00 =
    $2,784.00, which is $835.20. What follows is the card's and credits nothing.
    """
    begun(deal, TERMS.replace("UNIT", "accelerator").replace("2027-10-01", "2026-10-16"))
    fail_from(deal, "2026-10-15", "2026-10-17")
    close_october(deal)
    [event] = told(deal)
    assert event.data["promised_accelerator_ms"] == 2_880 * HOUR
    assert event.data["broken_accelerator_ms"] == 96 * HOUR
    assert event.data["micros"] == str(83_520 * CENT)


def test_a_version_that_guarantees_more_counts_from_its_own_start(deal: Deal) -> None:
    """A second version from the 21st credits half of what is below 99.9 %.

    1st to 20th: 480 h x 8 = 3,840 h promised, 96 of them broken on the 11th: by gang 192 down,
    95.0 % available: 30 % of 3,744 h at $1.00 = $1,123.20. 21st to 31st: 11 days x 24 h x 8 =
    2,112 h, 96 broken on the 25th: 192 down, 90.9 %: half of 2,016 h at $1.00 = $1,008.00.
    """
    begun(deal, TERMS.replace("UNIT", "gang"))
    fail_from(deal, "2026-10-11", "2026-10-12")
    deal.at("2026-10-20")
    second = TERMS.replace("UNIT", "gang").replace(
        "effective = 2026-10-01", "effective = 2026-10-21"
    )
    deal.agree(
        second.replace("credit = 0.10", "credit = 0.50")
        .replace("credit = 0.30", "credit = 0.60")
        .replace("below = 0.99,", "below = 0.5,")
    )
    fail_from(deal, "2026-10-25", "2026-10-26")
    close_october(deal)
    assert [event.data["micros"] for event in told(deal)] == [
        str(112_320 * CENT),
        str(100_800 * CENT),
    ]


def test_a_rack_counts_with_what_stood_in_it_after_its_lease_is_over(deal: Deal) -> None:
    """By rack all 8 cores of the two nodes were down on the 11th, and the lease ends the 12th."""
    lease = begun(deal, TERMS.replace("UNIT", "rack"))
    fail_from(deal, "2026-10-11", "2026-10-12")
    deal.book.desk.call("end_lease", LeaseRef(lease.id), deal.book.operator)
    deal.book.turn()
    close_october(deal)
    [event] = told(deal)
    assert event.data["down_accelerator_ms"] == 8 * 24 * HOUR


def report(deal: Deal, node_id: NodeId, **outcomes: CheckOutcome) -> None:
    results = tuple(CheckResult(name, outcome) for name, outcome in outcomes.items())
    deal.book.desk.call("report_checks", ReportChecks(node_id, results), deal.book.operator)
    deal.book.turn()


@pytest.mark.parametrize(("counts", "micros"), [("true", 178_560 * CENT), ("false", None)])
def test_degraded_time_counts_where_the_contract_says_so(
    deal: Deal, counts: str, micros: int | None
) -> None:
    """A node is degraded on the 11th, by two checks; all 5,952 h are delivered and promised.

    By gang 192 h of them were not healthy: 96.77 % available, 30 % of $5,952.00 = $1,785.60.
    """
    terms = TERMS.replace("UNIT", "gang").replace("cap = 1", f"cap = 1\ndegraded_counts = {counts}")
    lease = begun(deal, terms)
    node_id = deal.book.desk.book.allocations_of(lease.id)[0].node_id
    deal.at("2026-10-11")
    bad = CheckOutcome.DEGRADED
    report(deal, node_id, bandwidth=bad, clock=bad)
    assert deal.book.desk.book.nodes[node_id].state is NodeState.IN_SERVICE
    deal.at("2026-10-12")
    report(deal, node_id, bandwidth=CheckOutcome.PASSED, clock=CheckOutcome.PASSED)
    close_october(deal)
    credits = told(deal)
    assert [int(event.data["micros"]) for event in credits] == ([micros] if micros else [])
    for event in credits:
        assert event.data["promised_accelerator_ms"] == 5_952 * HOUR
        assert event.data["broken_accelerator_ms"] == 0
        assert event.data["down_accelerator_ms"] == 192 * HOUR
        assert event.data["breaches"] == [f"{node_id} degraded"]


def test_a_failure_that_was_known_late_is_given_back_and_counts_from_its_instant(
    deal: Deal,
) -> None:
    """Dead from 11 October 20:00, reported on the 12th at 08:00, replaced at once.

    12 h of 4 cores were billed at $1.00: $48.00 come back. They are down, too: of 31 x 24 x 8 =
    5,952 h 48 h were, 99.19 % were available, so 10 % of $5,952.00 = $595.20.
    """
    lease = begun(deal, TERMS.replace("UNIT", "node"), nodes=(4, 4, 4))
    book = deal.book
    deal.at("2026-10-12")
    book.pass_s(8 * 3_600)
    node = book.desk.book.allocations_of(lease.id)[0].node_id
    failed_at = book.clock.instant_ms - 12 * HOUR
    book.desk.call("fail_node", FailNode(node, "power", failed_at, stopped=True), book.operator)
    book.turn()
    close_october(deal)
    [event] = told(deal)
    assert event.data["down_accelerator_ms"] == 48 * HOUR
    assert event.data["broken_accelerator_ms"] == 0
    assert event.data["promised_accelerator_ms"] == 5_952 * HOUR
    assert event.data["micros"] == str(59_520 * CENT)
    [back] = deal.book.store.find_told(["credit.billed_while_down"], None, 0, 100)
    assert (back.data["micros"], back.data["billed_accelerator_ms"]) == (
        str(4_800 * CENT),
        48 * HOUR,
    )


def test_a_node_that_was_dead_before_its_lease_gives_back_from_the_handover_on(deal: Deal) -> None:
    """Dead from 28 September, handed over on 1 October, reported on the 2nd at 08:00.

    32 h of 4 cores were billed at $1.00, and $128.00 come back; 5,824 of 5,952 h are 97.85 %:
    30 % of $5,952.00 = $1,785.60.
    """
    lease = begun(deal, TERMS.replace("UNIT", "node"), nodes=(4, 4, 4))
    book = deal.book
    deal.at("2026-10-02")
    book.pass_s(8 * 3_600)
    node = book.desk.book.allocations_of(lease.id)[0].node_id
    failed_at = book.clock.instant_ms - (4 * 24 + 8) * HOUR
    book.desk.call("fail_node", FailNode(node, "power", failed_at, stopped=True), book.operator)
    book.turn()
    close_october(deal)
    [back] = deal.book.store.find_told(["credit.billed_while_down"], None, 0, 100)
    assert (back.data["micros"], back.data["billed_accelerator_ms"]) == (
        str(12_800 * CENT),
        128 * HOUR,
    )
    assert "2026-10-01T00:" in back.data["because"][0]
    [event] = told(deal)
    assert event.data["down_accelerator_ms"] == 128 * HOUR
    assert event.data["micros"] == str(178_560 * CENT)


def told(deal: Deal):  # type: ignore[no-untyped-def]
    return list(deal.book.store.find_told(["credit.sla"], None, 0, 100))


def test_a_preview_credits_what_the_close_will(deal: Deal) -> None:
    """The same month as above: $5,952.00 less $48.00 and $595.20, before it is closed and after."""
    lease = begun(deal, TERMS.replace("UNIT", "node"), nodes=(4, 4, 4))
    book = deal.book
    deal.at("2026-10-12")
    book.pass_s(8 * 3_600)
    node = book.desk.book.allocations_of(lease.id)[0].node_id
    failed_at = book.clock.instant_ms - 12 * HOUR
    book.desk.call("fail_node", FailNode(node, "power", failed_at, stopped=True), book.operator)
    book.turn()
    deal.at("2026-11-01")
    views = Views(book.store.engine)
    (seen,) = tenant_book.preview(views, deal.acme.id, book.clock.instant_ms)
    asked = [(x.type, x.amount_micros) for x in seen.lines]
    assert sum(amount for _, amount in asked) == (595_200 - 4_800 - 59_520) * CENT
    close_october(deal)
    [draft] = [d for d in book.desk.book.closing.drafts if d.tenant_id == deal.acme.id]
    assert [(x.type, x.amount_micros) for x in draft.lines] == asked
    (after,) = tenant_book.preview(views, deal.acme.id, book.clock.instant_ms)
    assert {x.type for x in after.lines} == {LineType.USAGE}
