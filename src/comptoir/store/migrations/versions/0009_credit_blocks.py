"""Credit blocks, and what was drawn of them.

Revision: 0009
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody has credit yet."""
    op.create_table(
        "credit_block",
        sa.Column("id", sa.String, primary_key=True),
        _text("tenant_id"),
        _text("contract_id", null=True),
        _text("commitment_id", null=True),
        _text("source"),
        _text("currency"),
        *(_big(name) for name in ("granted_micros", "drawn_micros", "expired_micros")),
        _big("from_ms"),
        _big("until_ms", null=True),
        sa.Column("priority", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("covers", "conditions")),
        _text("state"),
        _big("created_at_ms"),
        sa.CheckConstraint("granted_micros > 0", name="credit_block_grants"),
        sa.CheckConstraint(
            "drawn_micros >= 0 AND drawn_micros <= granted_micros",
            name="credit_block_not_overdrawn",
        ),
        sa.CheckConstraint(
            "expired_micros >= 0 AND expired_micros <= granted_micros", name="credit_block_expiry"
        ),
    )
    op.create_index("credit_block_by_tenant", "credit_block", ["tenant_id", "created_at_ms", "id"])
    op.create_index("credit_block_by_creation", "credit_block", ["created_at_ms", "id"])
    op.create_table(
        "drawdown",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        *(_text(name) for name in ("block_id", "tenant_id", "subject", "currency")),
        *(_big(name) for name in ("micros", "from_ms", "until_ms", "booked_at_ms")),
        _text("invoice_id", null=True),
        sa.CheckConstraint("micros <> 0", name="drawdown_not_zero"),
    )
    op.create_index("drawdown_by_block", "drawdown", ["block_id", "seq"])
    op.create_index("drawdown_by_tenant", "drawdown", ["tenant_id", "seq"])
    op.create_index("drawdown_by_subject", "drawdown", ["subject"])
    _hold_append_only("drawdown")


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")


def _hold_append_only(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION append_only()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _text(name: str, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String, nullable=null)


def _big(name: str, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=null)
