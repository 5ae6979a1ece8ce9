"""Acts that wait for an approval can lapse, and say why.

Revision: 0075
Revises: 0055
"""

import sqlalchemy as sa
from alembic import op

revision = "0075"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column; none has lapsed yet."""
    op.add_column("approval", sa.Column("because", sa.String, nullable=False, server_default=""))
