"""What teams do not use is lent, who borrows is told, and it comes back within the notice."""

from typing import Any

import pytest

from comptoir.desk.engine_port import AttemptSight
from comptoir.desk.notices import Notice, notice_of
from comptoir.desk.ports import Event
from comptoir.desk.requests import (
    DeclareSupply,
    EndEntitlement,
    ExtendLease,
    LeaseRef,
    NewNode,
    SetEntitlement,
)
from comptoir.leases.lease import Lease, LeaseClass, LeaseState, Reason, Shape
from comptoir.placement.snapshot import Snapshot
from comptoir.store.views import Views, lists
from comptoir.store.views.reading import Ask
from comptoir.tenants.entitlements import Entitlement
from comptoir.tenants.parties import Tenant, TenantKind
from comptoir.units.errors import Refused
from tests.builders import HOUR_MS, Book

INTERNAL, RESERVED, ON_DEMAND, SPOT = LeaseClass


class Shop(Book):
    """A book with teams `a` and `b`, and a customer."""

    a: Tenant
    b: Tenant
    acme: Tenant

    def entitle(self, team: Tenant, accelerators: int, **words: Any) -> Entitlement:
        request = SetEntitlement(words.pop("kind", "cpu-core"), accelerators, team.id, **words)
        made = self.desk.call("set_entitlement", request, self.operator)
        assert isinstance(made, Entitlement)
        return made

    def pass_s(self, seconds: float) -> None:
        """What is due now is done, then time passes."""
        self.turn()
        super().pass_s(seconds)

    def end(self, lease: Lease) -> None:
        self.desk.call("end_lease", LeaseRef(lease.id), self.operator)
        self.turn()

    def stands(self, *leases: Lease) -> list[str]:
        """The state of each, with its mark."""
        self.turn()
        said = []
        for lease in map(self.now, leases):
            mark = " lent" if lease.lent else " borrowed" if lease.borrowed else ""
            mark = "" if lease.state is LeaseState.WAITING else mark
            said.append(f"{lease.state}{mark}")
        return said


@pytest.fixture
def shop(tmp_path: Any) -> Shop:
    """Sixteen cores in two nodes; nothing is entitled yet."""
    made = Shop(tmp_path)
    made.price_all()
    made.supply(8, 8, engine="")
    made.a, made.b = (made.tenant(slug, TenantKind.TEAM) for slug in ("aa", "bb"))
    made.acme = made.tenant("acme")
    return made


def test_on_demand_stands_on_what_is_nobodys_first_and_is_told_when_it_is_lent(
    shop: Shop,
) -> None:
    shop.entitle(shop.a, 12)
    sold = shop.lease(shop.acme, ON_DEMAND, 4)
    lent = shop.lease(shop.acme, ON_DEMAND, 4)
    assert (sold.lent, sold.reclaimable) == (False, False)
    assert (lent.lent, lent.reclaimable, lent.minimum_runtime_s) == (True, True, 900)
    assert shop.stands(sold, lent) == ["active", "active lent"]


def test_an_entitled_team_gets_back_what_is_lent_within_its_notice(shop: Shop) -> None:
    shop.entitle(shop.a, 12)
    sold = shop.lease(shop.acme, ON_DEMAND, 4)
    lent = shop.lease(shop.acme, ON_DEMAND, 12, notice_s=60)
    shop.turn()
    shop.pass_s(1_000)  # its minimum runtime is over
    mine = shop.lease(shop.a, INTERNAL, 12)
    assert mine.state is LeaseState.SCHEDULED
    assert mine.scheduled_start_ms == shop.clock.instant_ms + 60_000
    shop.pass_s(60)
    assert shop.stands(sold, lent, mine) == ["active", "waiting", "active"]
    assert shop.now(lent).reason is Reason.STRONGER_REQUEST


def test_a_minimum_runtime_is_kept_before_the_notice_counts(shop: Shop) -> None:
    shop.entitle(shop.a, 16)
    lent = shop.lease(shop.acme, ON_DEMAND, 16, notice_s=60)
    shop.turn()
    active = shop.clock.instant_ms
    shop.pass_s(100)
    mine = shop.lease(shop.a, INTERNAL, 16)
    assert mine.scheduled_start_ms == active + 900_000
    shop.pass_s(739)
    assert shop.stands(lent) == ["active lent"]
    shop.pass_s(2)
    assert shop.stands(lent) == ["reclaiming lent"]


def test_a_team_takes_spot_first_then_what_is_lent_or_borrowed_then_what_it_may_recall(
    shop: Shop,
) -> None:
    shop.entitle(shop.a, 16)
    end = shop.clock.instant_ms + 100 * HOUR_MS
    recall = shop.lease(shop.acme, RESERVED, 4, ends_at_ms=end, recall=True)
    lent = shop.lease(shop.acme, ON_DEMAND, 4)
    borrowed = shop.lease(shop.b, INTERNAL, 4)
    spot = shop.lease(shop.acme, SPOT, 4)
    assert shop.stands(recall, lent, borrowed, spot) == [
        "active", "active lent", "active borrowed", "active",
    ]  # fmt: skip
    shop.pass_s(2_000)
    shop.lease(shop.a, INTERNAL, 4)
    shop.pass_s(40)
    assert shop.stands(recall, lent, borrowed, spot)[3] == "waiting"
    shop.lease(shop.a, INTERNAL, 8)
    shop.pass_s(40)
    assert shop.stands(recall, lent, borrowed) == ["active", "waiting", "waiting"]
    shop.lease(shop.a, INTERNAL, 4)
    shop.pass_s(40)
    assert shop.stands(recall) == ["waiting"]


def test_a_team_above_its_entitlement_takes_back_spot_and_nothing_else(shop: Shop) -> None:
    shop.entitle(shop.a, 12)
    lent = shop.lease(shop.acme, ON_DEMAND, 12)
    spot = shop.lease(shop.acme, SPOT, 4)
    shop.turn()
    shop.pass_s(2_000)
    borrowing = shop.lease(shop.b, INTERNAL, 4)
    assert borrowing.borrowed
    more = shop.lease(shop.b, INTERNAL, 4)
    shop.pass_s(60)
    assert shop.stands(lent, spot, borrowing, more) == [
        "active lent", "waiting", "active borrowed", "waiting",
    ]  # fmt: skip


def test_what_is_sold_for_good_never_gives_way(shop: Shop) -> None:
    shop.entitle(shop.a, 8)
    sold = shop.lease(shop.acme, ON_DEMAND, 8)
    mine = shop.lease(shop.a, INTERNAL, 8)
    above = shop.lease(shop.a, INTERNAL, 4)
    shop.pass_s(4_000)
    assert shop.stands(sold, mine, above) == ["active", "active", "waiting"]


def test_a_reserved_window_stands_only_on_what_is_nobodys_unless_it_may_be_recalled(
    shop: Shop,
) -> None:
    shop.entitle(shop.a, 12)
    end = shop.clock.instant_ms + HOUR_MS
    with pytest.raises(Refused, match=r"entitled_to_teams.*12 of 16.*4 can be sold"):
        shop.lease(shop.acme, RESERVED, 5, ends_at_ms=end)
    assert shop.lease(shop.acme, RESERVED, 4, ends_at_ms=end).state is LeaseState.SCHEDULED
    late = shop.lease(shop.acme, RESERVED, 2, ends_at_ms=end)
    assert late.state is LeaseState.WAITING
    recall = shop.lease(shop.acme, RESERVED, 5, ends_at_ms=end, recall=True)
    assert shop.stands(late, recall) == ["waiting", "active"]


def test_an_entitlement_that_is_to_begin_is_kept_free_of_guarantees_from_then_on(
    shop: Shop,
) -> None:
    begins = shop.clock.instant_ms + HOUR_MS
    shop.entitle(shop.a, 16, starts_at_ms=begins)
    brief = shop.lease(shop.acme, ON_DEMAND, 8, ends_at_ms=begins)
    lasting = shop.lease(shop.acme, ON_DEMAND, 8)
    assert (brief.lent, lasting.lent) == (False, True)
    shop.turn()
    mine = shop.lease(shop.a, INTERNAL, 16, starts_at_ms=begins)
    assert mine.scheduled_start_ms == begins


def test_what_is_lent_becomes_sold_for_good_when_there_is_room_the_oldest_first(
    shop: Shop,
) -> None:
    row = shop.entitle(shop.a, 16)
    old, young = shop.lease(shop.acme, ON_DEMAND, 4), shop.lease(shop.acme, ON_DEMAND, 4)
    assert shop.stands(old, young) == ["active lent", "active lent"]
    shop.desk.call("end_entitlement", EndEntitlement(row.id), shop.operator)
    shop.entitle(shop.a, 11)
    assert shop.stands(old, young) == ["active", "active lent"]


def test_what_a_team_borrows_becomes_its_own_again_and_its_own_borrowed(shop: Shop) -> None:
    shop.entitle(shop.a, 8)
    first = shop.lease(shop.a, INTERNAL, 6)
    second, third = shop.lease(shop.a, INTERNAL, 4), shop.lease(shop.a, INTERNAL, 2)
    assert shop.stands(first, second, third) == ["active", "active borrowed", "active"]
    shop.end(first)
    shop.pass_s(40)
    assert shop.stands(second, third) == ["active", "active"]
    row = next(iter(shop.desk.book.entitlements))
    shop.desk.call("end_entitlement", EndEntitlement(row.id), shop.operator)
    shop.entitle(shop.a, 4)
    assert shop.stands(second, third) == ["active", "active borrowed"]


def test_where_nothing_is_entitled_teams_are_first_and_nothing_is_borrowed(shop: Shop) -> None:
    mine, sold = shop.lease(shop.a, INTERNAL, 8), shop.lease(shop.acme, ON_DEMAND, 8)
    assert shop.stands(mine, sold) == ["active", "active"]
    assert shop.now(mine).reclaimable is False
    assert shop.now(sold).reclaimable is False


def test_a_lend_limit_keeps_idle_accelerators_free(shop: Shop) -> None:
    shop.entitle(shop.a, 12, lend_limit=2)
    spot = shop.lease(shop.acme, SPOT, 6)
    more = shop.lease(shop.acme, SPOT, 1)
    assert shop.stands(spot, more) == ["active", "waiting"]
    mine = shop.lease(shop.a, INTERNAL, 10)
    assert mine.scheduled_start_ms == shop.clock.instant_ms


def test_a_borrow_limit_bounds_what_a_team_uses_above_its_own(shop: Shop) -> None:
    shop.entitle(shop.a, 4, borrow_limit=3)
    own, borrowed = shop.lease(shop.a, INTERNAL, 4), shop.lease(shop.a, INTERNAL, 3)
    more = shop.lease(shop.a, INTERNAL, 1)
    assert shop.stands(own, borrowed, more) == ["active", "active borrowed", "waiting"]
    shop.end(borrowed)
    shop.pass_s(40)
    assert shop.stands(more) == ["active borrowed"]


def test_where_idle_is_kept_a_sale_takes_the_place_of_spot_and_not_the_kept_one(
    shop: Shop,
) -> None:
    shop.entitle(shop.a, 8, lend_limit=0)
    spot = shop.lease(shop.acme, SPOT, 8)
    shop.turn()
    sold = shop.lease(shop.acme, ON_DEMAND, 8)
    assert not sold.lent
    shop.pass_s(60)
    assert shop.stands(spot, sold) == ["waiting", "active"]


def test_a_long_notice_is_not_lent_to(shop: Shop) -> None:
    shop.entitle(shop.a, 16)
    patient = shop.lease(shop.acme, ON_DEMAND, 4, notice_s=7_200)
    assert patient.state is LeaseState.WAITING


def test_customers_hold_whole_nodes_and_so_many_are_counted_as_sold(shop: Shop) -> None:
    shop.price_all("h100-sxm")
    shop.supply(8, 8, 8, kind="h100-sxm", engine="")
    shop.entitle(shop.a, 16, kind="h100-sxm")
    one = shop.lease(shop.acme, ON_DEMAND, 1, kind="h100-sxm")
    same_node = shop.lease(shop.acme, ON_DEMAND, 2, kind="h100-sxm")
    other = shop.lease(shop.tenant("globex"), ON_DEMAND, 1, kind="h100-sxm")
    assert (one.lent, same_node.lent, other.lent) == (False, False, True)
    shop.turn()
    shop.pass_s(1_000)
    mine = shop.lease(shop.a, INTERNAL, 16, kind="h100-sxm")
    assert mine.state is LeaseState.SCHEDULED


def test_an_entitlement_at_a_site_is_used_there_first(shop: Shop) -> None:
    nodes = (NewNode("far-1", 8, 1 << 30, "", site="lyon"),)
    shop.desk.call("declare_supply", DeclareSupply("far", "cpu-core", nodes), shop.operator)
    shop.entitle(shop.a, 8, site="lyon")
    mine = shop.lease(shop.a, INTERNAL, 8)
    assert not mine.borrowed
    (held,) = shop.desk.book.allocations_of(mine.id)
    assert shop.desk.book.nodes[held.node_id].site == "lyon"
    assert shop.lease(shop.a, INTERNAL, 4).borrowed


def test_extending_a_sold_window_stops_where_a_team_is_entitled(shop: Shop) -> None:
    now = shop.clock.instant_ms
    sold = shop.lease(shop.acme, RESERVED, 8, ends_at_ms=now + HOUR_MS)
    shop.entitle(shop.a, 16, starts_at_ms=now + 2 * HOUR_MS)
    longer = ExtendLease(sold.id, now + 3 * HOUR_MS)
    with pytest.raises(Refused, match="entitled_to_teams"):
        shop.desk.call("extend_lease", longer, shop.operator)
    shop.desk.call("extend_lease", ExtendLease(sold.id, now + 2 * HOUR_MS), shop.operator)


def test_marks_and_counts_survive_a_restart(shop: Shop) -> None:
    shop.entitle(shop.a, 12)
    sold, lent = shop.lease(shop.acme, ON_DEMAND, 4), shop.lease(shop.acme, ON_DEMAND, 4)
    shop.turn()
    shop.desk.reload()
    assert shop.stands(sold, lent) == ["active", "active lent"]
    assert shop.lease(shop.acme, ON_DEMAND, 1).lent


def test_a_lent_lease_with_a_job_stops_it_and_goes_on_later(tmp_path: Any) -> None:
    shop = Shop(tmp_path)
    shop.price_all()
    shop.supply(4)
    team, acme = shop.tenant("aa", TenantKind.TEAM), shop.tenant("acme")
    shop.entitle(team, 4)
    lent = shop.lease(acme, ON_DEMAND, 4, notice_s=10)
    job = shop.job(lent)
    shop.turn()
    shop.see(shop.attempt(lent), AttemptSight.RUNNING)
    shop.pass_s(900)
    mine = shop.lease(team, INTERNAL, 4)
    shop.turn()
    shop.see(shop.attempt(lent), AttemptSight.EXITED, 143)
    assert shop.stands(mine, lent) == ["active", "waiting"]
    assert shop.desk.book.jobs[job.id].attempts == 1


def test_what_has_no_notice_is_gone_in_the_turn_that_takes_it_back(shop: Shop) -> None:
    shop.entitle(shop.a, 4)
    shop.entitle(shop.b, 8)
    end = shop.clock.instant_ms + 100 * HOUR_MS
    recall = shop.lease(shop.acme, RESERVED, 16, ends_at_ms=end, recall=True, notice_s=0)
    shop.turn()
    mine = shop.lease(shop.a, INTERNAL, 8)
    assert shop.stands(recall, mine) == ["active", "waiting"]
    shop.entitle(shop.a, 4)
    assert shop.stands(recall, mine) == ["waiting", "active"]


def test_a_team_cannot_claim_its_own_twice_while_others_still_leave(shop: Shop) -> None:
    """What it was promised counts at once, or it could take back more than it is entitled to."""
    shop.entitle(shop.a, 8)
    shop.entitle(shop.b, 8)
    slow = shop.lease(shop.acme, ON_DEMAND, 8, notice_s=3_600)
    other = shop.lease(shop.b, INTERNAL, 8)
    shop.turn()
    first = shop.lease(shop.a, INTERNAL, 8)
    assert (first.state, first.borrowed) == (LeaseState.SCHEDULED, False)
    shop.end(other)
    quick = shop.lease(shop.acme, ON_DEMAND, 8, notice_s=60)
    shop.turn()
    second = shop.lease(shop.a, INTERNAL, 8)
    for _ in range(2):
        shop.pass_s(1_800)
    assert shop.stands(slow, quick) == ["waiting", "active lent"]
    assert shop.stands(first, second) == ["active", "waiting"]


def test_the_holder_is_told_what_a_lease_stands_on_and_when_that_changes(shop: Shop) -> None:
    shop.entitle(shop.a, 12)
    sold = shop.lease(shop.acme, ON_DEMAND, 4)
    lent = shop.lease(shop.acme, ON_DEMAND, 4)
    told = [n for n in notices_to(shop, lent) if n.type in ("lease.scheduled", "lease.restated")]
    assert [(n.data["lent"], n.data["borrowed"]) for n in told] == [(True, False)]
    shop.turn()
    shop.end(sold)
    restated = notices_to(shop, lent)[-1]
    assert restated.data["lent"] is False
    assert restated.says == (
        f"{lent.id} (4 x cpu-core, on_demand) now counts as sold for good, and is not taken back"
    )


def notices_to(shop: Shop, lease: Lease) -> list[Notice]:
    """What the holder of a lease is told of it."""
    views = Views(shop.store.engine)
    events: list[Event] = lists.events(views, Ask(100), subject=lease.id).items
    return [n for e in sorted(events, key=lambda e: e.seq) if (n := notice_of(e, house=False))]


def mtia(shop: Shop, lend: int | None) -> None:
    """144 accelerators: 96 are `a`'s, 48 are `b`'s, which may borrow 72."""
    shop.price_all("mtia-v2")
    shop.supply(*[24] * 6, kind="mtia-v2", engine="")
    shop.entitle(shop.a, 96, kind="mtia-v2", lend_limit=lend)
    shop.entitle(shop.b, 48, kind="mtia-v2", borrow_limit=72)


def test_a_borrow_limit_bounds_all_that_a_team_uses_above_its_own_in_whatever_order_it_asks(
    shop: Shop,
) -> None:
    mtia(shop, lend=None)
    first, second, third = (shop.lease(shop.b, INTERNAL, n, "mtia-v2") for n in (96, 24, 24))
    assert (first.borrowed, second.borrowed, third.borrowed) == (True, True, True)
    # What the second uses is protected as the team's own: 24 of its 48.
    assert shop.stands(first, second, third) == ["active borrowed", "active", "waiting"]
    said = shop.desk.call("explain_lease", LeaseRef(third.id), shop.operator).sentence
    assert said == (
        "with it, its team would use 144 mtia-v2, 96 above its own 48: it may borrow 72; "
        "0 more would be within it"
    )
    shop.end(second)
    shop.pass_s(40)
    assert shop.stands(first, third) == ["active borrowed", "active"]


def test_a_lend_limit_bounds_what_is_lent_to_a_team_that_borrows_first_and_asks_for_its_own_then(
    shop: Shop,
) -> None:
    mtia(shop, lend=48)
    first, second = (shop.lease(shop.b, INTERNAL, n, "mtia-v2") for n in (96, 24))
    assert shop.stands(first, second) == ["active borrowed", "waiting"]
    said = shop.desk.call("explain_lease", LeaseRef(second.id), shop.operator).sentence
    assert said == ("teams keep 48 idle mtia-v2 for themselves; 0 more may be used by others")
    mine = shop.lease(shop.a, INTERNAL, 48, "mtia-v2")
    assert mine.scheduled_start_ms == shop.clock.instant_ms  # what it keeps is there at once


def test_a_team_above_its_entitlement_takes_nothing_back_though_its_leases_would_fit_singly(
    shop: Shop,
) -> None:
    shop.entitle(shop.a, 8)
    shop.entitle(shop.b, 4)
    borrowed = shop.lease(shop.b, INTERNAL, 12)
    lent = shop.lease(shop.acme, ON_DEMAND, 4)
    shop.turn()
    shop.pass_s(2_000)
    more = shop.lease(shop.b, INTERNAL, 4)
    shop.pass_s(4_000)
    assert shop.stands(borrowed, lent, more) == ["active borrowed", "active", "waiting"]


def test_a_limit_holds_for_what_is_promised_later_too(shop: Shop) -> None:
    now = shop.clock.instant_ms
    shop.entitle(shop.a, 4, borrow_limit=2)
    booked = shop.lease(
        shop.a, INTERNAL, 4, starts_at_ms=now + HOUR_MS, ends_at_ms=now + 2 * HOUR_MS
    )
    brief = shop.lease(shop.a, INTERNAL, 4, ends_at_ms=now + HOUR_MS)
    lasting = shop.lease(shop.a, INTERNAL, 4)
    assert shop.stands(booked, brief, lasting) == ["scheduled", "active", "waiting"]
    less = shop.lease(shop.a, INTERNAL, 2)
    assert shop.stands(less, lasting) == ["active borrowed", "waiting"]


def test_what_is_a_teams_own_now_may_not_pass_its_borrow_limit_later(shop: Shop) -> None:
    now = shop.clock.instant_ms
    shop.entitle(shop.a, 4, borrow_limit=2)
    shop.lease(shop.a, INTERNAL, 4, starts_at_ms=now + HOUR_MS, ends_at_ms=now + 2 * HOUR_MS)
    lasting = shop.lease(shop.a, INTERNAL, 3)
    brief = shop.lease(shop.a, INTERNAL, 3, ends_at_ms=now + HOUR_MS)
    assert shop.stands(lasting, brief) == ["waiting", "active"]
    said = shop.desk.call("explain_lease", LeaseRef(lasting.id), shop.operator).sentence
    assert "from 2026-09-21T15:13:20.000Z on" in said
    assert "its team would use 7 cpu-core, 3 above its own 4: it may borrow 2" in said


def test_who_takes_up_its_own_takes_back_what_it_lends_and_not_what_another_keeps(
    shop: Shop,
) -> None:
    shop.entitle(shop.a, 8)
    shop.entitle(shop.b, 8, lend_limit=0)
    spot = shop.lease(shop.acme, SPOT, 8, notice_s=60)
    shop.turn()
    mine = shop.lease(shop.a, INTERNAL, 8)
    assert mine.scheduled_start_ms == shop.clock.instant_ms + 60_000
    kept = shop.lease(shop.b, INTERNAL, 8)
    assert kept.scheduled_start_ms == shop.clock.instant_ms
    shop.turn()
    shop.pass_s(60)
    assert shop.stands(spot, mine, kept) == ["waiting", "active", "active"]


def test_a_lease_is_extended_only_within_limits(shop: Shop) -> None:
    now = shop.clock.instant_ms
    shop.entitle(shop.a, 12, lend_limit=4)
    spot = shop.lease(shop.acme, SPOT, 8, ends_at_ms=now + HOUR_MS)
    later = shop.lease(
        shop.acme, ON_DEMAND, 4, starts_at_ms=now + 2 * HOUR_MS, ends_at_ms=now + 3 * HOUR_MS
    )
    assert shop.stands(spot, later) == ["active", "scheduled"]
    longer = ExtendLease(spot.id, now + 2 * HOUR_MS)
    assert shop.desk.call("extend_lease", longer, shop.operator).ends_at_ms == now + 2 * HOUR_MS
    with pytest.raises(Refused, match=r"beyond_limits.*teams keep 8 idle.*4 more") as no:
        shop.desk.call("extend_lease", ExtendLease(spot.id, now + 3 * HOUR_MS), shop.operator)
    assert no.value.facts["asked"] == 8


def test_where_its_own_has_no_other_place_others_give_way_until_limits_hold_again(
    shop: Shop,
) -> None:
    """`a` needs a whole node, and only the one that `b` keeps half of is empty."""
    shop.entitle(shop.a, 8)
    shop.entitle(shop.b, 8, lend_limit=0)
    theirs = shop.lease(shop.b, INTERNAL, 4, shape=Shape.NODE)
    lent = shop.lease(shop.acme, ON_DEMAND, 4, shape=Shape.NODE, notice_s=60)
    assert shop.stands(theirs, lent) == ["active", "active lent"]
    mine = shop.lease(shop.a, INTERNAL, 8, shape=Shape.NODE)
    assert mine.scheduled_start_ms == shop.clock.instant_ms
    assert shop.now(lent).reclaimed_for == mine.id
    until = shop.clock.instant_ms + 900_000  # its minimum runtime
    assert {a.ends_at_ms for a in shop.desk.book.allocations_of(lent.id)} == {until}
    shop.turn()
    shop.pass_s(840)
    shop.pass_s(60)
    assert shop.stands(theirs, lent, mine) == ["active", "waiting", "active"]
    rest = shop.lease(shop.b, INTERNAL, 4)
    assert rest.scheduled_start_ms == shop.clock.instant_ms


def test_only_nodes_that_are_kept_are_looked_at_and_not_the_whole_fleet(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.supply(*[8] * 30, engine="")
    shop.entitle(shop.a, 256, lend_limit=232)
    shop.lease(shop.acme, SPOT, 228)
    shop.turn()
    looked: list[str] = []
    free_over = Snapshot.free_over

    def counting(self: Snapshot, node: Any, *rest: Any) -> list[int]:
        looked.append(node.id)
        return free_over(self, node, *rest)

    monkeypatch.setattr(Snapshot, "free_over", counting)
    # It would use some of the 24 that are kept: so it takes the place of spot.
    assert shop.lease(shop.acme, ON_DEMAND, 8).lent
    kept = {id for id in looked if shop.desk.book.snapshot.nodes[id].kind == "cpu-core"}
    assert len(kept) <= 8
