"""The live rows of the close in memory: periods, drafts, what invoices still ask, number series.

A part of the book (`book.closing`), with the same journal. A draft that is final and an invoice
that is settled are evicted after the commit that made them so. The names of the tables are those
of the store.
"""

from dataclasses import dataclass
from typing import Any

from comptoir.billing.accruals import Accrual
from comptoir.billing.drafts import DraftState, InvoiceDraft, LineKey, line_key
from comptoir.billing.invoice_status import InvoiceState, InvoiceStatus
from comptoir.billing.invoices import InvoiceKind, NumberSeries
from comptoir.billing.periods import Period, PeriodState
from comptoir.billing.receipts import Receivables, asked_of
from comptoir.desk.tables import Index, Journal, Shelves, Table
from comptoir.units.ids import InvoiceId, LegalEntityId, PeriodId, TenantId


@dataclass(frozen=True, slots=True)
class BilledKey:
    """An instalment or a shortfall that an invoice, or its draft, asks: none is asked twice."""

    key: str
    invoice_id: InvoiceId


class ClosingBook:
    """The tables of the close and their indexes; `accruals` are those of `book.money`."""

    def __init__(self, journal: Journal, accruals: Table[Any, Accrual]) -> None:
        self.periods = Table[PeriodId, Period]("period", lambda r: r.id, journal)
        self.drafts = Table[InvoiceId, InvoiceDraft]("invoice_draft", lambda r: r.id, journal)
        self.statuses = Table[InvoiceId, InvoiceStatus](
            "invoice_status", lambda r: r.invoice_id, journal
        )
        self.number_series = Table[tuple[LegalEntityId, str], NumberSeries](
            "number_series", lambda r: (r.entity_id, r.name), journal
        )
        self.billed_keys = Table[str, BilledKey]("billed_key", lambda r: r.key, journal)
        self.tables: tuple[Table[Any, Any], ...] = (
            self.billed_keys,
            self.periods, self.drafts, self.statuses, self.number_series,
        )  # fmt: skip
        self.periods_of = Index[LegalEntityId, Period](self.periods, lambda p: p.entity_id)
        self.closing = Index[bool, Period](
            self.periods, lambda p: True if p.state is PeriodState.CLOSING else None
        )
        self.drafts_of = Index[tuple[TenantId, PeriodId | None], InvoiceDraft](
            self.drafts,
            lambda d: (d.tenant_id, d.period_id) if d.state is not DraftState.FINALISED else None,
        )
        self.waiting = Index[TenantId, InvoiceDraft](
            self.drafts,
            lambda d: (
                d.tenant_id
                if d.state is DraftState.DRAFT and d.kind is InvoiceKind.INVOICE
                else None
            ),
        )
        """Drafts of what was used that are whole and not final: drawn, taxed and not asked yet."""
        self.open_invoices = Index[TenantId, InvoiceStatus](
            self.statuses, lambda s: s.tenant_id if s.state is InvoiceState.FINALISED else None
        )
        self.foreign_invoices = Index[TenantId, InvoiceStatus](
            self.statuses, lambda s: s.tenant_id if s.rate_nanos and not s.settled else None
        )
        self.unbilled = Shelves[TenantId, LineKey, Accrual](
            accruals, lambda a: a.tenant_id if a.invoice_id is None else None, line_key
        )
        """Open accruals by tenant, on one shelf those that one line takes."""
        self.billed = Index[InvoiceId, Accrual](accruals, lambda a: a.invoice_id)
        """Accruals that this commit puts into a draft; afterwards the store has them."""
        self.latest_end_ms = 0
        """Where the last period ends that closes or is closed: what counts later is open."""
        self.periods.feed(self._note_end)
        self.receivables: dict[LegalEntityId, Receivables] = {}
        """What the invoices of each entity ask, found by the words of a payer."""
        self.statuses.feed(self._note_asked)
        self.committed_closing: tuple[PeriodId, ...] = ()
        """The periods that close, as last committed: what the close loop goes on with."""

    def _note_end(self, old: Period | None, new: Period | None) -> None:
        self.latest_end_ms = max((period.ends_at_ms for period in self.periods), default=0)

    def _note_asked(self, old: InvoiceStatus | None, new: InvoiceStatus | None) -> None:
        """An invoice asks something, something else, or nothing any more."""
        for status in (old, new):
            if status is None or not status.open_micros:
                continue
            of_entity = self.receivables.setdefault(status.entity_id, Receivables())
            if status is new:
                of_entity.ask(asked_of(status))
            else:
                of_entity.forget(asked_of(status))

    def closed_until_ms(self, entity_id: LegalEntityId) -> int:
        """Where the last closed period of an entity ends."""
        return max((p.ends_at_ms for p in self.periods_of.each(entity_id) if p.closed), default=0)

    def publish(self) -> None:
        """Let the close loop see what is committed."""
        self.committed_closing = tuple(period.id for period in self.closing.get(True))

    def evict_ended(self, rows: dict[str, list[object]]) -> None:
        """Drop what the commit of `rows` has settled for good."""
        if "period" in rows:
            self.publish()
        for draft in rows.get("invoice_draft", ()):
            assert isinstance(draft, InvoiceDraft)
            if draft.state is DraftState.FINALISED:
                self.drafts.evict(draft.id)
        for status in rows.get("invoice_status", ()):
            assert isinstance(status, InvoiceStatus)
            if status.settled:
                self.statuses.evict(status.invoice_id)
