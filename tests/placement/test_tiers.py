"""One price orders covers as tiers do: the last tier decides, then the one before it."""

from hypothesis import given
from hypothesis import strategies as st

from comptoir.placement.tiers import MOST, TIERS, by_tier, one_price

victims = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, TIERS - 1), st.booleans(), st.booleans()),
    max_size=8,
)


def picked(values: list[int], chosen: list[bool]) -> list[int]:
    return [value for value, keep in zip(values, chosen, strict=True) if keep]


@given(victims)
def test_the_cheaper_price_is_the_better_cover(
    drawn: list[tuple[int, int, bool, bool]],
) -> None:
    costs, tiers = [d[0] for d in drawn], [d[1] for d in drawn]
    prices = one_price(costs, tiers)
    one, other = [d[2] for d in drawn], [d[3] for d in drawn]
    by_price = sum(picked(prices, one)) - sum(picked(prices, other))
    first = by_tier(picked(costs, one), picked(tiers, one))
    second = by_tier(picked(costs, other), picked(tiers, other))
    assert (by_price < 0) is (first < second)


@given(st.lists(st.tuples(st.integers(1, 10**15), st.integers(0, 2)), min_size=1, max_size=300))
def test_prices_fit_the_kernel_and_no_earlier_tier_outweighs_a_later_one(
    drawn: list[tuple[int, int]],
) -> None:
    costs, tiers = [d[0] for d in drawn], [d[1] for d in drawn]
    prices = one_price(costs, tiers)
    if max(tiers):
        assert sum(prices) < MOST
    for tier in range(1, TIERS):
        later = [p for p, t in zip(prices, tiers, strict=True) if t == tier]
        earlier = sum(p for p, t in zip(prices, tiers, strict=True) if t < tier)
        assert all(price > earlier for price in later)


def test_spot_alone_costs_what_it_costs() -> None:
    assert one_price([10**18, 7], [0, 0]) == [10**18, 7]
