"""Allocations: which accelerators a lease holds, during which interval."""

from dataclasses import dataclass

from comptoir.units.ids import AllocationId, InboundLeaseId, LeaseId, NodeId, TenantId
from comptoir.units.time import Window
from comptoir.units.values import quick


@quick
@dataclass(frozen=True, slots=True)
class Allocation:
    """Accelerators of one node for one lease over one promised window.

    Delivered time runs from `delivered_from_ms` (handed over) to `delivered_until_ms`
    (billing ends) and is what usage is measured from, up to `metered_until_ms`. Until
    `fenced_at_ms` is set the accelerators are not free, whatever the window says. An allocation
    that is over for its holder and not yet fenced is `lost`: its node failed or was taken away.
    Its holder has accepted it from `accepted_at_ms` on: on its word, or deemed by then.
    """

    id: AllocationId
    lease_id: LeaseId
    tenant_id: TenantId
    node_id: NodeId
    inbound_lease_id: InboundLeaseId
    accelerators: tuple[int, ...]
    starts_at_ms: int
    ends_at_ms: int | None
    delivered_from_ms: int | None = None
    delivered_until_ms: int | None = None
    metered_until_ms: int | None = None
    fenced_at_ms: int | None = None
    accepted_at_ms: int | None = None

    @property
    def window(self) -> Window:
        """The promised window."""
        return Window(self.starts_at_ms, self.ends_at_ms)

    @property
    def delivered(self) -> bool:
        """Handed over, and its holder's still."""
        return (
            self.delivered_from_ms is not None
            and self.delivered_until_ms is None
            and self.fenced_at_ms is None
        )

    @property
    def lost(self) -> bool:
        """Undelivered since its node was lost, and not free to anybody until it is fenced."""
        return self.delivered_until_ms is not None and self.fenced_at_ms is None

    def on_approval(self, instant_ms: int) -> bool:
        """Whether its holder may still hand it back unbilled."""
        return (
            self.delivered and self.accepted_at_ms is not None and self.accepted_at_ms > instant_ms
        )

    def billable_until(self, instant_ms: int) -> int:
        """`instant_ms`, but never past the promise nor past the end of what was delivered."""
        ends = (self.ends_at_ms, self.delivered_until_ms)
        return min([instant_ms, *(end for end in ends if end is not None)])

    @property
    def settled(self) -> bool:
        """Fenced, and all its delivered time metered: nothing more will happen to it."""
        if self.fenced_at_ms is None:
            return False
        return self.delivered_from_ms is None or self.metered_until_ms == self.delivered_until_ms
