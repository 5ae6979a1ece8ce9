"""Bounces: a payment that the bank took back, in part or whole, and what it opens again.

A bounce is recognised by the payer's own reference (end to end), else by an invoice that it
names and that its payment paid, else by being exactly a payment's amount under its reference.
What was left of the payment goes first, then what it paid, the last invoice before the first,
then prepaid credit that nobody has drawn; what is gone is owed by its customer. Invariant:
nothing bounces twice. Neighbours: `receipts` booked the payment; the desk posts.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.exchange import share
from comptoir.billing.receipts import (
    Asked,
    Part,
    Payment,
    PaymentState,
    left_on,
    plain,
    state_after,
    whole,
)
from comptoir.ledger import entries as ledger
from comptoir.ledger.entries import Account, Posting
from comptoir.sales.credit_blocks import CreditBlock, take
from comptoir.units.errors import invariant
from comptoir.units.ids import InvoiceId


@dataclass(frozen=True, slots=True)
class Opened:
    """An invoice that asks again: what it asks, micros of its own currency, and what its
    payment had realised of them, in its entity's."""

    asked: Asked
    micros: int
    realised_micros: int


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A payment after a bounce, with what that opened, took and left owed."""

    payment: Payment
    opened: tuple[Opened, ...]
    blocks: tuple[CreditBlock, ...]
    owed_micros: int
    postings: tuple[Posting, ...]


def bounceable_micros(payment: Payment) -> int:
    """What of a payment can still bounce."""
    return 0 if payment.is_credit else max(payment.micros, 0) - payment.bounced_micros


def bounced_by(
    entry: BankEntry, named: Collection[InvoiceId], candidates: Sequence[Payment]
) -> Payment | None:
    """The payment that an amount which went out takes back, or None.

    Args:
        entry: What went out. Where its file does not say whether it is a return
            (`reversal` None), only one of exactly what a payment holds counts.
        named: The invoices that its reference names.
        candidates: Payments that came in, last booked first.
    """
    wanted = -entry.micros
    open_ = [p for p in candidates if p.currency == entry.currency and bounceable_micros(p) > 0]
    exact = [p for p in open_ if _held_micros(p) == wanted]
    if entry.reversal is None:
        open_ = exact
    by_reference = [p for p in open_ if entry.end_to_end and p.end_to_end == entry.end_to_end]
    if by_reference:
        return _closest(by_reference, wanted) or by_reference[0]
    by_invoice = [p for p in open_ if any(part.invoice_id in named for part in p.parts)]
    if by_invoice:
        return _closest(by_invoice, wanted)
    words = plain(entry.reference)
    alike = [p for p in exact if plain(p.reference) and plain(p.reference) in words]
    return alike[0] if len(alike) == 1 else None


def _closest(payments: Sequence[Payment], micros: int) -> Payment | None:
    """One of exactly the amount, else the latest that is large enough."""
    exact = (p for p in payments if bounceable_micros(p) == micros)
    larger = (p for p in payments if bounceable_micros(p) > micros)
    return next(exact, None) or next(larger, None)


def _held_micros(payment: Payment) -> int:
    """What of a payment is with us still: its refunds went out under their own entries."""
    return bounceable_micros(payment) - payment.refunded_micros


def take_back(
    payment: Payment,
    micros: int,
    asked: Mapping[InvoiceId, Asked],
    paid: Mapping[InvoiceId, int],
    blocks: Sequence[CreditBlock],
    source: Account,
) -> TakenBack:
    """Take an amount back from all that a payment did.

    Args:
        payment: That bounced.
        micros: How much of it, of its own currency.
        asked: The invoices that its parts pay.
        paid: Micros still paid on each; less than the parts where a credit note gave them back.
        blocks: The prepaid credit that was made of it.
        source: Where the amount has gone: cash, or what waited to be recognised.
    """
    invariant(0 < micros <= bounceable_micros(payment), f"{payment.id} cannot bounce {micros}")
    unit, owner = ledger.currency(payment.currency), left_on(payment)
    from_left = min(micros, payment.left_micros)
    postings = ledger.transfer(owner, source, unit, from_left)
    kept, taken, rest = _from_parts(payment.parts, micros - from_left, asked)
    opened: list[Opened] = []
    still = dict(paid)
    for part in taken:
        of = asked[part.invoice_id]
        again = min(part.micros, still.get(part.invoice_id, 0))
        still[part.invoice_id] = still.get(part.invoice_id, 0) - again
        if again:
            opened.append(Opened(of, again, share(part.realised_micros, again, part.micros)))
        postings += _unpaid(source, part, payment.currency, of, again)
    changed_blocks, from_blocks = _from_blocks(blocks, rest)
    if from_blocks:
        assert payment.tenant_id is not None
        deferred = ledger.deferred_revenue(payment.tenant_id)
        postings += ledger.transfer(deferred, source, unit, from_blocks)
    owed = rest - from_blocks
    postings += ledger.transfer(owner, source, unit, owed)
    changed = replace(
        payment,
        parts=kept,
        left_micros=payment.left_micros - from_left,
        topped_up_micros=payment.topped_up_micros - from_blocks,
        bounced_micros=payment.bounced_micros + micros,
    )
    state = state_after(changed, True) if bounceable_micros(changed) else PaymentState.BOUNCED
    return TakenBack(
        replace(changed, state=state), tuple(opened), changed_blocks, owed, postings
    )  # fmt: skip


def _from_parts(
    parts: Sequence[Part], micros: int, asked: Mapping[InvoiceId, Asked]
) -> tuple[tuple[Part, ...], list[Part], int]:
    """Take an amount of the payment's currency from its parts, the last first.

    Returns:
        The parts that stay, those taken, and what they did not cover.
    """
    kept: list[Part] = []
    taken: list[Part] = []
    for part in reversed(parts):
        gone = min(micros, part.paid_micros)
        micros -= gone
        if gone == part.paid_micros:
            taken.append(part)
        elif not gone:
            kept.append(part)
        else:
            given = part.micros * gone // part.paid_micros
            given = whole(given, asked[part.invoice_id].currency)
            made = share(part.realised_micros, gone, part.paid_micros)
            taken.append(Part(part.invoice_id, given, gone, made))
            kept.append(
                Part(
                    part.invoice_id, part.micros - given, part.paid_micros - gone,
                    part.realised_micros - made,
                )
            )  # fmt: skip
    return tuple(reversed(kept)), taken, micros


def _from_blocks(blocks: Sequence[CreditBlock], micros: int) -> tuple[tuple[CreditBlock, ...], int]:
    """Take undrawn prepaid credit back, the last made first."""
    changed: list[CreditBlock] = []
    left = micros
    for block in reversed(blocks):
        gone = min(left, block.left_micros)
        if gone:
            changed.append(take(block, gone))
            left -= gone
    return tuple(changed), micros - left


def _unpaid(
    source: Account, part: Part, currency: str, asked: Asked, again: int
) -> tuple[Posting, ...]:
    """The reverse of what a part had posted: asked again, or taken from the customer's credit."""
    mine, theirs = ledger.currency(currency), ledger.currency(asked.currency)
    receivable = ledger.receivable(asked.tenant_id)
    credit = ledger.customer_credit(asked.tenant_id)
    through = source if mine == theirs else ledger.BROKERAGE
    postings = ledger.transfer(receivable, through, theirs, again)
    postings += ledger.transfer(credit, through, theirs, part.micros - again)
    if mine == theirs:
        return postings
    return postings + ledger.transfer(ledger.BROKERAGE, source, mine, part.paid_micros)
