"""Every table of the book, and which value each of its rows is."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from comptoir.desk.memory import LendingMark, ReclaimCount
from comptoir.desk.ports import Event, StoredAnswer
from comptoir.desk.settings import Setting
from comptoir.fleet.checks import NodeCheck
from comptoir.fleet.nodes import Node
from comptoir.fleet.topology import Fabric
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import Breach
from comptoir.leases.inbound import InboundLease
from comptoir.leases.jobs import Attempt, AttemptState, Job, JobState, Runtime
from comptoir.leases.lease import (
    Lease,
    LeaseClass,
    LeaseState,
    OnReclaim,
    Reason,
    Shape,
)
from comptoir.leases.policy import ClassPolicy
from comptoir.leases.term import LeaseTerm
from comptoir.ledger.entries import Account, Entry, Posting, Unit
from comptoir.store.close_tables import CLOSE
from comptoir.store.close_tables import credit_note as credit_note
from comptoir.store.close_tables import invoice as invoice
from comptoir.store.close_tables import invoice_draft as invoice_draft
from comptoir.store.close_tables import invoice_status as invoice_status
from comptoir.store.close_tables import period as period
from comptoir.store.entitlement_tables import class_policy, entitlement, lending_mark
from comptoir.store.entity_tables import CREDIT
from comptoir.store.entity_tables import admission as admission
from comptoir.store.entity_tables import budget as budget
from comptoir.store.entity_tables import credit_hold as credit_hold
from comptoir.store.entity_tables import fx_rate as fx_rate
from comptoir.store.entity_tables import legal_entity as legal_entity
from comptoir.store.entity_tables import tax_rule as tax_rule
from comptoir.store.failure_tables import breach as breach
from comptoir.store.failure_tables import node_check as node_check
from comptoir.store.money_tables import MONEY
from comptoir.store.money_tables import accrual as accrual
from comptoir.store.money_tables import balance as balance
from comptoir.store.money_tables import charge as charge
from comptoir.store.money_tables import entry as entry
from comptoir.store.money_tables import posting as posting
from comptoir.store.money_tables import rate as rate
from comptoir.store.money_tables import rate_card as rate_card
from comptoir.store.money_tables import usage as usage
from comptoir.store.notice_tables import delivery as delivery
from comptoir.store.notice_tables import subscription as subscription
from comptoir.store.opening_tables import OPENINGS
from comptoir.store.opening_tables import brought_item as brought_item
from comptoir.store.opening_tables import opening as opening
from comptoir.store.opening_tables import opening_text as opening_text
from comptoir.store.receipt_tables import RECEIPTS
from comptoir.store.receipt_tables import approval as approval
from comptoir.store.receipt_tables import dispute as dispute
from comptoir.store.receipt_tables import dunned as dunned
from comptoir.store.receipt_tables import payment as payment
from comptoir.store.receipt_tables import wanted_act as wanted_act
from comptoir.store.sales_tables import SALES
from comptoir.store.sales_tables import committed_step as committed_step
from comptoir.store.sales_tables import contract as contract
from comptoir.store.sales_tables import contract_act as contract_act
from comptoir.store.sales_tables import contract_version as contract_version
from comptoir.store.sales_tables import credit_block as credit_block
from comptoir.store.sales_tables import drawdown as drawdown
from comptoir.store.schema import (
    Choices,
    Mapped,
    _flag,
    _id,
    _int,
    _json,
    _ms,
    _text,
    _word,
    metadata,
)
from comptoir.store.supply_tables import fabric as fabric
from comptoir.store.supply_tables import inbound_lease as inbound_lease
from comptoir.store.supply_tables import node as node
from comptoir.tenants.entitlements import Entitlement
from comptoir.tenants.parties import Key, Quota, Role, Tenant, TenantKind, TenantState, User
from comptoir.tenants.subscriptions import Delivery, Subscription

book = Table(
    "book",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("counter", BigInteger, nullable=False),
    Column("instance", String, nullable=False),
    CheckConstraint("id = 1", name="one_book"),
)

tenant = Table(
    "tenant",
    metadata,
    _id(),
    _text("slug"),
    _text("name"),
    _word("kind", TenantKind),
    _word("state", TenantState),
    _text("rate_card_id"),
    _ms("created_at_ms"),
    _json("grants"),
    _text("residency"),
    UniqueConstraint("slug"),
)
quota = Table(
    "quota", metadata, _id("tenant_id"), _id("kind"), _ms("accelerators"),
    CheckConstraint("accelerators >= 0", name="quota_not_negative"),
)  # fmt: skip
user = Table(
    "user_account",
    metadata,
    _id(),
    _text("name"),
    _text("tenant_id", null=True),
    _json("roles"),
    _flag("disabled"),
    _ms("created_at_ms"),
)
key = Table(
    "api_key",
    metadata,
    _id(),
    _text("user_id"),
    _text("prefix"),
    _text("secret_sha256"),
    _text("note"),
    _ms("created_at_ms"),
    _ms("expires_at_ms", null=True),
    _ms("revoked_at_ms", null=True),
    _text("issued_with", null=True),
    UniqueConstraint("prefix"),
)
runtime = Table(
    "runtime",
    metadata,
    _id(),
    _text("name"),
    _json("paths"),
    _json("environment"),
    _flag("retired"),
    _ms("created_at_ms"),
)
lease = Table(
    "lease",
    metadata,
    _id(),
    _text("tenant_id"),
    _text("requested_by"),
    _text("name"),
    _word("lease_class", LeaseClass),
    _text("kind"),
    _int("accelerators"),
    _word("shape", Shape),
    _ms("starts_at_ms"),
    _ms("ends_at_ms", null=True),
    _int("notice_s"),
    _word("on_reclaim", OnReclaim),
    _ms("requested_at_ms"),
    _word("state", LeaseState),
    _ms("state_since_ms"),
    _ms("scheduled_start_ms", null=True),
    _ms("activated_at_ms", null=True),
    _ms("stop_at_ms", null=True),
    _ms("kill_at_ms", null=True),
    _word("reason", Reason),
    _text("reclaimed_for", null=True),
    _int("reclaims"),
    _text("residency"),
    _flag("lent"),
    _flag("borrowed"),
    _flag("recall"),
    _int("minimum_runtime_s"),
    _ms("latest_start_ms", null=True),
    _int("duration_s", null=True),
    _word("preferred_shape", Shape, null=True),
    Column("alternatives", Choices, nullable=False),
    _text("series", null=True),
    _ms("hold_until_ms", null=True),
    _flag("hold_firm"),
    _ms("warned_end_ms", null=True),
    _json("lost"),
    _int("rejections"),
    _word("term", LeaseTerm),
    _text("project"),
    _flag("recall_spent"),
    _json("rejected"),
    CheckConstraint("accelerators > 0", name="lease_has_accelerators"),
    CheckConstraint("ends_at_ms IS NULL OR ends_at_ms > starts_at_ms", name="lease_window"),
    Index("lease_by_request", "requested_at_ms", "id"),
    Index("lease_by_tenant", "tenant_id", "requested_at_ms", "id"),
    Index("lease_by_state", "state"),
    Index("lease_by_series", "series"),
)
allocation = Table(
    "allocation",
    metadata,
    _id(),
    _text("lease_id"),
    _text("tenant_id"),
    _text("node_id"),
    _text("inbound_lease_id"),
    _json("accelerators"),
    _ms("starts_at_ms"),
    _ms("ends_at_ms", null=True),
    _ms("delivered_from_ms", null=True),
    _ms("delivered_until_ms", null=True),
    _ms("metered_until_ms", null=True),
    _ms("fenced_at_ms", null=True),
    _ms("accepted_at_ms", null=True),
    Index("allocation_by_lease", "lease_id"),
    Index("allocation_by_fence", "fenced_at_ms"),
    Index("allocation_by_tenant", "tenant_id", "fenced_at_ms"),
)
job = Table(
    "job",
    metadata,
    _id(),
    _text("lease_id"),
    _text("tenant_id"),
    _text("submitted_by"),
    _text("name"),
    _json("command"),
    _json("environment"),
    _text("runtime_id", null=True),
    _flag("release_lease"),
    _ms("submitted_at_ms"),
    _word("state", JobState),
    _int("attempts"),
    _int("exit_code", null=True),
    _ms("finished_at_ms", null=True),
    _text("detail"),
    _flag("cancel_requested"),
    Index("job_by_submission", "submitted_at_ms", "id"),
    Index("job_by_lease", "lease_id"),
    Index("job_by_state", "state"),
)
attempt = Table(
    "attempt",
    metadata,
    _id(),
    _text("job_id"),
    _text("lease_id"),
    _text("tenant_id"),
    _text("allocation_id"),
    _int("number"),
    _text("node_id"),
    _text("engine"),
    _json("accelerators"),
    _ms("memory_bytes"),
    _word("state", AttemptState),
    _ms("ordered_at_ms"),
    _ms("started_at_ms", null=True),
    _ms("ended_at_ms", null=True),
    _int("exit_code", null=True),
    _text("detail"),
    _ms("busy_ms"),
    _ms("stop_at_ms", null=True),
    _ms("kill_at_ms", null=True),
    _ms("occupied_until_ms", null=True),
    _ms("busy_metered_ms"),
    _flag("forgotten"),
    UniqueConstraint("job_id", "number"),
    Index("attempt_by_forgotten", "forgotten"),
)
setting = Table("setting", metadata, _id("name"), _ms("value"))
reclaim_count = Table(
    "reclaim_count",
    metadata,
    _id("kind"),
    Column("day_ms", BigInteger, primary_key=True, autoincrement=False),
    _int("reclaims"),
)

event = Table(
    "event",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _ms("at_ms"),
    _text("type"),
    _text("actor"),
    _text("key_id", null=True),
    _text("tenant_id", null=True),
    _text("subject"),
    _json("data"),
    Index("event_by_tenant", "tenant_id", "seq"),
    Index("event_by_subject", "subject", "seq"),
)
answer = Table(
    "answer",
    metadata,
    _id("scope"),
    _id("key"),
    _text("request_sha256"),
    _int("status"),
    Column("body", LargeBinary, nullable=False),
    _ms("created_at_ms"),
    Index("answer_by_age", "created_at_ms"),
)

APPEND_ONLY = (
    "event",
    "usage",
    "charge",
    "entry",
    "posting",
    "invoice",
    "node_check",
    "drawdown",
    "contract_act",
    "tax_rule",
    "fx_rate",
    "credit_note",
    "opening_text",
    "brought_item",
)
FINAL_ROWS = {"breach": "broken_until_ms"}
"""Tables whose rows are live until a column is set, and never edited after that."""


def _roles(stored: tuple[str, ...]) -> tuple[Role, ...]:
    return tuple(Role(word) for word in stored)


MAPPED: dict[str, Mapped] = {
    **MONEY,
    **SALES,
    **CREDIT,
    **CLOSE,
    **RECEIPTS,
    **OPENINGS,
    "tenant": Mapped(tenant, Tenant, {}),
    "quota": Mapped(quota, Quota, {}),
    "user": Mapped(user, User, {"roles": _roles}),
    "key": Mapped(key, Key, {}),
    "inbound_lease": Mapped(inbound_lease, InboundLease, {}),
    "node": Mapped(node, Node, {}),
    "fabric": Mapped(fabric, Fabric, {}),
    "runtime": Mapped(runtime, Runtime, {}),
    "lease": Mapped(lease, Lease, {}),
    "allocation": Mapped(allocation, Allocation, {}),
    "breach": Mapped(breach, Breach, {}),
    "job": Mapped(job, Job, {}),
    "attempt": Mapped(attempt, Attempt, {}),
    "lending_mark": Mapped(lending_mark, LendingMark, {}),
    "entitlement": Mapped(entitlement, Entitlement, {}),
    "policy": Mapped(class_policy, ClassPolicy, {}),
    "setting": Mapped(setting, Setting, {}),
    "reclaim_count": Mapped(reclaim_count, ReclaimCount, {}),
    "subscription": Mapped(subscription, Subscription, {}),
    "delivery": Mapped(delivery, Delivery, {}),
    "event": Mapped(event, Event, {}),
    "node_check": Mapped(node_check, NodeCheck, {}),
    "answer": Mapped(answer, StoredAnswer, {}),
}
__all__ = ["APPEND_ONLY", "MAPPED", "Account", "Entry", "Posting", "Unit", "book", "entitlement"]
