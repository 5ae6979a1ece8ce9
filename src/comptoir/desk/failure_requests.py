"""What doors ask of the desk about nodes that fail and deliveries that are judged.

As in `requests.py`: one frozen value an operation, parsed and not yet judged.
"""

from dataclasses import dataclass

from comptoir.fleet.checks import CheckResult
from comptoir.units.ids import LeaseId, NodeId


@dataclass(frozen=True, slots=True)
class FailNode:
    """A node is dead since an instant (None: now). `stopped`: nothing runs there any more."""

    node_id: NodeId
    because: str
    failed_at_ms: int | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class PlanMaintenance:
    """Take a node out of sale for a window; `from_ms` None calls planned work off."""

    node_id: NodeId
    from_ms: int | None = None
    until_ms: int | None = None
    because: str = "maintenance"


@dataclass(frozen=True, slots=True)
class SetSpare:
    """Keep a node out of sale to replace others, or not."""

    node_id: NodeId
    spare: bool


@dataclass(frozen=True, slots=True)
class ReportChecks:
    """Health checks of a node and how they came out, at an instant (None: now)."""

    node_id: NodeId
    results: tuple[CheckResult, ...]
    checked_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AcceptDelivery:
    """The holder accepts what was handed over, on one node or on all (None)."""

    lease_id: LeaseId
    node_id: NodeId | None = None


@dataclass(frozen=True, slots=True)
class RejectNode:
    """The holder sends a node back and wants another."""

    lease_id: LeaseId
    node_id: NodeId
    because: str
