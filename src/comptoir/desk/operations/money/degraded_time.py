"""Degraded time: what a tenant held on nodes whose checks said that they work less well.

From the report of a check that came out `degraded` to the first that came out otherwise. Two
checks that say so at once are one time.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from comptoir.desk.transaction import Transaction
from comptoir.leases.allocation import Allocation
from comptoir.tenants.parties import Tenant
from comptoir.units.ids import NodeId

Span = tuple[int, int]


def held_degraded(
    tx: Transaction, tenant: Tenant, from_ms: int, until_ms: int
) -> Iterator[tuple[Allocation, Span]]:
    """Allocations with the times of a window in which their node was degraded, in order."""
    spans = _spans(tx, from_ms, until_ms)
    if not spans:
        return
    held = {
        one.id: one for one in tx.store.find_held_on(tenant.id, sorted(spans), from_ms, until_ms)
    }
    for lease in tx.book.leases_by_tenant.each(tenant.id):
        held |= {one.id: one for one in tx.book.allocations_of(lease.id) if one.node_id in spans}
    for allocation in sorted(held.values(), key=lambda one: (one.delivered_from_ms or 0, one.id)):
        if allocation.delivered_from_ms is None:
            continue
        for since, until in spans[allocation.node_id]:
            start = max(since, allocation.delivered_from_ms)
            end = allocation.billable_until(until)
            if start < end:
                yield allocation, (start, end)


def _spans(tx: Transaction, from_ms: int, until_ms: int) -> dict[NodeId, list[Span]]:
    """When each node was degraded, as far as that reaches into a window.

    It is not cut where the window begins: whether it was made good in time is judged of the
    whole.
    """
    found: dict[NodeId, list[Span]] = defaultdict(list)
    for node_id, since, until in tx.store.find_degraded(until_ms):
        end = tx.now_ms if until is None else until
        if end > from_ms:
            found[node_id].append((since, end))
    return {node_id: list(_merged(sorted(spans))) for node_id, spans in found.items()}


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    """The same time, each instant once."""
    last: Span | None = None
    for since, until in spans:
        if last is not None and since <= last[1]:
            last = last[0], max(last[1], until)
            continue
        if last is not None:
            yield last
        last = since, until
    if last is not None:
        yield last
