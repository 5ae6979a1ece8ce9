"""A window is held for a while, firmly or softly, until its holder says yes or lets it go."""

import pytest

from comptoir.desk.requests import (
    LeaseRef,
)
from comptoir.leases.lease import LeaseClass, LeaseState, Reason
from comptoir.tenants.parties import Tenant, TenantKind
from comptoir.units.errors import Conflict, Invalid, Refused
from tests.builders import HOUR_MS, START_MS, Book
from tests.desk.test_windows import TOMORROW, events, hold
from tests.desk.test_windows import acme as acme  # a fixture
from tests.desk.test_windows import shop as shop

RESERVED, SPOT, ON_DEMAND = LeaseClass.RESERVED, LeaseClass.SPOT, LeaseClass.ON_DEMAND
DAY_MS = 24 * HOUR_MS


class TestHolds:
    def test_a_hold_is_confirmed_and_then_it_is_a_lease(self, shop: Book, acme: Tenant) -> None:
        held = hold(shop, acme, 8, **TOMORROW)
        assert (held.state, held.scheduled_start_ms) == ("held", START_MS + DAY_MS)
        confirmed = shop.desk.call("confirm_hold", LeaseRef(held.id), shop.operator)
        assert confirmed.state is LeaseState.SCHEDULED
        again = shop.desk.call("confirm_hold", LeaseRef(held.id), shop.operator)
        assert again == confirmed
        shop.clock.instant_ms = START_MS + DAY_MS
        shop.turn()
        assert shop.now(held).state is LeaseState.ACTIVE

    def test_a_hold_expires_in_the_turn(self, shop: Book, acme: Tenant) -> None:
        held = hold(shop, acme, 8, **TOMORROW)
        shop.pass_s(7_199)
        assert shop.now(held).state is LeaseState.HELD
        shop.pass_s(1)
        assert (shop.now(held).state, shop.now(held).reason) == ("cancelled", "hold_expired")
        with pytest.raises(Conflict, match="not_held"):
            shop.desk.call("confirm_hold", LeaseRef(held.id), shop.operator)

    def test_a_hold_whose_time_is_over_is_not_confirmed_even_before_the_turn(
        self, shop: Book, acme: Tenant
    ) -> None:
        held = hold(shop, acme, 8, **TOMORROW)
        shop.clock.instant_ms += 7_200_000
        with pytest.raises(Conflict, match="not_held"):
            shop.desk.call("confirm_hold", LeaseRef(held.id), shop.operator)
        shop.turn()
        assert (shop.now(held).state, shop.now(held).reason) == ("cancelled", "hold_expired")

    def test_a_hold_whose_window_has_passed_is_not_confirmed(
        self, shop: Book, acme: Tenant
    ) -> None:
        held = hold(shop, acme, 8, ends_at_ms=START_MS + 60_000)
        shop.clock.instant_ms += 60_000
        with pytest.raises(Conflict, match="not_held"):
            shop.desk.call("confirm_hold", LeaseRef(held.id), shop.operator)

    def test_a_hold_that_was_released_frees_its_window(self, shop: Book, acme: Tenant) -> None:
        held = hold(shop, acme, 8, firm=True, **TOMORROW)
        released = shop.desk.call("release_hold", LeaseRef(held.id), shop.operator)
        assert released.reason is Reason.HOLD_RELEASED
        assert shop.lease(acme, RESERVED, 8, **TOMORROW).state is LeaseState.SCHEDULED

    def test_a_firm_hold_keeps_others_away_and_a_soft_one_gives_way_and_says_so(
        self, shop: Book, acme: Tenant
    ) -> None:
        firm = hold(shop, acme, 4, firm=True, **TOMORROW)
        soft = hold(shop, acme, 4, **TOMORROW)
        other = shop.tenant("globex")
        waiting = shop.lease(other, RESERVED, 8, **TOMORROW)
        assert waiting.state is LeaseState.WAITING
        shop.desk.call("cancel_lease", LeaseRef(waiting.id), shop.operator)
        assert shop.now(soft).state is LeaseState.HELD  # nothing was gained by dropping it
        taken = shop.lease(other, RESERVED, 2, **TOMORROW)
        assert taken.state is LeaseState.SCHEDULED
        assert shop.now(firm).state is LeaseState.HELD
        assert (shop.now(soft).state, shop.now(soft).reason) == ("cancelled", "hold_gave_way")
        assert events(shop, "lease.cancelled")[-1]["reason"] == "hold_gave_way"

    def test_spot_and_soft_holds_do_not_displace_a_soft_hold(
        self, shop: Book, acme: Tenant
    ) -> None:
        soft = hold(shop, acme, 8, **TOMORROW)
        with pytest.raises(Refused, match="hold_not_free"):
            hold(shop, acme, 1, **TOMORROW)
        assert shop.lease(acme, SPOT, 1, **TOMORROW).state is LeaseState.WAITING
        assert shop.now(soft).state is LeaseState.HELD

    def test_a_soft_hold_gives_way_before_anybody_who_runs(self, shop: Book, acme: Tenant) -> None:
        running = shop.lease(acme, SPOT, 4)
        shop.turn()
        soft = hold(shop, acme, 4, duration_s=3_600)
        shop.lease(acme, RESERVED, 4, duration_s=3_600)
        assert shop.now(soft).reason is Reason.HOLD_GAVE_WAY
        assert shop.now(running).reclaimed_for is None

    def test_soft_holds_of_another_time_are_not_taken_away_to_see_whether_that_helps(
        self, shop: Book, acme: Tenant
    ) -> None:
        soon, late = START_MS + HOUR_MS, START_MS + DAY_MS
        held = hold(shop, acme, 8, starts_at_ms=late, ends_at_ms=late + HOUR_MS)
        hold(shop, acme, 8, firm=True, ends_at_ms=soon)
        fed: list[str] = []
        shop.desk.book.allocations.feed(lambda old, new: fed.append((old or new).lease_id))  # type: ignore[union-attr]
        waits = shop.lease(acme, ON_DEMAND, 4, ends_at_ms=soon)
        assert waits.state is LeaseState.WAITING
        assert held.id not in fed

    def test_nobody_who_runs_is_taken_back_for_a_hold_before_it_is_over(
        self, shop: Book, acme: Tenant
    ) -> None:
        running = shop.lease(acme, SPOT, 8, notice_s=60)
        shop.turn()
        with pytest.raises(Refused, match="hold_not_free"):
            hold(shop, acme, 8, firm=True, duration_s=3_600)
        held = hold(shop, acme, 8, firm=True, **TOMORROW)
        assert shop.now(running).reclaimed_for == held.id
        shop.desk.call("release_hold", LeaseRef(held.id), shop.operator)
        assert shop.now(running).reclaimed_for is None

    def test_a_tenant_holds_a_limited_number_for_a_limited_time(
        self, shop: Book, acme: Tenant
    ) -> None:
        with pytest.raises(Invalid, match="out_of_range"):
            hold(shop, acme, 1, firm=True, hold_s=86_401, **TOMORROW)
        for day in range(16):
            start = START_MS + (day + 1) * DAY_MS
            hold(shop, acme, 1, starts_at_ms=start, duration_s=60)
        with pytest.raises(Refused, match="too_many_holds"):
            hold(shop, acme, 1, **TOMORROW)


def test_a_team_may_hold_too(shop: Book) -> None:
    team = shop.tenant("ranking", TenantKind.TEAM)
    held = hold(shop, team, 2, lease_class=LeaseClass.INTERNAL, **TOMORROW)
    assert held.state is LeaseState.HELD
