"""When what was brought is to be paid: payables of another system keep their days.

Revision: 0055
Revises: 0050
"""

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing that was brought before has a day."""
    op.add_column("brought_item", sa.Column("due_at_ms", sa.BigInteger, nullable=True))


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")
