"""Endings: the holder of a bounded lease is warned before its end, with what an extension costs.

The warning comes a stated time ahead (`ending_lead_s`, at most half of what the lease lasts),
once for each end: who moves the end is warned of the new one. Its jobs are signalled at the end
minus the lease's notice and are gone at the end: the notice is the grace.
"""

from dataclasses import dataclass

from comptoir.desk.operations.looking import Look
from comptoir.desk.operations.queueing import kept_ahead_of
from comptoir.desk.terms import currency_at, estimate_of, price_of
from comptoir.desk.transaction import Transaction
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import Lease, LeaseRequest, LeaseState, request_of
from comptoir.units.money import floor_micros
from comptoir.units.time import MS_PER_HOUR, Window
from comptoir.units.values import replace


@dataclass(frozen=True, slots=True)
class Extension:
    """How far a lease could be extended now, and at what price. `until_ms` None: no bound."""

    until_ms: int | None
    price_nanos: int
    per_hour_micros: int
    currency: str


def warn_endings(look: Look) -> None:
    """Tell the holders of leases whose end comes near."""
    tx, done = look.tx, 0
    for lease in look.leases(LeaseState.ACTIVE):
        due_ms = lease.warning_due_ms(tx.book.setting("ending_lead_s"))
        if due_ms is None or not due_ms <= tx.now_ms < (lease.ends_at_ms or 0):
            continue
        if done >= look.request.most:
            look.leave(lease)
            continue
        done += 1
        _warn(tx, lease)


def extension_of(tx: Transaction, lease: Lease) -> Extension:
    """Until when a lease could be extended, as things stand, and what each hour would cost."""
    ends_ms = lease.ends_at_ms or tx.now_ms
    tenant = tx.book.tenants[lease.tenant_id]
    asked = request_of(lease, tenant, tx.now_ms)
    bounds = [
        bound
        for allocation in tx.book.allocations_of(lease.id)
        if allocation.fenced_at_ms is None
        and not allocation.lost
        and (bound := _bound_ms(tx, asked, allocation, ends_ms)) is not None
    ]
    kept_ms = _kept_from_ms(tx, lease)
    if kept_ms is not None:
        bounds.append(max(kept_ms, ends_ms))
    sites = {tx.book.nodes[part.node_id].site for part in tx.book.allocations_of(lease.id)}
    site = sites.pop() if len(sites) == 1 else ""
    priced = price_of(tx.book, lease, ends_ms, site)
    hour = estimate_of(tx.book, lease, (ends_ms, ends_ms + MS_PER_HOUR), site)
    return Extension(
        min(bounds, default=None),
        0 if priced is None else priced.price_nanos,
        floor_micros(hour or 0),
        currency_at(tx.book, lease.tenant_id, ends_ms),
    )


def _bound_ms(
    tx: Transaction, asked: LeaseRequest, allocation: Allocation, ends_ms: int
) -> int | None:
    """Up to when one part could stay: somebody's promise there, or the supply's own end."""
    snapshot = tx.book.snapshot
    others = snapshot.in_the_way(allocation, Window(ends_ms), tx.now_ms)
    bounds = [max(other.starts_at_ms, ends_ms) for other in others]
    node = tx.book.nodes[allocation.node_id]
    allowed, supplied_ms = snapshot.supply_end(node, asked, Window(allocation.starts_at_ms))
    if not allowed or not node.for_sale:
        bounds.append(ends_ms)
    elif supplied_ms is not None:
        bounds.append(max(supplied_ms, ends_ms))
    if node.kept_free(Window(ends_ms)):
        bounds.append(max(node.maintenance_from_ms or 0, ends_ms))
    return min(bounds, default=None)


def _kept_from_ms(tx: Transaction, lease: Lease) -> int | None:
    """From when on something of a lease is kept for the first that waits for the same."""
    asked = replace(lease, requested_at_ms=tx.now_ms + 1, alternatives=())
    mine = {a.node_id for a in tx.book.allocations_of(lease.id)}
    kept = [part.starts_at_ms for part in kept_ahead_of(tx, asked) if part.node_id in mine]
    return min(kept, default=None)


def _warn(tx: Transaction, lease: Lease) -> None:
    extension = extension_of(tx, lease)
    tx.emit_lease(
        "lease.ending",
        lease,
        ends_at_ms=lease.ends_at_ms,
        notice_s=lease.notice_s,
        extendable_until_ms=extension.until_ms,
        price_nanos=extension.price_nanos,
        per_hour_micros=extension.per_hour_micros,
        currency=extension.currency,
    )
    tx.book.leases.put(replace(lease, warned_end_ms=lease.ends_at_ms))
