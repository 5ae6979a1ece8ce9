"""Why is it waiting, and until when? What the live book can answer, put together."""

from comptoir.desk.operations.grounds import judged
from comptoir.desk.requests import LeaseRef
from comptoir.desk.transaction import Transaction
from comptoir.leases.claims import Ground
from comptoir.leases.eligible import eligible, unmet_terms
from comptoir.leases.grounds import Denied, kept_from_it
from comptoir.leases.lease import Lease, LeaseRequest, LeaseState, request_of
from comptoir.placement.queue import earliest
from comptoir.placement.why import Queue, Why, why
from comptoir.units.errors import Refused
from comptoir.units.time import MS_PER_S


def explain_lease(tx: Transaction, request: LeaseRef) -> Why:
    """Why a lease is where it is: a question that only the live book can answer."""
    lease = tx.lease(request.lease_id)
    queue, asked = Queue(held_up="its window has passed: it is given up"), None
    in_vain = lease.waits_until_ms is not None and lease.waits_until_ms <= tx.now_ms
    if lease.state is LeaseState.WAITING and not in_vain:
        asked = request_of(lease, tx.book.tenants[lease.tenant_id], tx.now_ms)
        queue = _queue(tx, lease, asked)
    victims = [
        *tx.book.victims_of.get(lease.id),
        *(
            other
            for other in tx.book.leases_by_state.get(LeaseState.RECLAIMING)
            if other.reclaimed_for == lease.id
        ),
    ]
    return why(tx.book.snapshot, lease, asked, queue, victims, tx.now_ms)


def _queue(tx: Transaction, lease: Lease, asked: LeaseRequest) -> Queue:
    book = tx.book
    ahead = book.waiting.ahead_of(lease)
    shadow = book.shadows.get(lease.kind)
    first = None if shadow is None else shadow.lease_id
    latest_ms = lease.latest_start_ms if lease.flexible else None
    try:  # a condition of the supply holds it up, not who is ahead
        eligible(book.inbound_by_kind.get(asked.kind), asked, latest_ms)
    except Refused as no:
        return Queue(ahead, first, held_up=f"{no.message}; {no.next}")
    ground = judged(tx, lease)
    if isinstance(ground, Denied):
        return Queue(ahead, first, held_up=ground.sentence)
    if said := _kept_where_it_may_be(tx, lease, asked, ground):
        return Queue(ahead, first, held_up=said)
    plan = earliest(book.snapshot, asked, tx.now_ms, latest_ms)
    if plan is not None:
        return Queue(ahead, first, plan.starts_at_ms, plan.allocations[0].node_id)
    ageing_ms = book.policy(lease.lease_class).ageing_s * MS_PER_S
    return Queue(ahead, first, kept_from_ms=lease.state_since_ms + ageing_ms)


def _kept_where_it_may_be(
    tx: Transaction, lease: Lease, asked: LeaseRequest, ground: Ground
) -> str:
    """What keeps it from the sites at which conditions let it stand, if something does at all."""
    book = tx.book.headroom.book(lease.kind, tx.now_ms)
    start_ms = asked.window.start_ms
    if book is None or ground is Ground.OWN or not book.entitled_sites(start_ms):
        return ""
    pools = tx.book.snapshot.pools_of(lease.kind)
    sites = {p.key.site for p in pools if unmet_terms(p.key.conditions, asked) is None}
    return kept_from_it(book, lease, ground, sites, start_ms)
