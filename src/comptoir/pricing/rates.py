"""Rate cards and their dated, append-only rates."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from comptoir.leases.lease import LeaseClass
from comptoir.metering.usage import Measure
from comptoir.units.ids import RateCardId, RateId, UserId


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


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of an accelerator-hour of a kind in a class, from an instant on.

    Append-only: a new price is a new rate with a later `effective_from_ms`.
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


def rates_for(
    rates: Iterable[Rate], card: RateCardId, kind: str, lease_class: LeaseClass
) -> list[Rate]:
    """The approved rates of one line of a card, oldest first."""
    line = [
        rate
        for rate in rates
        if rate.rate_card_id == card
        and rate.kind == kind
        and rate.lease_class is lease_class
        and rate.state is RateState.APPROVED
    ]
    return sorted(line, key=lambda rate: rate.effective_from_ms)


def rate_at(line: Iterable[Rate], instant_ms: int) -> Rate | None:
    """The rate of a line in force at `instant_ms`; None before the first."""
    found = None
    for rate in line:
        if rate.effective_from_ms <= instant_ms:
            found = rate
    return found
