"""A hold asks nobody to go before its time; once it is confirmed it is a promise like any other.

And while somebody holds softly, or looks, the desk has nothing to do again.
"""

from typing import Any

import pytest

from comptoir.desk.operations import queueing
from comptoir.desk.requests import AskOffers, Hold, LeaseRef, RequestLease, RequestSeries, Turn
from comptoir.leases.lease import Lease, LeaseClass, LeaseState, Shape
from comptoir.units.errors import Refused
from comptoir.units.recurrence import parse_recurrence
from tests.builders import HOUR_MS, START_MS, Book
from tests.desk.fleet_book import H100, FleetBook

INTERNAL, RESERVED, ON_DEMAND, SPOT = LeaseClass


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> FleetBook:
    return FleetBook(tmp_path_factory.mktemp("fleet"))


def hold(fleet: FleetBook, *, firm: bool, seconds: int = 86_400, **words: Any) -> Lease:
    """A node held for ten hours, by a tenant of its own."""
    asked = {"lease_class": RESERVED, "shape": Shape.NODE, "duration_s": 36_000, **words}
    holder = fleet.tenant(f"holder-{len(fleet.desk.book.tenants)}")
    wanted = RequestLease(H100, 8, tenant_id=holder.id, **asked)
    held = fleet.desk.call("hold_capacity", Hold(wanted, seconds, firm), fleet.operator)
    assert isinstance(held, Lease)
    return held


def turns_until_idle(book: Book, most: int = 12) -> int:
    for turns in range(1, most + 1):
        if not book.desk.call("turn", Turn()):
            return turns
    raise AssertionError(f"after {most} turns the desk still wants another")


@pytest.mark.parametrize("starts_in_h", [0, 1])
def test_a_confirmed_hold_takes_spot_back_when_its_node_is_lost(
    fleet: FleetBook, starts_in_h: int
) -> None:
    fleet.racks(2)
    held = hold(fleet, firm=True, starts_at_ms=fleet.hour(starts_in_h))
    fleet.desk.call("confirm_hold", LeaseRef(held.id), fleet.operator)
    (promised,) = [a.node_id for a in fleet.desk.book.allocations_of(held.id)]
    fleet.turn()
    bob = fleet.tenant("bob")
    spot = [fleet.lease(bob, SPOT, 8, H100, Shape.NODE, notice_s=60) for _ in range(2)]
    fleet.turn()
    fleet.fail(fleet.desk.book.nodes[promised].name, stopped=True)
    assert fleet.now(held).state is LeaseState.SCHEDULED
    fleet.pass_s(max(starts_in_h * 3_600 - 60, 0))  # when they are told
    fleet.pass_s(61)
    assert fleet.now(held).state is LeaseState.ACTIVE
    assert LeaseState.ACTIVE not in [fleet.now(lease).state for lease in spot]
    broken = [row.accelerator_ms_at(fleet.clock.instant_ms) for row in fleet.breaches(held)]
    assert sum(broken) <= 8 * 61_000


def test_a_hold_that_is_not_confirmed_takes_nobody_back(fleet: FleetBook) -> None:
    fleet.racks(1)
    fleet.lease(fleet.tenant("bob"), SPOT, 8, H100, Shape.NODE, notice_s=60)
    fleet.turn()
    with pytest.raises(Refused, match="hold_not_free"):
        hold(fleet, firm=True)


@pytest.fixture
def queued(fleet: FleetBook, monkeypatch: pytest.MonkeyPatch) -> FleetBook:
    """A soft hold somewhere ahead, and a queue that is tried in more than one turn."""
    monkeypatch.setattr(queueing, "MOST_PLANS_A_TURN", 4)
    monkeypatch.setattr(queueing, "PLANS_OF_A_SHADOW", 1)
    fleet.racks(2)
    acme = fleet.tenant("acme")
    fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=fleet.hour(30))
    hold(fleet, firm=False, starts_at_ms=fleet.hour(40))
    fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=fleet.hour(20))
    for n in range(8):
        fleet.lease(fleet.tenant(f"t{n}"), ON_DEMAND, 16, H100, ends_at_ms=fleet.hour(90 + n))
    fleet.turn()
    return fleet


def test_what_a_soft_hold_would_free_is_tried_without_the_whole_queue_being_tried_again(
    queued: FleetBook,
) -> None:
    book = queued.desk.book
    assert book.queue_tried_at == book.snapshot.version
    book.queue_tried_at = -1
    assert turns_until_idle(queued) > 1
    assert turns_until_idle(queued) == 1


def test_a_look_or_a_refusal_beside_a_soft_hold_leaves_the_queue_as_it_was_tried(
    queued: FleetBook,
) -> None:
    book = queued.desk.book
    acme = queued.desk.book.tenant_by_slug.first("acme")
    assert acme is not None
    wanted = RequestLease(H100, 8, ON_DEMAND, Shape.NODE, tenant_id=acme.id, duration_s=3_600)
    queued.desk.call("list_offers", AskOffers(wanted, (), explain=True), queued.operator)
    daily = parse_recurrence("daily 16:00 to 17:00 UTC")
    each = RequestLease(H100, 16, RESERVED, tenant_id=acme.id, starts_at_ms=START_MS)
    with pytest.raises(Refused, match="series_not_free"):
        queued.desk.call(
            "request_series", RequestSeries(daily, START_MS + 90 * HOUR_MS, each), queued.operator
        )
    assert book.queue_tried_at == book.snapshot.version


def test_only_what_was_looked_for_in_vain_is_remembered(fleet: FleetBook) -> None:
    fleet.racks(3)
    acme = fleet.tenant("acme")
    gang = fleet.lease(acme, ON_DEMAND, 16, H100, ends_at_ms=fleet.hour(9))
    fleet.turn()
    fleet.fail(next(iter(fleet.held(gang))), stopped=True)
    assert len(fleet.held(gang)) == 2
    assert fleet.desk.book.replaced_in_vain == {}
    fleet.fail(next(iter(fleet.held(gang))), stopped=True)
    assert list(fleet.desk.book.replaced_in_vain) == [gang.id]
    fleet.desk.call("end_lease", LeaseRef(gang.id), fleet.operator)
    fleet.pass_s(3_600)
    assert fleet.desk.book.replaced_in_vain == {}


def test_who_was_to_give_way_to_a_hold_gives_way_to_the_request_that_takes_its_place(
    fleet: FleetBook,
) -> None:
    fleet.racks(1)
    held = hold(fleet, firm=False, starts_at_ms=fleet.hour(1))
    spot = fleet.lease(fleet.tenant("bob"), SPOT, 2, H100)
    fleet.turn()
    assert fleet.now(spot).reclaimed_for == held.id
    zoe = fleet.tenant("zoe")
    start = fleet.hour(1) + 60_000
    taken = fleet.lease(zoe, RESERVED, 2, H100, starts_at_ms=start, ends_at_ms=start + HOUR_MS)
    assert taken.state is LeaseState.SCHEDULED
    assert fleet.now(held).state is LeaseState.CANCELLED
    assert fleet.now(spot).reclaimed_for == taken.id
    for _ in range(62):
        fleet.pass_s(60)
    assert fleet.now(taken).state is LeaseState.ACTIVE
