"""What is done under a contract: tranches delivered, accepted, rejected, cancelled; options used;
an exit by notice. Each is one row, kept for good.

A tranche that nobody accepts or rejects in time is accepted by the turn. An act that an
agreement does not allow yet, or no more, is refused with the dates.
"""

from comptoir.desk.committed import keep_steps
from comptoir.desk.contract_requests import ContractDeed
from comptoir.desk.contracts import contract_named, grant_credit, note_act
from comptoir.desk.transaction import Transaction
from comptoir.sales.contracts import Contract, ContractVersion, Direction
from comptoir.sales.tranches import (
    BY_BUYER,
    BY_SELLER,
    ActType,
    ContractAct,
    ExitRight,
    TrancheState,
    check_act,
    standing,
)
from comptoir.units.durations import format_duration_s
from comptoir.units.errors import Conflict, Forbidden, Invalid
from comptoir.units.text import check_text
from comptoir.units.time import LATEST_MS, MS_PER_S, check_instant, format_instant

TRANCHE_ACTS = frozenset({ActType.DELIVER, ActType.ACCEPT, ActType.REJECT, ActType.CANCEL})


def act_on_contract(tx: Transaction, request: ContractDeed) -> ContractAct:
    """Do something under a contract, for one of its sides.

    A tenant's user acts for the customer; a house user for the house, and for whom it trades
    with, as it was told.

    Raises:
        NotFound: the contract.
        Forbidden: `act_of_the_other_side`.
        Invalid: `contract_unknown_name`, `no_such_right`.
        Conflict: `contract_not_in_force`, those of `tranches.check_act`, `option_over`,
            `exit_too_early`, `already_done`.
    """
    contract = contract_named(tx, request.contract_id)
    version = tx.book.contracts.in_force(contract, tx.now_ms)
    if version is None:
        raise Conflict(
            "contract_not_in_force",
            f"{contract.number} is not in force",
            "see `comptoir contract show`",
        )
    _check_side(tx, contract, request.act)
    if request.act in TRANCHE_ACTS:
        effective = _tranche(tx, contract, version, request)
    elif request.act is ActType.EXERCISE:
        effective = _exercise(tx, contract, version, request)
    elif request.act is ActType.EXIT:
        effective = _exit(tx, contract, version, request)
    else:
        raise Invalid(
            "no_such_right",
            f"a {request.act} follows from what is done with a lease, and is not noted by hand",
            "reclaim what is needed, or move the lease",
        )
    act = note_act(
        tx, contract, request.act, request.subject, effective, check_text("note", request.note, 0,
        500),
    )  # fmt: skip
    if request.act in (ActType.ACCEPT, ActType.CANCEL, ActType.EXIT):
        grant_credit(tx, contract)
        keep_steps(tx, contract)
    return act


def accept_in_silence(tx: Transaction) -> None:
    """Accept the tranches whose time for a word has passed: a step of the turn."""
    if tx.now_ms < tx.book.contracts.silence_due_ms:
        return
    due_ms = [LATEST_MS]
    for delivery in tx.book.contracts.deliveries.get(True):
        contract = tx.book.contracts.contracts[delivery.contract_id]
        version = tx.book.contracts.in_force(contract, tx.now_ms)
        tranche = None if version is None else version.body.tranche(delivery.subject)
        if tranche is None:
            continue
        acts = tx.book.contracts.acts_of.get(contract.id)
        found = standing(tranche, acts, tx.now_ms)
        if found.deemed and found.accepted_at_ms is not None:
            note = "deemed: nobody said otherwise in time"
            note_act(tx, contract, ActType.ACCEPT, tranche.name, found.accepted_at_ms, note)
            grant_credit(tx, contract)
            keep_steps(tx, contract)
        elif found.state is TrancheState.DELIVERED and found.accept_by_ms is not None:
            due_ms.append(found.accept_by_ms)
    tx.book.contracts.silence_due_ms = min(due_ms)


def _check_side(tx: Transaction, contract: Contract, act: ActType) -> None:
    """A customer may not deliver to itself. The house notes what either side did."""
    buys = contract.direction is Direction.SOLD
    if tx.actor.tenant_id is None or act is ActType.EXIT:
        return
    if act not in (BY_BUYER if buys else BY_SELLER):
        raise Forbidden(
            "act_of_the_other_side",
            f"to {act} is for the house under {contract.number}",
            "ask the house",
        )


def _tranche(
    tx: Transaction, contract: Contract, version: ContractVersion, request: ContractDeed
) -> int:
    tranche = version.body.tranche(request.subject)
    if tranche is None:
        raise _unknown(contract, "tranche", request.subject)
    before = standing(tranche, tx.book.contracts.acts_of.get(contract.id), tx.now_ms)
    check_act(tranche, request.act, before, tx.now_ms)
    return tx.now_ms


def _exercise(
    tx: Transaction, contract: Contract, version: ContractVersion, request: ContractDeed
) -> int:
    option = next((one for one in version.body.expansions if one.name == request.subject), None)
    if option is None:
        raise _unknown(contract, "expansion", request.subject)
    for act in tx.book.contracts.acts_of.get(contract.id):
        if act.type is ActType.EXERCISE and act.subject == option.name:
            raise Conflict(
                "already_done",
                f"{option.name} was exercised {format_instant(act.effective_at_ms)}",
                f"comptoir contract show {contract.number} --next writes what adds it",
            )
    if tx.now_ms >= option.exercise_by_ms:
        raise Conflict(
            "option_over",
            f"{option.name} could be exercised before {format_instant(option.exercise_by_ms)}",
            "agree on a new version",
        )
    return tx.now_ms


def _exit(
    tx: Transaction, contract: Contract, version: ContractVersion, request: ContractDeed
) -> int:
    right = version.body.exit
    if right is None:
        raise Invalid(
            "no_such_right",
            f"{contract.number} has no exit; it ends {format_instant(version.until_ms)}",
            "agree on a new version that ends it sooner",
        )
    if request.subject:
        raise _unknown(contract, "part to exit from", request.subject)
    for act in tx.book.contracts.acts_of.get(contract.id):
        if act.type is ActType.EXIT:
            raise Conflict(
                "already_done",
                f"notice was given: {contract.number} ends {format_instant(act.effective_at_ms)}",
                f"`comptoir commitment show {contract.number}` says what is left of it",
            )
    earliest = earliest_exit(right, tx.now_ms)
    at = earliest if request.effective_at_ms is None else request.effective_at_ms
    check_instant("effective_at", at)
    if at < earliest or at >= version.until_ms:
        raise _exit_too_early(contract, right, at, earliest, version.until_ms)
    return at


def _exit_too_early(
    contract: Contract, right: ExitRight, at_ms: int, earliest_ms: int, until_ms: int
) -> Conflict:
    """The refusal of an exit at an instant, with the instants at which it could be."""
    why = f"the notice is {format_duration_s(right.notice_s)}"
    if earliest_ms == right.earliest_ms:
        why = "the contract allows none before"
    over = format_instant(until_ms)
    if earliest_ms >= until_ms:
        said, step = f"after it has ended by itself {over}", "let it end, or agree on a new version"
    else:
        said = f"and it ends by itself {over}; you asked for {format_instant(at_ms)}"
        step = "give an instant between the two, or none for the earliest"
    return Conflict(
        "exit_too_early",
        f"an exit from {contract.number} takes effect {format_instant(earliest_ms)} at the "
        f"earliest ({why}), {said}",
        step,
        {"earliest": format_instant(earliest_ms), "ends": over},
    )


def earliest_exit(right: ExitRight, now_ms: int) -> int:
    """When a notice that is given now takes effect at the earliest."""
    return max(right.earliest_ms, now_ms + right.notice_s * MS_PER_S)


def _unknown(contract: Contract, what: str, name: str) -> Invalid:
    return Invalid(
        "contract_unknown_name",
        f"{contract.number} has no {what} {name!r}",
        "see `comptoir contract show`",
    )
