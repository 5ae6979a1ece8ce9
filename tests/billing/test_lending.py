"""The lender's statement adds up to the last accelerator-millisecond, and earns what was sold."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.billing import lending
from comptoir.billing.lending import (
    Facts,
    LenderStatement,
    Price,
    Use,
    credit_postings,
    draw_up_lending,
)
from comptoir.leases.lease import LeaseClass
from comptoir.ledger.entries import sums_by_unit
from comptoir.tenants.entitlements import Entitlement
from comptoir.tenants.lending import Lending
from comptoir.units.ids import TenantId
from comptoir.units.money import NUMERATOR_PER_MICRO
from comptoir.units.steps import Steps
from comptoir.units.time import MS_PER_HOUR, Window
from tests.tenants.test_entitlements import row

INTERNAL, RESERVED, ON_DEMAND, SPOT = LeaseClass
A, B, ACME = TenantId("tn_a"), TenantId("tn_b"), TenantId("tn_acme")
DOLLAR = 1_000_000_000
HOUR = MS_PER_HOUR


def use(tenant: TenantId, lease_class: LeaseClass, accelerators: int, start: int, end: int,
        price: int = DOLLAR, **more: Any) -> Use:  # fmt: skip
    words = {"recall": False, "currency": "USD", **more}
    return Use(
        tenant, lease_class is INTERNAL, "p", lease_class, words["recall"], accelerators, start,
        end, price, words["currency"],
    )  # fmt: skip


def supplied(count: int) -> dict[str, Steps]:
    steps = Steps()
    steps.add(0, None, count)
    return {"p": steps}


def drawn(
    rows: list[Entitlement], uses: list[Use], supply: int = 16, until: int = 10 * HOUR
) -> LenderStatement:
    facts = Facts("h100-sxm", rows, uses, supplied(supply))
    return draw_up_lending(A, facts, Window(0, until), [Price(0, 2 * DOLLAR)], "USD")


def hours(accelerator_ms: int) -> int:
    assert accelerator_ms % HOUR == 0
    return accelerator_ms // HOUR


def test_what_a_team_does_not_use_and_others_do_earns_its_share_of_their_price() -> None:
    said = drawn(
        [row(A, 10)],
        [
            use(A, INTERNAL, 4, 0, 10 * HOUR),
            use(ACME, ON_DEMAND, 6, 0, 10 * HOUR),  # on the 6 that are nobody's
            use(ACME, SPOT, 3, 2 * HOUR, 7 * HOUR, price=DOLLAR // 2),
        ],
    )
    assert hours(said.entitled_accelerator_ms) == 100
    assert hours(said.used_accelerator_ms) == 40
    assert hours(said.lent_accelerator_ms) == 15
    assert hours(said.idle_accelerator_ms) == 45
    (line,) = said.lines
    assert (line.lease_class, hours(line.accelerator_ms)) == (SPOT, 15)
    assert line.credit_micros == 15 * 500_000 * 5_000 // 10_000
    assert said.idle_cost_micros == 45 * 2_000_000
    assert said.credits == {"USD": 3_750_000}


def test_what_is_nobodys_is_used_first_by_the_stronger_class_and_by_the_dearer() -> None:
    said = drawn(
        [row(A, 12)],
        [
            use(ACME, SPOT, 4, 0, 10 * HOUR, price=1),
            use(ACME, ON_DEMAND, 2, 0, 10 * HOUR, price=3),
            use(ACME, ON_DEMAND, 2, 0, 10 * HOUR, price=2),
            use(ACME, RESERVED, 2, 0, 10 * HOUR, price=1),
        ],
    )
    assert [(x.lease_class, x.price_nanos, hours(x.accelerator_ms)) for x in said.lines] == [
        (ON_DEMAND, 2, 20), (SPOT, 1, 40),
    ]  # fmt: skip


def test_a_team_that_borrows_is_a_borrower_like_others() -> None:
    said = drawn([row(A, 10), row(B, 6)], [use(B, INTERNAL, 9, 0, 10 * HOUR, price=3 * DOLLAR)])
    (line,) = said.lines
    assert (line.lease_class, line.price_nanos, hours(line.accelerator_ms)) == (
        INTERNAL, 3 * DOLLAR, 30,
    )  # fmt: skip


def test_entitlements_and_uses_count_only_while_they_last() -> None:
    said = drawn(
        [row(A, 10, starts_at_ms=2 * HOUR, ends_at_ms=4 * HOUR)],
        [use(ACME, SPOT, 16, 3 * HOUR, 9 * HOUR)],
    )
    assert hours(said.entitled_accelerator_ms) == 20
    assert hours(said.lent_accelerator_ms) == 10
    assert hours(said.idle_accelerator_ms) == 10


def test_a_line_is_rounded_down_once_and_currencies_stay_apart() -> None:
    said = drawn(
        [row(A, 10, lend_limit=None)],
        [
            use(ACME, SPOT, 1, 0, 1, price=7, currency="EUR"),
            use(ACME, SPOT, 9, 0, 7, price=DOLLAR + 1),
        ],
        supply=10,
    )
    for line in said.lines:
        exact = line.accelerator_ms * line.price_nanos * 5_000
        assert line.numerator == exact
        assert line.credit_micros == exact // (NUMERATOR_PER_MICRO * 10_000)
    assert set(said.credits) <= {"EUR", "USD"}


def test_credits_are_posted_in_balance() -> None:
    postings = credit_postings(A, {"USD": 5, "EUR": 7})
    assert sums_by_unit(postings) == {"USD": 0, "EUR": 0}
    assert {(p.account, p.unit, p.amount) for p in postings} == {
        ("lender_credit", "USD", 5), ("internal_transfer:tn_a", "USD", -5),
        ("lender_credit", "EUR", 7), ("internal_transfer:tn_a", "EUR", -7),
    }  # fmt: skip
    assert credit_postings(A, {}) == ()


spans = st.tuples(st.integers(0, 11), st.integers(1, 12)).filter(lambda s: s[0] < s[1])
uses = st.lists(
    st.tuples(
        st.sampled_from([A, B, ACME]), st.sampled_from([RESERVED, ON_DEMAND, SPOT]),
        st.integers(1, 5), spans, st.sampled_from([1, 2]),
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([A, B]), st.integers(1, 6), spans), max_size=5),
    uses,
    st.integers(0, 14),
)
def test_it_is_what_counting_instant_by_instant_gives(
    given_: list[tuple[TenantId, int, tuple[int, int]]],
    used: list[tuple[TenantId, LeaseClass, int, tuple[int, int], int]],
    supply: int,
) -> None:
    rows = [
        row(team, count, id=f"en_{n}", starts_at_ms=start, ends_at_ms=end)
        for n, (team, count, (start, end)) in enumerate(given_)
    ]
    made = [
        use(who, INTERNAL if who in (A, B) else lease_class, count, *span, price=price)
        for who, lease_class, count, span, price in used
    ]
    said = drawn(rows, made, supply=supply, until=12)
    totals: Counter[str] = Counter()
    for at in range(12):
        totals.update(counted(rows, made, supply, at))
    assert said.entitled_accelerator_ms == totals["entitled"]
    assert said.used_accelerator_ms == totals["used"]
    assert said.lent_accelerator_ms + said.idle_accelerator_ms == totals["rest"]
    # Another lender may take its place, but together they lend what is not nobody's.
    both = said.lent_accelerator_ms + _of_b(rows, made, supply).lent_accelerator_ms
    assert both == totals["lent by all"]


def _of_b(rows: list[Entitlement], made: list[Use], supply: int) -> LenderStatement:
    facts = Facts("h100-sxm", rows, made, supplied(supply))
    return draw_up_lending(B, facts, Window(0, 12), [], "USD")


def counted(rows: list[Entitlement], made: list[Use], supply: int, at: int) -> dict[str, int]:
    """One instant, in plain words."""
    has = Counter[TenantId]()
    for r in rows:
        if r.starts_at_ms <= at < (r.ends_at_ms or 99) and r.tenant_id is not None:
            has[r.tenant_id] += r.accelerators
    uses_now = Counter[TenantId]()
    for u in made:
        if u.starts_at_ms <= at < u.ends_at_ms:
            uses_now[u.tenant_id] += u.accelerators
    own = {team: min(has[team], uses_now[team]) for team in (A, B)}
    nobodys = max(supply - sum(has.values()), 0)
    others = sum(uses_now.values()) - sum(own.values())
    idle = sum(has.values()) - sum(own.values())
    return {
        "entitled": has[A], "used": own[A], "rest": has[A] - own[A],
        "lent by all": min(max(others - nobodys, 0), idle),
    }  # fmt: skip


@pytest.mark.parametrize("share", [0, 10_000])
def test_the_lenders_share_is_its_entitlements(share: int) -> None:
    said = drawn([replace(row(A, 16), lender_share_bps=share)], [use(ACME, SPOT, 2, 0, 5 * HOUR)])
    assert said.credits == ({"USD": 10_000_000} if share else {})


def test_a_statement_works_out_anew_only_what_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree of entitlements is made once for as long as the same ones are in force."""
    made: list[int] = []

    class Counted(Lending):
        def __init__(self, rows: Any, uses: Any, unentitled: int, at_ms: int, sites: Any) -> None:
            made.append(at_ms)
            super().__init__(rows, uses, unentitled, at_ms, sites)

    monkeypatch.setattr(lending, "Lending", Counted)
    rows = [row(A, 8), row(B, 4, starts_at_ms=500)]
    many = [use(who, INTERNAL, 3, at, at + 40) for at in range(0, 900, 3) for who in (A, B)]
    said = drawn(rows, many, until=1_000)
    assert made == [0, 500]
    assert said.used_accelerator_ms > 0
