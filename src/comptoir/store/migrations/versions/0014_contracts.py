"""Contracts, their versions, what was done under them, and how far bought supply is booked.

Revision: 0014
Revises: 0013
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing is agreed yet."""
    _contract()
    _version()
    op.create_table(
        "contract_act",
        sa.Column("id", sa.String, primary_key=True),
        *(_text(name) for name in ("contract_id", "type", "subject")),
        *(_big(name) for name in ("effective_at_ms", "noted_at_ms")),
        *(_text(name) for name in ("noted_by", "note")),
    )
    op.create_index(
        "contract_act_by_contract", "contract_act", ["contract_id", "noted_at_ms", "id"]
    )
    op.create_table(
        "supply_mark",
        sa.Column("contract_id", sa.String, primary_key=True),
        sa.Column("inbound_lease_id", sa.String, primary_key=True),
        _big("posted_until_ms"),
        sa.Column("numerator", _exact(), nullable=False),
        _big("posted_micros"),
    )
    _hold_append_only("contract_act")


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")


def _contract() -> None:
    op.create_table(
        "contract",
        sa.Column("id", sa.String, primary_key=True),
        *(_text(name) for name in ("number", "direction")),
        _text("tenant_id", null=True),
        *(_text(name) for name in ("partner", "entity_id", "currency", "created_by")),
        _big("created_at_ms"),
        sa.UniqueConstraint("number"),
        sa.CheckConstraint(
            "direction <> 'sold' OR tenant_id IS NOT NULL", name="contract_has_its_party"
        ),
    )
    op.create_index("contract_by_creation", "contract", ["created_at_ms", "id"])
    op.create_index("contract_by_tenant", "contract", ["tenant_id", "created_at_ms", "id"])


def _version() -> None:
    op.create_table(
        "contract_version",
        sa.Column("id", sa.String, primary_key=True),
        _text("contract_id"),
        sa.Column("number", sa.Integer, nullable=False),
        *(_big(name) for name in ("effective_from_ms", "until_ms")),
        *(_text(name) for name in ("state", "proposed_by")),
        _big("proposed_at_ms"),
        _text("approved_by", null=True),
        sa.Column("approved_at_ms", sa.BigInteger, nullable=True),
        *(_text(name) for name in ("text_sha256", "text")),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("contract_id", "number"),
        sa.CheckConstraint("approved_by <> proposed_by", name="contract_not_approved_by_proposer"),
    )


def _exact() -> Any:
    postgres = op.get_bind().dialect.name == "postgresql"
    return sa.Numeric(60, 0) if postgres else sa.Text()


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


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)
