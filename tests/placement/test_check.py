"""The independent check stops every plan that breaks a rule, whoever made it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from comptoir.leases.lease import LeaseClass, LeaseRequest, LeaseState, Shape
from comptoir.placement import plan as plan_room
from comptoir.placement import pools, reclaim, windows
from comptoir.placement.backend import PLAIN
from comptoir.placement.check import check_plan
from comptoir.placement.plan import Plan, PlannedAllocation, PlannedReclaim, plan_lease
from comptoir.placement.snapshot import Snapshot
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


def of_somebody_else(made: World) -> Plan:
    return replace(plan_on(made, free_node(made)), lease_id=LeaseId("ls_7"))


def in_two_parts_of_a_node(made: World) -> Plan:
    node = free_node(made)
    parts = tuple(PlannedAllocation(node, tuple(range(at, at + 4)), None) for at in (0, 4))
    return Plan(LeaseId("ls_new"), made.now_ms, parts, (), "")


def with_a_part_for_nothing(made: World) -> Plan:
    plan = plan_on(made, free_node(made))
    more = PlannedAllocation(NodeId("nd_3"), (), None)
    return replace(plan, allocations=(*plan.allocations, more))


def ending(plan: Plan, *ends: int | None) -> Plan:
    parts = zip(plan.allocations, ends, strict=True)
    return replace(plan, allocations=tuple(replace(part, ends_at_ms=end) for part, end in parts))


def that_ends_for_no_reason(made: World) -> Plan:
    return ending(plan_on(made, free_node(made)), made.now_ms + 30_000)


def in_a_gap_without_being_spot(made: World) -> Plan:
    return replace(that_ends_for_no_reason(made), fills_gap=True)


def that_takes_back_who_is_not_in_the_way(made: World) -> Plan:
    plan = reclaiming(made, "ls_1", made.now_ms + 5_000)
    return replace(plan_on(made, free_node(made), starts=plan.starts_at_ms), reclaims=plan.reclaims)


def that_takes_back_too_late(made: World) -> Plan:
    plan = reclaiming(made, "ls_1", made.now_ms + 5_000)
    return replace(plan, reclaims=(replace(plan.reclaims[0], until_ms=plan.starts_at_ms + 1),))


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (of_somebody_else, "plan of ls_7 where ls_new asked"),
        (in_two_parts_of_a_node, "names a node twice"),
        (with_a_part_for_nothing, "names a node twice, or for nothing"),
        (that_ends_for_no_reason, "nothing else does"),
        (in_a_gap_without_being_spot, "may fill no gap"),
        (that_takes_back_who_is_not_in_the_way, "ls_1 would be reclaimed and stands in nobody"),
        (that_takes_back_too_late, "two tenants at once, ls_1"),
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


def test_the_whole_gang_is_promised_up_to_the_end_that_was_asked_for() -> None:
    made = World()
    for _ in range(2):
        made.add_node("h100-sxm", 8, None)
    now_ms = made.now_ms
    asked_for = asked(made, 16, Shape.RACK)
    until = replace(asked_for, window=Window(now_ms, now_ms + 60_000))
    plan = plan_on(made, NodeId("nd_0"), NodeId("nd_1"))
    check_plan(made.snapshot, until, ending(plan, now_ms + 60_000, now_ms + 60_000), now_ms)
    with pytest.raises(InvariantBroken, match="ends at 1059999, asked 1060000"):
        check_plan(made.snapshot, until, ending(plan, now_ms + 59_999, now_ms + 59_999), now_ms)
    with pytest.raises(InvariantBroken, match="end at 2 instants"):
        check_plan(made.snapshot, asked_for, ending(plan, None, now_ms + 60_000), now_ms)


def test_nothing_is_planned_for_the_past() -> None:
    made = world()
    request = replace(asked(made), window=Window(made.now_ms - 10))
    plan = plan_on(made, free_node(made), starts=made.now_ms - 10)
    with pytest.raises(InvariantBroken, match="starts 10 ms ago"):
        check_plan(made.snapshot, request, plan, made.now_ms)


def test_spot_fills_a_gap_that_is_long_enough() -> None:
    made = world()
    request = replace(asked(made), lease_class=SPOT, least_gap_ms=30_000)
    plan = replace(that_ends_for_no_reason(made), fills_gap=True)
    check_plan(made.snapshot, request, plan, made.now_ms)
    longer = replace(request, least_gap_ms=30_001)
    with pytest.raises(InvariantBroken, match="30000 of at least 30001 ms"):
        check_plan(made.snapshot, longer, plan, made.now_ms)


@pytest.mark.parametrize(
    ("lease_class", "mark", "gives_way"),
    [
        (LeaseClass.RESERVED, "recall", True),
        (LeaseClass.RESERVED, "lent", False),
        (LeaseClass.ON_DEMAND, "lent", True),
        (LeaseClass.ON_DEMAND, "recall", False),
        (LeaseClass.INTERNAL, "borrowed", True),
        (LeaseClass.INTERNAL, "lent", False),
    ],
)
def test_a_team_takes_back_what_its_class_says_may_be_taken_back(
    lease_class: LeaseClass, mark: str, gives_way: bool
) -> None:
    made = world()
    terms: dict[str, Any] = {"lease_class": lease_class, mark: True}
    made.put(made.leases, made.snapshot.feed_lease, replace(made.leases["ls_1"], **terms))
    request = replace(asked(made), lease_class=LeaseClass.INTERNAL)
    plan = reclaiming(made, "ls_1", made.now_ms + 5_000)
    if gives_way:
        check_plan(made.snapshot, request, plan, made.now_ms)
        return
    with pytest.raises(InvariantBroken, match="ls_1 is guaranteed"):
        check_plan(made.snapshot, request, plan, made.now_ms)


# Bugs planted in the planner: what it then plans is stopped.


def crowded() -> World:
    """Two nodes: a lease with an end and a spot lease of other tenants, each on half of one."""
    made = World()
    for _ in range(2):
        made.add_node("h100-sxm", 8, 1_060_000)
    made.ask(("h100-sxm", 4, ON_DEMAND, Shape.NODE, "t1", 0, 20_000))
    made.ask(("h100-sxm", 4, SPOT, Shape.NODE, "t2", 0, None))
    return made


def a_guarantee_gives_way(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pools, "rank_of", lambda lease: 0)
    patch.setattr(reclaim, "rank_of", lambda lease: 0)


def a_notice_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reclaim, "free_at_ms", lambda lease, now_ms: now_ms)


def a_supply_never_ends(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(plan_room, "promised_until", lambda key, request, window: (True, window.end_ms))


def another_victim_is_named(patch: pytest.MonkeyPatch) -> None:
    planned = plan_room._reclaim
    patch.setattr(
        plan_room, "_reclaim", lambda *given: replace(planned(*given), lease_id=LeaseId("ls_0"))
    )


def strangers_share_a_node(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        plan_room, "free_without", lambda snapshot, request, node_id, *rest: list(range(4, 8))
    )
    patch.setattr(
        windows,
        "available",
        lambda pool, *rest: np.full(len(pool.ids), 4, np.int64),
    )
    patch.setattr(windows, "something_passes", lambda *_: True)


@pytest.mark.parametrize(
    ("plant", "size", "says"),
    [
        (a_guarantee_gives_way, 16, "ls_0 does not give way"),
        (a_notice_is_forgotten, 8, "ls_1 would get less than its notice"),
        (a_supply_never_ends, 8, "past the end of il_"),
        (another_victim_is_named, 8, "ls_0 does not give way"),
        (strangers_share_a_node, 4, "two tenants at once"),
    ],
)
def test_a_bug_in_the_planner_is_stopped(
    plant: Callable[[pytest.MonkeyPatch], None],
    size: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shape = Shape.CLUSTER if size > 8 else Shape.NODE
    sound = crowded()
    request = asked(sound, size, shape)
    plan = plan_lease(sound.snapshot, request, sound.now_ms)
    if plan is not None:
        check_plan(sound.snapshot, request, plan, sound.now_ms)
    made = crowded()
    plant(monkeypatch)
    for lease in list(made.leases.values()):  # who may be reclaimed is worked out anew
        made.snapshot.feed_lease(replace(lease, lent=True), lease)
    plan = plan_lease(made.snapshot, request, made.now_ms)
    assert plan is not None
    with pytest.raises(InvariantBroken, match=says):
        check_plan(made.snapshot, request, plan, made.now_ms)


def test_nobody_is_taken_back_in_vain() -> None:
    """The search of a cover has bounds; past them it may name more than are needed."""

    def everybody(records: Any, costs: Any, missing: int) -> list[int]:
        return list(range(len(costs)))

    made = World(Snapshot(replace(PLAIN, cover=everybody)))
    for _ in range(2):
        made.add_node("h100-sxm", 8, None)
    for tenant in ("t1", "t2"):
        made.ask(("h100-sxm", 8, SPOT, Shape.NODE, tenant, 0, None))
    request = asked(made, 8, Shape.CLUSTER)
    plan = plan_lease(made.snapshot, request, made.now_ms)
    assert plan is not None and len(plan.reclaims) == 1
    check_plan(made.snapshot, request, plan, made.now_ms)


def test_a_plan_on_a_node_that_was_sent_back_is_stopped_and_never_made() -> None:
    made = World()
    for _ in range(2):
        made.add_node("h100-sxm", 8, None)
    request = replace(asked(made), rejected=(NodeId("nd_0"),))
    with pytest.raises(InvariantBroken, match="nd_0 was sent back"):
        check_plan(made.snapshot, request, plan_on(made, NodeId("nd_0")), made.now_ms)
    before = made.snapshot.contents()
    plan = plan_lease(made.snapshot, request, made.now_ms)
    assert plan is not None
    assert [part.node_id for part in plan.allocations] == ["nd_1"]
    both = replace(request, rejected=(NodeId("nd_0"), NodeId("nd_1")))
    assert plan_lease(made.snapshot, both, made.now_ms) is None
    assert made.snapshot.contents() == before
