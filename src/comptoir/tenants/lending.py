"""Lending: of one kind at one instant, who uses what, what is idle, and who lends to whom.

Whoever uses more than its own takes first what the house has given to nobody, then what is
idle of others, nearest in the tree first; lenders equally near lend in proportion to what they
can. Limits bound it. **Who is served before whom is `Turn`, here and nowhere else**: the book's
counts and the lender's statement both ask `serve`. What is entitled at one site is used there
alone; what is nobody's, or entitled anywhere, at any site, as far as it has accelerators to which
nobody is entitled there. Invariants: loans add up to what was asked as far as anybody has it idle
where it is used; nobody lends more than it has idle. `tests/tenants` compares it with a plain
model.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from comptoir.tenants.branches import Branch, Step, left_over, offered, offers_of, share_out
from comptoir.tenants.entitlements import ANYWHERE, ROOT, Entitlement, Holder, entitled
from comptoir.units.ids import TenantId

Uses = Mapping[TenantId, Mapping[str, int]]
"""What each team uses of the kind, by site."""


class Turn(IntEnum):
    """In which turn a use is served, out of what is nobody's first and then of what is idle.

    What is sold for good stands on what is nobody's, so it comes first; of what may be taken
    back the stronger claim does; spot takes what is left.
    """

    WINDOW = 0
    ON_DEMAND = 1
    TEAM = 2
    RECALL = 3
    SPOT = 4


Use = tuple[Turn, Hashable, str, int]
"""In which turn, by whom, at which site, how many accelerators; of teams it is worked out."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a holder stands, in accelerators. What a group has not shared out is its own idle.

    `lent` is what of its idle others use; `may_lend` and `may_borrow` are how much more.
    """

    holder: Holder
    parent: Holder
    entitled: int
    used: int
    own: int
    borrowed: int
    idle: int
    lent: int
    may_lend: int
    may_borrow: int


@dataclass(frozen=True, slots=True)
class Loan:
    """Accelerators that a borrower uses of a lender's idle; `ROOT` lends what is nobody's."""

    lender: Holder
    borrower: Hashable
    accelerators: int


class Lending:
    """The tree of one kind at one instant; `lend` serves one borrower after the other.

    From one instant to the next, while the same entitlements are in force, it need not be made
    anew: `use` says what has changed, `start_again` clears the loans.

    Args:
        rows: The kind's entitlements in force.
        uses: What each team uses, by site; teams without an entitlement too.
        unentitled: Accelerators that are nobody's: those supplied, less all entitlements.
        instant_ms: When.
        supplied: What each site has; asked of sites at which somebody is entitled.
    """

    def __init__(
        self,
        rows: Sequence[Entitlement],
        uses: Uses,
        unentitled: int,
        instant_ms: int,
        supplied: Mapping[str, int] | None = None,
    ) -> None:
        self._loans: dict[tuple[Holder, Hashable], int] = {}
        self.beyond = 0
        """What was lent though limits say no: it stands there all the same."""
        self.unmet = 0
        """What limits leave no place for, whether anybody has it idle or not."""
        self._left: int | None = None
        """What is idle and not lent of all; None: to be worked out."""
        self._root = Branch(ROOT, ROOT, has={ANYWHERE: max(unentitled, 0)})
        self._branches: dict[Holder, Branch] = {ROOT: self._root}
        self._teams: list[TenantId] = []
        self._uses: dict[TenantId, Mapping[str, int]] = {}
        rows_of: dict[Holder, list[Entitlement]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: (row.holder, row.id)):
            self._add(row)
            rows_of[row.holder].append(row)
        for holder, mine in rows_of.items():
            self._branches[holder].has = entitled(mine, holder, instant_ms)
        self._share_out_groups()
        self._bound: dict[str, int] = defaultdict(int)
        """What is entitled at each site; no site, where all is entitled anywhere."""
        for branch in self._branches.values():
            for site, amount in branch.has.items():
                if site != ANYWHERE:
                    self._bound[site] += amount
        self._unbound: dict[str, int] = {}
        """What each of these sites still has for whoever is not entitled there."""
        self._open_sites(supplied or {})
        for team in sorted(uses):
            self._put_use(team, uses[team])
        self._settle(self._teams)

    def use(self, team: TenantId, by_site: Mapping[str, int]) -> None:
        """A team uses this now, by site; ask `start_again` before all are served again."""
        self._put_use(team, by_site)
        if not self._bound:
            self._settle([team])

    def start_again(self, unentitled: int, supplied: Mapping[str, int] | None = None) -> None:
        """Nothing is lent: as if it had been made anew, of the same entitlements."""
        self._loans, self.beyond, self.unmet, self._left = {}, 0, 0, None
        self._root.has = {ANYWHERE: max(unentitled, 0)}
        for branch in self._branches.values():
            branch.lent, branch.lent_by, branch.lent_outside = 0, {}, 0
        self._open_sites(supplied or {})
        if self._bound:
            self._settle(self._teams)

    def _share_out_groups(self) -> None:
        """Members are put below their groups, and what they have is taken out of these."""
        for branch in list(self._branches.values())[1:]:
            self._branches.get(branch.parent, self._root).members.append(branch)
        wants = {
            holder: [dict(member.has) for member in branch.members]
            for holder, branch in self._branches.items()
            if holder != ROOT and branch.members
        }
        for holder, shares in wants.items():
            branch = self._branches[holder]
            branch.has = left_over(branch.has, shares)

    def _open_sites(self, supplied: Mapping[str, int]) -> None:
        self._unbound = {
            site: max(supplied.get(site, 0) - bound, 0) for site, bound in self._bound.items()
        }

    def _put_use(self, team: TenantId, by_site: Mapping[str, int]) -> None:
        holder = Holder(team)
        if holder not in self._branches:
            self._branches[holder] = Branch(holder, ROOT)
            self._root.members.append(self._branches[holder])
        at = bisect_left(self._teams, team)
        if at == len(self._teams) or self._teams[at] != team:
            self._teams.insert(at, team)
        self._uses[team] = by_site

    def _settle(self, teams: Sequence[TenantId]) -> None:
        """Work out what of their uses is teams' own: at a site what they have there, then what is
        good anywhere, as far as the site has accelerators that nobody is entitled to there."""
        self._left = None
        for team in teams:
            branch = self._branches[Holder(team)]
            anywhere, own = branch.has.get(ANYWHERE, 0), 0
            branch.own_by, branch.above_by = {}, {}
            # Where nobody is entitled comes first: there only what is good anywhere will do.
            uses = sorted(self._uses[team].items(), key=lambda use: (use[0] in self._bound, use))
            for site, used in uses:
                there = 0 if site == ANYWHERE else min(used, branch.has.get(site, 0))
                spilled = min(used - there, anywhere, self._unbound.get(site, used))
                anywhere -= spilled
                if site in self._unbound:
                    self._unbound[site] -= spilled
                if there:
                    branch.own_by[site] = there
                branch.above_by[site] = used - there - spilled
                own += there + spilled
            branch.own_by[ANYWHERE] = branch.has.get(ANYWHERE, 0) - anywhere
            more_own, more_used = own - branch.own, sum(self._uses[team].values()) - branch.used
            for above in self._path(Holder(team)):
                above.own += more_own
                above.used += more_used

    def _add(self, row: Entitlement) -> None:
        known = self._branches.get(row.holder)
        if known is None:
            known = Branch(row.holder, Holder(row.parent), lend_limit=0, borrow_limit=0)
            self._branches[row.holder] = known
        known.entitled += row.accelerators
        known.lend_limit = _sum(known.lend_limit, row.lend_limit)
        known.borrow_limit = _sum(known.borrow_limit, row.borrow_limit)

    # What can be asked.

    @property
    def loans(self) -> list[Loan]:
        """Who lends how many to whom."""
        return [Loan(*between, amount) for between, amount in self._loans.items()]

    def holders(self) -> list[Holder]:
        """Every team and group."""
        return [holder for holder in self._branches if holder != ROOT]

    def knows(self, holder: Holder) -> bool:
        """Whether a holder has, or uses, any of the kind."""
        return holder in self._branches

    def position(self, holder: Holder) -> Position:
        """A holder's numbers, after the loans so far."""
        branch = self._branches[holder]
        return Position(
            holder, branch.parent, branch.entitled, branch.used, branch.own,
            self.borrowed(holder), branch.idle, branch.lent, branch.can_lend(),
            self.may_borrow(holder),
        )  # fmt: skip

    def borrowed(self, holder: Holder) -> int:
        """What it uses above its own."""
        branch = self._branches[holder]
        return branch.used - branch.own

    def own_left(self, holder: Holder) -> int:
        """What of its own a team does not use."""
        branch = self._branches.get(holder)
        return 0 if branch is None else max(branch.entitled - branch.own, 0)

    def may_borrow(self, holder: Holder) -> int:
        """How many more accelerators a team may use above its own entitlement.

        A group's limit bounds what its members together use above the group's entitlement.
        """
        return self.borrow_bound(holder)[0]

    def borrow_bound(self, holder: Holder, site: str | None = None) -> tuple[int, Holder]:
        """How many more a team may borrow, and whose borrow limit says so (`ROOT`: nobody's)."""
        if holder not in self._branches:
            return self.can_lend(site), ROOT
        steps = list(self._steps(holder))
        most, whose = self._most(site, lambda of: sum(offered(step, of) for step in steps)), ROOT
        for branch in self._path(holder):
            if branch.borrow_limit is not None:
                left = branch.borrow_limit - max(branch.used - branch.entitled, 0)
                if left < most:
                    most, whose = left, branch.holder
        return max(most, 0), whose

    def can_lend(self, site: str | None = None) -> int:
        """How many more accelerators an outsider may use, of nobody's and of idle ones, at most.

        At one site, or wherever they are.
        """
        return self._most(site, self._root.can_lend)

    def _most(self, site: str | None, of: Callable[[str | None], int]) -> int:
        """What could be used at a site, or at all sites together."""
        if site is None:
            return of(None)
        if site not in self._unbound:
            return of(ANYWHERE)
        return of(site) + min(of(ANYWHERE), self._unbound[site])

    @property
    def kept(self) -> int:
        """Accelerators that must stay free, because their holders do not lend them."""
        return self._free() - self._root.can_lend()

    def kept_by_site(self) -> dict[str, int]:
        """The same, by the site at which they have to be (`ANYWHERE`: at any)."""
        kept = {site: self._free(site) - self._root.can_lend(site) for site in self._bound}
        return {**kept, ANYWHERE: max(self.kept - sum(kept.values()), 0)}

    def _free(self, of: str | None = None) -> int:
        return sum(branch.free(of) for branch in self._branches.values())

    def over_borrowed(self, holder: Holder) -> tuple[int, Position | None]:
        """By how much it or a group that it is in passes its borrow limit, and whose is worst."""
        worst, whose = 0, ROOT
        if holder in self._branches:
            for branch in self._path(holder):
                if branch.borrow_limit is not None:
                    over = branch.used - branch.entitled - branch.borrow_limit
                    if over > worst:
                        worst, whose = over, branch.holder
        return worst, None if whose == ROOT else self.position(whose)

    # Lending.

    def serve(
        self, outside: Iterable[Use], named: Callable[[TenantId], Hashable] = lambda team: team
    ) -> "Lending":
        """Lend to everybody who stands on more than its own, each in its turn.

        Args:
            outside: Who is no team; of one turn in the order given.
            named: As what a team's loans are booked.
        """
        uses = sorted(outside, key=lambda use: (use[0], use[2] in self._unbound))
        for turn, borrower, site, accelerators in uses:
            if turn < Turn.TEAM:
                self.lend(borrower, accelerators, site=site)
        for team in self._teams:
            above = self._branches[Holder(team)].above_by
            for site, accelerators in above.items():
                self.lend(named(team), accelerators, Holder(team), site)
        for turn, borrower, site, accelerators in uses:
            if turn > Turn.TEAM:
                self.lend(borrower, accelerators, site=site)
        return self

    def lend(
        self, borrower: Hashable, accelerators: int, holder: Holder = ROOT, site: str = ANYWHERE
    ) -> list[Loan]:
        """Find accelerators for a borrower at a site: a team by its `holder`, else an outsider.

        Of those equally near, what is entitled at the site itself comes first.

        What stands there already is lent even beyond a limit that was set since; what nobody
        has idle is not lent.
        """
        if accelerators <= 0:
            return []
        if self._left is None:
            self._left = self._free()
        if not self._left:
            self.unmet += accelerators
            return []
        loans: dict[Holder, int] = {}
        for step in self._steps(holder):
            for of in self._kinds(site):
                offers = offers_of(step, of)
                amount = min(accelerators, sum(offers.values()), self._room(site, of))
                self._take(step[0], of, offers, amount, loans)
                self._fill(site, of, amount)
                accelerators -= amount
            if not accelerators:
                break
        else:
            self._lend_beyond(accelerators, site, loans)
        for lender, part in loans.items():
            between = lender, borrower
            self._loans[between] = self._loans.get(between, 0) + part
        return [Loan(lender, borrower, part) for lender, part in loans.items()]

    def _kinds(self, site: str) -> tuple[str, ...]:
        """What can be used at a site: what is entitled there, and what is good anywhere."""
        return (site, ANYWHERE) if site in self._unbound else (ANYWHERE,)

    def _room(self, site: str, of: str) -> int:
        """How much of that the site has."""
        if of == ANYWHERE and site in self._unbound:
            return self._unbound[site]
        return self._left or 0

    def _fill(self, site: str, of: str, amount: int) -> None:
        if of == ANYWHERE and site in self._unbound:
            self._unbound[site] -= amount

    def _lend_beyond(self, accelerators: int, site: str, loans: dict[Holder, int]) -> None:
        """What limits leave no place for stands on what anybody has idle there, if anybody has."""
        self.unmet += accelerators
        for of in self._kinds(site):
            free = {branch.holder: branch.free(of) for branch in self._branches.values()}
            amount = min(accelerators, sum(free.values()), self._room(site, of))
            for lender, part in share_out(amount, free).items():
                self._book(lender, of, part, loans)
                self.beyond += part
            self._fill(site, of, amount)
            accelerators -= amount

    def _steps(self, holder: Holder) -> Iterator[Step]:
        """Whom to ask, nearest first: the house for what is nobody's, then up the tree."""
        yield self._root, True, []
        path = self._path(holder)
        below = None if holder == ROOT else path.pop(0)
        for above in path:
            yield above, above is not self._root, [m for m in above.members if m is not below]
            below = above

    def _take(
        self, above: Branch, of: str, offers: dict[Holder, int], amount: int,
        loans: dict[Holder, int],
    ) -> None:  # fmt: skip
        if not amount:
            return
        for lender, part in share_out(amount, offers).items():
            if lender == above.holder:
                self._book(lender, of, part, loans)
            elif part:
                member = self._branches[lender]
                inside = member.offers(of) if member.members else None
                member.lent_outside += part
                if inside is None:
                    self._book(lender, of, part, loans)
                else:
                    self._take(member, of, inside, part, loans)

    def _book(self, lender: Holder, of: str, part: int, loans: dict[Holder, int]) -> None:
        if part:
            branch = self._branches[lender]
            branch.lent += part
            branch.lent_by[of] = branch.lent_by.get(of, 0) + part
            self._left = (self._left or 0) - part
            loans[lender] = loans.get(lender, 0) + part

    def _path(self, holder: Holder) -> list[Branch]:
        """The holder, the groups that it is in, and the house at last."""
        path = [self._branches[holder]]
        while path[-1] is not self._root:
            path.append(self._branches.get(path[-1].parent, self._root))
        return path


def _sum(one: int | None, other: int | None) -> int | None:
    """Limits of rows add up, as what they limit does; no bound with anything is no bound."""
    return None if one is None or other is None else one + other
