"""Broken guarantees: what was promised and not delivered, by lease and node.

Opened when a promise breaks, closed when it is kept again or over, and never edited after that:
these rows are what an SLA credit is worked out from. Invariant: an accelerator-millisecond of a
guaranteed lease is delivered or in exactly one of these rows. Spot leases have no guarantee.
"""

from dataclasses import dataclass
from enum import StrEnum

from comptoir.leases.lease import Lease, LeaseClass, Shape
from comptoir.units.errors import invariant
from comptoir.units.ids import BreachId, LeaseId, NodeId, TenantId
from comptoir.units.values import replace


class BreachCause(StrEnum):
    """Why a promise broke."""

    NODE_FAILED = "node_failed"
    NODE_UNKNOWN = "node_unknown"
    NODE_REJECTED = "node_rejected"
    MAINTENANCE = "maintenance"
    DRAINED = "drained"
    LATE = "late"
    """A sold window that could not be handed over when it began."""


@dataclass(frozen=True, slots=True)
class Breach:
    """Accelerators of a guaranteed lease that were promised and not delivered.

    `broken_from_ms` is the first instant that is neither delivered nor billed. The failure may
    have been earlier (`failed_at_ms`), and known too late: what had been billed by then is
    `billed_accelerator_ms`. `accelerator_ms` is the whole row's, final once it is closed.
    `nodes` and `gang_accelerators` are the lease's when it broke.
    """

    id: BreachId
    lease_id: LeaseId
    tenant_id: TenantId
    lease_class: LeaseClass
    kind: str
    shape: Shape
    node_id: NodeId
    cause: BreachCause
    because: str
    accelerators: int
    nodes: int
    gang_accelerators: int
    failed_at_ms: int
    broken_from_ms: int
    promised_until_ms: int | None
    billed_accelerator_ms: int = 0
    broken_until_ms: int | None = None
    accelerator_ms: int = 0
    replaced_by: NodeId | None = None

    @property
    def open(self) -> bool:
        """Whether it still grows, or has yet to begin."""
        return self.broken_until_ms is None

    @property
    def dead_from_ms(self) -> int:
        """When what is lost was first dead: at the failure, or when it was handed over if later.

        A machine may have failed, unseen, before anybody stood on it.
        """
        return self.broken_from_ms - self.billed_accelerator_ms // self.accelerators

    def until(self, instant_ms: int) -> int:
        """Up to when it reaches at an instant: never past the promise, never before its start."""
        end = instant_ms
        if self.promised_until_ms is not None:
            end = min(end, self.promised_until_ms)
        return max(end, self.broken_from_ms)

    def accelerator_ms_at(self, instant_ms: int) -> int:
        """Undelivered accelerator-milliseconds so far."""
        if self.broken_until_ms is not None:
            return self.accelerator_ms
        return (self.until(instant_ms) - self.broken_from_ms) * self.accelerators

    def closed(self, instant_ms: int, replaced_by: NodeId | None = None) -> "Breach":
        """The row as it stays.

        Raises:
            InvariantBroken: it is closed already.
        """
        invariant(self.open, f"{self.id} is closed and would be edited")
        return replace(
            self,
            broken_until_ms=self.until(instant_ms),
            accelerator_ms=self.accelerator_ms_at(instant_ms),
            replaced_by=replaced_by,
        )


def guaranteed(lease: Lease) -> bool:
    """Whether a failure breaks a promise to this lease: spot was never promised to stay."""
    return lease.lease_class is not LeaseClass.SPOT
