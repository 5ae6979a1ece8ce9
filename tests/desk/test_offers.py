"""Offers say when, where and at what price, and promise nothing; a hold keeps one as it was."""

from typing import Any

import pytest

from comptoir.desk.operations import effort, placing
from comptoir.desk.operations.offers import Offers
from comptoir.desk.requests import (
    AskOffers,
    DeclareSupply,
    Hold,
    LeaseRef,
    NewNode,
    RequestLease,
    SetQuota,
)
from comptoir.leases.lease import Alternative, LeaseClass, LeaseState, Shape
from comptoir.pricing.estimates import estimate
from comptoir.pricing.rates import Item
from comptoir.pricing.terms import without_contract
from comptoir.tenants.parties import Tenant, TenantKind
from comptoir.units.errors import Invalid, Refused
from tests.builders import HOUR_MS, START_MS, Book

RESERVED, SPOT, ON_DEMAND = LeaseClass.RESERVED, LeaseClass.SPOT, LeaseClass.ON_DEMAND
KIND = "h100-sxm"


@pytest.fixture
def post(book: Book) -> Book:
    """Two pods of four nodes of eight, and a price for every class."""
    for lease_class, dollars in (
        (RESERVED, 3),
        (ON_DEMAND, 4),
        (SPOT, 1),
        (LeaseClass.INTERNAL, 2),
    ):
        book.price(lease_class, dollars * 10**9, KIND)
    nodes = tuple(
        NewNode(f"n{i}", 8, site="paris-1", pod=f"pod-{i // 4}", rack=f"rack-{i // 2}")
        for i in range(8)
    )
    book.desk.call("declare_supply", DeclareSupply("owned", KIND, nodes), book.operator)
    return book


@pytest.fixture
def acme(post: Book) -> Tenant:
    return post.tenant("acme")


def ask(book: Book, tenant: Tenant, accelerators: int, *classes: LeaseClass, **more: Any) -> Offers:
    explain = more.pop("explain", False)
    words = {"duration_s": 7_200, "shape": Shape.SITE, **more}
    wanted = RequestLease(KIND, accelerators, SPOT, tenant_id=tenant.id, **words)
    found = book.desk.call("list_offers", AskOffers(wanted, classes, explain), book.operator)
    assert isinstance(found, Offers)
    return found


def test_every_open_class_is_offered_with_its_price_and_the_exact_total(
    post: Book, acme: Tenant
) -> None:
    found = ask(post, acme, 16)
    assert {offer.lease_class for offer in found.offers} == {RESERVED, ON_DEMAND, SPOT}
    by_class = {offer.lease_class: offer for offer in found.offers}
    assert by_class[RESERVED].total_micros == 16 * 2 * 3_000_000
    assert by_class[SPOT].price_nanos == 10**9
    assert [offer.lease_class for offer in found.offers] == [SPOT, RESERVED, ON_DEMAND]
    team = post.tenant("ranking", TenantKind.TEAM)
    assert {offer.lease_class for offer in ask(post, team, 16).offers} == {LeaseClass.INTERNAL}


def test_a_look_promises_nothing_and_gives_no_ids_away(post: Book, acme: Tenant) -> None:
    before = post.desk.book.version, post.desk.book.counter
    ask(post, acme, 64)
    assert (post.desk.book.version, post.desk.book.counter) == before
    assert len(post.desk.book.leases) == 0


def test_the_next_start_is_when_enough_is_free_and_says_where(post: Book, acme: Tenant) -> None:
    post.lease(acme, RESERVED, 48, KIND, ends_at_ms=START_MS + 3 * HOUR_MS)
    (first, *_) = ask(post, acme, 32, RESERVED).offers
    assert first.starts_at_ms == START_MS + 3 * HOUR_MS
    assert (first.shape, first.where) == (Shape.POD, "paris-1/a/pod-0")
    assert ask(post, acme, 16, RESERVED).offers[0].starts_at_ms == START_MS


def test_a_preferred_shape_has_starts_of_its_own_beside_sooner_ones_that_span_it(
    post: Book, acme: Tenant
) -> None:
    for pod_end in (5, 9):  # three nodes of each pod
        post.lease(acme, RESERVED, 24, KIND, Shape.POD, ends_at_ms=START_MS + pod_end * HOUR_MS)
    found = ask(post, acme, 16, RESERVED, preferred_shape=Shape.POD, shape=Shape.CLUSTER)
    sooner, later = found.offers[:2]
    assert (sooner.starts_at_ms, sooner.spans, sooner.where) == (START_MS, 2, "paris-1/a/pod-0..1")
    assert (later.starts_at_ms, later.spans) == (START_MS + 5 * HOUR_MS, 1)


def test_a_total_follows_rates_that_change_within_the_window(post: Book, acme: Tenant) -> None:
    post.price(RESERVED, 10**9, KIND, effective_from_ms=START_MS + HOUR_MS)
    (offer, *_) = ask(post, acme, 8, RESERVED).offers
    assert offer.total_micros == 8 * (3 + 1) * 1_000_000
    line = [rate for rate in post.desk.book.money.rates if rate.lease_class is RESERVED]
    item, agreed = Item(KIND, RESERVED), without_contract(post.card)

    def exactly(start_ms: int, end_ms: int) -> int | None:
        return estimate(item, agreed, lambda card, item: line, 8, (start_ms, end_ms))

    exact = exactly(START_MS, START_MS + 2 * HOUR_MS)
    assert exact == 8 * HOUR_MS * 3 * 10**9 + 8 * HOUR_MS * 10**9
    assert exactly(0, START_MS) is None


def test_spot_says_its_notice_and_how_often_it_was_taken_back(post: Book, acme: Tenant) -> None:
    spot = post.lease(acme, SPOT, 64, KIND, notice_s=60)
    post.turn()
    post.lease(acme, RESERVED, 64, KIND, ends_at_ms=START_MS + HOUR_MS)
    post.pass_s(1_000)
    post.pass_s(60)
    assert SPOT not in {o.lease_class for o in ask(post, acme, 8).offers}  # it waits again, ahead
    post.desk.call("cancel_lease", LeaseRef(spot.id), post.operator)
    offer = next(o for o in ask(post, acme, 8).offers if o.lease_class is SPOT)
    assert (offer.reclaimable, offer.notice_s, offer.reclaims_30d) == (True, 30, 1)
    post.clock.instant_ms += 31 * 24 * HOUR_MS
    offer = next(o for o in ask(post, acme, 8).offers if o.lease_class is SPOT)
    assert offer.reclaims_30d == 0


def test_what_is_not_open_says_why_beside_what_is(post: Book, acme: Tenant) -> None:
    ways = (Alternative(KIND, 128, Shape.SITE),)
    found = ask(post, acme, 8, RESERVED, alternatives=ways)
    assert len(found.offers) >= 1
    assert [no.code for no in found.not_offered] == ["fleet_too_small"]
    with pytest.raises(Refused, match="fleet_too_small"):
        ask(post, acme, 128)
    with pytest.raises(Invalid, match="duration_missing"):
        ask(post, acme, 8, duration_s=None)


def test_why_not_sooner_has_the_numbers(post: Book, acme: Tenant) -> None:
    first = post.lease(acme, RESERVED, 40, KIND, ends_at_ms=START_MS + HOUR_MS)
    found = ask(post, acme, 32, RESERVED, explain=True)
    (why,) = found.sooner
    assert (why.needs, why.best_free, why.starts_at_ms) == (32, 24, START_MS + HOUR_MS)
    assert [(c.lease_id, c.accelerators) for c in why.coming] == [(first.id, 40)]  # of 5 nodes
    assert ask(post, acme, 8, RESERVED, explain=True).sooner == ()


def test_a_block_is_booked_six_weeks_ahead_by_its_offer(post: Book, acme: Tenant) -> None:
    start_ms = START_MS + 42 * 24 * HOUR_MS
    other = post.tenant("globex")
    post.lease(other, RESERVED, 40, KIND, starts_at_ms=start_ms, ends_at_ms=start_ms + HOUR_MS)
    (offer, *_) = ask(post, acme, 32, RESERVED, starts_at_ms=start_ms, duration_s=172_800).offers
    assert offer.starts_at_ms == start_ms + HOUR_MS
    wanted = RequestLease(
        KIND, 32, RESERVED, offer.shape, offer.starts_at_ms, offer.ends_at_ms, tenant_id=acme.id
    )
    held = post.desk.call("hold_capacity", Hold(wanted, 7_200, firm=True), post.operator)
    assert ask(post, other, 40, RESERVED, starts_at_ms=start_ms + HOUR_MS).offers[
        0
    ].starts_at_ms >= (held.ends_at_ms or 0)
    post.desk.call("confirm_hold", LeaseRef(held.id), post.operator)
    post.clock.instant_ms = offer.starts_at_ms
    post.turn()
    assert post.now(held).state is LeaseState.ACTIVE


def test_a_quota_is_judged_in_the_window_that_is_offered(post: Book, acme: Tenant) -> None:
    post.desk.call("set_quota", SetQuota(acme.id, KIND, 16), post.operator)
    post.lease(acme, RESERVED, 16, KIND, ends_at_ms=START_MS + 4 * HOUR_MS)
    (offer, *_) = ask(post, acme, 8, RESERVED).offers
    assert offer.starts_at_ms == START_MS + 4 * HOUR_MS
    with pytest.raises(Refused, match="quota_exceeded"):
        ask(post, acme, 24, RESERVED)


def test_one_question_looks_at_so_many_starts_and_says_what_it_did_not_look_at(
    post: Book, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hours in range(1, 8):
        post.lease(acme, ON_DEMAND, 8, KIND, ends_at_ms=START_MS + hours * HOUR_MS)
    post.lease(acme, ON_DEMAND, 8, KIND, ends_at_ms=START_MS + 9 * HOUR_MS)
    post.turn()
    ways = tuple(Alternative(KIND, 56 + n, Shape.SITE) for n in range(8))
    words = {"alternatives": ways, "preferred_shape": Shape.POD}
    whole = ask(post, acme, 64, **words)
    assert len({(offer.lease_class, offer.accelerators) for offer in whole.offers}) == 27
    planned = []
    plan = placing.plan_on_ground
    monkeypatch.setattr(placing, "plan_on_ground", lambda *a: planned.append(1) or plan(*a))
    monkeypatch.setattr(effort, "ROWS_OF_A_PLAN", 1)  # eight promises: a plan counts for nine
    cut = ask(post, acme, 64, **words)
    assert len(planned) <= effort.MOST_PLANS_OF_A_CALL // 9 + 1
    assert {no.code for no in cut.not_offered} == {"look_cut"}
    seen = {(offer.lease_class, offer.accelerators) for offer in cut.offers}
    assert len(seen) > 0 and len(seen) + len(cut.not_offered) == 27
    alone = ask(post, acme, 64, SPOT)
    assert alone.offers and not alone.not_offered
