"""Openings: what entities bring from other systems, word for word and item by item.

Revision: 0030
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Four tables, empty; every invoice so far was issued here."""
    op.add_column("invoice", sa.Column("opening_id", sa.String, nullable=True))
    op.create_table(
        "opening",
        sa.Column("id", sa.String, primary_key=True),
        *_text("entity_id", "name", "source"),
        *_big("cut_over_ms"),
        *_text("state", "sha256"),
        sa.Column("files", sa.Text, nullable=False),
        sa.Column("totals", sa.Text, nullable=False),
        sa.Column("total_items", sa.Integer, nullable=False),
        sa.Column("done_items", sa.Integer, nullable=False),
        *_text("proposed_by"),
        *_big("proposed_at_ms"),
        sa.Column("approved_by", sa.String, nullable=True),
        sa.Column("approved_at_ms", sa.BigInteger, nullable=True),
        sa.Column("brought_at_ms", sa.BigInteger, nullable=True),
        sa.CheckConstraint("approved_by <> proposed_by", name="opening_not_approved_by_proposer"),
        sa.CheckConstraint(
            "done_items >= 0 AND done_items <= total_items", name="opening_brings_its_items"
        ),
    )
    op.create_index("opening_by_proposal", "opening", ["proposed_at_ms", "id"])
    op.create_table(
        "opening_text",
        sa.Column("opening_id", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "brought_item",
        sa.Column("opening_id", sa.String, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        *_text("brings", "subject", "currency"),
        *_big("micros"),
        *_text("file"),
        sa.Column("line", sa.Integer, nullable=False),
    )
    op.create_table(
        "brought_contract",
        sa.Column("contract_id", sa.String, primary_key=True),
        *_text("opening_id"),
        *_big("cut_over_ms"),
    )
    for table in ("opening_text", "brought_item"):
        _hold_append_only(table)


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")


def _hold_append_only(name: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE ON {name} "
            "FOR EACH ROW EXECUTE FUNCTION append_only()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {name}_no_{verb.lower()} BEFORE {verb} ON {name} "
            f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
        )


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _big(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]
