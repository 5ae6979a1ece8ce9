"""Tiers and terms: order and cuts never matter, the closest rate and override win."""

from hypothesis import given
from hypothesis import strategies as st

from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.pricing.rates import Item, Rate, rate_in_force
from comptoir.pricing.steps import top_up
from comptoir.pricing.terms import Agreed, Override, OverrideMode, Terms, price_at
from comptoir.pricing.tiers import Tier, spread, total
from comptoir.units.ids import ContractVersionId
from tests.pricing.lines import CARD, DAY_MS, KIND, NANOS, Till, rate, usage

ON_DEMAND = LeaseClass.ON_DEMAND
BEGIN = 1_790_000_000_000
amounts = st.integers(1, 10**15)


@st.composite
def ladders(draw: st.DrawFn) -> tuple[Tier, ...]:
    bounds = sorted(draw(st.sets(st.integers(1, 10**15), max_size=6)))
    return tuple(Tier(at, draw(st.integers(0, 10**13))) for at in [0, *bounds])


@given(ladders(), st.lists(amounts, max_size=12), st.randoms(use_true_random=False))
def test_pieces_add_up_to_the_price_of_the_whole_in_any_order(
    prices: tuple[Tier, ...], pieces: list[int], rng: object
) -> None:
    rng.shuffle(pieces)  # type: ignore[attr-defined]
    bounds = [tier.from_accelerator_ms for tier in prices]
    used, owed = 0, 0
    for piece in pieces:
        parts = list(spread(bounds, used, piece))
        assert sum(part for _, part in parts) == piece
        owed += sum(part * prices[tier].price_nanos for tier, part in parts)
        used += piece
    assert owed == total(prices, used)


@given(ladders(), amounts, st.data())
def test_what_is_given_back_is_priced_as_it_was_taken(
    prices: tuple[Tier, ...], used: int, data: st.DataObject
) -> None:
    back = data.draw(st.integers(1, used))
    bounds = [tier.from_accelerator_ms for tier in prices]
    owed = sum(part * prices[tier].price_nanos for tier, part in spread(bounds, used, -back))
    assert owed == total(prices, used - back) - total(prices, used)


@given(st.integers(1, 64), st.integers(0, 10**7), st.integers(0, 86_400), st.lists(amounts))
def test_steps_are_of_the_lease_however_it_was_cut(
    size: int, minimum_s: int, granularity_s: int, pieces: list[int]
) -> None:
    """Whole steps, at least the minimum, never less than was used nor a step more than needed."""
    stepped = rate(1, minimum_s=minimum_s, granularity_s=granularity_s)
    used = sum(pieces)
    billed = used + top_up(stepped, size, used)
    step, least = granularity_s * 1_000 * size, minimum_s * 1_000 * size
    if not used:
        assert billed == 0
        return
    assert billed >= max(used, least)
    assert not step or billed % step == 0
    assert billed - max(used, least) < max(step, 1)


@given(st.data())
def test_the_rate_in_force_is_the_closest_one(data: st.DataObject) -> None:
    terms, sites = list(LeaseTerm), ("", "oslo", "paris")
    days, drawn = st.integers(0, 3), st.sampled_from
    places = data.draw(st.lists(st.tuples(drawn(sites), drawn(terms), days), unique=True))
    line = [rate(at, day * DAY_MS, site, term) for at, (site, term, day) in enumerate(places)]
    item = Item(KIND, ON_DEMAND, data.draw(drawn(sites)), data.draw(drawn(terms)))
    now = data.draw(days) * DAY_MS
    expected: Rate | None = None
    for term in reversed(terms[: terms.index(item.term) + 1]):
        for site in dict.fromkeys((item.site, "")):
            able = [r for r in line if (r.site, r.term) == (site, term)]
            able = [r for r in able if r.effective_from_ms <= now]
            expected = expected or max(able, key=lambda r: r.effective_from_ms, default=None)
    assert rate_in_force(line, item, now) is expected


def override(price: int, named: str = "", until: int | None = None) -> Override:
    return Override(
        KIND if "kind" in named else None, ON_DEMAND if "class" in named else None,
        "paris" if "site" in named else None, LeaseTerm.DAY if "term" in named else None,
        0, until, OverrideMode.OVERWRITE, price,
    )  # fmt: skip


def test_the_override_that_names_most_wins_and_then_the_later() -> None:
    item = Item(KIND, ON_DEMAND, "paris", LeaseTerm.DAY)
    several = (override(1, "kind class"), override(2, "site"), override(3, "class term"))

    def priced(*overrides: Override, at: int = 5) -> int:
        terms = Terms(ContractVersionId("cv"), CARD, overrides)
        found = price_at(terms, [rate(9)], item, at)
        assert found is not None
        assert (found.list_price_nanos, found.contract_version_id) == (9, "cv")
        return found.price_nanos

    assert priced(*several) == 3
    assert priced(*reversed(several)) == 1
    assert priced(*several, override(4, "kind class site", until=5)) == 3  # over at 5
    assert priced(*several, override(4, "kind class site", until=6)) == 4
    assert priced() == 9


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 400)), max_size=8), st.data())
def test_a_version_that_says_the_same_goes_on_up_the_ladder(
    spans: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Cut by versions and credit, in any order: the sum is that of one version without cuts."""
    line = [rate(2 * NANOS + 1, tiers=[(100, NANOS), (1_000, 3)])]
    events = [usage(BEGIN + at * 3_600_000, BEGIN + (at + n) * 3_600_000, 3) for at, n in spans]
    starts = st.integers(BEGIN, BEGIN + 20 * DAY_MS)
    versions = sorted(data.draw(st.sets(starts, max_size=3)))
    terms = [Terms(ContractVersionId(f"cv_{n}"), CARD, (), at) for n, at in enumerate(versions)]
    cuts = tuple(data.draw(st.sets(starts, max_size=3)))
    plain = Till(line)
    cut = Till(line, Agreed((Terms(ContractVersionId(""), CARD), *terms), cuts))
    whole = sum(piece.numerator for event in events for piece in plain.price(event))
    again = sum(piece.numerator for event in reversed(events) for piece in cut.price(event))
    assert whole == again
