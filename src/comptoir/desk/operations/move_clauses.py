"""Move clauses: whose running leases a contract lets the house move, and how often a year.

Each move of a sold lease that runs is an act of the contract. Once a calendar year (UTC) has seen
as many as the clause allows, the contract's running leases stay where they are.
"""

from comptoir.desk.contracts import note_act
from comptoir.desk.memory import Memory
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import Lease, LeaseClass, LeaseState
from comptoir.sales.contracts import Contract
from comptoir.sales.tranches import ActType, MoveClause
from comptoir.units.ids import TenantId
from comptoir.units.time import calendar_year


def move_clause(
    book: Memory, tenant_id: TenantId, now_ms: int
) -> tuple[Contract, MoveClause] | None:
    """The clause of a tenant's contract in force, if this year still allows a move."""
    found = book.contracts.sold_at(tenant_id, now_ms)
    if found is None or found[1].body.move is None:
        return None
    contract, clause = found[0], found[1].body.move
    year = calendar_year(now_ms)
    done = sum(
        act.type is ActType.MOVE and calendar_year(act.effective_at_ms) == year
        for act in book.contracts.acts_of.each(contract.id)
    )
    return (contract, clause) if done < clause.times_a_year else None


def clause_notice_s(book: Memory, tenant_id: TenantId, now_ms: int) -> int | None:
    """The notice of that clause; None: there is none."""
    found = move_clause(book, tenant_id, now_ms)
    return None if found is None else found[1].notice_s


def note_move(tx: Transaction, lease: Lease, because: str) -> None:
    """Count a running sold lease that is moved; what a team has, and spot, needs no clause."""
    free = (LeaseClass.INTERNAL, LeaseClass.SPOT)
    if lease.state is not LeaseState.ACTIVE or lease.lease_class in free:
        return
    found = move_clause(tx.book, lease.tenant_id, tx.now_ms)
    if found is not None:
        note_act(tx, found[0], ActType.MOVE, lease.id, tx.now_ms, f"moved: {because}"[:500])
