"""The cheapest cover of a place is the cheapest: against every subset, on small places."""

import random
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.placement import kernel_cover
from comptoir.placement.kernel_cover import cover

Node = tuple[bool, dict[int, int]]
"""Whether its victims count only together, and what each holds there."""


def freed(nodes: list[Node], gone: frozenset[int]) -> int:
    """Accelerators free once these victims are gone, by the words of the rule."""
    total = 0
    for together, held in nodes:
        if together and not gone.issuperset(held):
            continue
        total += sum(size for victim, size in held.items() if victim in gone)
    return total


def cheapest(nodes: list[Node], costs: list[int], wanted: int) -> int | None:
    sets = (
        frozenset(chosen)
        for count in range(len(costs) + 1)
        for chosen in combinations(range(len(costs)), count)
    )
    return min(
        (sum(costs[v] for v in gone) for gone in sets if freed(nodes, gone) >= wanted),
        default=None,
    )


def records_of(nodes: list[Node]) -> list[int]:
    return [
        value
        for number, (together, held) in enumerate(nodes)
        for victim, size in held.items()
        for value in (victim, number, size, int(together))
    ]


def check(nodes: list[Node], costs: list[int], wanted: int) -> None:
    chosen = cover(records_of(nodes), costs, wanted)
    least = cheapest(nodes, costs, wanted)
    assert len(set(chosen)) == len(chosen)
    if least is None:
        assert chosen == []
    else:
        assert freed(nodes, frozenset(chosen)) >= wanted
        assert sum(costs[v] for v in chosen) == least


costs_of_work = st.one_of(st.integers(1, 30), st.integers(1, 10**13))
places = st.integers(1, 8).flatmap(
    lambda victims: st.tuples(
        st.lists(
            st.tuples(
                st.booleans(),
                st.dictionaries(
                    st.integers(0, victims - 1), st.integers(1, 8), min_size=1, max_size=4
                ),
            ),
            min_size=1,
            max_size=7,
        ),
        st.lists(costs_of_work, min_size=victims, max_size=victims),
        st.integers(1, 60),
    )
)


@settings(max_examples=600, deadline=None)
@given(places)
def test_a_cover_is_the_cheapest_there_is(place: tuple[list[Node], list[int], int]) -> None:
    check(*place)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_the_search_is_exact_without_its_bounds_help(seed: int) -> None:
    """Equal densities leave the bound nothing to cut: the dynamic programme decides alone."""
    rng = random.Random(seed)
    sizes = [rng.randint(2, 9) for _ in range(rng.randint(2, 9))]
    nodes: list[Node] = [(False, {victim: size}) for victim, size in enumerate(sizes)]
    check(nodes, [size * 1_000 for size in sizes], rng.randint(1, sum(sizes)))


def test_an_exclusive_node_is_free_only_when_its_last_lease_goes() -> None:
    """Three leases share node 0; emptying it takes all three, and one of them holds node 1 too."""
    nodes: list[Node] = [(True, {0: 2, 1: 2, 2: 4}), (True, {2: 8}), (True, {3: 8})]
    assert sorted(cover(records_of(nodes), [5, 5, 30, 20], 8)) == [3]
    assert sorted(cover(records_of(nodes), [5, 5, 18, 20], 8)) == [2]
    assert sorted(cover(records_of(nodes), [5, 5, 18, 90], 16)) == [0, 1, 2]
    assert sorted(cover(records_of(nodes), [5, 5, 18, 20], 16)) == [0, 1, 2]


def test_a_place_that_cannot_be_freed_has_no_cover() -> None:
    assert cover(records_of([(False, {0: 3})]), [1], 4) == []
    assert cover([], [], 1) == []


def test_costs_near_the_end_of_64_bits_are_compared_in_coarser_steps() -> None:
    nodes: list[Node] = [(False, {0: 8}), (False, {1: 8})]
    assert cover(records_of(nodes), [1 << 61, (1 << 61) - (1 << 40)], 8) == [1]


def test_past_its_bounds_the_answer_is_still_a_cover() -> None:
    """More linked leases than are enumerated: the smallest shared nodes are not emptied."""
    many = kernel_cover.MOST_LINKED + 4
    nodes: list[Node] = [(True, {v: 1, v + 1: 1}) for v in range(many)]
    nodes += [(False, {v: 3}) for v in range(many + 1)]
    chosen = cover(records_of(nodes), [10 + v for v in range(many + 1)], 20)
    assert freed(nodes, frozenset(chosen)) >= 20
