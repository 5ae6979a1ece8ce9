"""Restating: what stands on something else than before, by the rules of `leases/grounds.py`.

Use above entitlement becomes a team's own again, the oldest first; what no longer fits its own
is borrowed, the newest first; lent leases become sold for good when there is room for good,
the oldest first. A turn looks at kinds whose sums have changed; the holder is told by an event.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter

from comptoir.desk.operations.grounds import marked_as, parts_of
from comptoir.desk.transaction import Transaction
from comptoir.leases.claims import Ground
from comptoir.leases.grounds import age, fits_for_good, judge, team_marks
from comptoir.leases.kind_book import KindBook
from comptoir.leases.lease import FINAL, Lease, LeaseState
from comptoir.tenants.entitlements import ANYWHERE, Holder, entitled
from comptoir.units.ids import TenantId
from comptoir.units.time import Window

MOST_RESTATED = 200
"""Leases of a kind that one turn restates, at most; the next goes on."""

_SAID = {
    Ground.OWN: "its team's own, and is not taken back for others",
    Ground.BORROWED: "above its team's entitlement, and may be taken back for others",
    Ground.SOLD: "sold for good, and is not taken back",
}


def restate(tx: Transaction) -> bool:
    """Restate what stands, in kinds whose sums have changed; whether something is left."""
    headroom, left = tx.book.headroom, False
    for kind in sorted(headroom.touched):
        headroom.touched.discard(kind)
        book = headroom.book(kind, tx.now_ms)
        changes = _changes(tx, kind, book)
        unfinished = False
        for number, (lease, ground) in enumerate(changes):
            unfinished = number == MOST_RESTATED
            if unfinished:
                break
            _restate_one(tx, lease, ground)
        headroom.touched.discard(kind)
        if unfinished:
            headroom.touched.add(kind)
            left = True
    return left


def _restate_one(tx: Transaction, lease: Lease, ground: Ground) -> None:
    restated = tx.book.leases.put(marked_as(lease, ground))
    tx.book.queue_tried_at = -1
    tx.emit_lease(
        "lease.restated",
        restated,
        counts_as=_SAID[ground],
        lent=restated.lent,
        borrowed=restated.borrowed,
    )


def _changes(tx: Transaction, kind: str, book: KindBook | None) -> Iterable[tuple[Lease, Ground]]:
    """What stands on something else now. Each answer is fed before the next is asked for."""
    if book is None or not book.in_force(tx.now_ms):
        for lease in tx.book.borrowed_leases.get(kind):
            if lease.state not in FINAL:
                yield lease, Ground.OWN
    else:
        for team in book.teams():
            outline = book.outline(team, tx.now_ms)
            if tx.book.headroom.outlines.get((kind, team)) != outline:
                yield from _team_changes(tx, kind, book, team)
                tx.book.headroom.outlines[kind, team] = book.outline(team, tx.now_ms)
    for lease in _oldest_first(tx.book.lent_leases.get(kind)):
        if lease.state not in (LeaseState.SCHEDULED, LeaseState.ACTIVE) or lease.reclaimed_for:
            continue
        starts = max(lease.scheduled_start_ms or 0, tx.now_ms)
        if lease.ends_at_ms is not None and lease.ends_at_ms <= starts:
            continue
        parts = parts_of(tx, lease)
        window = Window(starts, _stands_until_ms(tx, lease))
        if book is not None and not (parts and fits_for_good(book, parts, window)):
            break
        yield lease, Ground.SOLD


def _stands_until_ms(tx: Transaction, lease: Lease) -> int | None:
    """Up to when it is promised what it has: its supply may end before it does."""
    held = [part for part in tx.book.allocations_of(lease.id) if part.fenced_at_ms is None]
    ends = [lease.ends_at_ms, *(part.ends_at_ms for part in held)]
    return min((end for end in ends if end is not None), default=None)


def _oldest_first(leases: Iterable[Lease]) -> Iterator[Lease]:
    """By age; nearly always only the first is asked for, so ids are compared where it matters."""
    asked_at = attrgetter("requested_at_ms")
    for _, together in groupby(sorted(leases, key=asked_at), key=asked_at):
        yield from sorted(together, key=age)


def _team_changes(
    tx: Transaction, kind: str, book: KindBook, team: TenantId
) -> Iterable[tuple[Lease, Ground]]:
    mine = entitled(book.rows.values(), Holder(team), tx.now_ms)
    if not _all_own(tx, kind, team, mine.get(ANYWHERE, 0)):
        yield from _standing_changes(tx, kind, book, team, mine)
    for alike in tx.book.waiting.alike_of(kind, team):
        for accelerators in list(alike.sizes):
            places = list(alike.sizes[accelerators])
            first = tx.book.leases[places[0][1]]  # whoever asks alike gets the same answer
            own = judge(book, first, tx.now_ms) is Ground.OWN
            if own is first.borrowed:
                for _, lease_id in places:
                    yield tx.book.leases[lease_id], Ground.OWN if own else Ground.BORROWED


def _all_own(tx: Transaction, kind: str, team: TenantId, anywhere: int) -> bool:
    """Whether all that a team has standing is marked as its own and fits, wherever it stands."""
    key = team, kind
    return not tx.book.borrowed_sums.of(key) and tx.book.standing_sums.of(key) <= anywhere


def _standing_changes(
    tx: Transaction, kind: str, book: KindBook, team: TenantId, mine: Mapping[str, int]
) -> Iterable[tuple[Lease, Ground]]:
    standing = [
        (lease, parts[0][0].site)
        for lease in tx.book.standing_leases.get((team, kind))
        if (parts := parts_of(tx, lease))  # none while all its nodes are lost
        and (lease.state is not LeaseState.SCHEDULED or lease.start_ms <= tx.now_ms)
    ]
    sites = {site for _, site in standing} & book.entitled_sites(tx.now_ms)
    rooms = {site: book.room_anywhere(site, tx.now_ms, team) for site in sites}
    for lease, borrowed in team_marks(mine, standing, rooms):
        yield lease, Ground.BORROWED if borrowed else Ground.OWN


def wake_entitlements(tx: Transaction) -> None:
    """Entitlements that begin or end now change what teams and customers stand on."""
    agenda = tx.book.entitlement_agenda
    for entitlement_id in agenda.take(tx.now_ms, 5_000):
        row = tx.book.entitlements.get(entitlement_id)
        if row is None:
            continue
        tx.book.headroom.touched.add(row.kind)
        tx.book.queue_tried_at = -1
        ahead = [t for t in (row.starts_at_ms, row.ends_at_ms) if t is not None and t > tx.now_ms]
        agenda.remind(entitlement_id, min(ahead, default=None))


def touch_entitlements(tx: Transaction) -> None:
    """A turn failed and was undone: look at all of them again."""
    tx.book.headroom.touched.update(tx.book.headroom.kinds())
    tx.book.headroom.outlines.clear()
    for row in tx.book.entitlements:
        tx.book.entitlement_agenda.touch(row.id)
