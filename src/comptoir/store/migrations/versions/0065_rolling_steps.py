"""A step of a commitment says itself what of it rolls over: it does within its month, too.

Revision: 0065
Revises: 0070
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0065"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two columns, told from the newest version that governs the end of each open step."""
    for column in (
        sa.Column("rollover_ppm", sa.Integer, nullable=False, server_default="0"),
        sa.Column("rollover_s", sa.BigInteger, nullable=False, server_default="0"),
    ):
        op.add_column("credit_block", column)
    connection = op.get_bind()
    open_steps = connection.execute(
        sa.text(
            "SELECT id, contract_id, commitment_id, until_ms FROM credit_block"
            " WHERE source = 'commitment' AND state = 'open'"
        )
    ).all()
    for block_id, contract_id, commitment_id, until_ms in open_steps:
        body = connection.execute(
            sa.text(
                "SELECT body FROM contract_version WHERE contract_id = :contract"
                " AND state = 'approved' AND effective_from_ms < :until"
                " ORDER BY number DESC LIMIT 1"
            ),
            {"contract": contract_id, "until": until_ms},
        ).scalar()
        name = commitment_id.partition("/")[2]
        for said in json.loads(body)["commitments"] if body else ():
            if said["name"] == name and said["rollover_ppm"]:
                connection.execute(
                    sa.text(
                        "UPDATE credit_block SET rollover_ppm = :ppm, rollover_s = :seconds"
                        " WHERE id = :id"
                    ),
                    {"ppm": said["rollover_ppm"], "seconds": said["rollover_s"], "id": block_id},
                )


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")
