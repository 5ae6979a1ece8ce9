"""Legal entities say after how many days their invoices are due.

Revision: 0031
Revises: 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Thirty, as it was for all."""
    op.add_column(
        "legal_entity", sa.Column("payment_days", sa.Integer, nullable=False, server_default="30")
    )
