"""What the house owes for a recall: a share of the price of what it does not deliver.

A recalled lease is undelivered from the end of its delivered time until it is handed over again,
or until the end of what was promised; a holder that gives it up is owed nothing from then on.
Neighbours: `tranches` has the clause and the act, the desk prices the time and bills it.
"""

from collections.abc import Iterable

from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import FINAL, Lease, Reason


def undelivered(
    lease: Lease,
    allocations: Iterable[Allocation],
    recalled_at_ms: int,
    window: tuple[int, int],
) -> tuple[int, int] | None:
    """The part of a window in which a recalled lease was not delivered.

    Args:
        lease: As it is now.
        allocations: All of it that was ever delivered.
        recalled_at_ms: When it was taken back.
        window: [from, until).

    Returns:
        (from, until), or None where it was delivered, or no longer promised, throughout.
    """
    spans = [(one.delivered_from_ms, one.delivered_until_ms) for one in allocations]
    over = [end for _, end in spans if end is not None and end <= recalled_at_ms]
    begins = max(over, default=recalled_at_ms)
    again = [start for start, _ in spans if start is not None and start >= recalled_at_ms]
    ends = [window[1], *again]
    if lease.ends_at_ms is not None:
        ends.append(lease.ends_at_ms)
    if lease.state in FINAL and lease.reason is not Reason.STRONGER_REQUEST:
        ends.append(lease.state_since_ms)
    begins, until = max(begins, window[0]), min(ends)
    return (begins, until) if begins < until else None
