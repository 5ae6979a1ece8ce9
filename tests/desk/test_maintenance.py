"""Planned work: nothing is promised into it, what stands there moves before it or is told."""

import json

import pytest

from comptoir.desk.engine_port import AttemptSight
from comptoir.desk.requests import ExtendLease, LeaseRef
from comptoir.fleet.states import NodeState
from comptoir.leases.breaches import BreachCause
from comptoir.leases.lease import LeaseClass, LeaseState, Reason, Shape
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Conflict, Invalid, Refused
from comptoir.units.values import replace
from tests.builders import HOUR_MS
from tests.desk.fleet_book import H100, FleetBook

SPOT, ON_DEMAND, RESERVED = LeaseClass.SPOT, LeaseClass.ON_DEMAND, LeaseClass.RESERVED


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> FleetBook:
    return FleetBook(tmp_path_factory.mktemp("fleet"))


@pytest.fixture
def acme(fleet: FleetBook) -> Tenant:
    return fleet.tenant("acme")


def test_nothing_is_promised_into_planned_work_and_everything_up_to_it(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1)
    fleet.maintain("r0n0", fleet.hour(2), fleet.hour(3))
    before = fleet.lease(acme, RESERVED, 8, H100, ends_at_ms=fleet.hour(2))
    into = fleet.lease(acme, RESERVED, 8, H100, ends_at_ms=fleet.hour(2) + 1)
    endless = fleet.lease(acme, ON_DEMAND, 8, H100)
    late = {"starts_at_ms": fleet.hour(3) - 1, "ends_at_ms": fleet.hour(4)}
    across = fleet.lease(acme, RESERVED, 8, H100, **late)
    assert before.state is LeaseState.SCHEDULED
    assert into.state is LeaseState.WAITING
    assert across.state is LeaseState.WAITING
    fleet.desk.call("cancel_lease", LeaseRef(across.id), fleet.operator)
    assert endless.state is LeaseState.WAITING
    fleet.desk.call("cancel_lease", LeaseRef(into.id), fleet.operator)
    fleet.pass_s(2 * 3_600)
    assert fleet.node("r0n0").state is NodeState.MAINTENANCE
    assert fleet.now(endless).state is LeaseState.WAITING
    fleet.pass_s(3_600)
    assert fleet.node("r0n0").state is NodeState.IN_SERVICE
    assert fleet.node("r0n0").maintenance is None
    assert fleet.now(endless).state is LeaseState.ACTIVE


def test_open_ended_spot_fills_the_time_before_the_work(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(1)
    fleet.maintain("r0n0", fleet.hour(2))
    spot = fleet.lease(acme, SPOT, 8, H100, notice_s=60)
    fleet.turn()
    assert fleet.held(spot)["r0n0"].ends_at_ms == fleet.hour(2)
    fleet.pass_s(2 * 3_600 - 60)
    assert fleet.now(spot).state is LeaseState.RECLAIMING
    assert fleet.now(spot).reason is Reason.NODE_MAINTENANCE
    fleet.pass_s(60)
    assert fleet.now(spot).state is LeaseState.WAITING
    assert fleet.node("r0n0").state is NodeState.MAINTENANCE


def test_what_stands_there_is_told_and_moves_before_the_work_without_a_break(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(2)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, Shape.NODE, notice_s=600)
    fleet.turn()
    (old,) = fleet.held(lease)
    start = fleet.clock.instant_ms
    fleet.maintain(old, fleet.hour(1), fleet.hour(2))
    assert fleet.told("lease.maintenance_announced") == [lease.id]
    fleet.pass_s(2_999)
    assert set(fleet.held(lease)) == {old}
    fleet.pass_s(1)
    (new,) = fleet.held(lease)
    assert new != old
    assert fleet.node(old).state is NodeState.DRAINING
    fleet.pass_s(600)
    assert fleet.node(old).state is NodeState.MAINTENANCE
    assert fleet.breaches(lease) == []
    fleet.pass_s(1)
    fleet.desk.call("end_lease", LeaseRef(lease.id), fleet.operator)
    assert fleet.delivered_ms(lease) == 8 * (fleet.clock.instant_ms - start)


def test_a_job_moves_with_its_notice(fleet: FleetBook, acme: Tenant) -> None:
    fleet.supply(4, 4, engine="local")
    lease = fleet.lease(acme, ON_DEMAND, 4, shape=Shape.NODE, notice_s=60)
    fleet.job(lease)
    fleet.turn()
    fleet.see(fleet.attempt(lease), AttemptSight.RUNNING)
    (old,) = fleet.held(lease)
    work = fleet.hour(1)
    fleet.maintain(old, work)
    fleet.pass_s(3_540)
    assert fleet.attempt(lease).stop_at_ms == fleet.clock.instant_ms
    assert fleet.attempt(lease).kill_at_ms == work
    fleet.pass_s(20)
    fleet.see(fleet.attempt(lease), AttemptSight.EXITED, 143)
    (new,) = fleet.held(lease)
    assert (fleet.attempt(lease).number, fleet.attempt(lease).node_id) == (2, fleet.node(new).id)


def test_a_guaranteed_lease_that_cannot_move_has_a_broken_guarantee_with_its_own_cause(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(2)
    lease = fleet.lease(acme, ON_DEMAND, 16, H100, Shape.RACK)
    fleet.turn()
    fleet.maintain("r0n0", fleet.hour(1), fleet.hour(2))
    fleet.pass_s(3_600)
    assert set(fleet.held(lease)) == {"r0n1"}
    (row,) = fleet.breaches(lease)
    assert (row.cause, row.because) == (BreachCause.MAINTENANCE, "new firmware")
    fleet.pass_s(3_600)
    assert set(fleet.held(lease)) == {"r0n0", "r0n1"}
    (row,) = fleet.breaches(lease)
    assert row.accelerator_ms == 8 * HOUR_MS


def test_spot_that_cannot_move_is_stopped_with_its_notice(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(1)
    spot = fleet.lease(acme, SPOT, 8, H100, notice_s=120)
    fleet.turn()
    fleet.maintain("r0n0", fleet.hour(1))
    fleet.pass_s(3_480)
    assert fleet.now(spot).state is LeaseState.RECLAIMING
    assert fleet.now(spot).kill_at_ms == fleet.clock.instant_ms + 120_000
    fleet.pass_s(121)
    assert fleet.now(spot).state is LeaseState.WAITING
    assert fleet.breaches(spot) == []


def test_promises_into_the_work_look_elsewhere(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(1, 1)
    lease = fleet.lease(
        acme, RESERVED, 8, H100, Shape.NODE, starts_at_ms=fleet.hour(1), ends_at_ms=fleet.hour(3)
    )
    (first,) = {a.node_id for a in fleet.desk.book.allocations_of(lease.id)}
    fleet.maintain(fleet.desk.book.nodes[first].name, fleet.hour(2))
    now = fleet.now(lease)
    assert now.state is LeaseState.SCHEDULED
    (part,) = [a for a in fleet.desk.book.allocations_of(lease.id) if a.fenced_at_ms is None]
    assert part.node_id != first


def test_planned_work_is_called_off_ended_early_and_refused_in_the_past(fleet: FleetBook) -> None:
    fleet.racks(1)
    with pytest.raises(Invalid, match="start_in_the_past"):
        fleet.maintain("r0n0", fleet.clock.instant_ms - 1)
    fleet.maintain("r0n0", fleet.hour(1))
    assert fleet.maintain("r0n0", None).maintenance is None
    fleet.maintain("r0n0", fleet.hour(1))
    fleet.pass_s(3_600)
    with pytest.raises(Conflict, match="maintenance_began"):
        fleet.maintain("r0n0", fleet.hour(1))
    assert fleet.do("resume_node", "r0n0").state is NodeState.IN_SERVICE


def test_a_request_that_planned_work_delays_waits_and_is_not_refused(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(2)
    fleet.maintain("r0n0", fleet.hour(1), fleet.hour(2))
    whole = fleet.lease(acme, ON_DEMAND, 16, H100, Shape.RACK)
    assert whole.state is LeaseState.WAITING
    fleet.pass_s(2 * 3_600)
    assert fleet.now(whole).state is LeaseState.ACTIVE


def test_a_window_after_the_work_is_promised_on_the_node_and_handed_over_in_time(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(3)
    fleet.maintain("r0n1", fleet.hour(1), fleet.hour(2))
    block = {"starts_at_ms": fleet.hour(2), "ends_at_ms": fleet.hour(5)}
    whole = fleet.lease(acme, RESERVED, 24, H100, Shape.RACK, **block)
    assert whole.state is LeaseState.SCHEDULED  # a gang over its rack, the node among others
    fleet.pass_s(3_600)
    assert fleet.node("r0n1").state is NodeState.MAINTENANCE
    assert fleet.now(whole).state is LeaseState.SCHEDULED
    fleet.pass_s(3_600)
    assert fleet.now(whole).state is LeaseState.ACTIVE
    assert set(fleet.held(whole)) == {"r0n0", "r0n1", "r0n2"}
    assert fleet.breaches(whole) == []


def test_a_flexible_start_is_found_when_the_work_is_over(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(1)
    work = fleet.hour(1), fleet.hour(2)
    fleet.maintain("r0n0", *work)
    soon = {"latest_start_ms": fleet.hour(9), "duration_s": 7_200}
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, **soon)
    assert (lease.state, lease.scheduled_start_ms) == (LeaseState.SCHEDULED, work[1])


def test_work_that_is_put_off_takes_what_is_promised_into_its_new_window_with_it(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1)
    fleet.maintain("r0n0", fleet.hour(1), fleet.hour(2))
    block = {"starts_at_ms": fleet.hour(2), "ends_at_ms": fleet.hour(3)}
    after = fleet.lease(acme, RESERVED, 8, H100, **block)
    assert after.state is LeaseState.SCHEDULED
    fleet.maintain("r0n0", fleet.hour(1), fleet.hour(2) + 1)
    assert fleet.now(after).state is LeaseState.WAITING
    assert [row.cause for row in fleet.breaches(after)] == [BreachCause.MAINTENANCE]
    assert fleet.node("r0n0").because == "new firmware"
    fleet.maintain("r0n0", None)
    assert fleet.node("r0n0").because == ""
    assert fleet.now(after).state is LeaseState.SCHEDULED


def test_a_lease_may_be_extended_up_to_the_work(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(1)
    lease = fleet.lease(acme, RESERVED, 8, H100, ends_at_ms=fleet.hour(1))
    fleet.turn()
    work = fleet.hour(3)
    fleet.maintain("r0n0", work, fleet.hour(4))
    fleet.pass_s(1_800)
    with fleet.store.engine.connect() as connection:
        sql = "SELECT data FROM event WHERE type = 'lease.ending'"
        told = json.loads(connection.exec_driver_sql(sql).scalar_one())
    assert told["extendable_until_ms"] == work
    extend = ExtendLease(lease.id, work + 1)
    with pytest.raises(Refused, match="not_free"):
        fleet.desk.call("extend_lease", extend, fleet.operator)
    fleet.desk.call("extend_lease", replace(extend, ends_at_ms=work), fleet.operator)
    assert fleet.now(lease).ends_at_ms == work


def test_planned_work_that_is_put_off_gives_the_node_back(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(1)
    fleet.lease(acme, LeaseClass.ON_DEMAND, 8, H100, notice_s=600)
    fleet.turn()
    fleet.maintain("r0n0", fleet.hour(1), fleet.hour(2))
    fleet.pass_s(3_001)
    assert fleet.node("r0n0").state is NodeState.DRAINING
    fleet.maintain("r0n0", fleet.hour(24 * 42), fleet.hour(24 * 43))
    assert fleet.node("r0n0").state is NodeState.IN_SERVICE
