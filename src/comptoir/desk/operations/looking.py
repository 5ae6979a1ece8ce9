"""What a turn looks at: leases that changed since the last one, and those whose time has come."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from comptoir.desk.requests import Turn
from comptoir.desk.transaction import Transaction
from comptoir.fleet.states import NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import TOLD_AHEAD_MS, Lease, LeaseState
from comptoir.units.ids import LeaseId
from comptoir.units.time import MS_PER_S

MOST_LOOKED_AT = 1_000


@dataclass(slots=True)
class Look:
    """The leases that this turn looks at, and those that it has to leave for the next."""

    tx: Transaction
    request: Turn
    seen: dict[LeaseId, None] = field(default_factory=dict)
    left: dict[LeaseId, None] = field(default_factory=dict)
    full: bool = False

    def again(self) -> None:
        """Take in what was touched since."""
        taken = self.tx.book.agenda.take(self.tx.now_ms, MOST_LOOKED_AT)
        self.seen.update(dict.fromkeys(taken))
        self.full |= len(taken) == MOST_LOOKED_AT

    def leases(self, *states: LeaseState) -> Iterator[Lease]:
        """Those in one of these states, as they are when their turn comes."""
        for lease_id in list(self.seen):
            lease = self.tx.book.leases.get(lease_id)
            if lease is not None and lease.state in states:
                yield lease

    def leave(self, lease: Lease) -> None:
        """The bound is reached: look at this one again at once."""
        self.left[lease.id] = None

    def close(self) -> bool:
        """Say when to look again; returns whether something was left over."""
        agenda = self.tx.book.agenda
        for lease_id in self.seen:
            lease = self.tx.book.leases.get(lease_id)
            due = None if lease is None else _next_look_ms(self.tx, lease, self.request)
            agenda.remind(lease_id, due)
        for lease_id in self.left:
            agenda.touch(lease_id)
        return bool(self.left) or self.full


def _next_look_ms(tx: Transaction, lease: Lease, request: Turn) -> int | None:
    """When time alone may next cause something to happen to a lease."""
    standing = [
        a for a in tx.book.allocations_of(lease.id) if a.fenced_at_ms is None and not a.lost
    ]
    match lease.state:
        case LeaseState.WAITING:
            return lease.waits_until_ms
        case LeaseState.HELD:
            return lease.hold_over_ms
        case LeaseState.SCHEDULED:
            return max(lease.start_ms, tx.now_ms)  # overdue: it is looked at in every turn
        case LeaseState.ACTIVE:
            ends = [a.ends_at_ms for a in standing if a.ends_at_ms is not None]
            notice_ms = lease.notice_s * MS_PER_S
            told = [(end - notice_ms - TOLD_AHEAD_MS, end) for end in ends]
            times = [at if at > tx.now_ms else end for at, end in told]
            warning_ms = lease.warning_due_ms(tx.book.setting("ending_lead_s"))
            if warning_ms is not None and (lease.ends_at_ms or 0) > tx.now_ms:
                times.append(max(warning_ms, tx.now_ms))
            hold = tx.book.credit.holds.get(lease.id)
            if hold is not None and hold.until_ms is not None:
                times.append(max(hold.until_ms - notice_ms, tx.now_ms))
        case LeaseState.RECLAIMING:
            over = (lease.kill_at_ms or 0) <= tx.now_ms
            waits_for_engine = over and tx.book.live_attempts.count(lease.id) > 0
            times = [] if waits_for_engine else [max(lease.kill_at_ms or 0, tx.now_ms)]
        case _:
            return None
    for allocation in standing:
        due = metered_ms(allocation) + request.meter_every_ms
        if allocation.on_approval(due):
            due = allocation.accepted_at_ms or due
        if due <= billable_ms(tx, allocation, due):
            times.append(due)
    return min(times, default=None)


def billable_ms(tx: Transaction, allocation: Allocation, instant_ms: int) -> int:
    """Up to when delivered time may be booked at an instant.

    Not beyond the promise; not while the holder may still send it back unbilled; and on a node
    that nobody sees, not beyond when it was last seen: that is judged when it is known.
    """
    until = allocation.billable_until(instant_ms)
    if allocation.on_approval(instant_ms):
        return min(until, allocation.delivered_from_ms or 0)
    node = tx.book.nodes[allocation.node_id]
    return min(until, node.state_since_ms) if node.state is NodeState.UNKNOWN else until


def metered_ms(allocation: Allocation) -> int:
    """Up to when the running time of an allocation is booked."""
    return allocation.metered_until_ms or allocation.delivered_from_ms or 0
