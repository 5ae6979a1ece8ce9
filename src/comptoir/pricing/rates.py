"""Rate cards and their dated, append-only rates.

Which rate prices a lease: of those in force, the one of its own term before a shorter term's,
and of one term the one of its own site before the one of any site.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm, terms_down_from
from comptoir.metering.usage import Measure
from comptoir.pricing.skus import Sku
from comptoir.pricing.tiers import Tier, Tiers
from comptoir.units.ids import RateCardId, RateId, UserId, id_number
from comptoir.units.time import MS_PER_S
from comptoir.units.values import quick


class RateState(StrEnum):
    """A proposed rate prices nothing until somebody else approves it."""

    PROPOSED = "proposed"
    APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class RateCard:
    """A list of rates in one currency."""

    id: RateCardId
    name: str
    currency: str
    created_at_ms: int


def first_card(cards: Iterable[RateCard]) -> RateCard:
    """The card that was made before the others: that of a tenant for whom none is named."""
    return min(cards, key=lambda card: (card.created_at_ms, id_number(card.id)))


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of an accelerator-hour of a kind in a class, from an instant on.

    Append-only: a new price is a new rate with a later `effective_from_ms`. `site` empty is
    any site. `tiers` are the prices that follow `price_nanos`, each from so many
    accelerator-milliseconds on that the tenant has used of this rate in a period. A lease is
    billed `minimum_s` at least and whole steps of `granularity_s`, once, when it is over.
    """

    id: RateId
    rate_card_id: RateCardId
    kind: str
    lease_class: LeaseClass
    measure: Measure
    price_nanos: int
    effective_from_ms: int
    state: RateState
    proposed_by: UserId
    approved_by: UserId | None
    approved_at_ms: int | None
    site: str = ""
    term: LeaseTerm = LeaseTerm.HOUR
    sku: Sku = Sku.ACCELERATOR
    tiers: Tiers = ()
    minimum_s: int = 0
    granularity_s: int = 0

    @property
    def line(self) -> tuple[RateCardId, Sku, str, LeaseClass, str, LeaseTerm]:
        """What it prices: of one line, one rate is in force at an instant."""
        return (
            self.rate_card_id, self.sku, self.kind, self.lease_class, self.site, self.term
        )  # fmt: skip

    @property
    def prices(self) -> Tiers:
        """All its prices, the first from 0 on."""
        return (Tier(0, self.price_nanos), *self.tiers)

    @property
    def steps_ms(self) -> tuple[int, int]:
        """Its minimum and its granularity, in milliseconds."""
        return self.minimum_s * MS_PER_S, self.granularity_s * MS_PER_S


@quick
@dataclass(frozen=True, slots=True)
class Item:
    """What a price is asked for."""

    kind: str
    lease_class: LeaseClass
    site: str = ""
    term: LeaseTerm = LeaseTerm.HOUR
    sku: Sku = Sku.ACCELERATOR


def rate_in_force(rates: Iterable[Rate], item: Item, instant_ms: int) -> Rate | None:
    """The rate that prices `item` at `instant_ms`; None: there is none.

    Args:
        rates: The approved rates of a card for its kind and class, in any order.
        item: What is priced.
        instant_ms: When.
    """
    terms = terms_down_from(item.term)
    best: tuple[int, bool, int] | None = None
    found = None
    for rate in rates:
        if (
            rate.effective_from_ms > instant_ms
            or rate.sku is not item.sku
            or rate.site not in ("", item.site)
            or rate.term not in terms
        ):
            continue
        rank = -terms.index(rate.term), rate.site != "", rate.effective_from_ms
        if best is None or rank > best:
            best, found = rank, rate
    return found
