"""Recalls in memory: who has a recall clause, who is to be recalled, whose are counted anew.

A part of the book (`book.recalls`), fed by the tables of leases and contracts. A recall is
*planned* from when somebody is promised the lease's accelerators until it is announced; from then
on it is an act of the contract. Neighbour: `operations/recalling.py` counts, and marks the leases.
"""

from comptoir.desk.contract_memory import ContractBook
from comptoir.desk.tables import Index, Table
from comptoir.leases.lease import FINAL, Lease, LeaseState
from comptoir.sales.contracts import spans
from comptoir.sales.tranches import ActType, ContractAct
from comptoir.units.ids import LeaseId, TenantId
from comptoir.units.time import next_year_ms


class RecallBook:
    """What is asked of leases with a recall clause."""

    def __init__(self, leases: Table[LeaseId, Lease], contracts: ContractBook) -> None:
        self._contracts = contracts
        self.clauses_of = Index[TenantId, Lease](
            leases, lambda x: x.tenant_id if x.recall and x.state not in FINAL else None
        )
        self.planned_of = Index[TenantId, Lease](
            leases, lambda x: x.tenant_id if is_planned(x) else None
        )
        self.touched: set[TenantId] = set()
        """Whose recalls were planned, announced or dropped since they were last counted."""
        self.counted_in: tuple[int, int] | None = None
        """From when until when the last count of all is true; None: not since the book was loaded,
        or since a contract changed."""
        leases.feed(self._feed_lease)
        contracts.acts.feed(self._feed_act)
        contracts.versions.feed(self._count_all)

    def count_all_at(self, now_ms: int) -> bool:
        """Look at all contracts once a year or a version of one begins or ends; whether it was."""
        if self.counted_in is not None and self.counted_in[0] <= now_ms < self.counted_in[1]:
            return False
        until_ms = next_year_ms(now_ms)
        for contract in self._contracts.contracts:
            if contract.tenant_id is None:
                continue
            self.touched.add(contract.tenant_id)
            versions = self._contracts.versions_of.get(contract.id)
            for since, end, _ in spans(versions, self._contracts.acts_of.get(contract.id)):
                until_ms = min([until_ms, *(edge for edge in (since, end) if edge > now_ms)])
        self.counted_in = now_ms, until_ms
        return True

    def _feed_lease(self, old: Lease | None, new: Lease | None) -> None:
        lease = new or old
        assert lease is not None
        if lease.recall and _standing(old) != _standing(new):
            self.touched.add(lease.tenant_id)

    def _feed_act(self, old: ContractAct | None, new: ContractAct | None) -> None:
        act = new or old
        contract = None if act is None else self._contracts.contracts.get(act.contract_id)
        if act is not None and act.type is ActType.EXIT:
            self.counted_in = None
        if act is not None and act.type is ActType.RECALL and contract and contract.tenant_id:
            self.touched.add(contract.tenant_id)

    def _count_all(self, _old: object, _new: object) -> None:
        self.counted_in = None


def is_planned(lease: Lease) -> bool:
    """Whether somebody is promised what a lease with a recall clause has, and it is not told."""
    return lease.recall and lease.state is LeaseState.ACTIVE and lease.reclaimed_for is not None


def is_recalled(lease: Lease) -> bool:
    """Whether a lease is to be recalled, or being taken back: its clause is in use."""
    return is_planned(lease) or lease.state is LeaseState.RECLAIMING


def _standing(lease: Lease | None) -> tuple[bool, ...] | None:
    return None if lease is None else (is_planned(lease), is_recalled(lease), lease.recall_spent)
