"""What rates of exchange made of invoices is realised when they are paid.

Revision: 0070
Revises: 0075
"""

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0075"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing was realised of what was paid before, and nobody knows what it was worth."""
    for table, column in (("payment", "worth_micros"), ("invoice_status", "realised_micros")):
        op.add_column(table, sa.Column(column, sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")
