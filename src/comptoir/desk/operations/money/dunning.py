"""Disputes of invoices' lines, and dunning: asking again for what is overdue and not disputed."""

from comptoir.billing.dunning import (
    Dispute,
    DisputeState,
    check_steps,
    dunnable_micros,
    step_due,
    with_taxes,
)
from comptoir.billing.invoice_status import disputed
from comptoir.billing.invoices import Invoice, InvoiceKind
from comptoir.desk.close_requests import CreditInvoice, DraftRef
from comptoir.desk.operations.money.credit_invoice import issue_note, settle_dispute, status_of
from comptoir.desk.operations.money.finalising import invoice_of
from comptoir.desk.receipt_memory import Dunned, DunningPolicy
from comptoir.desk.receipt_requests import Dun, OpenDispute, ResolveDispute, SetDunning
from comptoir.desk.transaction import Transaction
from comptoir.tenants.permissions import not_found, require_tenant
from comptoir.units.errors import Conflict, Invalid, Refused
from comptoir.units.ids import DisputeId
from comptoir.units.money import MINOR_DIGITS, format_micros, format_minor, parse_amount
from comptoir.units.text import check_text
from comptoir.units.values import replace


def open_dispute(tx: Transaction, request: OpenDispute) -> Dispute:
    """Dispute a line of an invoice, or a part of it; only that is not asked for again.

    Raises:
        NotFound: the invoice.
        Invalid: `unknown_line`, `bad_text`, `bad_amount`, `too_many_decimals`.
        Refused: `disputed_too_much`: more than the line asks and is not disputed or credited yet;
            `chargeback_asks_nothing`.
    """
    reason = check_text("reason", request.reason, 1, 500)
    invoice = invoice_of(tx, DraftRef(request.invoice_id))
    require_tenant(tx.actor, invoice.tenant_id, f"invoice {request.invoice_id}")
    if invoice.kind is InvoiceKind.CHARGEBACK:
        raise Refused(
            "chargeback_asks_nothing",
            f"{invoice.number} charges a team back: nobody is asked for it, and nothing is dunned",
            f"have what is wrong of it credited: comptoir credit-note issue {invoice.number}",
            {"invoice": invoice.number},
        )
    status = status_of(tx, invoice)
    most = _disputable(tx, invoice, request.line)
    micros = (
        most if request.amount is None else parse_amount(request.amount, invoice.currency, least=1)
    )
    if not 0 < micros <= most:
        raise Refused(
            "disputed_too_much",
            f"{format_minor(max(most, 0), invoice.currency)} {invoice.currency} of line "
            f"{request.line} of {invoice.number} can be disputed, not "
            f"{format_minor(micros, invoice.currency)}",
            f"see `comptoir invoice show {invoice.number}`",
            {"most": format_minor(max(most, 0), invoice.currency), "line": request.line},
        )
    taxes = sum(tax.amount_micros for tax in invoice.taxes)
    gross = with_taxes(micros, invoice.net_micros, taxes, invoice.currency)
    dispute = tx.book.receipts.disputes.put(
        Dispute(
            DisputeId(tx.new_id("dp")), invoice.id, invoice.tenant_id, request.line, micros, gross,
            reason, tx.actor.user_id, tx.now_ms,
        )
    )  # fmt: skip
    tx.book.closing.statuses.put(disputed(status, gross))
    tx.emit(
        "dispute.opened", dispute.id, invoice.tenant_id, number=invoice.number, line=request.line,
        micros=str(micros), currency=invoice.currency, reason=reason,
    )  # fmt: skip
    return dispute


def _disputable(tx: Transaction, invoice: Invoice, number: int) -> int:
    """What of a line is neither credited nor disputed yet; taxes go with it."""
    if not 1 <= number <= len(invoice.lines):
        raise Invalid(
            "unknown_line",
            f"line: {invoice.number} has lines 1 to {len(invoice.lines)}, not {number}",
            f"see `comptoir invoice show {invoice.number}`",
            {"field": "line", "line": number},
        )
    status = status_of(tx, invoice)
    open_disputes = tx.book.receipts.disputes_of.get(invoice.id)
    taken = sum(d.micros for d in open_disputes if d.line == number)
    return invoice.lines[number - 1].amount_micros - status.credited_by_line[number - 1] - taken


def resolve_dispute(tx: Transaction, request: ResolveDispute) -> Dispute:
    """Uphold a dispute: a credit note follows in the same act; or reject it.

    Raises:
        NotFound: the dispute.
        Conflict: `dispute_resolved`.
        Invalid: `bad_text`.
    """
    resolution = check_text("resolution", request.resolution, 1, 500)
    found = tx.find(tx.book.receipts.disputes, request.dispute_id)
    if found is None:
        raise not_found(f"dispute {request.dispute_id}")
    if found.state is not DisputeState.OPEN:
        raise Conflict("dispute_resolved", f"{found.id} was {found.state} by {found.resolved_by}")
    invoice = invoice_of(tx, DraftRef(found.invoice_id))
    tx.book.closing.statuses.put(disputed(status_of(tx, invoice), -found.gross_micros))
    state = DisputeState.UPHELD if request.uphold else DisputeState.REJECTED
    resolved = settle_dispute(tx, invoice, found, state, resolution)
    asks = status_of(tx, invoice).open_micros > 0
    if asks and not request.uphold:  # what was not asked for is asked from the first step on
        tx.book.receipts.dunned.put(Dunned(invoice.id, 0, tx.now_ms))
    if request.uphold:
        amount = format_micros(found.micros, MINOR_DIGITS[invoice.currency])
        because = f"{found.id}: {resolution}"[:500]
        issue_note(tx, CreditInvoice(invoice.id, because, ((found.line, amount),)))
    return resolved


def reject_dispute(tx: Transaction, request: ResolveDispute) -> Dispute:
    """Say that a disputed line is owed; as `resolve_dispute` refuses it."""
    return resolve_dispute(tx, replace(request, uphold=False))


def set_dunning(tx: Transaction, request: SetDunning) -> DunningPolicy:
    """Settle when unpaid invoices are asked for again.

    Raises:
        Invalid: `bad_dunning_steps`.
    """
    for step in request.steps:
        check_text("step", step.name, 1, 40)
    steps = check_steps(request.steps)
    policy = tx.book.receipts.policies.put(DunningPolicy("house", steps))
    said = " ".join(f"{step.name}={step.after_days}" for step in steps)
    tx.emit("dunning.set", "dunning", None, steps=said)
    return policy


def dun(tx: Transaction, request: Dun) -> bool:
    """Take the steps that are due; returns whether some are left for the next call."""
    receipts = tx.book.receipts
    done = 0
    for status in list(tx.book.closing.statuses):
        dunnable = dunnable_micros(status.open_micros, status.disputed_micros)
        taken = receipts.dunned.get(status.invoice_id)
        steps, last_ms = (taken.steps, taken.last_at_ms) if taken else (0, None)
        step = step_due(receipts.steps, steps, last_ms, status.due_at_ms, dunnable, tx.now_ms)
        if step is None:
            continue
        if done >= request.most:
            return True
        done += 1
        receipts.dunned.put(Dunned(status.invoice_id, step, tx.now_ms))
        tx.emit(
            "invoice.overdue", status.invoice_id, status.tenant_id, number=status.number,
            step=receipts.steps[step - 1].name, due_at_ms=status.due_at_ms,
            micros=str(dunnable), disputed_micros=str(status.disputed_micros),
            currency=status.currency,
        )  # fmt: skip
    return False
