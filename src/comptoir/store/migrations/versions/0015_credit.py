"""What is held for leases on credit, budgets, and the project of a lease.

Revision: 0015
Revises: 0010
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing is held, and no lease has a project yet."""
    op.add_column("lease", sa.Column("project", sa.String, nullable=False, server_default=""))
    exact = sa.Numeric(60, 0) if op.get_bind().dialect.name == "postgresql" else sa.Text
    op.create_table(
        "credit_hold",
        *_key("lease_id"),
        *_text("tenant_id", "project", "kind", "lease_class", "currency"),
        *_big("price_nanos"),
        sa.Column("accelerator_ms", exact, nullable=False),
        *_big("starts_at_ms", "ends_at_ms"),
        *_maybe(sa.BigInteger, "until_ms"),
        sa.Column("released", sa.Boolean, nullable=False),
    )
    op.create_index("credit_hold_by_release", "credit_hold", ["released"])
    op.create_table(
        "budget",
        *_key("id"),
        *_text("tenant_id", "project", "currency"),
        *_big("amount_micros"),
        *_text("period"),
        *_json("thresholds"),
        *_text("when_spent"),
        sa.Column("by_house", sa.Boolean, nullable=False),
        *_text("set_by"),
        *_big("created_at_ms", "period_start_ms", "spent_micros"),
        sa.Column("warned_percent", sa.Integer, nullable=False),
        *_maybe(sa.BigInteger, "ended_at_ms"),
        sa.CheckConstraint("amount_micros > 0", name="budget_positive"),
    )
    op.create_index("budget_by_creation", "budget", ["created_at_ms", "id"])


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")


def _key(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, primary_key=True) for name in names]


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _json(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _big(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _maybe(kind: type[sa.types.TypeEngine[Any]], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=True) for name in names]
