"""Drafts: an invoice before it is final, without a number, filled a few accruals at a time.

A close fills drafts in slices: each takes accruals in the order of their lines, and what is
left to take are the accruals that are still open. So a close that was interrupted goes on where
it stopped, and lines, amounts and order do not depend on where that was, nor on the order in
which usage was reported. Invariant: a draft's usage is the sum of the accruals that were put
into it, and each line of usage is rounded once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from comptoir.billing.accruals import Accrual
from comptoir.billing.invoices import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    LineType,
    NumberSeries,
    Party,
    TaxLine,
    check_invoice,
    net_of,
    total_of,
)
from comptoir.pricing.charges import ChargeRow
from comptoir.units.errors import invariant
from comptoir.units.ids import CreditBlockId, InvoiceId, LegalEntityId, PeriodId, RateId, TenantId
from comptoir.units.money import round_to_minor_micros

LineKey = tuple[int, str, str, int, str, bool]
"""Month, rate, contract version, price, usage or top-up, whether it came late: a line's own."""
_WORDS = {
    ChargeRow.USAGE: "{} accelerator-hours",
    ChargeRow.TOP_UP: "accelerator-hours up to the minimum or the whole step",
}


class DraftState(StrEnum):
    """A draft that is whole waits to be made final; one that is still being filled cannot be."""

    FILLING = "filling"
    DRAFT = "draft"
    FINALISED = "finalised"


@dataclass(frozen=True, slots=True)
class DrawnHere:
    """What a draft's usage has drawn of a credit block so far, and over which time."""

    block_id: CreditBlockId
    micros: int
    starts_at_ms: int
    ends_at_ms: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """How far a draft's usage has drawn on credit, in the order of its time.

    `edges` are the instants at which its usage is divided, the same from the first slice to the
    last; `after` is the place from which the next goes on: a start, an end and an accrual.
    """

    owed_micros: int
    edges: tuple[int, ...]
    after: tuple[int, int, str] | None = None
    drawn: tuple[DrawnHere, ...] = ()
    done: bool = False


@dataclass(frozen=True, slots=True)
class InvoiceDraft:
    """What will be asked. Its id is that of the invoice to come; it has no number.

    `unbilled_micros` is what the ledger has on `unbilled` for it, exact.
    """

    id: InvoiceId
    entity_id: LegalEntityId
    tenant_id: TenantId
    kind: InvoiceKind
    period_id: PeriodId | None
    currency: str
    state: DraftState
    starts_at_ms: int
    ends_at_ms: int
    drawn_up_at_ms: int
    unbilled_micros: int = 0
    lines: tuple[InvoiceLine, ...] = ()
    taxes: tuple[TaxLine, ...] = ()
    drawing: Drawing | None = None

    @property
    def accruals(self) -> int:
        """How many were put into it."""
        return sum(line.leases for line in self.lines)

    @property
    def net_micros(self) -> int:
        """What is sold, without taxes and before what was paid on account."""
        return net_of(self.lines)

    @property
    def total_micros(self) -> int:
        """What it asks, taxes and all."""
        return total_of(self.lines, self.taxes)


def line_key(accrual: Accrual) -> LineKey:
    """The line that an accrual goes to; lines stand in the order of their keys."""
    return (
        accrual.service_month_ms,
        accrual.rate_id,
        accrual.contract_version_id,
        -accrual.price_nanos,
        accrual.row.value,
        accrual.correction,
    )


def fill(
    draft: InvoiceDraft, accruals: Iterable[Accrual]
) -> tuple[InvoiceDraft, dict[Accrual, int]]:
    """Put accruals into a draft.

    Args:
        draft: That is being filled.
        accruals: Open ones of its tenant and currency, in the order of their lines.

    Returns:
        The draft, and the number of the line each accrual went to.
    """
    invariant(draft.state is DraftState.FILLING, f"{draft.id} is {draft.state}")
    lines = list(draft.lines)
    at = {_key_of(line): index for index, line in enumerate(lines)}
    placed: dict[Accrual, int] = {}
    unbilled = draft.unbilled_micros
    for accrual in accruals:
        invariant(accrual.currency == draft.currency, "one invoice, one currency")
        invariant(accrual.tenant_id == draft.tenant_id, "one invoice, one tenant")
        key = line_key(accrual)
        if key not in at:
            at[key] = len(lines)
            lines.append(_empty_line(len(lines) + 1, accrual))
        lines[at[key]] = _with(lines[at[key]], accrual)
        placed[accrual] = at[key] + 1
        unbilled += accrual.posted_micros
    rounded = tuple(_rounded(line, draft.currency) for line in lines)
    return replace(draft, lines=rounded, unbilled_micros=unbilled), placed


def add_line(draft: InvoiceDraft, line: InvoiceLine) -> InvoiceDraft:
    """Put a line of another type than usage behind the others; it gets the next number."""
    return replace(draft, lines=(*draft.lines, replace(line, number=len(draft.lines) + 1)))


def a_line(
    type: LineType, description: str, amount_micros: int, window: tuple[int, int], reference: str
) -> InvoiceLine:
    """A line that is not of usage: an amount for a window, and what it is about."""
    return InvoiceLine(
        number=0, description=description, kind="", lease_class=None, measure=None,
        rate_id=RateId(""), price_nanos=0, starts_at_ms=window[0], ends_at_ms=window[1],
        leases=0, accelerator_ms=0, numerator=0, amount_micros=amount_micros, correction=False,
        type=type, reference=reference,
    )  # fmt: skip


def carried(draft: InvoiceDraft, taxes: Sequence[TaxLine]) -> InvoiceDraft:
    """The draft, with a last line that makes credit of what it would ask below zero.

    Taxes may have changed since it was drawn up: a line that it has is worked out anew.
    """
    lines = tuple(line for line in draft.lines if line.type is not LineType.CARRIED)
    total = total_of(lines, taxes)
    draft = replace(draft, lines=lines)
    if total >= 0:
        return draft
    window = lines[0].starts_at_ms, lines[-1].ends_at_ms
    return add_line(draft, a_line(LineType.CARRIED, "carried to credit", -total, window, ""))


def whole(draft: InvoiceDraft, taxes: Sequence[TaxLine], now_ms: int) -> InvoiceDraft:
    """The draft with all that belongs to it: it can be made final from now on."""
    invariant(bool(draft.lines), f"{draft.id} has no lines")
    return replace(
        draft,
        state=DraftState.DRAFT,
        drawing=None,
        taxes=tuple(taxes),
        drawn_up_at_ms=now_ms,
        starts_at_ms=min(line.starts_at_ms for line in draft.lines),
        ends_at_ms=max(line.ends_at_ms for line in draft.lines),
    )


def finalise(
    draft: InvoiceDraft,
    series: NumberSeries,
    parties: tuple[Party, Party],
    taxes: Sequence[TaxLine],
    issued_at_ms: int,
    due_at_ms: int,
) -> tuple[Invoice, NumberSeries]:
    """Make a draft final: it gets the next number of a series, and is never edited again.

    Args:
        draft: A whole one.
        series: Of its legal entity, with the last number it gave.
        parties: Who sells and who buys, as they are now.
        taxes: On its lines, as they are now.
        issued_at_ms: Now.
        due_at_ms: By when it is to be paid.

    Returns:
        The invoice, and the series with its number given.
    """
    invariant(draft.state is DraftState.DRAFT, f"{draft.id} is {draft.state}")
    invariant(draft.entity_id == series.entity_id, f"series {series.name} is another entity's")
    sequence = series.last + 1
    taxed = replace(draft, taxes=tuple(taxes))
    invoice = Invoice(
        id=draft.id,
        number=series.number(sequence),
        entity_id=draft.entity_id,
        series=series.name,
        sequence=sequence,
        kind=draft.kind,
        tenant_id=draft.tenant_id,
        period_id=draft.period_id,
        currency=draft.currency,
        starts_at_ms=draft.starts_at_ms,
        ends_at_ms=draft.ends_at_ms,
        issued_at_ms=issued_at_ms,
        due_at_ms=due_at_ms,
        total_micros=taxed.total_micros,
        lines=draft.lines,
        taxes=taxed.taxes,
        seller=parties[0],
        buyer=parties[1],
    )
    return check_invoice(invoice), replace(series, last=sequence)


def _key_of(line: InvoiceLine) -> LineKey:
    return (
        line.service_month_ms,
        line.rate_id,
        line.contract_version_id,
        -line.price_nanos,
        line.type.value,
        line.correction,
    )


def _empty_line(number: int, first: Accrual) -> InvoiceLine:
    return InvoiceLine(
        number=number,
        description=f"{first.kind} {first.lease_class}, {_WORDS[first.row]}".format(first.measure),
        kind=first.kind,
        lease_class=first.lease_class,
        measure=first.measure,
        rate_id=first.rate_id,
        price_nanos=first.price_nanos,
        starts_at_ms=first.first_at_ms,
        ends_at_ms=first.last_at_ms,
        leases=0,
        accelerator_ms=0,
        numerator=0,
        amount_micros=0,
        correction=first.correction,
        type=LineType(first.row.value),
        contract_version_id=first.contract_version_id,
        service_month_ms=first.service_month_ms,
    )


def _with(line: InvoiceLine, accrual: Accrual) -> InvoiceLine:
    return replace(
        line,
        starts_at_ms=min(line.starts_at_ms, accrual.first_at_ms),
        ends_at_ms=max(line.ends_at_ms, accrual.last_at_ms),
        leases=line.leases + 1,
        accelerator_ms=line.accelerator_ms + accrual.accelerator_ms,
        numerator=line.numerator + accrual.numerator,
    )


def _rounded(line: InvoiceLine, currency: str) -> InvoiceLine:
    if line.type not in (LineType.USAGE, LineType.TOP_UP):
        return line
    return replace(line, amount_micros=round_to_minor_micros(line.numerator, currency))
