"""Terms: what is agreed with a tenant about prices. Pricing reads them, sales produces them.

A contract version is pinned on every charge it prices, so that the same usage is priced the
same for ever. Of several overrides that fit, the one that names most wins; of two that name
as much, the later in the contract. They never add up.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.pricing.rates import Item, Rate, rate_in_force
from comptoir.pricing.skus import Sku
from comptoir.pricing.tiers import Tier, Tiers
from comptoir.units.errors import invariant
from comptoir.units.ids import ContractVersionId, RateCardId

PPM = 1_000_000
NO_CONTRACT = ContractVersionId("")
"""Priced by the card alone."""
RatesOf = Callable[[RateCardId, Item], Iterable[Rate]]
"""The approved rates of a card that might price an item, in any order."""


class OverrideMode(StrEnum):
    """A price of its own, or a factor on every price of the rate."""

    OVERWRITE = "overwrite"
    MULTIPLIER = "multiplier"


@dataclass(frozen=True, slots=True)
class Override:
    """Another price than the card's, over [`from_ms`, `until_ms`); None fits anything.

    `overwrite`: `price_nanos`, in place of all tiers. `multiplier`: each price of the rate
    times `factor_ppm` millionths, rounded half up to a nano: a price is exact from there on.
    """

    kind: str | None
    lease_class: LeaseClass | None
    site: str | None
    term: LeaseTerm | None
    from_ms: int
    until_ms: int | None
    mode: OverrideMode
    price_nanos: int = 0
    factor_ppm: int = PPM

    def fits(self, item: Item, instant_ms: int) -> bool:
        """Whether it prices `item` at `instant_ms`."""
        return (
            self.from_ms <= instant_ms
            and (self.until_ms is None or instant_ms < self.until_ms)
            and item.sku is Sku.ACCELERATOR
            and self.kind in (None, item.kind)
            and self.lease_class in (None, item.lease_class)
            and self.site in (None, item.site)
            and self.term in (None, item.term)
        )

    @property
    def named(self) -> int:
        """How many things it names."""
        return sum(part is not None for part in (self.kind, self.lease_class, self.site, self.term))

    def over(self, prices: Tiers) -> Tiers:
        """The prices in place of `prices`."""
        if self.mode is OverrideMode.OVERWRITE:
            return (Tier(0, self.price_nanos),)
        return tuple(
            Tier(begins, (2 * price * self.factor_ppm + PPM) // (2 * PPM))
            for begins, price in prices
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """A contract version's say about prices, from an instant on; `""` is none: the card's own.

    `known_from_ms` is when it was approved: a replay of older usage does not know it.
    """

    contract_version_id: ContractVersionId
    rate_card_id: RateCardId
    overrides: tuple[Override, ...] = ()
    from_ms: int = 0
    known_from_ms: int = 0

    def override_for(self, item: Item, instant_ms: int) -> Override | None:
        """The one that prices `item` at `instant_ms`."""
        found = None
        for override in self.overrides:
            if override.fits(item, instant_ms) and (found is None or override.named >= found.named):
                found = override
        return found


@dataclass(frozen=True, slots=True)
class Agreed:
    """All that was ever agreed with a tenant about prices.

    `terms` are in order of time, the first from the beginning on, each in force until the
    next. `cuts` are other instants at which its usage is cut (a credit block begins or ends);
    `zone` is the one in which its periods begin.
    """

    terms: tuple[Terms, ...]
    cuts: tuple[int, ...] = ()
    zone: str = "UTC"

    def at(self, instant_ms: int) -> Terms:
        """The terms in force at `instant_ms`."""
        found = self.terms[0]
        for terms in self.terms:
            if terms.from_ms <= instant_ms:
                found = terms
        return found

    def changes(self) -> set[int]:
        """Every instant at which a price may change for another reason than a rate."""
        instants = set(self.cuts)
        for terms in self.terms:
            instants.add(terms.from_ms)
            for override in terms.overrides:
                instants.add(override.from_ms)
                if override.until_ms is not None:
                    instants.add(override.until_ms)
        return instants


@dataclass(frozen=True, slots=True)
class Priced:
    """An item's price at an instant: under which rate and contract version, and how much.

    `list_prices` are the card's; `prices` the agreed ones. Both begin at 0, and the second
    has the bounds of the first or none.
    """

    rate: Rate
    contract_version_id: ContractVersionId
    list_prices: Tiers
    prices: Tiers

    @property
    def list_price_nanos(self) -> int:
        """The card's price of the first use."""
        return self.list_prices[0].price_nanos

    @property
    def price_nanos(self) -> int:
        """The agreed price of the first use."""
        return self.prices[0].price_nanos


def price_at(terms: Terms, rates: Iterable[Rate], item: Item, instant_ms: int) -> Priced | None:
    """The price of `item` at `instant_ms`; None: no rate of the card prices it.

    Args:
        terms: What is in force for the tenant then.
        rates: The approved rates of the terms' card for the item's kind and class.
        item: What is priced.
        instant_ms: When.
    """
    rate = rate_in_force(rates, item, instant_ms)
    return None if rate is None else price_under(terms, rate, item, instant_ms)


def price_under(terms: Terms, rate: Rate, item: Item, instant_ms: int) -> Priced:
    """The price of `item` at `instant_ms` under the rate that is in force for it."""
    override = terms.override_for(item, instant_ms)
    listed = rate.prices
    agreed = listed if override is None else override.over(listed)
    return Priced(rate, terms.contract_version_id, listed, agreed)


def without_contract(rate_card_id: RateCardId, zone: str = "UTC") -> Agreed:
    """What holds for a tenant without a contract: its card's rates."""
    invariant(bool(rate_card_id), "a tenant has a rate card")
    return Agreed((Terms(NO_CONTRACT, rate_card_id),), (), zone)
