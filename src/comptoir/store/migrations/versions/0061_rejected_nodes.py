"""Leases name the nodes that their holders sent back.

Revision: 0061
Revises: 0060
"""

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What was sent back before is known by number only."""
    op.add_column("lease", sa.Column("rejected", sa.Text, nullable=False, server_default="[]"))


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")
