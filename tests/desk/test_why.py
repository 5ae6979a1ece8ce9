"""`lease why` answers with numbers: what comes, what could give way, until when, who is ahead."""

from typing import Any

import pytest

from comptoir.desk.requests import LeaseRef
from comptoir.leases.lease import Lease, LeaseClass, Shape
from comptoir.placement.why import Why
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
