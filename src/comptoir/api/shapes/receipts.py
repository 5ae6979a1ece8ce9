"""Payments, disputes, dunning, receivables by age."""

from typing import Annotated

from pydantic import Field, StringConstraints

from comptoir.api.shapes.common import (
    Answer,
    Body,
    Count,
    Currency,
    Decimal,
    Instant,
    Line,
    Named,
    Positive,
)
from comptoir.billing.approvals import ActKind, ApprovalState
from comptoir.billing.dunning import DisputeState
from comptoir.billing.receipts import PaymentState

AmountIn = Annotated[str, StringConstraints(max_length=32), Field(examples=["1250.00"])]
InvoiceIn = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")
]
"""An invoice by its number or id: another system's number may have strokes and spaces in it."""
Words = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class BankFileBody(Body):
    """A bank's file as text: camt.053, or CSV, its columns named if they are called otherwise."""

    name: Line = Field(examples=["2027-02-28.xml"])
    entity: Named = Field(default="house", description="Whose account it is of, by id or slug.")
    text: Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]
    columns: Annotated[dict[Line, Line], Field(max_length=10)] = Field(
        default_factory=dict, description="CSV: field -> the file's own word for it."
    )


class AllocateBody(Body):
    """An invoice by its number or id, and how much of it; left out, all that fits.

    For what went out and is not known: the payment that it took back.
    """

    invoice: InvoiceIn
    amount: AmountIn | None = None


class RefundBody(Body):
    """How much is sent back, all that is left if not said, and why."""

    reason: Words
    amount: AmountIn | None = None


class PostBody(Body):
    """What an amount that went out was for, and why: a supplier's contract by its number or id;
    bank fees if none is named."""

    reason: Words
    contract: Named | None = None


class TopUpBody(Body):
    """How much becomes prepaid credit; whose, where the payment is nobody's yet."""

    amount: AmountIn | None = None
    tenant: Named | None = None


class DisputeBody(Body):
    """A line of an invoice, how much of it (all of it if not said), and why it is not owed."""

    line: Positive
    reason: Words
    amount: AmountIn | None = None


class ResolveBody(Body):
    """Why it is upheld, which credits it once another agrees, or rejected, which asks again."""

    resolution: Words


class DunningBody(Body):
    """Name -> days after the invoice was due."""

    steps: Annotated[dict[Line, Count], Field(min_length=1, max_length=10)] = Field(
        examples=[{"reminder": 3, "second": 14, "final": 30}]
    )


class PaymentPart(Answer):
    """What of a payment pays an invoice, in the invoice's currency and in its own.

    `realised` is what that is worth more than the invoice was booked at (below zero: less), in the
    currency of the legal entity.
    """

    invoice_id: str
    amount: Decimal
    paid: Decimal
    realised: Decimal


class Payment(Answer):
    """An amount that came in, or went out (below zero); `left` is what nobody has accounted for.

    `bounced` the bank took back; `about` is what an amount that went out is about, or the payment
    of which a flagged duplicate tells again. `worth` is what it was worth in its entity's currency
    when it came; zero where it is in that, or no rate was known.
    """

    id: str
    entity_id: str
    entry_id: str
    statement: str
    value_at: Instant
    booked_at: Instant
    amount: Decimal
    currency: Currency
    reference: str
    payer: str
    tenant_id: str | None
    state: PaymentState
    parts: list[PaymentPart]
    left: Decimal
    refunded: Decimal
    topped_up: Decimal
    bounced: Decimal
    about: str
    file: str
    account: str
    end_to_end: str
    bank_reference: str
    blocks: list[str]
    worth: Decimal


class BankFileBooked(Answer):
    """What came of a file: payments made, entries that were booked before, entries passed over.

    `duplicates` of the payments look like ones that another file told of: they are not booked.
    """

    payments: list[Payment]
    repeated: int
    duplicates: int
    outgoing: int
    suggestions: dict[str, list[str]] = Field(
        description="Payment -> open invoices of exactly its amount."
    )


class Approval(Answer):
    """An act on money that one asks for and another approves; `made` names what it made.

    It was judged when it was asked for, and is done, once, when it is approved. One that could
    not be done any more has lapsed, `because` of that.
    """

    id: str
    kind: ActKind
    tenant_id: str | None
    subject: str
    summary: str
    asked_by: str
    asked_at: Instant
    state: ApprovalState
    decided_by: str | None
    decided_at: Instant | None
    made: str
    because: str


class Dispute(Answer):
    """A line that its customer says it does not owe; `gross` is with its taxes."""

    id: str
    invoice_id: str
    tenant_id: str
    line: int
    amount: Decimal
    gross: Decimal
    reason: str
    opened_by: str
    opened_at: Instant
    state: DisputeState
    resolved_by: str | None
    resolved_at: Instant | None
    resolution: str


class PayableOwed(Answer):
    """What a supplier is owed of an instalment, or of a month's use under a contract."""

    partner: str
    contract: str
    amount: Decimal
    currency: Currency
    what: str = Field(description="`instalment` or `use`")
    since: Instant
    due_at: Instant
    overdue: bool


class Dunning(Answer):
    """Name -> days after the invoice was due."""

    steps: dict[str, int]


class AgedAmounts(Answer):
    """What a customer still owes in a currency, by days since it was due."""

    tenant_id: str
    currency: Currency
    not_due: Decimal
    days_1_30: Decimal
    days_31_60: Decimal
    days_61_90: Decimal
    over_90: Decimal
    disputed: Decimal
    total: Decimal
