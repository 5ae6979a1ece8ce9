"""Usage is split where the price or the period changes, and nothing is lost in between."""

from hypothesis import given
from hypothesis import strategies as st

from comptoir.metering.usage import Measure, UsageEvent
from comptoir.pricing.rates import Rate
from comptoir.units.time import month_start_ms
from tests.pricing.lines import DAY_MS, Till, rate, usage

BEGIN = 1_790_000_000_000


@st.composite
def lines(draw: st.DrawFn, one_measure: bool) -> list[Rate]:
    later = draw(st.lists(st.integers(BEGIN + 1, BEGIN + 90 * DAY_MS), unique=True, max_size=6))
    measures = st.just(Measure.DELIVERED) if one_measure else st.sampled_from(list(Measure))
    return [
        rate(draw(st.integers(0, 10**18 - 1)), at, measure=draw(measures))
        for at in sorted([0, *later])
    ]


@st.composite
def events(draw: st.DrawFn) -> UsageEvent:
    start = draw(st.integers(BEGIN, BEGIN + 90 * DAY_MS))
    end = start + draw(st.integers(1, 70 * DAY_MS))
    return usage(start, end, accelerator_ms=draw(st.integers(1, 10**18)))


@given(events(), lines(one_measure=True))
def test_pieces_add_up_to_the_event(event: UsageEvent, line: list[Rate]) -> None:
    pieces = Till(line).price(event)
    assert sum(piece.accelerator_ms for piece in pieces) == event.accelerator_ms


@given(events(), lines(one_measure=False))
def test_each_piece_has_one_price_one_month_and_an_exact_numerator(
    event: UsageEvent, line: list[Rate]
) -> None:
    before = event.starts_at_ms
    for piece in Till(line).price(event):
        assert before <= piece.starts_at_ms < piece.ends_at_ms <= event.ends_at_ms
        before = piece.ends_at_ms
        assert month_start_ms(piece.starts_at_ms) == month_start_ms(piece.ends_at_ms - 1)
        in_force = [r for r in line if r.effective_from_ms < piece.ends_at_ms]
        assert piece.rate == in_force[-1]
        assert piece.rate.effective_from_ms <= piece.starts_at_ms
        assert piece.rate.measure is event.measure
        assert piece.numerator == piece.accelerator_ms * piece.rate.price_nanos


@given(events(), lines(one_measure=False))
def test_the_same_usage_is_priced_the_same(event: UsageEvent, line: list[Rate]) -> None:
    assert Till(line).price(event) == Till(reversed(line)).price(event)
