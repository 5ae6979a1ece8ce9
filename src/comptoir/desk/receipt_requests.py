"""Requests of money that comes in: statements booked, payments allocated, disputes, dunning."""

from dataclasses import dataclass

from comptoir.billing.bank_files import BankEntry
from comptoir.billing.dunning import DunningStep
from comptoir.units.ids import DisputeId, InvoiceId, LegalEntityId, PaymentId

MOST_ENTRIES_A_CALL = 200
"""Entries of a bank file that one call books, so that nobody waits for a long one."""
MOST_DUNNED_A_CALL = 200


@dataclass(frozen=True, slots=True)
class RecordReceipts:
    """Book entries of a bank statement; those that are booked already change nothing.

    The door has read the whole file and checked its controls before the first is booked.
    """

    entity_id: LegalEntityId
    statement: str
    account: str
    entries: tuple[BankEntry, ...]
    file: str = ""
    """Which file it is in, where that is known: no other statement of it tells of the same."""


@dataclass(frozen=True, slots=True)
class AllocatePayment:
    """Give what is left of a payment to an invoice (id or number); None: all that fits.

    What went out and is not known is given to the payment (id) that it took back.
    """

    payment_id: PaymentId
    invoice: str
    amount: str | None = None


@dataclass(frozen=True, slots=True)
class BookPayment:
    """A payment that is flagged as a duplicate is one of its own: book it."""

    payment_id: PaymentId


@dataclass(frozen=True, slots=True)
class RefundPayment:
    """Send back what is left of a payment, or a part; the bank does the sending."""

    payment_id: PaymentId
    reason: str
    amount: str | None = None


@dataclass(frozen=True, slots=True)
class PostOutgoing:
    """What an amount that went out was for: a supplier's contract (number or id), or, None, the
    bank's fees."""

    payment_id: PaymentId
    reason: str
    contract: str | None = None


@dataclass(frozen=True, slots=True)
class TopUp:
    """Turn what is left of a payment into prepaid credit, from its value date on."""

    payment_id: PaymentId
    amount: str | None = None
    tenant_id: str | None = None


@dataclass(frozen=True, slots=True)
class OpenDispute:
    """Say that a line of an invoice is not owed, or a part of it."""

    invoice_id: InvoiceId
    line: int
    reason: str
    amount: str | None = None


@dataclass(frozen=True, slots=True)
class ResolveDispute:
    """Uphold a dispute, which credits it, or reject it, which asks again."""

    dispute_id: DisputeId
    uphold: bool
    resolution: str


@dataclass(frozen=True, slots=True)
class SetDunning:
    """When unpaid invoices of the house's entities are asked for again, from now on."""

    steps: tuple[DunningStep, ...]


@dataclass(frozen=True, slots=True)
class Dun:
    """Take the dunning steps that are due, at most so many."""

    most: int = MOST_DUNNED_A_CALL
