"""The tables of the close: periods, drafts, invoices and their status, credit notes, numbers.

`tables.py` takes them in, and says which are append-only.
"""

from sqlalchemy import CheckConstraint, Column, Index, Table, UniqueConstraint

from comptoir.billing.credit_notes import CreditLine, CreditNote
from comptoir.billing.drafts import DraftState, Drawing, InvoiceDraft
from comptoir.billing.invoice_status import InvoiceState, InvoiceStatus
from comptoir.billing.invoices import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    NumberSeries,
    Party,
    TaxLine,
)
from comptoir.billing.periods import Period, PeriodState
from comptoir.desk.close_memory import BilledKey
from comptoir.store.nested import Nested
from comptoir.store.schema import Mapped, _id, _int, _json, _ms, _text, _word, metadata

period = Table(
    "period",
    metadata,
    _id(),
    _text("entity_id"),
    _text("name"),
    _ms("starts_at_ms"),
    _ms("ends_at_ms"),
    _word("state", PeriodState),
    _ms("closing_since_ms"),
    _text("closed_by"),
    _ms("closed_at_ms", null=True),
    _int("slices"),
    _int("tenants"),
    _int("drafts"),
    _ms("accruals"),
    UniqueConstraint("entity_id", "starts_at_ms"),
    CheckConstraint("ends_at_ms > starts_at_ms", name="period_window"),
)
invoice_draft = Table(
    "invoice_draft",
    metadata,
    _id(),
    _text("entity_id"),
    _text("tenant_id"),
    _word("kind", InvoiceKind),
    _text("period_id", null=True),
    _text("currency"),
    _word("state", DraftState),
    _ms("starts_at_ms"),
    _ms("ends_at_ms"),
    _ms("drawn_up_at_ms"),
    _ms("unbilled_micros"),
    Column("lines", Nested(tuple[InvoiceLine, ...]), nullable=False),
    Column("taxes", Nested(tuple[TaxLine, ...]), nullable=False),
    Column("drawing", Nested(Drawing), nullable=True),
    Index("invoice_draft_by_state", "state"),
    Index("invoice_draft_by_drawing", "drawn_up_at_ms", "id"),
)
invoice = Table(
    "invoice",
    metadata,
    _id(),
    _text("number"),
    _text("entity_id"),
    _text("series"),
    _int("sequence"),
    _word("kind", InvoiceKind),
    _text("tenant_id"),
    _text("period_id", null=True),
    _text("currency"),
    _ms("starts_at_ms"),
    _ms("ends_at_ms"),
    _ms("issued_at_ms"),
    _ms("due_at_ms"),
    _ms("total_micros"),
    Column("lines", Nested(tuple[InvoiceLine, ...]), nullable=False),
    Column("taxes", Nested(tuple[TaxLine, ...]), nullable=False),
    Column("seller", Nested(Party), nullable=False),
    Column("buyer", Nested(Party), nullable=False),
    _text("opening_id", null=True),
    UniqueConstraint("entity_id", "series", "sequence"),
    UniqueConstraint("entity_id", "number"),
    Index("invoice_by_issue", "issued_at_ms", "id"),
    Index("invoice_by_number", "number"),
)
invoice_status = Table(
    "invoice_status",
    metadata,
    _id("invoice_id"),
    _text("number"),
    _text("entity_id"),
    _text("tenant_id"),
    _word("kind", InvoiceKind),
    _text("currency"),
    _word("state", InvoiceState),
    _ms("issued_at_ms"),
    _ms("due_at_ms"),
    _ms("total_micros"),
    _ms("paid_micros"),
    _ms("credited_micros"),
    _ms("disputed_micros"),
    _json("credited_by_line"),
    _ms("rate_nanos"),
    _ms("revalued_micros"),
    _ms("realised_micros"),
    CheckConstraint(
        "paid_micros >= 0 AND paid_micros <= total_micros "
        "AND credited_micros >= 0 AND credited_micros <= total_micros",
        name="invoice_status_adds_up",
    ),
    Index("invoice_status_by_state", "state"),
    Index("invoice_status_by_number", "number"),
)
credit_note = Table(
    "credit_note",
    metadata,
    _id(),
    _text("number"),
    _text("entity_id"),
    _text("series"),
    _int("sequence"),
    _text("tenant_id"),
    _text("invoice_id"),
    _text("invoice_number"),
    _text("currency"),
    _ms("issued_at_ms"),
    _text("issued_by"),
    _text("reason"),
    Column("lines", Nested(tuple[CreditLine, ...]), nullable=False),
    Column("taxes", Nested(tuple[TaxLine, ...]), nullable=False),
    _ms("total_micros"),
    _ms("returned_micros"),
    UniqueConstraint("entity_id", "series", "sequence"),
    Index("credit_note_by_issue", "issued_at_ms", "id"),
    Index("credit_note_by_invoice", "invoice_id"),
)
number_series = Table("number_series", metadata, _id("entity_id"), _id("name"), _int("last"))
billed_key = Table("billed_key", metadata, _id("key"), _text("invoice_id"))

CLOSE: dict[str, Mapped] = {
    "billed_key": Mapped(billed_key, BilledKey, {}),
    "period": Mapped(period, Period, {}),
    "invoice_draft": Mapped(invoice_draft, InvoiceDraft, {}),
    "invoice": Mapped(invoice, Invoice, {}),
    "invoice_status": Mapped(invoice_status, InvoiceStatus, {}),
    "credit_note": Mapped(credit_note, CreditNote, {}),
    "number_series": Mapped(number_series, NumberSeries, {}),
}
