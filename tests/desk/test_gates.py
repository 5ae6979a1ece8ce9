"""Health gates: a node is sold after its checks; a delivery is accepted, or sent back unbilled."""

import pytest

from comptoir.desk.check_loop import AGAIN_AFTER_MS, CheckLoop
from comptoir.desk.engine_port import NodeSight
from comptoir.desk.failure_requests import AcceptDelivery, RejectNode, ReportChecks
from comptoir.desk.requests import DeclareSupply, LeaseRef, NewNode, ShrinkLease
from comptoir.fleet.checks import MOST_EVIDENCE_BYTES, CheckOutcome, CheckResult
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.leases.breaches import BreachCause
from comptoir.leases.lease import LeaseClass, LeaseState, Shape
from comptoir.simulation.audit_memory import memory_problems
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Conflict, Invalid, NotFound, Refused
from tests.builders import HOUR_MS
from tests.desk.fleet_book import H100, FleetBook

ON_DEMAND = LeaseClass.ON_DEMAND


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> FleetBook:
    return FleetBook(tmp_path_factory.mktemp("fleet"))


@pytest.fixture
def acme(fleet: FleetBook) -> Tenant:
    return fleet.tenant("acme")


def test_a_gated_node_is_sold_only_after_its_checks(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(1, gated=True)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100)
    assert lease.state is LeaseState.WAITING
    assert fleet.report("r0n0", memory=True, links=False).state is NodeState.CHECKING
    assert fleet.node("r0n0").because == "check links failed: seen"
    with pytest.raises(Conflict, match="node_not_well"):
        fleet.do("resume_node", "r0n0")
    assert fleet.report("r0n0", memory=True, links=True).state is NodeState.IN_SERVICE
    assert fleet.now(lease).state is LeaseState.ACTIVE


def test_a_gated_node_is_checked_between_two_tenants_and_not_for_the_same(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1, gated=True)
    fleet.report("r0n0", memory=True)
    first = fleet.lease(acme, ON_DEMAND, 4, H100)
    second = fleet.lease(acme, ON_DEMAND, 4, H100)
    other = fleet.lease(fleet.tenant("zenith"), ON_DEMAND, 8, H100)
    fleet.turn()
    fleet.desk.call("end_lease", LeaseRef(first.id), fleet.operator)
    fleet.pass_s(31)
    assert fleet.node("r0n0").state is NodeState.IN_SERVICE  # the tenant is still there
    fleet.desk.call("end_lease", LeaseRef(second.id), fleet.operator)
    fleet.pass_s(31)
    assert fleet.node("r0n0").state is NodeState.CHECKING
    assert fleet.now(other).state is LeaseState.WAITING
    fleet.report("r0n0", memory=True)
    assert fleet.now(other).state is LeaseState.ACTIVE


def test_checks_of_long_ago_or_of_later_say_nothing_passed_or_not(fleet: FleetBook) -> None:
    fleet.racks(1, gated=True)
    old, late = fleet.hour(-7 * 24 - 1), fleet.hour(1)
    for passed in (True, False):
        with pytest.raises(Invalid, match="check_too_old: the checks are said to be of"):
            fleet.report("r0n0", at_ms=old, memory=passed)
        with pytest.raises(Invalid, match="check_in_the_future"):
            fleet.report("r0n0", at_ms=late, memory=passed)
    assert fleet.node("r0n0").state is NodeState.CHECKING


def test_a_node_given_back_by_shrinking_is_checked(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(2, gated=True)
    for name in ("r0n0", "r0n1"):
        fleet.report(name, memory=True)
    lease = fleet.lease(acme, ON_DEMAND, 16, H100)
    fleet.turn()
    fleet.desk.call("shrink_lease", ShrinkLease(lease.id, 8), fleet.operator)
    (kept,) = fleet.held(lease)
    (given,) = {"r0n0", "r0n1"} - {kept}
    assert fleet.node(given).state is NodeState.CHECKING
    assert fleet.node(kept).state is NodeState.IN_SERVICE


def test_a_node_left_for_planned_work_that_is_called_off_is_checked(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(2, gated=True)
    for name in ("r0n0", "r0n1"):
        fleet.report(name, memory=True)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, Shape.NODE, notice_s=600)
    fleet.turn()
    (left,) = fleet.held(lease)
    fleet.maintain(left, fleet.hour(1), fleet.hour(2))
    fleet.pass_s(3_001)  # it has moved
    fleet.maintain(left, None)
    fleet.pass_s(3_600)
    assert fleet.node(left).state is NodeState.CHECKING


def test_whoever_comes_between_two_windows_of_one_tenant_gets_a_checked_node(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1, gated=True)
    fleet.report("r0n0", memory=True)
    reserved = LeaseClass.RESERVED
    fleet.lease(acme, reserved, 8, H100, ends_at_ms=fleet.hour(1))
    window = {"starts_at_ms": fleet.hour(10), "ends_at_ms": fleet.hour(11)}
    fleet.lease(acme, reserved, 8, H100, **window)
    between = {"starts_at_ms": fleet.hour(1), "ends_at_ms": fleet.hour(3)}
    other = fleet.lease(fleet.tenant("zenith"), reserved, 8, H100, **between)
    fleet.turn()
    fleet.pass_s(3_601)
    assert fleet.now(other).state is LeaseState.SCHEDULED
    fleet.report("r0n0", memory=True)
    assert fleet.now(other).state is LeaseState.ACTIVE


def test_a_window_of_the_same_tenant_that_is_over_keeps_nobody_from_checking(
    fleet: FleetBook, acme: Tenant
) -> None:
    """Both windows of acme pass while nothing turns: who comes next gets a checked node."""
    fleet.racks(1, gated=True)
    fleet.report("r0n0", memory=True)
    now = fleet.clock.instant_ms
    for starts, ends in ((now, now + HOUR_MS), (now + HOUR_MS, now + 2 * HOUR_MS)):
        fleet.lease(acme, LeaseClass.RESERVED, 8, H100, starts_at_ms=starts, ends_at_ms=ends)
    fleet.turn()
    other = fleet.lease(fleet.tenant("zenith"), ON_DEMAND, 8, H100)
    fleet.pass_s(10 * 3_600)
    assert fleet.node("r0n0").state is NodeState.CHECKING
    assert fleet.now(other).state is LeaseState.WAITING
    fleet.report("r0n0", memory=True)
    assert fleet.now(other).state is LeaseState.ACTIVE


def test_a_check_that_failed_has_to_pass_by_its_name(fleet: FleetBook) -> None:
    fleet.racks(1, gated=True)
    fleet.report("r0n0", memory=True, links=False)
    assert fleet.report("r0n0", colour=True).state is NodeState.CHECKING
    with pytest.raises(Conflict, match="until links has passed"):
        fleet.do("resume_node", "r0n0")
    assert fleet.report("r0n0", links=True).state is NodeState.IN_SERVICE


def test_a_check_from_before_a_repair_says_nothing_after_it(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(1)
    checked_at = fleet.clock.instant_ms
    fleet.pass_s(60)
    fleet.fail("r0n0")
    fleet.pass_s(60)
    fleet.do("repair_node", "r0n0")
    lease = fleet.lease(acme, ON_DEMAND, 8, H100)
    fleet.turn()
    fleet.report("r0n0", at_ms=checked_at, links=False)
    assert fleet.node("r0n0").state is NodeState.IN_SERVICE
    assert fleet.now(lease).state is LeaseState.ACTIVE


def test_planned_work_does_not_stand_for_checks_that_are_owed(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1, accept_within_s=3_600)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100)
    fleet.turn()
    fleet.desk.call("reject_node", RejectNode(lease.id, "r0n0", "links"), fleet.operator)
    fleet.maintain("r0n0", fleet.hour(1), fleet.hour(2))
    fleet.pass_s(3_601)
    assert fleet.node("r0n0").state is NodeState.MAINTENANCE
    fleet.report("r0n0", links=False)
    fleet.pass_s(3_600)
    assert fleet.node("r0n0").state is NodeState.CHECKING
    assert fleet.report("r0n0", links=True).state is NodeState.IN_SERVICE


def test_a_node_lost_from_sight_in_quarantine_still_owes_its_checks(fleet: FleetBook) -> None:
    fleet.racks(1, engine="local", gated=True)
    fleet.pass_s(60)
    fleet.sight("r0n0", NodeSight.UNKNOWN, fleet.clock.instant_ms)
    fleet.pass_s(60)
    fleet.sight("r0n0", NodeSight.WELL)
    assert fleet.node("r0n0").state is NodeState.CHECKING


def test_what_stays_of_a_lease_that_shrinks_on_approval_is_still_on_approval(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1, accept_within_s=24 * 3_600)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100)
    fleet.turn()
    fleet.pass_s(5 * 3_600)
    fleet.desk.call("shrink_lease", ShrinkLease(lease.id, 7), fleet.operator)
    fleet.desk.call("reject_node", RejectNode(lease.id, "r0n0", "slow"), fleet.operator)
    fleet.turn()
    assert fleet.delivered_ms(lease) == 5 * HOUR_MS  # the one that was given back, and no other


def test_a_promise_on_a_node_in_quarantine_is_kept_once_its_checks_pass(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1, gated=True)
    fleet.report("r0n0", memory=True)
    end = fleet.hour(1)
    fleet.lease(acme, LeaseClass.RESERVED, 8, H100, ends_at_ms=end)
    other = fleet.lease(
        fleet.tenant("zenith"), LeaseClass.RESERVED, 8, H100, starts_at_ms=end,
        ends_at_ms=end + HOUR_MS,
    )  # fmt: skip
    assert other.state is LeaseState.SCHEDULED
    fleet.turn()
    fleet.pass_s(3_600)
    assert fleet.node("r0n0").state is NodeState.CHECKING
    assert fleet.now(other).state is LeaseState.SCHEDULED
    fleet.pass_s(120)
    (row,) = fleet.breaches(other)
    assert (row.cause, row.broken_from_ms) == (BreachCause.LATE, end)
    fleet.report("r0n0", memory=True)
    assert fleet.now(other).state is LeaseState.ACTIVE
    (row,) = fleet.breaches(other)
    assert row.accelerator_ms == 8 * 120_000


def test_a_failed_check_of_a_node_in_service_is_its_death(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(2)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, Shape.NODE)
    fleet.turn()
    (name,) = fleet.held(lease)
    fleet.clock.instant_ms += 60_000
    at = fleet.clock.instant_ms - 20_000
    fleet.report(name, at_ms=at, ecc=False)
    assert fleet.node(name).state is NodeState.FAILED
    assert name not in fleet.held(lease)
    (row,) = fleet.breaches(lease)
    assert (row.failed_at_ms, row.accelerator_ms) == (at, 8 * 20_000)
    assert fleet.report(name, ecc=True).state is NodeState.FAILED  # only a repair brings it back


def test_evidence_is_kept_in_order_and_bounded(fleet: FleetBook) -> None:
    fleet.racks(1)
    fleet.report("r0n0", memory=True, links=True)
    fleet.report("r0n0", memory=True)
    rows = [fleet.store.find("node_check", (seq,)) for seq in (1, 2, 3)]
    assert [(row.name, row.evidence) for row in rows if row] == [
        ("memory", "seen"), ("links", "seen"), ("memory", "seen"),
    ]  # fmt: skip
    assert rows[0].reported_by == fleet.operator.user_id
    node = fleet.node("r0n0").id
    much = CheckResult("log", CheckOutcome.PASSED, "x" * (MOST_EVIDENCE_BYTES + 1))
    twice = (CheckResult("a", CheckOutcome.PASSED), CheckResult("a", CheckOutcome.FAILED))
    for results, code in (((much,), "evidence_too_large"), (twice, "check_named_twice"),
                          ((), "out_of_range")):  # fmt: skip
        with pytest.raises(Invalid, match=code):
            fleet.desk.call("report_checks", ReportChecks(node, results), fleet.operator)


class Doubter:
    """A checker that says what it is told to."""

    name = "local"

    def __init__(self) -> None:
        self.outcome = CheckOutcome.FAILED
        self.checked: list[str] = []

    def check(self, node: Node) -> tuple[CheckResult, ...]:
        self.checked.append(node.name)
        return (CheckResult("sandbox", self.outcome, "as told"),)


def test_nodes_that_somebody_can_check_are_checked_after_a_failure(fleet: FleetBook) -> None:
    checker = Doubter()
    fleet.desk.checkers = frozenset({"local"})
    loop = CheckLoop(
        checker, lambda: fleet.desk.book, lambda r: fleet.desk.call("report_checks", r)
    )
    fleet.supply(4, engine="local")
    assert fleet.node("node-0").state is NodeState.IN_SERVICE  # cores are shared: no gate
    fleet.fail("node-0")
    fleet.do("repair_node", "node-0")
    assert fleet.node("node-0").state is NodeState.CHECKING
    now = fleet.clock.instant_ms
    assert loop.step(now)
    assert not loop.step(now + AGAIN_AFTER_MS - 1)
    assert fleet.node("node-0").state is NodeState.CHECKING
    checker.outcome = CheckOutcome.PASSED
    assert loop.step(now + AGAIN_AFTER_MS)
    assert fleet.node("node-0").state is NodeState.IN_SERVICE
    assert not loop.step(now + 2 * AGAIN_AFTER_MS)
    assert checker.checked == ["node-0", "node-0"]


def test_whole_nodes_that_somebody_can_check_are_gated_unless_it_is_said(fleet: FleetBook) -> None:
    fleet.desk.checkers = frozenset({"local"})
    nodes = (NewNode("a", 8, engine="local"), NewNode("b", 8, engine="local", gated=False),
             NewNode("c", 8), NewNode("d", 8, gated=True))  # fmt: skip
    fleet.desk.call("declare_supply", DeclareSupply("x", H100, nodes), fleet.operator)
    assert [fleet.node(name).gated for name in "abcd"] == [True, False, False, True]


def test_nothing_is_billed_before_acceptance_and_all_of_it_after(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1, accept_within_s=86_400)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100)
    fleet.turn()
    fleet.pass_s(3_600)
    assert fleet.delivered_ms(lease) == 0
    (part,) = fleet.held(lease).values()
    assert part.accepted_at_ms == (part.delivered_from_ms or 0) + 86_400_000
    fleet.desk.call("accept_delivery", AcceptDelivery(lease.id), fleet.operator)
    fleet.pass_s(60)
    assert fleet.delivered_ms(lease) == 8 * 3_660_000


def test_a_delivery_is_deemed_accepted_after_its_time(fleet: FleetBook, acme: Tenant) -> None:
    fleet.racks(1, accept_within_s=7_200)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100)
    fleet.turn()
    fleet.pass_s(7_199)
    assert fleet.delivered_ms(lease) == 0
    fleet.pass_s(61)
    assert fleet.delivered_ms(lease) == 8 * 7_260_000


def test_a_lease_that_ends_before_acceptance_is_billed_for_what_it_had(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1, accept_within_s=86_400)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, notice_s=0)
    fleet.turn()
    fleet.pass_s(600)
    fleet.desk.call("end_lease", LeaseRef(lease.id), fleet.operator)
    fleet.turn()
    assert fleet.delivered_ms(lease) == 8 * 600_000


def test_a_node_sent_back_before_acceptance_is_not_billed_and_is_replaced(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(2, accept_within_s=86_400)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, Shape.NODE)
    fleet.turn()
    (bad,) = fleet.held(lease)
    fleet.pass_s(900)
    request = RejectNode(lease.id, fleet.node(bad).id, "GPU 3 throttles")
    fleet.desk.call("reject_node", request, fleet.operator)
    fleet.turn()
    (good,) = fleet.held(lease)
    assert good != bad
    assert fleet.node(bad).state is NodeState.CHECKING
    assert fleet.delivered_ms(lease) == 0
    (row,) = fleet.breaches(lease)
    assert (row.cause, row.accelerator_ms) == (BreachCause.NODE_REJECTED, 8 * 900_000)
    assert fleet.report(bad, burn_in=True).state is NodeState.IN_SERVICE


def test_a_node_that_was_sent_back_does_not_come_to_that_lease_again(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1, accept_within_s=86_400, gated=True)
    fleet.report("r0n0", memory=True)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, Shape.NODE)
    fleet.turn()
    (bad,) = fleet.held(lease)
    fleet.desk.call("reject_node", RejectNode(lease.id, bad, "it throttles"), fleet.operator)
    fleet.turn()
    fleet.report("r0n0", memory=True)
    fleet.pass_s(100_000)  # it ages, and keeps nobody away from what it does not want
    assert fleet.now(lease).state is LeaseState.WAITING
    other = fleet.lease(acme, ON_DEMAND, 8, H100, Shape.NODE)
    fleet.turn()
    assert list(fleet.held(other)) == [bad]
    nodes = (NewNode("good", 8, 1 << 30, rack="rack-9"),)
    fleet.desk.call("declare_supply", DeclareSupply("more", H100, nodes), fleet.operator)
    fleet.turn()
    assert list(fleet.held(lease)) == ["good"]
    assert list(memory_problems(fleet.desk)) == []


def test_a_node_sent_back_after_acceptance_is_billed_until_then(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(2)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, Shape.NODE)
    fleet.turn()
    (bad,) = fleet.held(lease)
    fleet.pass_s(900)
    fleet.desk.call("reject_node", RejectNode(lease.id, bad, "it throttles"), fleet.operator)
    fleet.turn()
    assert fleet.delivered_ms(lease) == 8 * 900_000


def test_a_node_that_is_sent_back_is_sent_back_for_all_leases_of_its_tenant(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(2)
    one = fleet.lease(acme, ON_DEMAND, 4, H100, Shape.NODE)
    other = fleet.lease(acme, ON_DEMAND, 4, H100, Shape.NODE)
    fleet.turn()
    (bad,) = fleet.held(one)
    assert set(fleet.held(other)) == {bad}
    fleet.pass_s(900)
    fleet.desk.call("reject_node", RejectNode(one.id, bad, "it throttles"), fleet.operator)
    fleet.turn()
    for lease in (one, other):
        assert bad not in fleet.held(lease)
        assert fleet.delivered_ms(lease) == 4 * 900_000
        (row,) = fleet.breaches(lease)
        assert (row.cause, row.accelerators) == (BreachCause.NODE_REJECTED, 4)
    assert (fleet.now(one).rejections, fleet.now(other).rejections) == (1, 0)
    assert fleet.told("lease.node_rejected") == [one.id]


def test_a_promise_looks_elsewhere_once_a_check_has_failed_in_quarantine(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(1, gated=True)
    fleet.report("r0n0", memory=True)
    end = fleet.hour(1)
    fleet.lease(acme, LeaseClass.RESERVED, 8, H100, ends_at_ms=end)
    other = fleet.lease(
        fleet.tenant("zenith"), LeaseClass.RESERVED, 8, H100, starts_at_ms=end + 60_000,
        ends_at_ms=end + HOUR_MS,
    )  # fmt: skip
    fleet.turn()
    fleet.pass_s(3_600)
    assert fleet.node("r0n0").state is NodeState.CHECKING
    fleet.report("r0n0", memory=False)
    assert fleet.now(other).state is LeaseState.WAITING
    (row,) = fleet.breaches(other)
    assert (row.cause, row.broken_from_ms) == (BreachCause.NODE_FAILED, end + 60_000)
    fleet.report("r0n0", memory=True)
    fleet.pass_s(60)
    assert fleet.now(other).state is LeaseState.ACTIVE
    (row,) = fleet.breaches(other)
    assert (row.open, row.accelerator_ms) == (False, 0)


def test_nobody_shops_for_free_and_nobody_sends_back_what_is_shared_or_not_theirs(
    fleet: FleetBook, acme: Tenant
) -> None:
    fleet.racks(5, accept_within_s=86_400)
    lease = fleet.lease(acme, ON_DEMAND, 8, H100, Shape.NODE)
    fleet.turn()
    for _ in range(3):
        (name,) = fleet.held(lease)
        fleet.desk.call("reject_node", RejectNode(lease.id, name, "no"), fleet.operator)
        fleet.turn()
    (name,) = fleet.held(lease)
    with pytest.raises(Refused, match="too_many_rejections"):
        fleet.desk.call("reject_node", RejectNode(lease.id, name, "no"), fleet.operator)
    other = next(n.name for n in fleet.desk.book.nodes if n.name not in fleet.held(lease))
    with pytest.raises(NotFound):
        fleet.desk.call("reject_node", RejectNode(lease.id, other, "no"), fleet.operator)
    fleet.supply(4, engine="")
    cores = fleet.lease(acme, ON_DEMAND, 2)
    with pytest.raises(Conflict, match="lease_not_active"):
        fleet.desk.call("accept_delivery", AcceptDelivery(cores.id), fleet.operator)
    fleet.turn()
    (shared,) = fleet.held(cores)
    with pytest.raises(Refused, match="node_is_shared"):
        fleet.desk.call("reject_node", RejectNode(cores.id, shared, "no"), fleet.operator)
