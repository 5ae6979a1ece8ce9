"""`lease why` answers with numbers: what comes, what could give way, until when, who is ahead."""

from typing import Any

import pytest

from comptoir.desk.failure_requests import PlanMaintenance
from comptoir.desk.requests import DeclareSupply, LeaseRef, NewNode
from comptoir.leases.lease import Alternative, Lease, LeaseClass, Shape
from comptoir.placement.why import Why
from comptoir.units.time import format_instant
from tests.builders import HOUR_MS
from tests.desk.test_lending import Shop, shop  # noqa: F401  (a fixture)

INTERNAL, RESERVED, ON_DEMAND, SPOT = LeaseClass


def ask(book: Shop, lease: Lease) -> Why:
    answer = book.desk.call("explain_lease", LeaseRef(lease.id), book.operator)
    assert isinstance(answer, Why)
    return answer


@pytest.fixture
def full(shop: Shop) -> Shop:  # noqa: F811
    shop.entitle(shop.a, 8)
    return shop


def test_it_says_what_comes_back_and_when_it_can_start(full: Shop) -> None:
    now = full.clock.instant_ms
    one = full.lease(full.acme, ON_DEMAND, 8, shape=Shape.NODE, ends_at_ms=now + HOUR_MS)
    full.lease(full.a, INTERNAL, 8, shape=Shape.NODE)
    gang = full.lease(full.acme, ON_DEMAND, 8, shape=Shape.NODE)
    behind = full.lease(full.acme, SPOT, 4)
    full.turn()
    answer = ask(full, gang)
    assert (answer.needs, answer.best_free, answer.expected_start_ms) == (8, 0, now + HOUR_MS)
    assert [(c.at_ms, c.lease_id, c.accelerators) for c in answer.coming] == [
        (now + HOUR_MS, one.id, 8)
    ]
    assert (answer.ahead, answer.first) == (0, None)
    assert (ask(full, behind).ahead, ask(full, behind).first) == (1, gang.id)


def test_it_says_what_could_give_way_and_why_that_is_not_enough(full: Shop) -> None:
    full.lease(full.acme, ON_DEMAND, 8)
    full.lease(full.b, INTERNAL, 6)
    spot = full.lease(full.acme, SPOT, 2)
    full.turn()
    waiting = full.lease(full.acme, ON_DEMAND, 4)
    full.turn()
    answer = ask(full, waiting)
    assert [(s.lease_id, s.accelerators) for s in answer.sooner] == [(spot.id, 2)]
    assert answer.not_sooner == (
        "reclaiming 1 lease frees 2 of the 4 that are missing: 8 there are guaranteed and "
        "6 give way to stronger claims alone"
    )


def test_a_scheduled_lease_says_whom_it_takes_back_and_what_they_have_left(full: Shop) -> None:
    full.lease(full.acme, ON_DEMAND, 8)
    lent = full.lease(full.acme, ON_DEMAND, 8)
    full.turn()
    full.pass_s(240)
    mine = full.lease(full.a, INTERNAL, 8)
    answer = ask(full, mine)
    (victim,) = answer.sooner
    assert (victim.lease_id, victim.minimum_runtime_left_s) == (lent.id, 660)
    assert answer.expected_start_ms == victim.at_ms == full.clock.instant_ms + 660_000


def test_a_limit_that_holds_it_up_is_named_with_its_numbers(shop: Shop) -> None:  # noqa: F811
    shop.entitle(shop.a, 12, lend_limit=2)
    waiting = shop.lease(shop.acme, SPOT, 7)
    answer = ask(shop, waiting)
    assert answer.sentence == (
        "teams keep 10 idle cpu-core for themselves; 6 more may be used by others"
    )
    assert answer.expected_start_ms is None
    shop.entitle(shop.b, 2, borrow_limit=1)
    above = shop.lease(shop.b, INTERNAL, 4)
    assert ask(shop, above).sentence == (
        "with it, its team would use 4 cpu-core, 2 above its own 2: it may borrow 1; "
        "3 more would be within it"
    )


def test_where_nothing_says_when_it_says_from_when_on_it_is_kept_for(full: Shop) -> None:
    full.lease(full.acme, ON_DEMAND, 8)
    full.lease(full.acme, ON_DEMAND, 4)
    waiting = full.lease(full.acme, ON_DEMAND, 8)
    answer = ask(full, waiting)
    assert answer.expected_start_ms is None
    assert answer.kept_from_ms == waiting.requested_at_ms + 3_600_000


def test_what_ends_before_a_later_window_begins_is_not_coming_to_it(full: Shop) -> None:
    now = full.clock.instant_ms
    full.lease(full.acme, ON_DEMAND, 8, ends_at_ms=now + HOUR_MS)
    later = {"starts_at_ms": now + 5 * HOUR_MS}
    full.lease(full.a, INTERNAL, 8, **later, ends_at_ms=now + 8 * HOUR_MS)
    sold = full.lease(full.acme, RESERVED, 8, **later, ends_at_ms=now + 7 * HOUR_MS)
    waiting = full.lease(full.acme, ON_DEMAND, 8, **later, ends_at_ms=now + 9 * HOUR_MS)
    answer = ask(full, waiting)
    assert sold.id in [c.lease_id for c in answer.coming]
    assert all(c.at_ms > later["starts_at_ms"] for c in answer.coming)


def test_a_lent_lease_says_what_it_stands_on(full: Shop) -> None:
    sold: Any = full.lease(full.acme, ON_DEMAND, 8)
    lent = full.lease(full.acme, ON_DEMAND, 8)
    full.turn()
    assert ask(full, sold).sentence == "has its 8"
    assert ask(full, lent).sentence.endswith("an entitled team may take it back")


def test_who_is_taken_back_is_named_on_both_sides_until_it_has_gone(full: Shop) -> None:
    full.lease(full.acme, ON_DEMAND, 8)
    lent = full.lease(full.acme, ON_DEMAND, 8, notice_s=60)
    full.turn()
    assert ask(full, lent).gives_way_to is None
    full.pass_s(1_000)
    mine = full.lease(full.a, INTERNAL, 8)
    assert ask(full, lent).gives_way_to == mine.id  # its notice has not begun
    full.turn()
    assert full.stands(lent) == ["reclaiming lent"]
    answer = ask(full, mine)
    assert answer.sentence.endswith("; 1 gives way to it")
    (victim,) = answer.sooner
    assert (victim.lease_id, victim.at_ms) == (lent.id, full.now(lent).kill_at_ms)
    assert ask(full, lent).gives_way_to == mine.id
    full.pass_s(60)
    assert full.stands(lent, mine) == ["waiting", "active"]
    assert ask(full, lent).gives_way_to == mine.id
    assert ask(full, mine).sooner == ()


def test_who_ends_by_itself_gives_way_to_nobody(full: Shop) -> None:
    now = full.clock.instant_ms
    brief = full.lease(full.acme, SPOT, 4, ends_at_ms=now + HOUR_MS, notice_s=60)
    full.turn()
    full.pass_s(3_550)
    assert ask(full, brief).gives_way_to is None


def test_a_refused_lease_whose_window_has_passed_says_so(full: Shop) -> None:
    now = full.clock.instant_ms
    full.lease(full.acme, RESERVED, 8, ends_at_ms=now + HOUR_MS)
    brief = full.lease(
        full.acme, RESERVED, 8, starts_at_ms=now + 4_000, ends_at_ms=now + 10_000, notice_s=1
    )
    full.clock.instant_ms += 10_000
    assert ask(full, brief).sentence == "its window has passed: it is given up"
    full.turn()
    answer = ask(full, brief)
    assert (answer.state, answer.sentence) == ("refused", "is refused: window passed")
    assert answer.best_place == ""


def test_it_says_when_it_is_given_up_and_nothing_that_comes_later(shop: Shop) -> None:  # noqa: F811
    now = shop.clock.instant_ms
    for _ in range(2):
        shop.lease(shop.acme, RESERVED, 8, ends_at_ms=now + HOUR_MS)
    brief = shop.lease(
        shop.acme, RESERVED, 8, starts_at_ms=now + 60_000, ends_at_ms=now + HOUR_MS // 6
    )
    shop.turn()
    answer = ask(shop, brief)
    assert (answer.expected_start_ms, answer.kept_from_ms) == (None, None)
    assert answer.given_up_ms == now + HOUR_MS // 6


def test_what_ends_with_its_supply_is_not_coming_and_who_stands_there_is_told_until_when(
    shop: Shop,  # noqa: F811
) -> None:
    ends = shop.clock.instant_ms + HOUR_MS
    nodes = (NewNode("brief-1", 8, 1 << 30, ""),)
    shop.price_all("mi300x")
    shop.desk.call(
        "declare_supply", DeclareSupply("brief", "mi300x", nodes, ends_at_ms=ends), shop.operator
    )
    there = shop.lease(shop.acme, ON_DEMAND, 8, kind="mi300x")
    waiting = shop.lease(shop.acme, ON_DEMAND, 8, kind="mi300x")
    shop.turn()
    assert ask(shop, waiting).coming == ()
    assert ask(shop, there).sentence == (
        f"has its 8; until {format_instant(ends)}, when its supply ends"
    )


def test_an_accelerator_is_counted_once_however_many_follow_each_other_on_it(
    shop: Shop,  # noqa: F811
) -> None:
    now = shop.clock.instant_ms
    for hour in range(3):
        for _ in range(2):
            shop.lease(
                shop.acme, RESERVED, 8, starts_at_ms=now + hour * HOUR_MS,
                ends_at_ms=now + (hour + 1) * HOUR_MS,
            )  # fmt: skip
    waiting = shop.lease(shop.acme, ON_DEMAND, 8)
    shop.turn()
    assert ask(shop, waiting).not_sooner == "nothing there gives way to it: 16 there are guaranteed"


def test_what_is_free_on_a_node_that_another_tenant_has_whole_is_said(shop: Shop) -> None:  # noqa: F811
    shop.price_all("h100-sxm")
    shop.supply(8, kind="h100-sxm", engine="")
    shop.lease(shop.acme, ON_DEMAND, 4, kind="h100-sxm")
    waiting = shop.lease(shop.tenant("globex"), ON_DEMAND, 4, kind="h100-sxm")
    shop.turn()
    assert ask(shop, waiting).not_sooner == (
        "nothing there gives way to it: 4 there are guaranteed and 4 are free on nodes that other "
        "tenants have whole"
    )


def test_where_no_node_is_for_sale_it_names_them_with_their_state_and_end(
    shop: Shop,  # noqa: F811
) -> None:
    shop.price_all("mi300x")
    shop.supply(8, kind="mi300x", engine="")
    (node,) = (n for n in shop.desk.book.nodes if n.kind == "mi300x")
    now = shop.clock.instant_ms
    running = shop.lease(shop.acme, SPOT, 4, kind="mi300x", ends_at_ms=now + HOUR_MS // 2)
    shop.turn()
    work = PlanMaintenance(node.id, now + HOUR_MS, now + 2 * HOUR_MS, "new cables")
    shop.desk.call("plan_maintenance", work, shop.operator)
    assert f"planned work on {node.name} from {format_instant(now + HOUR_MS)} on" in (
        ask(shop, running).sentence
    )
    shop.pass_s(3_601)
    waiting = shop.lease(shop.acme, ON_DEMAND, 8, kind="mi300x")
    shop.turn()
    assert ask(shop, waiting).not_sooner == (
        f"none of mi300x is for sale now: {node.name} is in maintenance, planned work until "
        f"{format_instant(now + 2 * HOUR_MS)}"
    )


def test_who_is_behind_is_told_a_start_behind_those_ahead_or_none(shop: Shop) -> None:  # noqa: F811
    now, hours = shop.clock.instant_ms, (10, 20, 30, 40, 50, 60)
    shop.lease(shop.acme, ON_DEMAND, 16, ends_at_ms=now + HOUR_MS)
    line = [shop.lease(shop.acme, ON_DEMAND, 16, ends_at_ms=now + hour * HOUR_MS) for hour in hours]
    shop.turn()
    told = [ask(shop, lease) for lease in line]
    starts = [answer.expected_start_ms for answer in told]
    assert starts[:5] == [now + hour * HOUR_MS for hour in (1, *hours[:4])]
    assert starts[5] is None
    assert "5 ahead of it" in told[5].sentence


def test_the_soonest_of_several_ways_is_told(shop: Shop) -> None:  # noqa: F811
    now = shop.clock.instant_ms
    shop.price_all("h100-sxm")
    shop.supply(8, kind="h100-sxm", engine="")
    shop.lease(shop.acme, ON_DEMAND, 16)
    shop.lease(shop.acme, ON_DEMAND, 8, "h100-sxm", ends_at_ms=now + HOUR_MS)
    ways = (Alternative("h100-sxm", 8, Shape.NODE),)
    end = now + 9 * HOUR_MS
    waits = shop.lease(shop.acme, ON_DEMAND, 16, ends_at_ms=end, alternatives=ways)
    shop.turn()
    answer = ask(shop, waits)
    assert (answer.kind, answer.expected_start_ms) == ("h100-sxm", now + HOUR_MS)
