"""Entitlements, policies of classes, and on what each lease stands.

Revision: 0004
Revises: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What stands already was sold for good, and has no minimum runtime."""
    for name in ("lent", "borrowed", "recall"):
        _add("lease", name, sa.Boolean, sa.false())
    _add("lease", "minimum_runtime_s", sa.Integer, "0")
    op.create_table(
        "lending_mark",
        sa.Column("tenant_id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("settled_until_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "class_policy",
        sa.Column("lease_class", sa.String, primary_key=True),
        sa.Column("notice_s", sa.Integer, nullable=False),
        sa.Column("minimum_runtime_s", sa.Integer, nullable=False),
        sa.Column("ageing_s", sa.Integer, nullable=False),
    )
    _entitlement()


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")


def _entitlement() -> None:
    op.create_table(
        "entitlement",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("tenant_id", sa.String, nullable=True),
        *(sa.Column(name, sa.String, nullable=False) for name in ("group", "parent")),
        *(sa.Column(name, sa.String, nullable=False) for name in ("kind", "site")),
        sa.Column("accelerators", sa.Integer, nullable=False),
        sa.Column("starts_at_ms", sa.BigInteger, nullable=False),
        sa.Column("ends_at_ms", sa.BigInteger, nullable=True),
        sa.Column("lend_limit", sa.Integer, nullable=True),
        sa.Column("borrow_limit", sa.Integer, nullable=True),
        sa.Column("lender_share_bps", sa.Integer, nullable=False),
        sa.Column("set_by", sa.String, nullable=False),
        sa.Column("set_at_ms", sa.BigInteger, nullable=False),
        sa.CheckConstraint("accelerators > 0", name="entitlement_has_accelerators"),
        sa.CheckConstraint(
            "ends_at_ms IS NULL OR ends_at_ms >= starts_at_ms", name="entitlement_window"
        ),
    )
    op.create_index("entitlement_by_tenant", "entitlement", ["tenant_id", "starts_at_ms", "id"])
    op.create_index("entitlement_by_start", "entitlement", ["starts_at_ms", "id"])


def _add(table: str, name: str, kind: Any, before: Any) -> None:
    """A column that must be there, with what the rows before it get."""
    op.add_column(table, sa.Column(name, kind, nullable=False, server_default=before))
