"""Who lends to whom: sums, limits, the nearest first, against a model that counts one by one."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.tenants.entitlements import ROOT, Entitlement, Holder
from comptoir.tenants.lending import Lending, Turn, share_out
from comptoir.units.ids import EntitlementId, TenantId
from tests.tenants.test_entitlements import row

A, B, C = (TenantId(f"tn_{x}") for x in "abc")


def lending(*rows: Entitlement, unentitled: int = 0, **uses: int) -> Lending:
    return Lending(rows, {TenantId(f"tn_{k}"): {"p": n} for k, n in uses.items()}, unentitled, 0)


def lent(to: Lending, borrower: str, accelerators: int, holder: str = "") -> dict[str, int]:
    loans = to.lend(borrower, accelerators, Holder(holder))
    assert {loan.borrower for loan in loans} <= {borrower}
    return {loan.lender: loan.accelerators for loan in loans}


def test_what_is_nobodys_is_used_before_anybody_lends() -> None:
    tree = lending(row(A, 10), unentitled=4)
    assert lent(tree, "spot", 6) == {"": 4, A: 2}


def test_lenders_equally_near_lend_in_proportion() -> None:
    tree = lending(row(A, 30), row(B, 10))
    assert lent(tree, "spot", 8) == {A: 6, B: 2}
    assert lent(tree, "spot", 1) == {A: 1}


def test_a_team_borrows_within_its_group_before_it_borrows_outside() -> None:
    tree = lending(row("ads", 20), row(A, 10, "ads"), row(B, 10, "ads"), row(C, 50), a=14)
    assert lent(tree, A, 4, A) == {B: 4}
    assert tree.position(Holder(B)).lent == 4
    assert tree.position(Holder(C)).lent == 0


def test_what_a_group_has_not_shared_out_is_its_own_to_lend() -> None:
    tree = lending(row("ads", 20), row(A, 12, "ads"), a=15)
    assert tree.position(Holder("ads")).idle == 8
    assert lent(tree, A, 3, A) == {"ads": 3}


def test_a_lend_limit_bounds_what_leaves_a_holder_and_a_groups_what_leaves_the_group() -> None:
    tree = lending(row("ads", 20, lend_limit=5), row(A, 10, "ads"), row(B, 10, "ads", lend_limit=2))
    assert tree.position(Holder(B)).may_lend == 2
    assert tree.can_lend() == 5
    assert tree.kept == 15
    # Inside the group only B's own limit counts.
    assert tree.may_borrow(Holder(A)) == 2


def test_a_borrow_limit_bounds_a_team_and_its_group() -> None:
    free = row(C, 100)
    assert lending(row(A, 10, borrow_limit=7), free, a=12).may_borrow(Holder(A)) == 5
    group, member = row("ads", 10, borrow_limit=3), row(A, 10, "ads")
    assert lending(group, member, free, a=11).may_borrow(Holder(A)) == 2
    assert lending(row(A, 10), free, a=12).may_borrow(Holder(A)) == 100


def test_a_team_without_entitlement_may_borrow_whatever_is_lent() -> None:
    tree = lending(row(A, 10, lend_limit=4), unentitled=2, b=1)
    assert tree.may_borrow(Holder(B)) == 6


def test_what_stands_there_already_is_lent_beyond_a_limit_set_since() -> None:
    tree = lending(row(A, 10, lend_limit=0))
    assert tree.can_lend() == 0
    assert lent(tree, "spot", 4) == {A: 4}


@pytest.mark.parametrize(
    ("amount", "shares"), [(0, {}), (1, {"a": 1, "b": 0}), (5, {"a": 3, "b": 2})]
)
def test_sharing_out_leaves_the_remainder_to_the_largest(
    amount: int, shares: dict[Holder, int]
) -> None:
    assert share_out(amount, {Holder("a"): 6, Holder("b"): 4}) == shares


@dataclass(frozen=True)
class Drawn:
    """A random tree: parent of each holder, its row, and what the teams use."""

    rows: tuple[Entitlement, ...]
    uses: dict[TenantId, dict[str, int]]
    unentitled: int


@st.composite
def trees(draw: st.DrawFn) -> Drawn:
    limit = st.one_of(st.none(), st.integers(0, 6))
    groups = [f"g{n}" for n in range(draw(st.integers(0, 3)))]
    rows: list[Entitlement] = []
    uses: dict[TenantId, dict[str, int]] = {}
    parents = {g: draw(st.sampled_from(["", *groups[:n]])) for n, g in enumerate(groups)}
    needs = dict.fromkeys(groups, 0)
    for n in range(draw(st.integers(1, 5))):
        team, parent = TenantId(f"tn_{n}"), draw(st.sampled_from(["", *groups]))
        size = draw(st.integers(0, 6))
        rows.append(row(team, size, parent, lend_limit=draw(limit), borrow_limit=draw(limit)))
        uses[team] = {"p": draw(st.integers(0, 8))}
        if parent:
            needs[parent] += size
    for group in reversed(groups):
        size = needs[group] + draw(st.integers(0, 3))
        if parents[group]:
            needs[parents[group]] += size
        words = {"lend_limit": draw(limit), "borrow_limit": draw(limit)}
        rows.append(row(group, size, parents[group], **words))
    return Drawn(tuple(rows), uses, draw(st.integers(0, 5)))


class Plain:
    """The model: one accelerator at a time, from whoever and whose groups still may lend."""

    def __init__(self, drawn: Drawn) -> None:
        self.rows = {r.holder: r for r in drawn.rows}
        shared = dict.fromkeys(self.rows, 0)
        for r in drawn.rows:
            if r.parent:
                shared[Holder(r.parent)] += r.accelerators
        self.free = {
            h: r.accelerators
            - shared[h]
            - min(sum(drawn.uses.get(TenantId(h), {}).values()), r.accelerators)
            for h, r in self.rows.items()
        }
        self.left = {h: r.lend_limit for h, r in self.rows.items()}

    def outsider(self) -> int:
        """How many leave the tree, whichever order they are taken in."""
        count = 0
        for holder in self.rows:
            while self.free[holder] and self._may_leave(holder):
                self.free[holder] -= 1
                count += 1
                for step in self._up(holder):
                    if (left := self.left[step]) is not None:
                        self.left[step] = left - 1
        return count

    def _may_leave(self, holder: Holder) -> bool:
        return all(self.left[step] != 0 for step in self._up(holder))

    def _up(self, holder: str) -> list[Holder]:
        found = []
        while holder:
            found.append(Holder(holder))
            holder = self.rows[Holder(holder)].parent
        return found


@settings(max_examples=200)
@given(trees())
def test_what_may_be_lent_is_what_counting_one_by_one_finds(drawn: Drawn) -> None:
    tree = Lending(drawn.rows, drawn.uses, drawn.unentitled, 0)
    assert tree.can_lend() == Plain(drawn).outsider() + drawn.unentitled
    assert tree.kept >= 0


@settings(max_examples=200)
@given(trees(), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=5))
def test_loans_add_up_keep_limits_and_never_exceed_what_is_idle(
    drawn: Drawn, asked: list[tuple[int, int]]
) -> None:
    tree = Lending(drawn.rows, drawn.uses, drawn.unentitled, 0)
    idle = {h: tree.position(h).idle for h in tree.holders()}
    given_out = dict.fromkeys([ROOT, *idle], 0)
    for number, wanted in asked:
        holder = Holder(f"tn_{number}")
        if holder not in idle:
            holder = ROOT
        could = tree.can_lend() if holder == ROOT else tree.may_borrow(holder)
        wanted = min(wanted, could)
        loans = tree.lend(number, wanted, holder)
        assert sum(loan.accelerators for loan in loans) == wanted
        for loan in loans:
            assert loan.accelerators > 0
            given_out[loan.lender] += loan.accelerators
    for holder, most in idle.items():
        place = tree.position(holder)
        assert place.lent == given_out[holder] <= most
        limit = next(r.lend_limit for r in drawn.rows if r.holder == holder)
        is_team = holder.startswith("tn_")
        if is_team and limit is not None:
            assert place.lent <= limit
    assert given_out[ROOT] <= drawn.unentitled


@settings(max_examples=100)
@given(trees(), st.integers(0, 4), st.integers(1, 6))
def test_nobody_further_lends_while_somebody_nearer_could(
    drawn: Drawn, number: int, wanted: int
) -> None:
    holder = Holder(f"tn_{number}")
    tree = Lending(drawn.rows, drawn.uses, 0, 0)
    if holder not in tree.holders():
        return
    parents = {r.holder: Holder(r.parent) for r in drawn.rows}
    loans = tree.lend("x", min(wanted, tree.may_borrow(holder)), holder)
    group = parents[holder]
    inside = [h for h in parents if parents[h] == group and h != holder and group != ROOT]
    outside = [x for x in loans if x.lender not in inside and x.lender != group]
    if outside and group != ROOT and not any(h.startswith("g") for h in inside):
        assert tree.position(group).idle == tree.position(group).lent
        assert all(tree.position(h).may_lend == 0 for h in inside)


@given(trees())
def test_the_same_question_has_the_same_answer(drawn: Drawn) -> None:
    again = Drawn(tuple(reversed(drawn.rows)), dict(reversed(drawn.uses.items())), drawn.unentitled)
    answers = [
        [
            t.lend("x", 7),
            t.lend("y", 5, Holder("tn_0")),
            [t.position(h) for h in sorted(t.holders())],
        ]
        for t in (Lending(d.rows, d.uses, d.unentitled, 0) for d in (drawn, again))
    ]
    assert answers[0] == answers[1]


def test_ids_of_rows_do_not_change_who_lends() -> None:
    rows = [row(A, 3, id=EntitlementId("en_9")), row(B, 3, id=EntitlementId("en_1"))]
    assert lent(lending(*rows), "spot", 1) == {A: 1}


def test_who_is_served_before_whom_is_the_turn_whatever_the_order_of_asking() -> None:
    tree = lending(row(A, 10), row(B, 2), unentitled=4, b=5)
    tree.serve(
        [(Turn.SPOT, "spot", "p", 3), (Turn.RECALL, "recall", "p", 1),
         (Turn.ON_DEMAND, "lent", "p", 1), (Turn.WINDOW, "sold", "p", 3)]
    )  # fmt: skip
    assert [(loan.borrower, loan.lender, loan.accelerators) for loan in tree.loans] == [
        ("sold", "", 3), ("lent", "", 1), (B, A, 3), ("recall", A, 1), ("spot", A, 3),
    ]  # fmt: skip


def test_what_stands_beyond_limits_is_counted_and_so_is_what_nobody_has() -> None:
    tree = lending(row(A, 4, lend_limit=1), row(B, 2, borrow_limit=1), b=5)
    tree.serve([(Turn.SPOT, "spot", "p", 3)])
    assert (tree.beyond, tree.unmet) == (3, 5)
    over, place = tree.over_borrowed(Holder(B))
    assert place is not None
    assert (over, place.holder, place.used) == (2, B, 5)
    assert tree.over_borrowed(Holder(C)) == (0, None)


@settings(max_examples=200)
@given(
    trees(),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8)), max_size=6),
    st.integers(0, 5),
    st.integers(0, 9),
)
def test_going_on_from_one_instant_to_the_next_is_what_making_it_anew_gives(
    drawn: Drawn, moves: list[tuple[int, int]], unentitled: int, spot: int
) -> None:
    going = Lending(drawn.rows, drawn.uses, drawn.unentitled, 0)
    going.serve([(Turn.SPOT, "spot", "p", 3)])
    uses = dict(drawn.uses)
    for number, used in moves:
        uses[TenantId(f"tn_{number}")] = {"p": used}
        going.use(TenantId(f"tn_{number}"), {"p": used})
    going.start_again(unentitled)
    anew = Lending(drawn.rows, uses, unentitled, 0)
    for tree in (going, anew):
        tree.serve([(Turn.SPOT, "spot", "p", spot), (Turn.WINDOW, "sold", "p", 2)])
    assert going.loans == anew.loans
    assert sorted(going.holders()) == sorted(anew.holders())
    assert [going.position(h) for h in sorted(going.holders())] == [
        anew.position(h) for h in sorted(anew.holders())
    ]
    assert (going.beyond, going.unmet, going.kept) == (anew.beyond, anew.unmet, anew.kept)


def at_sites(*rows: Entitlement, supplied: dict[str, int], **uses: dict[str, int]) -> Lending:
    unentitled = sum(supplied.values()) - sum(r.accelerators for r in rows if not r.parent)
    used = {TenantId(f"tn_{k}"): by_site for k, by_site in uses.items()}
    return Lending(rows, used, unentitled, 0, supplied)


def test_what_is_entitled_at_a_site_is_lent_by_who_is_entitled_there() -> None:
    tree = at_sites(row(A, 16, site="p", lend_limit=8), supplied={"p": 16, "l": 16})
    assert (tree.can_lend("p"), tree.can_lend("l"), tree.can_lend()) == (8, 16, 24)
    assert tree.kept_by_site() == {"p": 8, "": 0}
    tree.serve([(Turn.SPOT, "spot", "p", 8), (Turn.SPOT, "spot", "l", 16)])
    assert {(loan.lender, loan.accelerators) for loan in tree.loans} == {(A, 8), ("", 16)}
    assert (tree.can_lend("p"), tree.unmet) == (0, 0)


def test_what_a_site_has_besides_is_nobodys_and_used_first() -> None:
    tree = at_sites(row(A, 16, site="p"), supplied={"p": 20, "l": 4})
    tree.serve([(Turn.SPOT, "spot", "p", 6)])
    assert [(loan.lender, loan.accelerators) for loan in tree.loans] == [("", 4), (A, 2)]


def test_who_uses_what_another_has_at_a_site_borrows_it_though_it_has_as_much_anywhere() -> None:
    tree = at_sites(row(A, 16, site="p"), row(B, 8), supplied={"p": 16, "l": 8}, b={"p": 8}).serve(
        []
    )
    assert [(loan.lender, loan.accelerators) for loan in tree.loans] == [(A, 8)]
    place = tree.position(Holder(B))
    assert (place.own, place.borrowed, place.idle) == (0, 8, 8)


def test_members_take_what_is_theirs_at_a_site_out_of_their_groups_there() -> None:
    tree = at_sites(
        row("ads", 16, site="p"), row(A, 4, "ads", site="p"), row(B, 6, "ads"),
        supplied={"p": 16, "l": 8},
    )  # fmt: skip
    assert [tree.position(Holder(h)).idle for h in ("ads", A, B)] == [6, 4, 6]
    assert tree.can_lend("p") == 16


@dataclass(frozen=True)
class Sited:
    """Teams entitled at `p`, at `l` or anywhere, what they use where, and what others ask."""

    rows: tuple[Entitlement, ...]
    uses: dict[TenantId, dict[str, int]]
    supplied: dict[str, int]
    asked: dict[str, int]


@st.composite
def sited(draw: st.DrawFn) -> Sited:
    """Nobody uses more than there is; all that is entitled could be had."""
    limit = st.one_of(st.none(), st.integers(0, 4))
    rows, uses, needed = [], {}, {"p": 0, "l": 0, "": 0}
    for n in range(draw(st.integers(1, 3))):
        site, size = draw(st.sampled_from(["p", "l", ""])), draw(st.integers(0, 6))
        rows.append(row(f"tn_{n}", size, site=site, lend_limit=draw(limit)))
        needed[site] += size
    supplied = {site: needed[site] + draw(st.integers(0, 6)) for site in ("p", "l")}
    supplied["l"] += max(sum(needed.values()) - sum(supplied.values()), 0)
    left = dict(supplied)
    for n in range(3):
        by_site = {}
        for site in ("p", "l"):
            by_site[site] = draw(st.integers(0, left[site]))
            left[site] -= by_site[site]
        uses[TenantId(f"tn_{n}")] = by_site
    asked = {site: draw(st.integers(0, left[site])) for site in ("p", "l")}
    return Sited(tuple(rows), uses, supplied, asked)


@settings(max_examples=300)
@given(sited())
def test_at_each_site_all_that_is_used_stands_on_somebodys_and_idle_is_what_is_left(
    drawn: Sited,
) -> None:
    tree = at_sites(*drawn.rows, supplied=drawn.supplied)
    for team, by_site in drawn.uses.items():
        tree.use(team, by_site)
    given = sum(r.accelerators for r in drawn.rows)
    tree.start_again(sum(drawn.supplied.values()) - given, drawn.supplied)
    tree.serve([(Turn.SPOT, "spot", site, n) for site, n in drawn.asked.items()])
    used = sum(sum(by_site.values()) for by_site in drawn.uses.values())
    own = sum(tree.position(h).own for h in tree.holders())
    assert sum(loan.accelerators for loan in tree.loans) == used - own + sum(drawn.asked.values())
    for r in drawn.rows:
        place = tree.position(r.holder)
        lent = sum(loan.accelerators for loan in tree.loans if loan.lender == r.holder)
        assert place.lent == lent <= place.idle == place.entitled - place.own
        if r.site:  # what is used there beyond what nobody is entitled to is lent by those there
            there = drawn.asked[r.site] + sum(u[r.site] for u in drawn.uses.values())
            mine = [x for x in drawn.rows if x.site == r.site]
            others = drawn.supplied[r.site] - sum(x.accelerators for x in mine)
            own_there = sum(
                min(x.accelerators, drawn.uses[TenantId(x.holder)][r.site]) for x in mine
            )
            lent_there = sum(x.accelerators for x in tree.loans if x.lender in
                             {y.holder for y in mine})  # fmt: skip
            assert lent_there >= there - own_there - others


@settings(max_examples=300)
@given(sited())
def test_within_what_may_be_lent_at_a_site_no_limit_is_passed(drawn: Sited) -> None:
    for site in ("p", "l"):
        tree = at_sites(*drawn.rows, supplied=drawn.supplied)
        tree.lend("spot", tree.can_lend(site), site=site)
        assert (tree.unmet, tree.beyond) == (0, 0)
        for r in drawn.rows:
            place = tree.position(r.holder)
            assert r.lend_limit is None or place.lent <= r.lend_limit
            assert place.lent == 0 or r.site in (site, "")
        most = tree.can_lend(site)
        assert most == 0
        if drawn.supplied[site] > sum(loan.accelerators for loan in tree.loans):
            tree.lend("more", 1, site=site)
            assert tree.unmet == 1
