"""Charges and the accruals that they add up in, with the postings that keep both in the ledger.

What a tenant has used of tiered prices is counted here, charge by charge. Neighbours:
`metered.py` books usage, `topping_up.py` what minimum and granularity add.
"""

from collections.abc import Iterable
from functools import partial

from comptoir.billing.accruals import Accrual, accrue
from comptoir.desk.committed import count_towards_steps
from comptoir.desk.money_memory import TierUse, tier_key
from comptoir.desk.terms import segment_of
from comptoir.desk.transaction import Transaction
from comptoir.ledger.entries import Posting
from comptoir.metering.usage import UsageEvent
from comptoir.pricing.charges import (
    Charge,
    ChargeRow,
    PricedPiece,
    price_amount,
    price_usage,
)
from comptoir.pricing.segments import Segment
from comptoir.units.ids import AccrualId, TenantId


def charge_usage(tx: Transaction, event: UsageEvent) -> tuple[int, tuple[Posting, ...]]:
    """Price and accrue a usage event: how much of it is billed, and the postings.

    Nearly all usage lies in a segment that is known and has one price: that way is short.
    """
    start, end = event.starts_at_ms, event.ends_at_ms
    key = event.tenant_id, event.kind, event.lease_class, event.site, event.term
    known = tx.book.money.segments.get(key)
    if known is not None and known.starts_at_ms <= start and end <= known.ends_at_ms:
        if known.priced is not None and known.priced.rate.measure is not event.measure:
            return 0, ()
        if known.priced is not None and not known.tiered:
            (piece,) = price_amount(known, start, end, event.accelerator_ms, _no_use)
            return event.accelerator_ms, _charge(tx, event, piece, ChargeRow.USAGE)
    used = partial(_used_before, tx, event.tenant_id)
    pieces = price_usage(event, partial(segment_of, tx.book), used)
    return _charge_all(tx, event, pieces, ChargeRow.USAGE)


def _no_use(_: Segment) -> int:
    return 0


def charge_amount(
    tx: Transaction, event: UsageEvent, segment: Segment, accelerator_ms: int
) -> tuple[Posting, ...]:
    """Price and accrue what is added to the lease of `event`, at its instant; it may be less."""
    used = partial(_used_before, tx, event.tenant_id)
    pieces = price_amount(segment, event.starts_at_ms, event.ends_at_ms, accelerator_ms, used)
    return _charge_all(tx, event, pieces, ChargeRow.TOP_UP)[1]


def _charge_all(
    tx: Transaction, event: UsageEvent, pieces: Iterable[PricedPiece], row: ChargeRow
) -> tuple[int, tuple[Posting, ...]]:
    billed = 0
    postings: tuple[Posting, ...] = ()
    for piece in pieces:
        postings += _charge(tx, event, piece, row)
        billed += piece.accelerator_ms
    return billed, postings


def _used_before(tx: Transaction, tenant_id: TenantId, segment: Segment) -> int:
    kept = tx.book.money.tier_uses.get(tier_key(tenant_id, segment))
    return 0 if kept is None else kept.accelerator_ms


def _charge(
    tx: Transaction, event: UsageEvent, piece: PricedPiece, row: ChargeRow
) -> tuple[Posting, ...]:
    accrual, postings = accrue(
        _open_accrual(tx, event, piece, row),
        piece.starts_at_ms,
        piece.ends_at_ms,
        piece.accelerator_ms,
        piece.numerator,
        piece.list_numerator,
    )
    tx.book.money.accruals.put(accrual)
    if tx.book.contracts.steps_of.count(event.tenant_id):
        count_towards_steps(tx, event, piece, accrual.currency)
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
            and piece.segment.starts_at_ms <= found.first_at_ms
            and found.last_at_ms <= piece.segment.ends_at_ms
            and not found.cuts
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
