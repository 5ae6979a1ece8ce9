"""Moving: **whether a lease may be given other accelerators of the same pool**, and how soon.

- what is promised and not handed over moves at once: nobody stands there yet;
- a team's running lease moves with its notice, and so does spot that has run its minimum;
- any other running lease is sold: it moves only if its contract has a clause for it, with the
  longer of both notices. A recall clause is for internal use, and is none.

What is lost in part, about to give way or about to end stays. Neighbours: `placement/rebalance`
plans by it, `desk/operations/move_lease.py` moves by it; the clause: `sales/tranches.py`.
"""

from dataclasses import dataclass

from comptoir.leases.lease import PROMISED, Lease, LeaseClass, LeaseState
from comptoir.units.time import MS_PER_S


@dataclass(frozen=True, slots=True)
class Moving:
    """Whether a lease may be moved now, with which notice, and why (not)."""

    allowed: bool
    notice_s: int
    why: str


def moving_of(lease: Lease, clause_notice_s: int | None, now_ms: int) -> Moving:
    """What may be done with a lease as it stands.

    Args:
        lease: The lease.
        clause_notice_s: The notice of its contract's move clause; None: it has none, or it is
            used up.
        now_ms: When it would be told.
    """
    if lease.state in PROMISED:
        return Moving(True, 0, "promised, and nothing is handed over yet")
    if lease.state is not LeaseState.ACTIVE:
        return _no(f"it is {lease.state}")
    if lease.lost:
        return _no(f"it has lost {sum(lease.lost):,} accelerators and waits for them")
    if lease.reclaimed_for is not None:
        return _no(f"it gives way to {lease.reclaimed_for} anyway")
    if lease.lease_class is LeaseClass.INTERNAL:
        return _soon(lease, lease.notice_s, "a team's own, with its notice", now_ms)
    if lease.lease_class is LeaseClass.SPOT:
        if lease.reclaimable_from_ms > now_ms:
            return _no("it has not run its minimum yet")
        return _soon(lease, lease.notice_s, "spot, with its notice", now_ms)
    if clause_notice_s is None:
        return _no("it is sold, and no clause of its contract lets it be moved")
    notice_s = max(lease.notice_s, clause_notice_s)
    return _soon(lease, notice_s, "a clause of its contract lets it be moved", now_ms)


def _no(why: str) -> Moving:
    return Moving(False, 0, why)


def _soon(lease: Lease, notice_s: int, why: str, now_ms: int) -> Moving:
    """Yes, unless it is over before the notice is."""
    if lease.ends_at_ms is not None and lease.ends_at_ms <= now_ms + notice_s * MS_PER_S:
        return _no("it ends before its notice would")
    return Moving(True, notice_s, why)
