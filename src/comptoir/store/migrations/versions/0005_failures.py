"""Failures: states of nodes with their reasons, checks with evidence, broken guarantees.

Columns of `node`, `allocation` and `lease` are added, so no table is rebuilt and no trigger lost.

Revision: 0005
Revises: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand."""
    _columns()
    _breaches()
    _checks()
    _triggers()


def downgrade() -> None:
    """Rows of nodes and breaches would be lost: restore a backup."""
    raise NotImplementedError("restore a backup instead")


def _columns() -> None:
    """What is there already was in service since the beginning, and accepted when delivered."""
    given: dict[str, tuple[type[sa.types.TypeEngine[Any]], Any]] = {
        "state_since_ms": (sa.BigInteger, "0"),
        "because": (sa.String, ""),
        "drained": (sa.Boolean, sa.false()),
        "spare": (sa.Boolean, sa.false()),
        "gated": (sa.Boolean, sa.false()),
        "fence_after_s": (sa.Integer, "300"),
        "accept_within_s": (sa.Integer, "0"),
    }
    for name, (kind, default) in given.items():
        op.add_column("node", sa.Column(name, kind, nullable=False, server_default=default))
    for name in ("fence_at_ms", "maintenance_from_ms", "maintenance_until_ms"):
        op.add_column("node", sa.Column(name, sa.BigInteger, nullable=True))
    op.execute("UPDATE node SET drained = (state = 'draining')")
    op.add_column("allocation", sa.Column("accepted_at_ms", sa.BigInteger, nullable=True))
    op.execute("UPDATE allocation SET accepted_at_ms = delivered_from_ms")
    op.add_column("lease", sa.Column("lost", sa.Text, nullable=False, server_default="[]"))
    op.add_column("lease", sa.Column("rejections", sa.Integer, nullable=False, server_default="0"))


def _breaches() -> None:
    op.create_table(
        "breach",
        sa.Column("id", sa.String, primary_key=True),
        *[
            sa.Column(name, sa.String, nullable=False)
            for name in (
                "lease_id", "tenant_id", "lease_class", "kind", "shape", "node_id", "cause",
                "because",
            )
        ],
        *[
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("accelerators", "nodes", "gang_accelerators")
        ],
        sa.Column("failed_at_ms", sa.BigInteger, nullable=False),
        sa.Column("broken_from_ms", sa.BigInteger, nullable=False),
        sa.Column("promised_until_ms", sa.BigInteger, nullable=True),
        sa.Column("billed_accelerator_ms", sa.BigInteger, nullable=False),
        sa.Column("broken_until_ms", sa.BigInteger, nullable=True),
        sa.Column("accelerator_ms", sa.BigInteger, nullable=False),
        sa.Column("replaced_by", sa.String, nullable=True),
        sa.CheckConstraint("accelerators > 0", name="breach_has_accelerators"),
    )  # fmt: skip
    op.create_index("breach_by_start", "breach", ["broken_from_ms", "id"])
    op.create_index("breach_by_lease", "breach", ["lease_id"])
    op.create_index("breach_by_end", "breach", ["broken_until_ms"])


def _checks() -> None:
    op.create_table(
        "node_check",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        *[sa.Column(name, sa.String, nullable=False) for name in ("node_id", "name", "outcome")],
        sa.Column("evidence", sa.String, nullable=False),
        sa.Column("checked_at_ms", sa.BigInteger, nullable=False),
        sa.Column("received_at_ms", sa.BigInteger, nullable=False),
        sa.Column("reported_by", sa.String, nullable=False),
    )
    op.create_index("node_check_by_node", "node_check", ["node_id", "seq"])


def _triggers() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _postgres_triggers()
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER node_check_no_{verb.lower()} BEFORE {verb} ON node_check "
            "BEGIN SELECT RAISE(ABORT, 'node_check is append-only'); END"
        )
    op.execute(
        "CREATE TRIGGER breach_final BEFORE UPDATE ON breach WHEN OLD.broken_until_ms IS NOT NULL "
        "BEGIN SELECT RAISE(ABORT, 'breach is final once closed'); END"
    )
    op.execute(
        "CREATE TRIGGER breach_kept BEFORE DELETE ON breach "
        "BEGIN SELECT RAISE(ABORT, 'breach is append-only'); END"
    )


def _postgres_triggers() -> None:
    op.execute(
        "CREATE TRIGGER node_check_append_only BEFORE UPDATE OR DELETE ON node_check "
        "FOR EACH ROW EXECUTE FUNCTION append_only()"
    )
    op.execute(
        "CREATE TRIGGER breach_final BEFORE UPDATE ON breach FOR EACH ROW "
        "WHEN (OLD.broken_until_ms IS NOT NULL) EXECUTE FUNCTION append_only()"
    )
    op.execute(
        "CREATE TRIGGER breach_kept BEFORE DELETE ON breach "
        "FOR EACH ROW EXECUTE FUNCTION append_only()"
    )
