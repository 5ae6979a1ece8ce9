"""The independent check stops every plan that breaks a rule, whoever made it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from comptoir.leases.lease import LeaseClass, LeaseRequest, LeaseState, Shape
from comptoir.placement.check import check_plan
from comptoir.placement.plan import Plan, PlannedAllocation, PlannedReclaim, plan_lease
from comptoir.units.errors import InvariantBroken
from comptoir.units.ids import LeaseId, NodeId, TenantId
from comptoir.units.time import Window
from tests.placement.test_plans import World

SPOT, ON_DEMAND = LeaseClass.SPOT, LeaseClass.ON_DEMAND


def world() -> World:
    """Nodes of 8: one lease, one spot lease of another tenant, one free, one with an end."""
    made = World()
    for _ in range(3):
        made.add_node("h100-sxm", 8, None)
    made.ask(("h100-sxm", 8, ON_DEMAND, Shape.NODE, "t1", 0, 20_000))
    made.ask(("h100-sxm", 4, SPOT, Shape.NODE, "t2", 0, None))
    made.add_node("h100-sxm", 8, 1_060_000)
    made.now_ms += 1_000
    return made


def asked(world: World, size: int = 8, shape: Shape = Shape.NODE) -> LeaseRequest:
    return LeaseRequest(
        LeaseId("ls_new"), TenantId("t9"), ON_DEMAND, "h100-sxm", size, shape,
        Window(world.now_ms), 0,
    )  # fmt: skip


def on(world: World, lease_id: str) -> NodeId:
    """The node on which a lease stands."""
    return NodeId(world.standing(lease_id)[0].node_id)


def plan_on(world: World, *nodes: NodeId, size: int = 8, starts: int | None = None) -> Plan:
    parts = tuple(PlannedAllocation(node, tuple(range(size)), None) for node in nodes)
    return Plan(LeaseId("ls_new"), starts or world.now_ms, parts, (), "")


def free_node(world: World) -> NodeId:
    taken = {a.node_id for a in world.allocations.values()}
    return next(NodeId(n) for n in world.nodes if n not in taken and n != "nd_3")


def test_a_sound_plan_passes() -> None:
    made = world()
    check_plan(made.snapshot, asked(made), plan_on(made, free_node(made)), made.now_ms)


def twice(made: World) -> Plan:
    part = PlannedAllocation(free_node(made), (0, 1, 2, 3, 4, 5, 6, 6), None)
    return Plan(LeaseId("ls_new"), made.now_ms, (part,), (), "")


def too_few(made: World) -> Plan:
    return plan_on(made, free_node(made), size=7)


def too_early(made: World) -> Plan:
    return plan_on(made, free_node(made), starts=made.now_ms - 1)


def beyond_the_node(made: World) -> Plan:
    part = PlannedAllocation(free_node(made), tuple(range(1, 9)), None)
    return Plan(LeaseId("ls_new"), made.now_ms, (part,), (), "")


def past_the_supply(made: World) -> Plan:
    return plan_on(made, NodeId("nd_3"))


def on_a_guaranteed_lease(made: World) -> Plan:
    return plan_on(made, on(made, "ls_0"))


def beside_a_stranger(made: World) -> Plan:
    part = PlannedAllocation(on(made, "ls_1"), tuple(range(4, 8)), None)
    other = PlannedAllocation(free_node(made), tuple(range(4)), None)
    return Plan(LeaseId("ls_new"), made.now_ms, (part, other), (), "")


def reclaiming(made: World, lease_id: str, until_ms: int) -> Plan:
    victim = PlannedReclaim(LeaseId(lease_id), until_ms, 0, "")
    return replace(plan_on(made, on(made, lease_id), starts=until_ms), reclaims=(victim,))


def of_a_guarantee(made: World) -> Plan:
    return reclaiming(made, "ls_0", made.now_ms + 5_000)


def without_its_notice(made: World) -> Plan:
    return reclaiming(made, "ls_1", made.now_ms + 4_999)


def the_same_twice(made: World) -> Plan:
    plan = reclaiming(made, "ls_1", made.now_ms + 5_000)
    return replace(plan, reclaims=plan.reclaims * 2)


def before_it_has_run(made: World) -> Plan:
    lease = replace(made.leases["ls_1"], minimum_runtime_s=60)
    made.put(made.leases, made.snapshot.feed_lease, lease)
    return reclaiming(made, "ls_1", made.now_ms + 5_000)


def who_is_not_active(made: World) -> Plan:
    lease = replace(made.leases["ls_1"], state=LeaseState.RECLAIMING)
    made.put(made.leases, made.snapshot.feed_lease, lease)
    return reclaiming(made, "ls_1", made.now_ms + 5_000)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (twice, "names a slot twice"),
        (too_few, "has 7 accelerators, asked 8"),
        (too_early, "starts before"),
        (beyond_the_node, "does not have"),
        (past_the_supply, "past the end"),
        (on_a_guaranteed_lease, "two tenants at once"),
        (beside_a_stranger, "spans 2 nodes|two tenants at once"),
        (of_a_guarantee, "does not give way|guaranteed"),
        (without_its_notice, "less than its notice"),
        (the_same_twice, "reclaimed twice"),
        (before_it_has_run, "as long as it was promised"),
        (who_is_not_active, "not active"),
    ],
)
def test_a_plan_that_breaks_a_rule_is_stopped(broken: Callable[[World], Plan], says: str) -> None:
    made = world()
    plan = broken(made)
    with pytest.raises(InvariantBroken, match=says):
        check_plan(made.snapshot, asked(made), plan, made.now_ms)


def test_a_gang_in_two_racks_is_stopped_where_one_is_asked_for() -> None:
    made = World()
    for _ in range(4):
        made.add_node("h100-sxm", 8, None)
    plan = plan_on(made, NodeId("nd_0"), NodeId("nd_2"))
    with pytest.raises(InvariantBroken, match="spans 2 racks"):
        check_plan(made.snapshot, asked(made, 16, Shape.RACK), plan, made.now_ms)
    check_plan(made.snapshot, asked(made, 16, Shape.POD), plan, made.now_ms)


def test_a_tenant_may_follow_another_on_a_node_and_never_meet_it() -> None:
    """The first ends at 20 s: from then on the node may be promised to somebody else."""
    made = world()
    node, request = on(made, "ls_0"), asked(made)
    later = replace(request, window=Window(1_020_000))
    check_plan(made.snapshot, later, plan_on(made, node, starts=1_020_000), made.now_ms)
    sooner = replace(request, window=Window(1_019_999))
    with pytest.raises(InvariantBroken, match="two tenants at once"):
        check_plan(made.snapshot, sooner, plan_on(made, node, starts=1_019_999), made.now_ms)
    everywhere = replace(later, accelerators=16, shape=Shape.CLUSTER)
    plan = plan_lease(made.snapshot, everywhere, made.now_ms)
    assert plan is not None
    check_plan(made.snapshot, everywhere, plan, made.now_ms)
