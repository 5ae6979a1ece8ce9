"""Requests of the close: periods, drafts, invoices made final, credit notes."""

from dataclasses import dataclass

from comptoir.units.ids import InvoiceId, LegalEntityId, PeriodId, TenantId

MOST_A_SLICE = 300
"""Accruals, allocations and the like that one slice of a close looks after, at most."""


@dataclass(frozen=True, slots=True)
class ClosePeriod:
    """Close a month of an entity ("2026-10"); the entity by its id or slug."""

    entity_id: LegalEntityId
    period: str


@dataclass(frozen=True, slots=True)
class CloseSlice:
    """A piece of a close: `most` bounds its work, so that nobody waits for it."""

    period_id: PeriodId
    most: int = MOST_A_SLICE


@dataclass(frozen=True, slots=True)
class DraftRef:
    """This draft: make it final."""

    invoice_id: InvoiceId


@dataclass(frozen=True, slots=True)
class PreviewInvoice:
    """What a tenant would be asked if its period ended now."""

    tenant_id: TenantId


@dataclass(frozen=True, slots=True)
class CreditInvoice:
    """Credit lines of an invoice: (line, amount, None for all that is left of it).

    No lines: the whole invoice. Amounts are decimal strings in the invoice's currency.
    """

    invoice_id: InvoiceId
    reason: str
    lines: tuple[tuple[int, str | None], ...] = ()
