"""Receipts: payments with what they pay, disputes, and how often invoices were asked for again.

Revision: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Four tables, empty."""
    op.create_table(
        "payment",
        sa.Column("id", sa.String, primary_key=True),
        *_text("entity_id", "entry_id", "statement"),
        *_big("value_at_ms", "booked_at_ms", "micros"),
        *_text("currency", "reference", "payer"),
        sa.Column("tenant_id", sa.String, nullable=True),
        *_text("state"),
        sa.Column("parts", sa.Text, nullable=False),
        *_big("left_micros", "refunded_micros", "topped_up_micros"),
        *_text("about"),
        sa.UniqueConstraint("entity_id", "entry_id"),
        sa.CheckConstraint("left_micros >= 0", name="payment_left_not_negative"),
    )
    op.create_index("payment_by_booking", "payment", ["booked_at_ms", "id"])
    op.create_index("payment_by_left", "payment", ["left_micros"])
    op.create_table(
        "dispute",
        sa.Column("id", sa.String, primary_key=True),
        *_text("invoice_id", "tenant_id"),
        sa.Column("line", sa.Integer, nullable=False),
        *_big("micros", "gross_micros"),
        *_text("reason", "opened_by"),
        *_big("opened_at_ms"),
        *_text("state"),
        sa.Column("resolved_by", sa.String, nullable=True),
        sa.Column("resolved_at_ms", sa.BigInteger, nullable=True),
        *_text("resolution"),
        sa.CheckConstraint("micros > 0", name="dispute_positive"),
    )
    op.create_index("dispute_by_opening", "dispute", ["opened_at_ms", "id"])
    op.create_index("dispute_by_state", "dispute", ["state"])
    op.create_table(
        "dunned",
        sa.Column("invoice_id", sa.String, primary_key=True),
        sa.Column("steps", sa.Integer, nullable=False),
        *_big("last_at_ms"),
    )
    op.create_table(
        "dunning_policy",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("steps", sa.Text, nullable=False),
    )


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _big(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]
