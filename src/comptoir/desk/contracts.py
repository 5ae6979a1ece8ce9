"""Contracts as the desk finds them: by number or id, by tenant and instant, and their credit."""

from comptoir.desk.dues import cut_open
from comptoir.desk.memory import Memory
from comptoir.desk.transaction import Transaction
from comptoir.sales.commitments import Commitment, CommitmentType, block_of, commitment_id
from comptoir.sales.contracts import (
    Contract,
    ContractVersion,
    Direction,
    VersionState,
    commitments_alive,
    end_of,
)
from comptoir.sales.credit_blocks import BlockState, CreditBlock, CreditSource, withdraw
from comptoir.sales.tranches import ActType, ContractAct
from comptoir.tenants.permissions import not_found, require_tenant
from comptoir.units.errors import Invalid
from comptoir.units.ids import ContractActId, ContractId, CreditBlockId, LegalEntityId, TenantId
from comptoir.units.values import replace

NO_TENANT = TenantId("")
"""Whose the credit blocks of a bought contract are: the house's own, and no tenant's."""


def contract_named(tx: Transaction, reference: str) -> Contract:
    """A contract that the actor may know of, by its id or number.

    Raises:
        NotFound: there is none, or it is another tenant's, or one under which the house buys.
    """
    what = f"contract {reference}"
    contract = tx.book.contracts.contracts.get(
        ContractId(reference)
    ) or tx.book.contracts.by_number.first(reference)
    if contract is None:
        raise not_found(what)
    require_tenant(tx.actor, contract.tenant_id, what)
    if tx.actor.tenant_id is not None and newest_approved(tx.book, contract) is None:
        raise not_found(what)  # what is only proposed is the house's own
    return contract


def party_of(book: Memory, contract: Contract) -> str:
    """With whom a contract is: a tenant's slug, or a partner."""
    return contract.partner if contract.tenant_id is None else book.tenants[contract.tenant_id].slug


def entity_named(tx: Transaction, name: str) -> LegalEntityId:
    """A legal entity by its slug.

    Raises:
        Invalid: `unknown_entity`.
    """
    entity = tx.book.credit.entity_by_slug.first(name)
    if entity is None:
        raise Invalid(
            "unknown_entity", f"there is no legal entity {name!r}", "see `comptoir entity list`"
        )
    return entity.id


def newest_approved(book: Memory, contract: Contract) -> ContractVersion | None:
    """The version that governs a contract from its own date on."""
    approved = [
        version
        for version in book.contracts.versions_of.each(contract.id)
        if version.state is VersionState.APPROVED
    ]
    return max(approved, key=lambda version: version.number, default=None)


def grant_credit(tx: Transaction, contract: Contract) -> list[CreditBlock]:
    """Make the credit blocks that the newest version promises, and take back what it does not.

    A step of a commitment is a block, made once: when its version is approved, or when the
    tranche that it waits for is accepted. Of what we sell only prepaid steps are credit; of
    what we buy every step is kept count of in the same way.
    """
    version = newest_approved(tx.book, contract)
    if version is None:
        return []
    acts = tx.book.contracts.acts_of.get(contract.id)
    end = end_of(version, acts)
    wanted = {
        (commitment_id(contract.id, commitment.name), step.from_ms, step.until_ms, step.micros): (
            commitment,
            step,
        )
        for commitment in commitments_alive(version.body, acts, tx.now_ms)
        if commitment.type is CommitmentType.PREPAID or contract.direction is Direction.BOUGHT
        for step in commitment.access
        if step.from_ms < end
    }
    made: list[CreditBlock] = []
    for block in tx.book.contracts.blocks_of.get(contract.id):
        if block.source is not CreditSource.COMMITMENT or block.commitment_id is None:
            continue
        key = block.commitment_id, block.from_ms, block.until_ms or 0, block.granted_micros
        promised = wanted.pop(key, None)
        if promised is None and block.left_micros == block.granted_micros:
            tx.book.contracts.credit_blocks.put(withdraw(block))
        elif promised is not None and version.effective_from_ms < (block.until_ms or 0):
            made += _as_promised(tx, block, promised[0])
    for commitment, step in wanted.values():
        block = block_of(
            CreditBlockId(tx.new_id("cb")), contract.tenant_id or NO_TENANT, contract.id,
            commitment, step, contract.currency, tx.now_ms,
        )  # fmt: skip
        made.append(tx.book.contracts.credit_blocks.put(block))
    if made and contract.tenant_id is not None:
        cut_open(tx, contract.tenant_id)
    return made


def _as_promised(tx: Transaction, block: CreditBlock, commitment: Commitment) -> list[CreditBlock]:
    """A step that is credit already, where a version rolls over more or less of what it leaves."""
    after = replace(block, rollover_ppm=commitment.rollover_ppm, rollover_s=commitment.rollover_s)
    if after == block or block.state is not BlockState.OPEN:
        return []
    return [tx.book.contracts.credit_blocks.put(after)]


def note_act(
    tx: Transaction,
    contract: Contract,
    type_: ActType,
    subject: str,
    effective_at_ms: int,
    note: str,
) -> ContractAct:
    """Keep an act, and tell both sides of it."""
    act = ContractAct(
        ContractActId(tx.new_id("ca")), contract.id, type_, subject, effective_at_ms, tx.now_ms,
        tx.actor.user_id, note,
    )  # fmt: skip
    tx.book.contracts.acts.put(act)
    tx.emit(
        "contract.acted",
        contract.id,
        contract.tenant_id,
        number=contract.number,
        act=type_,
        about=subject,
        effective_at_ms=effective_at_ms,
        note=note,
    )
    return act
