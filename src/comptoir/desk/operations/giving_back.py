"""Giving back: a team that takes up its own is never held up by what others do not lend.

Where its own lease has no other place than accelerators that somebody keeps idle, it stands
there, and as much of what is lent or borrowed gives way elsewhere, until limits hold again: so
they are passed for as long as a notice and a minimum runtime last, and no longer. Neighbours:
`grounds.py` looks for a place that spares others first; `leases/limits.py` counts.
"""

from collections import Counter

from comptoir.desk.operations.recalling import recalls_left
from comptoir.desk.transaction import Transaction
from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.claims import (
    Claim,
    Ground,
    free_at_ms,
    gives_way_as,
    ground_of,
    may_reclaim,
    tier_of,
)
from comptoir.leases.kind_book import KindBook
from comptoir.leases.lease import Lease, LeaseState
from comptoir.leases.limits import beyond_limits
from comptoir.placement.plan import PlannedReclaim
from comptoir.placement.reclaim import lost_accelerator_ms
from comptoir.units.ids import LeaseId

MOST_LOOKED_AT = 64
"""Leases that are looked at to give way, the cheapest first."""

Standing = list[tuple[Allocation, Lease, Node]]


def give_back(tx: Transaction, lease: Lease) -> list[PlannedReclaim]:
    """Who gives way because a team's own lease, just promised, stands on what others keep."""
    book = tx.book.headroom.book(lease.kind, tx.now_ms)
    start_ms = lease.scheduled_start_ms or tx.now_ms
    if book is None or ground_of(lease) is not Ground.OWN or not book.limited(start_ms):
        return []
    if not beyond_limits(book, start_ms):
        return []
    active = [x for x in tx.book.leases_by_state.get(LeaseState.ACTIVE) if x.kind == lease.kind]
    going = [other for other in active if other.reclaimed_for is not None]
    going += [x for x in tx.book.leases_by_state.get(LeaseState.RECLAIMING) if x.kind == lease.kind]
    gone = [part for other in going for part in _standing(tx, other)]
    most = _beyond(book, start_ms, [*gone, *_standing(tx, lease)])
    left = _beyond(book, start_ms, gone)
    may = [x for x in active if x not in going and may_reclaim(Claim.ENTITLED, x)]
    may.sort(key=lambda x: (tier_of(x), lost_accelerator_ms(x, tx.now_ms), x.id))
    found: list[PlannedReclaim] = []
    allowed, recalled = recalls_left(tx), Counter[str]()
    for victim in may[:MOST_LOOKED_AT]:
        if left <= most:
            break
        bound = allowed(victim, free_at_ms(victim, tx.now_ms))
        if bound is not None and recalled[bound[0]] >= bound[1]:
            continue
        without = _beyond(book, start_ms, [*gone, *_standing(tx, victim)])
        if without < left:
            left, gone = without, [*gone, *_standing(tx, victim)]
            found.append(_planned(tx, lease.id, victim))
            recalled.update([] if bound is None else [bound[0]])
    return found


def _planned(tx: Transaction, claimant: LeaseId, victim: Lease) -> PlannedReclaim:
    cost = lost_accelerator_ms(victim, tx.now_ms)
    why = (
        f"{gives_way_as(victim)}; taking it back costs {cost:,} accelerator-ms of work: {claimant} "
        "takes up its team's own on what others keep idle, and so much less can be lent"
    )
    return PlannedReclaim(victim.id, free_at_ms(victim, tx.now_ms), cost, why, cost)


def _beyond(book: KindBook, instant_ms: int, gone: Standing) -> int:
    with book.without(gone):
        return beyond_limits(book, instant_ms)


def _standing(tx: Transaction, lease: Lease) -> Standing:
    return [
        (allocation, lease, tx.book.nodes[allocation.node_id])
        for allocation in tx.book.allocations_of(lease.id)
    ]
