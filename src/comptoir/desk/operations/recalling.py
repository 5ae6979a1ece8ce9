"""Recall: sold windows that the house may take back for its own use, as a contract allows.

The clause of the customer's contract in force makes a reserved lease recallable, with at least
its notice. Each recall is an act of the contract. Invariant: once a calendar year (UTC) has seen
as many as the clause allows, no lease of the contract is recallable any more.
"""

from datetime import UTC, datetime

from comptoir.desk.contracts import note_act
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import Lease, LeaseClass
from comptoir.sales.contracts import Contract
from comptoir.sales.tranches import ActType, RecallClause
from comptoir.units.ids import TenantId
from comptoir.units.time import MS_PER_S
from comptoir.units.values import replace


def recall_clause(
    tx: Transaction, tenant_id: TenantId, lease_class: LeaseClass
) -> RecallClause | None:
    """The clause under which a new lease of a tenant may be recalled, if this year still may."""
    found = tx.book.contracts.sold_at(tenant_id, tx.now_ms)
    if found is None or lease_class is not LeaseClass.RESERVED:
        return None
    contract, version = found
    clause = version.body.recall
    return clause if clause is not None and _left(tx, contract, clause) > 0 else None


def note_recall(tx: Transaction, lease: Lease) -> None:
    """Count a lease that was taken back under its contract; with the last, none is left."""
    found = tx.book.contracts.sold_at(lease.tenant_id, tx.now_ms)
    if found is None or found[1].body.recall is None:
        return
    contract, clause = found[0], found[1].body.recall
    note_act(tx, contract, ActType.RECALL, lease.id, tx.now_ms, "taken back for internal use")
    if _left(tx, contract, clause) > 0:
        return
    for other in tx.book.leases_by_tenant.get(lease.tenant_id):
        if other.recall:
            tx.book.leases.put(replace(other, recall=False))


def _left(tx: Transaction, contract: Contract, clause: RecallClause) -> int:
    """How many recalls a contract still allows in this calendar year."""
    year = _year(tx.now_ms)
    done = sum(
        act.type is ActType.RECALL and _year(act.effective_at_ms) == year
        for act in tx.book.contracts.acts_of.each(contract.id)
    )
    return clause.times_a_year - done


def _year(instant_ms: int) -> int:
    return datetime.fromtimestamp(instant_ms // MS_PER_S, tz=UTC).year
