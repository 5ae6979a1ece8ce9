"""SLA credits: what was delivered to a tenant in a month is found by the tenant.

Revision: 0018
Revises: 0017
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index."""
    op.create_index("allocation_by_tenant", "allocation", ["tenant_id", "fenced_at_ms"])
