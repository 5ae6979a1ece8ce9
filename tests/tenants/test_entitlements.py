"""Entitlements are a tree, and a group is never shared out twice over, at any instant."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.tenants.entitlements import (
    Entitlement,
    changes,
    check_tree,
    entitled,
    in_force,
    own_part,
    shortage,
)
from comptoir.units.errors import Conflict, Refused
from comptoir.units.ids import EntitlementId, TenantId, UserId

SITES = ("", "paris", "lyon")


def row(holder: str, accelerators: int, parent: str = "", **words: Any) -> Entitlement:
    """An entitlement; a holder that begins with `tn_` is a team, another one a group."""
    is_team = holder.startswith("tn_")
    given_words: dict[str, Any] = {
        "id": EntitlementId(f"en_{holder}"), "site": "", "starts_at_ms": 0, "ends_at_ms": None,
        "lend_limit": None, "borrow_limit": None, **words,
    }  # fmt: skip
    return Entitlement(
        tenant_id=TenantId(holder) if is_team else None, group="" if is_team else holder,
        parent=parent, kind="h100-sxm", accelerators=accelerators, lender_share_bps=5_000,
        set_by=UserId("us_1"), set_at_ms=0, **given_words,
    )  # fmt: skip


def test_a_groups_members_never_have_more_than_the_group() -> None:
    group = row("ads", 100)
    check_tree([group, row("tn_a", 60, "ads"), row("tn_b", 40, "ads")], 0)
    with pytest.raises(Refused, match=r"more_than_the_group_has.*100.*101: 1 too many"):
        check_tree([group, row("tn_a", 61, "ads"), row("tn_b", 40, "ads")], 0)


def test_the_refusal_names_the_first_instant_and_the_numbers() -> None:
    rows = [
        row("ads", 100),
        row("tn_a", 60, "ads"),
        row("tn_b", 50, "ads", starts_at_ms=3_600_000, ends_at_ms=7_200_000),
    ]
    with pytest.raises(Refused) as caught:
        check_tree(rows, 0)
    assert caught.value.facts == {
        "group": "ads", "at": "1970-01-01T01:00:00.000Z", "has": 100, "asked": 110,
    }  # fmt: skip
    check_tree(rows, 7_200_000)  # what is over is over


def test_a_group_that_ends_leaves_its_members_nothing_to_share() -> None:
    rows = [row("ads", 100, ends_at_ms=1_000), row("tn_a", 60, "ads")]
    with pytest.raises(
        Refused, match="no group ads has any h100-sxm and its members would have 60"
    ):
        check_tree(rows, 0)


def test_a_share_at_a_site_needs_the_group_to_have_it_there_or_anywhere() -> None:
    rows = [row("ads", 10, site="paris", id="en_1"), row("ads", 5, id="en_2")]
    check_tree([*rows, row("tn_a", 15, "ads", site="paris")], 0)
    check_tree([*rows, row("tn_a", 15, "ads")], 0)
    with pytest.raises(Refused, match="6 of them at lyon, where it has 0"):
        check_tree([*rows, row("tn_a", 6, "ads", site="lyon")], 0)


def test_a_holder_has_one_parent_and_no_group_is_in_itself() -> None:
    groups = [row("ads", 100), row("feeds", 100)]
    with pytest.raises(Conflict, match="two_parents"):
        check_tree(
            [*groups, row("tn_a", 1, "ads", id="en_1"), row("tn_a", 1, "feeds", id="en_2")], 0
        )
    with pytest.raises(Conflict, match="group_in_a_ring"):
        check_tree([row("ads", 1, "feeds"), row("feeds", 1, "ads")], 0)
    with pytest.raises(Conflict, match="group_in_a_ring"):
        check_tree([row("tn_a", 1, "ads"), row("ads", 1, "ads")], 0)


def test_rows_of_a_holder_add_up_while_they_are_in_force() -> None:
    rows = [
        row("tn_a", 10, id="en_1"),
        row("tn_a", 5, id="en_2", starts_at_ms=100, ends_at_ms=200),
        row("tn_a", 3, id="en_3", site="paris", starts_at_ms=150),
    ]
    assert changes(rows, 0) == [0, 100, 150, 200]
    assert [sum(entitled(rows, rows[0].holder, t).values()) for t in (0, 100, 150, 200)] == [
        10, 15, 18, 13,
    ]  # fmt: skip
    assert entitled(rows, rows[0].holder, 160) == {"": 15, "paris": 3}


def test_a_withdrawn_row_is_never_in_force() -> None:
    assert in_force([row("tn_a", 10, starts_at_ms=100, ends_at_ms=100)], 100) == []


amounts = st.dictionaries(st.sampled_from(SITES), st.integers(0, 4))


@given(amounts, amounts)
def test_a_shortage_is_what_the_best_giving_out_leaves_unmet(
    has: dict[str, int], wants: dict[str, int]
) -> None:
    best = min(_unmet(has, wants, split) for split in _splits(has.get("", 0)))
    assert shortage(has, wants) == best


def _splits(anywhere: int) -> list[tuple[int, int, int]]:
    """Every way to give what is good anywhere to paris, to lyon, and to wants without a site."""
    return [s for s in product(range(anywhere + 1), repeat=3) if sum(s) == anywhere]


def _unmet(has: dict[str, int], wants: dict[str, int], split: tuple[int, int, int]) -> int:
    unmet = left = 0
    for site, extra in zip(("paris", "lyon"), split[:2], strict=True):
        there = has.get(site, 0) + extra
        unmet += max(wants.get(site, 0) - there, 0)
        left += max(there - wants.get(site, 0), 0)
    return unmet + max(wants.get("", 0) - left - split[2], 0)


@given(amounts, st.dictionaries(st.sampled_from(SITES[1:]), st.integers(0, 6)))
def test_own_use_and_what_is_borrowed_add_up(has: dict[str, int], uses: dict[str, int]) -> None:
    own = own_part(has, uses)
    assert 0 <= own <= min(sum(uses.values()), sum(has.values()))
    assert sum(uses.values()) - own == _borrowed_one_by_one(dict(has), uses)


def _borrowed_one_by_one(left: dict[str, int], uses: dict[str, int]) -> int:
    """Each accelerator used takes one of its site, else one that is good anywhere."""
    borrowed = 0
    for site, used in uses.items():
        for _ in range(used):
            place = next((s for s in (site, "") if left.get(s, 0)), None)
            if place is None:
                borrowed += 1
            else:
                left[place] -= 1
    return borrowed
