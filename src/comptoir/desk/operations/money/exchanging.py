"""Exchanging: what a payment is worth, and what it realises of the invoices that it pays.

The differences themselves are of `billing/exchange`; revaluation at a close is `revaluing`.
"""

from collections.abc import Iterable

from comptoir.billing.exchange import realised, realised_legs
from comptoir.billing.fx import Conversion, conversion_at
from comptoir.billing.receipts import Part, Payment
from comptoir.desk.transaction import Transaction
from comptoir.ledger.entries import Posting
from comptoir.tenants.entities import LegalEntity
from comptoir.units.errors import Refused
from comptoir.units.values import replace


def rates_from(tx: Transaction, currency: str, at_ms: int) -> dict[str, Conversion]:
    """How a receipt converts into each other currency that somebody is asked for."""
    found = {}
    for code in {status.currency for status in tx.book.closing.statuses} - {currency}:
        try:
            found[code] = conversion_at(tx.book.credit.fx_rates, currency, code, max(at_ms, 0))
        except Refused:
            continue
    return found


def worth_at(tx: Transaction, entity: LegalEntity, micros: int, currency: str, at_ms: int) -> int:
    """What an amount is worth in an entity's currency; 0: it is in that, or nobody knows."""
    if currency == entity.currency or micros <= 0:
        return 0
    try:
        found = conversion_at(tx.book.credit.fx_rates, currency, entity.currency, max(at_ms, 0))
    except Refused:
        return 0
    return found.convert(micros)


def realise(
    tx: Transaction, payment: Payment, parts: Iterable[Part]
) -> tuple[tuple[Part, ...], tuple[Posting, ...]]:
    """New parts of a payment with what each realises; asked before they count as paid.

    Args:
        tx: The act that pays.
        payment: As it was before them: they are of what is left of it.
        parts: What they pay.

    Returns:
        The parts, and what they realise as postings.
    """
    entity = tx.book.credit.entities[payment.entity_id]
    found: list[Part] = []
    postings: tuple[Posting, ...] = ()
    before = payment.micros - payment.left_micros
    for part in parts:
        status = tx.book.closing.statuses[part.invoice_id]
        made = realised(payment, before, part, status, entity.currency)
        before += part.paid_micros
        found.append(replace(part, realised_micros=made))
        postings += realised_legs(entity, made)
    return tuple(found), postings
