"""Taking back what was given for broken time that is credited as a whole: nobody gets it twice.

An invoice that is void asks nothing for its usage, so what was given back of that usage, and the
SLA credit that counted its price, go with it: what it had drawn of them is there again, and is
taken. Usage that is void before its month closes, or before its failure is known, is given nothing
for. Neighbours: `credit_invoice.py` asks; `crediting_breaches.py` gives.
"""

from collections.abc import Iterable, Iterator, Sequence

from comptoir.billing.accruals import Accrual
from comptoir.billing.invoice_status import InvoiceState
from comptoir.billing.invoices import Invoice
from comptoir.desk.operations.money.customer_credit import refuse_used
from comptoir.desk.transaction import Transaction
from comptoir.leases.breaches import Breach
from comptoir.leases.lease import LeaseClass
from comptoir.metering.usage import Measure
from comptoir.sales.credit_blocks import CreditBlock, CreditSource, take
from comptoir.units.money import NUMERATOR_PER_MICRO, round_to_minor_micros
from comptoir.units.time import LATEST_MS

Span = tuple[int, int]


def take_given_back(tx: Transaction, invoice: Invoice) -> None:
    """Take what was given for usage of an invoice that is void from now on.

    Raises:
        Refused: `credit_is_used`: another invoice has drawn it.
    """
    given = list(_given(tx, invoice))
    if not given:
        return
    accruals = tx.store.find_billed(invoice.id)
    breaches = [b for b in _breaches(tx, invoice) if b.billed_accelerator_ms]
    for block in given:
        if block.contract_id is None:
            micros = _of_breach(block, breaches, accruals)
        else:
            micros = _of_month(tx, invoice, block, accruals)
        exact = round_to_minor_micros(micros * NUMERATOR_PER_MICRO, block.currency)
        wanted = min(exact, block.granted_micros - block.expired_micros)
        if wanted > block.left_micros:
            raise refuse_used(invoice, wanted, wanted - block.left_micros)
        if wanted > 0:
            tx.book.contracts.credit_blocks.put(take(block, wanted))


def _given(tx: Transaction, invoice: Invoice) -> Iterator[CreditBlock]:
    """What the customer was given for broken time, as it is now, the oldest first."""
    rows = {block.id: block for block in tx.store.find_given_back(invoice.tenant_id)}
    rows |= {block.id: block for block in tx.book.contracts.credit_of.get(invoice.tenant_id)}
    for block in sorted(rows.values(), key=lambda one: (one.created_at_ms, one.id)):
        now = tx.book.contracts.credit_blocks.get(block.id) or block
        if now.source is CreditSource.SLA_CREDIT and now.currency == invoice.currency:
            yield now


def _breaches(tx: Transaction, invoice: Invoice) -> list[Breach]:
    rows = {b.id: b for b in tx.store.find_breaches(invoice.tenant_id, 0, LATEST_MS)}
    rows |= {b.id: b for b in tx.book.breaches if b.tenant_id == invoice.tenant_id}
    return list(rows.values())


def _of_breach(block: CreditBlock, breaches: Iterable[Breach], accruals: Iterable[Accrual]) -> int:
    """What of a block gives back time that accruals billed: its explanation names the breach."""
    for breach in breaches:
        if any(f"({breach.id})" in words for words in block.conditions):
            window = breach.dead_from_ms, breach.broken_from_ms
            spans = [
                (one.first_at_ms, one.last_at_ms)
                for one in accruals
                if (one.lease_id, one.measure) == (breach.lease_id, Measure.DELIVERED)
            ]
            return block.granted_micros * within(spans, window) // (window[1] - window[0])
    return 0


def _of_month(
    tx: Transaction, invoice: Invoice, block: CreditBlock, accruals: Iterable[Accrual]
) -> int:
    """What of a month's SLA credit counted the price of some accruals: their share of all."""
    assert block.contract_id is not None
    ends_ms = next(
        (
            period.ends_at_ms
            for period in tx.book.closing.periods_of.get(invoice.entity_id)
            if period.starts_at_ms == block.from_ms
        ),
        0,
    )
    versions = [one.id for one in tx.book.contracts.versions_of.get(block.contract_id)]
    here = sum(
        one.posted_micros
        for one in accruals
        if block.from_ms <= one.first_at_ms < ends_ms
        and one.contract_version_id in versions
        and one.lease_class is not LeaseClass.SPOT
    )
    window = block.from_ms, ends_ms
    charged = tx.store.find_charged(invoice.tenant_id, versions, *window) if here > 0 else 0
    rest = block.granted_micros - block.expired_micros
    return rest * here // charged if charged > 0 else 0


def voided_now(tx: Transaction) -> Iterator[Accrual]:
    """What invoices asked for that are void since this commit: the store does not know yet."""
    for status in tx.book.closing.statuses:
        if status.state is InvoiceState.VOID:
            yield from tx.store.find_billed(status.invoice_id)


def within(spans: Sequence[Span], window: Span) -> int:
    """How much of a window lies in some spans, which may overlap."""
    total, done = 0, window[0]
    for start, end in sorted(spans):
        low, high = max(start, done), min(end, window[1])
        if low < high:
            total, done = total + high - low, high
    return total
