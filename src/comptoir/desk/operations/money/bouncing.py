"""Bounces: what the bank took back is taken back from all that the payment had done.

One that is not recognised is kept, unidentified, until its payment comes or somebody names it:
the money has gone, and the book says so.
"""

from collections.abc import Iterable

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.bounces import TakenBack, bounceable_micros, bounced_by, take_back
from comptoir.billing.invoice_status import InvoiceStatus
from comptoir.billing.receipts import Payment, PaymentState, asked_of
from comptoir.desk.operations.money.customer_credit import take_credit
from comptoir.desk.operations.money.receivables import open_again, statuses_in
from comptoir.desk.transaction import Transaction
from comptoir.ledger import entries as ledger
from comptoir.sales.credit_blocks import CreditBlock
from comptoir.tenants.entities import LegalEntity
from comptoir.units.errors import Refused
from comptoir.units.ids import CreditBlockId, InvoiceId, PaymentId
from comptoir.units.money import format_minor
from comptoir.units.values import replace


def record_bounce(
    tx: Transaction, entity: LegalEntity, sent: Payment, entry: BankEntry
) -> Payment | None:
    """Book an amount that went out as a payment taken back, or None where it is none.

    Args:
        entity: Whose account it went from.
        sent: The payment that the entry makes, nothing of it accounted for yet.
        entry: As the bank has it.
    """
    named = statuses_in(tx, entity, entry.reference)
    candidates = _candidates(tx, entity, entry, named)
    found = bounced_by(entry, {status.invoice_id for status in named}, candidates)
    if found is None and not _waits(entry, named, candidates):
        return None
    cash = ledger.cash(entity.id)
    wanted = -entry.micros
    taken = 0 if found is None else min(wanted, bounceable_micros(found))
    sent = replace(sent, left_micros=wanted - taken, state=PaymentState.UNIDENTIFIED)
    if found is not None:
        sent = _settled(sent, found)
        _take_back(tx, found, sent, taken, cash)
    tx.post(
        f"payment:{sent.id}", "bounced", f"went out: {entry.reference}"[:200], entry.day_ms,
        ledger.transfer(
            ledger.unidentified_receipts(entity.id), cash, ledger.currency(entry.currency),
            sent.left_micros,
        ),
    )  # fmt: skip
    return tx.book.receipts.payments.put(sent)


def meet_waiting(tx: Transaction, entity: LegalEntity, payment: Payment) -> Payment:
    """A payment as it stands when a bounce has waited for it."""
    for waiting in list(tx.book.receipts.payments):
        if waiting.micros >= 0 or waiting.entity_id != entity.id or not waiting.left_micros:
            continue
        entry = _as_entry(waiting)
        named = {s.invoice_id for s in statuses_in(tx, entity, entry.reference)}
        if bounced_by(entry, named, [payment]) is not None:
            give_bounce(tx, waiting, payment, None)
            payment = tx.book.receipts.payments[payment.id]
    return payment


def give_bounce(tx: Transaction, waiting: Payment, payment: Payment, micros: int | None) -> Payment:
    """Take back from a payment what a bounce that waited is about.

    Raises:
        Refused: `allocated_too_much`; `other_entitys_payment`.
    """
    if (payment.entity_id, payment.currency) != (waiting.entity_id, waiting.currency):
        raise Refused(
            "other_entitys_payment",
            f"{waiting.id} went out in {waiting.currency} for {waiting.entity_id}; {payment.id} "
            f"came in in {payment.currency} for {payment.entity_id}",
            "name a payment of the same entity and currency",
        )
    most = min(waiting.left_micros, bounceable_micros(payment))
    taken = most if micros is None else micros
    if not 0 < taken <= most:
        raise Refused(
            "allocated_too_much",
            f"{format_minor(most, payment.currency)} {payment.currency} of {payment.id} can bounce "
            f"with {waiting.id}, not {format_minor(taken, payment.currency)}",
            "name less, or another payment",
            {"most": format_minor(most, payment.currency), "currency": payment.currency},
        )
    given = _settled(replace(waiting, left_micros=waiting.left_micros - taken), payment)
    source = ledger.unidentified_receipts(waiting.entity_id)
    _take_back(tx, payment, given, taken, source)
    return tx.book.receipts.payments.put(given)


def _settled(sent: Payment, of: Payment) -> Payment:
    state = PaymentState.UNIDENTIFIED if sent.left_micros else PaymentState.SENT
    return replace(sent, state=state, about=of.id, tenant_id=of.tenant_id)


def _take_back(
    tx: Transaction, payment: Payment, sent: Payment, micros: int, source: ledger.Account
) -> None:
    statuses = [_status(tx, part.invoice_id) for part in payment.parts]
    done = take_back(
        payment,
        micros,
        {status.invoice_id: asked_of(status) for status in statuses},
        {status.invoice_id: status.paid_micros for status in statuses},
        [_block(tx, block_id) for block_id in payment.blocks],
        source,
    )
    postings = done.postings
    for opened in done.opened:
        postings += open_again(tx, opened)
    for block in done.blocks:
        tx.book.contracts.credit_blocks.put(block)
    tx.book.receipts.payments.put(done.payment)
    _take_credit(tx, payment, done)
    tx.post(
        f"bounce:{sent.id}:{payment.id}:{payment.bounced_micros}", "bounced",
        f"{payment.id} bounced", sent.value_at_ms, postings,
    )  # fmt: skip
    tx.emit(
        "payment.bounced", payment.id, payment.tenant_id, micros=str(micros),
        currency=payment.currency, owed_micros=str(done.owed_micros), bounce=sent.id,
    )  # fmt: skip


def _take_credit(tx: Transaction, payment: Payment, done: TakenBack) -> None:
    """What it had paid and was credited since is the customer's credit no more."""
    if payment.tenant_id is None:
        return
    own = ledger.customer_credit(payment.tenant_id)
    gone = ledger.sums_by_unit(leg for leg in done.postings if leg.account == own)
    own_left = payment.left_micros - done.payment.left_micros
    for unit, micros in gone.items():
        more = micros - (own_left if unit == payment.currency else 0)
        take_credit(tx, payment.tenant_id, payment.entity_id, (more, unit), payment.id)


def _waits(entry: BankEntry, named: Iterable[InvoiceStatus], candidates: Iterable[Payment]) -> bool:
    """Whether it is kept although its payment is not known.

    It says that it is a return; or its file does not say, it names an invoice that asks as much
    still, and no refund of the amount was ordered.
    """
    if entry.reversal is not None:
        return entry.reversal
    if any(payment.refunded_micros == -entry.micros for payment in candidates):
        return False
    return any(status.open_micros >= -entry.micros for status in named)


def _candidates(
    tx: Transaction, entity: LegalEntity, entry: BankEntry, named: Iterable[InvoiceStatus]
) -> list[Payment]:
    """Payments that may have bounced, last booked first."""
    tenants = sorted({status.tenant_id for status in named})
    stored = tx.store.find_payments_to_bounce(entity.id, -entry.micros, entry.end_to_end, tenants)
    live = tx.book.receipts.payments
    found: dict[PaymentId, Payment] = {p.id: p for p in stored}
    found |= {p.id: p for p in live if p.entity_id == entity.id and p.micros > 0}
    return sorted(found.values(), key=lambda p: (p.booked_at_ms, p.id), reverse=True)


def _as_entry(waiting: Payment) -> BankEntry:
    return BankEntry(
        waiting.entry_id, waiting.value_at_ms, -waiting.left_micros, waiting.currency,
        waiting.reference, waiting.payer, "", True, waiting.end_to_end, waiting.bank_reference,
    )  # fmt: skip


def _status(tx: Transaction, invoice_id: InvoiceId) -> InvoiceStatus:
    found = tx.find(tx.book.closing.statuses, invoice_id)
    assert found is not None
    return found


def _block(tx: Transaction, block_id: CreditBlockId) -> CreditBlock:
    found = tx.find(tx.book.contracts.credit_blocks, block_id)
    assert found is not None
    return found
