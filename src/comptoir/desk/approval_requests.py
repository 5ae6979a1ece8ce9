"""Requests of acts on money that two people agree to (`billing/approvals.py`)."""

from dataclasses import dataclass

from comptoir.desk.close_requests import CreditInvoice
from comptoir.desk.entity_requests import ChangeAccount, GiveGrant
from comptoir.desk.receipt_requests import PostOutgoing, RefundPayment, ResolveDispute, TopUp
from comptoir.units.ids import ApprovalId


@dataclass(frozen=True, slots=True)
class Act:
    """What is asked for: exactly one of these."""

    refund: RefundPayment | None = None
    top_up: TopUp | None = None
    credit_note: CreditInvoice | None = None
    grant: GiveGrant | None = None
    uphold: ResolveDispute | None = None
    account: ChangeAccount | None = None
    outgoing: PostOutgoing | None = None


@dataclass(frozen=True, slots=True)
class WantedAct:
    """The words of an act that waits, as they were given; the row beside its `Approval`."""

    id: ApprovalId
    act: Act


@dataclass(frozen=True, slots=True)
class AskApproval:
    """Ask for an act; it is judged at once, and done when somebody else approves it."""

    act: Act


@dataclass(frozen=True, slots=True)
class ApprovalRef:
    """An act that waits."""

    approval_id: ApprovalId
