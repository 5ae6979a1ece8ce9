"""Grounds: **on whose capacity a lease may stand**: the count that decides before placement.

A team that uses no more than its entitlement, all its leases together, stands on its own; above
it, it borrows. A customer stands on what
is nobody's, sold for good, as long as that lasts over the whole window. After that an on-demand
lease stands on what teams lend, and may be taken back; a sold window stands there only with a
recall clause; spot stands on whatever is left. `judge` counts before a place is looked for,
`confirm` once it is found, with its site and its nodes; `team_marks` and `fits_for_good` say
what changes later.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from comptoir.fleet.nodes import Node
from comptoir.leases.claims import Ground
from comptoir.leases.kind_book import Added, KindBook
from comptoir.leases.lease import Lease, LeaseClass
from comptoir.leases.limits import Passed, limit_passed, own_limit_passed
from comptoir.tenants.entitlements import ANYWHERE, own_part
from comptoir.units.ids import id_number
from comptoir.units.time import MS_PER_S, Window, calendar_year, format_instant
from comptoir.units.values import replace

MOST_LENT_NOTICE_S = 3_600
"""Whoever asks for a longer notice does not stand on what a team may want back."""


PLAIN = {
    LeaseClass.INTERNAL: Ground.OWN,
    LeaseClass.RESERVED: Ground.SOLD,
    LeaseClass.ON_DEMAND: Ground.SOLD,
    LeaseClass.SPOT: Ground.SPOT,
}
"""What a class stands on where nobody is entitled to anything."""


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a lease may not stand now, though accelerators may be free: a word and a sentence."""

    word: str
    sentence: str


def window_from(lease: Lease, start_ms: int) -> Window:
    """The window of a lease that starts at an instant; a flexible one has its whole duration."""
    if lease.flexible:
        return Window(start_ms, start_ms + (lease.duration_s or 0) * MS_PER_S)
    return Window(start_ms, lease.ends_at_ms)


def judge(book: KindBook | None, lease: Lease, now_ms: int) -> Ground | Denied:
    """On what a lease would stand if it began now or at its start, or why on nothing."""
    if book is None:
        return Ground.RECALL if lease.recallable else PLAIN[lease.lease_class]
    starts_ms = max(lease.start_ms, now_ms)
    if not lease.flexible and lease.ends_at_ms is not None and lease.ends_at_ms <= starts_ms:
        return Denied("window_passed", f"its window ended at {format_instant(lease.ends_at_ms)}")
    window = window_from(lease, starts_ms)
    match lease.lease_class:
        case LeaseClass.INTERNAL:
            return _judge_team(book, lease, window)
        case LeaseClass.RESERVED | LeaseClass.ON_DEMAND:
            return _judge_sale(book, lease, window)
        case LeaseClass.SPOT:
            return _judge_lent(book, lease, window, Ground.SPOT)


def confirm(
    book: KindBook | None,
    lease: Lease,
    ground: Ground,
    parts: Sequence[tuple[Node, int]],
    window: Window,
) -> Ground | Denied:
    """The ground of a planned lease, counted again with its nodes.

    What the plan takes back is not counted (`KindBook.without`). What is a team's own passes
    limits only where nothing else is left: see `operations/grounds.py`.

    Args:
        book: Its kind's.
        lease: The lease.
        ground: What `judge` found.
        parts: The nodes of the plan, and how many accelerators of each.
        window: From the planned start on.

    Returns:
        The ground: perhaps a weaker one, since whole nodes count; or why it is none.
    """
    if book is None:
        return ground
    site = parts[0][0].site
    if ground is Ground.OWN:
        if not book.in_force(window.start_ms):
            return ground
        fits = book.fits_own(lease.tenant_id, lease.accelerators, site, window.start_ms)
        return ground if fits else Ground.BORROWED
    added = Added(ground, lease.tenant_id, lease.accelerators, site)
    if ground is Ground.SOLD:
        extra = sum(book.extra(node, accelerators, window) for node, accelerators in parts)
        added = replace(added, accelerators=extra)
        room, at_ms = book.lowest_room(site, window)
        if extra > room:
            if lease.lease_class is not LeaseClass.ON_DEMAND:
                return _no_room(book, lease, extra, room, at_ms)
            if (no := _too_long(lease)) is not None:
                return no
            added = Added(Ground.LENT, lease.tenant_id, lease.accelerators, site)
    passed = limit_passed(book, added, window)
    return added.ground if passed is None else Denied(passed.word, passed.sentence)


def fits_for_good(book: KindBook, parts: Sequence[tuple[Node, int]], window: Window) -> bool:
    """Whether what stands on lent capacity could be sold for good over a window."""
    extra = sum(book.extra(node, accelerators, window) for node, accelerators in parts)
    return extra <= book.lowest_room(parts[0][0].site, window)[0]


def team_marks(
    entitled_by_site: Mapping[str, int],
    standing: Sequence[tuple[Lease, str]],
    rooms: Mapping[str, int],
) -> list[tuple[Lease, bool]]:
    """Which leases of a team are now borrowed that were not, or no more.

    What is own stays own while it fits, the oldest first; then what is borrowed becomes own,
    the oldest first, as far as leases fit whole, and not where others could not have theirs back.

    Args:
        entitled_by_site: What the team is entitled to now.
        standing: Its leases of the kind that stand now, with their sites.
        rooms: What sites at which somebody is entitled have for whoever is not.

    Returns:
        Only those whose mark changes, with whether they are borrowed now.
    """
    uses: dict[str, int] = defaultdict(int)
    marks: list[tuple[Lease, bool]] = []
    for lease, site in sorted(standing, key=lambda item: (item[0].borrowed, *age(item[0]))):
        uses[site] += lease.accelerators
        fits = own_part(entitled_by_site, uses) == sum(uses.values())
        if lease.borrowed and site in rooms:
            fits = fits and uses[site] - entitled_by_site.get(site, 0) <= max(rooms[site], 0)
        if not fits:
            uses[site] -= lease.accelerators
        if lease.borrowed is fits:
            marks.append((lease, not fits))
    return marks


def age(lease: Lease) -> tuple[int, int]:
    """Sorts leases: the one asked for first is the oldest."""
    return lease.requested_at_ms, id_number(lease.id)


def _judge_team(book: KindBook, lease: Lease, window: Window) -> Ground | Denied:
    if not book.in_force(window.start_ms) or any(
        book.fits_own(lease.tenant_id, lease.accelerators, site, window.start_ms)
        for site in book.sites()
    ):
        later = Added(Ground.OWN, lease.tenant_id, lease.accelerators)
        passed = own_limit_passed(book, later, window)
        return Ground.OWN if passed is None else Denied(passed.word, passed.sentence)
    return _judge_lent(book, lease, window, Ground.BORROWED)


def _judge_sale(book: KindBook, lease: Lease, window: Window) -> Ground | Denied:
    if lease.recallable:
        return _judge_lent(book, lease, window, Ground.RECALL)
    supplied_ms = book.supplied_until_ms()
    if window.end_ms is None and supplied_ms is not None and supplied_ms > window.start_ms:
        window = Window(window.start_ms, supplied_ms)  # past it nothing stands anywhere
    room, at_ms = book.lowest_room(ANYWHERE, window)
    if lease.accelerators <= room or book.may_share(lease.tenant_id):
        return _judge_lent(book, lease, window, Ground.SOLD)
    if lease.lease_class is LeaseClass.ON_DEMAND:
        return _judge_lent(book, lease, window, Ground.LENT)
    return _no_room(book, lease, lease.accelerators, room, at_ms)


def _judge_lent(book: KindBook, lease: Lease, window: Window, ground: Ground) -> Ground | Denied:
    """Whether limits leave enough; what spot stands on can be taken back, but not by spot."""
    if ground in (Ground.LENT, Ground.BORROWED) and (no := _too_long(lease)) is not None:
        return no
    if not book.limited(window.start_ms):
        return ground
    with_spot = ground is Ground.SPOT
    no = _plainly_too_much(book, lease, ground, window, with_spot)
    if no is not None:
        return no
    passed: Passed | None = None
    for site in _best_sites(book, lease, ground, window.start_ms):
        added = Added(ground, lease.tenant_id, lease.accelerators, site)
        passed = limit_passed(book, added, window, with_spot)
        if passed is None:
            return ground
    assert passed is not None
    return Denied(passed.word, passed.sentence)


def sites_for(book: KindBook, lease: Lease, ground: Ground, start_ms: int) -> list[str] | None:
    """The sites at which a lease may stand on a ground from an instant on; None: at any."""
    if not book.entitled_sites(start_ms):
        return None
    window, found = window_from(lease, start_ms), []
    for site in book.sites():
        if ground is Ground.SOLD and not book.may_share(lease.tenant_id):
            fits = lease.accelerators <= book.lowest_room(site, window)[0]
        else:
            fits = True
        added = Added(ground, lease.tenant_id, lease.accelerators, site)
        if fits and limit_passed(book, added, window, ground is Ground.SPOT) is None:
            found.append(site)
    return found


def _plainly_too_much(
    book: KindBook, lease: Lease, ground: Ground, window: Window, with_spot: bool
) -> Denied | None:
    """The no that many who wait get, from numbers that are the same for all of them."""
    if ground is Ground.BORROWED:
        return None
    lending = book.lending(window.start_ms, with_spot)
    if lease.accelerators <= lending.can_lend() or not lending.kept:
        return None
    return Denied(
        "not_lent",
        f"teams keep {lending.kept:,} idle {lease.kind} for themselves; "
        f"{max(lending.can_lend(), 0):,} more may be used by others",
    )


def kept_from_it(
    book: KindBook, lease: Lease, ground: Ground, sites: Iterable[str], start_ms: int
) -> str:
    """The limit that keeps a lease from all of some sites, at the first of them; empty: none."""
    window, said = window_from(lease, start_ms), ""
    for site in sorted(sites):
        added = Added(ground, lease.tenant_id, lease.accelerators, site)
        passed = limit_passed(book, added, window, ground is Ground.SPOT)
        if passed is None:
            return ""
        said = said or passed.sentence
    return said


def short_for_good(book: KindBook, lease: Lease, start_ms: int) -> str:
    """Why a sold window that nobody could recall finds no room beside teams; empty: it may.

    A tenant that has whole nodes may find some of it there: it is counted again with its nodes.
    """
    room, at_ms = book.lowest_room(ANYWHERE, window_from(lease, start_ms))
    if lease.recallable or lease.lease_class is not LeaseClass.RESERVED:
        return ""
    if lease.accelerators <= room:
        return ""
    return _no_room(book, lease, lease.accelerators, room, at_ms).sentence


def _best_sites(book: KindBook, lease: Lease, ground: Ground, at_ms: int) -> list[str]:
    """The sites at which a lease may count for less: those where its team has a share, or all
    where it matters at which it stands."""
    if book.entitled_sites(at_ms):
        return book.sites() or [ANYWHERE]
    if ground is not Ground.BORROWED:
        return [ANYWHERE]
    mine = {row.site for row in book.rows.values() if row.tenant_id == lease.tenant_id}
    return sorted(mine | {ANYWHERE}, reverse=True)


def _too_long(lease: Lease) -> Denied | None:
    if lease.notice_s <= MOST_LENT_NOTICE_S:
        return None
    return Denied(
        "notice_too_long_to_be_lent",
        f"only lent accelerators are left, and these are taken back within "
        f"{MOST_LENT_NOTICE_S:,} s; it asks for a notice of {lease.notice_s:,} s",
    )


def _no_room(book: KindBook, lease: Lease, asked: int, room: int, at_ms: int) -> Denied:
    supplied = book.supplied[ANYWHERE].at(at_ms)
    sold = book.sold(at_ms)
    given = supplied - book.unentitled[ANYWHERE].at(at_ms)
    spent = "" if not lease.recall else (
        f"; its contract allows no more recalls in {calendar_year(at_ms)}: until that is over it "
        "may not stand on what teams are entitled to"
    )  # fmt: skip
    return Denied(
        "no_room_for_good",
        f"at {format_instant(at_ms)}, {given:,} of {supplied:,} {book.kind} belong to teams and "
        f"{sold:,} are sold for good: {max(room, 0):,} can still be, not {asked:,}{spent}",
    )
