"""The tables of legal entities, admissions, taxes and rates of exchange, and their values;
`tables.py` takes them in."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Table, UniqueConstraint

from comptoir.billing.fx import FxRate
from comptoir.billing.tax import Buyer, TaxRule, Treatment
from comptoir.store.schema import (
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

CREDIT: dict[str, Mapped] = {
    "legal_entity": Mapped(legal_entity, LegalEntity, {}),
    "admission": Mapped(admission, Admission, {}),
    "tax_rule": Mapped(tax_rule, TaxRule, {}),
    "fx_rate": Mapped(fx_rate, FxRate, {}),
}
