"""Legal entities, admissions of customers, imported taxes and rates of exchange.

Revision: 0008
Revises: 0009
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A book that is open gets the house's entity; who buys, goes on as before."""
    _entities()
    _admissions()
    _imported()
    op.execute(
        "INSERT INTO legal_entity (id, slug, name, address, country, currency, zone, tax_ids, "
        "iban, bic, invoice_series, credit_note_series, admission_required, created_at_ms) "
        "SELECT 'le_house', 'house', 'House', '[]', '', currency, 'UTC', '[]', '', '', "
        "'{tenant}-{year}', 'CN-{tenant}-{year}', false, created_at_ms "
        "FROM rate_card ORDER BY created_at_ms, id LIMIT 1"
    )


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")


def _entities() -> None:
    op.create_table(
        "legal_entity",
        sa.Column("id", sa.String, primary_key=True),
        *_text("slug", "name"),
        *_json("address"),
        *_text("country", "currency", "zone"),
        *_json("tax_ids"),
        *_text("iban", "bic", "invoice_series", "credit_note_series"),
        sa.Column("admission_required", sa.Boolean, nullable=False),
        *_big("created_at_ms"),
        sa.UniqueConstraint("slug"),
    )


def _admissions() -> None:
    op.create_table(
        "admission",
        sa.Column("tenant_id", sa.String, primary_key=True),
        *_text("entity_id", "legal_name"),
        *_json("address"),
        *_text("country", "tax_id"),
        sa.Column("is_business", sa.Boolean, nullable=False),
        *_text("exemption", "currency", "terms_version", "state"),
        *_big("invited_at_ms"),
        *_text("invited_by"),
        *_maybe(sa.BigInteger, "accepted_at_ms"),
        *_maybe(sa.String, "accepted_by"),
        *_maybe(sa.BigInteger, "screened_at_ms"),
        *_maybe(sa.String, "screened_by"),
        *_text("screening_evidence"),
        *_maybe(sa.BigInteger, "proposed_limit_micros", "credit_limit_micros", "decided_at_ms"),
        *_maybe(sa.String, "decided_by"),
        *_text("because"),
        *_maybe(sa.BigInteger, "low_at_ms"),
        sa.CheckConstraint("credit_limit_micros >= 0", name="admission_limit_not_negative"),
        sa.CheckConstraint(
            "state <> 'admitted' OR decided_by <> invited_by",
            name="admission_not_admitted_by_its_writer",
        ),
    )


def _imported() -> None:
    op.create_table(
        "tax_rule",
        *_key("seller", "buyer_country", "buyer"),
        sa.Column("from_day_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        *_text("treatment"),
        sa.Column("rate_ppm", sa.Integer, nullable=False),
        *_text("note", "source"),
        *_big("imported_at_ms"),
        *_text("imported_by"),
        sa.CheckConstraint("rate_ppm >= 0", name="tax_rule_rate_not_negative"),
    )
    op.create_table(
        "fx_rate",
        *_key("base", "quote"),
        sa.Column("day_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        *_big("rate_nanos"),
        *_text("source"),
        *_big("imported_at_ms"),
        *_text("imported_by"),
        sa.CheckConstraint("rate_nanos > 0", name="fx_rate_positive"),
    )
    for table in ("tax_rule", "fx_rate"):
        _append_only(table)


def _append_only(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION append_only()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _key(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, primary_key=True) for name in names]


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _json(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _big(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _maybe(kind: type[sa.types.TypeEngine[Any]], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=True) for name in names]
