"""Tiers as one price: what a later tier gives way for is dearer than all of the earlier ones.

The cover minimises one integer a victim (`kernel_cover.py`). Of two covers the one that takes
less of the last tier must win, then the one that takes less of the tier before it: so a tier
is multiplied by more than the sum of all before it. To stay within the kernel's integers large
costs lose their last bits, all the same number of them; small ones stay exact.
"""

from collections.abc import Sequence

MOST = 1 << 46
"""The most that all prices together may be: a kernel multiplies them by accelerators."""

TIERS = 3


def one_price(costs: Sequence[int], tiers: Sequence[int]) -> list[int]:
    """The price of each victim, from what it costs and the tier in which it gives way."""
    if max(tiers, default=0) == 0:
        return list(costs)
    bits = 0
    while True:
        cut = [max(cost >> bits, 1) for cost in costs]
        weights, total = [], 1
        for tier in range(TIERS):
            weights.append(total)
            total *= 1 + sum(c for c, t in zip(cut, tiers, strict=True) if t == tier)
        if total <= MOST or not any(cost >> bits > 1 for cost in costs):
            return [c * weights[t] for c, t in zip(cut, tiers, strict=True)]
        bits += 1


def by_tier(costs: Sequence[int], tiers: Sequence[int]) -> tuple[int, ...]:
    """What a cover costs, the last tier first: so that covers of two places compare."""
    return tuple(
        sum(c for c, t in zip(costs, tiers, strict=True) if t == tier)
        for tier in reversed(range(TIERS))
    )
