"""Look-alikes: a payment that one file has told of, told again by another in other words.

A bank's CSV and its camt.053 name the same payment by different ids. One that has the amount
and value date of a payment from another file, and its end-to-end reference, its bank reference
or its words, is kept and flagged, not booked; a person says if it is another after all.
Invariant: each payment explains at most one entry of a file, so that two equal payments of
which a file tells are two.
"""

from collections.abc import Collection, Iterable

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.receipts import Payment, PaymentState, plain
from comptoir.units.ids import PaymentId


def look_alike(
    entry: BankEntry,
    account: str,
    file: str,
    booked: Iterable[Payment],
    explained: Collection[PaymentId],
) -> Payment | None:
    """The payment that an entry tells of again, or None.

    Args:
        entry: As this file has it.
        account: Ours, as this file names it; empty where it does not.
        file: Which file this is.
        booked: Payments of the entity with the entry's amount, currency and value date.
        explained: Payments that other entries of this file tell of again.
    """
    for payment in booked:
        if payment.state is PaymentState.DUPLICATE or payment.id in explained or payment.is_credit:
            continue
        if payment.file == file or _differ(account, payment.account):
            continue
        if _same(entry, payment, account):
            return payment
    return None


def _same(entry: BankEntry, payment: Payment, account: str) -> bool:
    if entry.end_to_end and payment.end_to_end:
        return entry.end_to_end == payment.end_to_end
    theirs = payment.bank_reference
    if entry.bank_reference and theirs:
        if entry.bank_reference == theirs:
            return True
        if account and payment.account:  # of one account, a bank has one series of references
            return False
    words, known = plain(entry.reference), plain(payment.reference)
    return bool(words and known) and words == known and _named_alike(entry.payer, payment.payer)


def _named_alike(one: str, other: str) -> bool:
    """Whether two names may be of one payer: a file may leave it out, or write less of it."""
    first, second = plain(one), plain(other)
    return first in second or second in first


def _differ(one: str, other: str) -> bool:
    """Whether both say something, and not the same."""
    return bool(one and other) and plain(one) != plain(other)
