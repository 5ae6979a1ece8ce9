"""Exchange differences: what rates of exchange made of an invoice in another currency.

An invoice keeps the rate of the day on which it was issued, and a payment what it was worth on
its value date, both in the currency of the legal entity. What of an invoice is paid is worth so
much more or less by then: that is realised, and posted with the payment. What a close had
posted of the same share, because it was still open then, is taken back in the same entry. A
bounce and a credit note that gives back what was paid take back what was realised of it.

Invariant: on `brokerage` each currency is what was converted; besides, the entity's own has what
was realised, and nothing else. At the rates at which invoices were booked and payments came in
it is worth nothing. Neighbours: `fx` has the rates; `receipts` what a payment pays.
"""

from dataclasses import replace

from comptoir.billing.invoice_status import InvoiceStatus
from comptoir.billing.receipts import Part, Payment
from comptoir.ledger import entries as ledger
from comptoir.ledger.entries import Posting
from comptoir.tenants.entities import LegalEntity
from comptoir.units.money import NANOS_PER_UNIT


def worth(micros: int, rate_nanos: int) -> int:
    """Micros of another currency at a rate, rounded once, half away from zero."""
    half_up = (2 * abs(micros) * rate_nanos + NANOS_PER_UNIT) // (2 * NANOS_PER_UNIT)
    return half_up if micros >= 0 else -half_up


def share(micros: int, part: int, whole: int) -> int:
    """What of an amount goes with a part of something, towards zero; all of it with the whole."""
    if part >= whole:
        return micros
    return micros * part // whole if micros >= 0 else -(-micros * part // whole)


def worth_of(payment: Payment, before_micros: int, micros: int) -> int:
    """What a share of a payment was worth when it came: shares add up to the whole, exactly.

    Args:
        payment: In another currency than its entity's.
        before_micros: What of it other shares have taken.
        micros: How large this one is.
    """
    whole = payment.micros
    upto = share(payment.worth_micros, before_micros + micros, whole)
    return upto - share(payment.worth_micros, before_micros, whole)


def realised(
    payment: Payment, before_micros: int, part: Part, status: InvoiceStatus, home: str
) -> int:
    """What a part makes more than the invoice was booked at; less than zero: a loss.

    Args:
        payment: Of which it is a part.
        before_micros: What of the payment other parts have taken.
        part: What it pays.
        status: The invoice that it pays.
        home: The entity's currency, in which the answer is. Where a rate was not known when the
            invoice was issued, or the payment came, nothing is guessed: it is zero.
    """
    came, asked = part.paid_micros, part.micros
    if payment.currency != home:
        if not payment.worth_micros:
            return 0
        came = worth_of(payment, before_micros, part.paid_micros)
    if status.currency != home:
        if not status.rate_nanos:
            return 0
        asked = worth(part.micros, status.rate_nanos)
    return came - asked


def realised_legs(entity: LegalEntity, micros: int) -> tuple[Posting, ...]:
    """A gain (above zero) or a loss, against the brokerage that converts."""
    return ledger.transfer(
        ledger.BROKERAGE, ledger.fx_gain_loss(entity.id), ledger.currency(entity.currency), micros
    )


def less_revalued(
    entity: LegalEntity, before: InvoiceStatus, after: InvoiceStatus
) -> tuple[InvoiceStatus, tuple[Posting, ...]]:
    """An invoice of which less is open: what closes had posted of the rest alone stays.

    Returns:
        The status after, and what takes the difference back.
    """
    if not before.revalued_micros or after.open_micros >= before.open_micros:
        return after, ()
    kept = share(before.revalued_micros, after.open_micros, before.open_micros)
    gone = before.revalued_micros - kept
    return replace(after, revalued_micros=kept), ledger.transfer(
        ledger.fx_gain_loss(entity.id), ledger.revaluation(entity.id),
        ledger.currency(entity.currency), gone,
    )  # fmt: skip


def unrealised(status: InvoiceStatus, micros: int, wanted: int | None = None) -> int:
    """What of an invoice's realised difference goes when so much of it is not paid any more.

    Args:
        status: Before.
        micros: What is not paid any more.
        wanted: What its own payment had realised; None: nobody knows which payment it was.
    """
    if micros >= status.paid_micros:
        return status.realised_micros
    return share(status.realised_micros, micros, status.paid_micros) if wanted is None else wanted
