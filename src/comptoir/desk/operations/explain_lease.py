"""Why is it waiting, and until when? What the live book can answer, put together."""

from contextlib import ExitStack

from comptoir.desk.operations.grounds import judged
from comptoir.desk.operations.placing import chosen_way
from comptoir.desk.operations.queueing import first_ahead, kept_for, shadow_for
from comptoir.desk.requests import LeaseRef
from comptoir.desk.transaction import Transaction
from comptoir.leases.claims import Ground
from comptoir.leases.eligible import eligible, unmet_terms
from comptoir.leases.grounds import Denied, kept_from_it, short_for_good
from comptoir.leases.lease import Lease, LeaseRequest, LeaseState, request_of
from comptoir.placement.plan import Plan
from comptoir.placement.queue import earliest, queue_key
from comptoir.placement.why import Queue, Why, why
from comptoir.units.errors import Refused
from comptoir.units.time import MS_PER_S

MOST_AHEAD = 4
"""Behind more than so many nothing is said of when it starts: too much may happen before."""


def explain_lease(tx: Transaction, request: LeaseRef) -> Why:
    """Why a lease is where it is: a question that only the live book can answer."""
    lease = tx.lease(request.lease_id)
    queue, asked = Queue(held_up="its window has passed: it is given up"), None
    in_vain = lease.waits_until_ms is not None and lease.waits_until_ms <= tx.now_ms
    if lease.state is LeaseState.WAITING and not in_vain:
        queue, lease = _queue(tx, lease)
        asked = request_of(lease, tx.book.tenants[lease.tenant_id], tx.now_ms)
    victims = [
        *tx.book.victims_of.get(lease.id),
        *(
            other
            for other in tx.book.leases_by_state.get(LeaseState.RECLAIMING)
            if other.reclaimed_for == lease.id
        ),
    ]
    return why(tx.book.snapshot, lease, asked, queue, victims, tx.now_ms)


def _queue(tx: Transaction, lease: Lease) -> tuple[Queue, Lease]:
    """Where it stands in its line, and the soonest start behind who is ahead, of all its ways;
    and the lease as it is in that way.
    """
    book = tx.book
    ahead = book.waiting.ahead_of(lease)
    kept = first_ahead(tx, lease)
    first = None if kept is None else kept[0].id
    ways = [chosen_way(lease, choice) for choice in lease.choices]
    found = [(way, _way(tx, way)) for way in ways]
    plans = [(plan, way) for way, plan in found if isinstance(plan, Plan)]
    if plans:
        plan, way = min(plans, key=lambda item: item[0].starts_at_ms)
        return Queue(ahead, first, plan.starts_at_ms, plan.allocations[0].node_id), way
    held_up = [said for _, said in found if isinstance(said, str)]
    if len(held_up) == len(ways):
        return Queue(ahead, first, held_up=held_up[0]), lease
    ageing_ms = book.policy(lease.lease_class).ageing_s * MS_PER_S
    return Queue(ahead, first, kept_from_ms=lease.state_since_ms + ageing_ms), lease


def _way(tx: Transaction, lease: Lease) -> Plan | str | None:
    """The soonest start of one way; what holds it up; None: nothing says when."""
    asked = request_of(lease, tx.book.tenants[lease.tenant_id], tx.now_ms)
    latest_ms = lease.latest_start_ms if lease.flexible else None
    try:  # a condition of the supply holds it up, not who is ahead
        eligible(tx.book.inbound_by_kind.get(asked.kind), asked, latest_ms)
    except Refused as no:
        return f"{no.message}; {no.next}"
    ground = judged(tx, lease)
    if isinstance(ground, Denied):
        return ground.sentence
    if said := _kept_where_it_may_be(tx, lease, asked, ground):
        return said
    with ExitStack() as stack:
        if not _keep_for_those_ahead(tx, lease, stack):
            return None
        return earliest(tx.book.snapshot, asked, tx.now_ms, latest_ms)


def _keep_for_those_ahead(tx: Transaction, lease: Lease, stack: ExitStack) -> bool:
    """Keep for each that is ahead, in turn, the start that it can have; False: they are many."""
    book, mine = tx.book, queue_key(lease)
    found = 0
    for lease_id in book.waiting.line(lease.kind):
        other = book.leases[lease_id]
        if queue_key(other) >= mine:
            return True
        shadow = None if other.id == lease.id else shadow_for(tx, other)
        if shadow is None:
            continue  # it is not accelerators that it waits for
        found += 1
        if found > MOST_AHEAD:
            return False
        kept = kept_for(tx, other, shadow, str(found))
        book.snapshot.keep(kept)
        stack.callback(book.snapshot.give_up, kept)
    return True


def _kept_where_it_may_be(
    tx: Transaction, lease: Lease, asked: LeaseRequest, ground: Ground
) -> str:
    """What keeps it from the sites at which conditions let it stand, if something does at all."""
    book = tx.book.headroom.book(lease.kind, tx.now_ms)
    start_ms = asked.window.start_ms
    if book is None or ground is Ground.OWN:
        return ""
    if ground is Ground.SOLD and (short := short_for_good(book, lease, start_ms)):
        return short
    if not book.entitled_sites(start_ms):
        return ""
    pools = tx.book.snapshot.pools_of(lease.kind)
    sites = {p.key.site for p in pools if unmet_terms(p.key.conditions, asked) is None}
    return kept_from_it(book, lease, ground, sites, start_ms)
