"""Usage events, and how allocations and attempts become them."""

from dataclasses import dataclass

from comptoir.leases.allocation import Allocation
from comptoir.leases.jobs import Attempt
from comptoir.leases.lease import Lease, LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.units.ids import InboundLeaseId, LeaseId, TenantId
from comptoir.units.values import Term, quick

DESK = "desk"


class Measure(Term):
    """What an accelerator-millisecond was: each SKU bills exactly one of these."""

    DELIVERED = "delivered"
    OCCUPIED = "occupied"
    BUSY = "busy"


@quick
@dataclass(frozen=True, slots=True)
class UsageEvent:
    """Accelerator-milliseconds of one measure over a half-open window, seen by a source.

    `site` is where they were, `term` the lease's: what a price may depend on is in the event.
    """

    seq: int
    source: str
    event_id: str
    measure: Measure
    lease_id: LeaseId
    tenant_id: TenantId
    inbound_lease_id: InboundLeaseId
    lease_class: LeaseClass
    kind: str
    starts_at_ms: int
    ends_at_ms: int
    accelerator_ms: int
    received_at_ms: int
    site: str = ""
    term: LeaseTerm = LeaseTerm.HOUR

    def same_as(self, other: "UsageEvent") -> bool:
        """Whether a repeated (source, event id) says the same thing."""
        return (
            self.measure,
            self.lease_id,
            self.starts_at_ms,
            self.ends_at_ms,
            self.accelerator_ms,
        ) == (
            other.measure,
            other.lease_id,
            other.starts_at_ms,
            other.ends_at_ms,
            other.accelerator_ms,
        )


def delivered_usage(
    seq: int, lease: Lease, allocation: Allocation, until_ms: int, now_ms: int, site: str = ""
) -> UsageEvent | None:
    """The delivered time of an allocation that is not yet metered, up to `until_ms`."""
    if allocation.delivered_from_ms is None:
        return None
    start = allocation.metered_until_ms or allocation.delivered_from_ms
    until_ms = allocation.billable_until(until_ms)
    if until_ms <= start:
        return None
    return _event(
        seq, f"{allocation.id}:{start}", Measure.DELIVERED, lease, allocation.inbound_lease_id,
        start, until_ms, (until_ms - start) * len(allocation.accelerators), now_ms, site,
    )  # fmt: skip


def occupied_usage(
    seq: int,
    lease: Lease,
    attempt: Attempt,
    inbound: InboundLeaseId,
    until_ms: int,
    now_ms: int,
    site: str = "",
) -> UsageEvent | None:
    """The time a job stood on its accelerators that is not yet metered."""
    if attempt.started_at_ms is None:
        return None
    start = attempt.occupied_until_ms or attempt.started_at_ms
    end = until_ms if attempt.ended_at_ms is None else min(until_ms, attempt.ended_at_ms)
    if end <= start:
        return None
    return _event(
        seq, f"{attempt.id}:occupied:{start}", Measure.OCCUPIED, lease, inbound,
        start, end, (end - start) * len(attempt.accelerators), now_ms, site,
    )  # fmt: skip


def busy_usage(
    seq: int,
    lease: Lease,
    attempt: Attempt,
    inbound: InboundLeaseId,
    span: tuple[int, int],
    now_ms: int,
    site: str = "",
) -> UsageEvent | None:
    """The work that telemetry has seen since it was last metered.

    `span` is (since, until), the occupied time that goes with it; work that does not fit
    into it was done after the promise ended and is nobody's to pay.
    """
    since_ms, until_ms = span
    if attempt.ended_at_ms is not None:
        until_ms = min(until_ms, attempt.ended_at_ms)
    if until_ms <= since_ms:
        return None
    work = min(
        attempt.busy_ms - attempt.busy_metered_ms,
        (until_ms - since_ms) * len(attempt.accelerators),
    )
    if work <= 0:
        return None
    return _event(
        seq, f"{attempt.id}:busy:{attempt.busy_metered_ms}", Measure.BUSY, lease, inbound,
        since_ms, until_ms, work, now_ms, site,
    )  # fmt: skip


def _event(
    seq: int,
    event_id: str,
    measure: Measure,
    lease: Lease,
    inbound: InboundLeaseId,
    start_ms: int,
    end_ms: int,
    accelerator_ms: int,
    now_ms: int,
    site: str,
) -> UsageEvent:
    return UsageEvent(
        seq, DESK, event_id, measure, lease.id, lease.tenant_id, inbound, lease.lease_class,
        lease.kind, start_ms, end_ms, accelerator_ms, now_ms, site, lease.term,
    )  # fmt: skip
