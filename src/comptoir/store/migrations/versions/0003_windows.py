"""Flexible starts, alternatives, series and holds of leases; settings; reclaims by day.

Revision: 0003
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Who asked before asked for one window, one way, and holds nothing."""
    for name, kind in (
        ("latest_start_ms", sa.BigInteger),
        ("duration_s", sa.Integer),
        ("preferred_shape", sa.String),
    ):
        op.add_column("lease", sa.Column(name, kind, nullable=True))
    op.add_column("lease", sa.Column("alternatives", sa.Text, nullable=False, server_default="[]"))
    op.add_column("lease", sa.Column("series", sa.String, nullable=True))
    op.add_column("lease", sa.Column("hold_until_ms", sa.BigInteger, nullable=True))
    op.add_column(
        "lease", sa.Column("hold_firm", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.add_column("lease", sa.Column("warned_end_ms", sa.BigInteger, nullable=True))
    op.create_index("lease_by_series", "lease", ["series"])
    op.create_table(
        "setting",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "reclaim_count",
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("day_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("reclaims", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")
