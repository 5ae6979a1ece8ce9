"""Broken guarantees: rows opened when a promise breaks, closed when it is kept again or over.

The accelerators of a lease's open rows never add up to more than the lease has: a promise that
is broken already is not broken again.
"""

from comptoir.desk.transaction import Transaction
from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import Breach, BreachCause, guaranteed
from comptoir.leases.lease import Lease, LeaseClass, LeaseState
from comptoir.units.errors import invariant
from comptoir.units.ids import BreachId, NodeId
from comptoir.units.values import replace


def break_delivery(
    tx: Transaction, lease: Lease, lost: Allocation, node: Node, cause: BreachCause, failed_at: int
) -> None:
    """What was handed over is no longer delivered, from the end of its delivered time on."""
    invariant(lost.delivered_until_ms is not None, f"{lost.id} is delivered and not broken")
    broken_from = lost.delivered_until_ms or 0
    billed = (broken_from - max(failed_at, lost.delivered_from_ms or 0)) * len(lost.accelerators)
    _open(tx, lease, node, cause, len(lost.accelerators), failed_at, broken_from, max(billed, 0))


def break_promise(tx: Transaction, lease: Lease, node: Node, cause: BreachCause) -> None:
    """What was promised and not handed over is promised no more: broken from its start on.

    A hold is no promise yet, a flexible start may move, and one of several ways may not be kept.
    """
    chosen = not lease.flexible and not lease.alternatives
    held = lease.state is LeaseState.HELD
    if held or not (chosen or lease.activated_at_ms) or tx.book.open_breaches.count(lease.id):
        return
    promised = lease.scheduled_start_ms or tx.now_ms
    _open(tx, lease, node, cause, lease.accelerators, tx.now_ms, promised)


def break_start(tx: Transaction, lease: Lease, node_id: NodeId) -> None:
    """A sold window has begun and cannot be handed over yet."""
    start = lease.scheduled_start_ms
    late = lease.lease_class is LeaseClass.RESERVED and start is not None and start < tx.now_ms
    if not late or tx.book.open_breaches.count(lease.id):
        return
    node = tx.book.nodes[node_id]
    _open(tx, lease, node, BreachCause.LATE, lease.accelerators, start or 0, start or 0)


def _open(
    tx: Transaction,
    lease: Lease,
    node: Node,
    cause: BreachCause,
    accelerators: int,
    failed_at: int,
    broken_from: int,
    billed: int = 0,
) -> None:
    if not guaranteed(lease):
        return
    standing = {a.node_id for a in tx.book.allocations_of(lease.id) if a.fenced_at_ms is None}
    breach = tx.book.breaches.put(
        Breach(
            BreachId(tx.new_id("br")),
            lease.id,
            lease.tenant_id,
            lease.lease_class,
            lease.kind,
            lease.shape,
            node.id,
            cause,
            node.because,
            accelerators,
            len({*standing, node.id}),
            lease.accelerators,
            failed_at,
            broken_from,
            _promised_until(lease),
            billed,
        )
    )
    held = sum(row.accelerators for row in tx.book.open_breaches.get(lease.id))
    invariant(held <= lease.accelerators, f"{lease.id} has {held} accelerators broken at once")
    tx.emit(
        "breach.opened", breach.id, lease.tenant_id, lease=lease.id, node=node.id, cause=cause,
        accelerators=accelerators, broken_from_ms=broken_from,
    )  # fmt: skip


def _promised_until(lease: Lease) -> int | None:
    ends = [end for end in (lease.ends_at_ms, lease.kill_at_ms) if end is not None]
    return min(ends, default=None)


def close_breaches(tx: Transaction, lease: Lease, at_ms: int, by: NodeId | None = None) -> None:
    """The promise is kept again as a whole (by a node, among others), or over."""
    for breach in tx.book.open_breaches.get(lease.id):
        _close(tx, breach, at_ms, by)


def close_breach_of(tx: Transaction, lease: Lease, accelerators: int, by: NodeId) -> None:
    """One lost allocation of this size is replaced by a node, now."""
    rows = [b for b in tx.book.open_breaches.get(lease.id) if b.accelerators == accelerators]
    if rows:
        _close(tx, min(rows, key=lambda b: (b.broken_from_ms, b.id)), tx.now_ms, by)
    else:
        invariant(not guaranteed(lease), f"{lease.id} lost {accelerators} and no row says so")


def bound_breaches(tx: Transaction, lease: Lease, promised_until: int | None) -> None:
    """The promise has another end: what is broken reaches there at most."""
    for breach in tx.book.open_breaches.get(lease.id):
        tx.book.breaches.put(replace(breach, promised_until_ms=promised_until))


def _close(tx: Transaction, breach: Breach, at_ms: int, by: NodeId | None) -> None:
    closed = tx.book.breaches.put(breach.closed(at_ms, by))
    tx.emit(
        "breach.closed", closed.id, closed.tenant_id, lease=closed.lease_id, node=closed.node_id,
        cause=closed.cause, accelerator_ms=closed.accelerator_ms, replaced_by=by,
    )  # fmt: skip
