"""The queue tried: the desk's side of `placement/queue.py`, bounded a turn.

While capacity is as it was when all were tried, only what is new is tried, behind what is kept
for the first of its kind. The same question is not asked twice in vain. `ahead.py` asks who comes
first on behalf of what does not wait.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from comptoir.desk.operations.effort import Effort, weight_of
from comptoir.desk.operations.grounds import judged
from comptoir.desk.operations.looking import Look
from comptoir.desk.operations.placing import place
from comptoir.desk.operations.taking_back import drop_promise
from comptoir.desk.transaction import Transaction
from comptoir.leases.allocation import Allocation
from comptoir.leases.claims import Ground
from comptoir.leases.grounds import Denied
from comptoir.leases.lease import (
    MOST_REACH,
    Alternative,
    Lease,
    LeaseClass,
    LeaseState,
    Reason,
    request_of,
)
from comptoir.placement.prospects import Prospects
from comptoir.placement.queue import (
    Alike,
    Asked,
    QueueKey,
    Shadow,
    Walk,
    asked_of,
    queue_key,
    shadow_of,
)
from comptoir.units.errors import Refused
from comptoir.units.ids import AllocationId, LeaseId
from comptoir.units.time import MS_PER_S
from comptoir.units.values import replace

MOST_PLANS_A_TURN = 200
MOST_LOOKED_AT_A_TURN = 2_000
PLANS_OF_A_SHADOW = 20
"""What finding a shadow promise counts for: it asks for a plan at many starts."""
_BEFORE_ALL: QueueKey = (-(1 << 30), 0, 0)
"""A place in the queue before that of the strongest claim."""
_OTHER_WAYS = "\uffff"
"""Behind every kind: where the ways of other kinds are tried."""


@dataclass(slots=True)
class _Pass:
    """One going through the queue, or a part of it."""

    tx: Transaction
    only: frozenset[LeaseId] | None
    """Only these are tried; None is everybody."""
    plans: int = 0
    looked_at: int = 0
    freed: bool = False
    last: QueueKey | None = None
    prospects: Prospects | None = None
    """Of the kind whose line is gone through, as its pools stand; None: something has changed."""

    @property
    def enough(self) -> bool:
        """Whether the rest is left to the next turn. Somebody is tried in each, or none would end:
        what is kept for the first may alone cost all that a turn may plan.
        """
        much = self.plans >= MOST_PLANS_A_TURN or self.looked_at >= MOST_LOOKED_AT_A_TURN
        return much and self.looked_at > 0


def try_queue(look: Look) -> bool:
    """Plan waiting leases in the queue's order; returns whether some are left over."""
    tx, book = look.tx, look.tx.book
    for lease in look.leases(LeaseState.WAITING):
        if _in_vain(lease, tx.now_ms):
            broken = tx.book.open_breaches.count(lease.id)
            state = LeaseState.BROKEN if broken else LeaseState.REFUSED
            drop_promise(tx, lease, state, Reason.WINDOW_PASSED)
    after = book.queue_resumes_after
    new = None
    if after is None and book.queue_tried_at == book.snapshot.version:
        new = frozenset(lease.id for lease in look.leases(LeaseState.WAITING))
    if after is None:
        book.queue_tried_at = book.snapshot.version
    going = _Pass(tx, new)
    for kind in book.waiting.kinds():
        if after is not None and kind < after[0]:
            continue
        resumed = after[1] if after is not None and kind == after[0] else None
        if new is not None and not any(book.leases[one].kind == kind for one in new):
            continue
        if _try_line(going, kind, resumed):
            book.queue_resumes_after = (kind, going.last or resumed or _BEFORE_ALL)
            return True
    resumed = after[1] if after is not None and after[0] == _OTHER_WAYS else None
    if _try_other_ways(going, resumed):
        book.queue_resumes_after = (_OTHER_WAYS, going.last or resumed or _BEFORE_ALL)
        return True
    book.queue_resumes_after = None
    if after is None and not going.freed:
        book.queue_tried_at = book.snapshot.version  # promises alone free nothing
    return book.queue_tried_at != book.snapshot.version


def _try_line(going: _Pass, kind: str, resumed: QueueKey | None) -> bool:
    """Try those who wait for a kind, behind what is kept for the first; whether some are left.

    What is kept is found once somebody behind may have a place: nearly always nobody has.
    """
    tx, book = going.tx, going.tx.book
    kept: list[Allocation] = []
    shadowed = False
    going.last = going.prospects = None
    book.shadows.pop(kind, None)
    walk = _walk(going, kind, resumed)
    try:
        while (place := walk.next()) is not None:
            key, lease_id = place
            lease = book.leases[lease_id]
            if _in_vain(lease, tx.now_ms):
                walk.passed()
                continue
            if going.enough:
                return True
            going.looked_at += 1
            going.last = key
            if _surely_not(going, lease):
                walk.in_vain()
                continue
            if not shadowed and (found := first_ahead(tx, lease)) is not None:
                shadowed = True
                going.plans += PLANS_OF_A_SHADOW * weight_of(tx, kind)
                book.shadows[kind] = found[1]
                kept = kept_for(tx, *found)
                book.snapshot.keep(kept)
                going.prospects = None
            if _try_one(going, lease):
                walk.passed()
            else:
                walk.in_vain()
    finally:
        book.snapshot.give_up(kept)
    return False


def _walk(going: _Pass, kind: str, after: QueueKey | None) -> Walk:
    """Through those of a line who may have a place; behind one of them, if one is given."""
    waiting, prospects = going.tx.book.waiting, _prospects(going, kind)
    if prospects is None:
        return waiting.walk(kind, after, going.only)

    def in_vain(alike: Alike) -> bool:
        lease = alike.lease
        ground = Ground.BORROWED if lease.borrowed else Ground.OWN  # as the turn has restated it
        return prospects.hopeless(lease, alike.least, _most_strength(lease, ground))

    return waiting.walk(kind, after, going.only, in_vain)


def _try_other_ways(going: _Pass, resumed: QueueKey | None) -> bool:
    """Try the ways of other kinds, now that all who wait for those have been tried.

    Each behind what is kept for the first of every kind, if that is ahead of it; returns
    whether some are left.
    """
    tx, book = going.tx, going.tx.book
    vain = set[tuple[str, int, Asked]]()
    going.last = going.prospects = None
    for lease_id in book.waiting.of_several_kinds(resumed):
        lease = book.leases[lease_id]
        asked = lease.kind, lease.accelerators, asked_of(lease)
        skipped = going.only is not None and lease_id not in going.only
        if skipped or asked in vain or _in_vain(lease, tx.now_ms):
            continue
        if going.enough:
            return True
        going.looked_at += 1
        going.last = queue_key(lease)
        kept = kept_ahead_of(tx, lease)
        book.snapshot.keep(kept)
        try:
            placed = _place(going, lease, lease.choices)
        finally:
            book.snapshot.give_up(kept)
        if not placed:
            vain.add(asked)
    return False


def kept_ahead_of(tx: Transaction, lease: Lease) -> list[Allocation]:
    """What is kept for the first of each kind of a lease, where that is ahead of it."""
    book, kept = tx.book, list[Allocation]()
    for kind in sorted({choice.kind for choice in lease.choices}):
        asked = replace(lease, kind=kind)
        if not book.waiting.ahead_of(asked):
            continue
        shadow = book.shadows.get(kind)
        first = None if shadow is None else book.leases.get(shadow.lease_id)
        if shadow is None or first is None or first.state is not LeaseState.WAITING:
            found = first_ahead(tx, asked)
        else:
            is_ahead = first.id != lease.id and queue_key(first) < queue_key(lease)
            found = (first, shadow) if is_ahead else None
        if found is not None:
            kept += kept_for(tx, *found)
    return kept


def _surely_not(going: _Pass, lease: Lease) -> bool:
    """Whether there is surely no place for a lease, or nothing that it may stand on."""
    if _hopeless(going, lease, _most_strength(lease, Ground.OWN)):
        return True
    ground = judged(going.tx, lease)
    if isinstance(ground, Denied):
        return True
    return _hopeless(going, lease, _most_strength(lease, ground))


def _try_one(going: _Pass, lease: Lease) -> bool:
    """Whether a lease was placed with the kind for which it stands in line."""
    if going.prospects is None and _surely_not(going, lease):
        return False
    own = takewhile(lambda way: way.kind == lease.kind, lease.choices)
    return _place(going, lease, list(own))


def _place(going: _Pass, lease: Lease, ways: Sequence[Alternative]) -> bool:
    """Whether a lease was placed in one of some ways."""
    tx, effort = going.tx, Effort()
    held = tx.book.leases_by_state.count(LeaseState.HELD)
    try:
        placed = place(tx, lease, effort=effort, ways=ways)
    except Refused:
        placed = None  # the fleet has shrunk under it: it waits for the fleet to grow
    going.plans += max(effort.spent, 1)
    if placed is None:
        return False
    gave_way = held > tx.book.leases_by_state.count(LeaseState.HELD)
    going.freed |= gave_way or bool(tx.book.victims_of.count(lease.id))
    going.prospects = None
    return True


def _hopeless(going: _Pass, lease: Lease, strength: int) -> bool:
    """Whether there surely is no place: a cheap look that spares most of the plans."""
    prospects = _prospects(going, lease.kind)
    return prospects is not None and prospects.hopeless(lease, lease.accelerators, strength)


def _prospects(going: _Pass, kind: str) -> Prospects | None:
    """Of the line's kind as it stands; None where a soft hold may give way."""
    book = going.tx.book
    if book.leases_by_state.count(LeaseState.HELD):
        return None
    if going.prospects is None:
        going.prospects = Prospects(book.snapshot, kind, going.tx.now_ms)
    return going.prospects


def _most_strength(lease: Lease, ground: Ground) -> int:
    """The most strength that a lease may have as a request, on such a ground at best."""
    if lease.lease_class is LeaseClass.INTERNAL and ground is Ground.OWN:
        return MOST_REACH
    return 0 if lease.lease_class is LeaseClass.SPOT else 1


def shadow_for(tx: Transaction, lease: Lease) -> Shadow | None:
    """What is kept for the first that waits; None if it is not accelerators that it waits for."""
    if isinstance(judged(tx, lease), Denied):
        return None
    waited_ms = tx.now_ms - lease.state_since_ms
    aged = waited_ms >= tx.book.policy(lease.lease_class).ageing_s * MS_PER_S
    request = request_of(lease, tx.book.tenants[lease.tenant_id], tx.now_ms)
    latest_ms = lease.latest_start_ms if lease.flexible else None
    return shadow_of(tx.book.snapshot, request, tx.now_ms, aged, latest_ms)


def first_ahead(tx: Transaction, lease: Lease) -> tuple[Lease, Shadow] | None:
    """The first ahead of a lease, of its kind, that accelerators are kept for; and which."""
    walk, mine = tx.book.waiting.walk(lease.kind), queue_key(lease)
    while (place := walk.next()) is not None and place[0] < mine:
        other = tx.book.leases[place[1]]
        if other.id == lease.id or _in_vain(other, tx.now_ms):  # nobody is ahead of itself
            walk.passed()
        elif (shadow := shadow_for(tx, other)) is not None:
            return other, shadow
        else:
            walk.in_vain()
    return None


def kept_for(tx: Transaction, lease: Lease, shadow: Shadow, of: str = "") -> list[Allocation]:
    """What is kept, as the snapshot takes it; it is never written. `of` tells one from another."""
    return [
        Allocation(
            AllocationId(f"kept{of}-{lease.kind}-{number}"), lease.id, lease.tenant_id,
            kept.node_id, tx.book.nodes[kept.node_id].inbound_lease_id, kept.accelerators,
            kept.window.start_ms, kept.window.end_ms,
        )
        for number, kept in enumerate(shadow.kept)
    ]  # fmt: skip


def _in_vain(lease: Lease, now_ms: int) -> bool:
    """Whether a waiting lease can start no more."""
    return lease.waits_until_ms is not None and lease.waits_until_ms <= now_ms
