"""The queue's order, and that nobody who is let past delays what is kept for the first."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import (
    Lease,
    LeaseClass,
    LeaseState,
    OnReclaim,
    Shape,
    request_of,
)
from comptoir.placement.check import check_plan
from comptoir.placement.plan import plan_free, plan_lease, pools_for
from comptoir.placement.queue import Shadow, Waiting, earliest, queue_key, shadow_of
from comptoir.units.errors import Refused
from comptoir.units.ids import AllocationId, LeaseId, TenantId, UserId
from comptoir.units.time import Window
from tests.builders import a_tenant
from tests.placement.test_plans import World, lived, nodes, steps, wishes

INTERNAL, RESERVED, ON_DEMAND, SPOT = LeaseClass


def waiting(number: int, lease_class: LeaseClass, at_ms: int = 0, **fields: Any) -> Lease:
    made = Lease(
        LeaseId(f"ls_000{number}"), TenantId("t"), UserId("u"), "", lease_class, "cpu-core", 1,
        Shape.SITE, 0, None, 5, OnReclaim.WAIT, at_ms, LeaseState.WAITING, at_ms,
    )  # fmt: skip
    return replace(made, **fields)


def test_claim_comes_before_age_and_age_before_everything_else() -> None:
    line = [
        waiting(5, INTERNAL, 900),
        waiting(1, RESERVED, 100),
        waiting(2, ON_DEMAND, 50),
        waiting(3, ON_DEMAND, 60),
        waiting(4, INTERNAL, 0, borrowed=True),
        waiting(6, SPOT, 0),
    ]
    assert sorted([*line[3:], *line[:3]], key=queue_key) == line


def test_who_is_ahead_is_counted_as_leases_come_and_go() -> None:
    queue = Waiting()
    first, second = waiting(1, ON_DEMAND, 1), waiting(2, ON_DEMAND, 2)
    other = waiting(3, RESERVED, 9, kind="h100-sxm")
    for lease in (second, other, first):
        queue.feed(None, lease)
    assert (queue.ahead_of(first), queue.ahead_of(second), queue.ahead_of(other)) == (0, 1, 0)
    assert queue.kinds() == ["cpu-core", "h100-sxm"]
    queue.feed(first, replace(first, state=LeaseState.SCHEDULED))
    queue.feed(second, replace(second, borrowed=True, lease_class=INTERNAL))
    assert queue.line("cpu-core") == [second.id]
    queue.feed(other, None)
    assert queue.kinds() == ["cpu-core"]


def head_of(world: World, wanted: tuple[Any, ...]) -> Lease:
    kind, size, lease_class, shape, tenant, _, lasts = wanted
    ends = None if lasts is None else world.now_ms + lasts
    lease = Lease(
        LeaseId("ls_head"), TenantId(tenant), UserId("u"), "", lease_class, kind, size, shape,
        world.now_ms, ends, 5, OnReclaim.WAIT, world.now_ms, LeaseState.WAITING, world.now_ms,
    )  # fmt: skip
    world.put(world.leases, world.snapshot.feed_lease, lease)
    return lease


def as_allocations(world: World, lease: Lease, shadow: Shadow) -> list[Allocation]:
    return [
        Allocation(
            AllocationId(f"kept-{n}"), lease.id, lease.tenant_id, kept.node_id,
            world.nodes[kept.node_id].inbound_lease_id, kept.accelerators,
            kept.window.start_ms, kept.window.end_ms,
        )
        for n, kept in enumerate(shadow.kept)
    ]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.lists(nodes, min_size=1, max_size=8),
    st.lists(steps, max_size=20),
    wishes,
    st.lists(wishes, max_size=8),
    st.booleans(),
)
def test_no_earlier_promise_is_delayed_by_a_backfilled_one(
    made: list[tuple[Any, ...]],
    history: list[tuple[str, Any]],
    first: tuple[Any, ...],
    behind: list[tuple[Any, ...]],
    aged: bool,
) -> None:
    world = lived(made, history)
    head = head_of(world, first)
    request = request_of(head, a_tenant(head.tenant_id), world.now_ms)
    try:
        if plan_lease(world.snapshot, request, world.now_ms) is not None:
            return
    except Refused:
        return
    shadow = shadow_of(world.snapshot, request, world.now_ms, aged)
    kept = as_allocations(world, head, shadow)
    before = world.snapshot.contents()
    world.snapshot.keep(kept)
    for wanted in behind:
        world.ask(wanted)  # asserts that the plan passes the independent check
    world.snapshot.give_up(kept)
    if not behind:
        assert world.snapshot.contents() == before
    for mine in kept:
        assert world.snapshot.in_the_way(mine, mine.window, world.now_ms) == []
    if shadow.starts_at_ms is not None:
        again = earliest(world.snapshot, request, world.now_ms)
        assert again is not None
        assert again.starts_at_ms <= shadow.starts_at_ms


@settings(max_examples=150, deadline=None)
@given(st.lists(nodes, min_size=1, max_size=8), st.lists(steps, max_size=20), wishes)
def test_the_earliest_start_is_the_first_end_after_which_there_is_room(
    made: list[tuple[Any, ...]], history: list[tuple[str, Any]], wanted: tuple[Any, ...]
) -> None:
    world = lived(made, history)
    head = head_of(world, wanted)
    request = request_of(head, a_tenant(head.tenant_id), world.now_ms)
    found = earliest(world.snapshot, request, world.now_ms)
    ends = {
        max(a.ends_at_ms, world.now_ms + 1)
        for a in world.allocations.values()
        if a.fenced_at_ms is None
        and a.ends_at_ms is not None
        and world.nodes[a.node_id].kind == head.kind
    } | {
        max(node.maintenance_until_ms, world.now_ms + 1)
        for node in world.nodes.values()
        if node.kind == head.kind and node.maintenance_until_ms is not None
    }
    possible = [end for end in sorted(ends) if fits_at(world, request, end)]
    assert (None if found is None else found.starts_at_ms) == (possible[0] if possible else None)
    if found is not None:
        later = replace(request, window=Window(found.starts_at_ms, request.window.end_ms))
        check_plan(world.snapshot, later, found, world.now_ms)


def fits_at(world: World, request: Any, start_ms: int) -> bool:
    if request.window.end_ms is not None and start_ms >= request.window.end_ms:
        return False
    later = replace(request, window=Window(start_ms, request.window.end_ms))
    pools = pools_for(world.snapshot, later, None)
    return plan_free(world.snapshot, later, world.now_ms, pools) is not None


asked = st.tuples(
    st.sampled_from([RESERVED, ON_DEMAND, SPOT]), st.integers(1, 3), st.integers(0, 5)
)


@given(st.lists(asked, max_size=12), st.sets(st.integers(0, 11)), st.data())
def test_a_walk_meets_everybody_in_order_but_those_who_ask_in_vain(
    line: list[tuple[LeaseClass, int, int]], leaving: set[int], data: st.DataObject
) -> None:
    """Against a plain model: nobody is met who asks as much of what was refused before."""
    queue = Waiting()
    leases = [
        waiting(number, lease_class, at_ms, accelerators=size)
        for number, (lease_class, size, at_ms) in enumerate(line)
    ]
    for lease in leases:
        queue.feed(None, lease)
    expected = sorted(leases, key=queue_key)
    refused: dict[LeaseClass, int] = {}
    walk = queue.walk("cpu-core")
    for lease in expected:
        if lease.accelerators >= refused.get(lease.lease_class, 9):
            continue
        assert walk.next() == (queue_key(lease), lease.id)
        if data.draw(st.booleans(), label=f"{lease.id} is placed"):
            if int(lease.id[-1]) in leaving:
                queue.feed(lease, replace(lease, state=LeaseState.SCHEDULED))
            walk.passed()
        else:
            refused[lease.lease_class] = lease.accelerators
            walk.in_vain()
    assert walk.next() is None


def test_a_part_of_a_line_is_walked_from_behind_a_place() -> None:
    queue = Waiting()
    leases = [waiting(number, ON_DEMAND, number) for number in range(6)]
    for lease in leases:
        queue.feed(None, lease)
    walk = queue.walk("cpu-core", queue_key(leases[2]), [leases[n].id for n in (5, 1, 4)])
    met = []
    while (place := walk.next()) is not None:
        met.append(place[1])
        walk.passed()
    assert met == [leases[4].id, leases[5].id]
