"""What a window would cost, before anything is used: under the rates and terms known now."""

from itertools import pairwise

from comptoir.pricing.rates import Item
from comptoir.pricing.terms import Agreed, RatesOf, price_at


def estimate(
    item: Item, agreed: Agreed, rates_of: RatesOf, accelerators: int, window: tuple[int, int]
) -> int | None:
    """The exact price of accelerators over a window, all of it billed.

    Args:
        item: What is priced.
        agreed: What is agreed with the tenant.
        rates_of: The approved rates.
        accelerators: How many.
        window: From when until when.

    Returns:
        A numerator (see `units.money`), or None where no rate is in force at the start. A
        rate that bills what is measured, and not what is delivered, is counted in full, and
        every accelerator-hour at the price of the first.
    """
    start_ms, end_ms = window
    cuts = agreed.changes()
    for terms in agreed.terms:
        cuts.update(rate.effective_from_ms for rate in rates_of(terms.rate_card_id, item))
    total = 0
    inner = {cut for cut in cuts if start_ms < cut < end_ms}
    for low, high in pairwise(sorted({start_ms, end_ms, *inner})):
        terms = agreed.at(low)
        priced = price_at(terms, rates_of(terms.rate_card_id, item), item, low)
        if priced is None and low == start_ms:
            return None
        total += 0 if priced is None else accelerators * (high - low) * priced.price_nanos
    return total
