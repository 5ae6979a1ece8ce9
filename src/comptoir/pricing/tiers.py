"""Tiers: prices that depend on how much has been used, graduated and exact.

With T(x) the price of the first x, what follows a use of c costs T(c + x) - T(c): whatever
the order in which usage arrives and however it is cut, its prices add up to T of all of it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from comptoir.units.errors import Invalid, invariant
from comptoir.units.money import format_price
from comptoir.units.time import MS_PER_HOUR

MOST_TIERS = 20


class Tier(NamedTuple):
    """A price from a use on, in accelerator-milliseconds."""

    from_accelerator_ms: int
    price_nanos: int


Tiers = tuple[Tier, ...]


def check_tiers(tiers: Sequence[Tier]) -> Tiers:
    """The tiers that follow a rate's first price, if they ascend.

    Raises:
        Invalid: `bad_tiers`.
    """
    problem, before = "", 0
    if len(tiers) > MOST_TIERS:
        problem = f"{len(tiers)} tiers, and at most {MOST_TIERS} are taken"
    for number, tier in enumerate(tiers, 1):
        hours, rest = divmod(tier.from_accelerator_ms, MS_PER_HOUR)
        if rest and not problem:
            problem = f"tier {number} does not begin at a whole accelerator-hour"
        if tier.from_accelerator_ms <= before and not problem:
            problem = (
                f"tier {number} begins at {hours:,} accelerator-hours, not after "
                f"{before // MS_PER_HOUR:,}, where the one before it does"
            )
        before = tier.from_accelerator_ms
    if problem:
        raise Invalid(
            "bad_tiers",
            f"tiers: {problem}",
            "give them in ascending order; the first price counts from 0 on",
            {"field": "tiers"},
        )
    return tuple(Tier(*tier) for tier in tiers)


def total(prices: Sequence[Tier], accelerator_ms: int) -> int:
    """T: the exact price (a numerator) of the first `accelerator_ms`; `prices` begin at 0."""
    whole = 0
    for (low, price), high in zip(prices, [*(t[0] for t in prices[1:]), None], strict=True):
        if accelerator_ms <= low:
            break
        whole += ((accelerator_ms if high is None else min(accelerator_ms, high)) - low) * price
    return whole


def spread(bounds: Sequence[int], used: int, accelerator_ms: int) -> Iterator[tuple[int, int]]:
    """How what follows `used` is spread over tiers: (which tier, how much), never of nothing.

    Args:
        bounds: Where each tier begins, ascending, the first at 0.
        used: What was used before.
        accelerator_ms: What follows; negative gives back what was used last.
    """
    low, high = sorted((used, used + accelerator_ms))
    invariant(low >= 0, f"{low} accelerator-ms would be left of a tier")
    sign = 1 if accelerator_ms > 0 else -1
    for tier, begins in enumerate(bounds):
        ends = bounds[tier + 1] if tier + 1 < len(bounds) else high
        part = min(high, ends) - max(low, begins)
        if part > 0:
            yield tier, sign * part


def format_tiers(prices: Sequence[Tier]) -> str:
    """In one word: "0:2.41 3600000000:1.90"; equal words are equal prices."""
    return " ".join(f"{begins}:{format_price(price)}" for begins, price in prices)
