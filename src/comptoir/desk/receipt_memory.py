"""The live rows of receipts in memory: payments with something left, disputes, dunning, acts on
money that wait for a second person.

A part of the book (`book.receipts`), with the same journal. A payment that is accounted for, a
dispute that is settled and the dunning of an invoice that asks nothing more are evicted after the
commit that made them so; the store keeps them.
"""

from dataclasses import dataclass
from typing import Any

from comptoir.billing.approvals import Approval, ApprovalState
from comptoir.billing.dunning import STEPS, Dispute, DisputeState, DunningStep
from comptoir.billing.invoice_status import InvoiceState, InvoiceStatus
from comptoir.billing.receipts import Payment
from comptoir.desk.approval_requests import WantedAct
from comptoir.desk.tables import Index, Journal, Table
from comptoir.units.ids import ApprovalId, DisputeId, InvoiceId, PaymentId, TenantId


@dataclass(frozen=True, slots=True)
class Dunned:
    """How often an invoice was asked for again, and when last."""

    invoice_id: InvoiceId
    steps: int
    last_at_ms: int


@dataclass(frozen=True, slots=True)
class DunningPolicy:
    """The steps in force; there is one row."""

    id: str
    steps: tuple[DunningStep, ...]


class ReceiptBook:
    """The tables of receipts and their indexes."""

    def __init__(self, journal: Journal) -> None:
        self.payments = Table[PaymentId, Payment]("payment", lambda r: r.id, journal)
        self.disputes = Table[DisputeId, Dispute]("dispute", lambda r: r.id, journal)
        self.dunned = Table[InvoiceId, Dunned]("dunned", lambda r: r.invoice_id, journal)
        self.policies = Table[str, DunningPolicy]("dunning_policy", lambda r: r.id, journal)
        self.approvals = Table[ApprovalId, Approval]("approval", lambda r: r.id, journal)
        self.wanted_acts = Table[ApprovalId, WantedAct]("wanted_act", lambda r: r.id, journal)
        self.tables: tuple[Table[Any, Any], ...] = (
            self.payments, self.disputes, self.dunned, self.policies, self.approvals,
            self.wanted_acts,
        )  # fmt: skip
        self.unjudged: list[ApprovalId] = []
        """Acts that wait, and whether they could still be done is not yet looked up again."""
        self.judge_due_ms = 0
        """When all of them are looked at again, whatever happens."""
        self.changed = False
        """Whether what they are about may have changed since they were last looked at."""
        self.payments.feed(self.judge_again)
        self.disputes.feed(self.judge_again)
        self.credit_of = Index[TenantId, Payment](
            self.payments, lambda p: p.tenant_id if p.is_credit and p.left_micros else None
        )
        self.left_of = Index[TenantId, Payment](
            self.payments, lambda p: p.tenant_id if p.is_customers and p.left_micros else None
        )
        self.disputes_of = Index[InvoiceId, Dispute](
            self.disputes, lambda d: d.invoice_id if d.state is DisputeState.OPEN else None
        )

    def judge_again(self, _old: object, _new: object) -> None:
        """What acts that wait are about may have changed."""
        self.changed = True

    @property
    def steps(self) -> tuple[DunningStep, ...]:
        """The dunning steps in force."""
        found = self.policies.get("house")
        return STEPS if found is None else found.steps

    def evict_ended(self, rows: dict[str, list[object]]) -> None:
        """Drop what the commit of `rows` has settled for good."""
        for payment in rows.get("payment", ()):
            assert isinstance(payment, Payment)
            if not payment.left_micros:
                self.payments.evict(payment.id)
        for approval in rows.get("approval", ()):
            assert isinstance(approval, Approval)
            if approval.state is not ApprovalState.ASKED:
                self.approvals.evict(approval.id)
                self.wanted_acts.evict(approval.id)
        for dispute in rows.get("dispute", ()):
            assert isinstance(dispute, Dispute)
            if dispute.state is not DisputeState.OPEN:
                self.disputes.evict(dispute.id)
        for status in rows.get("invoice_status", ()):
            assert isinstance(status, InvoiceStatus)
            if status.state is not InvoiceState.FINALISED:
                self.dunned.evict(status.invoice_id)
