"""Degraded nodes: checks are found by how they came out.

Revision: 0045
Revises: 0040
"""

from alembic import op

revision = "0045"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index."""
    op.create_index("node_check_by_outcome", "node_check", ["outcome", "checked_at_ms"])
