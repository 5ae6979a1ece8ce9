"""Entitlements: what the house has given its own teams, dated and shared out in a tree.

A row gives accelerators of a kind (at one site, or at any) over a window to a *holder*: a team,
or a group of teams that shares its own out among its members. Rows of one holder add up.
Invariant: at no instant do a group's members have more than the group. What is idle of it,
and to whom it is lent, is worked out in `lending.py`; what stands on it, in `leases`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NewType

from comptoir.units.errors import Conflict, Refused
from comptoir.units.ids import EntitlementId, TenantId, UserId
from comptoir.units.time import format_instant

Holder = NewType("Holder", str)
"""A team's tenant id, or a group's name: a name has no underscore, so they never meet."""

ROOT = Holder("")
ANYWHERE = ""


@dataclass(frozen=True, slots=True)
class Entitlement:
    """So many accelerators of a kind for a team, or (`tenant_id` None) for a `group`.

    `parent` is the group out of whose entitlement it is taken, empty for one of the house's
    own. `lend_limit` bounds how much of what is idle may be lent, `borrow_limit` how much the
    holder may use above its own; None is no bound. A lender earns `lender_share_bps`
    (hundredths of a percent) of the price at which its idle accelerators were used. An end
    at the start is a row that was withdrawn before it began.
    """

    id: EntitlementId
    tenant_id: TenantId | None
    group: str
    parent: str
    kind: str
    site: str
    accelerators: int
    starts_at_ms: int
    ends_at_ms: int | None
    lend_limit: int | None
    borrow_limit: int | None
    lender_share_bps: int
    set_by: UserId
    set_at_ms: int

    @property
    def holder(self) -> Holder:
        """Whose it is."""
        return Holder(self.group if self.tenant_id is None else self.tenant_id)

    def covers(self, instant_ms: int) -> bool:
        """Whether it is in force at an instant."""
        ends = self.ends_at_ms
        return self.starts_at_ms <= instant_ms and (ends is None or instant_ms < ends)


def in_force(rows: Iterable[Entitlement], instant_ms: int) -> list[Entitlement]:
    """The rows that count at an instant."""
    return [row for row in rows if row.covers(instant_ms)]


def changes(rows: Iterable[Entitlement], since_ms: int) -> list[int]:
    """`since_ms`, and every later instant at which a row begins or ends, in order."""
    found = {since_ms}
    for row in rows:
        found.add(row.starts_at_ms)
        if row.ends_at_ms is not None:
            found.add(row.ends_at_ms)
    return sorted(instant for instant in found if instant >= since_ms)


def entitled(rows: Iterable[Entitlement], holder: Holder, instant_ms: int) -> dict[str, int]:
    """What a holder is entitled to of one kind at an instant, by site (`ANYWHERE`: any)."""
    by_site: dict[str, int] = defaultdict(int)
    for row in rows:
        if row.holder == holder and row.covers(instant_ms):
            by_site[row.site] += row.accelerators
    return dict(by_site)


def own_part(entitled_by_site: Mapping[str, int], used_by_site: Mapping[str, int]) -> int:
    """How much of a use stands on the user's own entitlement.

    Use at a site takes that site's own entitlement first, then what is good anywhere.
    """
    at_sites = spilled = 0
    for site, used in used_by_site.items():
        there = min(used, entitled_by_site.get(site, 0)) if site != ANYWHERE else 0
        at_sites += there
        spilled += used - there
    return at_sites + min(spilled, entitled_by_site.get(ANYWHERE, 0))


def shortage(has: Mapping[str, int], wants: Mapping[str, int]) -> int:
    """How many accelerators `has` lacks to give `wants`, both by site.

    A want at a site is met there, or by what is good anywhere; a want that is good anywhere
    is met by whatever is left.
    """
    spilled = 0
    for site, wanted in wants.items():
        if site != ANYWHERE:
            spilled += max(wanted - has.get(site, 0), 0)
    at_sites = spilled - has.get(ANYWHERE, 0)
    in_all = sum(wants.values()) - sum(has.values())
    return max(at_sites, in_all, 0)


def needed_at(rows: Iterable[Entitlement], instant_ms: int) -> dict[str, int]:
    """What must be had at each site for all entitlements at an instant, and in all (`ANYWHERE`).

    A group needs at a site what it has there, or what its members have there if that is more.
    """
    standing = in_force(rows, instant_ms)
    needs: dict[str, int] = defaultdict(int)
    for site in {row.site for row in standing} - {ANYWHERE}:
        needs[site] = _needed(standing, ROOT, site)
    needs[ANYWHERE] = sum(row.accelerators for row in standing if row.parent == ROOT)
    return dict(needs)


def _needed(standing: Sequence[Entitlement], above: Holder, site: str) -> int:
    total = 0
    for holder in {row.holder for row in standing if row.parent == above}:
        own = sum(r.accelerators for r in standing if r.holder == holder and r.site == site)
        total += max(own, _needed(standing, holder, site))
    return total


def check_tree(rows: Sequence[Entitlement], since_ms: int) -> None:
    """Let the rows of one kind pass if they are a tree, and no group is shared out twice over.

    Raises:
        Conflict: `two_parents`, `group_in_a_ring`.
        Refused: `more_than_the_group_has`, naming the first such instant and the numbers.
    """
    parents = _parents([row for row in rows if row.ends_at_ms is None or row.ends_at_ms > since_ms])
    for holder in parents:
        _refuse_ring(parents, holder)
    for instant in changes(rows, since_ms):
        standing = in_force(rows, instant)
        for group in {row.parent for row in standing} - {ROOT}:
            _refuse_overshare(standing, Holder(group), instant)


def _parents(rows: Iterable[Entitlement]) -> dict[Holder, Holder]:
    parents: dict[Holder, Holder] = {}
    for row in rows:
        known = parents.setdefault(row.holder, Holder(row.parent))
        if known != row.parent:
            raise Conflict(
                "two_parents",
                f"{row.holder} takes its share out of {known or 'the house'}'s, and cannot take "
                f"it out of {row.parent or 'the house'}'s too",
                "end the one before you set the other",
                {"holder": row.holder},
            )
    return parents


def _refuse_ring(parents: Mapping[Holder, Holder], holder: Holder) -> None:
    seen, at = [holder], parents.get(holder, ROOT)
    while at != ROOT:
        seen.append(at)
        if at == holder or len(seen) > len(parents) + 1:
            raise Conflict(
                "group_in_a_ring",
                f"{holder} would be a member of itself: {' in '.join(seen)}",
                "name a group above it, or none",
                {"holder": holder},
            )
        at = parents.get(at, ROOT)


def _refuse_overshare(standing: Sequence[Entitlement], group: Holder, instant_ms: int) -> None:
    has: dict[str, int] = defaultdict(int)
    wants: dict[str, int] = defaultdict(int)
    for row in standing:
        if row.holder == group:
            has[row.site] += row.accelerators
        if row.parent == group:
            wants[row.site] += row.accelerators
    short = shortage(has, wants)
    if short:
        kind, total, asked = standing[0].kind, sum(has.values()), sum(wants.values())
        there = f"{group} has {total:,} x {kind}" if has else f"no group {group} has any {kind}"
        raise Refused(
            "more_than_the_group_has",
            f"from {format_instant(instant_ms)} on, {there} and its "
            f"members would have {asked:,}: {short:,} too many{_where(has, wants)}",
            f"give the group more first, or its members {short:,} less",
            {"group": group, "at": format_instant(instant_ms), "has": total, "asked": asked},
        )


def _where(has: Mapping[str, int], wants: Mapping[str, int]) -> str:
    """The sites at which the sum alone does not show what is missing."""
    short = [s for s in sorted(wants) if s != ANYWHERE and wants[s] > has.get(s, 0)]
    parts = [f"{wants[s]:,} of them at {s}, where it has {has.get(s, 0):,}" for s in short]
    return f" ({'; '.join(parts)})" if parts else ""
