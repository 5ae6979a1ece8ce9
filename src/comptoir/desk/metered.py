"""From what was observed to what is owed: usage booked, priced, accrued and posted at once.

Each stage reads what the one before wrote, in one transaction, so that usage and
ledger can never tell two stories.
"""

from comptoir.desk.charging import charge_usage
from comptoir.desk.credit import after_usage
from comptoir.desk.entities import entity_of
from comptoir.desk.topping_up import settle_late
from comptoir.desk.transaction import Transaction
from comptoir.leases.allocation import Allocation
from comptoir.leases.jobs import Attempt
from comptoir.leases.lease import Lease
from comptoir.ledger import entries as ledger
from comptoir.metering.usage import (
    Measure,
    UsageEvent,
    busy_usage,
    delivered_usage,
    occupied_usage,
)
from comptoir.units.time import next_month_ms
from comptoir.units.values import replace


def meter_allocation(
    tx: Transaction, lease: Lease, allocation: Allocation, until_ms: int
) -> Allocation:
    """Book the delivered time of an allocation up to `until_ms`, each month by itself.

    So an entry of delivered time counts in the month that was used.
    """
    since_ms = allocation.metered_until_ms or allocation.delivered_from_ms
    if since_ms is not None:
        month_end_ms = next_month_ms(since_ms, entity_of(tx.book, lease.tenant_id).zone)
        if month_end_ms < min(until_ms, tx.now_ms):
            allocation = _meter_up_to(tx, lease, allocation, month_end_ms)
            if allocation.metered_until_ms == month_end_ms:
                return meter_allocation(tx, lease, allocation, until_ms)
    return _meter_up_to(tx, lease, allocation, until_ms)


def _meter_up_to(
    tx: Transaction, lease: Lease, allocation: Allocation, until_ms: int
) -> Allocation:
    seq = tx.book.last_seq.get("usage", 0) + 1
    site = site_of(tx, allocation)
    event = delivered_usage(seq, lease, allocation, until_ms, tx.now_ms, site)
    if event is not None:
        book_usage(tx, event)
        allocation = replace(allocation, metered_until_ms=event.ends_at_ms)
    elif allocation.delivered_from_ms is not None and allocation.metered_until_ms is None:
        allocation = replace(allocation, metered_until_ms=allocation.delivered_from_ms)
    else:
        return allocation
    return tx.book.allocations.put(allocation)


def meter_attempt(tx: Transaction, lease: Lease, attempt: Attempt) -> Attempt:
    """Book the occupied and the busy time of an attempt, as far as it was delivered."""
    allocation = tx.book.allocations.get(attempt.allocation_id)
    if allocation is None:
        return attempt
    until = allocation.billable_until(tx.now_ms)
    if not attempt.over:  # what the engine has not seen running is not known to have run
        until = min(until, tx.book.seen_running_ms.get(attempt.id, 0))
    since = attempt.occupied_until_ms or attempt.started_at_ms or until
    inbound, site = allocation.inbound_lease_id, site_of(tx, allocation)
    occupied = occupied_usage(
        tx.book.last_seq.get("usage", 0) + 1, lease, attempt, inbound, until, tx.now_ms, site
    )
    if occupied is not None:
        book_usage(tx, occupied)
        attempt = replace(attempt, occupied_until_ms=occupied.ends_at_ms)
    seq = tx.book.last_seq.get("usage", 0) + 1
    busy = busy_usage(seq, lease, attempt, inbound, (since, until), tx.now_ms, site)
    if busy is not None:
        book_usage(tx, busy)
        attempt = replace(attempt, busy_metered_ms=attempt.busy_ms)
    return tx.book.attempts.put(attempt) if occupied or busy else attempt


def site_of(tx: Transaction, allocation: Allocation) -> str:
    """Where an allocation's node stands, which its price may depend on."""
    node = tx.book.nodes.get(allocation.node_id)
    return "" if node is None else node.site


def book_usage(tx: Transaction, event: UsageEvent) -> None:
    """Append a usage event, its charges, and the one entry that posts both."""
    tx.book.next_seq("usage")
    tx.append("usage", event)
    postings: tuple[ledger.Posting, ...] = ()
    if event.measure is Measure.DELIVERED:
        postings = ledger.transfer(
            ledger.usage(event.tenant_id),
            ledger.capacity(event.inbound_lease_id),
            ledger.accelerator_ms(event.kind),
            event.accelerator_ms,
        )
    billed, charged = charge_usage(tx, event)
    tx.post(
        f"usage:{event.source}:{event.event_id}",
        "usage",
        f"{event.measure} {event.kind} for {event.lease_id}",
        event.ends_at_ms - 1,  # the last instant that was used: it is of the same month
        postings + charged,
    )
    after_usage(tx, event, charged)
    if billed:
        settle_late(tx, event, billed)
