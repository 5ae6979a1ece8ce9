"""Checks that a node owes, and those that failed and have not passed since.

Revision: 0040
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nodes in quarantine owe their checks; of earlier ones only the last word is known."""
    op.add_column(
        "node", sa.Column("owes_checks", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.add_column("node", sa.Column("failed_checks", sa.Text, nullable=False, server_default="[]"))
    op.execute("UPDATE node SET owes_checks = (state = 'checking')")


def downgrade() -> None:
    """What a node owes would be lost: restore a backup."""
    raise NotImplementedError("restore a backup instead")
