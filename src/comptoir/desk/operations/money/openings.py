"""Moving in: an opening is proposed by one person and approved by another, who is not the first.

What an approval does at once is move the counters of numbers, and bring the contracts of customers
that are here already: what they use is priced by them from then on. Everything else is brought by
the desk's own loop (`bringing.py`), and nothing that would see half of it happens meanwhile.
"""

from comptoir.billing.invoices import NumberSeries
from comptoir.billing.opening import Opening, OpeningFile, OpeningState, OpeningText
from comptoir.billing.opening import approved as approved_now
from comptoir.desk.opening_requests import (
    ApproveOpening,
    OpeningRef,
    ProposedOpening,
    ProposeOpening,
)
from comptoir.desk.operations.money.bringing import bring
from comptoir.desk.operations.money.close_period import entity_named
from comptoir.desk.operations.money.opening_judging import any_is_here, judge_opening
from comptoir.desk.transaction import Transaction
from comptoir.tenants.entities import LegalEntity
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Conflict, Forbidden, invariant
from comptoir.units.ids import LegalEntityId, OpeningId
from comptoir.units.time import format_instant
from comptoir.units.values import replace


def propose_opening(tx: Transaction, request: ProposeOpening) -> ProposedOpening:
    """Propose what an entity brings; the same files again change nothing.

    Raises:
        Conflict: `opening_exists`, `entity_has_invoiced`, `period_after_cut_over`,
            `usage_before_cut_over`.
        Refused: `cut_over_ahead`.
        Invalid: the code of the first fault, with all of them.
    """
    file = request.file
    entity = entity_named(tx, LegalEntityId(file.entity))
    for known in tx.book.openings.of_entity.each(entity.id):
        if known.sha256 == file.sha256 and known.cut_over_ms == file.cut_over_ms:
            return ProposedOpening(known, request.dry_run, repeated=True)
        raise _exists(known, entity)
    judge_opening(tx, file, entity)
    opening = _proposed(tx, file, entity)
    if request.dry_run:
        return ProposedOpening(opening, dry_run=True)
    tx.book.openings.openings.put(opening)
    for name, text in file.texts:
        tx.append("opening_text", OpeningText(opening.id, name, text))
    _tell(tx, "opening.proposed", opening)
    return ProposedOpening(opening)


def approve_opening(tx: Transaction, request: ApproveOpening) -> Opening:
    """Begin to bring a proposed opening; the desk goes on by itself.

    Raises:
        NotFound: the opening.
        Forbidden: `own_proposal`.
        Conflict: `opening_not_proposed`, and those of `propose_opening`: the book has moved on.
    """
    opening = _waiting(tx, request.opening_id)
    if opening.proposed_by == tx.actor.user_id:
        raise Forbidden(
            "own_proposal",
            f"{opening.name} was proposed by you, and nobody approves their own",
            "ask another approver",
        )
    file, entity = request.file, tx.book.credit.entities[opening.entity_id]
    invariant(file.sha256 == opening.sha256, f"{opening.id} is approved by other files")
    judge_opening(tx, file, entity)
    for one in file.numbers:
        tx.book.closing.number_series.put(NumberSeries(entity.id, one.series, one.next - 1))
    begun = tx.book.openings.openings.put(approved_now(opening, tx.actor.user_id, tx.now_ms))
    _tell(tx, "opening.approved", begun)
    at_once = file.agreed if any_is_here(tx, file) else ()
    return bring(tx, begun, at_once) if at_once or not begun.total_items else begun


def withdraw_opening(tx: Transaction, request: OpeningRef) -> Opening:
    """Take a proposed opening back; another may be proposed then.

    Raises:
        NotFound: the opening.
        Conflict: `opening_not_proposed`.
    """
    opening = _waiting(tx, request.opening_id)
    withdrawn = replace(opening, state=OpeningState.WITHDRAWN)
    tx.book.openings.openings.put(withdrawn)
    _tell(tx, "opening.withdrawn", withdrawn)
    return withdrawn


def _waiting(tx: Transaction, opening_id: OpeningId) -> Opening:
    found = tx.book.openings.openings.get(opening_id)
    if found is None:
        raise not_found(f"opening {opening_id}")
    if found.state is not OpeningState.PROPOSED:
        raise Conflict(
            "opening_not_proposed",
            f"{found.name} is {found.state}",
            f"see `comptoir import show {found.id}`",
            {"state": found.state},
        )
    return found


def _exists(known: Opening, entity: LegalEntity) -> Conflict:
    withdraw = f"`comptoir import withdraw {known.id}` first"
    waits = known.state is OpeningState.PROPOSED
    return Conflict(
        "opening_exists",
        f"{entity.slug} moves in once: {known.name} is {known.state}, from other files, with the "
        f"cut-over {format_instant(known.cut_over_ms)}",
        withdraw if waits else "book what is missing as what it is: an invoice, a grant, a receipt",
        {"opening": known.id, "state": known.state},
    )


def _proposed(tx: Transaction, file: OpeningFile, entity: LegalEntity) -> Opening:
    return Opening(
        OpeningId(tx.new_id("op")), entity.id, file.name, file.source, file.cut_over_ms,
        OpeningState.PROPOSED, file.sha256, tuple(name for name, _ in file.texts), file.totals,
        len(file.items), 0, tx.actor.user_id, tx.now_ms,
    )  # fmt: skip


def _tell(tx: Transaction, type_: str, opening: Opening) -> None:
    entity = tx.book.credit.entities[opening.entity_id]
    tx.emit(
        type_, opening.id, None, entity=entity.slug, name=opening.name,
        cut_over_ms=opening.cut_over_ms, items=opening.total_items, sha256=opening.sha256,
    )  # fmt: skip
