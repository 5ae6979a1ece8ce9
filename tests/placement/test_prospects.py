"""A cheap no is never said where there is a place, and is said of a full fleet."""

from dataclasses import replace
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from comptoir.leases.lease import Lease, LeaseClass, LeaseState, OnReclaim, Shape, request_of
from comptoir.placement.plan import plan_lease
from comptoir.placement.prospects import Prospects
from comptoir.placement.snapshot import Snapshot
from comptoir.units.errors import Refused
from comptoir.units.ids import LeaseId, TenantId, UserId
from tests.builders import a_tenant
from tests.placement.test_plans import World, lived, nodes, steps, wishes


def asking(world: World, wanted: tuple[Any, ...]) -> Lease:
    kind, size, lease_class, shape, tenant, _, lasts = wanted
    ends = None if lasts is None else world.now_ms + lasts
    return Lease(
        LeaseId("ls_asking"), TenantId(tenant), UserId("u"), "", lease_class, kind, size, shape,
        world.now_ms, ends, 5, OnReclaim.WAIT, world.now_ms, LeaseState.WAITING, world.now_ms,
    )  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.lists(nodes, min_size=1, max_size=3),
    st.lists(steps, max_size=30),
    st.lists(wishes, min_size=1, max_size=6),
    st.booleans(),
)
def test_nobody_is_hopeless_who_has_a_place(
    made: list[tuple[Any, ...]],
    history: list[tuple[str, Any]],
    wanted: list[tuple[Any, ...]],
    borrowed: bool,
) -> None:
    """All are asked of the same prospects, as in a pass through the queue."""
    kind, size, _ = made[0]
    world = lived(
        made, [(what, _of(kind, given_) if what == "ask" else given_) for what, given_ in history]
    )
    known: dict[str, Prospects] = {}
    for each in wanted:
        lease = asking(world, (kind, min(size, each[1]), *each[2:]))
        request = replace(
            request_of(lease, a_tenant(lease.tenant_id), world.now_ms), borrowed=borrowed
        )
        prospects = known.setdefault(
            lease.kind, Prospects(world.snapshot, lease.kind, world.now_ms)
        )
        if not prospects.hopeless(lease, lease.accelerators, request.strength):
            continue
        event("hopeless")
        try:
            assert plan_lease(world.snapshot, request, world.now_ms) is None
        except Refused:
            event("impossible")


def _of(kind: str, wanted: tuple[Any, ...]) -> tuple[Any, ...]:
    return kind, *wanted[1:]


def test_a_full_fleet_is_hopeless_but_to_the_stronger() -> None:
    world = lived([("cpu-core", 4, None)], [])
    spot = ("cpu-core", 4, LeaseClass.SPOT, Shape.NODE, "t1", 0, None)
    empty = Prospects(world.snapshot, "cpu-core", world.now_ms)
    assert not empty.hopeless(asking(world, spot), 4, 0)
    world.ask(spot)
    full = Prospects(world.snapshot, "cpu-core", world.now_ms)
    assert full.hopeless(asking(world, spot), 4, 0)
    assert not full.hopeless(asking(world, ("cpu-core", 1, LeaseClass.ON_DEMAND, *spot[3:])), 1, 1)


@settings(max_examples=150, deadline=None)
@given(st.lists(nodes, min_size=1, max_size=6), st.lists(steps, max_size=30))
def test_rooms_asked_for_along_the_way_are_those_counted_at_once(
    made: list[tuple[Any, ...]], history: list[tuple[str, Any]]
) -> None:
    world = lived(made, [])
    for what, given_ in history:
        getattr(world, what)(given_)
        said = _rooms(world, world.snapshot)
    built = world.rebuilt()
    built.advance(world.now_ms)
    assert not history or said == _rooms(world, built)


def _rooms(world: World, snapshot: Snapshot) -> dict[object, tuple[int, int]]:
    return {
        (pool.key, strength, for_good, tenant): (room.on_a_node(tenant), room.in_all(tenant))
        for pool in snapshot.pools.values()
        for strength in range(4)
        for for_good in (False, True)
        for room in [snapshot.room(pool, strength, for_good, world.now_ms)]
        for tenant in map(TenantId, ("t1", "t2", "t3", "nobody"))
    }
