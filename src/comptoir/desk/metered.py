"""From what was observed to what is owed: usage booked, priced, accrued and posted at once.

Each stage reads what the one before wrote, in one transaction, so that usage and
ledger can never tell two stories.
"""

from functools import partial

from comptoir.billing.accruals import Accrual, accrue
from comptoir.desk.money_memory import TierUse, tier_key
from comptoir.desk.terms import segment_of
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
from comptoir.pricing.charges import Charge, ChargeRow, PricedPiece, price_usage
from comptoir.pricing.segments import Segment
from comptoir.units.ids import AccrualId, TenantId
from comptoir.units.values import replace


def meter_allocation(
    tx: Transaction, lease: Lease, allocation: Allocation, until_ms: int
) -> Allocation:
    """Book the delivered time of an allocation up to `until_ms`."""
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
    used = partial(_used_before, tx, event.tenant_id)
    for piece in price_usage(event, partial(segment_of, tx.book), used):
        postings += _charge(tx, event, piece, ChargeRow.USAGE)
    tx.post(
        f"usage:{event.source}:{event.event_id}",
        "usage",
        f"{event.measure} {event.kind} for {event.lease_id}",
        event.ends_at_ms,
        postings,
    )


def _used_before(tx: Transaction, tenant_id: TenantId, segment: Segment) -> int:
    kept = tx.book.money.tier_uses.get(tier_key(tenant_id, segment))
    return 0 if kept is None else kept.accelerator_ms


def _charge(
    tx: Transaction, event: UsageEvent, piece: PricedPiece, row: ChargeRow
) -> tuple[ledger.Posting, ...]:
    accrual, postings = accrue(
        _open_accrual(tx, event, piece, row),
        piece.starts_at_ms,
        piece.ends_at_ms,
        piece.accelerator_ms,
        piece.numerator,
        piece.list_numerator,
    )
    tx.book.money.accruals.put(accrual)
    if piece.segment.tiered:
        _count_use(tx, event.tenant_id, piece)
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
            piece.price_nanos,
            piece.numerator,
            accrual.currency,
            accrual.correction,
            piece.contract_version_id,
            piece.list_price_nanos,
            piece.list_numerator,
            event.site,
            event.term,
            piece.rate.sku,
            row,
        ),
    )
    return postings


def _count_use(tx: Transaction, tenant_id: TenantId, piece: PricedPiece) -> None:
    key = tier_key(tenant_id, piece.segment)
    used = tx.book.money.tier_uses.get(key)
    before = 0 if used is None else used.accelerator_ms
    tx.book.money.tier_uses.put(TierUse(*key, before + piece.accelerator_ms))


def _open_accrual(
    tx: Transaction, event: UsageEvent, piece: PricedPiece, row: ChargeRow
) -> Accrual:
    period, rate_id = piece.segment.period_ms, piece.rate.id
    version, price = piece.contract_version_id, piece.price_nanos
    mark = tx.book.money.billing_marks.get(event.tenant_id)
    late = mark is not None and piece.ends_at_ms <= mark.invoiced_until_ms
    for found in tx.book.money.accruals_by_lease.each(event.lease_id):
        if (
            found.invoice_id is None
            and found.rate_id == rate_id
            and found.price_nanos == price
            and found.service_month_ms == period
            and found.correction is late
            and found.contract_version_id == version
            and found.row is row
        ):
            return found
    return Accrual(
        id=AccrualId(tx.new_id("ac")),
        tenant_id=event.tenant_id,
        lease_id=event.lease_id,
        rate_id=rate_id,
        lease_class=event.lease_class,
        kind=event.kind,
        measure=event.measure,
        price_nanos=price,
        currency=tx.book.money.rate_cards[piece.rate.rate_card_id].currency,
        service_month_ms=period,
        first_at_ms=piece.starts_at_ms,
        last_at_ms=piece.ends_at_ms,
        correction=late,
        contract_version_id=version,
        row=row,
    )
