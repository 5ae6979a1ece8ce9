"""Grounds: **on whose capacity a lease may stand**: the count that decides before placement.

A team within its entitlement stands on its own; above it, it borrows. A customer stands on what
is nobody's, sold for good, as long as that lasts over the whole window. After that an on-demand
lease stands on what teams lend, and may be taken back; a sold window stands there only with a
recall clause; spot stands on whatever is left. `judge` counts before a place is looked for,
`confirm` once it is found, with its site and its nodes; `team_marks` and `fits_for_good` say
what changes later.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from comptoir.fleet.nodes import Node
from comptoir.leases.claims import Ground
from comptoir.leases.kind_book import KindBook
from comptoir.leases.lease import Lease, LeaseClass
from comptoir.tenants.entitlements import ANYWHERE, ROOT, Holder, own_part
from comptoir.units.ids import id_number
from comptoir.units.time import MS_PER_S, Window, format_instant

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
        return Ground.RECALL if lease.recall else PLAIN[lease.lease_class]
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
    freed: int,
) -> Ground | Denied:
    """The ground of a planned lease, counted again with its nodes.

    Args:
        book: Its kind's.
        lease: The lease.
        ground: What `judge` found.
        parts: The nodes of the plan, and how many accelerators of each.
        window: From the planned start on.
        freed: Accelerators of the leases that the plan takes back.

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
    if ground is Ground.SOLD:
        extra = sum(book.extra(node, accelerators, window) for node, accelerators in parts)
        room, at_ms = book.lowest_room(site, window)
        if extra > room:
            if lease.lease_class is not LeaseClass.ON_DEMAND:
                return _no_room(book, extra, room, at_ms)
            ground = Ground.LENT
            if (no := _too_long(lease)) is not None:
                return no
    return _within_limits(book, lease, ground, window.start_ms, True, freed)


def fits_for_good(book: KindBook, parts: Sequence[tuple[Node, int]], window: Window) -> bool:
    """Whether what stands on lent capacity could be sold for good over a window."""
    extra = sum(book.extra(node, accelerators, window) for node, accelerators in parts)
    return extra <= book.lowest_room(parts[0][0].site, window)[0]


def team_marks(
    entitled_by_site: Mapping[str, int], standing: Sequence[tuple[Lease, str]]
) -> list[tuple[Lease, bool]]:
    """Which leases of a team are now borrowed that were not, or no more.

    What is own stays own while it fits, the oldest first; then what is borrowed becomes own,
    the oldest first, as far as leases fit whole.

    Args:
        entitled_by_site: What the team is entitled to now.
        standing: Its leases of the kind that stand now, with their sites.

    Returns:
        Only those whose mark changes, with whether they are borrowed now.
    """
    uses: dict[str, int] = defaultdict(int)
    marks: list[tuple[Lease, bool]] = []
    for lease, site in sorted(standing, key=lambda item: (item[0].borrowed, *age(item[0]))):
        uses[site] += lease.accelerators
        fits = own_part(entitled_by_site, uses) == sum(uses.values())
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
        return Ground.OWN
    return _judge_lent(book, lease, window, Ground.BORROWED)


def _judge_sale(book: KindBook, lease: Lease, window: Window) -> Ground | Denied:
    if lease.recall:
        return _judge_lent(book, lease, window, Ground.RECALL)
    room, at_ms = book.lowest_room(ANYWHERE, window)
    if lease.accelerators <= room or book.may_share(lease.tenant_id):
        return _judge_lent(book, lease, window, Ground.SOLD)
    if lease.lease_class is LeaseClass.ON_DEMAND:
        return _judge_lent(book, lease, window, Ground.LENT)
    return _no_room(book, lease.accelerators, room, at_ms)


def _judge_lent(book: KindBook, lease: Lease, window: Window, ground: Ground) -> Ground | Denied:
    """Whether limits leave enough; what spot stands on can be taken back, but not by spot."""
    if ground in (Ground.LENT, Ground.BORROWED) and (no := _too_long(lease)) is not None:
        return no
    return _within_limits(book, lease, ground, window.start_ms, ground is Ground.SPOT, 0)


def _too_long(lease: Lease) -> Denied | None:
    if lease.notice_s <= MOST_LENT_NOTICE_S:
        return None
    return Denied(
        "notice_too_long_to_be_lent",
        f"only lent accelerators are left, and these are taken back within "
        f"{MOST_LENT_NOTICE_S:,} s; it asks for a notice of {lease.notice_s:,} s",
    )


def _within_limits(
    book: KindBook, lease: Lease, ground: Ground, instant_ms: int, with_spot: bool, freed: int
) -> Ground | Denied:
    if not book.limited(instant_ms):
        return ground
    lending = book.lending(instant_ms, with_spot)
    if ground is not Ground.BORROWED:
        could = lending.can_lend + freed
        if lease.accelerators <= could or not lending.kept:
            return ground
        return Denied(
            "not_lent",
            f"teams keep {lending.kept:,} idle {lease.kind} for themselves; "
            f"{max(could, 0):,} more may be used by others",
        )
    holder = Holder(lease.tenant_id)
    left = lending.own_left(holder)
    most, whose = lending.borrow_bound(holder)
    could = left + most + freed
    if lease.accelerators <= could or (whose == ROOT and not lending.kept):
        return ground
    return Denied(
        "borrow_limit",
        f"it may use {left:,} more of its team's own {lease.kind} and borrow "
        f"{max(could - left, 0):,} more",
    )


def _no_room(book: KindBook, asked: int, room: int, at_ms: int) -> Denied:
    supplied = book.supplied[ANYWHERE].at(at_ms)
    sold = book.taken[Ground.SOLD].at(at_ms)
    given = supplied - book.unentitled[ANYWHERE].at(at_ms)
    return Denied(
        "no_room_for_good",
        f"at {format_instant(at_ms)}, {given:,} of {supplied:,} {book.kind} belong to teams and "
        f"{sold:,} are sold for good: {max(room, 0):,} can still be, not {asked:,}",
    )
