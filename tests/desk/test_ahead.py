"""Holds, recurring requests and offers leave who waits ahead of them the start that it can have."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.desk.requests import AskOffers, Hold, LeaseRef, RequestLease, RequestSeries, SetPolicy
from comptoir.leases.lease import Alternative, Lease, LeaseClass, LeaseState, Shape
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Refused
from comptoir.units.recurrence import parse_recurrence
from tests.builders import HOUR_MS, START_MS, Book

INTERNAL, RESERVED, ON_DEMAND, SPOT = LeaseClass


@pytest.fixture
def shop(book: Book) -> Book:
    """Eight cores; six are taken for an hour, and a gang of eight waits for that."""
    return full(book)


def full(book: Book) -> Book:
    book.price_all()
    book.supply(8, engine="")
    acme = book.tenant("acme")
    book.lease(acme, ON_DEMAND, 6, ends_at_ms=START_MS + HOUR_MS)
    book.lease(acme, ON_DEMAND, 8, name="gang", ends_at_ms=START_MS + 3 * HOUR_MS)
    book.turn()
    return book


def acme(book: Book) -> Tenant:
    return next(tenant for tenant in book.desk.book.tenants if tenant.slug == "acme")


def hold(book: Book, accelerators: int, hours: float, **more: Any) -> Lease:
    words: dict[str, Any] = {"lease_class": ON_DEMAND, "duration_s": round(hours * 3_600), **more}
    wanted = RequestLease("cpu-core", accelerators, tenant_id=acme(book).id, **words)
    held = book.desk.call("hold_capacity", Hold(wanted, 600, firm=True), book.operator)
    assert isinstance(held, Lease)
    return held


def gang_starts_ms(book: Book) -> int | None:
    (gang,) = [lease for lease in book.desk.book.leases if lease.name == "gang"]
    answer = book.desk.call("explain_lease", LeaseRef(gang.id), book.operator)
    start: int | None = answer.expected_start_ms
    return start


def test_a_hold_that_would_delay_who_waits_is_refused_with_the_numbers(shop: Book) -> None:
    with pytest.raises(Refused) as no:
        hold(shop, 2, 2)
    assert no.value.code == "hold_not_free"
    assert "1 waits ahead of it in the queue, and what the first can have is kept" in str(no.value)
    assert no.value.facts == {
        "kind": "cpu-core", "accelerators": 2, "ahead": 1, "next_start": "2026-09-21T17:13:20.000Z",
    }  # fmt: skip
    assert gang_starts_ms(shop) == START_MS + HOUR_MS


def test_a_hold_that_ends_before_the_start_of_who_waits_is_placed(shop: Book) -> None:
    assert hold(shop, 2, 1).state is LeaseState.HELD
    assert gang_starts_ms(shop) == START_MS + HOUR_MS
    later = hold(shop, 8, 1, starts_at_ms=START_MS + 3 * HOUR_MS)
    assert later.state is LeaseState.HELD


def test_a_hold_with_a_stronger_claim_is_ahead_of_who_waits(shop: Book) -> None:
    assert hold(shop, 2, 2, lease_class=RESERVED).state is LeaseState.HELD
    assert gang_starts_ms(shop) == START_MS + 2 * HOUR_MS


def test_a_hold_with_a_flexible_start_begins_behind_who_waits(shop: Book) -> None:
    held = hold(shop, 2, 2, latest_start_ms=START_MS + 9 * HOUR_MS)
    assert held.scheduled_start_ms == START_MS + 3 * HOUR_MS


def test_a_hold_of_another_way_leaves_what_is_kept_there_too(shop: Book) -> None:
    ways = (Alternative("cpu-core", 1, Shape.SITE),)
    with pytest.raises(Refused, match="hold_not_free"):
        hold(shop, 2, 2, alternatives=ways)


def test_whom_nothing_gives_a_start_is_passed_until_it_has_aged(shop: Book) -> None:
    shop.desk.call("set_policy", SetPolicy(ON_DEMAND, ageing_s=600), shop.operator)
    (gang,) = [lease for lease in shop.desk.book.leases if lease.name == "gang"]
    shop.desk.call("cancel_lease", LeaseRef(gang.id), shop.operator)
    shop.lease(acme(shop), ON_DEMAND, 1)
    shop.lease(acme(shop), ON_DEMAND, 8)
    assert hold(shop, 1, 2).state is LeaseState.HELD
    shop.pass_s(601)  # the hold is over, and what is free is kept
    with pytest.raises(Refused, match=r"hold_not_free.*1 waits ahead"):
        hold(shop, 1, 2)


def test_a_recurring_request_that_would_delay_who_waits_is_refused_and_says_so(
    shop: Book,
) -> None:
    def ask(size: int, from_ms: int) -> Any:
        each = RequestLease(
            "cpu-core", size, ON_DEMAND, starts_at_ms=from_ms, tenant_id=acme(shop).id
        )
        every = parse_recurrence("daily 16:00 to 17:00 UTC")  # the gang's is from 15:13 to 17:13
        request = RequestSeries(every, START_MS + 72 * HOUR_MS, each)
        return shop.desk.call("request_series", request, shop.operator)

    with pytest.raises(Refused, match=r"series_not_free.*1 waits ahead of it") as no:
        ask(1, START_MS)
    assert (no.value.facts["ahead"], no.value.facts["free_before"]) == (1, 0)
    assert len(ask(8, START_MS + 24 * HOUR_MS).leases) == 2
    assert gang_starts_ms(shop) == START_MS + HOUR_MS


def test_what_is_kept_for_who_waits_is_not_offered(shop: Book) -> None:
    wanted = RequestLease("cpu-core", 2, ON_DEMAND, tenant_id=acme(shop).id, duration_s=7_200)
    found = shop.desk.call("list_offers", AskOffers(wanted, (ON_DEMAND,), False), shop.operator)
    assert found.offers[0].starts_at_ms == START_MS + 3 * HOUR_MS
    stronger = shop.desk.call("list_offers", AskOffers(wanted, (RESERVED,), False), shop.operator)
    assert stronger.offers[0].starts_at_ms == START_MS


def test_looking_leaves_nothing_behind(shop: Book) -> None:
    before = shop.desk.book.snapshot.contents()
    with pytest.raises(Refused):
        hold(shop, 2, 2)
    assert shop.desk.book.snapshot.contents() == before
    assert shop.desk.book.snapshot.kept == set()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from((ON_DEMAND, SPOT)), st.integers(1, 8), st.integers(1, 6),
            st.integers(0, 5),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_no_hold_of_a_weaker_or_later_claim_delays_who_waits(
    asked: list[tuple[LeaseClass, int, int, int]],
) -> None:
    with TemporaryDirectory() as directory:
        shop = full(Book(Path(directory)))
        for lease_class, size, half_hours, starts_in_h in asked:
            starts_ms = START_MS + starts_in_h * HOUR_MS
            with suppress(Refused):
                hold(shop, size, half_hours / 2, lease_class=lease_class, starts_at_ms=starts_ms)
            assert gang_starts_ms(shop) == START_MS + HOUR_MS
