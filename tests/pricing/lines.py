"""Rates, usage and the pricing of both, in a few words."""

from collections import Counter
from collections.abc import Iterable, Sequence

from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.metering.usage import Measure, UsageEvent
from comptoir.pricing.charges import PricedPiece, price_usage
from comptoir.pricing.rates import Item, Rate, RateState
from comptoir.pricing.segments import Segment, segment_at
from comptoir.pricing.terms import Agreed, without_contract
from comptoir.pricing.tiers import Tier
from comptoir.units.ids import InboundLeaseId, LeaseId, RateCardId, RateId, TenantId, UserId
from comptoir.units.time import MS_PER_HOUR, parse_instant

CARD = RateCardId("rc")
KIND = "h100-sxm"
NANOS = 1_000_000_000
DAY_MS = 24 * MS_PER_HOUR


def rate(
    price: int,
    at: str | int = 0,
    site: str = "",
    term: LeaseTerm = LeaseTerm.HOUR,
    tiers: Sequence[tuple[int, int]] = (),
    measure: Measure = Measure.DELIVERED,
    minimum_s: int = 0,
    granularity_s: int = 0,
) -> Rate:
    """An approved rate; `price` in nanos, tiers as (from hours, nanos)."""
    at_ms = at if isinstance(at, int) else parse_instant(at)
    steps = tuple(Tier(hours * MS_PER_HOUR, nanos) for hours, nanos in tiers)
    return Rate(
        RateId(f"ra_{site}_{term}_{at_ms}"), CARD, KIND, LeaseClass.ON_DEMAND, measure, price,
        at_ms, RateState.APPROVED, UserId("a"), UserId("b"), at_ms, site, term,
        tiers=steps, minimum_s=minimum_s, granularity_s=granularity_s,
    )  # fmt: skip


def usage(
    starts: str | int,
    ends: str | int,
    accelerators: int = 1,
    site: str = "",
    term: LeaseTerm = LeaseTerm.HOUR,
    accelerator_ms: int | None = None,
) -> UsageEvent:
    """Delivered time of one lease."""
    start = starts if isinstance(starts, int) else parse_instant(starts)
    end = ends if isinstance(ends, int) else parse_instant(ends)
    amount = (end - start) * accelerators if accelerator_ms is None else accelerator_ms
    return UsageEvent(
        1, "desk", "e", Measure.DELIVERED, LeaseId("ls"), TenantId("tn"), InboundLeaseId("i"),
        LeaseClass.ON_DEMAND, KIND, start, end, amount, end, site, term,
    )  # fmt: skip


class Till:
    """Prices usage as the desk does: it counts what has been used of tiers."""

    def __init__(self, rates: Iterable[Rate], agreed: Agreed | None = None) -> None:
        self.rates = list(rates)
        self.agreed = agreed or without_contract(CARD)
        self.used: Counter[tuple[str, int, str]] = Counter()

    def segment(self, tenant_id: TenantId, item: Item, instant_ms: int) -> Segment:
        """The segment that holds an instant."""
        return segment_at(item, self.agreed, lambda card, item: self.rates, instant_ms)

    def price(self, event: UsageEvent) -> list[PricedPiece]:
        """The pieces of an event, counted."""
        pieces = []
        for piece in price_usage(event, self.segment, lambda s: self.used[_key(s)]):
            self.used[_key(piece.segment)] += piece.accelerator_ms
            pieces.append(piece)
        return pieces


def _key(segment: Segment) -> tuple[str, int, str]:
    assert segment.priced is not None
    return segment.priced.rate.id, segment.period_ms, segment.word
