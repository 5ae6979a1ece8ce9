"""Acts on money that one asks for and another approves: judged twice, done once.

An act is judged when it is asked for by doing it and taking that back: what could not be done
now is refused now. When it is approved it is done by the same code, in the same commit as the
approval, under the book as it is then. An act that waits and could not be done any more lapses: the
turn judges those that wait again when payments, disputes or invoices have changed, and hourly.
"""

from collections.abc import Callable
from typing import Any

from comptoir.billing.approvals import (
    ActKind,
    Approval,
    ApprovalState,
    approved,
    check_open,
    check_other,
    lapsed,
    withdrawn,
)
from comptoir.desk.approval_requests import Act, ApprovalRef, AskApproval, WantedAct
from comptoir.desk.operations.money.credit_invoice import credit_invoice
from comptoir.desk.operations.money.dunning import resolve_dispute
from comptoir.desk.operations.money.entities import change_account
from comptoir.desk.operations.money.grants import give_grant
from comptoir.desk.operations.money.posting_outgoing import post_outgoing
from comptoir.desk.operations.money.receipts import refund_payment, top_up
from comptoir.desk.transaction import Transaction
from comptoir.tenants.permissions import Permission, may, not_found, require
from comptoir.units.errors import ComptoirError, Forbidden, Unavailable, invariant
from comptoir.units.ids import ApprovalId
from comptoir.units.money import format_minor
from comptoir.units.time import MS_PER_HOUR

_DO: dict[ActKind, tuple[Permission, Callable[[Transaction, Any], Any]]] = {
    ActKind.REFUND: (Permission.PAYMENTS_WRITE, refund_payment),
    ActKind.TOP_UP: (Permission.PAYMENTS_WRITE, top_up),
    ActKind.CREDIT_NOTE: (Permission.INVOICES_WRITE, credit_invoice),
    ActKind.GRANT: (Permission.GRANTS_WRITE, give_grant),
    ActKind.UPHOLD: (Permission.INVOICES_WRITE, resolve_dispute),
    ActKind.ACCOUNT: (Permission.ENTITIES_WRITE, change_account),
    ActKind.OUTGOING: (Permission.PAYMENTS_WRITE, post_outgoing),
}
"""Who may ask for an act, and how it is done."""

MOST_JUDGED = 2
"""In a turn: a credit note reads its whole invoice."""
MOST_SAID = 500


def ask_approval(tx: Transaction, request: AskApproval) -> Approval:
    """Ask for an act on money; somebody else approves it.

    Raises:
        Forbidden: `missing_permission`: of the act itself.
        ComptoirError: as the act itself is refused.
    """
    kind, wanted = _wanted(request.act)
    require(tx.actor, _DO[kind][0])
    tenant_id, subject, summary, _ = _judged(tx, kind, wanted)
    approval = Approval(
        ApprovalId(tx.new_id("ap")), kind, tenant_id, subject, summary, tx.actor.user_id,
        tx.now_ms, ApprovalState.ASKED, None, None, "",
    )  # fmt: skip
    tx.book.receipts.wanted_acts.put(WantedAct(approval.id, request.act))
    tx.book.receipts.approvals.put(approval)
    tx.emit("approval.asked", approval.id, None, act=kind, about=subject, summary=summary)
    return approval


def approve_act(tx: Transaction, request: ApprovalRef) -> Approval:
    """Do what another has asked for.

    Raises:
        NotFound: the act.
        Conflict: `already_decided`.
        Forbidden: `own_proposal`.
        ComptoirError: as the act itself is refused, under the book as it is now.
    """
    approval = check_other(check_open(_approval(tx, request)), tx.actor)
    wanted_act = tx.book.receipts.wanted_acts[approval.id]
    kind, wanted = _wanted(wanted_act.act)
    _, do = _DO[kind]
    _, _, _, made = _told(tx, kind, wanted, do(tx, wanted))
    done = tx.book.receipts.approvals.put(approved(approval, tx.actor, tx.now_ms, made))
    tx.emit("approval.given", done.id, None, act=kind, about=done.subject, made=made)
    return done


def withdraw_act(tx: Transaction, request: ApprovalRef) -> Approval:
    """Say that an act is not done: by who asked for it, or by who could approve it.

    Raises:
        NotFound: the act.
        Conflict: `already_decided`.
        Forbidden: `not_yours`.
    """
    approval = check_open(_approval(tx, request))
    if approval.asked_by != tx.actor.user_id and not may(tx.actor, Permission.MONEY_APPROVE):
        raise Forbidden(
            "not_yours",
            f"{approval.id} was asked for by {approval.asked_by}",
            "ask who asked for it, or an approver",
        )
    done = tx.book.receipts.approvals.put(withdrawn(approval, tx.actor, tx.now_ms))
    tx.emit("approval.withdrawn", done.id, None, act=done.kind, about=done.subject)
    return done


def lapse_acts(tx: Transaction) -> None:
    """Let go of acts that could not be done any more: a step of the turn."""
    receipts = tx.book.receipts
    if not receipts.unjudged:
        if tx.now_ms < receipts.judge_due_ms and not receipts.changed:
            return
        receipts.unjudged = [each.id for each in receipts.approvals]
        receipts.changed, receipts.judge_due_ms = False, tx.now_ms + MS_PER_HOUR
    changed = receipts.changed
    for _ in range(min(MOST_JUDGED, len(receipts.unjudged))):
        approval = receipts.approvals.get(receipts.unjudged.pop())
        if approval is None or approval.state is not ApprovalState.ASKED:
            continue
        try:
            _judged(tx, *_wanted(receipts.wanted_acts[approval.id].act))
        except Unavailable:
            continue  # it can be done in a moment
        except ComptoirError as no:
            because = f"{no.code}: {no.message}"[:MOST_SAID]
            receipts.approvals.put(lapsed(approval, because, tx.now_ms))
            tx.emit(
                "approval.lapsed", approval.id, None, act=approval.kind, about=approval.subject,
                because=because,
            )  # fmt: skip
    receipts.changed = changed  # whatever a judgement has changed, it has changed back


def _judged(tx: Transaction, kind: ActKind, wanted: Any) -> tuple[Any, str, str, str]:
    """What an act would be, found by doing it and taking that back; as the act is refused."""
    mark = tx.book.journal.mark()
    counter, seqs = tx.book.counter, dict(tx.book.last_seq)
    try:
        return _told(tx, kind, wanted, _DO[kind][1](tx, wanted))
    finally:
        tx.book.journal.undo_to(mark)
        tx.book.counter, tx.book.last_seq = counter, seqs


def _wanted(act: Act) -> tuple[ActKind, Any]:
    given = [(kind, getattr(act, kind.value)) for kind in ActKind]
    found = [(kind, request) for kind, request in given if request is not None]
    invariant(len(found) == 1, "an act is one thing")
    return found[0]


def _told(tx: Transaction, kind: ActKind, wanted: Any, done: Any) -> tuple[Any, str, str, str]:
    """Of whom an act is, what it is about, the act in words, and what it made."""
    match kind:
        case ActKind.REFUND:
            amount = wanted.amount or f"{_minor(done.refunded_micros, done.currency)} in all"
            words = f"send back {amount} {done.currency} of {done.id}: {wanted.reason}"
            return done.tenant_id, done.id, words, done.id
        case ActKind.TOP_UP:
            amount = _minor(done.granted_micros, done.currency)
            words = f"make {amount} {done.currency} of {wanted.payment_id} prepaid credit"
            return done.tenant_id, wanted.payment_id, words, done.id
        case ActKind.CREDIT_NOTE:
            amount = _minor(done.total_micros, done.currency)
            words = f"credit {amount} {done.currency} of {done.invoice_number}: {wanted.reason}"
            return done.tenant_id, done.invoice_id, words, done.number
        case ActKind.GRANT:
            amount = _minor(done.granted_micros, done.currency)
            slug = tx.book.tenants[done.tenant_id].slug
            return done.tenant_id, done.tenant_id, f"grant {slug} {amount} {done.currency}", done.id
        case ActKind.UPHOLD:
            words = f"uphold {done.id} and credit line {done.line}: {done.resolution}"
            return done.tenant_id, done.id, words, done.id
        case ActKind.ACCOUNT:
            words = f"{done.slug} is paid at {done.iban or 'no account'} {done.bic}".strip()
            return None, done.id, words, done.id
        case ActKind.OUTGOING:
            amount = _minor(-done.micros, done.currency)
            words = f"{amount} {done.currency} that went out are {done.about}: {wanted.reason}"
            return None, done.id, words, done.id


def _minor(micros: int, currency: str) -> str:
    return format_minor(micros, currency)


def _approval(tx: Transaction, request: ApprovalRef) -> Approval:
    found = tx.book.receipts.approvals.get(request.approval_id) or tx.store.find(
        "approval", (request.approval_id,)
    )
    if found is None:
        raise not_found(f"act {request.approval_id}")
    assert isinstance(found, Approval)
    return found
