"""Subscriptions to notices, and their deliveries.

Revision: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody is subscribed yet."""
    op.create_table(
        "subscription",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("tenant_id", sa.String, nullable=True),
        *_text("kind", "target"),
        sa.Column("types", sa.Text, nullable=False),
        *_text("note", "created_by"),
        *_big("created_at_ms"),
        *_text("state"),
        *_big("cursor"),
        *_text("key_mark", "reason"),
        sa.Column("again", sa.Text, nullable=False),
        *_integer("failures"),
        *_big("next_try_at_ms"),
        *_integer("deliveries", "generation"),
        sa.Column("previous_until_ms", sa.BigInteger, nullable=True),
        sa.CheckConstraint("generation > 0", name="subscription_has_a_secret"),
    )
    op.create_index("subscription_by_creation", "subscription", ["created_at_ms", "id"])
    op.create_table(
        "delivery",
        sa.Column("subscription_id", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        *_big("event_seq"),
        *_integer("notices"),
        *_flag("again"),
        *_big("at_ms"),
        *_integer("took_ms"),
        *_flag("delivered"),
        sa.Column("status", sa.Integer, nullable=True),
        *_text("detail"),
    )
    op.create_index("delivery_by_age", "delivery", ["at_ms"])


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _big(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _integer(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def _flag(*names: str) -> list[sa.Column[bool]]:
    return [sa.Column(name, sa.Boolean, nullable=False) for name in names]
