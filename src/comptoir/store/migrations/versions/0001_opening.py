"""The first schema: every table of the book, and the triggers that hold some append-only.

Revision: 0001
Revises: nothing
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("event", "usage", "charge", "entry", "posting", "invoice")
_EXACT = sa.Text().with_variant(sa.Numeric(60, 0), "postgresql")


def upgrade() -> None:
    """Make every table of an empty database."""
    _people()
    _supply()
    _prices()
    _leases()
    _work()
    _money()
    _observations()
    _ledger()
    _book()
    _triggers()


def downgrade() -> None:
    """There is nothing before the first schema: restore a backup."""
    raise NotImplementedError("restore a backup instead")


def _triggers() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
        for name in APPEND_ONLY:
            op.execute(
                f"CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE ON {name} "
                "FOR EACH ROW EXECUTE FUNCTION append_only()"
            )
        return
    for name in APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {name}_no_{verb.lower()} BEFORE {verb} ON {name} "
                f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
            )


def _big(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _big_or_null(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger, nullable=True) for name in names]


def _bytes(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.LargeBinary, nullable=False) for name in names]


def _exact(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, _EXACT, nullable=False) for name in names]


def _flag(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Boolean, nullable=False) for name in names]


def _integer(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def _integer_or_null(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Integer, nullable=True) for name in names]


def _json(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _key(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String, primary_key=True) for name in names]


def _text(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _text_or_null(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String, nullable=True) for name in names]


def _people() -> None:
    op.create_table(
        "tenant",
        *_key("id"),
        *_text("slug", "name", "kind", "state", "rate_card_id"),
        *_big("created_at_ms"),
        sa.UniqueConstraint("slug"),
    )
    op.create_table(
        "quota",
        *_key("tenant_id", "kind"),
        *_big("accelerators"),
        sa.CheckConstraint("accelerators >= 0", name="quota_not_negative"),
    )
    op.create_table(
        "user_account",
        *_key("id"),
        *_text("name"),
        *_text_or_null("tenant_id"),
        *_json("roles"),
        *_flag("disabled"),
        *_big("created_at_ms"),
    )
    op.create_table(
        "api_key",
        *_key("id"),
        *_text("user_id", "prefix", "secret_sha256", "note"),
        *_big("created_at_ms"),
        *_big_or_null("expires_at_ms", "revoked_at_ms"),
        sa.UniqueConstraint("prefix"),
    )


def _supply() -> None:
    op.create_table(
        "inbound_lease",
        *_key("id"),
        *_text("name", "partner", "kind"),
        *_big("starts_at_ms"),
        *_big_or_null("ends_at_ms"),
        *_big("cost_nanos"),
        *_text("currency", "state"),
    )
    op.create_table(
        "node",
        *_key("id"),
        *_text("name", "inbound_lease_id", "kind"),
        *_integer("accelerators"),
        *_big("memory_bytes"),
        *_text("engine", "site", "cluster", "pod", "rack", "state"),
        sa.CheckConstraint("accelerators > 0", name="node_has_accelerators"),
    )
    op.create_table(
        "runtime",
        *_key("id"),
        *_text("name"),
        *_json("paths", "environment"),
        *_flag("retired"),
        *_big("created_at_ms"),
    )


def _prices() -> None:
    op.create_table(
        "rate_card",
        *_key("id"),
        *_text("name", "currency"),
        *_big("created_at_ms"),
    )
    op.create_table(
        "rate",
        *_key("id"),
        *_text("rate_card_id", "kind", "lease_class", "measure"),
        *_big("price_nanos", "effective_from_ms"),
        *_text("state", "proposed_by"),
        *_text_or_null("approved_by"),
        *_big_or_null("approved_at_ms"),
        sa.CheckConstraint("approved_by <> proposed_by", name="rate_not_approved_by_proposer"),
        sa.CheckConstraint("price_nanos >= 0", name="rate_price_not_negative"),
    )


def _leases() -> None:
    op.create_table(
        "lease",
        *_key("id"),
        *_text("tenant_id", "requested_by", "name", "lease_class", "kind"),
        *_integer("accelerators"),
        *_text("shape"),
        *_big("starts_at_ms"),
        *_big_or_null("ends_at_ms"),
        *_integer("notice_s"),
        *_text("on_reclaim"),
        *_big("requested_at_ms"),
        *_text("state"),
        *_big("state_since_ms"),
        *_big_or_null("scheduled_start_ms", "activated_at_ms", "stop_at_ms", "kill_at_ms"),
        *_text("reason"),
        *_text_or_null("reclaimed_for"),
        *_integer("reclaims"),
        sa.CheckConstraint("accelerators > 0", name="lease_has_accelerators"),
        sa.CheckConstraint("ends_at_ms IS NULL OR ends_at_ms > starts_at_ms", name="lease_window"),
    )
    op.create_index("lease_by_request", "lease", ["requested_at_ms", "id"])
    op.create_index("lease_by_state", "lease", ["state"])
    op.create_index("lease_by_tenant", "lease", ["tenant_id", "requested_at_ms", "id"])
    op.create_table(
        "allocation",
        *_key("id"),
        *_text("lease_id", "tenant_id", "node_id", "inbound_lease_id"),
        *_json("accelerators"),
        *_big("starts_at_ms"),
        *_big_or_null(
            "ends_at_ms",
            "delivered_from_ms",
            "delivered_until_ms",
            "metered_until_ms",
            "fenced_at_ms",
        ),
    )
    op.create_index("allocation_by_fence", "allocation", ["fenced_at_ms"])
    op.create_index("allocation_by_lease", "allocation", ["lease_id"])


def _work() -> None:
    op.create_table(
        "job",
        *_key("id"),
        *_text("lease_id", "tenant_id", "submitted_by", "name"),
        *_json("command", "environment"),
        *_text_or_null("runtime_id"),
        *_flag("release_lease"),
        *_big("submitted_at_ms"),
        *_text("state"),
        *_integer("attempts"),
        *_integer_or_null("exit_code"),
        *_big_or_null("finished_at_ms"),
        *_text("detail"),
        *_flag("cancel_requested"),
    )
    op.create_index("job_by_lease", "job", ["lease_id"])
    op.create_index("job_by_state", "job", ["state"])
    op.create_index("job_by_submission", "job", ["submitted_at_ms", "id"])
    op.create_table(
        "attempt",
        *_key("id"),
        *_text("job_id", "lease_id", "tenant_id", "allocation_id"),
        *_integer("number"),
        *_text("node_id", "engine"),
        *_json("accelerators"),
        *_big("memory_bytes"),
        *_text("state"),
        *_big("ordered_at_ms"),
        *_big_or_null("started_at_ms", "ended_at_ms"),
        *_integer_or_null("exit_code"),
        *_text("detail"),
        *_big("busy_ms"),
        *_big_or_null("stop_at_ms", "kill_at_ms", "occupied_until_ms"),
        *_big("busy_metered_ms"),
        *_flag("forgotten"),
        sa.UniqueConstraint("job_id", "number"),
    )
    op.create_index("attempt_by_forgotten", "attempt", ["forgotten"])


def _money() -> None:
    op.create_table(
        "accrual",
        *_key("id"),
        *_text("tenant_id", "lease_id", "rate_id", "lease_class", "kind", "measure"),
        *_big("price_nanos"),
        *_text("currency"),
        *_big("service_month_ms", "first_at_ms", "last_at_ms"),
        *_flag("correction"),
        *_big("accelerator_ms"),
        *_exact("numerator"),
        *_big("posted_micros"),
        *_text_or_null("invoice_id"),
        *_integer_or_null("invoice_line"),
    )
    op.create_index("accrual_by_invoice", "accrual", ["invoice_id", "invoice_line"])
    op.create_table(
        "balance",
        *_key("account", "unit"),
        *_big("amount"),
    )
    op.create_table(
        "series",
        *_key("name"),
        *_integer("last"),
    )
    op.create_table(
        "billing_mark",
        *_key("tenant_id"),
        *_big("invoiced_until_ms"),
    )
    op.create_table(
        "invoice",
        *_key("id"),
        *_text("number", "series"),
        *_integer("sequence"),
        *_text("kind", "tenant_id", "currency"),
        *_big("starts_at_ms", "ends_at_ms", "issued_at_ms", "total_micros"),
        *_json("lines"),
        sa.UniqueConstraint("number"),
        sa.UniqueConstraint("series", "sequence"),
    )
    op.create_index("invoice_by_issue", "invoice", ["issued_at_ms", "id"])


def _observations() -> None:
    op.create_table(
        "event",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        *_big("at_ms"),
        *_text("type", "actor"),
        *_text_or_null("key_id", "tenant_id"),
        *_text("subject"),
        *_json("data"),
    )
    op.create_index("event_by_subject", "event", ["subject", "seq"])
    op.create_index("event_by_tenant", "event", ["tenant_id", "seq"])
    op.create_table(
        "usage",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        *_text(
            "source",
            "event_id",
            "measure",
            "lease_id",
            "tenant_id",
            "inbound_lease_id",
            "lease_class",
            "kind",
        ),
        *_big("starts_at_ms", "ends_at_ms", "accelerator_ms", "received_at_ms"),
        sa.UniqueConstraint("source", "event_id"),
        sa.CheckConstraint("accelerator_ms > 0", name="usage_positive"),
        sa.CheckConstraint("ends_at_ms > starts_at_ms", name="usage_window"),
    )
    op.create_index("usage_by_lease", "usage", ["lease_id", "seq"])
    op.create_index("usage_by_tenant", "usage", ["tenant_id", "seq"])
    op.create_table(
        "charge",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        *_big("usage_seq"),
        *_text("accrual_id", "rate_id", "tenant_id", "lease_id", "lease_class", "kind", "measure"),
        *_big("starts_at_ms", "ends_at_ms", "accelerator_ms", "price_nanos"),
        *_exact("numerator"),
        *_text("currency"),
        *_flag("correction"),
    )
    op.create_index("charge_by_accrual", "charge", ["accrual_id", "seq"])
    op.create_index("charge_by_tenant", "charge", ["tenant_id", "seq"])


def _ledger() -> None:
    op.create_table(
        "entry",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        *_text("key", "kind", "description"),
        *_big("effective_at_ms", "booked_at_ms"),
        sa.UniqueConstraint("key"),
    )
    op.create_table(
        "posting",
        sa.Column("entry_seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("leg", sa.Integer, primary_key=True, autoincrement=False),
        *_text("account", "unit"),
        *_big("amount"),
        sa.CheckConstraint("amount <> 0", name="posting_not_zero"),
    )
    op.create_index("posting_by_account", "posting", ["account", "unit"])


def _book() -> None:
    op.create_table(
        "book",
        sa.Column("id", sa.Integer, primary_key=True),
        *_big("version", "counter"),
        *_text("instance"),
        sa.CheckConstraint("id = 1", name="one_book"),
    )
    op.create_table(
        "answer",
        *_key("scope", "key"),
        *_text("request_sha256"),
        *_integer("status"),
        *_bytes("body"),
        *_big("created_at_ms"),
    )
    op.create_index("answer_by_age", "answer", ["created_at_ms"])
