"""The tables of entitlements and of policy. `tables.py` pairs them with their values."""

from sqlalchemy import CheckConstraint, Column, Index, Table

from comptoir.leases.lease import LeaseClass
from comptoir.store.schema import Word, _id, _int, _ms, _text, metadata

lending_mark = Table(
    "lending_mark", metadata, _id("tenant_id"), _id("kind"), _ms("settled_until_ms")
)
entitlement = Table(
    "entitlement",
    metadata,
    _id(),
    _text("tenant_id", null=True),
    _text("group"),
    _text("parent"),
    _text("kind"),
    _text("site"),
    _int("accelerators"),
    _ms("starts_at_ms"),
    _ms("ends_at_ms", null=True),
    _int("lend_limit", null=True),
    _int("borrow_limit", null=True),
    _int("lender_share_bps"),
    _text("set_by"),
    _ms("set_at_ms"),
    CheckConstraint("accelerators > 0", name="entitlement_has_accelerators"),
    CheckConstraint("ends_at_ms IS NULL OR ends_at_ms >= starts_at_ms", name="entitlement_window"),
    Index("entitlement_by_tenant", "tenant_id", "starts_at_ms", "id"),
    Index("entitlement_by_start", "starts_at_ms", "id"),
)
class_policy = Table(
    "class_policy",
    metadata,
    Column("lease_class", Word(LeaseClass), primary_key=True),
    _int("notice_s"),
    _int("minimum_runtime_s"),
    _int("ageing_s"),
)
