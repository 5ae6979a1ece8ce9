"""Credit is drawn by the time of usage, in a stated order, and never below zero."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from comptoir.leases.lease import LeaseClass
from comptoir.sales.credit_blocks import (
    EVERYTHING,
    BlockState,
    Covers,
    CreditBlock,
    CreditSource,
    expire,
    expired_at,
    left_at,
    left_for,
    order_of_drawing,
    rolled_over,
)
from comptoir.sales.drawdown import Draw, Due, draw, edges, give_back, record
from comptoir.units.ids import CreditBlockId, TenantId, encode_id
from comptoir.units.values import replace

ACME = TenantId("te_ACME")
NEW = CreditBlockId(encode_id("cb", 99))


def block(
    number: int = 1,
    granted: int = 1_000,
    window: tuple[int, int | None] = (0, None),
    priority: int = 100,
    covers: Covers = EVERYTHING,
    created: int = 0,
    currency: str = "USD",
) -> CreditBlock:
    return CreditBlock(
        CreditBlockId(encode_id("cb", number)), ACME, None, None, CreditSource.COMMITMENT,
        currency, granted, 0, 0, *window, priority, covers, (), BlockState.OPEN, created,
    )  # fmt: skip


def due(
    subject: str, at: int, micros: int, length: int = 1, kind: str = "h100-sxm", site: str = "paris"
) -> Due:
    return Due(subject, ACME, "USD", kind, LeaseClass.RESERVED, site, at, at + length, micros)


def told(draws: list[Draw]) -> list[tuple[str, str, int]]:
    return [(one.block_id, one.due.subject, one.micros) for one in draws]


@st.composite
def blocks(draws: st.DrawFn) -> list[CreditBlock]:
    made = []
    for number in range(draws(st.integers(0, 6))):
        start = draws(st.integers(0, 20))
        end = draws(st.none() | st.integers(start + 1, 40))
        kinds = draws(st.sampled_from([(), ("h100-sxm",), ("mi300x", "h100-sxm")]))
        made.append(
            block(
                number, draws(st.integers(1, 9)), (start, end), draws(st.integers(1, 2)),
                Covers(kinds), draws(st.integers(0, 2)),
                draws(st.sampled_from(["USD", "USD", "EUR"])),
            )
        )  # fmt: skip
    return made


@st.composite
def dues(draws: st.DrawFn) -> list[Due]:
    return [
        due(
            f"ac_{number}", draws(st.integers(0, 39)), draws(st.integers(-3, 12)),
            draws(st.integers(1, 5)), draws(st.sampled_from(["h100-sxm", "mi300x", "mtia-v2"])),
        )
        for number in range(draws(st.integers(0, 8)))
    ]  # fmt: skip


def one_micro_at_a_time(given: list[CreditBlock], owed: list[Due]) -> dict[tuple[str, str], int]:
    """What should be drawn, worked out the slow way and without the code under test."""
    left = {one.id: one.granted_micros for one in given}
    drawn: dict[tuple[str, str], int] = {}
    for one in sorted(owed, key=lambda d: (d.starts_at_ms, d.ends_at_ms, d.subject)):
        for _ in range(max(one.micros, 0)):
            may = [
                b
                for b in given
                if left[b.id]
                and b.currency == one.currency
                and b.from_ms <= one.starts_at_ms
                and (b.until_ms is None or one.ends_at_ms <= b.until_ms)
                and (not b.covers.kinds or one.kind in b.covers.kinds)
            ]
            if not may:
                break
            first = min(
                may,
                key=lambda b: (b.priority, b.until_ms or 10**9, b.created_at_ms, given.index(b)),
            )
            left[first.id] -= 1
            drawn[first.id, one.subject] = drawn.get((first.id, one.subject), 0) + 1
    return drawn


@given(blocks(), dues())
def test_what_is_drawn_is_what_one_micro_at_a_time_would_draw(
    given: list[CreditBlock], owed: list[Due]
) -> None:
    _, draws = draw(given, owed)
    assert {(d.block_id, d.due.subject): d.micros for d in draws} == one_micro_at_a_time(
        given, owed
    )
    assert len(draws) == len({(d.block_id, d.due.subject) for d in draws})


@given(blocks(), dues())
def test_no_block_is_drawn_below_zero_and_no_due_is_paid_twice(
    given: list[CreditBlock], owed: list[Due]
) -> None:
    changed, draws = draw(given, owed)
    after = {**{one.id: one for one in given}, **{one.id: one for one in changed}}
    for one in after.values():
        mine = sum(d.micros for d in draws if d.block_id == one.id)
        assert one.drawn_micros == mine <= one.granted_micros
        assert (one.state is BlockState.SPENT) == (one.left_micros == 0)
    for one in owed:
        assert sum(d.micros for d in draws if d.due == one) <= max(one.micros, 0)


@given(blocks(), dues(), st.randoms())
def test_the_order_in_which_usage_is_reported_makes_no_difference(
    given: list[CreditBlock], owed: list[Due], random: Random
) -> None:
    shuffled, other = list(owed), list(given)
    random.shuffle(shuffled)
    random.shuffle(other)
    one, another = draw(given, owed), draw(other, shuffled)
    assert told(one[1]) == told(another[1])
    assert {b.id: b for b in one[0]} == {b.id: b for b in another[0]}


@given(blocks(), dues(), st.integers(0, 40))
def test_drawing_period_by_period_draws_the_same(
    given: list[CreditBlock], owed: list[Due], cut: int
) -> None:
    early = [d for d in owed if d.starts_at_ms < cut]
    late = [d for d in owed if d.starts_at_ms >= cut]
    changed, first = draw(given, early)
    between = {**{b.id: b for b in given}, **{b.id: b for b in changed}}
    _, second = draw(between.values(), late)
    assert told(first + second) == told(draw(given, owed)[1])


@given(blocks(), dues())
def test_what_is_given_back_is_what_was_recorded(given: list[CreditBlock], owed: list[Due]) -> None:
    changed, draws = draw(given, owed)
    after = {**{b.id: b for b in given}, **{b.id: b for b in changed}}
    rows = record(draws, 1, 50)
    total = sum(row.micros for row in rows)
    restored, back = give_back(after.values(), rows, total)
    assert sum(share for _, share in back) == total
    again = {**after, **{b.id: b for b in restored}}
    assert again == {b.id: b for b in given}


def test_credit_granted_later_does_not_pay_for_usage_before_it() -> None:
    """openmeter#4649: usage of a closed period consumed what was granted afterwards."""
    later = block(1, 1_000, (100, 200))
    changed, draws = draw([later], [due("late-report", 99, 10), due("inside", 100, 10)])
    assert told(draws) == [(later.id, "inside", 10)]
    assert changed[0].left_micros == 990


def test_usage_that_reaches_over_the_end_of_a_window_does_not_draw_it() -> None:
    narrow = block(1, 1_000, (0, 100))
    assert draw([narrow], [due("over", 99, 10, length=2)])[1] == []
    assert told(draw([narrow], [due("in", 99, 10, length=1)])[1]) == [(narrow.id, "in", 10)]


def test_a_block_that_is_short_pays_what_it_has() -> None:
    """lago-api#4985: a wallet could go negative."""
    small, large = block(1, 7), block(2, 100, priority=200)
    changed, draws = draw([large, small], [due("a", 0, 10)])
    assert told(draws) == [(small.id, "a", 7), (large.id, "a", 3)]
    assert [(b.left_micros, b.state) for b in changed] == [
        (97, BlockState.OPEN), (0, BlockState.SPENT),
    ]  # fmt: skip


def test_priority_goes_before_expiry_and_expiry_before_age() -> None:
    first = block(4, priority=1, window=(0, None), created=9)
    soon = block(3, window=(0, 50), created=9)
    later = block(2, window=(0, 60), created=1)
    old, young = block(9, created=2), block(1, created=3)
    given = [young, old, later, soon, first]
    assert sorted(given, key=order_of_drawing) == [first, soon, later, old, young]


def test_credit_for_some_usage_does_not_pay_for_other() -> None:
    narrow = block(1, covers=Covers(("h100-sxm",), (LeaseClass.RESERVED,), ("paris",)))
    others = [due("kind", 0, 1, kind="mi300x"), due("site", 0, 1, site="lyon"), due("ok", 0, 1)]
    assert told(draw([narrow], others)[1]) == [(narrow.id, "ok", 1)]


def test_what_is_over_expires_with_what_is_left_and_is_never_drawn_again() -> None:
    over, open_ended = block(1, 10, (0, 100)), block(2, 10)
    over = draw([over], [due("a", 0, 4)])[0][0]
    assert expired_at([open_ended, over], 99) == []
    assert expired_at([open_ended, over], 100) == [(over, 6)]
    gone = expire(over)
    assert (gone.left_micros, gone.drawn_micros, gone.expired_micros) == (0, 4, 6)
    assert gone.state is BlockState.EXPIRED
    assert draw([gone], [due("b", 0, 1)]) == ([], [])
    assert expire(gone) == gone


def test_a_balance_is_what_usage_of_that_moment_could_draw() -> None:
    given = [block(1, 10, (0, 50)), block(2, 5, (50, None)), block(3, 7, currency="EUR")]
    assert [left_at(given, "USD", at) for at in (0, 49, 50)] == [10, 10, 5]
    only = [block(4, 10, covers=Covers(("mi300x",)))]
    assert left_for(only, "USD", 0, "h100-sxm", LeaseClass.SPOT) == 0
    assert left_for(only, "USD", 0, "mi300x", LeaseClass.SPOT) == 10


def test_usage_is_cut_where_a_window_opens_or_closes() -> None:
    given = [block(1, window=(10, 20)), block(2, window=(15, None)), block(3, window=(0, 30))]
    assert edges(given, 10, 30) == [15, 20]


def rolling(number: int, granted: int, window: tuple[int, int], ppm: int) -> CreditBlock:
    return replace(block(number, granted, window), rollover_ppm=ppm, rollover_s=1)


@given(dues(), st.integers(1, 30), st.sampled_from([1, 250_000, 1_000_000]), st.integers(1, 9))
def test_a_step_rolls_over_before_usage_of_later_draws_as_if_it_had_been_closed_then(
    owed: list[Due], ends: int, ppm: int, more: int
) -> None:
    step, other = rolling(1, 9, (0, ends), ppm), block(2, more, (2, 40), priority=101)
    cut = [one for one in owed if one.ends_at_ms <= ends or one.starts_at_ms >= ends]
    at_once = draw([step, other], cut, roll=lambda b: rolled_over(NEW, b, 7))
    early = [one for one in cut if one.starts_at_ms < ends]
    late = [one for one in cut if one.starts_at_ms >= ends]
    after = {b.id: b for b in (step, other)}
    changed, draws = draw(after.values(), early)
    after |= {b.id: b for b in changed}
    made = rolled_over(NEW, after[step.id], 7) if late else None
    if made is not None:
        gone = after[step.id].left_micros - made.granted_micros
        after |= {step.id: expire(after[step.id], gone), made.id: made}
    changed, more_draws = draw([b for b in after.values() if b.left_micros], late)
    after |= {b.id: b for b in changed}
    assert told(at_once[1]) == told(draws + more_draws)
    expected = {id_: b for id_, b in after.items() if b not in (step, other)}
    assert {b.id: b for b in at_once[0]} == expected
