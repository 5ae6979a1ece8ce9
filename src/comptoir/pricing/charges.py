"""Usage into charges: split where the price or the month changes, never rounded."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from comptoir.leases.lease import LeaseClass
from comptoir.metering.usage import Measure, UsageEvent
from comptoir.pricing.rates import Rate, rate_at
from comptoir.units.errors import invariant
from comptoir.units.ids import AccrualId, LeaseId, RateId, TenantId
from comptoir.units.time import next_month_ms
from comptoir.units.values import quick


@quick
@dataclass(frozen=True, slots=True)
class Charge:
    """Usage priced under one rate. `numerator` is exact (see units.money)."""

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


@dataclass(frozen=True, slots=True)
class PricedPiece:
    """A part of a usage event that lies within one rate and one UTC month."""

    rate: Rate
    starts_at_ms: int
    ends_at_ms: int
    accelerator_ms: int
    numerator: int


def price_usage(event: UsageEvent, line: Sequence[Rate]) -> list[PricedPiece]:
    """The pieces of `event` that its rate line bills.

    Args:
        event: Usage of any measure.
        line: The approved rates of the tenant's card for its kind and class, oldest first.

    Returns:
        Pieces in order of time; empty where the rate in force bills another measure.
        Their accelerator-milliseconds add up to the event's where all of it is billed.

    Raises:
        InvariantBroken: no rate was in force (leases are only granted under one).
    """
    cuts = [event.starts_at_ms, *_cuts_within(event, line), event.ends_at_ms]
    whole_ms = event.ends_at_ms - event.starts_at_ms
    pieces: list[PricedPiece] = []
    given = 0
    for start, end in pairwise(cuts):
        share = event.accelerator_ms * (end - event.starts_at_ms) // whole_ms - given
        given += share
        rate = rate_at(line, start)
        invariant(rate is not None, f"no rate priced {event.kind} {event.lease_class} at {start}")
        assert rate is not None
        if rate.measure is event.measure and share:
            pieces.append(PricedPiece(rate, start, end, share, share * rate.price_nanos))
    return pieces


def _cuts_within(event: UsageEvent, line: Sequence[Rate]) -> list[int]:
    cuts = {rate.effective_from_ms for rate in line}
    month = next_month_ms(event.starts_at_ms)
    while month < event.ends_at_ms:
        cuts.add(month)
        month = next_month_ms(month)
    return sorted(cut for cut in cuts if event.starts_at_ms < cut < event.ends_at_ms)
