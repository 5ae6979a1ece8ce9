"""Conditions of supply, what a tenant and a lease ask of them, fabrics, and CPUs of nodes.

Revision: 0002
Revises: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What was supplied before has no condition; who asked before asks for none."""
    _add("tenant", "grants", sa.Text, "[]")
    _add("tenant", "residency", sa.String, "")
    _add("inbound_lease", "sold_to", sa.String, "everybody")
    _add("inbound_lease", "selling_windows", sa.Text, "[]")
    _add("inbound_lease", "grant", sa.String, "")
    _add("inbound_lease", "residency", sa.String, "")
    _add("node", "cpus", sa.Integer, "0")
    _add("lease", "residency", sa.String, "")
    op.create_table(
        "fabric",
        sa.Column("site", sa.String, primary_key=True),
        sa.Column("cluster", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("gbps", sa.Integer, nullable=False),
        sa.Column("between_racks", sa.String, nullable=False),
        sa.Column("between_pods", sa.String, nullable=False),
    )


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")


def _add(table: str, name: str, kind: Any, before: str) -> None:
    """A column that must be there, with what the rows before it get."""
    op.add_column(table, sa.Column(name, kind, nullable=False, server_default=before))
