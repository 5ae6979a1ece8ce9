"""Drafts say how far their usage has drawn on credit, so that it is done in slices.

Revision: 0050
Revises: 0046
"""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column; no draft has begun."""
    op.add_column("invoice_draft", sa.Column("drawing", sa.Text, nullable=True))


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")
