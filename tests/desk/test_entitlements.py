"""Entitlements are given, ended and explained; nothing is given that could not always be had."""

from typing import Any

import pytest

from comptoir.desk.operations.explain_entitlements import Share
from comptoir.desk.requests import (
    EndEntitlement,
    ExplainEntitlements,
    RequestLease,
    SetEntitlement,
    SetPolicy,
)
from comptoir.leases.lease import LeaseClass
from comptoir.leases.policy import ClassPolicy
from comptoir.tenants.entitlements import Entitlement
from comptoir.tenants.parties import Role, TenantKind
from comptoir.units.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from tests.builders import HOUR_MS, Book

INTERNAL, RESERVED, ON_DEMAND = LeaseClass.INTERNAL, LeaseClass.RESERVED, LeaseClass.ON_DEMAND


@pytest.fixture
def shop(book: Book) -> Book:
    """Sixteen cores, two teams, two customers."""
    book.price_all()
    book.supply(8, 8)
    for slug in ("ranking", "feeds"):
        book.tenant(slug, TenantKind.TEAM)
    book.tenant("acme")
    return book


def entitle(shop: Book, accelerators: int, team: str = "", **words: Any) -> Entitlement:
    """An entitlement for a team by slug, or for a group."""
    if team:
        found = shop.desk.book.tenant_by_slug.first(team)
        words["tenant_id"] = found.id if found else team
    request = SetEntitlement("cpu-core", accelerators, **words)
    made = shop.desk.call("set_entitlement", request, shop.operator)
    assert isinstance(made, Entitlement)
    return made


def share(shop: Book, name: str) -> Share:
    found = shop.desk.call("explain_entitlements", ExplainEntitlements(), shop.operator)
    return next(s for s in found if s.name == name)


def test_a_group_is_shared_out_among_its_members(shop: Book) -> None:
    entitle(shop, 12, group="ads")
    entitle(shop, 8, "ranking", parent="ads", lend_limit=4)
    with pytest.raises(Refused, match=r"more_than_the_group_has.*12.*13: 1 too many"):
        entitle(shop, 5, "feeds", parent="ads")
    assert share(shop, "ads").idle == 4
    assert share(shop, "ranking").may_lend == 4
    said = share(shop, "ranking").sentence
    assert said.startswith("entitled to 8 out of ads's, uses 0; 8 idle, of which others use 0")


def test_a_refused_entitlement_leaves_nothing_behind(shop: Book) -> None:
    with pytest.raises(Refused, match="entitled_beyond_supply"):
        entitle(shop, 17, "ranking")
    assert len(shop.desk.book.entitlements) == 0
    assert shop.desk.book.headroom.kinds() == []


def test_more_than_is_supplied_is_not_given_at_any_instant(shop: Book) -> None:
    end = shop.clock.instant_ms + 10 * HOUR_MS
    shop.supply(8, ends_at_ms=end)
    with pytest.raises(Refused) as caught:
        entitle(shop, 20, "ranking")
    assert caught.value.facts["supplied"] == 16
    assert caught.value.facts["short"] == 4
    entitle(shop, 20, "ranking", ends_at_ms=end)


def test_what_is_sold_for_good_is_not_given_away(shop: Book) -> None:
    start = shop.clock.instant_ms + 2 * HOUR_MS
    acme = shop.desk.book.tenant_by_slug.first("acme")
    assert acme is not None
    shop.lease(acme, RESERVED, 10, starts_at_ms=start, ends_at_ms=start + HOUR_MS)
    with pytest.raises(Refused, match=r"sold_already.*7 would be entitled and 10 are sold"):
        entitle(shop, 7, "ranking")
    entitle(shop, 7, "ranking", ends_at_ms=start)
    entitle(shop, 6, "feeds", starts_at_ms=start)


def test_ending_a_groups_entitlement_needs_its_members_to_end_first(shop: Book) -> None:
    group = entitle(shop, 8, group="ads")
    member = entitle(shop, 8, "ranking", parent="ads")
    with pytest.raises(Refused, match="more_than_the_group_has"):
        shop.desk.call("end_entitlement", EndEntitlement(group.id), shop.operator)
    shop.desk.call("end_entitlement", EndEntitlement(member.id), shop.operator)
    shop.desk.call("end_entitlement", EndEntitlement(group.id), shop.operator)
    with pytest.raises(Conflict, match="entitlement_over"):
        shop.desk.call("end_entitlement", EndEntitlement(group.id), shop.operator)


def test_an_entitlement_that_has_not_begun_is_withdrawn(shop: Book) -> None:
    begins = shop.clock.instant_ms + HOUR_MS
    row = entitle(shop, 16, "ranking", starts_at_ms=begins)
    shop.desk.call("end_entitlement", EndEntitlement(row.id), shop.operator)
    entitle(shop, 16, "feeds")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"accelerators": 0, "team": "ranking"}, "out_of_range"),
        ({"accelerators": 1}, "whose_entitlement"),
        ({"accelerators": 1, "team": "ranking", "group": "ads"}, "whose_entitlement"),
        ({"accelerators": 1, "team": "acme"}, "not_a_team"),
        ({"accelerators": 1, "group": "Ads!"}, "bad_slug"),
        ({"accelerators": 1, "team": "ranking", "lend_limit": -1}, "out_of_range"),
        ({"accelerators": 4, "team": "ranking", "lend_limit": 5}, "out_of_range"),
        ({"accelerators": 1, "team": "ranking", "lender_share_bps": 10_001}, "out_of_range"),
        ({"accelerators": 1, "team": "ranking", "starts_at_ms": 1}, "start_in_the_past"),
    ],
)
def test_words_that_make_no_sense_are_refused(shop: Book, words: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid, match=code):
        entitle(shop, **words)


def test_a_group_is_not_called_like_a_tenant(shop: Book) -> None:
    with pytest.raises(Conflict, match="group_name_taken"):
        entitle(shop, 1, group="acme")


def test_the_operator_writes_and_a_team_reads_its_own(shop: Book) -> None:
    entitle(shop, 8, "ranking")
    entitle(shop, 4, "feeds")
    ranking = shop.desk.book.tenant_by_slug.first("ranking")
    admin = shop.user(Role.TENANT_ADMIN, tenant=ranking)
    seen = shop.desk.call("explain_entitlements", ExplainEntitlements(), admin)
    assert [s.name for s in seen] == ["ranking"]
    for operation, request in (
        ("set_entitlement", SetEntitlement("cpu-core", 1, ranking.id if ranking else None)),
        ("set_policy", SetPolicy(LeaseClass.SPOT, 1)),
    ):
        with pytest.raises(Forbidden, match="missing_permission"):
            shop.desk.call(operation, request, admin)


def test_there_is_no_entitlement_that_nobody_set(shop: Book) -> None:
    with pytest.raises(NotFound):
        shop.desk.call("end_entitlement", EndEntitlement("en_0000"), shop.operator)  # type: ignore[arg-type]


def test_a_lease_keeps_the_policy_under_which_it_was_asked_for(shop: Book) -> None:
    acme = shop.desk.book.tenant_by_slug.first("acme")
    assert acme is not None
    before = shop.lease(acme, LeaseClass.SPOT, 1)
    policy = shop.desk.call(
        "set_policy", SetPolicy(LeaseClass.SPOT, notice_s=120, minimum_runtime_s=600), shop.operator
    )
    assert policy == ClassPolicy(LeaseClass.SPOT, 120, 600, 3_600)
    after = shop.lease(acme, LeaseClass.SPOT, 1)
    assert (before.notice_s, before.minimum_runtime_s) == (30, 0)
    assert (after.notice_s, after.minimum_runtime_s) == (120, 600)
    assert shop.now(before).notice_s == 30


def test_a_policy_has_bounds(shop: Book) -> None:
    with pytest.raises(Invalid, match="out_of_range"):
        shop.desk.call("set_policy", SetPolicy(LeaseClass.SPOT, notice_s=601), shop.operator)


def test_a_recall_clause_is_the_houses_to_give_and_a_sold_windows_to_have(shop: Book) -> None:
    acme = shop.desk.book.tenant_by_slug.first("acme")
    assert acme is not None
    end = shop.clock.instant_ms + HOUR_MS
    lease = shop.lease(acme, RESERVED, 1, ends_at_ms=end, recall=True, notice_s=600)
    assert lease.recall
    assert lease.reclaimable
    with pytest.raises(Invalid, match="recall_of_what"):
        shop.lease(acme, ON_DEMAND, 1, recall=True)
    member = shop.user(Role.TENANT_MEMBER, tenant=acme)
    request = RequestLease("cpu-core", 1, RESERVED, ends_at_ms=end, recall=True)
    with pytest.raises(Forbidden, match="recall_by_house"):
        shop.desk.call("request_lease", request, member)


def test_a_group_that_nobody_made_is_said_not_to_be_there(shop: Book) -> None:
    with pytest.raises(Refused, match=r"no group nogroup has any cpu-core"):
        entitle(shop, 1, "ranking", parent="nogroup")
