"""From what was observed to what is owed: usage booked, priced, accrued and posted at once.

Each stage reads what the one before wrote, in one transaction, so that usage and
ledger can never tell two stories.
"""

from comptoir.billing.accruals import Accrual, accrue
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
from comptoir.pricing.charges import Charge, PricedPiece, price_usage
from comptoir.units.ids import AccrualId
from comptoir.units.time import month_start_ms
from comptoir.units.values import replace


def meter_allocation(
    tx: Transaction, lease: Lease, allocation: Allocation, until_ms: int
) -> Allocation:
    """Book the delivered time of an allocation up to `until_ms`."""
    event = delivered_usage(
        tx.book.last_seq.get("usage", 0) + 1, lease, allocation, until_ms, tx.now_ms
    )
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
    inbound = allocation.inbound_lease_id
    occupied = occupied_usage(
        tx.book.last_seq.get("usage", 0) + 1, lease, attempt, inbound, until, tx.now_ms
    )
    if occupied is not None:
        book_usage(tx, occupied)
        attempt = replace(attempt, occupied_until_ms=occupied.ends_at_ms)
    busy = busy_usage(
        tx.book.last_seq.get("usage", 0) + 1, lease, attempt, inbound, (since, until), tx.now_ms
    )
    if busy is not None:
        book_usage(tx, busy)
        attempt = replace(attempt, busy_metered_ms=attempt.busy_ms)
    return tx.book.attempts.put(attempt) if occupied or busy else attempt


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
    tenant = tx.book.tenants[event.tenant_id]
    line = sorted(
        tx.book.money.rates_by_line.get((tenant.rate_card_id, event.kind, event.lease_class)),
        key=lambda rate: rate.effective_from_ms,
    )
    for piece in price_usage(event, line):
        postings += _charge(tx, event, piece)
    tx.post(
        f"usage:{event.source}:{event.event_id}",
        "usage",
        f"{event.measure} {event.kind} for {event.lease_id}",
        event.ends_at_ms,
        postings,
    )


def _charge(tx: Transaction, event: UsageEvent, piece: PricedPiece) -> tuple[ledger.Posting, ...]:
    accrual, postings = accrue(
        _open_accrual(tx, event, piece),
        piece.starts_at_ms,
        piece.ends_at_ms,
        piece.accelerator_ms,
        piece.numerator,
    )
    tx.book.money.accruals.put(accrual)
    tx.append(
        "charge",
        Charge(
            tx.book.next_seq("charge"),
            event.seq,
            accrual.id,
            piece.rate.id,
            event.tenant_id,
            event.lease_id,
            event.lease_class,
            event.kind,
            event.measure,
            piece.starts_at_ms,
            piece.ends_at_ms,
            piece.accelerator_ms,
            piece.rate.price_nanos,
            piece.numerator,
            accrual.currency,
            accrual.correction,
        ),
    )
    return postings


def _open_accrual(tx: Transaction, event: UsageEvent, piece: PricedPiece) -> Accrual:
    month = month_start_ms(piece.starts_at_ms)
    mark = tx.book.money.billing_marks.get(event.tenant_id)
    late = mark is not None and piece.ends_at_ms <= mark.invoiced_until_ms
    found = tx.book.money.open_accruals.first((event.lease_id, piece.rate.id, month, late))
    return found or Accrual(
        id=AccrualId(tx.new_id("ac")),
        tenant_id=event.tenant_id,
        lease_id=event.lease_id,
        rate_id=piece.rate.id,
        lease_class=event.lease_class,
        kind=event.kind,
        measure=event.measure,
        price_nanos=piece.rate.price_nanos,
        currency=tx.book.money.rate_cards[piece.rate.rate_card_id].currency,
        service_month_ms=month,
        first_at_ms=piece.starts_at_ms,
        last_at_ms=piece.ends_at_ms,
        correction=late,
    )
