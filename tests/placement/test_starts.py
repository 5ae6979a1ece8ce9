"""Starts and gaps: what the calendars say is what trying every instant says.

A small, crowded fleet lives through a random history in whole buckets, so that nothing is
rounded; then every instant is tried by the planner alone, and the search must find the same.
"""

import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from comptoir.leases.lease import LeaseClass, LeaseRequest, Shape
from comptoir.placement.calendar import BUCKET_MS
from comptoir.placement.calendars import Calendars
from comptoir.placement.plan import Plan, plan_lease
from comptoir.placement.starts import Search
from comptoir.units.errors import Refused
from comptoir.units.ids import LeaseId, TenantId
from comptoir.units.time import MS_PER_S, Window
from tests.placement.test_plans import KINDS, World

HORIZON = 60
SHAPES = (Shape.NODE, Shape.RACK, Shape.POD, Shape.CLUSTER, Shape.SITE)


@dataclass
class Crowd(World):
    """A world with calendars, fed after the snapshot as the desk feeds them."""

    calendars: Calendars = field(init=False)

    def __post_init__(self) -> None:
        self.now_ms = 3_000 * BUCKET_MS
        self.notice_s = BUCKET_MS // MS_PER_S
        self.calendars = Calendars(self.snapshot)

    def put(self, table: dict[str, Any], feed: Any, row: Any) -> None:
        old = table.get(row.id)
        super().put(table, feed, row)
        if table is self.allocations:
            self.calendars.feed_allocation(old, row)
        elif table is self.leases:
            self.calendars.feed_lease(old, row)

    def plan(self, request: LeaseRequest) -> Plan | None:
        try:
            return plan_lease(
                self.snapshot,
                request,
                self.now_ms,
                may_fit=lambda pool, asked: self.calendars.may_fit(pool, asked, self.now_ms),
            )
        except Refused:
            return None


def crowd(rng: random.Random) -> Crowd:
    """Nodes of two kinds, and a history of promises, ends and drained nodes."""
    world = Crowd()
    for _ in range(rng.randint(2, 8)):
        ends = rng.choice((None, None, world.now_ms + rng.randint(5, 40) * BUCKET_MS))
        world.add_node(rng.choice(KINDS), rng.randint(1, 5), ends)
    for _ in range(rng.randint(0, 25)):
        what = rng.choices(("ask", "end", "drain", "work", "pass", "look"), (12, 2, 1, 2, 2, 2))[0]
        if what == "ask":
            world.ask(wish(rng))
        elif what == "work":
            begins, lasts = rng.choice((None, rng.randint(1, 20))), rng.choice((None, 2, 9))
            steps = [None if n is None else n * BUCKET_MS for n in (begins, lasts)]
            world.work((rng.randrange(30), steps[0], steps[1]))
        elif what == "pass":
            world.now_ms += rng.choice((0, 1, 3)) * BUCKET_MS
        elif what == "look":
            for pool in world.snapshot.pools.values():
                world.calendars.of(pool, world.now_ms)
        else:
            getattr(world, what)(rng.randrange(30))
    world.snapshot.advance(world.now_ms)
    return world


def wish(rng: random.Random) -> tuple[Any, ...]:
    return (
        rng.choice(KINDS),
        rng.randint(1, 8),
        rng.choice(list(LeaseClass)),
        rng.choice(SHAPES),
        rng.choice(("t1", "t2")),
        rng.choice((0, 0, rng.randint(1, 30))) * BUCKET_MS,
        rng.choice((None, rng.randint(1, 20) * BUCKET_MS, rng.randint(1, 20) * BUCKET_MS)),
    )


def question(world: Crowd, rng: random.Random, lease_class: LeaseClass) -> LeaseRequest:
    kind, size, _, shape, tenant, _, _ = wish(rng)
    lasts_ms = rng.randint(1, 12) * BUCKET_MS
    start_ms = world.now_ms + rng.choice((0, rng.randint(0, 10))) * BUCKET_MS
    window = Window(start_ms, start_ms + lasts_ms)
    return LeaseRequest(
        LeaseId("ls_new"), TenantId(tenant), lease_class, kind, size, shape, window, 5
    )


@pytest.mark.parametrize("seed", range(150))
def test_the_first_start_is_the_first_at_which_the_planner_finds_a_place(seed: int) -> None:
    rng = random.Random(seed)
    world = crowd(rng)
    for _ in range(5):
        request = question(world, rng, LeaseClass.SPOT)  # reclaims nobody: every start is exact
        start_ms = request.window.start_ms
        latest_ms = start_ms + rng.choice((0, 5, HORIZON)) * BUCKET_MS
        search = Search(world.snapshot, world.calendars, world.now_ms, world.plan)
        found = next(search.starts(request, latest_ms, tries=500), None)
        lasts_ms = (request.window.end_ms or 0) - start_ms
        instants = {world.now_ms + 1, *range(start_ms, latest_ms + 1, BUCKET_MS)}
        instants |= {a.ends_at_ms for a in world.allocations.values() if a.ends_at_ms is not None}
        instants |= {n.maintenance_until_ms for n in world.nodes.values()} - {None}
        by_hand = next(
            (
                at_ms
                for at_ms in sorted(instants)
                if start_ms <= at_ms <= latest_ms
                and world.plan(replace(request, window=Window(at_ms, at_ms + lasts_ms)))
            ),
            None,
        )
        assert (found.at_ms if found else None) == by_hand


@pytest.mark.parametrize("seed", range(60))
def test_starts_of_who_may_reclaim_are_plans_that_begin_there(seed: int) -> None:
    rng = random.Random(1_000 + seed)
    world = crowd(rng)
    request = question(world, rng, LeaseClass.INTERNAL)
    latest_ms = request.window.start_ms + HORIZON * BUCKET_MS
    search = Search(world.snapshot, world.calendars, world.now_ms, world.plan)
    found = list(search.starts(request, latest_ms))
    assert [start.at_ms for start in found] == sorted({start.at_ms for start in found})
    for start in found:
        assert start.plan.starts_at_ms == start.at_ms <= latest_ms
    if world.plan(request) is not None:
        assert found  # who could start at once, or after a notice, is told so


@pytest.mark.parametrize("seed", range(100))
def test_calendars_fed_change_by_change_are_calendars_made_at_once(seed: int) -> None:
    world = crowd(random.Random(seed))
    fresh = Calendars(world.snapshot)
    for pool in world.snapshot.pools.values():
        fed, made = world.calendars.of(pool, world.now_ms), fresh.of(pool, world.now_ms)
        open_ended = fresh.open_ended(pool, world.now_ms)
        assert world.calendars.open_ended(pool, world.now_ms) == open_ended
        assert fed.capacity == made.capacity
        for ahead in range(HORIZON):
            at_ms = world.now_ms + ahead * BUCKET_MS
            for reclaims in (False, True):
                free = [c.free_through(at_ms, at_ms + BUCKET_MS, reclaims) for c in (fed, made)]
                assert free[0] == free[1], (pool.key, ahead, reclaims)


@pytest.mark.parametrize("seed", range(100))
def test_the_calendars_never_say_no_to_a_plan(seed: int) -> None:
    rng = random.Random(seed)
    world = crowd(rng)
    for _ in range(6):
        request = question(world, rng, rng.choice(list(LeaseClass)))
        try:
            plan = plan_lease(world.snapshot, request, world.now_ms)
        except Refused:
            continue
        assert world.plan(request) == plan


@pytest.mark.parametrize("seed", range(100))
def test_a_gap_is_filled_to_its_end_and_no_longer_one_is_left(seed: int) -> None:
    rng = random.Random(seed)
    world = crowd(rng)
    kind, size, _, shape, tenant, _, _ = wish(rng)
    least_ms = rng.randint(1, 8) * BUCKET_MS
    request = LeaseRequest(
        LeaseId("ls_new"), TenantId(tenant), LeaseClass.SPOT, kind, size, shape,
        Window(world.now_ms), 5, least_gap_ms=least_ms,
    )  # fmt: skip
    plan = world.plan(request)
    if plan is None or not plan.why.startswith("fills"):
        endless = replace(request, least_gap_ms=None)
        assert world.plan(endless) == plan  # a place without an end comes before any gap
        if plan is None:
            until = world.now_ms + least_ms
            assert world.plan(replace(endless, window=Window(world.now_ms, until))) is None
        return
    (end_ms,) = {part.ends_at_ms for part in plan.allocations}
    assert end_ms is not None
    assert end_ms >= world.now_ms + least_ms
    longer = Window(world.now_ms, end_ms + 1)
    assert world.plan(replace(request, window=longer, least_gap_ms=None)) is None
