"""Recall: sold windows that the house may take back for its own use, as a contract allows.

The clause of the customer's contract in force makes a reserved lease recallable, with at least
its notice. Each recall is an act of the contract, noted when it is announced; it counts in the
calendar year (UTC) in which it takes effect. Invariant: acts and what is planned and not yet
announced are together never more than the clause allows in a year. Once they are as many, no
other lease of the contract is recallable, until one is dropped, the next year begins or the
contract ends: then what was sold under its clause may go, and no number bounds it.
"""

from comptoir.desk.contracts import note_act
from comptoir.desk.recall_memory import is_recalled
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import Lease, LeaseClass
from comptoir.placement.recalls import RecallsLeft
from comptoir.sales.tranches import ActType, RecallClause
from comptoir.units.ids import TenantId
from comptoir.units.time import calendar_year
from comptoir.units.values import replace


def recall_clause(
    tx: Transaction, tenant_id: TenantId, lease_class: LeaseClass
) -> RecallClause | None:
    """The clause under which a new lease of a tenant may be recalled."""
    found = tx.book.contracts.sold_at(tenant_id, tx.now_ms)
    if found is None or lease_class is not LeaseClass.RESERVED:
        return None
    return found[1].body.recall


def recalls_spent(tx: Transaction, tenant_id: TenantId) -> bool:
    """Whether a tenant's contract allows no more recalls in this year."""
    left = _left(tx, tenant_id, calendar_year(tx.now_ms))
    return left is not None and left[1] <= 0


def recalls_left(tx: Transaction) -> RecallsLeft:
    """What placement is told: how many leases of a contract may still be recalled in a year."""
    known = dict[tuple[TenantId, int], tuple[str, int] | None]()

    def left(lease: Lease, taken_at_ms: int) -> tuple[str, int] | None:
        if not lease.recallable:
            return None
        key = lease.tenant_id, calendar_year(taken_at_ms)
        if key not in known:
            known[key] = _left(tx, *key)
        return known[key]

    return left


def note_recall(tx: Transaction, lease: Lease, taken_at_ms: int) -> None:
    """Count a lease of which it is announced that it is taken back under its contract."""
    found = tx.book.contracts.sold_at(lease.tenant_id, tx.now_ms)
    if found is not None and found[1].body.recall is not None:
        said = "taken back for internal use"
        note_act(tx, found[0], ActType.RECALL, lease.id, taken_at_ms, said)


def settle_recalls(tx: Transaction) -> None:
    """Mark the leases of contracts that allow no more recalls; unmark them when they do again.

    What is to be recalled, or is being taken back, stays as it is: it is counted.
    """
    recalls = tx.book.recalls
    changed = recalls.count_all_at(tx.now_ms)
    for tenant_id in sorted(recalls.touched):
        spent = recalls_spent(tx, tenant_id)
        if changed and recalls.clauses_of.count(tenant_id):
            tx.book.queue_tried_at = -1  # more of them may be recalled than when all were tried
        for lease in recalls.clauses_of.get(tenant_id):
            if lease.recall_spent is not spent and not is_recalled(lease):
                tx.book.leases.put(replace(lease, recall_spent=spent))
                tx.book.queue_tried_at = -1
    recalls.touched.clear()


def taken_at_ms(tx: Transaction, lease: Lease) -> int | None:
    """When the first of what a lease has is taken back, or ends."""
    ends = [
        allocation.ends_at_ms
        for allocation in tx.book.allocations_of(lease.id)
        if allocation.fenced_at_ms is None and not allocation.lost and allocation.ends_at_ms
    ]
    return min(ends, default=None)


def _left(tx: Transaction, tenant_id: TenantId, year: int) -> tuple[str, int] | None:
    """Of which number a recall of a tenant would be one, and how many of it are left."""
    found = tx.book.contracts.sold_at(tenant_id, tx.now_ms)
    if found is None or found[1].body.recall is None:
        return None
    contract, clause = found[0], found[1].body.recall
    noted = sum(
        act.type is ActType.RECALL and calendar_year(act.effective_at_ms) == year
        for act in tx.book.contracts.acts_of.each(contract.id)
    )
    planned = sum(
        calendar_year(at_ms) == year
        for lease in tx.book.recalls.planned_of.each(tenant_id)
        if (at_ms := taken_at_ms(tx, lease)) is not None
        and (lease.ends_at_ms is None or at_ms < lease.ends_at_ms)
    )
    return f"{contract.id}/{year}", clause.times_a_year - noted - planned
