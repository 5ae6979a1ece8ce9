"""What the API says of payments, disputes, dunning and receivables; money as decimal strings."""

from typing import TypedDict


class PaymentPart(TypedDict):
    """What of a payment pays an invoice."""

    invoice_id: str
    amount: str
    paid: str
    realised: str


class Payment(TypedDict):
    """An amount that came in, or went out (below zero)."""

    id: str
    entity_id: str
    entry_id: str
    statement: str
    value_at: str
    booked_at: str
    amount: str
    currency: str
    reference: str
    payer: str
    tenant_id: str | None
    state: str
    parts: list[PaymentPart]
    left: str
    refunded: str
    topped_up: str
    bounced: str
    about: str
    file: str
    account: str
    end_to_end: str
    bank_reference: str
    blocks: list[str]
    worth: str


class BankFileBooked(TypedDict):
    """What came of a bank's file."""

    payments: list[Payment]
    repeated: int
    duplicates: int
    outgoing: int
    suggestions: dict[str, list[str]]


class Approval(TypedDict):
    """An act on money that one asks for and another approves; `made` names what it made."""

    id: str
    kind: str
    tenant_id: str | None
    subject: str
    summary: str
    asked_by: str
    asked_at: str
    state: str
    decided_by: str | None
    decided_at: str | None
    made: str
    because: str


class Dispute(TypedDict):
    """A line that its customer says it does not owe."""

    id: str
    invoice_id: str
    tenant_id: str
    line: int
    amount: str
    gross: str
    reason: str
    opened_by: str
    opened_at: str
    state: str
    resolved_by: str | None
    resolved_at: str | None
    resolution: str


class PayableOwed(TypedDict):
    """What a supplier is owed of an instalment, or of a month's use under a contract."""

    partner: str
    contract: str
    amount: str
    currency: str
    what: str
    since: str
    due_at: str
    overdue: bool


class Dunning(TypedDict):
    """Name -> days after the invoice was due."""

    steps: dict[str, int]


class AgedAmounts(TypedDict):
    """What a customer still owes in a currency, by days since it was due."""

    tenant_id: str
    currency: str
    not_due: str
    days_1_30: str
    days_31_60: str
    days_61_90: str
    over_90: str
    disputed: str
    total: str
