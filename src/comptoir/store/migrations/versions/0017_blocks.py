"""Accruals know how much of them lies before the edge of credit that was booked later.

Revision: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column; nothing was cut before."""
    op.add_column("accrual", sa.Column("cuts", sa.Text, nullable=False, server_default="[]"))
