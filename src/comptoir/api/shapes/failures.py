"""Nodes that fail, are checked or sent back, and the guarantees that broke."""

from typing import Annotated

from pydantic import Field, StringConstraints

from comptoir.api.shapes.common import Answer, Body, Flag, Instant, InstantIn, Line, Long, Named
from comptoir.fleet.checks import MOST_CHECKS_A_REPORT, MOST_EVIDENCE_BYTES, CheckOutcome
from comptoir.leases.breaches import BreachCause
from comptoir.leases.lease import LeaseClass, Shape

Because = Annotated[str, StringConstraints(min_length=1, max_length=500)]
"""Why, in a line that people read."""


class FailBody(Body):
    """A node is dead, since an instant or now. `stopped`: nothing runs there any more."""

    because: Because
    at: InstantIn | None = None
    stopped: Flag = False


class MaintenanceBody(Body):
    """Planned work in a window; without `from` what was planned is called off."""

    starts_at: InstantIn | None = None
    ends_at: InstantIn | None = None
    because: Because = "maintenance"


class SpareBody(Body):
    """Whether a node is kept out of sale to replace others."""

    spare: Flag


class CheckBody(Body):
    """One check. `evidence` is text or JSON that shows how it came out."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    outcome: CheckOutcome
    evidence: Annotated[str, StringConstraints(max_length=MOST_EVIDENCE_BYTES)] = ""


class ChecksBody(Body):
    """The checks of a node, as they came out at an instant, or now."""

    checks: Annotated[list[CheckBody], Field(min_length=1, max_length=MOST_CHECKS_A_REPORT)]
    at: InstantIn | None = None


class AcceptBody(Body):
    """Which node is accepted; left out, all that was handed over."""

    node: Line | None = None


class RejectBody(Body):
    """Which node goes back, and why."""

    node: Named
    because: Because


class NodeCheck(Answer):
    """A stored check of a node. `reported_by` is a user, or `system`."""

    seq: int
    node_id: str
    name: str
    outcome: CheckOutcome
    evidence: str
    checked_at: Instant
    received_at: Instant
    reported_by: str


class Breach(Answer):
    """A guarantee that broke: accelerators promised to a lease and not delivered.

    Open while `broken_until` is null: then `accelerator_ms` is what it has grown to by now.
    """

    id: str
    lease_id: str
    tenant_id: str
    lease_class: LeaseClass
    kind: str
    shape: Shape
    node_id: str
    cause: BreachCause
    because: str
    accelerators: int
    nodes: int
    gang_accelerators: int
    failed_at: Instant
    broken_from: Instant
    promised_until: Instant | None
    billed_accelerator_ms: Long
    broken_until: Instant | None
    accelerator_ms: Long
    replaced_by: str | None
