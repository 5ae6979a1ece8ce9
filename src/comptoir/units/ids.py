"""Ids: short, typed, copyable, unique within one book, and no count at a glance.

Every id is `<prefix>_<letters>`; the letters encode the book's own counter in
Crockford's base 32, stirred by an odd multiplier so that neighbours look
unrelated. The map is one-to-one, so ids never collide while the counter moves.
Ids are not secrets.

Source: Crockford, "Base 32" (no I, L, O, U).
"""

from typing import NewType

TenantId = NewType("TenantId", str)
UserId = NewType("UserId", str)
KeyId = NewType("KeyId", str)
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
EntitlementId = NewType("EntitlementId", str)

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BITS_PER_LETTER = 5
_SHORTEST_LETTERS = 4
_SHIFT = 0x2545F491
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
_STIR = 0x9E3779B1  # odd, so multiplication modulo a power of two is one-to-one


def id_number(identifier: str) -> int:
    """The number that an id was made from: the order in which ids were given."""
    letters = identifier.rpartition("_")[2]
    stirred = 0
    for letter in letters:
        stirred = stirred << _BITS_PER_LETTER | _VALUES[letter]
    size = 1 << (_BITS_PER_LETTER * len(letters))
    number = (stirred - _SHIFT) * pow(_STIR, -1, size) % size
    return number + sum(
        1 << (_BITS_PER_LETTER * shorter) for shorter in range(_SHORTEST_LETTERS, len(letters))
    )


def encode_id(prefix: str, number: int) -> str:
    """The id of the `number`-th thing (0, 1, 2 ...) of a book."""
    letters = _SHORTEST_LETTERS
    while number >= 1 << (_BITS_PER_LETTER * letters):
        number -= 1 << (_BITS_PER_LETTER * letters)
        letters += 1
    stirred = (number * _STIR + _SHIFT) % (1 << (_BITS_PER_LETTER * letters))
    text = ""
    for _ in range(letters):
        text = ALPHABET[stirred & 31] + text
        stirred >>= _BITS_PER_LETTER
    return f"{prefix}_{text}"
