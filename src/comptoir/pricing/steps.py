"""Minimum and granularity: what they add to a lease, once, when its holder has ended it.

They are of the whole lease, never of a piece of its usage, so that it does not matter how often
it was metered. What the house took back, or what broke, is billed as it was used.
"""

from dataclasses import dataclass

from comptoir.leases.lease import Lease, LeaseState, Reason
from comptoir.pricing.rates import Rate


@dataclass(frozen=True, slots=True)
class LeaseEnd:
    """A lease that was added to: how many accelerators it had, when and where it ended."""

    accelerators: int
    ends_at_ms: int
    site: str


BY_ITS_HOLDER = frozenset(
    {
        Reason.ENDED_BY_HOLDER,
        Reason.JOB_FINISHED,
        Reason.WINDOW_END,
        Reason.TENANT_SUSPENDED,
    }
)


def has_steps(rate: Rate) -> bool:
    """Whether a rate adds anything to what was used."""
    return rate.minimum_s > 0 or rate.granularity_s > 0


def may_add(lease: Lease) -> bool:
    """Whether a lease is over by its holder's doing, or at the end it was asked for."""
    return lease.state is LeaseState.ENDED and lease.reason in BY_ITS_HOLDER


def top_up(rate: Rate, accelerators: int, billed_accelerator_ms: int) -> int:
    """What a lease that was billed so much is billed more, in accelerator-milliseconds.

    Up to the minimum, then up to a whole step, of all its accelerators; a lease of which
    nothing was billed was never had.
    """
    if billed_accelerator_ms <= 0:
        return 0
    minimum_ms, step_ms = rate.steps_ms
    due = max(minimum_ms * accelerators, billed_accelerator_ms)
    if step_ms:
        step = step_ms * accelerators
        due = -(-due // step) * step
    return due - billed_accelerator_ms
