"""The live rows of contracts in memory: contracts, versions, acts, credit, and supply marks.

A part of the book (`book.contracts`), with the same journal. Contracts stay for good, and with
them the credit that their commitments made, so that none is made twice, and what of credit lapsed
that was paid; other credit that is spent or has expired is evicted after the commit that ended it.
"""

from dataclasses import dataclass
from typing import Any

from comptoir.desk.tables import Index, Journal, Table
from comptoir.sales.committed_steps import CommittedStep
from comptoir.sales.contracts import Contract, ContractVersion, Direction, in_force
from comptoir.sales.credit_blocks import BlockState, CreditBlock, CreditSource
from comptoir.sales.tranches import ActType, ContractAct
from comptoir.units.ids import (
    ContractActId,
    ContractId,
    ContractVersionId,
    CreditBlockId,
    InboundLeaseId,
    TenantId,
)

PROMISED = (CreditSource.COMMITMENT, CreditSource.ROLLOVER)
"""What commitments made: it stays, so that no step is made twice and what became of it is shown."""


@dataclass(frozen=True, slots=True)
class SupplyMark:
    """Up to when the cost of an inbound lease is booked under a contract.

    `numerator` is its exact cost since the contract began (see `units.money`), `posted_micros`
    the floor of it, which is in the ledger.
    """

    contract_id: ContractId
    inbound_lease_id: InboundLeaseId
    posted_until_ms: int
    numerator: int
    posted_micros: int


class ContractBook:
    """The tables of contracts and their indexes."""

    def __init__(self, journal: Journal) -> None:
        self.contracts = Table[ContractId, Contract]("contract", lambda r: r.id, journal)
        self.versions = Table[ContractVersionId, ContractVersion](
            "contract_version", lambda r: r.id, journal
        )
        self.acts = Table[ContractActId, ContractAct]("contract_act", lambda r: r.id, journal)
        self.credit_blocks = Table[CreditBlockId, CreditBlock](
            "credit_block", lambda r: r.id, journal
        )
        self.supply_marks = Table[tuple[ContractId, InboundLeaseId], SupplyMark](
            "supply_mark", lambda r: (r.contract_id, r.inbound_lease_id), journal
        )
        self.steps = Table[str, CommittedStep]("committed_step", lambda r: r.key, journal)
        self.tables: tuple[Table[Any, Any], ...] = (
            self.contracts, self.versions, self.acts, self.credit_blocks, self.supply_marks,
            self.steps,
        )  # fmt: skip
        self.steps_kept: dict[tuple[str, str, str, str, int], tuple[str, ...]] = {}
        """In which steps a segment of a tenant's usage lies: `desk/committed.py`."""
        self.silence_due_ms = 0
        """When the next tranche is accepted by silence, as last looked up; 0: look again."""
        self.acts.feed(self._look_again)
        self.versions.feed(self._look_again)
        self._index()

    def _index(self) -> None:
        self.by_number = Index[str, Contract](self.contracts, lambda c: c.number)
        self.sold_to = Index[TenantId, Contract](self.contracts, lambda c: c.tenant_id)
        self.bought = Index[bool, Contract](
            self.contracts, lambda c: True if c.direction is Direction.BOUGHT else None
        )
        self.versions_of = Index[ContractId, ContractVersion](
            self.versions, lambda v: v.contract_id
        )
        self.acts_of = Index[ContractId, ContractAct](self.acts, lambda a: a.contract_id)
        self.deliveries = Index[bool, ContractAct](
            self.acts, lambda a: True if a.type is ActType.DELIVER else None
        )
        self.credit_of = Index[TenantId, CreditBlock](
            self.credit_blocks, lambda b: b.tenant_id if b.state is BlockState.OPEN else None
        )
        self.lapsed_of = Index[TenantId, CreditBlock](
            self.credit_blocks, lambda b: b.tenant_id if b.lapsed_micros else None
        )
        self.blocks_of = Index[ContractId, CreditBlock](self.credit_blocks, lambda b: b.contract_id)
        self.steps_of = Index[TenantId, CommittedStep](
            self.steps, lambda s: None if s.released else s.tenant_id
        )
        self.steps_under = Index[ContractId, CommittedStep](self.steps, lambda s: s.contract_id)

    def _look_again(self, _old: object, _new: object) -> None:
        self.silence_due_ms = 0
        self.steps_kept.clear()

    def in_force(self, contract: Contract, instant_ms: int) -> ContractVersion | None:
        """The version of a contract that is in force at an instant."""
        return in_force(
            self.versions_of.each(contract.id), self.acts_of.each(contract.id), instant_ms
        )

    def sold_at(
        self, tenant_id: TenantId, instant_ms: int
    ) -> tuple[Contract, ContractVersion] | None:
        """The contract under which a tenant buys at an instant, and its version in force."""
        for contract in self.sold_to.each(tenant_id):
            version = self.in_force(contract, instant_ms)
            if version is not None:
                return contract, version
        return None

    def evict_ended(self, rows: dict[str, list[object]]) -> None:
        """Drop what the commit of `rows` has used up."""
        for block in rows.get("credit_block", ()):
            assert isinstance(block, CreditBlock)
            kept = block.source in PROMISED or block.lapsed_micros
            if block.state is not BlockState.OPEN and not kept:
                self.credit_blocks.evict(block.id)
