"""Pricing: rates by site, term and tier, with a minimum and a granularity; charges that say all.

Columns are added, so no table is rebuilt and no trigger lost.

Revision: 0013
Revises: 0008
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is there was sold by the hour at its card's price, which was the list price."""
    _add("lease", term="hour")
    _add("rate", site="", term="hour", sku="accelerator")
    op.add_column("rate", sa.Column("tiers", sa.Text, nullable=False, server_default="[]"))
    for name in ("minimum_s", "granularity_s"):
        op.add_column("rate", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    _add("usage", site="", term="hour")
    _add("accrual", contract_version_id="")
    op.add_column("accrual", _exact("list_numerator"))
    _add("accrual", row="usage")
    op.execute("UPDATE accrual SET list_numerator = numerator")
    op.create_index("accrual_by_lease", "accrual", ["lease_id"])
    _charges()
    op.create_table(
        "tier_use",
        sa.Column("tenant_id", sa.String, primary_key=True),
        sa.Column("rate_id", sa.String, primary_key=True),
        sa.Column("period_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("prices", sa.String, primary_key=True),
        sa.Column("accelerator_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "top_up",
        sa.Column("lease_id", sa.String, primary_key=True),
        sa.Column("rate_id", sa.String, nullable=False),
        sa.Column("ends_at_ms", sa.BigInteger, nullable=False),
        sa.Column("site", sa.String, nullable=False),
        sa.Column("accelerators", sa.Integer, nullable=False),
        sa.Column("billed_accelerator_ms", sa.BigInteger, nullable=False),
        sa.Column("top_up_accelerator_ms", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")


def _charges() -> None:
    """What a charge asked was its list price; it is written down behind the trigger's back."""
    _add("charge", contract_version_id="")
    op.add_column(
        "charge", sa.Column("list_price_nanos", sa.BigInteger, nullable=False, server_default="0")
    )
    op.add_column("charge", _exact("list_numerator"))
    _add("charge", site="", term="hour", sku="accelerator", row="usage")
    postgresql = op.get_bind().dialect.name == "postgresql"
    off = "DROP TRIGGER charge_no_update"
    on = (
        "CREATE TRIGGER charge_no_update BEFORE UPDATE ON charge "
        "BEGIN SELECT RAISE(ABORT, 'charge is append-only'); END"
    )
    if postgresql:
        off, on = (f"ALTER TABLE charge {word} TRIGGER USER" for word in ("DISABLE", "ENABLE"))
    op.execute(off)
    op.execute("UPDATE charge SET list_price_nanos = price_nanos, list_numerator = numerator")
    op.execute(on)


def _add(table: str, **columns: str) -> None:
    for name, default in columns.items():
        op.add_column(table, sa.Column(name, sa.String, nullable=False, server_default=default))


def _exact(name: str) -> sa.Column[Any]:
    kind: Any = sa.Text
    if op.get_bind().dialect.name == "postgresql":
        kind = sa.Numeric(60, 0)
    return sa.Column(name, kind, nullable=False, server_default="0")
