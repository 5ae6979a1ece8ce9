"""Credit notes: the only way in which an invoice is taken back, in part or whole.

A credit note names lines of its invoice and what of each is credited; taxes follow from the
net amount that is credited so far, so that several notes together give back exactly what the
invoice asked, to the cent. Invariant: no line is credited beyond its amount, no invoice beyond
its total. A note has a number of its own series; it is never edited.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from comptoir.billing.invoice_status import InvoiceStatus
from comptoir.billing.invoices import (
    SETTLING,
    Invoice,
    InvoiceLine,
    LineType,
    NumberSeries,
    TaxLine,
    asked_of,
    tax_on,
)
from comptoir.ledger import entries as ledger
from comptoir.ledger.entries import Posting
from comptoir.units.errors import Invalid, Refused
from comptoir.units.ids import CreditNoteId, InvoiceId, LegalEntityId, TenantId, UserId
from comptoir.units.money import NUMERATOR_PER_MICRO, format_minor, round_to_minor_micros

DRAWN = (LineType.DRAWDOWN, LineType.ON_ACCOUNT)
"""Types of lines that say what credit was drawn."""
WHOLE_ONLY = (*DRAWN, LineType.SLA_CREDIT, LineType.CARRIED)
"""Types of lines that settle others: they are taken back with the whole invoice only."""


@dataclass(frozen=True, slots=True)
class CreditLine:
    """So much of a line of the invoice; negative where the line itself gave something."""

    line: int
    description: str
    amount_micros: int


@dataclass(frozen=True, slots=True)
class CreditNote:
    """What is given back of an invoice: `total_micros` is positive.

    `returned_micros` of it had been paid already, and is the customer's credit now.
    """

    id: CreditNoteId
    number: str
    entity_id: LegalEntityId
    series: str
    sequence: int
    tenant_id: TenantId
    invoice_id: InvoiceId
    invoice_number: str
    currency: str
    issued_at_ms: int
    issued_by: UserId
    reason: str
    lines: tuple[CreditLine, ...]
    taxes: tuple[TaxLine, ...]
    total_micros: int
    returned_micros: int


def lines_to_credit(
    invoice: Invoice, status: InvoiceStatus, wanted: Mapping[int, int | None]
) -> tuple[CreditLine, ...]:
    """What a note credits, line by line.

    Args:
        invoice: Whose lines they are.
        status: What of them is credited already.
        wanted: Line -> micros, None for all that is left of it. Nothing: the whole invoice.

    Raises:
        Invalid: `unknown_line`, `bad_amount`.
        Refused: `nothing_to_credit`, `credit_note_too_large`, `only_with_the_whole`.
    """
    left = [
        line.amount_micros - done
        for line, done in zip(invoice.lines, status.credited_by_line, strict=True)
    ]
    if not wanted:
        found = tuple(
            CreditLine(line.number, line.description, rest)
            for line, rest in zip(invoice.lines, left, strict=True)
            if rest
        )
    else:
        found = tuple(
            _credit_line(invoice, left, number, micros) for number, micros in sorted(wanted.items())
        )
    if not any(line.amount_micros for line in found):
        raise Refused(
            "nothing_to_credit",
            f"nothing of {invoice.number} is left that could be credited: "
            f"{_said(status.credited_micros, invoice.currency)} of "
            f"{_said(invoice.total_micros, invoice.currency)} is credited already",
            f"see `comptoir credit-note list --invoice {invoice.number}`",
            {"credited": format_minor(status.credited_micros, invoice.currency)},
        )
    wanted_micros = _total(invoice, status, found)
    left_micros = status.total_micros - status.credited_micros
    if wanted_micros > left_micros:
        raise _too_large(invoice, "total", wanted_micros, left_micros)
    return found


def _total(invoice: Invoice, status: InvoiceStatus, lines: Iterable[CreditLine]) -> int:
    """What a note over some lines credits, taxes and all."""
    lines = tuple(lines)
    taxes = _taxes(invoice, status.credited_by_line, _with_credited(status, lines))
    return sum(x.amount_micros for x in lines) + sum(tax.amount_micros for tax in taxes)


def _with_credited(status: InvoiceStatus, lines: Iterable[CreditLine]) -> tuple[int, ...]:
    """What is credited by line once a note over some lines is there, too."""
    done = list(status.credited_by_line)
    for line in lines:
        done[line.line - 1] += line.amount_micros
    return tuple(done)


def _credit_line(
    invoice: Invoice, left: Sequence[int], number: int, micros: int | None
) -> CreditLine:
    if not 1 <= number <= len(invoice.lines):
        raise Invalid(
            "unknown_line",
            f"lines: {invoice.number} has lines 1 to {len(invoice.lines)}, not {number}",
            f"see `comptoir invoice show {invoice.number}`",
            {"field": "lines", "line": number},
        )
    line, rest = invoice.lines[number - 1], left[number - 1]
    if line.type in WHOLE_ONLY:
        raise Refused(
            "only_with_the_whole",
            f"line {number} of {invoice.number} is a {line.type} of "
            f"{_said(line.amount_micros, invoice.currency)}: it goes with the whole invoice only",
            f"`comptoir invoice void {invoice.number}`, or credit another line",
            {"line": number, "type": line.type},
        )
    wanted = rest if micros is None else micros
    if wanted <= 0 and micros is not None:
        raise Invalid(
            "bad_amount",
            f"lines: line {number} is to be credited more than zero",
            "give another amount",
            {"field": "lines", "line": number},
        )
    if wanted > rest:
        raise _too_large(invoice, f"line {number}", wanted, rest)
    return CreditLine(number, line.description, wanted)


def _too_large(invoice: Invoice, what: str, wanted: int, left: int) -> Refused:
    return Refused(
        "credit_note_too_large",
        f"{_said(left, invoice.currency)} is left to credit of {invoice.number} ({what}), "
        f"you asked for {_said(wanted, invoice.currency)}",
        "credit at most what is left",
        {
            "field": what,
            "left": format_minor(left, invoice.currency),
            "wanted": format_minor(wanted, invoice.currency),
            "currency": invoice.currency,
        },
    )


def _said(micros: int, currency: str) -> str:
    return f"{format_minor(micros, currency)} {currency}"


def credit(
    id: CreditNoteId,
    invoice: Invoice,
    status: InvoiceStatus,
    lines: tuple[CreditLine, ...],
    series: NumberSeries,
    issued: tuple[int, UserId],
    reason: str,
) -> tuple[CreditNote, NumberSeries, tuple[int, ...]]:
    """The note over some lines, with the next number of a series.

    Returns:
        The note; the series with its number given; what is credited of each line from now on.
    """
    done = _with_credited(status, lines)
    taxes = _taxes(invoice, status.credited_by_line, done)
    total = sum(x.amount_micros for x in lines) + sum(tax.amount_micros for tax in taxes)
    sequence = series.last + 1
    note = CreditNote(
        id=id,
        number=series.number(sequence),
        entity_id=invoice.entity_id,
        series=series.name,
        sequence=sequence,
        tenant_id=invoice.tenant_id,
        invoice_id=invoice.id,
        invoice_number=invoice.number,
        currency=invoice.currency,
        issued_at_ms=issued[0],
        issued_by=issued[1],
        reason=reason,
        lines=lines,
        taxes=taxes,
        total_micros=total,
        returned_micros=max(total - status.open_micros, 0) if status.paid_micros else 0,
    )
    return note, replace(series, last=sequence), done


def _taxes(invoice: Invoice, before: Sequence[int], after: Sequence[int]) -> tuple[TaxLine, ...]:
    """The taxes of a note: those on all that is credited now, less those given back before."""
    if invoice.opening_id is not None:
        return _shares(invoice, sum(before), sum(after))
    net_before, net_after = _taxed(invoice, before), _taxed(invoice, after)
    found = []
    for tax in invoice.taxes:
        micros = tax_on(net_after, tax.rate_ppm, invoice.currency)
        micros -= tax_on(net_before, tax.rate_ppm, invoice.currency)
        found.append(replace(tax, base_micros=net_after - net_before, amount_micros=micros))
    return tuple(found)


def _taxed(invoice: Invoice, credited: Sequence[int]) -> int:
    """What of lines bears a tax."""
    both = zip(invoice.lines, credited, strict=True)
    return sum(micros for line, micros in both if line.type not in SETTLING)


def _shares(invoice: Invoice, net_before: int, net_after: int) -> tuple[TaxLine, ...]:
    """The taxes of another system's invoice, which it rounded its own way: by their share of the
    net amount, so that all of it gives back exactly what was asked."""
    net, found = invoice.net_micros, []

    def share(micros: int, of: int) -> int:
        if not net:
            return micros
        return round_to_minor_micros(micros * of * NUMERATOR_PER_MICRO // net, invoice.currency)

    for tax in invoice.taxes:
        base = share(tax.base_micros, net_after) - share(tax.base_micros, net_before)
        amount = share(tax.amount_micros, net_after) - share(tax.amount_micros, net_before)
        found.append(replace(tax, base_micros=base, amount_micros=amount))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Returned:
    """What becomes of credit that the invoice had drawn, exact.

    `back` goes where it came from; `lost_micros` were paid for and can be drawn no more: they
    are the customer's credit.
    """

    back: tuple[tuple[ledger.Account, int], ...] = ()
    lost_micros: int = 0

    def lost_minor_micros(self, currency: str) -> int:
        """What is lost, in whole minor units: so much the customer gets as credit."""
        return round_to_minor_micros(self.lost_micros * NUMERATOR_PER_MICRO, currency)


def reversal(note: CreditNote, invoice: Invoice, returned: Returned) -> tuple[Posting, ...]:
    """The postings of a note: the reverse of what the invoice and its usage posted."""
    unit = ledger.currency(note.currency)
    asked = asked_of(invoice.kind, invoice.tenant_id)
    credit_of = ledger.customer_credit(invoice.tenant_id)
    postings: tuple[Posting, ...] = ()
    drawn = 0
    for line in note.lines:
        of = invoice.lines[line.line - 1]
        if of.type in DRAWN:
            drawn -= line.amount_micros
        else:
            postings += ledger.transfer(_source(of, invoice), asked, unit, line.amount_micros)
    for tax in note.taxes:
        payable = ledger.tax_payable(invoice.entity_id)
        postings += ledger.transfer(payable, asked, unit, tax.amount_micros)
    for account, micros in returned.back:
        postings += ledger.transfer(asked, account, unit, micros)
    lost = returned.lost_minor_micros(note.currency)
    postings += ledger.transfer(asked, credit_of, unit, lost)
    rest = drawn - lost - sum(micros for _, micros in returned.back)
    postings += ledger.transfer(asked, ledger.ROUNDING, unit, rest)
    return postings + ledger.transfer(asked, credit_of, unit, note.returned_micros)


def _source(line: InvoiceLine, invoice: Invoice) -> ledger.Account:
    """The account that a line had credited, and that its reversal debits."""
    if line.type is LineType.INSTALMENT:
        return ledger.deferred_revenue(invoice.tenant_id)
    if line.type is LineType.TRUE_UP:
        return ledger.BREAKAGE
    if line.type is LineType.RECALL_FEE:
        return ledger.RECALL_FEES
    if line.type is LineType.CARRIED:
        return ledger.customer_credit(invoice.tenant_id)
    if line.type is LineType.OPENING:
        return ledger.PRIOR_REVENUE
    if line.type is LineType.SLA_CREDIT or line.lease_class is None:
        return ledger.SLA_CREDIT
    return ledger.revenue(line.lease_class)
