"""The tables of money: prices, usage, charges, accruals, the ledger, and their values.

`tables.py` takes them in, and says which are append-only.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Table,
    UniqueConstraint,
)

from comptoir.billing.accruals import Accrual
from comptoir.desk.money_memory import Balance, BillingMark, TierUse, TopUp
from comptoir.leases.lease import LeaseClass
from comptoir.leases.term import LeaseTerm
from comptoir.metering.usage import Measure, UsageEvent
from comptoir.pricing.charges import Charge, ChargeRow
from comptoir.pricing.rates import Rate, RateCard, RateState
from comptoir.pricing.skus import Sku
from comptoir.pricing.tiers import Tier
from comptoir.store.nested import Nested
from comptoir.store.schema import (
    Exact,
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

rate_card = Table(
    "rate_card", metadata, _id(), _text("name"), _text("currency"), _ms("created_at_ms")
)
rate = Table(
    "rate",
    metadata,
    _id(),
    _text("rate_card_id"),
    _text("kind"),
    _word("lease_class", LeaseClass),
    _word("measure", Measure),
    _ms("price_nanos"),
    _ms("effective_from_ms"),
    _word("state", RateState),
    _text("proposed_by"),
    _text("approved_by", null=True),
    _ms("approved_at_ms", null=True),
    _text("site"),
    _word("term", LeaseTerm),
    _word("sku", Sku),
    _json("tiers"),
    _int("minimum_s"),
    _int("granularity_s"),
    CheckConstraint("price_nanos >= 0", name="rate_price_not_negative"),
    CheckConstraint("approved_by <> proposed_by", name="rate_not_approved_by_proposer"),
)
accrual = Table(
    "accrual",
    metadata,
    _id(),
    _text("tenant_id"),
    _text("lease_id"),
    _text("rate_id"),
    _word("lease_class", LeaseClass),
    _text("kind"),
    _word("measure", Measure),
    _ms("price_nanos"),
    _text("currency"),
    _ms("service_month_ms"),
    _ms("first_at_ms"),
    _ms("last_at_ms"),
    _flag("correction"),
    _ms("accelerator_ms"),
    Column("numerator", Exact, nullable=False),
    _ms("posted_micros"),
    _text("invoice_id", null=True),
    _int("invoice_line", null=True),
    _text("contract_version_id"),
    Column("list_numerator", Exact, nullable=False),
    _word("row", ChargeRow),
    Column("cuts", Nested(tuple[tuple[int, int], ...]), nullable=False),
    Index("accrual_by_invoice", "invoice_id", "invoice_line"),
    Index("accrual_by_lease", "lease_id"),
    Index("accrual_by_tenant", "tenant_id", "service_month_ms"),
)
tier_use = Table(
    "tier_use",
    metadata,
    _id("tenant_id"),
    _id("rate_id"),
    Column("period_ms", BigInteger, primary_key=True, autoincrement=False),
    _id("prices"),
    _ms("accelerator_ms"),
)
balance = Table("balance", metadata, _id("account"), _id("unit"), _ms("amount"))
billing_mark = Table(
    "billing_mark", metadata, _id("tenant_id"), _ms("invoiced_until_ms"), _ms("closed_until_ms")
)
top_up = Table(
    "top_up",
    metadata,
    _id("lease_id"),
    _text("rate_id"),
    _ms("ends_at_ms"),
    _text("site"),
    _int("accelerators"),
    _ms("billed_accelerator_ms"),
    _ms("top_up_accelerator_ms"),
)
usage = Table(
    "usage",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _text("source"),
    _text("event_id"),
    _word("measure", Measure),
    _text("lease_id"),
    _text("tenant_id"),
    _text("inbound_lease_id"),
    _word("lease_class", LeaseClass),
    _text("kind"),
    _ms("starts_at_ms"),
    _ms("ends_at_ms"),
    _ms("accelerator_ms"),
    _ms("received_at_ms"),
    _text("site"),
    _word("term", LeaseTerm),
    UniqueConstraint("source", "event_id"),
    CheckConstraint("ends_at_ms > starts_at_ms", name="usage_window"),
    CheckConstraint("accelerator_ms > 0", name="usage_positive"),
    Index("usage_by_tenant", "tenant_id", "seq"),
    Index("usage_by_lease", "lease_id", "seq"),
)
charge = Table(
    "charge",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _ms("usage_seq"),
    _text("accrual_id"),
    _text("rate_id"),
    _text("tenant_id"),
    _text("lease_id"),
    _word("lease_class", LeaseClass),
    _text("kind"),
    _word("measure", Measure),
    _ms("starts_at_ms"),
    _ms("ends_at_ms"),
    _ms("accelerator_ms"),
    _ms("price_nanos"),
    Column("numerator", Exact, nullable=False),
    _text("currency"),
    _flag("correction"),
    _text("contract_version_id"),
    _ms("list_price_nanos"),
    Column("list_numerator", Exact, nullable=False),
    _text("site"),
    _word("term", LeaseTerm),
    _word("sku", Sku),
    _word("row", ChargeRow),
    Index("charge_by_tenant", "tenant_id", "seq"),
    Index("charge_by_accrual", "accrual_id", "seq"),
)
entry = Table(
    "entry",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _text("key"),
    _text("kind"),
    _text("description"),
    _ms("effective_at_ms"),
    _ms("booked_at_ms"),
    UniqueConstraint("key"),
)
posting = Table(
    "posting",
    metadata,
    Column("entry_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("leg", Integer, primary_key=True, autoincrement=False),
    _text("account"),
    _text("unit"),
    _ms("amount"),
    CheckConstraint("amount <> 0", name="posting_not_zero"),
    Index("posting_by_account", "account", "unit"),
)


def _tiers(stored: tuple[tuple[int, int], ...]) -> tuple[Tier, ...]:
    return tuple(Tier(*tier) for tier in stored)


MONEY: dict[str, Mapped] = {
    "rate_card": Mapped(rate_card, RateCard, {}),
    "rate": Mapped(rate, Rate, {"tiers": _tiers}),
    "accrual": Mapped(accrual, Accrual, {}),
    "balance": Mapped(balance, Balance, {}),
    "billing_mark": Mapped(billing_mark, BillingMark, {}),
    "tier_use": Mapped(tier_use, TierUse, {}),
    "top_up": Mapped(top_up, TopUp, {}),
    "usage": Mapped(usage, UsageEvent, {}),
    "charge": Mapped(charge, Charge, {}),
}
