"""On what a lease comes to stand, and what changes later: the desk's side of `leases/grounds.py`.

Planning is bounded by what may be stood on; the plan's nodes decide for good, and the lease
keeps the answer (`lent`, `borrowed`). What changes later: `restating.py`.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from comptoir.desk.operations.share import plan_in_share
from comptoir.desk.transaction import Transaction
from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.claims import Ground, ground_of
from comptoir.leases.grounds import Denied, confirm, judge, sites_for, window_from
from comptoir.leases.kind_book import Added, KindBook
from comptoir.leases.lease import Lease, LeaseClass, LeaseRequest
from comptoir.leases.limits import Passed, limit_passed, own_limit_passed
from comptoir.placement.plan import Plan
from comptoir.placement.pools import PoolKey
from comptoir.placement.windows import freest
from comptoir.tenants.entitlements import ANYWHERE
from comptoir.units.errors import Refused
from comptoir.units.ids import AllocationId, TenantId
from comptoir.units.time import Window, format_instant
from comptoir.units.values import replace


def would_borrow(tx: Transaction, lease: Lease) -> bool:
    """Whether a team asks for more than it is entitled to: so far back it waits, if it must."""
    return lease.lease_class is LeaseClass.INTERNAL and judged(tx, lease) is not Ground.OWN


def judged(tx: Transaction, lease: Lease) -> Ground | Denied:
    """On what a lease would stand, before a place is looked for; or why on nothing."""
    return judge(tx.book.headroom.book(lease.kind, tx.now_ms), lease, tx.now_ms)


def plan_on_ground(tx: Transaction, lease: Lease, request: LeaseRequest) -> Plan | None:
    """Where a lease can stand on what it may stand on, or None: it has to wait.

    Raises:
        Refused: those of `placement.plan.refuse_impossible`.
    """
    book = tx.book.headroom.book(lease.kind, tx.now_ms)
    ground = judge(book, lease, tx.now_ms)
    if isinstance(ground, Denied):
        return None
    if book is None:
        request = replace(request, borrowed=False)
        return plan_in_share(tx, lease, request)
    if ground is not Ground.OWN:
        return _plan_weaker(tx, book, lease, request, ground)
    request, own = replace(request, borrowed=False), _own_pools(tx, book, lease)
    plan = plan_in_share(tx, lease, request, own)
    if plan is not None and _confirmed(tx, book, lease, plan, ground) is Ground.OWN:
        return _within_limits(tx, book, lease, request, own, plan)
    if plan is None and own is None:
        return None
    # Entitled at some sites only, and these have no place, or no more by the time at which
    # others are gone: so it would borrow.
    return _plan_weaker(tx, book, lease, request, Ground.BORROWED)


def _within_limits(
    tx: Transaction,
    book: KindBook,
    lease: Lease,
    request: LeaseRequest,
    own: Collection[PoolKey] | None,
    plan: Plan,
) -> Plan:
    """A plan on a team's own that leaves others what they keep, if there is one.

    Whoever has what is its own lent takes that back, rather than the free accelerators of
    somebody who does not lend. Where no other place will do, its own comes first.
    """
    passed = _limit_passed(tx, book, lease, plan)
    if passed is None:
        return plan
    with _kept_idle(tx, book, lease, request.window, passed.keep):
        other = plan_in_share(tx, lease, request, own)
    if other is None or _confirmed(tx, book, lease, other, Ground.OWN) is not Ground.OWN:
        return plan
    return plan if _limit_passed(tx, book, lease, other) is not None else other


def _plan_weaker(
    tx: Transaction, book: KindBook, lease: Lease, request: LeaseRequest, ground: Ground
) -> Plan | None:
    """As above, for what may not use what teams keep to themselves: counted with its nodes.

    Where somebody is entitled at one site, the sites at which it fits come first. Where free
    accelerators are kept, only a plan that takes back as much as it uses will do.
    """
    request = replace(request, borrowed=ground is Ground.BORROWED)
    start_ms = request.window.start_ms
    sites = sites_for(book, lease, ground, start_ms)
    if sites:
        plan = plan_in_share(tx, lease, request, _pools_at(tx, lease.kind, sites))
        if plan is not None and not isinstance(_confirmed(tx, book, lease, plan, ground), Denied):
            return plan
    plan = plan_in_share(tx, lease, request)
    if plan is None or not isinstance(_confirmed(tx, book, lease, plan, ground), Denied):
        return plan
    if not book.limited(start_ms):
        return None
    with _kept_idle(tx, book, lease, request.window, book.lending(start_ms).kept_by_site()):
        plan = plan_in_share(tx, lease, request)
    if plan is None or isinstance(_confirmed(tx, book, lease, plan, ground), Denied):
        return None
    return plan


def _pools_at(tx: Transaction, kind: str, sites: Collection[str]) -> list[PoolKey]:
    return [pool.key for pool in tx.book.snapshot.pools_of(kind) if pool.key.site in sites]


@contextmanager
def _kept_idle(
    tx: Transaction, book: KindBook, lease: Lease, window: Window, keep: Mapping[str, int]
) -> Iterator[None]:
    """So many free accelerators, by site, are kept out of the way, the freest nodes first."""
    snapshot, kept, missing = tx.book.snapshot, list[Allocation](), dict(keep)
    for node_id in freest(snapshot.pools_of(lease.kind), window, tx.now_ms):
        if not any(missing.values()):
            break
        node = snapshot.nodes[node_id]
        most = missing.get(node.site, 0) + missing.get(ANYWHERE, 0)
        part = tuple(snapshot.free_over(node, window, tx.now_ms)[:most]) if most else ()
        if part:
            here = min(len(part), missing.get(node.site, 0))
            missing[node.site] = missing.get(node.site, 0) - here
            missing[ANYWHERE] = missing.get(ANYWHERE, 0) - (len(part) - here)
            kept.append(
                Allocation(
                    AllocationId(f"idle-{node.id}"), lease.id, TenantId(""), node.id,
                    node.inbound_lease_id, part, window.start_ms, window.end_ms,
                )
            )  # fmt: skip
    snapshot.keep(kept)
    try:
        yield
    finally:
        snapshot.give_up(kept)


def marked(tx: Transaction, lease: Lease, plan: Plan) -> Lease:
    """The lease with the marks of what it comes to stand on by a plan."""
    book = tx.book.headroom.book(lease.kind, tx.now_ms)
    ground = judge(book, lease, tx.now_ms)
    if book is not None and not isinstance(ground, Denied):
        ground = _confirmed(tx, book, lease, plan, ground)
    return marked_as(lease, ground)


def marked_as(lease: Lease, ground: Ground | Denied) -> Lease:
    """The lease with the marks of a ground."""
    return replace(lease, lent=ground is Ground.LENT, borrowed=ground is Ground.BORROWED)


def _confirmed(
    tx: Transaction, book: KindBook, lease: Lease, plan: Plan, ground: Ground
) -> Ground | Denied:
    """The ground, counted up to where the plan's own promise ends: past it nothing stands there."""
    parts = [(tx.book.nodes[part.node_id], len(part.accelerators)) for part in plan.allocations]
    whole = window_from(lease, plan.starts_at_ms)
    window = Window(whole.start_ms, plan.allocations[0].ends_at_ms)
    if ground is Ground.LENT and window != whole:
        ground = Ground.SOLD  # until then it may be sold for good: it is counted so first
    with book.without(_taken_back(tx, plan)):
        return confirm(book, lease, ground, parts, window)


def _limit_passed(tx: Transaction, book: KindBook, lease: Lease, plan: Plan) -> Passed | None:
    """What limit a team's own use would pass by a plan, once those that it takes back are gone."""
    site = tx.book.nodes[plan.allocations[0].node_id].site
    added = Added(Ground.OWN, lease.tenant_id, lease.accelerators, site)
    with book.without(_taken_back(tx, plan)):
        return limit_passed(book, added, window_from(lease, plan.starts_at_ms))


def _taken_back(tx: Transaction, plan: Plan) -> list[tuple[Allocation, Lease, Node]]:
    """What a plan takes back, and on which nodes."""
    return [
        (allocation, tx.book.leases[reclaim.lease_id], tx.book.nodes[allocation.node_id])
        for reclaim in plan.reclaims
        for allocation in tx.book.allocations_of(reclaim.lease_id)
    ]


def _own_pools(tx: Transaction, book: KindBook, lease: Lease) -> Collection[PoolKey] | None:
    """The pools at whose sites a team is entitled to so much; None: at every site."""
    start_ms = max(lease.start_ms, tx.now_ms)
    if not book.in_force(start_ms):
        return None
    fits = {
        site: book.fits_own(lease.tenant_id, lease.accelerators, site, start_ms)
        for site in book.sites()
    }
    if all(fits.values()):
        return None
    return _pools_at(tx, lease.kind, [site for site, there in fits.items() if there])


def refuse_entitled(tx: Transaction, lease: Lease) -> None:
    """Say no at once to a sold window that teams' entitlements leave no room for, ever.

    Raises:
        Refused: `entitled_to_teams`, with the instant and the numbers.
    """
    book = tx.book.headroom.book(lease.kind, tx.now_ms)
    sold_window = lease.lease_class is LeaseClass.RESERVED and not lease.recallable
    if book is None or lease.flexible or not sold_window:
        return
    window = Window(max(lease.start_ms, tx.now_ms), lease.ends_at_ms)
    left, at_ms = book.unentitled[ANYWHERE].lowest(window)
    if lease.accelerators > left:
        supplied = book.supplied[ANYWHERE].at(at_ms)
        raise Refused(
            "entitled_to_teams",
            f"at {format_instant(at_ms)}, {supplied - left:,} of {supplied:,} x {lease.kind} "
            f"belong to teams: {max(left, 0):,} can be sold for good, you asked for "
            f"{lease.accelerators:,}",
            "ask for less, for another window, for on_demand or spot, or for a recall clause",
            {"at": format_instant(at_ms), "sellable": max(left, 0), "asked": lease.accelerators},
        )


def refuse_longer(tx: Transaction, lease: Lease, ends_at_ms: int) -> None:
    """Let a lease last longer only where nobody is entitled to it then, and within limits.

    Raises:
        Refused: `entitled_to_teams`, of what is sold for good; `beyond_limits`.
    """
    book = tx.book.headroom.book(lease.kind, tx.now_ms)
    parts, ground = parts_of(tx, lease), ground_of(lease)
    since_ms = max(lease.ends_at_ms or 0, tx.now_ms)
    if book is None or not parts or ends_at_ms <= since_ms:
        return
    window = Window(since_ms, ends_at_ms)
    extra = sum(accelerators for _, accelerators in parts)
    if ground is Ground.SOLD:
        extra = sum(book.extra(node, accelerators, window) for node, accelerators in parts)
        _refuse_sold_longer(book, lease, parts[0][0].site, window, extra)
    added = Added(ground, lease.tenant_id, extra, parts[0][0].site)
    is_own = ground is Ground.OWN and book.fits_own(
        lease.tenant_id, extra, added.site, window.start_ms
    )
    passed = (own_limit_passed if is_own else limit_passed)(book, added, window)
    if passed is not None:
        raise Refused(
            "beyond_limits",
            passed.sentence,
            f"choose an end before {format_instant(max(passed.at_ms, since_ms))}, or keep this one",
            {"at": format_instant(passed.at_ms), "asked": extra},
        )


def _refuse_sold_longer(
    book: KindBook, lease: Lease, site: str, window: Window, extra: int
) -> None:
    room, at_ms = book.lowest_room(site, window)
    if extra > room:
        raise Refused(
            "entitled_to_teams",
            f"at {format_instant(at_ms)}, {max(room, 0):,} x {lease.kind} are neither sold nor "
            f"entitled to teams, and it needs {extra:,}",
            f"choose an end before {format_instant(at_ms)}, or request another lease",
            {"at": format_instant(at_ms), "sellable": max(room, 0), "asked": extra},
        )


def parts_of(tx: Transaction, lease: Lease) -> list[tuple[Node, int]]:
    """The nodes that a lease holds or is promised, and how many accelerators of each."""
    return [
        (tx.book.nodes[allocation.node_id], len(allocation.accelerators))
        for allocation in tx.book.allocations_of(lease.id)
        if allocation.fenced_at_ms is None
    ]
