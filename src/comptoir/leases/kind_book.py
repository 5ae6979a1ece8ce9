"""The book of one kind that has entitlements: supplied, entitled, sold for good, used, over time.

What is sold for good is counted in whole nodes where customers get whole nodes. Invariant,
kept by admission (`grounds.py`): at no instant is more sold for good than is supplied and not
entitled. So a team can always get what it is entitled to, by taking back what may be taken
back. `headroom.py` feeds it; the arithmetic of lending is `tenants.lending`'s.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from comptoir.fleet.kinds import CATALOGUE, Tenancy
from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.claims import Ground, ground_of
from comptoir.leases.inbound import InboundLease, InboundState
from comptoir.leases.lease import Lease
from comptoir.tenants.entitlements import (
    ANYWHERE,
    Entitlement,
    Holder,
    changes,
    entitled,
    in_force,
    needed_at,
    own_part,
)
from comptoir.tenants.lending import Lending, Turn, Use
from comptoir.units.ids import AllocationId, EntitlementId, InboundLeaseId, NodeId, TenantId
from comptoir.units.steps import Steps
from comptoir.units.time import LATEST_MS, Window

Span = tuple[int, int | None]

MOST_KEPT_LENDINGS = 64

TURNS = {
    Ground.SOLD: Turn.WINDOW,
    Ground.LENT: Turn.ON_DEMAND,
    Ground.RECALL: Turn.RECALL,
    Ground.SPOT: Turn.SPOT,
}
"""In which turn customers are served, by what they stand on."""


@dataclass(frozen=True, slots=True)
class _Filed:
    """What an allocation was counted as, so that exactly that can be taken away again."""

    ground: Ground
    tenant_id: TenantId
    starts_at_ms: int
    ends_at_ms: int | None
    accelerators: int


@dataclass(frozen=True, slots=True)
class Added:
    """Accelerators that would be used throughout a window, on a ground, at a site or anywhere."""

    ground: Ground
    tenant_id: TenantId
    accelerators: int
    site: str = ANYWHERE


class KindBook:
    """One kind that has entitlements: its sums over time."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.rows: dict[EntitlementId, Entitlement] = {}
        self.supplied: dict[str, Steps] = defaultdict(Steps)
        self.unentitled: dict[str, Steps] = defaultdict(Steps)
        """By site and `ANYWHERE`: supplied, less entitled."""
        self.room: dict[str, Steps] = defaultdict(Steps)
        """The same, less sold for good."""
        self.uses: dict[TenantId, dict[str, Steps]] = defaultdict(lambda: defaultdict(Steps))
        """What each team uses in all, by site."""
        self.marked_own: dict[TenantId, dict[str, Steps]] = defaultdict(lambda: defaultdict(Steps))
        """What of it stands on leases that are marked as the team's own."""
        self.taken: dict[Ground, dict[str, Steps]] = defaultdict(lambda: defaultdict(Steps))
        """Accelerators by ground and site; what is sold for good in whole nodes."""
        self._whole_nodes = CATALOGUE[kind].tenancy is Tenancy.EXCLUSIVE_NODE
        self._brought: dict[InboundLeaseId, dict[str, int]] = defaultdict(dict)
        self._filed: dict[AllocationId, _Filed] = {}
        self._sold_to: Counter[TenantId] = Counter()
        self._sold_on: dict[NodeId, dict[AllocationId, _Filed]] = defaultdict(dict)
        self._set_aside: list[tuple[str, Span, int]] = []
        self._lendings: dict[tuple[Window, bool], Lending] = {}
        """What was worked out since anything last changed, by window."""
        self._tighter: dict[Window, list[int]] = {}
        self._row_instants: list[int] = []
        """When entitlements begin or end, in order."""
        self._rows_at: dict[int, list[Entitlement]] = {}
        """By how many of those instants have passed: the rows in force."""
        self._outlines: dict[TenantId, tuple[int, int, tuple[object, ...]]] = {}
        """By team: from when, until when, and what its leases are marked by."""
        self._mine_at: dict[tuple[TenantId, int], dict[str, int]] = {}
        """The same by team: what it is entitled to, by site."""

    # What is asked.

    def governs(self, now_ms: int) -> bool:
        """Whether an entitlement is in force or will be."""
        return any(row.ends_at_ms is None or row.ends_at_ms > now_ms for row in self.rows.values())

    def in_force(self, instant_ms: int) -> list[Entitlement]:
        """The rows in force at an instant; to be read only, as it is worked out once."""
        at = bisect_right(self._row_instants, instant_ms)
        known = self._rows_at.get(at)
        if known is None:
            known = self._rows_at[at] = in_force(self.rows.values(), instant_ms)
        return known

    def _entitled(self, team: TenantId, instant_ms: int) -> dict[str, int]:
        """What a team is entitled to at an instant, by site; to be read only, too."""
        at = bisect_right(self._row_instants, instant_ms)
        known = self._mine_at.get((team, at))
        if known is None:
            rows = self.in_force(instant_ms)
            known = self._mine_at[team, at] = entitled(rows, Holder(team), instant_ms)
        return known

    def sites(self) -> list[str]:
        """The sites at which the kind was ever supplied."""
        return sorted(site for site in self.supplied if site != ANYWHERE)

    def entitled_sites(self, instant_ms: int) -> set[str]:
        """The sites at which somebody is entitled at an instant: what stands there counts there."""
        return {row.site for row in self.in_force(instant_ms)} - {ANYWHERE}

    def fits_own(self, team: TenantId, accelerators: int, site: str, instant_ms: int) -> bool:
        """Whether a team uses no more than its own entitlement with so many more, at a site.

        All that it uses counts, whatever its leases are marked as. What is good anywhere is not
        used where others are entitled to what is there: they could not have it back.
        """
        uses = self.used(team, instant_ms)
        uses[site] = uses.get(site, 0) + accelerators
        mine = self._entitled(team, instant_ms)
        if own_part(mine, uses) < sum(uses.values()):
            return False
        spilled = uses[site] - mine.get(site, 0)
        if spilled <= 0 or site not in self.entitled_sites(instant_ms):
            return True
        return spilled <= self.room_anywhere(site, instant_ms, team)

    def room_anywhere(self, site: str, instant_ms: int, team: TenantId | None = None) -> int:
        """What a site has for whoever is not entitled there: not sold, nor used by other teams."""
        room = self.room[site].at(instant_ms)
        for other, sites in self.marked_own.items():
            if other != team and site in sites:
                has = self._entitled(other, instant_ms).get(site, 0)
                room -= max(sites[site].at(instant_ms) - has, 0)
        return room

    def lowest_room(self, site: str, window: Window) -> tuple[int, int]:
        """How much may still be sold for good over a window at a site, and when it is least."""
        rooms = [self.room[place].lowest(window) for place in {site, ANYWHERE}]
        if site in self.entitled_sites(window.start_ms):
            rooms.append((self.room_anywhere(site, window.start_ms), window.start_ms))
        return min(rooms)

    def supplied_until_ms(self) -> int | None:
        """When the last supply of the kind ends; None: some has no end, or there is none."""
        steps = self.supplied[ANYWHERE]
        last = max(steps.changes(), default=None)
        return None if last is None or steps.at(last) else last

    def sold(self, instant_ms: int) -> int:
        """What is sold for good at an instant."""
        return sum(steps.at(instant_ms) for steps in self.taken[Ground.SOLD].values())

    def used(self, team: TenantId, instant_ms: int) -> dict[str, int]:
        """What a team uses at an instant, by site."""
        return _at(self.uses.get(team, {}), instant_ms)

    def lending(self, instant_ms: int, with_spot: bool = True) -> Lending:
        """Who uses, lends and could lend what at an instant, all that stands taken in.

        It is to be read only: whoever asks again before anything has changed gets the same.
        """
        return self.lending_over(Window(instant_ms, instant_ms + 1), with_spot)

    def lending_over(
        self, window: Window, with_spot: bool = True, added: Added | None = None
    ) -> Lending:
        """As `lending`, of a window: as if the most of it were used and the least supplied.

        No entitlement may begin or end within the window. With `added`, as if that stood too.
        """
        if added is not None:
            return self._lending(window, with_spot, added)
        known = self._lendings.get((window, with_spot))
        if known is None:
            if len(self._lendings) >= MOST_KEPT_LENDINGS:
                self._lendings.clear()
            known = self._lendings[window, with_spot] = self._lending(window, with_spot, None)
        return known

    def _lending(self, window: Window, with_spot: bool, added: Added | None) -> Lending:
        rows = self.in_force(window.start_ms)
        uses = {
            team: {site: steps.highest(window) for site, steps in sites.items()}
            for team, sites in self.uses.items()
        }
        taken = {
            (ground, site): steps.highest(window)
            for ground in TURNS
            for site, steps in self.taken[ground].items()
            if with_spot or ground is not Ground.SPOT
        }
        if added is not None and added.ground in TURNS:
            place = added.ground, added.site
            taken[place] = taken.get(place, 0) + added.accelerators
        elif added is not None:
            sites = uses.setdefault(added.tenant_id, {})
            sites[added.site] = sites.get(added.site, 0) + added.accelerators
        given = sum(row.accelerators for row in rows if not row.parent)
        unentitled = self.supplied[ANYWHERE].lowest(window)[0] - given
        supplied = {row.site: self.supplied[row.site].lowest(window)[0] for row in rows if row.site}
        outside: list[Use] = [(TURNS[g], g, site, n) for (g, site), n in taken.items()]
        return Lending(rows, uses, unentitled, window.start_ms, supplied).serve(outside)

    def tighter_in(self, window: Window) -> list[int]:
        """The instants within a window at which more is used or less supplied, in order."""
        known = self._tighter.get(window)
        if known is None:
            if len(self._tighter) >= MOST_KEPT_LENDINGS:
                self._tighter.clear()
            known = self._tighter[window] = self._find_tighter(window)
        return known

    def _find_tighter(self, window: Window) -> list[int]:
        less = [self.supplied[site] for site in (ANYWHERE, *self.entitled_sites(window.start_ms))]
        found = {at for steps in less for at, by in steps.within(window) if by < 0}
        used = [steps for ground in TURNS for steps in self.taken[ground].values()]
        used += [steps for sites in self.uses.values() for steps in sites.values()]
        for steps in used:
            found.update(at for at, by in steps.within(window) if by > 0)
        return sorted(found)

    def rows_change_ms(self, instant_ms: int) -> int | None:
        """When, after an instant, an entitlement next begins or ends."""
        at = bisect_right(self._row_instants, instant_ms)
        return self._row_instants[at] if at < len(self._row_instants) else None

    @contextmanager
    def without(self, gone: Sequence[tuple[Allocation, Lease, Node]]) -> Iterator[None]:
        """As it would be if these did not stand; afterwards it is as it was."""
        stood = [item for item in gone if item[0].id in self._filed]
        for allocation, _, node in stood:
            self.unfile(allocation.id, node)
        try:
            yield
        finally:
            for allocation, lease, node in stood:
                self.file(allocation, lease, node)

    def teams(self) -> list[TenantId]:
        """The teams that have, use or used any of the kind."""
        entitled_teams = {row.tenant_id for row in self.rows.values() if row.tenant_id}
        return sorted(entitled_teams | set(self.uses))

    def outline(self, team: TenantId, instant_ms: int) -> tuple[object, ...]:
        """What decides whether leases of a team are its own: the same again, the same marks.

        It is worked out once, until something of the team's changes or time changes it.
        """
        known = self._outlines.get(team)
        if known is None or not known[0] <= instant_ms < known[1]:
            until_ms = self._unchanged_until(team, instant_ms)
            known = self._outlines[team] = instant_ms, until_ms, self._outline(team, instant_ms)
        return known[2]

    def _outline(self, team: TenantId, instant_ms: int) -> tuple[object, ...]:
        mine = self._entitled(team, instant_ms)
        own = _at(self.marked_own.get(team, {}), instant_ms)
        used = self.used(team, instant_ms)
        return tuple(tuple(sorted(sums.items())) for sums in (mine, own, used))

    def _unchanged_until(self, team: TenantId, instant_ms: int) -> int:
        """The next instant at which time alone changes what a team has or uses."""
        sums = [
            *self.uses.get(team, {}).values(),
            *self.marked_own.get(team, {}).values(),
        ]
        changes_ms = [steps.next_ms(instant_ms) for steps in sums]
        changes_ms.append(self.rows_change_ms(instant_ms))
        return min((at for at in changes_ms if at is not None), default=LATEST_MS)

    def limited(self, instant_ms: int) -> bool:
        """Whether anybody limits what it lends or borrows."""
        rows = self.in_force(instant_ms)
        return any(r.lend_limit is not None or r.borrow_limit is not None for r in rows)

    def may_share(self, tenant: TenantId) -> bool:
        """Whether a customer has whole nodes of which more could be sold to it for nothing."""
        return self._whole_nodes and self._sold_to[tenant] > 0

    def extra(self, node: Node, accelerators: int, window: Window) -> int:
        """How much more would be sold for good by selling accelerators of a node."""
        if not self._whole_nodes:
            return accelerators
        for filed in self._sold_on[node.id].values():
            end_ms = filed.ends_at_ms
            lasts = end_ms is None or (window.end_ms is not None and end_ms >= window.end_ms)
            if lasts and filed.starts_at_ms <= window.start_ms:
                return 0
        return node.accelerators

    def contents(self) -> dict[str, object]:
        """All sums that are not zero, to compare with those of a book built at once."""
        found: dict[str, object] = {}
        for name in ("supplied", "unentitled", "room"):
            for key, steps in getattr(self, name).items():
                found[f"{name} {key}"] = steps.changes()
        by_site = (("used", self.uses), ("own", self.marked_own), ("taken", self.taken))
        for name, sums in by_site:
            for whose, sites in sums.items():
                for site, steps in sites.items():
                    found[f"{name} {whose} {site}"] = steps.changes()
        return {name: changes for name, changes in found.items() if changes}

    # What is fed.

    def _forget(self) -> None:
        """Something has changed: what was worked out is no longer so."""
        self._lendings.clear()
        self._tighter.clear()

    def put_row(self, row: Entitlement) -> None:
        """An entitlement is put in, or given another end."""
        self.rows[row.id] = row
        self._set_entitled_aside()

    def drop_row(self, row: Entitlement) -> None:
        """An entitlement is taken out."""
        del self.rows[row.id]
        self._set_entitled_aside()

    def _set_entitled_aside(self) -> None:
        """Work out again what is entitled over time, at each site and in all."""
        self._forget()
        for site, span, amount in self._set_aside:
            self._add_room(site, span, amount)
        rows = list(self.rows.values())
        self._row_instants = changes(rows, 0)
        self._outlines.clear()
        self._rows_at.clear()
        self._mine_at.clear()
        instants = [*self._row_instants, None]
        self._set_aside = [
            (site, (start, end), amount)
            for start, end in pairwise(instants)
            if start is not None
            for site, amount in needed_at(rows, start).items()
        ]
        for site, span, amount in self._set_aside:
            self._add_room(site, span, -amount)

    def _add_room(self, site: str, span: Span, amount: int) -> None:
        self.unentitled[site].add(*span, amount)
        self.room[site].add(*span, amount)

    def bring(self, inbound: InboundLease, site: str, accelerators: int) -> None:
        """Accelerators of an inbound lease come into service, or leave it if negative."""
        brought = self._brought[inbound.id]
        brought[site] = brought.get(site, 0) + accelerators
        self._supply(inbound, site, accelerators)

    def move_supply(self, old: InboundLease | None, new: InboundLease | None) -> None:
        """An inbound lease has other dates, or another state."""
        for inbound, sign in ((old, -1), (new, 1)):
            if inbound is not None:
                for site, accelerators in self._brought[inbound.id].items():
                    self._supply(inbound, site, sign * accelerators)

    def _supply(self, inbound: InboundLease, site: str, accelerators: int) -> None:
        self._forget()
        if inbound.state is InboundState.ACTIVE:
            span = inbound.starts_at_ms, inbound.ends_at_ms
            for place in (site, ANYWHERE):
                self.supplied[place].add(*span, accelerators)
                self._add_room(place, span, accelerators)

    def file(self, allocation: Allocation, lease: Lease, node: Node) -> None:
        """Count an allocation as what its lease is now, and no more as what it was."""
        self.unfile(allocation.id, node)
        filed = _Filed(
            ground_of(lease), lease.tenant_id, _counts_from(allocation, lease),
            allocation.ends_at_ms, len(allocation.accelerators),
        )  # fmt: skip
        self._filed[allocation.id] = filed
        self._count(allocation.id, filed, node, 1)

    def unfile(self, allocation_id: AllocationId, node: Node) -> None:
        """Take out what an allocation was counted as."""
        filed = self._filed.pop(allocation_id, None)
        if filed is not None:
            self._count(allocation_id, filed, node, -1)

    def _count(self, id: AllocationId, filed: _Filed, node: Node, sign: int) -> None:
        self._forget()
        span, amount = (filed.starts_at_ms, filed.ends_at_ms), sign * filed.accelerators
        if filed.ground in (Ground.OWN, Ground.BORROWED):
            self._outlines.pop(filed.tenant_id, None)
            self.uses[filed.tenant_id][node.site].add(*span, amount)
        if filed.ground is Ground.OWN:
            self.marked_own[filed.tenant_id][node.site].add(*span, amount)
        if filed.ground is not Ground.SOLD:
            self.taken[filed.ground][node.site].add(*span, amount)
            return
        sold = self._sold_on[node.id]
        self._sold_to[filed.tenant_id] += sign
        self._sell(node, sold, -1)
        if sign > 0:
            sold[id] = filed
        else:
            del sold[id]
        self._sell(node, sold, 1)

    def _sell(self, node: Node, sold: dict[AllocationId, _Filed], sign: int) -> None:
        """Count what is sold for good of a node: all of it while any of it is, or slot by slot."""
        spans: list[tuple[int, int | None, int]]
        if self._whole_nodes:
            spans = [(*span, node.accelerators) for span in _union(sold.values())]
        else:
            spans = [(s.starts_at_ms, s.ends_at_ms, s.accelerators) for s in sold.values()]
        for starts, ends, accelerators in spans:
            self.taken[Ground.SOLD][node.site].add(starts, ends, sign * accelerators)
            for place in (node.site, ANYWHERE):
                self.room[place].add(starts, ends, -sign * accelerators)


def _counts_from(allocation: Allocation, lease: Lease) -> int:
    """From when an allocation counts.

    While others still have to leave, their place counts as used already: or a team could claim
    its own twice, and limits be passed when all begin. What is sold for good is counted over
    whole windows, and needs no such care.
    """
    if allocation.delivered_from_ms is not None:
        return 0
    if ground_of(lease) is Ground.SOLD or lease.latest_start_ms is not None:
        return allocation.starts_at_ms
    return min(lease.starts_at_ms, allocation.starts_at_ms)


def _at(sites: dict[str, Steps], instant_ms: int) -> dict[str, int]:
    return {site: steps.at(instant_ms) for site, steps in sites.items()}


def _union(spans: Iterable[_Filed]) -> list[Span]:
    """The instants that any of the spans covers, as spans that do not touch."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda s: s.starts_at_ms):
        starts, ends = span.starts_at_ms, span.ends_at_ms
        if found and (found[-1][1] is None or starts <= found[-1][1]):
            first, last = found[-1]
            found[-1] = (first, None if last is None or ends is None else max(last, ends))
        else:
            found.append((starts, ends))
    return found
