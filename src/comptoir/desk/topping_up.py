"""What minimum and granularity add to a lease, booked when its holder has ended it.

The rate in force in the last instant in which it was delivered says how much. Usage that turns
up later is set against it, so that the total is the same in whatever order things arrive.
Neighbours: `metered.py` books the usage, `pricing/steps.py` decides.
"""

from comptoir.desk.charging import charge_amount
from comptoir.desk.money_memory import TopUp
from comptoir.desk.terms import segment_of
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import FINAL, Lease
from comptoir.ledger.entries import Posting
from comptoir.metering.usage import DESK, Measure, UsageEvent
from comptoir.pricing.charges import ChargeRow, item_of
from comptoir.pricing.steps import has_steps, may_add, top_up
from comptoir.units.ids import InboundLeaseId, LeaseId
from comptoir.units.values import replace

NO_USAGE = 0
"""The usage of a top-up: it has none of its own."""


def top_up_lease(tx: Transaction, lease: Lease, ends_at_ms: int, site: str) -> None:
    """Book what is to be added to a lease that is over since `ends_at_ms`, at its last site."""
    if not may_add(lease):
        return
    event = _event(lease, ends_at_ms, site)
    priced = segment_of(tx.book, lease.tenant_id, item_of(event), event.starts_at_ms).priced
    if priced is None or not has_steps(priced.rate):
        return
    _book(
        tx,
        TopUp(
            lease.id, priced.rate.id, ends_at_ms, site, lease.accelerators, _billed(tx, lease.id), 0
        ),
        lease,
    )


def settle_late(tx: Transaction, event: UsageEvent, billed_accelerator_ms: int) -> None:
    """Set usage that turned up after its lease was over against what was added to it."""
    live = tx.book.leases.get(event.lease_id)
    if live is not None and live.state not in FINAL:
        return
    known = tx.find(tx.book.money.top_ups, event.lease_id)
    if known is None:
        return
    lease = live or tx.find(tx.book.leases, event.lease_id)
    assert lease is not None
    billed = known.billed_accelerator_ms + billed_accelerator_ms
    _book(tx, replace(known, billed_accelerator_ms=billed), lease)


def _book(tx: Transaction, known: TopUp, lease: Lease) -> None:
    rate = tx.book.money.rates[known.rate_id]
    due = top_up(rate, known.accelerators, known.billed_accelerator_ms)
    more = due - known.top_up_accelerator_ms
    tx.book.money.top_ups.put(replace(known, top_up_accelerator_ms=due))
    if not more:
        return
    event = replace(_event(lease, known.ends_at_ms, known.site), measure=rate.measure)
    segment = segment_of(tx.book, lease.tenant_id, item_of(event), event.starts_at_ms)
    postings: tuple[Posting, ...] = charge_amount(tx, event, segment, more)
    tx.post(
        f"top_up:{lease.id}:{tx.book.last_seq['charge']}",
        "top_up",
        f"minimum and granularity of {lease.id}",
        event.ends_at_ms,
        postings,
    )


def _event(lease: Lease, ends_at_ms: int, site: str) -> UsageEvent:
    """The last instant of a lease, to be priced as usage is; it is never booked."""
    return UsageEvent(
        NO_USAGE, DESK, f"{lease.id}:top_up", Measure.DELIVERED, lease.id, lease.tenant_id,
        InboundLeaseId(""), lease.lease_class, lease.kind, ends_at_ms - 1, ends_at_ms, 0,
        ends_at_ms, site, lease.term,
    )  # fmt: skip


def _billed(tx: Transaction, lease_id: LeaseId) -> int:
    """What a lease has been billed for, invoiced or not."""
    accruals = {accrual.id: accrual for accrual in tx.store.find_accruals(lease_id)}
    accruals |= {accrual.id: accrual for accrual in tx.book.money.accruals_by_lease.get(lease_id)}
    return sum(
        accrual.accelerator_ms for accrual in accruals.values() if accrual.row is ChargeRow.USAGE
    )
