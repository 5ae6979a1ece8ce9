"""What a window would cost, before anything is used: under the rates known now."""

from collections.abc import Sequence
from itertools import pairwise

from comptoir.pricing.rates import Rate, rate_at


def estimate(line: Sequence[Rate], accelerators: int, start_ms: int, end_ms: int) -> int | None:
    """The exact price of accelerators over a window, all of it billed.

    Args:
        line: The approved rates of a card for a kind and class, oldest first.
        accelerators: How many.
        start_ms: From when on.
        end_ms: Until when.

    Returns:
        A numerator (see `units.money`), or None where no rate is in force at the start. A
        rate that bills what is measured, and not what is delivered, is counted in full.
    """
    if rate_at(line, start_ms) is None:
        return None
    inner = {rate.effective_from_ms for rate in line if start_ms < rate.effective_from_ms < end_ms}
    total = 0
    for low, high in pairwise(sorted({start_ms, end_ms, *inner})):
        rate = rate_at(line, low)
        total += 0 if rate is None else accelerators * (high - low) * rate.price_nanos
    return total
