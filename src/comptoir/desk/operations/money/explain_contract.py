"""Where a contract stands now: what the live book knows of it, put together.

Nothing is written. What usage of the running period will draw is worked out as the close will
do it, and told apart from what is drawn for good.
"""

from dataclasses import dataclass

from comptoir.desk.contract_requests import ContractRef
from comptoir.desk.contracts import contract_named, newest_approved, party_of
from comptoir.desk.dues import dues_of
from comptoir.desk.operations.money.supply_costs import supplied_under
from comptoir.desk.terms import price_of
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import LeaseState
from comptoir.sales.commitments import (
    Commitment,
    InstalmentDue,
    commitment_id,
    instalments_due,
)
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
from comptoir.sales.drawdown import draw
from comptoir.sales.expansions import expanded
from comptoir.sales.tranches import ContractAct, TrancheStanding, standing
from comptoir.units.time import LATEST_MS

DRAWS = frozenset({LeaseState.ACTIVE, LeaseState.RECLAIMING})


@dataclass(frozen=True, slots=True)
class CommitmentStanding:
    """A commitment now: its blocks (none of a sold postpaid one), what the running period will
    draw of them, what is drawn an hour, and the instalment that comes next."""

    commitment: Commitment
    alive: bool
    blocks: tuple[CreditBlock, ...]
    pending_micros: int
    hourly_nanos: int
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
    pending = _pending(tx, contract)
    alive = commitments_alive(version.body, acts, tx.now_ms)
    found = []
    for commitment in version.body.commitments:
        named = commitment_id(contract.id, commitment.name)
        mine = sorted(
            (block for block in blocks if block.commitment_id == named),
            key=lambda block: (block.from_ms, block.created_at_ms),
        )
        coming = instalments_due(contract.id, [commitment], tx.now_ms, LATEST_MS)
        found.append(
            CommitmentStanding(
                commitment,
                commitment in alive,
                tuple(mine),
                sum(pending.get(block.id, 0) for block in mine),
                _hourly(tx, contract, version, commitment.covers),
                coming[0] if coming else None,
            )
        )
    return found


def _pending(tx: Transaction, contract: Contract) -> dict[str, int]:
    """Micros that usage which is not invoiced yet would draw of each block, as of now."""
    if contract.tenant_id is None:
        return {}
    dues = dues_of(tx.book, tx.book.money.open_accruals_by_tenant.get(contract.tenant_id))
    found: dict[str, int] = {}
    for one in draw(tx.book.contracts.credit_of.get(contract.tenant_id), dues)[1]:
        found[one.block_id] = found.get(one.block_id, 0) + one.micros
    return found


def _hourly(tx: Transaction, contract: Contract, version: ContractVersion, covers: Covers) -> int:
    """What is drawn an hour now, in nanos: supply as it stands, or leases at their prices."""
    if contract.tenant_id is None:
        return sum(
            one.hourly_nanos
            for one in supplied_under(tx, version)
            if one.held_ms(tx.now_ms, tx.now_ms + 1)[0] < one.held_ms(tx.now_ms, tx.now_ms + 1)[1]
            and (not covers.kinds or one.inbound.kind in covers.kinds)
        )
    total = 0
    for lease in tx.book.leases_by_tenant.get(contract.tenant_id):
        if lease.state not in DRAWS:
            continue
        for allocation in tx.book.allocations_of(lease.id):
            node = tx.book.nodes.get(allocation.node_id)
            site = "" if node is None else node.site
            priced = price_of(tx.book, lease, tx.now_ms, site)
            if (
                priced
                and allocation.delivered
                and covers.holds(lease.kind, lease.lease_class, site)
            ):
                total += len(allocation.accelerators) * priced.price_nanos
    return total
