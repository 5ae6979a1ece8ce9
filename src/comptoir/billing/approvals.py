"""Acts on money that two people agree to: one asks, another says yes, and only then it is done.

What leaves the house, what is given away and where the house is paid is never one person's to
decide: refunds, credit made by hand, credit notes, disputes that are upheld, an entity's bank
account. Invariant: an act is done once, and by somebody who did not ask for it.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from comptoir.tenants.parties import Actor
from comptoir.units.errors import Conflict, Forbidden
from comptoir.units.ids import ApprovalId, TenantId, UserId


class ActKind(StrEnum):
    """What is asked for."""

    REFUND = "refund"
    TOP_UP = "top_up"
    CREDIT_NOTE = "credit_note"
    GRANT = "grant"
    UPHOLD = "uphold"
    """A dispute is upheld: its credit note follows in the same act."""
    ACCOUNT = "account"
    """Where an entity is paid."""
    OUTGOING = "outgoing"
    """What an amount that went out was for."""


class ApprovalState(StrEnum):
    """An act that was asked for is done once it is approved, or never."""

    ASKED = "asked"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    """The book has overtaken it: it could not be done any more."""


@dataclass(frozen=True, slots=True)
class Approval:
    """One act that waits for a second person, or that was done, withdrawn or overtaken.

    `subject` is what it is about: a payment, an invoice, a tenant, a dispute, an entity;
    `made` is what it made: a credit note's number, a credit block's id; `because` is why it lapsed.
    """

    id: ApprovalId
    kind: ActKind
    tenant_id: TenantId | None
    subject: str
    summary: str
    asked_by: UserId
    asked_at_ms: int
    state: ApprovalState
    decided_by: UserId | None
    decided_at_ms: int | None
    made: str
    because: str = ""


def approved(approval: Approval, actor: Actor, now_ms: int, made: str) -> Approval:
    """The act as it stands once it is done."""
    return replace(
        approval,
        state=ApprovalState.APPROVED,
        decided_by=actor.user_id,
        decided_at_ms=now_ms,
        made=made,
    )


def withdrawn(approval: Approval, actor: Actor, now_ms: int) -> Approval:
    """The act as it stands once it is never done."""
    return replace(
        approval,
        state=ApprovalState.WITHDRAWN,
        decided_by=actor.user_id,
        decided_at_ms=now_ms,
    )


def lapsed(approval: Approval, because: str, now_ms: int) -> Approval:
    """The act as it stands once it cannot be done any more; nobody decided that."""
    return replace(approval, state=ApprovalState.LAPSED, decided_at_ms=now_ms, because=because)


def check_open(approval: Approval) -> Approval:
    """The act itself if it waits still.

    Raises:
        Conflict: `already_decided`.
    """
    if approval.state is not ApprovalState.ASKED:
        raise Conflict(
            "already_decided",
            f"{approval.id} has lapsed: {approval.because}"
            if approval.state is ApprovalState.LAPSED
            else f"{approval.id} was {approval.state} by {approval.decided_by}",
            f"see `comptoir approval show {approval.id}`",
        )
    return approval


def check_other(approval: Approval, actor: Actor) -> Approval:
    """The act itself if the actor is not who asked for it.

    Raises:
        Forbidden: `own_proposal`.
    """
    if approval.asked_by == actor.user_id:
        raise Forbidden(
            "own_proposal",
            f"{approval.id} was asked for by you, and nobody approves their own",
            "ask another approver",
        )
    return approval
