"""Payments know their file, account and references, what of them bounced, and their credit.

Revision: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Six columns and three indexes; payments from before have none of it."""
    for name in ("file", "account", "end_to_end", "bank_reference"):
        op.add_column("payment", sa.Column(name, sa.String, nullable=False, server_default=""))
    op.add_column(
        "payment", sa.Column("bounced_micros", sa.BigInteger, nullable=False, server_default="0")
    )
    op.add_column("payment", sa.Column("blocks", sa.Text, nullable=False, server_default="[]"))
    op.create_index("payment_by_amount", "payment", ["entity_id", "micros", "value_at_ms"])
    op.create_index("payment_by_tenant", "payment", ["tenant_id", "booked_at_ms"])
    op.create_index("payment_by_end_to_end", "payment", ["end_to_end"])
