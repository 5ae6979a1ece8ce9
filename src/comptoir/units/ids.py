"""Ids: short, typed, copyable, unique within one book, and no count at a glance.

Every id is `<prefix>_<letters>`; the letters encode the book's own counter in
Crockford's base 32, stirred by an odd multiplier so that neighbours look
unrelated. The map is one-to-one, so ids never collide while the counter moves.
Ids are not secrets.

Source: Crockford, "Base 32" (no I, L, O, U).
"""

from functools import cache, lru_cache
from typing import NewType

TenantId = NewType("TenantId", str)
UserId = NewType("UserId", str)
KeyId = NewType("KeyId", str)
ApprovalId = NewType("ApprovalId", str)
InboundLeaseId = NewType("InboundLeaseId", str)
NodeId = NewType("NodeId", str)
LeaseId = NewType("LeaseId", str)
SeriesId = NewType("SeriesId", str)
AllocationId = NewType("AllocationId", str)
BreachId = NewType("BreachId", str)
JobId = NewType("JobId", str)
AttemptId = NewType("AttemptId", str)
RuntimeId = NewType("RuntimeId", str)
RateCardId = NewType("RateCardId", str)
RateId = NewType("RateId", str)
AccrualId = NewType("AccrualId", str)
InvoiceId = NewType("InvoiceId", str)
CreditNoteId = NewType("CreditNoteId", str)
PeriodId = NewType("PeriodId", str)
LegalEntityId = NewType("LegalEntityId", str)
BudgetId = NewType("BudgetId", str)
PaymentId = NewType("PaymentId", str)
DisputeId = NewType("DisputeId", str)
SubscriptionId = NewType("SubscriptionId", str)
EntitlementId = NewType("EntitlementId", str)
ContractId = NewType("ContractId", str)
ContractVersionId = NewType("ContractVersionId", str)
CommitmentId = NewType("CommitmentId", str)
CreditBlockId = NewType("CreditBlockId", str)
ContractActId = NewType("ContractActId", str)
OpeningId = NewType("OpeningId", str)

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BITS_PER_LETTER = 5
_SHORTEST_LETTERS = 4
_SHIFT = 0x2545F491
_AS_PYTHON = str.maketrans(ALPHABET, "0123456789ABCDEFGHIJKLMNOPQRSTUV")
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_STIR = 0x9E3779B1  # odd, so multiplication modulo a power of two is one-to-one


@lru_cache(maxsize=4_096)
def id_number(identifier: str) -> int:
    """The number that an id was made from: the order in which ids were given."""
    letters = identifier.rpartition("_")[2]
    size, inverse, before = _size(len(letters))
    stirred = int(letters.translate(_AS_PYTHON), 32)
    return (stirred - _SHIFT) * inverse % size + before


@cache
def _size(letters: int) -> tuple[int, int, int]:
    """How many ids have so many letters, how to unstir them, and how many ids are shorter."""
    size = 1 << (_BITS_PER_LETTER * letters)
    shorter = sum(1 << (_BITS_PER_LETTER * n) for n in range(_SHORTEST_LETTERS, letters))
    return size, pow(_STIR, -1, size), shorter


def encode_id(prefix: str, number: int) -> str:
    """The id of the `number`-th thing (0, 1, 2 ...) of a book."""
    letters = _SHORTEST_LETTERS
    while number >= 1 << (_BITS_PER_LETTER * letters):
        number -= 1 << (_BITS_PER_LETTER * letters)
        letters += 1
    stirred = (number * _STIR + _SHIFT) % (1 << (_BITS_PER_LETTER * letters))
    text = ""
    for _ in range(letters // 2):
        text = _PAIRS[stirred & 1023] + text
        stirred >>= 2 * _BITS_PER_LETTER
    return f"{prefix}_{ALPHABET[stirred]}{text}" if letters % 2 else f"{prefix}_{text}"
