"""Periods, drafts, invoices with what became of them, credit notes, statements of account."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import or_, select

from comptoir.billing.credit_notes import CreditNote
from comptoir.billing.drafts import DraftState, InvoiceDraft
from comptoir.billing.invoice_status import InvoiceStatus
from comptoir.billing.invoices import Invoice
from comptoir.billing.periods import Period
from comptoir.ledger import entries as ledger
from comptoir.store import tables as t
from comptoir.store.views.reading import MOST_A_PAGE, Ask, Page, Views, equal
from comptoir.units.errors import Refused
from comptoir.units.ids import TenantId
from comptoir.units.money import format_minor

MOST_ENTRIES = 10_000
"""Entries in one statement of account, at most."""


@dataclass(frozen=True, slots=True)
class Billed:
    """An invoice and what became of it."""

    invoice: Invoice
    status: InvoiceStatus


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """What moved an account, and what it stood at then."""

    seq: int
    at_ms: int
    kind: str
    description: str
    amount_micros: int
    balance_micros: int


@dataclass(frozen=True, slots=True)
class AccountStatement:
    """One currency of a tenant's account over a window: opening + entries = closing.

    Of what it closes with, `owed_micros` are asked by invoices, and `credit_micros` are the
    tenant's own: paid, and not used.
    """

    currency: str
    opening_micros: int
    closing_micros: int
    owed_micros: int
    credit_micros: int
    entries: tuple[StatementEntry, ...]


def periods(views: Views, ask: Ask, entity: str | None = None) -> Page[Period]:
    """Periods that are closing or closed, newest first; of an entity by its id or slug."""
    c, e = t.period.c, t.legal_entity.c
    named = None
    if entity is not None:
        named = c.entity_id.in_(select(e.id).where(or_(e.id == entity, e.slug == entity)))
    return views.page("period", ask, named, keys=("starts_at_ms", "id"))


def drafts(
    views: Views,
    ask: Ask,
    tenant_id: str | None = None,
    period: str | None = None,
    entity: str | None = None,
) -> Page[InvoiceDraft]:
    """Drafts that are not final, newest first; of a period by its id or name, of an entity by its
    id or slug."""
    c, p, e = t.invoice_draft.c, t.period.c, t.legal_entity.c
    named = whose = None
    if period is not None:
        named = c.period_id.in_(select(p.id).where(or_(p.id == period, p.name == period)))
    if entity is not None:
        whose = c.entity_id.in_(select(e.id).where(or_(e.id == entity, e.slug == entity)))
    wanted = equal(c.tenant_id, tenant_id), named, whose, c.state != DraftState.FINALISED
    return views.page("invoice_draft", ask, *wanted, keys=("drawn_up_at_ms", "id"))


def draft(views: Views, id: str) -> InvoiceDraft | None:
    """A draft by its id, until it is final."""
    c = t.invoice_draft.c
    found: InvoiceDraft | None = views.find(
        "invoice_draft", c.id == id, c.state != DraftState.FINALISED
    )
    return found


def invoices(views: Views, ask: Ask, tenant_id: str | None = None) -> Page[Billed]:
    """Invoices and chargeback statements, newest first."""
    c = t.invoice.c
    page: Page[Invoice] = views.page(
        "invoice", ask, equal(c.tenant_id, tenant_id), keys=("issued_at_ms", "id")
    )
    return Page(_with_status(views, page.items), page.next_key)


def invoice(views: Views, id_or_number: str) -> Billed | None:
    """An invoice by its id or its number; of two entities' with one number, the latest."""
    c = t.invoice.c
    named = or_(c.id == id_or_number, c.number == id_or_number)
    found = views.all("invoice", named, order=(c.issued_at_ms.desc(),), most=1)
    return _with_status(views, found)[0] if found else None


def _with_status(views: Views, found: Sequence[Invoice]) -> tuple[Billed, ...]:
    s = t.invoice_status.c
    statuses = {
        status.invoice_id: status
        for status in views.all(
            "invoice_status", s.invoice_id.in_([one.id for one in found]),
            order=(s.invoice_id,), most=MOST_A_PAGE,
        )
    }  # fmt: skip
    return tuple(Billed(one, statuses[one.id]) for one in found)


def credit_notes(
    views: Views, ask: Ask, tenant_id: str | None = None, invoice: str | None = None
) -> Page[CreditNote]:
    """Credit notes, newest first; of an invoice by its id or number."""
    c = t.credit_note.c
    named = None
    if invoice is not None:
        named = or_(c.invoice_id == invoice, c.invoice_number == invoice)
    return views.page(
        "credit_note", ask, equal(c.tenant_id, tenant_id), named, keys=("issued_at_ms", "id")
    )


def credit_note(views: Views, id_or_number: str) -> CreditNote | None:
    """A credit note by its id or its number."""
    c = t.credit_note.c
    found: CreditNote | None = views.find(
        "credit_note", or_(c.id == id_or_number, c.number == id_or_number)
    )
    return found


def statement(
    views: Views, tenant_id: TenantId, is_internal: bool, window: tuple[int, int]
) -> list[AccountStatement]:
    """What moved a tenant's account in a window, by currency; what it was asked is positive.

    A customer's account is what it was asked and what it has as credit: all of a payment shows,
    also what of it paid no invoice, and what passes between the two shows as nothing.

    Raises:
        Refused: `statement_too_long`.
    """
    asked = (ledger.internal_transfer if is_internal else ledger.receivable)(tenant_id)
    e, p = t.entry.c, t.posting.c
    moved = (
        select(p.unit, e.seq, e.effective_at_ms, e.kind, e.description, p.account, p.amount)
        .join_from(t.posting, t.entry, e.seq == p.entry_seq)
        .where(
            p.account.in_([asked, ledger.customer_credit(tenant_id)]),
            e.effective_at_ms < window[1],
        )
        .order_by(p.unit, e.effective_at_ms, e.seq, p.leg)
    )
    with views.reading() as connection:
        by_unit = groupby(connection.execute(moved), key=lambda row: row.unit)
        return [_account(unit, rows, asked, window[0]) for unit, rows in by_unit]


def _account(unit: str, rows: Iterable[Any], asked: str, from_ms: int) -> AccountStatement:
    """One currency, from its legs in order."""
    opening = owed = balance = 0
    entries: list[StatementEntry] = []
    for seq, legs in groupby(rows, key=lambda row: row.seq):
        of_entry = list(legs)
        moved = sum(leg.amount for leg in of_entry)
        owed += sum(leg.amount for leg in of_entry if leg.account == asked)
        balance += moved
        paid = -sum(leg.amount for leg in of_entry if leg.account == asked)
        first = of_entry[0]
        if first.effective_at_ms < from_ms:
            opening = balance
            continue
        entries.append(
            StatementEntry(
                seq,
                first.effective_at_ms,
                first.kind,
                first.description if moved else _said_of_credit(first.description, paid, unit),
                moved,
                balance,
            )
        )
        if len(entries) > MOST_ENTRIES:
            raise Refused(
                "statement_too_long",
                f"more than {MOST_ENTRIES:,} entries lie in that window",
                "ask for a shorter window",
            )
    return AccountStatement(unit, opening, balance, owed, owed - balance, tuple(entries))


def _said_of_credit(description: str, paid_micros: int, unit: str) -> str:
    """What moved between what a customer is asked and its own credit: it owes as much as before."""
    used = "of its own credit" if paid_micros > 0 else "are its own credit again"
    return f"{description}: {format_minor(abs(paid_micros), unit)} {unit} {used}"
