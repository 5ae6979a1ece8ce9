"""Reclaim through the planner: the soonest, then the cheapest, against every set of victims.

Small fleets, in which several tenants hold open-ended, bounded and promised leases;
then somebody stronger asks. What the planner takes back is compared with what is found by
trying every set of reclaimable leases, worked out from the rows alone.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.fleet.kinds import CATALOGUE, Tenancy
from comptoir.fleet.states import NodeState
from comptoir.leases.lease import Lease, LeaseClass, LeaseRequest, LeaseState, Shape
from comptoir.placement import reclaim
from comptoir.placement.check import check_plan
from comptoir.placement.kernel_reclaim import MOST_UNITS
from comptoir.placement.plan import Plan, plan_lease
from comptoir.placement.snapshot import place_of
from comptoir.units.errors import Refused
from comptoir.units.ids import LeaseId, TenantId
from comptoir.units.time import Window
from tests.placement.test_plans import World

SPOT, ON_DEMAND = LeaseClass.SPOT, LeaseClass.ON_DEMAND
NOTICES_S = (0, 5, 60)


def stands(world: World, allocation: Any, window: Window) -> bool:
    """Whether an allocation stands at some time of a window, by its row."""
    end = allocation.ends_at_ms
    if allocation.delivered_from_ms is not None and end is not None:
        end = max(end, world.now_ms + 1)
    begins = allocation.starts_at_ms
    return (window.end_ms is None or begins < window.end_ms) and (
        end is None or end > window.start_ms
    )


def free_in(
    world: World, request: LeaseRequest, place: Any, gone: frozenset[str], window: Window
) -> int:
    """Accelerators of a place that the request could have over a window, by the rows."""
    total = 0
    for node in world.nodes.values():
        if node.state is not NodeState.IN_SERVICE or place_of(node, request.shape) != place:
            continue
        left = [
            a
            for a in world.allocations.values()
            if a.node_id == node.id
            and a.fenced_at_ms is None
            and a.lease_id not in gone
            and stands(world, a, window)
        ]
        alone = CATALOGUE[node.kind].tenancy is Tenancy.EXCLUSIVE_NODE
        if not alone or all(a.tenant_id == request.tenant_id for a in left):
            held = {index for a in left for index in a.accelerators}
            total += node.accelerators - len(held)
    return total


def lost(world: World, lease: Lease) -> int:
    return lease.accelerators * (world.now_ms - lease.state_since_ms) + 1


def free_at(world: World, lease: Lease) -> int:
    ran = lease.state_since_ms + lease.minimum_runtime_s * 1_000
    return max(world.now_ms + lease.notice_s * 1_000, ran)


def subsets(victims: list[Lease]) -> Iterator[tuple[Lease, ...]]:
    for count in range(len(victims) + 1):
        yield from combinations(victims, count)


def best_by_hand(world: World, request: LeaseRequest) -> tuple[int, int] | None:
    """(start, cost) of the soonest and then cheapest set of spot leases; None: there is none."""
    places = {place_of(node, request.shape) for node in world.nodes.values()}
    found = [best_in(world, request, place) for place in places]
    return min((best for best in found if best is not None), default=None)


def best_in(world: World, request: LeaseRequest, place: Any) -> tuple[int, int] | None:
    """The same in one place, by the leases that stand there."""
    here = {
        a.lease_id
        for a in world.allocations.values()
        if a.fenced_at_ms is None and place_of(world.nodes[a.node_id], request.shape) == place
    }
    victims = [
        lease
        for lease in world.leases.values()
        if lease.id in here and lease.lease_class is SPOT and lease.state is LeaseState.ACTIVE
    ]
    starts = {max(request.window.start_ms, free_at(world, v)) for v in victims}
    for start in sorted(starts):
        if request.window.end_ms is not None and start >= request.window.end_ms:
            break
        window = Window(start, request.window.end_ms)
        costs = [
            sum(lost(world, v) for v in gone)
            for gone in subsets([v for v in victims if free_at(world, v) <= start])
            if free_in(world, request, place, frozenset(v.id for v in gone), window)
            >= request.accelerators
        ]
        if costs:
            return start, min(costs)
    return None


holders = st.tuples(
    st.sampled_from(["spot", "spot", "spot", "sold", "promised"]),
    st.integers(1, 12),
    st.sampled_from(["t1", "t2", "t3"]),
    st.sampled_from([None, None, 20_000]),
    st.sampled_from(NOTICES_S),
    st.sampled_from([0, 0, 30]),
    st.integers(0, 9_000),
)
asked = st.tuples(
    st.integers(1, 24),
    st.sampled_from(["t1", "t9"]),
    st.sampled_from([0, 0, 8_000]),
    st.sampled_from([None, None, 30_000, 90_000]),
)


def inhabited(kind: str, sizes: list[int], held: list[Any]) -> World:
    """A fleet with leases on it, placed by the planner itself, of various ages."""
    world = World()
    for size in sizes:
        world.add_node(kind, size, None)
    for what, size, tenant, lasts, notice_s, runtime_s, passes in held:
        lease_class = SPOT if what == "spot" else ON_DEMAND
        begins = 12_000 if what == "promised" else 0
        before = set(world.leases)
        world.ask((kind, size, lease_class, Shape.SITE, tenant, begins, lasts))
        for lease_id in set(world.leases) - before:
            lease = replace(world.leases[lease_id], notice_s=notice_s, minimum_runtime_s=runtime_s)
            world.put(world.leases, world.snapshot.feed_lease, lease)
        world.now_ms += passes
    return world


def request_for(
    world: World, kind: str, wish: tuple[int, str, int, int | None], shape: Shape = Shape.SITE
) -> LeaseRequest:
    size, tenant, begins, lasts = wish
    start = world.now_ms + begins
    window = Window(start, None if lasts is None else start + lasts)
    return LeaseRequest(
        LeaseId("ls_new"), TenantId(tenant), ON_DEMAND, kind, size, shape, window, 0
    )


def planned(world: World, request: LeaseRequest) -> Plan | None:
    try:
        return plan_lease(world.snapshot, request, world.now_ms)
    except Refused:
        return None


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["cpu-core", "h100-sxm"]),
    st.lists(st.integers(1, 8), min_size=1, max_size=MOST_UNITS),
    st.lists(holders, max_size=8),
    asked,
    st.sampled_from(list(Shape)),
)
def test_what_is_taken_back_is_the_soonest_and_then_the_cheapest(
    kind: str,
    sizes: list[int],
    held: list[Any],
    wish: tuple[int, str, int, int | None],
    shape: Shape,
) -> None:
    """No more places than are read exactly, so that the best is the best of all."""
    world = inhabited(kind, sizes, held)
    request = request_for(world, kind, wish, shape)
    plan = planned(world, request)
    places = {place_of(node, shape) for node in world.nodes.values()}
    free = [free_in(world, request, at, frozenset(), request.window) for at in places]
    if max(free) >= request.accelerators:
        assert plan is not None and not plan.reclaims
        assert plan.starts_at_ms == request.window.start_ms
        return
    best = best_by_hand(world, request)
    if best is None:
        assert plan is None
        return
    assert plan is not None
    check_plan(world.snapshot, request, plan, world.now_ms)
    taken = [world.leases[reclaim.lease_id] for reclaim in plan.reclaims]
    assert (plan.starts_at_ms, sum(lost(world, lease) for lease in taken)) == best
    assert all(lease.lease_class is SPOT for lease in taken)


def test_each_victim_says_what_it_costs_and_what_another_would() -> None:
    world = World()
    for _ in range(2):
        world.add_node("h100-sxm", 8, None)
    for passes in (50_000, 5_000):
        world.ask(("h100-sxm", 8, SPOT, Shape.NODE, "t1", 0, None))
        world.now_ms += passes
    plan = planned(world, request_for(world, "h100-sxm", (8, "t9", 0, None)))
    assert plan is not None
    (victim,) = plan.reclaims
    assert victim.lease_id == "ls_1"  # the younger
    assert victim.cost == victim.cost_accelerator_ms == 8 * 5_000 + 1
    assert f"{8 * 5_000 + 1:,}" in victim.why
    assert f"without it {8 * 55_000 + 1:,}" in victim.why


def test_a_price_decides_before_the_time() -> None:
    """The caller's cost: a dear young lease stays, a cheap old one goes."""
    world = World()
    for _ in range(2):
        world.add_node("h100-sxm", 8, None)
    for passes in (50_000, 5_000):
        world.ask(("h100-sxm", 8, SPOT, Shape.NODE, "t1", 0, None))
        world.now_ms += passes
    dear = {"ls_0": 7, "ls_1": 9_000}
    request = request_for(world, "h100-sxm", (8, "t9", 0, None))
    plan = plan_lease(
        world.snapshot, request, world.now_ms, cost_of=lambda lease, _: dear[lease.id]
    )
    assert plan is not None
    assert [(r.lease_id, r.cost) for r in plan.reclaims] == [("ls_0", 7)]


def test_one_slot_of_a_strangers_node_is_worth_nothing_until_the_last_has_gone() -> None:
    """Three small leases of a tenant share a node: either all of them go, or none."""
    world = World()
    for _ in range(2):
        world.add_node("h100-sxm", 8, None)
    for size in (2, 2, 4):
        world.ask(("h100-sxm", size, SPOT, Shape.NODE, "t1", 0, None))
    world.now_ms += 1_000
    world.ask(("h100-sxm", 8, SPOT, Shape.NODE, "t2", 0, None))
    world.now_ms += 9_000
    plan = planned(world, request_for(world, "h100-sxm", (1, "t9", 0, None)))
    assert plan is not None
    assert [r.lease_id for r in plan.reclaims] == ["ls_3"]  # 8 x 9 s against 8 x 10 s
    own = planned(world, request_for(world, "h100-sxm", (1, "t1", 0, None)))
    assert own is not None
    assert [r.cost for r in own.reclaims] == [2 * 10_000 + 1]  # on its own node two slots do


def test_a_calendar_that_says_no_is_believed_before_windows_are_compared() -> None:
    world = World()
    world.add_node("cpu-core", 8, None)
    world.ask(("cpu-core", 8, ON_DEMAND, Shape.NODE, "t1", 0, 5_000))
    request = request_for(world, "cpu-core", (2, "t9", 8_000, None))
    asked_of = []

    def says_no(pool: Any, question: LeaseRequest) -> bool:
        asked_of.append((pool.key.cluster, question.accelerators))
        return False

    assert plan_lease(world.snapshot, request, world.now_ms, may_fit=says_no) is None
    assert asked_of == [("a", 2)]
    assert plan_lease(world.snapshot, request, world.now_ms, may_fit=lambda *_: True)


def test_a_pool_that_is_not_eligible_is_not_used() -> None:
    world = World()
    world.add_node("cpu-core", 8, None)
    request = request_for(world, "cpu-core", (1, "t9", 0, None))
    assert plan_lease(world.snapshot, request, world.now_ms, eligible=()) is None
    keys = list(world.snapshot.pools)
    assert plan_lease(world.snapshot, request, world.now_ms, eligible=keys) is not None


def test_a_preferred_shape_is_tried_first() -> None:
    """Two racks: the gang fits one only over its window, and a pod at once."""
    world = World()
    for _ in range(4):
        world.add_node("h100-sxm", 8, None)
    for _ in range(2):  # one node of each rack is let for a while
        world.ask(("h100-sxm", 8, ON_DEMAND, Shape.NODE, "t1", 0, 5_000))
    world.ask(("h100-sxm", 8, ON_DEMAND, Shape.NODE, "t1", 0, None))
    request = request_for(world, "h100-sxm", (16, "t9", 8_000, None))
    either = replace(request, shape=Shape.POD)
    preferring = replace(either, preferred_shape=Shape.RACK)
    plan = planned(world, preferring)
    assert plan is not None
    racks = {world.nodes[part.node_id].rack for part in plan.allocations}
    assert len(racks) == 1


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["cpu-core", "h100-sxm"]),
    st.lists(st.integers(1, 8), min_size=5, max_size=12),
    st.lists(holders, max_size=8),
    asked,
)
def test_a_large_cluster_is_read_in_part_and_whoever_can_be_served_is(
    kind: str, sizes: list[int], held: list[Any], wish: tuple[int, str, int, int | None]
) -> None:
    """As if the cluster were too large to be read at once: pods, some of them, then all."""
    world = inhabited(kind, sizes, held)
    request = request_for(world, kind, wish)
    free = free_in(world, request, ("site",), frozenset(), request.window)
    with patch.object(reclaim, "MOST_NODES", 0):
        plan = planned(world, request)
    if free >= request.accelerators:
        assert plan is not None and not plan.reclaims
        return
    assert (plan is None) == (best_by_hand(world, request) is None)
    if plan is not None:
        check_plan(world.snapshot, request, plan, world.now_ms)
