"""A full fleet, and everybody who waits planned again through the real desk.

24,576 accelerators, full of leases of every size; 3,000 requests of four classes wait. Then
an operator changes something small, and the whole queue is tried: how long in all, and how long
the desk is deaf at most, which is its longest turn. And how long it is deaf to others while it
answers the largest questions that one call may ask.
"""

import random
import tempfile
import time
from pathlib import Path

from comptoir.cli.bench.desk import fastest_desk
from comptoir.cli.bench.figures import Figure, figure
from comptoir.cli.bench.fleet_load import (
    ACCELERATORS,
    CLASS_WEIGHTS,
    NODES_A_RACK,
    RACKS_A_POD,
    draw_size,
)
from comptoir.desk.desk import Call, Desk
from comptoir.desk.requests import (
    AskOffers,
    CreateTenant,
    DeclareSupply,
    LeaseRef,
    NewNode,
    Opening,
    ProposeRate,
    RateRef,
    RequestLease,
    RequestSeries,
    SeriesMade,
    SeriesRef,
    Turn,
)
from comptoir.leases.lease import Alternative, Lease, LeaseClass, LeaseState, Shape
from comptoir.tenants.parties import Actor, Role, TenantKind
from comptoir.units.ids import TenantId, UserId
from comptoir.units.recurrence import DAY_MS, parse_recurrence
from comptoir.units.time import MS_PER_HOUR

NODES = 3_072
WAITING = 3_000
RELEASED = 20
RUNS = 5
CUSTOMERS = 12
MOST_PAUSE_MS, MOST_REPLAN_S = 250, 2
_START_MS = 1_790_000_000_000
_CLASSES = (LeaseClass.INTERNAL, LeaseClass.RESERVED, LeaseClass.ON_DEMAND, LeaseClass.SPOT)


class _ToldClock:
    """A clock that stands until it is told."""

    def __init__(self) -> None:
        self.instant_ms = _START_MS

    def now_ms(self) -> int:
        return self.instant_ms


def measure_replan() -> tuple[list[Figure], dict[str, float]]:
    """Seconds to try the whole queue, and the longest turn."""
    with tempfile.TemporaryDirectory() as directory:
        clock = _ToldClock()
        desk = fastest_desk(Path(directory), clock)
        rng = random.Random(3)
        team, customers = _people(desk)
        _fill(desk, clock, rng, team, customers)
        whole, longest, placed = [], [], 0
        for _ in range(RUNS):
            clock.instant_ms += 1_000
            placed += _release(desk, rng)
            turns = _turns(desk)
            whole.append(sum(turns))
            longest.append(1_000 * max(turns))
        waiting = desk.book.leases_by_state.count(LeaseState.WAITING)
        calls = _largest_calls(desk, clock, customers[0])
        desk.store.close()
    figures = [
        figure(
            f"{waiting:,} waiting requests planned again, {NODES * ACCELERATORS:,} accelerators",
            "s", whole, MOST_REPLAN_S, True,
            f"after {placed / RUNS:.0f} leases have ended; {desk.kernels.name} kernels",
        ),
        figure("the longest turn of that", "ms", longest, MOST_PAUSE_MS, True),
        *(figure(what, "ms", each, MOST_PAUSE_MS, True) for what, each in calls.items()),
    ]  # fmt: skip
    return figures, {
        "replan_s": figures[0].median,
        "longest_pause_ms": figures[1].median,
        "longest_call_ms": max(each.median for each in figures[2:]),
        "waiting": waiting,
    }


def _largest_calls(desk: Desk, clock: _ToldClock, tenant: TenantId) -> dict[str, list[float]]:
    """Milliseconds of what one call may ask at most: nine ways over a year, windows of a year."""
    now_ms = clock.instant_ms
    ways = tuple(Alternative("h100-sxm", 1_024 + 8 * n, Shape.SITE) for n in range(1, 9))
    wanted = RequestLease(
        "h100-sxm", 1_024, LeaseClass.SPOT, Shape.SITE, tenant_id=tenant,
        preferred_shape=Shape.POD, duration_s=30 * 86_400, alternatives=ways,
        latest_start_ms=now_ms + 400 * DAY_MS,
    )  # fmt: skip
    found: dict[str, list[float]] = {}
    for days, size in ((260, ACCELERATORS), (110, 8 * ACCELERATORS), (26, 64 * ACCELERATORS)):
        what = f"a series of {days} windows of {size}, promised in one step"
        found[what] = [
            _series_ms(desk, tenant, size, now_ms + 30 * DAY_MS, days) for _ in range(RUNS)
        ]
    offers = found["offers of nine ways in three classes, 400 days ahead"] = []
    for _ in range(RUNS):
        began = time.perf_counter()
        desk.call("list_offers", AskOffers(wanted, (), explain=True))
        offers.append(1_000 * (time.perf_counter() - began))
    return found


def _series_ms(desk: Desk, tenant: TenantId, size: int, from_ms: int, days: int) -> float:
    """Promise one window a day, and let them go again."""
    shape = Shape.NODE if size <= ACCELERATORS else Shape.SITE
    each = RequestLease(
        "h100-sxm", size, LeaseClass.RESERVED, shape, tenant_id=tenant, starts_at_ms=from_ms
    )
    every = parse_recurrence("daily 16:00 to 17:00 UTC")
    request = RequestSeries(every, from_ms + days * DAY_MS, each)
    began = time.perf_counter()
    made: SeriesMade = desk.call("request_series", request)
    took_ms = 1_000 * (time.perf_counter() - began)
    desk.call("cancel_series", SeriesRef(made.series))
    return took_ms


def _people(desk: Desk) -> tuple[TenantId, list[TenantId]]:
    desk.call("open_book", Opening())
    card = next(iter(desk.book.money.rate_cards)).id
    approver = Actor(UserId("us_bench"), None, None, (Role.APPROVER,))
    for lease_class in LeaseClass:
        rate = desk.call("propose_rate", ProposeRate(card, "h100-sxm", lease_class, 10**9))
        desk.call("approve_rate", RateRef(rate.id), approver)
    nodes = tuple(
        NewNode(
            f"n{i}", ACCELERATORS, pod=f"pod-{i // (NODES_A_RACK * RACKS_A_POD)}",
            rack=f"rack-{i // NODES_A_RACK}",
        )
        for i in range(NODES)
    )  # fmt: skip
    desk.call("declare_supply", DeclareSupply("bench", "h100-sxm", nodes))
    team = desk.call("create_tenant", CreateTenant("team", "Team", TenantKind.TEAM)).id
    customers = [
        desk.call("create_tenant", CreateTenant(f"c{n}", f"C{n}", TenantKind.ENTERPRISE)).id
        for n in range(CUSTOMERS)
    ]
    return team, customers


def _fill(
    desk: Desk, clock: _ToldClock, rng: random.Random, team: TenantId, customers: list[TenantId]
) -> None:
    """Ask until so many wait, hand over, and look again."""
    while desk.book.leases_by_state.count(LeaseState.WAITING) < WAITING:
        clock.instant_ms += 10
        calls = [
            Call("request_lease", _request(rng, clock.instant_ms, team, customers))
            for _ in range(100)
        ]
        for outcome in desk.execute(calls):
            outcome.unwrap()
        _turns(desk)


def _request(
    rng: random.Random, now_ms: int, team: TenantId, customers: list[TenantId]
) -> RequestLease:
    size = draw_size(rng, NODES)
    lease_class = rng.choices(_CLASSES, CLASS_WEIGHTS)[0]
    tenant = team if lease_class is LeaseClass.INTERNAL else rng.choice(customers)
    ends = None
    if lease_class is LeaseClass.RESERVED or rng.random() < 0.3:
        ends = now_ms + rng.randint(1, 400) * MS_PER_HOUR
    shape = Shape.NODE if size <= ACCELERATORS else Shape.POD
    if size > ACCELERATORS * NODES_A_RACK * RACKS_A_POD:
        shape = Shape.CLUSTER
    return RequestLease("h100-sxm", size, lease_class, shape, ends_at_ms=ends, tenant_id=tenant)


def _release(desk: Desk, rng: random.Random) -> int:
    """End some leases, so that there is something to plan for."""
    active: list[Lease] = desk.book.leases_by_state.get(LeaseState.ACTIVE)
    drawn = rng.sample(active, min(RELEASED, len(active)))
    for lease in drawn:
        desk.call("end_lease", LeaseRef(lease.id))
    return len(drawn)


def _turns(desk: Desk) -> list[float]:
    """Turn the book until nothing is left over; seconds of each turn."""
    turns, left = [], True
    while left:
        began = time.perf_counter()
        left = desk.call("turn", Turn())
        turns.append(time.perf_counter() - began)
    return turns
