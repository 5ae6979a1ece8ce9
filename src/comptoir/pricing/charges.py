"""Usage into charges: split where the price or the period changes, never rounded."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.metering.usage import Measure, UsageEvent
from comptoir.pricing.rates import Item, Rate
from comptoir.pricing.segments import Segment
from comptoir.pricing.skus import Sku
from comptoir.pricing.terms import NO_CONTRACT
from comptoir.pricing.tiers import spread
from comptoir.units.errors import invariant
from comptoir.units.ids import (
    AccrualId,
    ContractVersionId,
    LeaseId,
    RateId,
    TenantId,
)
from comptoir.units.values import quick

SegmentAt = Callable[[TenantId, Item, int], Segment]
"""The segment of a tenant's item at an instant."""
UsedBefore = Callable[[Segment], int]
"""What a tenant has used so far of a tiered segment's prices in its period."""


class ChargeRow(StrEnum):
    """What a charge is for: usage, or what granularity and minimum add when a lease is over."""

    USAGE = "usage"
    TOP_UP = "top_up"


@quick
@dataclass(frozen=True, slots=True)
class Charge:
    """Usage priced under one rate and contract version. `numerator` is exact (see units.money).

    `numerator` is `accelerator_ms` times `price_nanos`; `list_numerator` and
    `list_price_nanos` are what the card alone would have asked. A `top_up` has no time of its
    own: it is of the last instant of its lease's usage, and negative where later usage left
    less of it due.
    """

    seq: int
    usage_seq: int
    accrual_id: AccrualId
    rate_id: RateId
    tenant_id: TenantId
    lease_id: LeaseId
    lease_class: LeaseClass
    kind: str
    measure: Measure
    starts_at_ms: int
    ends_at_ms: int
    accelerator_ms: int
    price_nanos: int
    numerator: int
    currency: str
    correction: bool
    contract_version_id: ContractVersionId = NO_CONTRACT
    list_price_nanos: int = 0
    list_numerator: int = 0
    site: str = ""
    term: LeaseTerm = LeaseTerm.HOUR
    sku: Sku = Sku.ACCELERATOR
    row: ChargeRow = ChargeRow.USAGE


@quick
@dataclass(frozen=True, slots=True)
class PricedPiece:
    """A part of usage that lies within one segment and one tier."""

    segment: Segment
    rate: Rate
    contract_version_id: ContractVersionId
    starts_at_ms: int
    ends_at_ms: int
    accelerator_ms: int
    list_price_nanos: int
    price_nanos: int

    @property
    def numerator(self) -> int:
        """The exact price."""
        return self.accelerator_ms * self.price_nanos

    @property
    def list_numerator(self) -> int:
        """The exact price at the card's."""
        return self.accelerator_ms * self.list_price_nanos


def item_of(event: UsageEvent) -> Item:
    """What a usage event has to be priced as."""
    return Item(event.kind, event.lease_class, event.site, event.term)


def price_usage(
    event: UsageEvent, segment_at: SegmentAt, used: UsedBefore, cuts: Sequence[int] = ()
) -> Iterator[PricedPiece]:
    """The pieces of `event` that are billed, in order of time.

    Args:
        event: Usage of any measure.
        segment_at: The segments of its tenant's items.
        used: Asked for each tiered segment just before it is priced: whoever takes a piece
            counts it before it asks for the next.
        cuts: Further instants at which to cut, for who follows what was cut before.

    Returns:
        Pieces; none where the rate in force bills another measure. Their
        accelerator-milliseconds add up to the event's where all of it is billed.

    Raises:
        InvariantBroken: no rate was in force (leases are only granted under one).
    """
    start, end, whole = event.starts_at_ms, event.ends_at_ms, event.accelerator_ms
    item, tenant = item_of(event), event.tenant_id
    at, given = start, 0
    while at < end:
        segment = segment_at(tenant, item, at)
        to = min(segment.ends_at_ms, end)
        if cuts:
            to = min((cut for cut in cuts if at < cut < to), default=to)
        share = whole if to - at == end - start else whole * (to - start) // (end - start) - given
        given += share
        priced = segment.priced
        invariant(priced is not None, f"no rate priced {event.kind} {event.lease_class} at {at}")
        assert priced is not None
        if share and priced.rate.measure is event.measure:
            yield from price_amount(segment, at, to, share, used)
        at = to


def price_amount(
    segment: Segment, starts_at_ms: int, ends_at_ms: int, accelerator_ms: int, used: UsedBefore
) -> Iterable[PricedPiece]:
    """Accelerator-milliseconds that lie in one segment, a piece for each tier they fall in."""
    priced = segment.priced
    assert priced is not None
    parts: Iterable[tuple[int, int]] = ((0, accelerator_ms),)
    if segment.tiered:
        parts = spread(segment.bounds, used(segment), accelerator_ms)
    return [
        PricedPiece(
            segment, priced.rate, priced.contract_version_id, starts_at_ms, ends_at_ms, part,
            segment.list_prices[tier], segment.prices[tier],
        )
        for tier, part in parts
    ]  # fmt: skip
