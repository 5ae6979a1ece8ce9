"""Steps add up as a plain list of spans does, and forget what was taken away."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.units import steps as steps_module
from comptoir.units.steps import Steps
from comptoir.units.time import Window

instants = st.integers(0, 12)


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    """So small that a few spans fill several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps_module, "MOST_IN_A_BLOCK", 2)
        yield


spans = st.lists(
    st.tuples(instants, st.one_of(st.none(), instants), st.integers(-3, 3)), max_size=8
)


def filled(of: list[tuple[int, int | None, int]]) -> Steps:
    steps = Steps()
    for span in of:
        steps.add(*span)
    return steps


def plain(of: list[tuple[int, int | None, int]], instant: int) -> int:
    return sum(
        amount for start, end, amount in of if start <= instant and (end is None or instant < end)
    )


@given(spans, instants)
def test_the_sum_at_an_instant_is_that_of_the_spans_over_it(
    of: list[tuple[int, int | None, int]], instant: int
) -> None:
    assert filled(of).at(instant) == plain(of, instant)


@given(spans, instants, st.one_of(st.none(), st.integers(1, 8)))
def test_the_lowest_of_a_window_is_the_first_of_its_instants_that_is_so_low(
    of: list[tuple[int, int | None, int]], start: int, length: int | None
) -> None:
    end = None if length is None else start + length
    sums = [(plain(of, instant), instant) for instant in range(start, end or 30)]
    assert filled(of).lowest(Window(start, end)) == min(sums)


@given(spans, instants, st.one_of(st.none(), st.integers(1, 8)))
def test_the_highest_of_a_window_and_what_changes_within_it(
    of: list[tuple[int, int | None, int]], start: int, length: int | None
) -> None:
    window = Window(start, None if length is None else start + length)
    steps, last = filled(of), window.end_ms or 30
    assert steps.highest(window) == max(plain(of, instant) for instant in range(start, last))
    changes = [(at, plain(of, at) - plain(of, at - 1)) for at in range(start + 1, last)]
    assert steps.within(window) == [(at, by) for at, by in changes if by]


@given(spans, instants)
def test_the_next_change_is_the_first_instant_after_at_which_the_sum_is_another(
    of: list[tuple[int, int | None, int]], after: int
) -> None:
    later = [at for at in range(after + 1, 30) if plain(of, at) != plain(of, at - 1)]
    assert filled(of).next_ms(after) == min(later, default=None)


@given(spans, spans)
def test_what_is_taken_away_leaves_no_trace(
    kept: list[tuple[int, int | None, int]], gone: list[tuple[int, int | None, int]]
) -> None:
    steps = filled(kept + gone)
    for start, end, amount in gone:
        steps.add(start, end, -amount)
    assert steps.changes() == filled(kept).changes()
    assert [at for times in steps._blocks for at in times] == list(steps.changes())
    assert [times[0] for times in steps._blocks] == steps._firsts
