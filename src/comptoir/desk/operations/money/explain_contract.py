"""Where a contract stands now: what the live book knows of it, put together.

Nothing is written. What usage of the running period will draw, and what runs, may be much: it is
read beside the desk (`store/views/tenant_book.py`).
"""

from dataclasses import dataclass

from comptoir.desk.contract_requests import ContractRef
from comptoir.desk.contracts import contract_named, newest_approved, party_of
from comptoir.desk.operations.money.supply_costs import supplied_under
from comptoir.desk.transaction import Transaction
from comptoir.sales.commitments import (
    AccessStep,
    Commitment,
    CommitmentType,
    InstalmentDue,
    commitment_id,
    instalments_due,
)
from comptoir.sales.committed_steps import step_key
from comptoir.sales.contracts import (
    Contract,
    ContractState,
    ContractVersion,
    VersionState,
    commitments_alive,
    end_of,
    state_of,
)
from comptoir.sales.credit_blocks import BlockState, Covers, CreditBlock
from comptoir.sales.exits import cut_step, kept_of
from comptoir.sales.expansions import expanded
from comptoir.sales.tranches import ContractAct, TrancheStanding, TrancheState, exit_at, standing
from comptoir.units.money import floor_micros
from comptoir.units.time import LATEST_MS
from comptoir.units.values import replace


@dataclass(frozen=True, slots=True)
class CommitmentStanding:
    """A commitment now: its blocks, or what was spent in each step of a sold postpaid one; what
    bought supply costs an hour; and the instalment that comes next.

    One that `fell_away` will never bind: its tranche was cancelled, or came when it was over, or
    an exit released it.
    """

    commitment: Commitment
    alive: bool
    fell_away: bool
    blocks: tuple[CreditBlock, ...]
    spent: tuple[tuple[AccessStep, int], ...]
    supply_nanos: int
    next_instalment: InstalmentDue | None


@dataclass(frozen=True, slots=True)
class ContractExplained:
    """A contract, its versions, and the version that is shown: in force, else the newest.

    `next_text` is the file to propose where an expansion was exercised and is in no version yet.
    """

    contract: Contract
    party: str
    entity: str
    state: ContractState
    ends_at_ms: int
    version: ContractVersion
    versions: tuple[ContractVersion, ...]
    acts: tuple[ContractAct, ...]
    tranches: tuple[TrancheStanding, ...]
    commitments: tuple[CommitmentStanding, ...]
    next_text: str


def explain_contract(tx: Transaction, request: ContractRef) -> ContractExplained:
    """Where a contract stands. A tenant sees its own, and what was approved of it.

    Raises:
        NotFound: the contract.
    """
    contract = contract_named(tx, request.contract_id)
    book = tx.book.contracts
    versions = sorted(book.versions_of.get(contract.id), key=lambda one: one.number)
    acts = book.acts_of.get(contract.id)
    shown = book.in_force(contract, tx.now_ms) or newest_approved(tx.book, contract) or versions[-1]
    if tx.actor.tenant_id is not None:
        versions = [one for one in versions if one.state is VersionState.APPROVED]
    return ContractExplained(
        contract,
        party_of(tx.book, contract),
        tx.book.credit.entities[contract.entity_id].slug,
        state_of(versions, acts, tx.now_ms),
        end_of(shown, acts),
        shown,
        tuple(versions),
        tuple(acts),
        tuple(standing(tranche, acts, tx.now_ms) for tranche in shown.body.tranches),
        tuple(_commitments(tx, contract, shown, acts)),
        expanded(newest_approved(tx.book, contract) or shown, acts, tx.now_ms),
    )


def _commitments(
    tx: Transaction, contract: Contract, version: ContractVersion, acts: list[ContractAct]
) -> list[CommitmentStanding]:
    blocks = [
        block
        for block in tx.book.contracts.blocks_of.get(contract.id)
        if block.state is not BlockState.WITHDRAWN
    ]
    alive = {one.name: one for one in commitments_alive(version.body, acts, tx.now_ms)}
    exit_ms = exit_at(acts)
    over = {
        tranche.name
        for tranche in version.body.tranches
        if standing(tranche, acts, tx.now_ms).state
        in (TrancheState.ACCEPTED, TrancheState.CANCELLED)
    }
    found = []
    for said in version.body.commitments:
        binds = alive.get(said.name, said)
        bound = binds if exit_ms is None else kept_of(binds, exit_ms)
        commitment = bound or binds
        gone = bound is None or (said.name not in alive and said.tranche in over)
        named = commitment_id(contract.id, commitment.name)
        mine = sorted(
            (block for block in blocks if block.commitment_id == named),
            key=lambda block: (block.from_ms, block.created_at_ms),
        )
        if commitment.type is CommitmentType.POSTPAID:
            mine = [kept for one in mine if (kept := _as_exit_leaves(one, exit_ms))]
        coming = instalments_due(contract.id, [commitment], tx.now_ms, LATEST_MS)
        found.append(
            CommitmentStanding(
                commitment,
                commitment.name in alive and not gone,
                gone,
                tuple(mine),
                _spent(tx, contract, said, commitment),
                _supplied(tx, contract, version, commitment.covers),
                coming[0] if coming and not gone else None,
            )
        )
    return found


def _as_exit_leaves(block: CreditBlock, ends_ms: int | None) -> CreditBlock | None:
    """A bought postpaid step as an exit leaves it: whole, at its share of time, or not at all."""
    assert block.until_ms is not None, "a step of a commitment ends"
    step = AccessStep(block.from_ms, block.until_ms, block.granted_micros)
    kept = cut_step(step, ends_ms)
    if kept is None or kept == step:
        return None if kept is None else block
    over = block.state is not BlockState.OPEN
    return replace(
        block,
        until_ms=kept.until_ms,
        granted_micros=max(kept.micros, block.drawn_micros),
        expired_micros=max(kept.micros - block.drawn_micros, 0) if over else 0,
    )


def _spent(
    tx: Transaction, contract: Contract, commitment: Commitment, left: Commitment
) -> tuple[tuple[AccessStep, int], ...]:
    """What was spent in each step of a sold postpaid commitment, as far as it counts: of what
    of it is `left` by a late tranche, or an exit."""
    ends = {step.until_ms for step in left.access}
    if contract.tenant_id is None or commitment.type is not CommitmentType.POSTPAID:
        return ()
    found = []
    for step in commitment.access:
        kept = tx.book.contracts.steps.get(step_key(contract.id, commitment.name, step))
        if kept is None and step.until_ms in ends:
            found.append((step, 0))
        elif kept is not None and not kept.released:
            spent = min(floor_micros(kept.numerator), kept.committed_micros)
            found.append((AccessStep(kept.from_ms, kept.until_ms, kept.committed_micros), spent))
    return tuple(found)


def _supplied(tx: Transaction, contract: Contract, version: ContractVersion, covers: Covers) -> int:
    """What supply under a bought contract costs an hour now, in nanos."""
    if contract.tenant_id is not None:
        return 0
    return sum(
        one.hourly_nanos
        for one in supplied_under(tx, version)
        if one.held_ms(tx.now_ms, tx.now_ms + 1)[0] < one.held_ms(tx.now_ms, tx.now_ms + 1)[1]
        and (not covers.kinds or one.inbound.kind in covers.kinds)
    )
