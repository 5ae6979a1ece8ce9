"""Inbound leases: supply, owned or rented, with its dates, its cost and its conditions."""

from dataclasses import dataclass

from comptoir.fleet.conditions import OPEN, Conditions, SoldTo
from comptoir.units.ids import InboundLeaseId
from comptoir.units.recurrence import Recurrence
from comptoir.units.values import Term


class InboundState(Term):
    """An ended inbound lease carries nothing any more."""

    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class InboundLease:
    """Capacity we hold. `partner` is "owned" for a lease from ourselves.

    `cost_nanos` is the exact cost per accelerator-hour, depreciation and power or the
    partner's rate, in nanos of `currency`. The last four are its conditions, as
    `fleet/conditions.py` says them.
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
    sold_to: SoldTo = SoldTo.EVERYBODY
    selling_windows: tuple[Recurrence, ...] = ()
    grant: str = ""
    residency: str = ""

    @property
    def conditions(self) -> Conditions:
        """What it asks of whoever stands on it; `OPEN` itself if nothing."""
        if self.sold_to is SoldTo.EVERYBODY and not (
            self.selling_windows or self.grant or self.residency
        ):
            return OPEN
        return Conditions(self.sold_to, self.selling_windows, self.grant, self.residency)
