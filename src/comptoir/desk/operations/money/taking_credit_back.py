"""Taking prepaid credit back: an instalment that is credited is credit no more.

Invariant: what is taken back was not drawn, and has not lapsed. Of a commitment's steps the last
gives first. Neighbours: `credit_invoice.py` credits the lines.
"""

from collections import defaultdict
from collections.abc import Iterable

from comptoir.billing.credit_notes import CreditLine
from comptoir.billing.invoices import Invoice, LineType
from comptoir.desk.transaction import Transaction
from comptoir.sales.credit_blocks import CreditBlock, CreditSource, take
from comptoir.units.errors import Refused
from comptoir.units.ids import CommitmentId
from comptoir.units.money import MINOR_DIGITS, format_minor

PREPAID = (CreditSource.COMMITMENT, CreditSource.ROLLOVER)


def take_credit_back(tx: Transaction, invoice: Invoice, lines: Iterable[CreditLine]) -> None:
    """Take what is credited of instalments out of the credit that they had paid for.

    Raises:
        Refused: `credit_is_used`: less is left of it than is credited.
    """
    wanted: dict[CommitmentId, int] = defaultdict(int)
    for line in lines:
        of = invoice.lines[line.line - 1]
        if of.type is LineType.INSTALMENT:
            wanted[CommitmentId(of.reference.rsplit("/", 2)[0])] += line.amount_micros
    for commitment, micros in wanted.items():
        blocks = _last_first(tx, invoice, commitment)
        left = sum(block.left_micros for block in blocks)
        if micros > left:
            raise _used(invoice, commitment, micros, left)
        for block in blocks:
            share = min(block.left_micros, micros)
            micros -= share
            if share:
                tx.book.contracts.credit_blocks.put(take(block, share))


def _last_first(tx: Transaction, invoice: Invoice, commitment: CommitmentId) -> list[CreditBlock]:
    found = [
        block
        for block in tx.book.contracts.credit_of.get(invoice.tenant_id)
        if block.commitment_id == commitment and block.source in PREPAID
    ]
    return sorted(found, key=lambda block: (-block.from_ms, -block.created_at_ms))


def _used(invoice: Invoice, commitment: CommitmentId, micros: int, left_micros: int) -> Refused:
    step = int(10 ** (6 - MINOR_DIGITS[invoice.currency]))
    left = format_minor(left_micros - left_micros % step, invoice.currency)
    wanted = format_minor(micros, invoice.currency)
    name = commitment.split("/", 1)[1]
    return Refused(
        "credit_is_used",
        f"{left} {invoice.currency} is left of {name}, the rest is drawn or has lapsed; you asked "
        f"to credit {wanted} of what was paid ahead for it",
        "credit at most what is left; usage that drew the rest is credited by its own invoice",
        {"left": left, "wanted": wanted, "currency": invoice.currency, "commitment": name},
    )
