"""Of one contract no more leases go than it allows; within that the cheapest, on small places."""

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.placement import recalls
from comptoir.placement.kernel_cover import cover
from comptoir.placement.recalls import Bounds
from tests.placement.test_cover import Node, freed, places, records_of

NUMBERS = st.lists(st.sampled_from([None, "a", "b"]), min_size=8, max_size=8)
LEFT = st.fixed_dictionaries({"a": st.integers(-1, 3), "b": st.integers(0, 2)})


def cheapest_within(nodes: list[Node], costs: list[int], wanted: int, bounds: Bounds) -> int | None:
    sets = (
        frozenset(chosen)
        for count in range(len(costs) + 1)
        for chosen in combinations(range(len(costs)), count)
    )
    return min(
        (
            sum(costs[v] for v in gone)
            for gone in sets
            if freed(nodes, gone) >= wanted and bounds.passed(sorted(gone)) is None
        ),
        default=None,
    )


@settings(max_examples=400, deadline=None)
@given(places, NUMBERS, LEFT)
def test_the_cheapest_cover_within_what_contracts_allow_is_found(
    place: tuple[list[Node], list[int], int], numbers: list[str | None], left: dict[str, int]
) -> None:
    nodes, costs, wanted = place
    bounds = Bounds(numbers[: len(costs)], left)
    records = records_of(nodes)
    chosen = bounds.cover(records, costs, lambda some: list(cover(some, costs, wanted)))
    least = cheapest_within(nodes, costs, wanted, bounds)
    if least is None:
        assert chosen == []
    else:
        assert bounds.most_freed(records) >= wanted
        assert freed(nodes, frozenset(chosen)) >= wanted
        assert bounds.passed(chosen) is None
        assert sum(costs[v] for v in chosen) == least


def test_past_its_bound_the_answer_keeps_to_the_number() -> None:
    """Five of thirty may go: far more choices than are tried, and none of them passes it."""
    nodes: list[Node] = [(False, {v: 8 + v % 3}) for v in range(30)]
    nodes += [(False, {v: 1}) for v in range(30, 90)]
    costs = [10 + v for v in range(30)] + [500] * 60
    bounds = Bounds(["a"] * 30 + [None] * 60, {"a": 5})
    tried = 0

    def solve(records: list[int]) -> list[int]:
        nonlocal tried
        tried += 1
        return list(cover(records, costs, 70))

    chosen = bounds.cover(records_of(nodes), costs, solve)
    assert freed(nodes, frozenset(chosen)) >= 70
    assert (bounds.passed(chosen), tried <= recalls.MOST_COVERS) == (None, True)


def test_where_nothing_is_left_nobody_goes() -> None:
    bounds = Bounds(["a", None], {"a": 0})
    records = records_of([(False, {0: 8}), (False, {1: 8})])
    assert bounds.cover(records, [1, 9], lambda some: list(cover(some, [1, 9], 8))) == [1]
    assert bounds.cover(records, [1, 9], lambda some: list(cover(some, [1, 9], 16))) == []
