"""Capacity as clouds sell it: flexible starts, gaps, the reservable share, alternatives, series."""

from datetime import UTC, datetime
from typing import Any

import pytest

from comptoir.desk.operations import series
from comptoir.desk.requests import (
    ExtendLease,
    Hold,
    LeaseRef,
    NodeRef,
    RequestLease,
    RequestSeries,
    SeriesRef,
    SetQuota,
    SetSetting,
)
from comptoir.leases.lease import Alternative, Lease, LeaseClass, LeaseState, Shape
from comptoir.tenants.parties import Role, Tenant
from comptoir.units.errors import Conflict, Invalid, NotFound, Refused
from comptoir.units.recurrence import parse_recurrence
from comptoir.units.time import parse_instant
from comptoir.units.values import replace
from tests.builders import HOUR_MS, START_MS, Book

RESERVED, SPOT, ON_DEMAND = LeaseClass.RESERVED, LeaseClass.SPOT, LeaseClass.ON_DEMAND
DAY_MS = 24 * HOUR_MS


@pytest.fixture
def shop(book: Book) -> Book:
    book.price_all()
    book.supply(4, 4)
    return book


@pytest.fixture
def acme(shop: Book) -> Tenant:
    return shop.tenant("acme")


def events(book: Book, type: str) -> list[Any]:
    """The data of every committed event of a type, oldest first."""
    import json

    with book.store.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT data FROM event WHERE type = ? ORDER BY seq", (type,)
        )
        return [json.loads(row[0]) for row in rows]


def hold(book: Book, tenant: Tenant, accelerators: int, firm: bool = False, **more: Any) -> Lease:
    words: dict[str, Any] = {"lease_class": RESERVED, "shape": Shape.SITE, "hold_s": 7_200, **more}
    seconds = words.pop("hold_s")
    wanted = RequestLease("cpu-core", accelerators, tenant_id=tenant.id, **words)
    held = book.desk.call("hold_capacity", Hold(wanted, seconds, firm), book.operator)
    assert isinstance(held, Lease)
    return held


TOMORROW: dict[str, Any] = {"starts_at_ms": START_MS + DAY_MS, "duration_s": 3_600}


class TestFlexibleStarts:
    def test_any_start_before_the_latest_will_do_and_it_lasts_its_whole_duration(
        self, shop: Book, acme: Tenant
    ) -> None:
        first = shop.lease(acme, RESERVED, 8, ends_at_ms=START_MS + HOUR_MS)
        shop.turn()
        later = shop.lease(
            acme, ON_DEMAND, 8, latest_start_ms=START_MS + 2 * HOUR_MS, duration_s=1_800
        )
        shop.pass_s(3_600)
        shop.turn()
        assert shop.now(first).state is LeaseState.ENDED
        found = shop.now(later)
        assert found.state is LeaseState.ACTIVE
        assert found.activated_at_ms is not None
        assert found.ends_at_ms == (found.scheduled_start_ms or 0) + 1_800_000

    def test_whose_latest_start_has_passed_is_refused(self, shop: Book, acme: Tenant) -> None:
        shop.lease(acme, ON_DEMAND, 8)
        late = shop.lease(acme, RESERVED, 8, latest_start_ms=START_MS + 60_000, duration_s=86_400)
        assert late.state is LeaseState.WAITING
        shop.pass_s(61)
        assert (shop.now(late).state, shop.now(late).reason) == ("refused", "window_passed")

    def test_it_needs_a_duration_and_not_an_end(self, shop: Book, acme: Tenant) -> None:
        with pytest.raises(Invalid, match="duration_missing"):
            shop.lease(acme, RESERVED, 1, latest_start_ms=START_MS + 1, ends_at_ms=START_MS + 9)
        with pytest.raises(Invalid, match="end_and_duration"):
            shop.lease(acme, RESERVED, 1, duration_s=9, ends_at_ms=START_MS + 9)
        with pytest.raises(Invalid, match="latest_start_before_start"):
            shop.lease(
                acme, RESERVED, 1, starts_at_ms=START_MS + 5, latest_start_ms=START_MS + 4,
                duration_s=9,
            )  # fmt: skip

    def test_a_reclaim_that_takes_a_notice_does_not_shorten_it(
        self, shop: Book, acme: Tenant
    ) -> None:
        shop.lease(acme, SPOT, 8, notice_s=120)
        shop.turn()
        lease = shop.lease(acme, RESERVED, 8, latest_start_ms=START_MS + HOUR_MS, duration_s=3_600)
        assert lease.scheduled_start_ms == START_MS + 120_000
        assert lease.ends_at_ms == START_MS + 120_000 + HOUR_MS

    def test_who_is_dropped_is_flexible_again(self, shop: Book, acme: Tenant) -> None:
        lease = shop.lease(
            acme, RESERVED, 8, starts_at_ms=START_MS + HOUR_MS,
            latest_start_ms=START_MS + 3 * HOUR_MS, duration_s=3_600,
        )  # fmt: skip
        node = next(iter(shop.desk.book.nodes))
        shop.desk.call("drain_node", NodeRef(node.id), shop.operator)
        waiting = shop.now(lease)
        assert waiting.state is LeaseState.WAITING
        assert waiting.ends_at_ms == START_MS + 4 * HOUR_MS
        with pytest.raises(Conflict, match="lease_flexible"):
            shop.desk.call("extend_lease", ExtendLease(lease.id, START_MS + DAY_MS), shop.operator)
        shop.desk.call("resume_node", NodeRef(node.id), shop.operator)
        shop.turn()
        assert shop.now(lease).ends_at_ms == START_MS + 2 * HOUR_MS

    def test_a_later_start_is_promised_at_once(self, shop: Book, acme: Tenant) -> None:
        """By the calendar: the first instant at which enough is free for long enough."""
        first = START_MS + HOUR_MS + 61_234  # no whole bucket: the promise is exact
        shop.lease(acme, RESERVED, 8, ends_at_ms=first)
        third = first + 5 * HOUR_MS
        shop.lease(acme, RESERVED, 4, starts_at_ms=third, ends_at_ms=third + HOUR_MS)
        shop.turn()
        short = shop.lease(
            acme, RESERVED, 8, latest_start_ms=first + 30 * HOUR_MS, duration_s=4 * 3_600
        )
        assert (short.state, short.scheduled_start_ms) == ("scheduled", first)
        after = shop.lease(
            acme, RESERVED, 8, latest_start_ms=first + 30 * HOUR_MS, duration_s=5 * 3_600
        )
        assert after.scheduled_start_ms == third + HOUR_MS
        too_late = shop.lease(acme, RESERVED, 8, latest_start_ms=first + HOUR_MS, duration_s=3_600)
        assert too_late.state is LeaseState.WAITING


class TestGaps:
    """What is open-ended and reclaimable fills a gap before somebody's promise."""

    def test_spot_stands_before_a_promise_and_is_told_its_notice_ahead(
        self, shop: Book, acme: Tenant
    ) -> None:
        shop.price_all("mi300x")
        shop.supply(8, kind="mi300x", engine="")  # no engine: in its holder's hands to the end
        block = shop.lease(acme, RESERVED, 8, "mi300x", **TOMORROW)
        spot = shop.lease(acme, SPOT, 4, "mi300x", notice_s=60)
        assert spot.state is LeaseState.SCHEDULED
        assert spot.reclaimed_for == block.id
        assert events(shop, "lease.reclaim_planned")[-1]["until_ms"] == START_MS + DAY_MS
        shop.turn()
        shop.pass_s(24 * 3_600 - 61)
        assert shop.now(spot).state is LeaseState.ACTIVE
        shop.pass_s(1)
        told = shop.now(spot)
        assert (told.state, told.reason) == ("reclaiming", "stronger_request")
        assert told.kill_at_ms == START_MS + DAY_MS
        shop.pass_s(60)
        assert shop.now(block).state is LeaseState.ACTIVE
        assert shop.now(spot).state is LeaseState.WAITING
        shop.pass_s(3_600)
        assert shop.now(spot).state is LeaseState.ACTIVE

    def test_it_stays_if_the_promise_is_given_up(self, shop: Book, acme: Tenant) -> None:
        block = shop.lease(acme, RESERVED, 8, **TOMORROW)
        spot = shop.lease(acme, SPOT, 8)
        shop.desk.call("cancel_lease", LeaseRef(block.id), shop.operator)
        shop.turn()
        assert shop.now(spot).reclaimed_for is None
        ends = [a.ends_at_ms for a in shop.desk.book.allocations_of(spot.id)]
        assert set(ends) == {None}

    def test_a_place_that_nobody_is_promised_comes_first(self, shop: Book, acme: Tenant) -> None:
        shop.lease(acme, RESERVED, 4, shape=Shape.NODE, **TOMORROW)
        spot = shop.lease(acme, SPOT, 4)
        assert spot.reclaimed_for is None

    def test_a_gap_too_short_for_its_notice_is_left_alone(self, shop: Book, acme: Tenant) -> None:
        soon: dict[str, Any] = {"starts_at_ms": START_MS + 100_000, "duration_s": 3_600}
        shop.lease(acme, RESERVED, 8, **soon)
        assert shop.lease(acme, SPOT, 4, notice_s=60).state is LeaseState.WAITING
        assert shop.lease(acme, SPOT, 4, notice_s=5).state is LeaseState.WAITING  # behind it

    def test_a_guarantee_fills_no_gap(self, shop: Book, acme: Tenant) -> None:
        shop.lease(acme, RESERVED, 8, **TOMORROW)
        assert shop.lease(acme, ON_DEMAND, 4).state is LeaseState.WAITING

    def test_whole_nodes_are_lent_to_another_tenant_for_the_gap(
        self, shop: Book, acme: Tenant
    ) -> None:
        shop.price_all("h100-sxm")
        shop.supply(8, kind="h100-sxm", engine="")
        other = shop.tenant("globex")
        shop.lease(other, RESERVED, 8, kind="h100-sxm", **TOMORROW)
        spot = shop.lease(acme, SPOT, 2, kind="h100-sxm", notice_s=60)
        shop.turn()
        assert shop.now(spot).state is LeaseState.ACTIVE


class TestTheReservableShare:
    def test_open_ended_leases_leave_a_share_of_each_pool_for_windows(
        self, shop: Book, acme: Tenant
    ) -> None:
        shop.desk.call("set_setting", SetSetting("open_ended_percent", 50), shop.operator)
        assert shop.lease(acme, ON_DEMAND, 3).state is LeaseState.SCHEDULED
        waiting = shop.lease(acme, ON_DEMAND, 2)
        assert waiting.state is LeaseState.WAITING
        shop.desk.call("cancel_lease", LeaseRef(waiting.id), shop.operator)
        assert shop.lease(acme, ON_DEMAND, 5, duration_s=3_600).state is LeaseState.SCHEDULED
        with pytest.raises(Refused) as no:
            shop.lease(acme, ON_DEMAND, 5)
        assert (no.value.code, no.value.facts["largest"]) == ("open_ended_cap", 4)

    def test_what_can_be_taken_back_is_not_counted(self, shop: Book, acme: Tenant) -> None:
        shop.desk.call("set_setting", SetSetting("open_ended_percent", 0), shop.operator)
        assert shop.lease(acme, SPOT, 8).state is LeaseState.SCHEDULED


class TestAlternatives:
    @pytest.fixture
    def two_kinds(self, shop: Book) -> Book:
        shop.price_all("h100-sxm")
        shop.supply(8, 8, kind="h100-sxm", engine="")
        return shop

    def test_the_first_that_has_a_place_wins_for_the_whole_gang(
        self, two_kinds: Book, acme: Tenant
    ) -> None:
        two_kinds.lease(acme, ON_DEMAND, 5)
        ways = (Alternative("h100-sxm", 16, Shape.SITE), Alternative("h100-sxm", 4, Shape.NODE))
        lease = two_kinds.lease(acme, ON_DEMAND, 4, alternatives=ways)
        assert lease.state is LeaseState.SCHEDULED
        assert (lease.kind, lease.accelerators, lease.shape) == ("h100-sxm", 16, "site")

    def test_every_way_must_have_a_price_and_fit_the_quota(
        self, two_kinds: Book, acme: Tenant
    ) -> None:
        with pytest.raises(Refused, match="no_rate"):
            two_kinds.lease(
                acme, ON_DEMAND, 1, alternatives=(Alternative("mi300x", 1, Shape.SITE),)
            )
        quota = SetQuota(acme.id, "h100-sxm", 8)
        two_kinds.desk.call("set_quota", quota, two_kinds.operator)
        with pytest.raises(Refused, match="quota_exceeded"):
            two_kinds.lease(
                acme, ON_DEMAND, 1, alternatives=(Alternative("h100-sxm", 16, Shape.SITE),)
            )

    def test_it_is_refused_only_if_no_way_could_ever_be_met(
        self, two_kinds: Book, acme: Tenant
    ) -> None:
        possible = (Alternative("h100-sxm", 16, Shape.SITE),)
        assert two_kinds.lease(acme, ON_DEMAND, 99, alternatives=possible).kind == "h100-sxm"
        with pytest.raises(Refused, match="fleet_too_small") as refused:
            two_kinds.lease(
                acme, ON_DEMAND, 99, alternatives=(Alternative("h100-sxm", 9, Shape.NODE),)
            )
        assert refused.value.message == (
            "99 x cpu-core, one site: you asked for 99 x cpu-core; 8 are in service; "
            "9 x h100-sxm, one node: the largest node of h100-sxm in service holds 8 "
            "accelerators, you asked for 9 in one node"
        )
        codes = [way["code"] for way in refused.value.facts["ways"]]
        assert codes == ["fleet_too_small", "shape_impossible"]
        assert refused.value.next == "ask for at most 8"

    def test_the_same_way_twice_makes_no_sense(self, shop: Book, acme: Tenant) -> None:
        with pytest.raises(Invalid, match="alternative_twice"):
            shop.lease(acme, SPOT, 1, alternatives=(Alternative("cpu-core", 1, Shape.SITE),))

    def test_a_preferred_shape_is_tried_first_and_not_required(
        self, shop: Book, acme: Tenant
    ) -> None:
        apart = shop.lease(acme, ON_DEMAND, 5, preferred_shape=Shape.NODE)
        assert apart.state is LeaseState.SCHEDULED
        together = shop.lease(acme, ON_DEMAND, 3, preferred_shape=Shape.NODE)
        nodes = {a.node_id for a in shop.desk.book.allocations_of(together.id)}
        assert len(nodes) == 1
        with pytest.raises(Invalid, match="preferred_not_narrower"):
            shop.lease(acme, SPOT, 1, shape=Shape.NODE, preferred_shape=Shape.POD)


class TestSeries:
    EVERY = "daily 20:00 to 08:00 Europe/Paris"

    def ask(self, book: Book, tenant: Tenant, size: int, days: int, every: str = EVERY) -> Any:
        each = RequestLease("cpu-core", size, RESERVED, tenant_id=tenant.id)
        request = RequestSeries(parse_recurrence(every), START_MS + days * DAY_MS, each)
        return book.desk.call("request_series", request, book.operator)

    def test_every_window_is_promised_over_the_change_of_the_clock(
        self, shop: Book, acme: Tenant
    ) -> None:
        # From 22 September 2026 on: the night of 24 October has an hour more.
        made = self.ask(shop, acme, 3, 40)
        assert {lease.state for lease in made.leases} == {LeaseState.SCHEDULED}
        assert {lease.series for lease in made.leases} == {made.series}
        hours = [((x.ends_at_ms or 0) - x.starts_at_ms) // HOUR_MS for x in made.leases]
        assert (len(hours), hours.count(12), hours.count(13)) == (40, 39, 1)
        longest = max(made.leases, key=lambda x: (x.ends_at_ms or 0) - x.starts_at_ms)
        assert datetime.fromtimestamp(longest.starts_at_ms // 1_000, UTC).day == 24

    def test_it_is_all_or_nothing_and_says_which_window_is_taken(
        self, shop: Book, acme: Tenant
    ) -> None:
        third = parse_recurrence(self.EVERY).next_from(START_MS + 2 * DAY_MS)
        assert third is not None
        shop.lease(acme, RESERVED, 6, starts_at_ms=third.start_ms, ends_at_ms=third.end_ms)
        with pytest.raises(Refused) as no:
            self.ask(shop, acme, 3, 7)
        assert no.value.code == "series_not_free"
        assert no.value.facts["free_before"] == 2
        assert len(shop.desk.book.leases) == 1

    def test_its_number_of_windows_is_limited_and_not_zero(self, shop: Book, acme: Tenant) -> None:
        with pytest.raises(Invalid, match="series_too_long") as no:
            self.ask(shop, acme, 1, 500)
        assert no.value.facts["most"] == 260
        with pytest.raises(Invalid, match="series_empty"):
            self.ask(shop, acme, 1, 0)

    def test_a_series_of_large_gangs_has_fewer_windows_and_is_had_in_parts(
        self, shop: Book, acme: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(series, "MOST_WORK", 100)  # on two nodes a window costs ten
        with pytest.raises(Invalid, match="series_too_long") as no:
            self.ask(shop, acme, 8, 30)
        assert no.value.facts == {"most": 10, "until": no.value.facts["until"]}
        assert len(shop.desk.book.leases) == 0
        until_ms = parse_instant(str(no.value.facts["until"]))
        each = RequestLease("cpu-core", 8, RESERVED, tenant_id=acme.id)
        every = parse_recurrence(self.EVERY)
        for from_ms, to_ms in ((START_MS, until_ms), (until_ms, until_ms + 10 * DAY_MS)):
            request = RequestSeries(every, to_ms, replace(each, starts_at_ms=from_ms))
            assert len(shop.desk.call("request_series", request, shop.operator).leases) == 10

    def test_what_has_not_started_is_cancelled_together(self, shop: Book, acme: Tenant) -> None:
        made = self.ask(shop, acme, 1, 5)
        shop.clock.instant_ms = made.leases[0].starts_at_ms
        shop.turn()
        gone = shop.desk.call("cancel_series", SeriesRef(made.series), shop.operator)
        assert len(gone.leases) == 4
        assert shop.now(made.leases[0]).state is LeaseState.ACTIVE
        stranger = shop.user(Role.TENANT_ADMIN, tenant=shop.tenant("globex"))
        with pytest.raises(NotFound):
            shop.desk.call("cancel_series", SeriesRef(made.series), stranger)
