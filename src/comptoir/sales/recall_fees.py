"""What the house owes for a recall: a share of the price of what it does not deliver.

A recalled lease is undelivered from the end of its delivered time, at the latest that of its
notice, until it is handed over again, or until the end of what was promised; a holder that gives
it up is owed nothing from then on. What ends by itself within the notice was never recalled.
Neighbours: `tranches` has the clause and the act, the desk prices the time and bills it.
"""

from collections.abc import Iterable

from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import FINAL, Lease, Reason


def undelivered(
    lease: Lease,
    allocations: Iterable[Allocation],
    announced_at_ms: int,
    window: tuple[int, int],
) -> tuple[int, int] | None:
    """The part of a window in which a recalled lease was not delivered.

    Args:
        lease: As it is now.
        allocations: All of it that was ever delivered, also what is still being taken back.
        announced_at_ms: When its holder was told.
        window: [from, until).

    Returns:
        (from, until), or None where it was delivered, or no longer promised, throughout.
    """
    taken, again = list[int](), list[int]()
    for one in allocations:
        start = one.delivered_from_ms
        if start is not None and start > announced_at_ms:
            again.append(start)
        elif start is not None:
            taken.append(one.billable_until(window[1]))
    begins = max(taken, default=announced_at_ms)
    ends = [window[1], *again]
    if lease.ends_at_ms is not None:
        ends.append(lease.ends_at_ms)
    if lease.state in FINAL and lease.reason is not Reason.STRONGER_REQUEST:
        ends.append(lease.state_since_ms)
    begins, until = max(begins, window[0]), min(ends)
    return (begins, until) if begins < until else None
