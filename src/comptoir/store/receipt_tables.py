"""The tables of receipts: payments, disputes, dunning; `tables.py` takes them in."""

from sqlalchemy import CheckConstraint, Column, Index, Table, UniqueConstraint

from comptoir.billing.approvals import ActKind, Approval, ApprovalState
from comptoir.billing.dunning import Dispute, DisputeState, DunningStep
from comptoir.billing.receipts import Part, Payment, PaymentState
from comptoir.desk.approval_requests import Act, WantedAct
from comptoir.desk.receipt_memory import Dunned, DunningPolicy
from comptoir.store.nested import Nested
from comptoir.store.schema import Mapped, _id, _int, _ms, _text, _word, metadata
from comptoir.units.ids import CreditBlockId

payment = Table(
    "payment",
    metadata,
    _id(),
    _text("entity_id"),
    _text("entry_id"),
    _text("statement"),
    _ms("value_at_ms"),
    _ms("booked_at_ms"),
    _ms("micros"),
    _text("currency"),
    _text("reference"),
    _text("payer"),
    _text("tenant_id", null=True),
    _word("state", PaymentState),
    Column("parts", Nested(tuple[Part, ...]), nullable=False),
    _ms("left_micros"),
    _ms("refunded_micros"),
    _ms("topped_up_micros"),
    _text("about"),
    _text("file"),
    _text("account"),
    _text("end_to_end"),
    _text("bank_reference"),
    _ms("bounced_micros"),
    Column("blocks", Nested(tuple[CreditBlockId, ...]), nullable=False),
    _ms("worth_micros"),
    UniqueConstraint("entity_id", "entry_id"),
    CheckConstraint("left_micros >= 0", name="payment_left_not_negative"),
    Index("payment_by_booking", "booked_at_ms", "id"),
    Index("payment_by_left", "left_micros"),
    Index("payment_by_amount", "entity_id", "micros", "value_at_ms"),
    Index("payment_by_tenant", "tenant_id", "booked_at_ms"),
    Index("payment_by_end_to_end", "end_to_end"),
)
dispute = Table(
    "dispute",
    metadata,
    _id(),
    _text("invoice_id"),
    _text("tenant_id"),
    _int("line"),
    _ms("micros"),
    _ms("gross_micros"),
    _text("reason"),
    _text("opened_by"),
    _ms("opened_at_ms"),
    _word("state", DisputeState),
    _text("resolved_by", null=True),
    _ms("resolved_at_ms", null=True),
    _text("resolution"),
    CheckConstraint("micros > 0", name="dispute_positive"),
    Index("dispute_by_opening", "opened_at_ms", "id"),
    Index("dispute_by_state", "state"),
)
dunned = Table("dunned", metadata, _id("invoice_id"), _int("steps"), _ms("last_at_ms"))
dunning_policy = Table(
    "dunning_policy",
    metadata,
    _id(),
    Column("steps", Nested(tuple[DunningStep, ...]), nullable=False),
)
approval = Table(
    "approval",
    metadata,
    _id(),
    _word("kind", ActKind),
    _text("tenant_id", null=True),
    _text("subject"),
    _text("summary"),
    _text("asked_by"),
    _ms("asked_at_ms"),
    _word("state", ApprovalState),
    _text("decided_by", null=True),
    _ms("decided_at_ms", null=True),
    _text("made"),
    _text("because"),
    Index("approval_by_asking", "asked_at_ms", "id"),
    Index("approval_by_state", "state"),
)
wanted_act = Table("wanted_act", metadata, _id(), Column("act", Nested(Act), nullable=False))

RECEIPTS: dict[str, Mapped] = {
    "payment": Mapped(payment, Payment, {}),
    "dispute": Mapped(dispute, Dispute, {}),
    "dunned": Mapped(dunned, Dunned, {}),
    "approval": Mapped(approval, Approval, {}),
    "wanted_act": Mapped(wanted_act, WantedAct, {}),
    "dunning_policy": Mapped(dunning_policy, DunningPolicy, {}),
}
