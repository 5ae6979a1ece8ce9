"""Credit notes: an invoice taken back in part or whole, never edited."""

from comptoir.billing.credit_notes import (
    DRAWN,
    CreditNote,
    Returned,
    credit,
    lines_to_credit,
    reversal,
)
from comptoir.billing.dunning import Dispute, DisputeState, answered
from comptoir.billing.exchange import less_revalued, realised_legs, unrealised, worth
from comptoir.billing.invoice_status import InvoiceStatus, credited, disputed, voided
from comptoir.billing.invoices import Invoice, LineType
from comptoir.desk.close_requests import CreditInvoice, DraftRef
from comptoir.desk.openings import refuse_while_bringing
from comptoir.desk.operations.money.customer_credit import keep_credit, refuse_used, take_credit
from comptoir.desk.operations.money.drawing_credit import source_of
from comptoir.desk.operations.money.exchanging import worth_at
from comptoir.desk.operations.money.finalising import invoice_of, series_of
from comptoir.desk.operations.money.taking_credit_back import take_credit_back
from comptoir.desk.operations.money.taking_given_back import take_given_back
from comptoir.desk.transaction import Transaction
from comptoir.ledger import entries as ledger
from comptoir.sales.credit_blocks import CreditBlock
from comptoir.sales.drawdown import Drawdown, give_back
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Invalid
from comptoir.units.ids import CreditBlockId, CreditNoteId, id_number
from comptoir.units.money import parse_amount
from comptoir.units.text import check_text
from comptoir.units.values import replace


def credit_invoice(tx: Transaction, request: CreditInvoice) -> CreditNote:
    """Credit lines of an invoice, or all of it; that answers what is disputed of them.

    Raises:
        NotFound: the invoice.
        Invalid: `bad_text`, `bad_amount`, `too_many_decimals`, `unknown_line`, `line_twice`.
        Refused: `nothing_to_credit`, `credit_note_too_large`, `only_with_the_whole`,
            `credit_is_used`.
    """
    note = issue_note(tx, request)
    _answer_disputes(tx, invoice_of(tx, DraftRef(request.invoice_id)), note)
    return note


def issue_note(tx: Transaction, request: CreditInvoice) -> CreditNote:
    """The note itself; as `credit_invoice` refuses it."""
    refuse_while_bringing(tx)
    reason = check_text("reason", request.reason, 1, 500)
    invoice = invoice_of(tx, DraftRef(request.invoice_id))
    status = status_of(tx, invoice)
    wanted: dict[int, int | None] = {}
    for line, text in request.lines:
        if line in wanted:
            raise Invalid(
                "line_twice",
                f"lines: line {line} is named twice",
                "name each line once, with all that is to be credited of it",
                {"field": "lines", "line": line},
            )
        wanted[line] = (
            None if text is None else parse_amount(text, invoice.currency, f"lines[{line}]")
        )
    lines = lines_to_credit(invoice, status, wanted)
    entity, tenant = tx.book.credit.entities[invoice.entity_id], tx.book.tenants[invoice.tenant_id]
    note, series, by_line = credit(
        CreditNoteId(tx.new_id("cn")), invoice, status, lines,
        series_of(tx, entity, tenant, entity.credit_note_series),
        (tx.now_ms, tx.actor.user_id), reason,
    )  # fmt: skip
    tx.book.closing.number_series.put(series)
    tx.append("credit_note", note)
    after = credited(status, note.total_micros, by_line, note.returned_micros)
    after = voided(after) if _is_whole(invoice, by_line) else after
    gone = unrealised(status, note.returned_micros) if note.returned_micros else 0
    after, back_legs = less_revalued(
        entity, status, replace(after, realised_micros=status.realised_micros - gone)
    )
    tx.book.closing.statuses.put(after)
    _take_carried(tx, invoice, note)
    returned = _return_credit(tx, invoice, note)
    if _is_whole(invoice, by_line):
        take_given_back(tx, invoice)
    _forget_true_ups(tx, invoice, note)
    take_credit_back(tx, invoice, note.lines)
    tx.post(
        f"credit_note:{note.id}", "credit_note", f"{note.number} of {invoice.number}", tx.now_ms,
        (*reversal(note, invoice, returned), *realised_legs(entity, -gone), *back_legs),
    )  # fmt: skip
    lost = returned.lost_minor_micros(note.currency)
    worth_micros = gone + worth(note.returned_micros, status.rate_nanos)
    worth_micros += worth_at(tx, entity, lost, note.currency, tx.now_ms)
    keep_credit(tx, invoice, note.id, note.number, (note.returned_micros + lost, worth_micros))
    tx.emit(
        "credit_note.issued", note.id, tenant.id, number=note.number, invoice=invoice.number,
        total_micros=str(note.total_micros), currency=note.currency,
        reason=reason,
    )  # fmt: skip
    return note


def _is_whole(invoice: Invoice, credited_by_line: tuple[int, ...]) -> bool:
    return credited_by_line == tuple(line.amount_micros for line in invoice.lines)


def _take_carried(tx: Transaction, invoice: Invoice, note: CreditNote) -> None:
    """The credit that an invoice below zero had given goes with it, if it is there still.

    Raises:
        Refused: `credit_is_used`.
    """
    micros = sum(
        line.amount_micros
        for line in note.lines
        if invoice.lines[line.line - 1].type is LineType.CARRIED
    )
    if micros:
        amount = micros, invoice.currency
        missing = take_credit(tx, invoice.tenant_id, invoice.entity_id, amount, note.id)
        if missing:
            raise refuse_used(invoice, micros, missing)


def _answer_disputes(tx: Transaction, invoice: Invoice, note: CreditNote) -> None:
    """What is credited of a line is not disputed any more: it answers the oldest dispute first."""
    disputes = tx.book.receipts.disputes_of.get(invoice.id)
    ordered = sorted(disputes, key=lambda dispute: (dispute.opened_at_ms, id_number(dispute.id)))
    by_id = {dispute.id: dispute for dispute in ordered}
    for changed in answered(ordered, {line.line: line.amount_micros for line in note.lines}):
        before = by_id[changed.id]
        gone = before.gross_micros - (changed.gross_micros if changed.micros else 0)
        tx.book.closing.statuses.put(disputed(status_of(tx, invoice), -gone))
        if changed.micros:
            tx.book.receipts.disputes.put(changed)
        else:
            settle_dispute(tx, invoice, before, DisputeState.UPHELD, f"credited by {note.number}")


def settle_dispute(
    tx: Transaction, invoice: Invoice, dispute: Dispute, state: DisputeState, resolution: str
) -> Dispute:
    """Write down what was decided of a dispute, and tell its customer."""
    settled = tx.book.receipts.disputes.put(
        replace(
            dispute,
            state=state,
            resolved_by=tx.actor.user_id,
            resolved_at_ms=tx.now_ms,
            resolution=resolution,
        )
    )
    tx.emit(
        f"dispute.{state}", dispute.id, dispute.tenant_id, number=invoice.number,
        line=dispute.line, micros=str(dispute.micros), currency=invoice.currency,
        resolution=resolution,
    )  # fmt: skip
    return settled


def status_of(tx: Transaction, invoice: Invoice) -> InvoiceStatus:
    """What became of an invoice so far, whether it is still live or settled."""
    found = tx.book.closing.statuses.get(invoice.id) or tx.store.find(
        "invoice_status", (invoice.id,)
    )
    if found is None:
        raise not_found(f"status of invoice {invoice.id}")
    assert isinstance(found, InvoiceStatus)
    return found


def _forget_true_ups(tx: Transaction, invoice: Invoice, note: CreditNote) -> None:
    """What is credited of a true-up is not asked any more: late usage takes nothing off it."""
    for line in note.lines:
        step = tx.book.contracts.steps.get(invoice.lines[line.line - 1].reference)
        if step is not None:
            asked = step.asked_micros - line.amount_micros
            tx.book.contracts.steps.put(replace(step, asked_micros=asked))


def _return_credit(tx: Transaction, invoice: Invoice, note: CreditNote) -> Returned:
    """Give drawn credit back to the blocks it came from, as it was recorded."""
    if not any(invoice.lines[x.line - 1].type in DRAWN for x in note.lines):
        return Returned()
    recorded = [*tx.store.find_drawdowns(invoice.id)]
    recorded += [
        row
        for row in tx.book.journal.appended_since((0, 0), "drawdown")
        if row.invoice_id == invoice.id
    ]
    blocks = {row.block_id: _block(tx, row.block_id) for row in recorded}
    usable = [b for b in blocks.values() if b.until_ms is None or b.until_ms > tx.now_ms]
    changed, back = give_back(usable, recorded, sum(row.micros for row in recorded))
    for block in changed:
        tx.book.contracts.credit_blocks.put(block)
    for row, micros in back:
        tx.append("drawdown", _returned(tx, row, micros))
    owed: dict[ledger.Account, int] = {}
    for row in recorded:
        source = source_of(blocks[row.block_id])
        owed[source] = owed.get(source, 0) + row.micros
    deferred, lost = ledger.deferred_revenue(invoice.tenant_id), 0
    if deferred in owed:
        paid_for = sum(m for row, m in back if source_of(blocks[row.block_id]) == deferred)
        lost, owed[deferred] = owed[deferred] - paid_for, paid_for
    return Returned(tuple(owed.items()), lost)


def _returned(tx: Transaction, row: Drawdown, micros: int) -> Drawdown:
    return replace(row, seq=tx.book.next_seq("drawdown"), micros=-micros, booked_at_ms=tx.now_ms)


def _block(tx: Transaction, block_id: CreditBlockId) -> CreditBlock:
    found = tx.book.contracts.credit_blocks.get(block_id) or tx.store.find(
        "credit_block", (block_id,)
    )
    assert isinstance(found, CreditBlock)
    return found
