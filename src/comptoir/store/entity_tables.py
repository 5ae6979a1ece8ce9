"""The tables of legal entities, admissions, credit, taxes and rates of exchange, and their values;
`tables.py` takes them in."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Table, UniqueConstraint

from comptoir.billing.credit import CreditHold
from comptoir.billing.fx import FxRate
from comptoir.billing.tax import Buyer, TaxRule, Treatment
from comptoir.leases.lease import LeaseClass
from comptoir.store.schema import (
    Exact,
    Mapped,
    Word,
    _flag,
    _id,
    _int,
    _json,
    _ms,
    _text,
    _word,
    metadata,
)
from comptoir.tenants.admissions import Admission, AdmissionState
from comptoir.tenants.budgets import Budget, BudgetPeriod, WhenSpent
from comptoir.tenants.entities import LegalEntity

legal_entity = Table(
    "legal_entity",
    metadata,
    _id(),
    _text("slug"),
    _text("name"),
    _json("address"),
    _text("country"),
    _text("currency"),
    _text("zone"),
    _json("tax_ids"),
    _text("iban"),
    _text("bic"),
    _text("invoice_series"),
    _text("credit_note_series"),
    _flag("admission_required"),
    _ms("created_at_ms"),
    _int("payment_days"),
    UniqueConstraint("slug"),
)
admission = Table(
    "admission",
    metadata,
    _id("tenant_id"),
    _text("entity_id"),
    _text("legal_name"),
    _json("address"),
    _text("country"),
    _text("tax_id"),
    _flag("is_business"),
    _text("exemption"),
    _text("currency"),
    _text("terms_version"),
    _word("state", AdmissionState),
    _ms("invited_at_ms"),
    _text("invited_by"),
    _ms("accepted_at_ms", null=True),
    _text("accepted_by", null=True),
    _ms("screened_at_ms", null=True),
    _text("screened_by", null=True),
    _text("screening_evidence"),
    _ms("proposed_limit_micros", null=True),
    _ms("credit_limit_micros", null=True),
    _ms("decided_at_ms", null=True),
    _text("decided_by", null=True),
    _text("because"),
    _ms("low_at_ms", null=True),
    CheckConstraint("credit_limit_micros >= 0", name="admission_limit_not_negative"),
    CheckConstraint(
        "state <> 'admitted' OR decided_by <> invited_by",
        name="admission_not_admitted_by_its_writer",
    ),
)
tax_rule = Table(
    "tax_rule",
    metadata,
    _id("seller"),
    _id("buyer_country"),
    Column("buyer", Word(Buyer), primary_key=True),
    Column("from_day_ms", BigInteger, primary_key=True, autoincrement=False),
    _word("treatment", Treatment),
    _int("rate_ppm"),
    _text("note"),
    _text("source"),
    _ms("imported_at_ms"),
    _text("imported_by"),
    CheckConstraint("rate_ppm >= 0", name="tax_rule_rate_not_negative"),
)
fx_rate = Table(
    "fx_rate",
    metadata,
    _id("base"),
    _id("quote"),
    Column("day_ms", BigInteger, primary_key=True, autoincrement=False),
    _ms("rate_nanos"),
    _text("source"),
    _ms("imported_at_ms"),
    _text("imported_by"),
    CheckConstraint("rate_nanos > 0", name="fx_rate_positive"),
)
credit_hold = Table(
    "credit_hold",
    metadata,
    _id("lease_id"),
    _text("tenant_id"),
    _text("project"),
    _text("kind"),
    _word("lease_class", LeaseClass),
    _text("currency"),
    _ms("price_nanos"),
    Column("accelerator_ms", Exact, nullable=False),
    _ms("starts_at_ms"),
    _ms("ends_at_ms"),
    _ms("until_ms", null=True),
    _flag("released"),
    Index("credit_hold_by_release", "released"),
)
budget = Table(
    "budget",
    metadata,
    _id(),
    _text("tenant_id"),
    _text("project"),
    _text("currency"),
    _ms("amount_micros"),
    _word("period", BudgetPeriod),
    _json("thresholds"),
    _word("when_spent", WhenSpent),
    _flag("by_house"),
    _text("set_by"),
    _ms("created_at_ms"),
    _ms("period_start_ms"),
    _ms("spent_micros"),
    _int("warned_percent"),
    _ms("ended_at_ms", null=True),
    CheckConstraint("amount_micros > 0", name="budget_positive"),
    Index("budget_by_creation", "created_at_ms", "id"),
)

CREDIT: dict[str, Mapped] = {
    "legal_entity": Mapped(legal_entity, LegalEntity, {}),
    "admission": Mapped(admission, Admission, {}),
    "credit_hold": Mapped(credit_hold, CreditHold, {}),
    "budget": Mapped(budget, Budget, {}),
    "tax_rule": Mapped(tax_rule, TaxRule, {}),
    "fx_rate": Mapped(fx_rate, FxRate, {}),
}
