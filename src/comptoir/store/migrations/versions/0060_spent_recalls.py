"""Leases keep their recall clause while their contract's number of recalls is used up.

Revision: 0060
Revises: 0065
"""

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0065"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column; the first turn marks those whose contract allows no more this year."""
    op.add_column(
        "lease", sa.Column("recall_spent", sa.Boolean, nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")
