"""Invoices as receipts see them: found by what people write, paid, and opened again."""

from collections.abc import Iterable, Mapping

from comptoir.billing import receipts as pure
from comptoir.billing.bounces import Opened
from comptoir.billing.exchange import less_revalued, realised_legs, unrealised
from comptoir.billing.invoice_status import InvoiceStatus, paid
from comptoir.billing.receipts import Asked, Part, Payment, asked_of
from comptoir.desk.receipt_memory import Dunned
from comptoir.desk.transaction import Transaction
from comptoir.ledger.entries import Posting
from comptoir.tenants.entities import LegalEntity
from comptoir.tenants.permissions import not_found
from comptoir.units.ids import InvoiceId, PaymentId
from comptoir.units.values import replace


def status_named(tx: Transaction, named: str) -> InvoiceStatus:
    """An invoice's status by its id or number.

    Raises:
        NotFound: there is no such invoice.
    """
    found = tx.book.closing.statuses.get(InvoiceId(named)) or next(
        (s for s in tx.book.closing.statuses if s.number == named), None
    )
    stored = found or next(iter(tx.store.find_statuses([named])), None)
    if stored is None:
        raise not_found(f"invoice {named}")
    return stored


def statuses_in(tx: Transaction, entity: LegalEntity, reference: str) -> list[InvoiceStatus]:
    """The invoices of an entity that a reference names, paid ones too."""
    words = pure.words_of(reference)
    found = tx.store.find_statuses(words) if words else ()
    live = tx.book.closing.statuses
    return [live.get(s.invoice_id) or s for s in found if s.entity_id == entity.id]


def payment_named(tx: Transaction, payment_id: PaymentId) -> Payment:
    """A payment by its id, with something left of it or not.

    Raises:
        NotFound: there is none.
    """
    found = tx.book.receipts.payments.get(payment_id) or tx.store.find("payment", (payment_id,))
    if found is None:
        raise not_found(f"payment {payment_id}")
    assert isinstance(found, Payment)
    return found


def pay(
    tx: Transaction, parts: Iterable[Part]
) -> tuple[Mapping[InvoiceId, Asked], tuple[Posting, ...]]:
    """Count parts as paid on their invoices.

    Returns:
        What these asked before; what takes back that closes had revalued what is paid now.
    """
    before: dict[InvoiceId, Asked] = {}
    postings: tuple[Posting, ...] = ()
    for part in parts:
        status = tx.book.closing.statuses[part.invoice_id]
        before[part.invoice_id] = asked_of(status)
        entity = tx.book.credit.entities[status.entity_id]
        made = status.realised_micros + part.realised_micros
        after = replace(paid(status, part.micros), realised_micros=made)
        after, legs = less_revalued(entity, status, after)
        postings += legs
        tx.book.closing.statuses.put(after)
        tx.emit(
            "invoice.paid" if not after.open_micros else "invoice.part_paid",
            status.invoice_id, status.tenant_id, number=status.number, micros=str(part.micros),
            open_micros=str(after.open_micros), currency=status.currency,
        )  # fmt: skip
    return before, postings


def open_again(tx: Transaction, opened: Opened) -> tuple[Posting, ...]:
    """An invoice asks again for what had been paid; dunning goes on where it was.

    Returns:
        What takes back what was realised of it.
    """
    invoice_id, micros = opened.asked.invoice_id, opened.micros
    status = tx.book.closing.statuses.get(invoice_id) or tx.store.find(
        "invoice_status", (invoice_id,)
    )
    assert isinstance(status, InvoiceStatus)
    gone = unrealised(status, micros, opened.realised_micros)
    after = tx.book.closing.statuses.put(
        replace(paid(status, -micros), realised_micros=status.realised_micros - gone)
    )
    if invoice_id not in tx.book.receipts.dunned:
        taken = tx.store.find("dunned", (invoice_id,))
        if taken is not None:
            assert isinstance(taken, Dunned)
            tx.book.receipts.dunned.put(taken)
    tx.emit(
        "invoice.reopened", invoice_id, status.tenant_id, number=status.number,
        micros=str(micros), open_micros=str(after.open_micros), currency=status.currency,
    )  # fmt: skip
    return realised_legs(tx.book.credit.entities[status.entity_id], -gone)
