"""Segments: stretches of time in which nothing about the price of an item changes.

A segment ends where a rate, an override or a contract version begins or ends, where a credit
block does, and where a period does. Usage within one segment is priced by a multiplication;
so a segment is worked out once and kept by whoever prices much.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from comptoir.pricing.rates import Item, Rate, rate_in_force
from comptoir.pricing.terms import Agreed, Priced, RatesOf, price_under
from comptoir.pricing.tiers import Tiers, format_tiers
from comptoir.units.time import month_start_ms, next_month_ms
from comptoir.units.values import quick


@quick
@dataclass(frozen=True, slots=True)
class Segment:
    """[`starts_at_ms`, `ends_at_ms`) of one period, in which `priced` holds; None: no rate.

    `bounds` are where tiers begin, the first at 0; `word` names the agreed prices: what is
    used at equal words in a period counts towards the same tiers.
    """

    starts_at_ms: int
    ends_at_ms: int
    period_ms: int
    priced: Priced | None
    bounds: tuple[int, ...]
    list_prices: tuple[int, ...]
    prices: tuple[int, ...]
    word: str

    @property
    def tiered(self) -> bool:
        """Whether its price depends on what was used before."""
        return len(self.bounds) > 1


def segment_at(item: Item, agreed: Agreed, rates_of: RatesOf, instant_ms: int) -> Segment:
    """The longest segment of `item` that holds `instant_ms`."""
    terms = agreed.at(instant_ms)
    rates = list(rates_of(terms.rate_card_id, item))
    start = month_start_ms(instant_ms, agreed.zone)
    end = next_month_ms(instant_ms, agreed.zone)
    low, high = start, end
    for cut in (*(rate.effective_from_ms for rate in rates), *agreed.changes()):
        if cut <= instant_ms:
            low = max(low, cut)
        else:
            high = min(high, cut)
    rate = rate_in_force(rates, item, instant_ms)
    if rate is None:
        return Segment(low, high, start, None, (0,), (0,), (0,), "")
    priced = price_under(terms, rate, item, instant_ms)
    bounds = tuple(tier.from_accelerator_ms for tier in priced.list_prices)
    prices = tuple(tier.price_nanos for tier in priced.prices)
    if len(prices) < len(bounds):
        prices = (prices[0],) * len(bounds)
    return Segment(
        low, high, start, priced, bounds,
        tuple(tier.price_nanos for tier in priced.list_prices), prices, _word(priced.prices),
    )  # fmt: skip


def segments_over(
    item: Item, agreed: Agreed, rates_of: RatesOf, starts_at_ms: int, ends_at_ms: int
) -> Iterator[Segment]:
    """The segments that [`starts_at_ms`, `ends_at_ms`) touches, in order of time."""
    at = starts_at_ms
    while at < ends_at_ms:
        segment = segment_at(item, agreed, rates_of, at)
        yield segment
        at = segment.ends_at_ms


def _word(prices: Tiers) -> str:
    return format_tiers(prices) if len(prices) > 1 else str(prices[0].price_nanos)


def cuts_between(
    agreed: Iterable[Agreed], rates: Iterable[Rate], starts_at_ms: int, ends_at_ms: int
) -> list[int]:
    """Every instant inside a window at which a price of anybody may change, in order.

    Args:
        agreed: What is agreed with every tenant of whom there is usage.
        rates: All approved rates.
        starts_at_ms: The window's start.
        ends_at_ms: The window's end.
    """
    cuts = {rate.effective_from_ms for rate in rates}
    zones = set()
    for one in agreed:
        cuts |= one.changes()
        zones.add(one.zone)
    for zone in zones:
        month = next_month_ms(starts_at_ms, zone)
        while month < ends_at_ms:
            cuts.add(month)
            month = next_month_ms(month, zone)
    return sorted(cut for cut in cuts if starts_at_ms < cut < ends_at_ms)
