"""Whoever can be met in several ways overtakes nobody who waits for one of the other kinds."""

from typing import Any

import pytest

from comptoir.desk.operations import queueing
from comptoir.desk.requests import LeaseRef
from comptoir.leases.lease import Alternative, Lease, LeaseClass, LeaseState, Shape
from comptoir.tenants.parties import Tenant
from tests.builders import START_MS
from tests.desk.fleet_book import H100, FleetBook

INTERNAL, RESERVED, ON_DEMAND, SPOT = LeaseClass
OR_A_NODE = (Alternative(H100, 8, Shape.NODE),)


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> FleetBook:
    """One core, which is taken for ever, and two nodes of eight."""
    fleet = FleetBook(tmp_path_factory.mktemp("fleet"))
    fleet.supply(1)
    fleet.racks(2)
    return fleet


@pytest.fixture
def acme(fleet: FleetBook) -> Tenant:
    acme = fleet.tenant("acme")
    fleet.lease(acme, ON_DEMAND, 1)
    return acme


def core_or_node(fleet: FleetBook, tenant: Tenant, hours: int, **more: Any) -> Lease:
    end = fleet.hour(hours)
    return fleet.lease(
        tenant, ON_DEMAND, 1, shape=Shape.NODE, ends_at_ms=end, alternatives=OR_A_NODE, **more
    )


def starts_in_h(fleet: FleetBook, lease: Lease) -> float | None:
    why = fleet.desk.call("explain_lease", LeaseRef(lease.id), fleet.operator)
    start_ms = why.expected_start_ms
    return None if start_ms is None else (start_ms - START_MS) / 3_600_000


def test_a_request_leaves_who_waits_for_its_other_kind_the_start_that_it_can_have(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=fleet.hour(1))
    gang = fleet.lease(acme, ON_DEMAND, 16, H100, ends_at_ms=fleet.hour(9))
    fleet.turn()
    long = core_or_node(fleet, acme, 5)
    fleet.turn()
    assert fleet.now(long).state is LeaseState.WAITING
    assert starts_in_h(fleet, gang) == 1
    short = core_or_node(fleet, acme, 1)
    fleet.turn()
    assert (fleet.now(short).state, fleet.now(short).kind) == (LeaseState.ACTIVE, H100)
    assert starts_in_h(fleet, gang) == 1


@pytest.mark.parametrize("other_ends_in_h", [1, 2])
def test_a_turn_tries_other_kinds_behind_those_who_wait_for_them(
    fleet: FleetBook, acme: Tenant, other_ends_in_h: int
) -> None:
    fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=fleet.hour(1))
    fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=fleet.hour(other_ends_in_h))
    gang = fleet.lease(acme, ON_DEMAND, 16, H100, ends_at_ms=fleet.hour(9))
    other = core_or_node(fleet, acme, 8)
    fleet.turn()
    fleet.pass_s(3_600)
    fleet.pass_s(3_600)
    assert fleet.now(gang).state is LeaseState.ACTIVE
    assert fleet.now(other).state is LeaseState.WAITING


def test_another_kind_comes_after_those_who_ask_for_it_but_spot_gives_way_to_it(
    fleet: FleetBook, acme: Tenant
) -> None:
    first = fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=fleet.hour(1))
    fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=fleet.hour(7))
    ahead = core_or_node(fleet, acme, 8)
    behind = fleet.lease(acme, SPOT, 8, H100)
    fleet.turn()
    assert fleet.now(ahead).state is LeaseState.WAITING
    fleet.desk.call("end_lease", LeaseRef(first.id), fleet.operator)
    for _ in range(12):  # spot is let in, has its minimum runtime, and its notice
        fleet.pass_s(60)
    assert {fleet.now(ahead).kind: fleet.now(ahead).state} == {H100: LeaseState.ACTIVE}
    assert fleet.now(behind).state is LeaseState.WAITING


def test_other_kinds_are_tried_for_everybody_however_many_turns_it_takes(
    fleet: FleetBook, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queueing, "MOST_PLANS_A_TURN", 2)
    fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=fleet.hour(1))
    fleet.lease(acme, ON_DEMAND, 8, H100, ends_at_ms=fleet.hour(1))
    wait = [core_or_node(fleet, acme, 3 + n) for n in range(5)]
    fleet.turn()
    assert {fleet.now(lease).state for lease in wait} == {LeaseState.WAITING}
    fleet.pass_s(3_600)
    fleet.pass_s(31)  # they were told late, and have their notice
    assert [fleet.now(lease).state for lease in wait[:2]] == [LeaseState.ACTIVE] * 2
    assert {fleet.now(lease).state for lease in wait[2:]} == {LeaseState.WAITING}
