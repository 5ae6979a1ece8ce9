"""A node dies: what stood there is unbilled, replaced in its shape, and fenced before reuse."""

import pytest

from comptoir.desk.engine_port import AttemptSight, EngineNode, NodeSight
from comptoir.desk.failure_requests import SetSpare
from comptoir.desk.requests import (
    DeclareSupply,
    EndSupply,
    ExtendLease,
    LeaseRef,
    NewNode,
    NodeRef,
    Observed,
)
from comptoir.fleet.states import NodeState
from comptoir.leases.breaches import BreachCause
from comptoir.leases.jobs import JobState
from comptoir.leases.lease import LeaseClass, LeaseState, Reason, Shape
from comptoir.tenants.parties import Tenant, TenantKind
from comptoir.units.errors import Conflict, Invalid
from tests.builders import HOUR_MS
from tests.desk.fleet_book import H100, FleetBook

SPOT, ON_DEMAND = LeaseClass.SPOT, LeaseClass.ON_DEMAND
RESERVED, INTERNAL = LeaseClass.RESERVED, LeaseClass.INTERNAL


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> FleetBook:
    return FleetBook(tmp_path_factory.mktemp("fleet"))


@pytest.fixture
def acme(fleet: FleetBook) -> Tenant:
    return fleet.tenant("acme")


def test_a_lost_node_is_replaced_in_the_same_rack_and_the_rest_of_the_gang_stays(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(3, 3)
    lease = fleet.lease(acme, RESERVED, 16, H100, Shape.RACK, ends_at_ms=fleet.hour(2))
    fleet.turn()
    before = fleet.held(lease)
    gone, stays = sorted(before)
    fleet.pass_s(100)
    fleet.fail(gone)
    after = fleet.held(lease)
    assert fleet.now(lease).state is LeaseState.ACTIVE
    assert after[stays].id == before[stays].id
    (new,) = set(after) - {stays}
    assert fleet.node(new).rack == fleet.node(gone).rack
    assert new != gone
    (row,) = fleet.breaches(lease)
    assert row.cause is BreachCause.NODE_FAILED
    assert (row.accelerators, row.nodes, row.gang_accelerators) == (8, 2, 16)
    assert (row.accelerator_ms, row.replaced_by) == (0, fleet.node(new).id)


def test_a_replacement_never_stands_in_a_wider_place_than_the_shape(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(2, 3)
    fleet.lease(acme, SPOT, 24, H100, Shape.RACK)  # takes rack-1 whole
    lease = fleet.lease(acme, ON_DEMAND, 16, H100, Shape.RACK)
    fleet.turn()
    assert set(fleet.held(lease)) == {"r0n0", "r0n1"}
    nodes = (NewNode("elsewhere", 8, 0, rack="rack-9"),)
    fleet.desk.call("declare_supply", DeclareSupply("more", H100, nodes), fleet.operator)
    fleet.pass_s(60)
    fleet.fail("r0n0")
    assert set(fleet.held(lease)) == {"r0n1"}
    assert fleet.now(lease).lost == (8,)
    fleet.pass_s(3_600)
    fleet.do("repair_node", "r0n0")
    assert set(fleet.held(lease)) == {"r0n0", "r0n1"}
    (row,) = fleet.breaches(lease)
    assert row.accelerator_ms == 8 * 3_600_000
    assert fleet.now(lease).lost == ()


def test_undelivered_time_is_never_billed_and_adds_up_with_the_broken_guarantee(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(2)
    start, end = fleet.clock.instant_ms, fleet.hour(1)
    lease = fleet.lease(acme, RESERVED, 16, H100, Shape.RACK, ends_at_ms=end)
    fleet.turn()
    fleet.pass_s(600)
    fleet.fail("r0n1")
    fleet.pass_s(600)
    fleet.do("repair_node", "r0n1")
    fleet.pass_s(1_200)
    fleet.fail("r0n0")
    while fleet.clock.instant_ms < end:
        fleet.pass_s(300)
    fleet.pass_s(1)
    assert fleet.now(lease).state is LeaseState.ENDED
    broken = sum(row.accelerator_ms for row in fleet.breaches(lease))
    assert broken == 8 * (600_000 + 1_200_000)
    assert fleet.delivered_ms(lease) + broken == 16 * (end - start)
    assert all(not row.open for row in fleet.breaches(lease))


def test_a_failure_that_is_known_late_says_what_had_been_billed(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, Shape.NODE)
    fleet.turn()
    fleet.pass_s(60)  # booked up to here
    fleet.clock.instant_ms += 30_000
    died = fleet.clock.instant_ms - 50_000
    fleet.fail("r0n0", failed_at_ms=died)
    (row,) = fleet.breaches(lease)
    assert fleet.delivered_ms(lease) == 8 * 60_000
    assert (row.failed_at_ms, row.broken_from_ms) == (died, died + 20_000)
    assert row.billed_accelerator_ms == 8 * 20_000
    assert row.accelerator_ms_at(fleet.clock.instant_ms) == 8 * 30_000


def test_spares_are_kept_out_of_sale_and_replace_first(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(3)
    fleet.desk.call("set_spare", SetSpare(fleet.node("r0n2").id, True), fleet.operator)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, Shape.NODE)
    other = fleet.lease(acme, ON_DEMAND, 16, H100, Shape.RACK)
    fleet.turn()
    assert fleet.now(other).state is LeaseState.WAITING  # only the spare is left beside one node
    (name,) = fleet.held(lease)
    fleet.fail(name)
    assert set(fleet.held(lease)) == {"r0n2"}


def test_spot_gets_no_spare_and_waits_again(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(2, spare=False)
    fleet.desk.call("set_spare", SetSpare(fleet.node("r0n1").id, True), fleet.operator)
    lease = fleet.lease(acme, SPOT, 8, H100, Shape.NODE)
    fleet.turn()
    fleet.fail("r0n0")
    assert fleet.now(lease).state is LeaseState.WAITING
    assert fleet.now(lease).reason is Reason.NODE_LOST
    assert fleet.breaches(lease) == []


def test_what_is_left_of_a_spot_gang_is_stopped_with_its_notice(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(2)
    lease = fleet.lease(acme, SPOT, 16, H100, Shape.RACK, notice_s=30)
    fleet.turn()
    fleet.pass_s(60)
    fleet.fail("r0n0")
    stopping = fleet.now(lease)
    assert stopping.state is LeaseState.RECLAIMING
    assert stopping.kill_at_ms == fleet.clock.instant_ms + 30_000
    fleet.pass_s(31)
    assert fleet.now(lease).state is LeaseState.WAITING
    assert fleet.delivered_ms(lease) == 8 * 60_000 + 8 * 90_000


def test_a_guaranteed_lease_without_anything_left_waits_and_may_reclaim(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1, 1)
    spot = fleet.lease(acme, SPOT, 8, H100, Shape.NODE, notice_s=10)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, Shape.NODE)
    fleet.turn()
    (name,) = fleet.held(lease)
    fleet.pass_s(60)
    fleet.fail(name)
    assert fleet.now(lease).state is LeaseState.SCHEDULED  # spot gives way
    fleet.turn()
    fleet.pass_s(11)
    assert fleet.now(lease).state is LeaseState.ACTIVE
    assert fleet.now(spot).state is LeaseState.WAITING
    (row,) = fleet.breaches(lease)
    assert row.accelerator_ms == 8 * 11_000


def test_a_job_runs_again_on_the_replacement_once_its_stop_is_confirmed(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.supply(4, 4, engine="local")
    lease = fleet.lease(acme, ON_DEMAND, 4, shape=Shape.NODE)
    job = fleet.job(lease)
    fleet.turn()
    first = fleet.attempt(lease)
    fleet.see(first, AttemptSight.RUNNING)
    fleet.pass_s(10)
    (name,) = fleet.held(lease)
    fleet.fail(name)
    (new,) = fleet.held(lease)
    assert new != name
    assert fleet.attempt(lease).kill_at_ms == fleet.clock.instant_ms
    assert fleet.attempt(lease).number == 1  # the first may still run
    fleet.pass_s(5)
    fleet.see(fleet.attempt(lease), AttemptSight.EXITED, 137)
    again = fleet.attempt(lease)
    assert (again.number, again.node_id) == (2, fleet.node(new).id)
    assert fleet.desk.book.jobs[job.id].state is JobState.RUNNING


def test_an_order_that_never_reached_the_lost_node_is_given_again(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.supply(4, 4, engine="local")
    lease = fleet.lease(acme, ON_DEMAND, 4, shape=Shape.NODE)
    job = fleet.job(lease)
    fleet.turn()
    (name,) = fleet.held(lease)
    fleet.fail(name)
    refused = ((fleet.attempt(lease).id, "stopped_before_start"),)
    fleet.desk.call("observe", Observed("local", (), refused))
    fleet.turn()
    assert fleet.attempt(lease).number == 2
    assert fleet.desk.book.jobs[job.id].state is JobState.RUNNING


def test_an_attempt_nobody_reaches_is_given_up_after_the_fencing_time_and_no_sooner(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.supply(4, 4, engine="local")
    lease = fleet.lease(acme, ON_DEMAND, 4, shape=Shape.NODE)
    fleet.job(lease)
    fleet.turn()
    fleet.see(fleet.attempt(lease), AttemptSight.RUNNING)
    (name,) = fleet.held(lease)
    fleet.fail(name)
    fleet.pass_s(3_600)  # nobody has said that the node is out of reach: it may run on
    assert fleet.attempt(lease).number == 1
    since = fleet.clock.instant_ms
    fleet.sight(name, NodeSight.UNKNOWN, since)
    fleet.pass_s(299)
    fleet.sight(name, NodeSight.UNKNOWN, since)
    assert fleet.attempt(lease).number == 1
    fleet.pass_s(1)
    fleet.sight(name, NodeSight.UNKNOWN, since)
    assert fleet.attempt(lease).number == 2


def test_what_ran_on_a_node_that_its_engine_knows_to_be_dead_runs_again_at_once(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.supply(4, 4, engine="local")
    lease = fleet.lease(acme, ON_DEMAND, 4, shape=Shape.NODE)
    fleet.job(lease)
    fleet.turn()
    fleet.see(fleet.attempt(lease), AttemptSight.RUNNING)
    (name,) = fleet.held(lease)
    died = fleet.clock.instant_ms + 10_000
    fleet.clock.instant_ms += 15_000
    fleet.sight(name, NodeSight.FAILED, died)
    assert fleet.attempt(lease).number == 2
    (row,) = fleet.breaches(lease)
    assert row.accelerator_ms == 4 * 5_000


def test_nothing_is_handed_out_again_before_its_fence(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(1, fence_after_s=120)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, Shape.NODE)
    fleet.turn()
    (part,) = fleet.held(lease).values()
    fleet.fail("r0n0")
    fleet.desk.call("cancel_lease", LeaseRef(lease.id), fleet.operator)
    fleet.pass_s(119)
    lost = fleet.desk.book.allocations[part.id]
    assert lost.lost
    fleet.pass_s(1)
    stored = fleet.store.find("allocation", (part.id,))
    assert stored.fenced_at_ms == fleet.clock.instant_ms
    assert fleet.now(lease).id not in fleet.desk.book.leases


def test_whoever_says_that_it_is_stopped_fences_it_at_once(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(1)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, Shape.NODE)
    fleet.turn()
    (part,) = fleet.held(lease).values()
    fleet.fail("r0n0", stopped=True)
    assert fleet.store.find("allocation", (part.id,)).fenced_at_ms == fleet.clock.instant_ms


def test_promises_on_a_lost_node_look_elsewhere_and_are_broken_from_their_start(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(2)
    start = fleet.clock.instant_ms + HOUR_MS
    lease = fleet.lease(
        acme, RESERVED, 16, H100, Shape.RACK, starts_at_ms=start, ends_at_ms=start + HOUR_MS
    )
    assert lease.state is LeaseState.SCHEDULED
    fleet.fail("r0n0")
    assert fleet.now(lease).state is LeaseState.WAITING
    (row,) = fleet.breaches(lease)
    assert (row.broken_from_ms, row.accelerators, row.open) == (start, 16, True)
    assert row.accelerator_ms_at(fleet.clock.instant_ms) == 0
    fleet.pass_s(3_600 + 900)
    fleet.do("repair_node", "r0n0")
    assert fleet.now(lease).state is LeaseState.ACTIVE
    (row,) = fleet.breaches(lease)
    assert row.accelerator_ms == 16 * 900_000


def test_a_broken_promise_that_is_mended_before_it_begins_costs_nothing(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1, 1)
    start = fleet.clock.instant_ms + HOUR_MS
    lease = fleet.lease(
        acme, RESERVED, 8, H100, Shape.NODE, starts_at_ms=start, ends_at_ms=start + HOUR_MS
    )
    held = fleet.desk.book.allocations_of(lease.id)[0].node_id
    fleet.fail(fleet.desk.book.nodes[held].name)
    assert fleet.now(lease).state is LeaseState.SCHEDULED
    fleet.pass_s(3_600)
    assert fleet.now(lease).state is LeaseState.ACTIVE
    (row,) = fleet.breaches(lease)
    assert (row.accelerator_ms, row.open) == (0, False)


def test_a_window_that_passes_while_broken_is_a_broken_lease(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1)
    start = fleet.clock.instant_ms
    lease = fleet.lease(acme, RESERVED, 8, H100, Shape.NODE, ends_at_ms=fleet.hour(1))
    fleet.turn()
    fleet.pass_s(600)
    fleet.fail("r0n0")
    fleet.pass_s(7_200)
    assert fleet.now(lease).state is LeaseState.BROKEN
    (row,) = fleet.breaches(lease)
    assert row.broken_until_ms == start + HOUR_MS
    assert row.accelerator_ms == 8 * 3_000_000
    assert fleet.delivered_ms(lease) == 8 * 600_000


def test_extending_a_broken_lease_extends_what_is_broken(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(2)
    lease = fleet.lease(acme, RESERVED, 16, H100, Shape.RACK, ends_at_ms=fleet.hour(1))
    fleet.turn()
    fleet.fail("r0n0")
    fleet.desk.call("extend_lease", ExtendLease(lease.id, fleet.hour(2)), fleet.operator)
    fleet.pass_s(7_300)
    fleet.pass_s(1)
    (row,) = fleet.breaches(lease)
    assert row.accelerator_ms == 8 * 7_200_000


def test_ending_a_broken_lease_closes_its_rows(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(2)
    lease = fleet.lease(acme, ON_DEMAND, 16, H100, Shape.RACK, notice_s=60)
    fleet.turn()
    fleet.fail("r0n0")
    fleet.pass_s(100)
    fleet.desk.call("end_lease", LeaseRef(lease.id), fleet.operator)
    fleet.turn()
    (row,) = fleet.breaches(lease)
    assert (row.open, row.accelerator_ms) == (False, 8 * 100_000)
    assert fleet.delivered_ms(lease) == 8 * 100_000


def test_drain_resume_fail_and_repair_follow_the_edges(fleet: FleetBook) -> None:
    fleet.racks(1)
    node = fleet.node("r0n0")

    def ask(operation: str) -> NodeState:
        return fleet.desk.call(operation, NodeRef(node.id), fleet.operator).state

    assert ask("drain_node") is NodeState.DRAINING
    assert ask("resume_node") is NodeState.IN_SERVICE
    with pytest.raises(Conflict, match="node_not_failed"):
        ask("repair_node")
    fleet.fail("r0n0")
    with pytest.raises(Conflict, match="node_not_well"):
        ask("resume_node")
    assert ask("drain_node") is NodeState.FAILED
    assert ask("repair_node") is NodeState.IN_SERVICE
    with pytest.raises(Invalid, match="failure_in_the_future"):
        fleet.fail("r0n0", failed_at_ms=fleet.clock.instant_ms + 1)
    with pytest.raises(Invalid, match="failure_too_old"):
        fleet.fail("r0n0", failed_at_ms=fleet.clock.instant_ms - 63 * 86_400_000)


def test_a_drained_node_that_fails_keeps_its_operators_wish_until_it_is_repaired(
    fleet: FleetBook,
) -> None:
    fleet.supply(4, engine="local")
    fleet.desk.call("drain_node", NodeRef(fleet.node("node-0").id), fleet.operator)
    for sight, expected in (
        (NodeSight.UNKNOWN, NodeState.UNKNOWN),
        (NodeSight.WELL, NodeState.DRAINING),
    ):
        seen = EngineNode("node-0", "cpu-core", 4, 0, sight, fleet.clock.instant_ms)
        fleet.desk.call("observe", Observed("local", nodes=(seen,)))
        assert fleet.node("node-0").state is expected


def test_supply_with_a_lost_node_ends_once_it_is_fenced(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(1)
    fleet.lease(acme, SPOT, 8, H100, Shape.NODE)
    fleet.turn()
    fleet.fail("r0n0")
    (inbound,) = [x for x in fleet.desk.book.inbound if x.kind == H100]
    fleet.desk.call("end_supply", EndSupply(inbound.id), fleet.operator)
    fleet.pass_s(299)
    assert inbound.id in fleet.desk.book.inbound
    fleet.pass_s(2)
    assert inbound.id not in fleet.desk.book.inbound


def test_a_team_is_guaranteed_what_it_has_too(fleet: FleetBook) -> None:
    team = fleet.tenant("ranking", TenantKind.TEAM)
    fleet.racks(1)
    lease = fleet.lease(team, INTERNAL, 8, H100, Shape.NODE)
    fleet.turn()
    fleet.fail("r0n0")
    assert [row.lease_class for row in fleet.breaches(lease)] == [INTERNAL]
