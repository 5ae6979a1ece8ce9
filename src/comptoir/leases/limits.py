"""Limits: whether a lease would pass what a team may borrow, or what is kept from being lent.

A team is judged by **all that it uses**: what goes beyond its entitlement is borrowed, whichever
of its leases is marked so. Limits are judged over a lease's whole window, up to the instant at
which an entitlement next begins or ends: from then on other limits hold, for what stands then
too. A limit that is passed already, because it was set since or because supply was lost, must
not be passed by more. Neighbours: `kind_book.py` counts, `grounds.py` asks, `tenants.lending`
does the arithmetic.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from comptoir.leases.claims import Ground
from comptoir.leases.kind_book import Added, KindBook
from comptoir.tenants.entitlements import ANYWHERE, Holder
from comptoir.tenants.lending import Lending
from comptoir.units.time import Window, format_instant
from comptoir.units.values import replace

MOST_INSTANTS = 256
"""So many later instants of a window are looked at one by one, the soonest first."""

TEAMS = (Ground.OWN, Ground.BORROWED)


@dataclass(frozen=True, slots=True)
class Passed:
    """A limit that would be passed: when first, and where the numbers then are.

    `keep` is how many accelerators have to stay free at that instant, with the lease in place, by
    site (`ANYWHERE`: at any).
    """

    at_ms: int
    keep: Mapping[str, int]
    word: str
    sentence: str


def limit_passed(
    book: KindBook, added: Added, window: Window, with_spot: bool = True
) -> Passed | None:
    """The first limit that a lease would pass in its window; None: it passes none.

    Limits come nearer only when somebody else's promise begins or supply ends: these instants
    are looked at, and not all of them where the most of everything would leave enough.
    """
    if not book.limited(window.start_ms):
        return None
    inside = _within_rows(book, window)
    found = _passed(book, added, inside.start_ms, with_spot)
    if found is not None:
        return found
    later = book.tighter_in(inside)
    if later and _fits_at_worst(book, added, inside, with_spot):
        return None
    for at_ms in later[:MOST_INSTANTS]:
        found = _passed(book, added, at_ms, with_spot)
        if found is not None:
            return _said_when(found, window)
    return None


def _said_when(passed: Passed, window: Window) -> Passed:
    if passed.at_ms <= window.start_ms:
        return passed
    said = f"from {format_instant(passed.at_ms)} on, {passed.sentence}"
    return replace(passed, sentence=said)


def own_limit_passed(book: KindBook, added: Added, window: Window) -> Passed | None:
    """Whether a team's own borrow limit is passed by it later, though it is the team's own now."""
    team = added.tenant_id
    mine = [row for row in book.in_force(window.start_ms) if row.tenant_id == team]
    limits = [row.borrow_limit for row in mine if row.borrow_limit is not None]
    if not mine or len(limits) < len(mine):
        return None
    entitled, limit = sum(row.accelerators for row in mine), sum(limits)
    inside, sites = _within_rows(book, window), book.uses.get(team, {})
    if sum(steps.highest(inside) for steps in sites.values()) + added.accelerators <= (
        entitled + limit
    ):
        return None
    instants = {at for steps in sites.values() for at, by in steps.within(inside) if by > 0}
    for at_ms in sorted(instants | {window.start_ms}):
        used = sum(steps.at(at_ms) for steps in sites.values())
        if used + added.accelerators > entitled + limit:
            room = max(entitled + limit - used, 0)
            said = _borrows(
                book.kind, "its team", (used + added.accelerators, entitled, limit), room
            )
            return _said_when(Passed(at_ms, {}, "borrow_limit", said), window)
    return None


def _borrows(kind: str, whose: str, use: tuple[int, int, int], room: int) -> str:
    used, entitled, limit = use
    return (
        f"with it, {whose} would use {used:,} {kind}, {used - entitled:,} above its own "
        f"{entitled:,}: it may borrow {limit:,}; {room:,} more would be within it"
    )


def beyond_limits(book: KindBook, instant_ms: int) -> int:
    """How many accelerators are lent or borrowed beyond limits at an instant."""
    lending = book.lending(instant_ms)
    over = sum(lending.over_borrowed(holder)[0] for holder in lending.holders())
    unmet = lending.unmet if lending.kept + lending.beyond else 0
    return unmet + over


def _within_rows(book: KindBook, window: Window) -> Window:
    """The part of a window in which no entitlement begins or ends."""
    change_ms = book.rows_change_ms(window.start_ms)
    ends = [at for at in (window.end_ms, change_ms) if at is not None]
    return Window(window.start_ms, min(ends, default=None))


def _fits_at_worst(book: KindBook, added: Added, window: Window, with_spot: bool) -> bool:
    after = book.lending_over(window, with_spot, added)
    holder = Holder(added.tenant_id)
    within = added.ground not in TEAMS or after.over_borrowed(holder)[1] is None
    return within and not after.unmet


def _passed(book: KindBook, added: Added, at_ms: int, with_spot: bool) -> Passed | None:
    instant = Window(at_ms, at_ms + 1)
    before = book.lending_over(instant, with_spot)
    after = book.lending_over(instant, with_spot, added)
    more = max(after.unmet - before.unmet, 0)
    keep = after.kept_by_site()
    place = added.site if added.site in keep else ANYWHERE
    keep[place] += min(after.beyond, more)
    if added.ground in TEAMS:
        said = _over_borrowed(book, added, before, after)
        if said is not None:
            return Passed(at_ms, keep, "borrow_limit", said)
    if not more or not after.kept + after.beyond:  # nobody keeps anything: a place decides
        return None
    return Passed(at_ms, keep, "not_lent", _kept(book, added, before, more))


def _over_borrowed(book: KindBook, added: Added, before: Lending, after: Lending) -> str | None:
    """What a borrow limit says to it: its team's own, or that of a group that it is in."""
    holder = Holder(added.tenant_id)
    over, place = after.over_borrowed(holder)
    if place is None or over <= before.over_borrowed(holder)[0]:
        return None
    whose = "its team" if place.holder == holder else place.holder
    limit = max(place.used - place.entitled - over, 0)
    room = before.own_left(holder) + before.borrow_bound(holder, added.site)[0]
    return _borrows(book.kind, whose, (place.used, place.entitled, limit), room)


def _kept(book: KindBook, added: Added, before: Lending, more: int) -> str:
    by_site = before.kept_by_site()
    at_site = added.site != ANYWHERE and added.site in by_site
    where, kept = (f" at {added.site}", by_site[added.site]) if at_site else ("", before.kept)
    could = before.can_lend(added.site)
    if added.ground in TEAMS:
        holder = Holder(added.tenant_id)
        could = before.own_left(holder) + before.borrow_bound(holder, added.site)[0]
    if could >= added.accelerators:
        return f"with it, others would use {more:,} {book.kind} that teams keep for themselves"
    return (
        f"teams keep {kept:,} idle {book.kind}{where} for themselves; {max(could, 0):,} more may "
        "be used by others"
    )
