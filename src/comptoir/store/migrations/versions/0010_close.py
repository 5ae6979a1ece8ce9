"""The close: periods, drafts, what became of invoices, credit notes, numbers per legal entity.

An invoice now says who sells and buys, what taxes it asks and when it is due; its number is
unique in its entity. So its table is made anew, with its triggers: what was issued until now was
issued by the house.

Revision: 0010
Revises: 0014
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0014"
branch_labels = None
depends_on = None

HOUSE = "le_house"
DUE_AFTER_MS = 30 * 86_400_000


def upgrade() -> None:
    """Every invoice gets its entity and its status; every series its entity."""
    op.add_column(
        "billing_mark",
        sa.Column("closed_until_ms", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_index("drawdown_by_invoice", "drawdown", ["invoice_id"])
    _periods()
    _drafts()
    _statuses()
    _credit_notes()
    _invoices()
    _series()
    op.create_table(
        "billed_key", sa.Column("key", sa.String, primary_key=True), *_text("invoice_id")
    )
    op.create_index("accrual_by_tenant", "accrual", ["tenant_id", "service_month_ms"])


def downgrade() -> None:
    """Restore the backup that was taken before."""
    raise NotImplementedError("restore a backup instead")


def _periods() -> None:
    op.create_table(
        "period",
        sa.Column("id", sa.String, primary_key=True),
        *_text("entity_id", "name"),
        *_big("starts_at_ms", "ends_at_ms"),
        *_text("state"),
        *_big("closing_since_ms"),
        *_text("closed_by"),
        sa.Column("closed_at_ms", sa.BigInteger, nullable=True),
        *_integer("slices", "tenants", "drafts"),
        *_big("accruals"),
        sa.UniqueConstraint("entity_id", "starts_at_ms"),
        sa.CheckConstraint("ends_at_ms > starts_at_ms", name="period_window"),
    )


def _drafts() -> None:
    op.create_table(
        "invoice_draft",
        sa.Column("id", sa.String, primary_key=True),
        *_text("entity_id", "tenant_id", "kind"),
        sa.Column("period_id", sa.String, nullable=True),
        *_text("currency", "state"),
        *_big("starts_at_ms", "ends_at_ms", "drawn_up_at_ms", "unbilled_micros"),
        *_long("lines", "taxes"),
    )
    op.create_index("invoice_draft_by_state", "invoice_draft", ["state"])
    op.create_index("invoice_draft_by_drawing", "invoice_draft", ["drawn_up_at_ms", "id"])


def _statuses() -> None:
    op.create_table(
        "invoice_status",
        sa.Column("invoice_id", sa.String, primary_key=True),
        *_text("number", "entity_id", "tenant_id", "kind", "currency", "state"),
        *_big("issued_at_ms", "due_at_ms", "total_micros"),
        *_big("paid_micros", "credited_micros", "disputed_micros"),
        *_long("credited_by_line"),
        *_big("rate_nanos", "revalued_micros"),
        sa.CheckConstraint(
            "paid_micros >= 0 AND paid_micros <= total_micros "
            "AND credited_micros >= 0 AND credited_micros <= total_micros",
            name="invoice_status_adds_up",
        ),
    )
    op.create_index("invoice_status_by_state", "invoice_status", ["state"])
    op.create_index("invoice_status_by_number", "invoice_status", ["number"])


def _credit_notes() -> None:
    op.create_table(
        "credit_note",
        sa.Column("id", sa.String, primary_key=True),
        *_text("number", "entity_id", "series"),
        *_integer("sequence"),
        *_text("tenant_id", "invoice_id", "invoice_number", "currency"),
        *_big("issued_at_ms"),
        *_text("issued_by", "reason"),
        *_long("lines", "taxes"),
        *_big("total_micros", "returned_micros"),
        sa.UniqueConstraint("entity_id", "series", "sequence"),
    )
    op.create_index("credit_note_by_issue", "credit_note", ["issued_at_ms", "id"])
    op.create_index("credit_note_by_invoice", "credit_note", ["invoice_id"])
    _hold_append_only("credit_note")


def _invoices() -> None:
    """A table of the new form, with what the old one held."""
    op.drop_index("invoice_by_issue", "invoice")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER invoice_append_only ON invoice")
    else:
        op.execute("DROP TRIGGER invoice_no_update")
        op.execute("DROP TRIGGER invoice_no_delete")
    op.rename_table("invoice", "invoice_before")
    op.create_table(
        "invoice",
        sa.Column("id", sa.String, primary_key=True),
        *_text("number", "entity_id", "series"),
        *_integer("sequence"),
        *_text("kind", "tenant_id"),
        sa.Column("period_id", sa.String, nullable=True),
        *_text("currency"),
        *_big("starts_at_ms", "ends_at_ms", "issued_at_ms", "due_at_ms", "total_micros"),
        *_long("lines", "taxes", "seller", "buyer"),
        sa.UniqueConstraint("entity_id", "series", "sequence"),
        sa.UniqueConstraint("entity_id", "number"),
    )
    op.create_index("invoice_by_issue", "invoice", ["issued_at_ms", "id"])
    op.create_index("invoice_by_number", "invoice", ["number"])
    _move_invoices()
    op.drop_table("invoice_before")
    _hold_append_only("invoice")


def _move_invoices() -> None:
    connection = op.get_bind()
    names = {row.id: row.name for row in connection.execute(sa.text("SELECT id, name FROM tenant"))}
    new = sa.table("invoice", *(sa.column(name) for name in _INVOICE))
    status = sa.table("invoice_status", *(sa.column(name) for name in _STATUS))
    for row in connection.execute(sa.text("SELECT * FROM invoice_before")).mappings().all():
        due = row["issued_at_ms"] + DUE_AFTER_MS
        kept = {name: row[name] for name in _INVOICE if name in row}
        connection.execute(
            new.insert().values(
                **kept, entity_id=HOUSE, due_at_ms=due, taxes="[]", seller=_party("House"),
                buyer=_party(names[row["tenant_id"]]),
            )
        )  # fmt: skip
        state = "paid" if row["kind"] == "chargeback" or not row["total_micros"] else "finalised"
        kept = {name: row[name] for name in _STATUS if name in row}
        connection.execute(
            status.insert().values(
                **kept, invoice_id=row["id"], entity_id=HOUSE, state=state, due_at_ms=due,
                paid_micros=0, credited_micros=0, disputed_micros=0, rate_nanos=0,
                revalued_micros=0, credited_by_line=json.dumps([0] * len(json.loads(row["lines"]))),
            )
        )  # fmt: skip


def _party(name: str) -> str:
    return json.dumps({"address": [], "country": "", "name": name, "tax_id": ""})


_INVOICE = (
    "id", "number", "entity_id", "series", "sequence", "kind", "tenant_id", "currency",
    "starts_at_ms", "ends_at_ms", "issued_at_ms", "due_at_ms", "total_micros", "lines", "taxes",
    "seller", "buyer",
)  # fmt: skip
_STATUS = (
    "invoice_id", "number", "entity_id", "tenant_id", "kind", "currency", "state",
    "issued_at_ms", "due_at_ms", "total_micros", "paid_micros", "credited_micros",
    "disputed_micros", "credited_by_line", "rate_nanos", "revalued_micros",
)  # fmt: skip


def _series() -> None:
    op.create_table(
        "number_series",
        sa.Column("entity_id", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        *_integer("last"),
    )
    op.execute(
        "INSERT INTO number_series (entity_id, name, last) "
        f"SELECT '{HOUSE}', name, last FROM series"
    )
    op.drop_table("series")


def _hold_append_only(table: str) -> None:
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


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _long(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _big(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _integer(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]
