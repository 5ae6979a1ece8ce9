"""Acts on money that two people agree to.

Revision: 0046
Revises: 0045
"""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables, empty."""
    op.create_table(
        "approval",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("tenant_id", sa.String, nullable=True),
        *(
            sa.Column(name, sa.String, nullable=False)
            for name in ("subject", "summary", "asked_by")
        ),
        sa.Column("asked_at_ms", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("decided_by", sa.String, nullable=True),
        sa.Column("decided_at_ms", sa.BigInteger, nullable=True),
        sa.Column("made", sa.String, nullable=False),
    )
    op.create_index("approval_by_asking", "approval", ["asked_at_ms", "id"])
    op.create_index("approval_by_state", "approval", ["state"])
    op.create_table(
        "wanted_act",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("act", sa.Text, nullable=False),
    )
