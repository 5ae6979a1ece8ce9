"""Who is reclaimed, when, and what it costs whom."""

import pytest

from comptoir.desk.engine_port import AttemptSight
from comptoir.desk.requests import NodeRef
from comptoir.leases.jobs import JobState
from comptoir.leases.lease import LeaseClass, LeaseState, OnReclaim, Reason
from comptoir.tenants.parties import TenantKind
from comptoir.units.errors import Invalid
from tests.builders import HOUR_MS, Book

SPOT, INTERNAL = LeaseClass.SPOT, LeaseClass.INTERNAL
RESERVED, ON_DEMAND = LeaseClass.RESERVED, LeaseClass.ON_DEMAND


@pytest.fixture
def shop(book: Book) -> Book:
    book.price_all()
    book.supply(4)
    return book


def test_a_spot_lease_gives_way_to_a_team_after_its_notice(shop: Book) -> None:
    acme, team = shop.tenant("acme"), shop.tenant("team", TenantKind.TEAM)
    spot = shop.lease(acme, SPOT, 4, notice_s=10)
    shop.job(spot)
    shop.turn()
    shop.see(shop.attempt(spot), AttemptSight.RUNNING)
    shop.pass_s(60)
    internal = shop.lease(team, INTERNAL, 4)
    assert internal.state is LeaseState.SCHEDULED
    assert internal.scheduled_start_ms == shop.clock.instant_ms + 10_000
    shop.turn()
    assert shop.now(spot).state is LeaseState.RECLAIMING
    assert shop.attempt(spot).stop_at_ms == shop.clock.instant_ms
    assert shop.attempt(spot).kill_at_ms == shop.clock.instant_ms + 10_000


def test_nothing_is_delivered_before_the_fence(shop: Book) -> None:
    acme, team = shop.tenant("acme"), shop.tenant("team", TenantKind.TEAM)
    spot = shop.lease(acme, SPOT, 4, notice_s=10)
    shop.job(spot)
    shop.turn()
    attempt = shop.attempt(spot)
    shop.see(attempt, AttemptSight.RUNNING)
    internal = shop.lease(team, INTERNAL, 4)
    shop.pass_s(300)  # the notice is long over, but nobody has seen the job end
    assert shop.now(internal).state is LeaseState.SCHEDULED
    shop.see(shop.attempt(spot), AttemptSight.EXITED, 137)
    assert shop.now(internal).state is LeaseState.ACTIVE


def test_billing_ends_with_the_notice_even_if_the_stop_is_late(shop: Book) -> None:
    acme, team = shop.tenant("acme"), shop.tenant("team", TenantKind.TEAM)
    spot = shop.lease(acme, SPOT, 4, notice_s=10)
    shop.job(spot)
    shop.turn()
    shop.see(shop.attempt(spot), AttemptSight.RUNNING)
    shop.pass_s(60)
    shop.lease(team, INTERNAL, 4)
    shop.pass_s(300)
    shop.see(shop.attempt(spot), AttemptSight.EXITED, 137)
    billed = sum(
        a.accelerator_ms for a in shop.desk.book.money.open_accruals_by_tenant.get(acme.id)
    )
    assert billed == 4 * 70_000


def test_a_job_that_stops_early_frees_its_accelerators_early(shop: Book) -> None:
    acme, team = shop.tenant("acme"), shop.tenant("team", TenantKind.TEAM)
    spot = shop.lease(acme, SPOT, 4, notice_s=60)
    shop.job(spot)
    shop.turn()
    shop.see(shop.attempt(spot), AttemptSight.RUNNING)
    internal = shop.lease(team, INTERNAL, 4)
    shop.turn()
    shop.clock.instant_ms += 1_000
    shop.see(shop.attempt(spot), AttemptSight.EXITED, 143)
    assert shop.now(internal).state is LeaseState.ACTIVE
    assert shop.now(internal).activated_at_ms == shop.clock.instant_ms


def test_a_reclaimed_job_runs_again_as_the_next_attempt(shop: Book) -> None:
    acme, team = shop.tenant("acme"), shop.tenant("team", TenantKind.TEAM)
    spot = shop.lease(acme, SPOT, 4)
    job = shop.job(spot)
    shop.turn()
    shop.see(shop.attempt(spot), AttemptSight.RUNNING)
    internal = shop.lease(team, INTERNAL, 4)
    shop.job(internal, release_lease=True)
    shop.turn()
    shop.see(shop.attempt(spot), AttemptSight.EXITED, 143)
    assert shop.now(spot).state is LeaseState.WAITING
    shop.see(shop.attempt(internal), AttemptSight.RUNNING)
    shop.see(shop.attempt(internal), AttemptSight.EXITED, 0)
    assert shop.now(spot).state is LeaseState.ACTIVE
    assert shop.attempt(spot).number == 2
    assert shop.desk.book.jobs[job.id].state is JobState.RUNNING


def test_a_lease_that_says_so_ends_when_it_is_reclaimed(shop: Book) -> None:
    acme, team = shop.tenant("acme"), shop.tenant("team", TenantKind.TEAM)
    spot = shop.lease(acme, SPOT, 4, notice_s=0, on_reclaim=OnReclaim.END)
    shop.turn()
    shop.pass_s(5)
    shop.lease(team, INTERNAL, 4)
    shop.turn()
    assert shop.now(spot).state is LeaseState.ENDED
    assert shop.now(spot).reason is Reason.STRONGER_REQUEST


@pytest.mark.parametrize("guaranteed", [RESERVED, ON_DEMAND])
def test_reclaim_spares_guaranteed_leases(shop: Book, guaranteed: LeaseClass) -> None:
    acme, team = shop.tenant("acme"), shop.tenant("team", TenantKind.TEAM)
    end = shop.clock.instant_ms + HOUR_MS
    sold = shop.lease(acme, guaranteed, 4, ends_at_ms=end)
    shop.turn()
    internal = shop.lease(team, INTERNAL, 1)
    assert internal.state is LeaseState.WAITING
    assert shop.now(sold).state is LeaseState.ACTIVE


def test_spot_never_reclaims_spot(shop: Book) -> None:
    first = shop.lease(shop.tenant("acme"), SPOT, 4)
    shop.turn()
    second = shop.lease(shop.tenant("globex"), SPOT, 1)
    assert second.state is LeaseState.WAITING
    assert shop.now(first).state is LeaseState.ACTIVE


def test_only_as_many_victims_as_needed_the_cheapest_first(shop: Book) -> None:
    acme, team = shop.tenant("acme"), shop.tenant("team", TenantKind.TEAM)
    old = shop.lease(acme, SPOT, 2)
    shop.turn()
    shop.pass_s(600)
    young = shop.lease(acme, SPOT, 2)
    shop.turn()
    shop.pass_s(10)
    shop.lease(team, INTERNAL, 2)
    shop.turn()
    assert shop.now(old).state is LeaseState.ACTIVE
    assert shop.now(young).state is not LeaseState.ACTIVE


def test_a_future_window_takes_spot_back_only_when_it_is_due(shop: Book) -> None:
    acme = shop.tenant("acme")
    spot = shop.lease(acme, SPOT, 4, notice_s=60)
    shop.turn()
    start = shop.clock.instant_ms + HOUR_MS
    reserved = shop.lease(acme, RESERVED, 4, starts_at_ms=start, ends_at_ms=start + HOUR_MS)
    assert reserved.state is LeaseState.SCHEDULED
    shop.pass_s(3_000)
    assert shop.now(spot).state is LeaseState.ACTIVE
    shop.pass_s(600)
    assert shop.now(reserved).state is LeaseState.ACTIVE
    assert shop.now(spot).state is LeaseState.WAITING
    shop.pass_s(3_600)
    assert shop.now(reserved).state is LeaseState.ENDED
    assert shop.now(spot).state is LeaseState.ACTIVE


def test_a_sold_window_is_its_holders_to_its_last_second(shop: Book) -> None:
    acme = shop.tenant("acme")
    end = shop.clock.instant_ms + HOUR_MS
    idle = shop.lease(acme, RESERVED, 2, ends_at_ms=end, notice_s=60)
    busy = shop.lease(acme, RESERVED, 2, ends_at_ms=end, notice_s=60)
    shop.turn()
    shop.job(busy)
    shop.turn()
    shop.see(shop.attempt(busy), AttemptSight.RUNNING)
    shop.pass_s(3_570)
    assert shop.now(idle).state is LeaseState.ACTIVE
    assert shop.attempt(busy).stop_at_ms is not None
    shop.see(shop.attempt(busy), AttemptSight.EXITED, 0)
    assert shop.now(busy).state is LeaseState.RECLAIMING  # told, and still its holder's
    shop.pass_s(30)
    assert {shop.now(idle).state, shop.now(busy).state} == {LeaseState.ENDED}


def test_the_soonest_victims_give_way_before_the_cheapest(shop: Book) -> None:
    acme, team = shop.tenant("acme"), shop.tenant("team", TenantKind.TEAM)
    brief = shop.lease(acme, SPOT, 2, notice_s=10)
    shop.turn()
    shop.pass_s(600)
    shop.lease(acme, SPOT, 2, notice_s=600)
    shop.turn()
    internal = shop.lease(team, INTERNAL, 2)
    assert internal.scheduled_start_ms == shop.clock.instant_ms + 10_000
    shop.turn()
    assert shop.now(brief).state is not LeaseState.ACTIVE


def test_nobody_buys_a_notice_that_outlasts_the_reclaim(shop: Book) -> None:
    with pytest.raises(Invalid, match="out_of_range"):
        shop.lease(shop.tenant("acme"), SPOT, 1, notice_s=86_400)


def test_a_promise_on_a_drained_node_looks_for_another(shop: Book) -> None:
    acme = shop.tenant("acme")
    start = shop.clock.instant_ms + HOUR_MS
    lease = shop.lease(acme, RESERVED, 4, starts_at_ms=start, ends_at_ms=start + HOUR_MS)
    node = next(iter(shop.desk.book.nodes))
    shop.desk.call("drain_node", NodeRef(node.id), shop.operator)
    assert shop.now(lease).state is LeaseState.WAITING
    shop.supply(4)
    shop.turn()
    assert shop.now(lease).state is LeaseState.SCHEDULED
