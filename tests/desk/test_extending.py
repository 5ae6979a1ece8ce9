"""More time is asked for behind all who wait by then: it delays nobody who could start."""

from typing import Any

import pytest

from comptoir.desk.operations.endings import extension_of
from comptoir.desk.requests import ExtendLease, LeaseRef
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import Lease, LeaseClass
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Refused
from comptoir.units.time import format_instant
from tests.builders import HOUR_MS, START_MS
from tests.desk.fleet_book import H100, FleetBook

INTERNAL, RESERVED, ON_DEMAND, SPOT = LeaseClass


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> FleetBook:
    """Two nodes of eight."""
    fleet = FleetBook(tmp_path_factory.mktemp("fleet"))
    fleet.racks(2)
    return fleet


@pytest.fixture
def acme(fleet: FleetBook) -> Tenant:
    return fleet.tenant("acme")


def extend(fleet: FleetBook, lease: Lease, hours: int) -> Any:
    request = ExtendLease(lease.id, START_MS + hours * HOUR_MS)
    return fleet.desk.call("extend_lease", request, fleet.operator)


def starts_at_ms(fleet: FleetBook, lease: Lease) -> int | None:
    start: int | None = fleet.desk.call(
        "explain_lease", LeaseRef(lease.id), fleet.operator
    ).expected_start_ms
    return start


def offered_until_ms(fleet: FleetBook, lease: Lease) -> int | None:
    desk = fleet.desk
    now_ms = fleet.clock.instant_ms
    tx = Transaction(desk.book, desk.store, desk.entropy, fleet.operator, now_ms, desk.checkers)
    return extension_of(tx, fleet.now(lease)).until_ms


def test_an_extension_that_would_delay_who_waits_is_refused_and_says_how_far_it_may_go(
    fleet: FleetBook, acme: Tenant
) -> None:
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=START_MS + HOUR_MS)
    other = fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=START_MS + 3 * HOUR_MS)
    gang = fleet.lease(fleet.tenant("bob"), ON_DEMAND, 16, H100, ends_at_ms=START_MS + 90 * HOUR_MS)
    fleet.turn()
    before = fleet.desk.book.snapshot.contents()
    with pytest.raises(Refused, match=r"kept_for_who_waits") as no:
        extend(fleet, lease, 4)
    until = format_instant(START_MS + 3 * HOUR_MS)
    assert no.value.facts == {"waits": gang.id, "until": until}
    assert gang.id in str(no.value)
    assert fleet.desk.book.snapshot.contents() == before
    for hours in (2, 3):
        extend(fleet, lease, hours)
    for held in (lease, other):
        with pytest.raises(Refused, match=r"kept_for_who_waits"):
            extend(fleet, held, 5)
    fleet.turn()
    assert starts_at_ms(fleet, gang) == START_MS + 3 * HOUR_MS


def test_an_extension_is_let_through_where_who_waits_starts_as_soon_elsewhere(
    fleet: FleetBook, acme: Tenant
) -> None:
    held = [fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=START_MS + HOUR_MS) for _ in "ab"]
    waits = fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=START_MS + 9 * HOUR_MS)
    fleet.turn()
    assert extend(fleet, held[0], 9).ends_at_ms == START_MS + 9 * HOUR_MS
    assert starts_at_ms(fleet, waits) == START_MS + HOUR_MS
    with pytest.raises(Refused, match=r"kept_for_who_waits"):
        extend(fleet, held[1], 9)


def test_a_stronger_claim_is_extended_before_who_waits_with_a_weaker_one(
    fleet: FleetBook, acme: Tenant
) -> None:
    sold = fleet.lease(acme, RESERVED, 16, H100, ends_at_ms=START_MS + HOUR_MS)
    fleet.turn()
    fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=START_MS + 9 * HOUR_MS)
    fleet.turn()
    assert extend(fleet, sold, 5).ends_at_ms == START_MS + 5 * HOUR_MS


def test_a_warning_offers_no_extension_into_what_is_kept_for_who_waits(
    fleet: FleetBook, acme: Tenant
) -> None:
    lease = fleet.lease(acme, ON_DEMAND, 16, H100, ends_at_ms=START_MS + HOUR_MS)
    fleet.turn()
    assert offered_until_ms(fleet, lease) is None
    fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=START_MS + 9 * HOUR_MS)
    fleet.turn()
    assert offered_until_ms(fleet, lease) == START_MS + HOUR_MS
