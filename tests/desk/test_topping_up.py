"""Minimum and granularity are billed once a lease, when its holder has ended it."""

import pytest
from sqlalchemy import text

from comptoir.desk.requests import (
    ExtendLease,
    IssueInvoice,
    LeaseRef,
    ProposeRate,
    RateRef,
    RecordUsage,
    ReportedUsage,
)
from comptoir.leases.lease import Lease, LeaseClass, LeaseState
from comptoir.metering.usage import Measure
from comptoir.pricing.charges import ChargeRow
from comptoir.tenants.parties import Tenant
from tests.builders import Book

ON_DEMAND, SPOT = LeaseClass.ON_DEMAND, LeaseClass.SPOT
NANOS = 3_600_000
"""A price whose numerator of one accelerator-ms is easily read."""


@pytest.fixture
def acme(book: Book) -> Tenant:
    book.supply(8)
    return book.tenant("acme")


def price(book: Book, lease_class: LeaseClass = ON_DEMAND, **more: object) -> None:
    asked = ProposeRate(book.card, "cpu-core", lease_class, NANOS, **more)  # type: ignore[arg-type]
    rate = book.desk.call("propose_rate", asked, book.operator)
    book.desk.call("approve_rate", RateRef(rate.id), book.finance)


def rows(book: Book, lease: Lease) -> list[tuple[str, int]]:
    """The charges of a lease: which row, how many accelerator-seconds."""
    query = text('SELECT "row", accelerator_ms FROM charge WHERE lease_id = :lease ORDER BY seq')
    with book.store.engine.connect() as connection:
        return [(row, ms // 1_000) for row, ms in connection.execute(query, {"lease": lease.id})]


def had(book: Book, tenant: Tenant, seconds: list[int], accelerators: int = 2) -> Lease:
    """A lease that was metered after each of these times, and then ended by its holder."""
    lease = book.lease(tenant, ON_DEMAND, accelerators)
    book.turn()
    for s in seconds:
        book.pass_s(s)
    book.desk.call("end_lease", LeaseRef(lease.id), book.operator)
    book.turn()
    assert book.now(lease).state is LeaseState.ENDED
    return lease


def test_granularity_is_of_the_lease_and_not_of_its_pieces(book: Book, acme: Tenant) -> None:
    """2 accelerators for 61 + 61 + 1 = 123 s are 246 s; in steps of 2 x 60 s that is 360 s."""
    price(book, granularity_s=60)
    pieces = had(book, acme, [61, 61, 1])
    assert rows(book, pieces)[-1] == (ChargeRow.TOP_UP, 360 - 246)
    whole = had(book, acme, [123])
    assert sum(s for _, s in rows(book, whole)) == sum(s for _, s in rows(book, pieces)) == 360


def test_whole_steps_are_not_added_to(book: Book, acme: Tenant) -> None:
    price(book, granularity_s=60)
    assert {row for row, _ in rows(book, had(book, acme, [60, 120]))} == {ChargeRow.USAGE}


def test_a_minimum_is_met_once(book: Book, acme: Tenant) -> None:
    """A minimum of 3,600 s and steps of 1,000 s: 4,000 s, whatever was used below them."""
    price(book, minimum_s=3_600, granularity_s=1_000)
    assert sum(s for _, s in rows(book, had(book, acme, [100, 100]))) == 2 * 4_000
    longer = had(book, acme, [3_700, 301])
    assert sum(s for _, s in rows(book, longer)) == 2 * 5_000


def test_the_window_asked_for_counts_as_the_holders_end(book: Book, acme: Tenant) -> None:
    price(book, minimum_s=600)
    lease = book.lease(acme, ON_DEMAND, 1, ends_at_ms=book.clock.instant_ms + 300_000)
    book.turn()
    book.pass_s(400)
    book.pass_s(60)
    assert sum(s for _, s in rows(book, lease)) == 600


def test_what_the_house_takes_back_is_billed_as_it_was_used(book: Book, acme: Tenant) -> None:
    price(book)
    price(book, SPOT, minimum_s=3_600, granularity_s=3_600)
    spot = book.lease(acme, SPOT, 8, notice_s=1)
    book.turn()
    book.pass_s(100)
    book.lease(acme, ON_DEMAND, 8)
    book.turn()
    book.pass_s(60)
    assert {row for row, _ in rows(book, spot)} == {ChargeRow.USAGE}
    book.desk.call("cancel_lease", LeaseRef(spot.id), book.operator)  # while it waits again
    assert {row for row, _ in rows(book, spot)} == {ChargeRow.USAGE}


def test_the_rate_in_force_at_the_end_says_how_much(book: Book, acme: Tenant) -> None:
    """What was used, and invoiced, under the rate before counts towards the minimum."""
    price(book)
    lease = book.lease(acme, ON_DEMAND, 1)
    book.turn()
    book.pass_s(500)
    book.desk.call("issue_invoice", IssueInvoice(acme.id), book.finance)
    price(book, minimum_s=600)
    book.pass_s(50)
    book.desk.call("end_lease", LeaseRef(lease.id), book.operator)
    book.turn()
    assert sum(s for _, s in rows(book, lease)) == 600


@pytest.mark.parametrize("late_ms", [1, 59_000, 61_000, 250_000])
def test_usage_that_turns_up_late_is_set_against_it(book: Book, acme: Tenant, late_ms: int) -> None:
    """30 s in time and some late, billed by what was busy: the same total as all in time."""
    price(book, granularity_s=60, measure=Measure.BUSY)
    lease = book.lease(acme, ON_DEMAND, 1)
    book.turn()
    start = book.clock.instant_ms
    book.pass_s(400)

    def busy(name: str, accelerator_ms: int) -> None:
        event = ReportedUsage(name, lease.id, Measure.BUSY, start, start + 400_000, accelerator_ms)
        book.desk.call("record_usage", RecordUsage("telemetry", (event,)), book.operator)

    busy("in-time", 30_000)
    book.desk.call("end_lease", LeaseRef(lease.id), book.operator)
    book.turn()
    assert sum(s for _, s in rows(book, lease)) == 60
    busy("late", late_ms)
    busy("late", late_ms)  # said twice, counted once
    query = text("SELECT SUM(accelerator_ms) FROM charge WHERE lease_id = :lease")
    with book.store.engine.connect() as connection:
        total = connection.execute(query, {"lease": lease.id}).scalar_one()
    assert total == -(-(30_000 + late_ms) // 60_000) * 60_000
    accruals = book.store.find_accruals(lease.id)
    assert sum(accrual.numerator for accrual in accruals) == total * NANOS


def test_a_lease_of_which_nothing_was_billed_costs_nothing(book: Book, acme: Tenant) -> None:
    price(book, minimum_s=600, measure=Measure.BUSY)
    assert rows(book, had(book, acme, [100])) == []
    idle = book.lease(acme, ON_DEMAND, 1)
    book.desk.call("cancel_lease", LeaseRef(idle.id), book.operator)
    assert rows(book, idle) == []


def test_an_extended_lease_keeps_its_term(book: Book, acme: Tenant) -> None:
    price(book)
    lease = book.lease(acme, ON_DEMAND, 1, ends_at_ms=book.clock.instant_ms + 3_600_000)
    longer = book.clock.instant_ms + 40 * 86_400_000
    book.turn()
    extended = book.desk.call("extend_lease", ExtendLease(lease.id, longer), book.operator)
    assert extended.term is lease.term
