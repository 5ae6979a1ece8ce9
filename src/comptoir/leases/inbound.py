"""Inbound leases: supply, owned or rented, with its dates and its cost."""

from dataclasses import dataclass
from enum import StrEnum

from comptoir.units.ids import InboundLeaseId


class InboundState(StrEnum):
    """An ended inbound lease carries nothing any more."""

    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class InboundLease:
    """Capacity we hold. `partner` is "owned" for a lease from ourselves.

    `cost_nanos` is the exact cost per accelerator-hour, depreciation and power or the
    partner's rate, in nanos of `currency`.
    """

    id: InboundLeaseId
    name: str
    partner: str
    kind: str
    starts_at_ms: int
    ends_at_ms: int | None
    cost_nanos: int
    currency: str
    state: InboundState
