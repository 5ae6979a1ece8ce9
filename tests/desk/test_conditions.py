"""The desk keeps the conditions of supply from request to the window's end."""

from pathlib import Path

import pytest

from comptoir.desk.requests import ExtendLease, LeaseRef, SetEligibility
from comptoir.fleet.conditions import Conditions, SoldTo
from comptoir.leases.lease import TOLD_AHEAD_MS, LeaseClass, LeaseState, Reason, Shape
from comptoir.tenants.parties import TenantKind
from comptoir.units.errors import Refused
from comptoir.units.recurrence import parse_recurrence
from comptoir.units.time import parse_instant
from tests.builders import HOUR_MS, Book

NIGHTS = Conditions(selling_windows=(parse_recurrence("weekdays 20:00 to 08:00 Europe/Paris"),))
EVENING = parse_instant("2026-11-26T21:00:00Z")
MORNING = parse_instant("2026-11-27T07:00:00Z")
NEXT_EVENING = parse_instant("2026-11-27T19:00:00Z")


@pytest.fixture
def book(tmp_path: Path) -> Book:
    book = Book(tmp_path)
    book.clock.instant_ms = EVENING
    book.price_all()
    return book


def to(book: Book, instant_ms: int) -> None:
    book.clock.instant_ms = instant_ms
    book.turn()


def test_spot_is_taken_back_at_the_windows_end_and_comes_back_at_the_next(book: Book) -> None:
    book.supply(4, conditions=NIGHTS, engine="")
    lease = book.lease(book.tenant("acme"), LeaseClass.SPOT, 4, notice_s=120)
    book.turn()
    assert book.now(lease).state is LeaseState.ACTIVE
    told_ms = MORNING - 120_000 - TOLD_AHEAD_MS
    to(book, told_ms - 1)
    assert book.now(lease).state is LeaseState.ACTIVE
    to(book, told_ms)
    told = book.now(lease)
    assert (told.state, told.reason) == (LeaseState.RECLAIMING, Reason.SELLING_WINDOW_END)
    assert told.kill_at_ms == MORNING
    to(book, MORNING)
    assert book.now(lease).state is LeaseState.WAITING
    why = book.desk.call("explain_lease", LeaseRef(lease.id), book.operator)
    assert "closed at 2026-11-27T07:00" in why.sentence
    assert "start at 2026-11-27T19:00" in why.sentence
    to(book, NEXT_EVENING - 1)
    assert book.now(lease).state is LeaseState.WAITING
    to(book, NEXT_EVENING)
    assert book.now(lease).state is LeaseState.ACTIVE
    assert book.now(lease).reclaims == 0


def test_a_bounded_lease_fits_the_window_and_cannot_be_extended_past_it(book: Book) -> None:
    book.supply(4, conditions=NIGHTS, engine="")
    acme = book.tenant("acme")
    lease = book.lease(acme, LeaseClass.RESERVED, 4, ends_at_ms=MORNING - 3_600_000)
    book.turn()
    book.desk.call("extend_lease", ExtendLease(lease.id, MORNING), book.operator)
    with pytest.raises(Refused, match="not_free"):
        book.desk.call("extend_lease", ExtendLease(lease.id, MORNING + 1), book.operator)
    with pytest.raises(Refused, match="supply_outside_selling_window"):
        book.lease(acme, LeaseClass.RESERVED, 1, ends_at_ms=MORNING + 1)
    with pytest.raises(Refused, match="supply_outside_selling_window"):
        book.lease(acme, LeaseClass.ON_DEMAND, 1)


def test_a_team_stays_past_the_windows_end(book: Book) -> None:
    book.supply(4, conditions=NIGHTS, engine="")
    lease = book.lease(book.tenant("ads", TenantKind.TEAM), LeaseClass.INTERNAL, 4)
    book.turn()
    to(book, MORNING + 3_600_000)
    assert book.now(lease).state is LeaseState.ACTIVE


def test_customers_never_stand_on_internal_supply_beside_open_supply(book: Book) -> None:
    book.supply(8, conditions=Conditions(SoldTo.INTERNAL))
    book.supply(2)
    acme = book.tenant("acme")
    lease = book.lease(acme, LeaseClass.SPOT, 2)
    book.turn()
    (held,) = book.desk.book.allocations_of(lease.id)
    assert book.desk.book.nodes[held.node_id].accelerators == 2
    waiting = book.lease(acme, LeaseClass.SPOT, 1)
    book.turn()
    assert book.now(waiting).state is LeaseState.WAITING


def test_a_grant_recorded_later_lets_who_waits_in(book: Book) -> None:
    book.supply(2)
    book.supply(4, conditions=Conditions(grant="nsf-2026"))
    uni = book.tenant("uni", TenantKind.RESEARCHER)
    book.lease(uni, LeaseClass.SPOT, 2)
    waiting = book.lease(uni, LeaseClass.SPOT, 2)
    book.turn()
    assert book.now(waiting).state is LeaseState.WAITING
    book.desk.call("set_eligibility", SetEligibility(uni.id, ("nsf-2026",)), book.operator)
    book.turn()
    assert book.now(waiting).state is LeaseState.ACTIVE


def test_a_tenants_residency_binds_all_its_requests(book: Book) -> None:
    book.supply(4, conditions=Conditions(residency="US-VA"))
    book.supply(2, conditions=Conditions(residency="FR"))
    acme = book.tenant("acme")
    book.desk.call("set_eligibility", SetEligibility(acme.id, residency="EU"), book.operator)
    lease = book.lease(acme, LeaseClass.SPOT, 1)
    (held,) = book.desk.book.allocations_of(lease.id)
    inbound = book.desk.book.inbound[held.inbound_lease_id]
    assert inbound.residency == "FR"
    with pytest.raises(Refused, match="supply_residency"):
        book.lease(acme, LeaseClass.SPOT, 1, residency="US")


def test_why_looks_only_where_a_request_may_stand(book: Book) -> None:
    book.supply(8, conditions=Conditions(residency="US-VA"))
    book.supply(2, conditions=Conditions(residency="FR"))
    acme = book.tenant("acme")
    held = book.lease(acme, LeaseClass.RESERVED, 2, residency="FR", ends_at_ms=EVENING + HOUR_MS)
    book.turn()
    waiting = book.lease(acme, LeaseClass.SPOT, 2, residency="FR")
    why = book.desk.call("explain_lease", LeaseRef(waiting.id), book.operator)
    assert (why.best_free, [c.lease_id for c in why.coming]) == (0, [held.id])


def test_what_only_others_could_have_is_refused_at_once_with_the_largest_one_may(
    book: Book,
) -> None:
    book.supply(24, conditions=Conditions(SoldTo.INTERNAL))
    book.supply(8, 8)
    acme = book.tenant("acme")
    with pytest.raises(Refused, match="shape_impossible") as refused:
        book.lease(acme, LeaseClass.SPOT, 9, shape=Shape.NODE)
    assert refused.value.facts["largest"] == 8
    with pytest.raises(Refused, match="fleet_too_small") as refused:
        book.lease(acme, LeaseClass.SPOT, 17)
    assert refused.value.facts["in_service"] == 16
    team = book.tenant("ads", TenantKind.TEAM)
    assert book.lease(team, LeaseClass.INTERNAL, 24, shape=Shape.NODE).state is LeaseState.SCHEDULED


def test_a_flexible_start_is_promised_when_the_window_opens(book: Book) -> None:
    book.supply(4, conditions=NIGHTS, engine="")
    to(book, MORNING + 3_600_000)
    lease = book.lease(
        book.tenant("acme"),
        LeaseClass.RESERVED,
        4,
        latest_start_ms=NEXT_EVENING + 3_600_000,
        duration_s=7_200,
    )
    assert (lease.state, lease.scheduled_start_ms) == (LeaseState.SCHEDULED, NEXT_EVENING)
    to(book, NEXT_EVENING)
    assert book.now(lease).state is LeaseState.ACTIVE
    assert book.now(lease).ends_at_ms == NEXT_EVENING + 7_200_000
