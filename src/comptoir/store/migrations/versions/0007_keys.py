"""Keys remember with which key they were issued.

Revision: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of the keys that are there already nobody knows."""
    op.add_column("api_key", sa.Column("issued_with", sa.String, nullable=True))


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")
