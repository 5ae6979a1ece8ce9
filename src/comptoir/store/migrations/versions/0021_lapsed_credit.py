"""Credit that was prepaid and lapsed: late usage of its window draws it still.

Of what had expired by then, that is what did not roll over.

Revision: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column, told from what expired and what rolled over."""
    op.add_column(
        "credit_block",
        sa.Column("lapsed_micros", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.execute(
        """
        UPDATE credit_block SET lapsed_micros = expired_micros - coalesce(
            (SELECT sum(r.granted_micros) FROM credit_block r
             WHERE r.source = 'rollover' AND r.commitment_id = credit_block.commitment_id
                AND r.from_ms = credit_block.until_ms), 0)
        WHERE state = 'expired' AND source IN ('commitment', 'rollover') AND tenant_id <> ''
        """
    )


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")
