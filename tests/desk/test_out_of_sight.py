"""A node that nobody sees: not sold, billed or moved until it is known what became of it."""

import pytest

from comptoir.desk.engine_port import AttemptSight, EngineNode, NodeSight
from comptoir.desk.requests import (
    LeaseRef,
    Observed,
)
from comptoir.fleet.states import NodeState
from comptoir.leases.breaches import BreachCause
from comptoir.leases.lease import LeaseClass, LeaseState, Shape
from comptoir.tenants.parties import Tenant
from tests.desk.fleet_book import FleetBook

SPOT, ON_DEMAND = LeaseClass.SPOT, LeaseClass.ON_DEMAND
RESERVED, INTERNAL = LeaseClass.RESERVED, LeaseClass.INTERNAL


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> FleetBook:
    return FleetBook(tmp_path_factory.mktemp("fleet"))


@pytest.fixture
def acme(fleet: FleetBook) -> Tenant:
    return fleet.tenant("acme")


def test_a_node_out_of_sight_is_not_sold_billed_or_moved_until_it_is_known(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.supply(4, 4, engine="local")
    lease = fleet.lease(acme, ON_DEMAND, 4, shape=Shape.NODE)
    fleet.turn()
    fleet.pass_s(60)
    (name,) = fleet.held(lease)
    since = fleet.clock.instant_ms
    fleet.clock.instant_ms += 40_000
    lost = EngineNode(name, "cpu-core", 4, 1 << 30, NodeSight.UNKNOWN, since, "no answer")
    fleet.desk.call("observe", Observed("local", nodes=(lost,)))
    fleet.turn()
    assert fleet.node(name).state is NodeState.UNKNOWN
    fleet.pass_s(200)
    assert fleet.delivered_ms(lease) == 4 * 60_000
    assert set(fleet.held(lease)) == {name}
    both = fleet.lease(acme, ON_DEMAND, 8)
    assert both.state is LeaseState.WAITING
    fleet.desk.call("cancel_lease", LeaseRef(both.id), fleet.operator)
    well = EngineNode(name, "cpu-core", 4, 1 << 30)
    fleet.desk.call("observe", Observed("local", nodes=(well,)))
    fleet.turn()
    assert fleet.node(name).state is NodeState.IN_SERVICE
    assert fleet.delivered_ms(lease) == 4 * 300_000  # it was there all along
    assert fleet.breaches(lease) == []


def test_a_node_out_of_sight_for_its_fencing_time_has_failed_since_it_was_last_seen(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.supply(4, 4, engine="local")
    lease = fleet.lease(acme, ON_DEMAND, 4, shape=Shape.NODE)
    fleet.job(lease)
    fleet.turn()
    fleet.see(fleet.attempt(lease), AttemptSight.RUNNING)
    (name,) = fleet.held(lease)
    since = fleet.clock.instant_ms
    lost = EngineNode(name, "cpu-core", 4, 1 << 30, NodeSight.UNKNOWN, since, "no answer")
    fleet.desk.call("observe", Observed("local", nodes=(lost,)))
    fleet.pass_s(300)
    assert fleet.node(name).state is NodeState.UNKNOWN  # it may be back, for all the book knows
    fleet.sight(name, NodeSight.UNKNOWN, since)
    assert fleet.node(name).state is NodeState.FAILED
    assert fleet.delivered_ms(lease) == 0
    (row,) = fleet.breaches(lease)
    assert (row.cause, row.accelerator_ms) == (BreachCause.NODE_UNKNOWN, 4 * 300_000)
    assert fleet.attempt(lease).number == 2


def test_a_node_that_came_back_after_it_had_cut_itself_off_has_failed(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.supply(4, 4, engine="local")
    lease = fleet.lease(acme, ON_DEMAND, 4, shape=Shape.NODE)
    fleet.turn()
    (name,) = fleet.held(lease)
    since = fleet.clock.instant_ms
    fleet.sight(name, NodeSight.UNKNOWN, since)
    fleet.pass_s(400)
    fleet.sight(name, NodeSight.WELL, since + 310_000)
    assert fleet.node(name).state is NodeState.FAILED
    assert set(fleet.held(lease)) == {"node-0", "node-1"} - {name}


def test_what_was_seen_before_a_repair_says_nothing_after_it(fleet: FleetBook) -> None:
    fleet.supply(4, engine="local")
    seen_at = fleet.clock.instant_ms
    seen = EngineNode("node-0", "cpu-core", 4, 0, NodeSight.FAILED, seen_at)
    fleet.desk.call("observe", Observed("local", nodes=(seen,), seen_at_ms=seen_at))
    fleet.pass_s(60)
    fleet.do("repair_node", "node-0")
    for told_at in (seen_at, fleet.clock.instant_ms):  # also in the millisecond of the repair
        fleet.desk.call("observe", Observed("local", nodes=(seen,), seen_at_ms=told_at))
        assert fleet.node("node-0").state is NodeState.IN_SERVICE


def test_a_lease_that_ends_on_a_node_out_of_sight_is_billed_to_when_it_was_last_seen(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.supply(4, engine="local")
    lease = fleet.lease(acme, ON_DEMAND, 4, shape=Shape.NODE)
    fleet.turn()
    fleet.pass_s(60)
    lost = EngineNode(
        "node-0", "cpu-core", 4, 0, NodeSight.UNKNOWN, fleet.clock.instant_ms, "no answer"
    )
    fleet.desk.call("observe", Observed("local", nodes=(lost,)))
    fleet.pass_s(100)
    fleet.desk.call("end_lease", LeaseRef(lease.id), fleet.operator)
    fleet.turn()
    assert fleet.now(lease).state is LeaseState.ENDED
    assert fleet.delivered_ms(lease) == 4 * 60_000
    (row,) = fleet.breaches(lease)
    assert (row.cause, row.accelerator_ms) == (BreachCause.NODE_UNKNOWN, 4 * 100_000)
