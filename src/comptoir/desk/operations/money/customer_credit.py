"""Credit that a customer has: what it paid too much, and what was credited after it was paid.

The latter is kept as a payment that nobody sent, with what is left of it, so that all that can be
done with a payment can be done with it: it is listed, given to an invoice, sent back, made prepaid
credit. The next invoice uses both by itself. Invariant: what is left of these and of payments in
excess is what the ledger has as `customer_credit`.
"""

from comptoir.billing import exchange
from comptoir.billing.invoices import Invoice, InvoiceKind
from comptoir.billing.receipts import Payment, PaymentState, of_credit
from comptoir.desk.transaction import Transaction
from comptoir.units.errors import Refused
from comptoir.units.ids import LegalEntityId, PaymentId, TenantId, id_number
from comptoir.units.money import format_minor
from comptoir.units.values import replace


def keep_credit(
    tx: Transaction, invoice: Invoice, source: str, words: str, amount: tuple[int, int]
) -> None:
    """Keep what a customer has got back of an invoice as its credit.

    Args:
        tx: The act by which it got it back.
        invoice: Of which it did.
        source: What gave it back: the id of a credit note, or of an invoice below zero.
        words: How people call that.
        amount: Micros, posted as `customer_credit` already; and what they are worth in the
            currency of the invoice's entity (0: it is that, or nobody knows).
    """
    micros, worth_micros = amount
    if micros <= 0 or invoice.kind is InvoiceKind.CHARGEBACK:
        return
    payment = of_credit(
        PaymentId(tx.new_id("py")), invoice.entity_id, invoice.tenant_id, (source, words),
        (micros, invoice.currency), tx.now_ms, worth_micros,
    )  # fmt: skip
    tx.book.receipts.payments.put(payment)
    tx.emit(
        "payment.excess", payment.id, payment.tenant_id, micros=str(micros),
        left_micros=str(micros), currency=payment.currency, reference=payment.reference,
    )  # fmt: skip


def take_credit(
    tx: Transaction,
    tenant_id: TenantId,
    entity_id: LegalEntityId,
    amount: tuple[int, str],
    why: str,
) -> int:
    """Take credit away whose reason is gone, the newest first.

    Args:
        tx: The act by which it goes.
        tenant_id: Whose it is.
        entity_id: With whom.
        amount: Micros, and their currency.
        why: What took it: the id of a credit note or of a payment that bounced.

    Returns:
        What there was not: it is used already.
    """
    micros, currency = amount
    for payment in reversed(credit_of(tx, tenant_id, entity_id, currency)):
        share = min(micros, payment.left_micros)
        if not share:
            continue
        left = payment.left_micros - share
        state = PaymentState.EXCESS if left else PaymentState.TAKEN_BACK
        if payment.parts and not left:
            state = PaymentState.MATCHED
        kept = payment.micros - share
        tx.book.receipts.payments.put(
            replace(
                payment, micros=kept, left_micros=left, state=state, about=why,
                worth_micros=exchange.share(payment.worth_micros, kept, payment.micros),
            )
        )  # fmt: skip
        micros -= share
    return micros


def refuse_used(invoice: Invoice, micros: int, missing: int) -> Refused:
    """Why an invoice that gave credit cannot be taken back any more."""
    code = invoice.currency
    left, wanted = format_minor(micros - missing, code), format_minor(micros, code)
    return Refused(
        "credit_is_used",
        f"{invoice.number} gave {wanted} {code} of credit, and {left} of it is left: the rest is "
        "used or sent back",
        "credit the invoice that it paid first",
        {"left": left, "wanted": wanted, "currency": code},
    )


def credit_of(
    tx: Transaction, tenant_id: TenantId, entity_id: LegalEntityId, currency: str
) -> list[Payment]:
    """What a customer got back from an entity and has left, the oldest first."""
    return [
        payment
        for payment in tx.book.receipts.credit_of.get(tenant_id)
        if (payment.entity_id, payment.currency) == (entity_id, currency)
    ]


def left_of(
    tx: Transaction, tenant_id: TenantId, entity_id: LegalEntityId, currency: str
) -> list[Payment]:
    """What a customer has left with an entity, paid too much or got back, the oldest first."""
    found = [
        payment
        for payment in tx.book.receipts.left_of.get(tenant_id)
        if (payment.entity_id, payment.currency) == (entity_id, currency)
    ]
    return sorted(found, key=lambda one: (one.booked_at_ms, id_number(one.id)))
