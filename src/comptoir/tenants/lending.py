"""Lending: of one kind at one instant, who uses what, what is idle, and who lends to whom.

Whoever uses more than its own takes first what the house has given to nobody, then what is
idle of others, nearest in the tree first; lenders equally near lend in proportion to what they
can. Limits bound it. **Who is served before whom is `Turn`, here and nowhere else**: the book's
counts and the lender's statement both ask `serve`. Invariants: loans add up to what was asked as
far as anybody has it idle; nobody lends more than it has idle. `tests/tenants` compares it with a
plain model.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from comptoir.tenants.entitlements import ROOT, Entitlement, Holder, entitled, own_part
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


Use = tuple[Turn, Hashable, int]
"""In which turn, by whom, how many accelerators; of teams it is worked out."""


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


@dataclass(slots=True)
class _Branch:
    """A holder with what hangs below it, and what was lent so far."""

    holder: Holder
    parent: Holder
    is_team: bool = False
    entitled: int = 0
    shared_out: int = 0
    used: int = 0
    own: int = 0
    lend_limit: int | None = None
    borrow_limit: int | None = None
    lent: int = 0
    lent_outside: int = 0
    members: "list[_Branch]" = field(default_factory=list)

    @property
    def idle(self) -> int:
        """Its entitlement without what its members have and what it uses itself."""
        idle = self.entitled - self.shared_out - (self.own if self.is_team else 0)
        return idle if idle > 0 else 0

    @property
    def free(self) -> int:
        """What of its idle nobody uses."""
        return self.idle - self.lent

    @property
    def can_lend(self) -> int:
        """What it and its members could still lend to the world outside it."""
        amount = sum(self.offers.values()) if self.members else self.idle - self.lent
        if self.lend_limit is not None:
            amount = min(amount, self.lend_limit - self.lent_outside)
        return max(amount, 0)

    @property
    def offers(self) -> dict[Holder, int]:
        """Where that would come from: itself, and its members."""
        return {self.holder: self.free, **{m.holder: m.can_lend for m in self.members}}


class Lending:
    """The tree of one kind at one instant; `lend` serves one borrower after the other.

    From one instant to the next, while the same entitlements are in force, it need not be made
    anew: `use` says what has changed, `start_again` clears the loans.

    Args:
        rows: The kind's entitlements in force.
        uses: What each team uses, by site; teams without an entitlement too.
        unentitled: Accelerators that are nobody's: those supplied, less all entitlements.
        instant_ms: When.
    """

    def __init__(
        self, rows: Sequence[Entitlement], uses: Uses, unentitled: int, instant_ms: int
    ) -> None:
        self.loans: list[Loan] = []
        self.beyond = 0
        """What was lent though limits say no: it stands there all the same."""
        self.unmet = 0
        """What limits leave no place for, whether anybody has it idle or not."""
        self._left: int | None = None
        """What is idle and not lent of all; None: to be worked out."""
        self._root = _Branch(ROOT, ROOT, entitled=max(unentitled, 0))
        self._branches: dict[Holder, _Branch] = {ROOT: self._root}
        self._teams: list[TenantId] = []
        self._has: dict[Holder, dict[str, int]] = {}
        rows_of: dict[Holder, list[Entitlement]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: (row.holder, row.id)):
            self._add(row)
            rows_of[row.holder].append(row)
        for holder, mine in rows_of.items():
            self._has[holder] = entitled(mine, holder, instant_ms)
        for branch in list(self._branches.values())[1:]:
            above = self._branches.get(branch.parent, self._root)
            above.members.append(branch)
            if above is not self._root:
                above.shared_out += branch.entitled
        for team in sorted(uses):
            self.use(team, uses[team])

    def use(self, team: TenantId, by_site: Mapping[str, int]) -> None:
        """A team uses this now, by site. Loans are as they were until all are served again."""
        holder = Holder(team)
        branch = self._branches.get(holder)
        if branch is None:
            branch = self._branches[holder] = _Branch(holder, ROOT, is_team=True)
            self._root.members.append(branch)
        at = bisect_left(self._teams, team)
        if at == len(self._teams) or self._teams[at] != team:
            self._teams.insert(at, team)
        self._left = None
        own, used = own_part(self._has.get(holder, {}), by_site), sum(by_site.values())
        more_own, more_used = own - branch.own, used - branch.used
        for above in self._path(holder):
            above.own += more_own
            above.used += more_used

    def start_again(self, unentitled: int) -> None:
        """Nothing is lent: as if it had been made anew, of the same entitlements."""
        self.loans, self.beyond, self.unmet, self._left = [], 0, 0, None
        self._root.entitled = max(unentitled, 0)
        for branch in self._branches.values():
            branch.lent = branch.lent_outside = 0

    def _add(self, row: Entitlement) -> None:
        known = self._branches.get(row.holder)
        if known is None:
            is_team = row.tenant_id is not None
            known = _Branch(row.holder, Holder(row.parent), is_team, lend_limit=0, borrow_limit=0)
            self._branches[row.holder] = known
        known.entitled += row.accelerators
        known.lend_limit = _sum(known.lend_limit, row.lend_limit)
        known.borrow_limit = _sum(known.borrow_limit, row.borrow_limit)

    # What can be asked.

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
            self.borrowed(holder), branch.idle, branch.lent, branch.can_lend,
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

    def borrow_bound(self, holder: Holder) -> tuple[int, Holder]:
        """How many more a team may borrow, and whose borrow limit says so (`ROOT`: nobody's)."""
        if holder not in self._branches:
            return self.can_lend, ROOT
        most, whose = sum(sum(offers.values()) for _, offers in self._steps(holder)), ROOT
        for branch in self._path(holder):
            if branch.borrow_limit is not None:
                left = branch.borrow_limit - max(branch.used - branch.entitled, 0)
                if left < most:
                    most, whose = left, branch.holder
        return max(most, 0), whose

    @property
    def can_lend(self) -> int:
        """How many more accelerators an outsider may use, of nobody's and of idle ones."""
        return self._root.can_lend

    @property
    def kept(self) -> int:
        """Accelerators that must stay free, because their holders do not lend them."""
        return sum(branch.free for branch in self._branches.values()) - self._root.can_lend

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
        uses = sorted(outside, key=lambda use: use[0])
        for turn, borrower, accelerators in uses:
            if turn < Turn.TEAM:
                self.lend(borrower, accelerators)
        for team in self._teams:
            self.lend(named(team), self.borrowed(Holder(team)), Holder(team))
        for turn, borrower, accelerators in uses:
            if turn > Turn.TEAM:
                self.lend(borrower, accelerators)
        return self

    def lend(self, borrower: Hashable, accelerators: int, holder: Holder = ROOT) -> list[Loan]:
        """Find accelerators for a borrower: a team by its `holder`, else an outsider.

        What stands there already is lent even beyond a limit that was set since; what nobody
        has idle is not lent.
        """
        if accelerators <= 0:
            return []
        if self._left is None:
            self._left = sum(branch.free for branch in self._branches.values())
        if not self._left:
            self.unmet += accelerators
            return []
        loans: dict[Holder, int] = {}
        for above, offers in self._steps(holder):
            amount = min(accelerators, sum(offers.values()))
            self._take(above, offers, amount, loans)
            accelerators -= amount
            if not accelerators:
                break
        else:
            self._lend_beyond(accelerators, loans)
        made = [Loan(lender, borrower, part) for lender, part in loans.items()]
        self.loans += made
        return made

    def _lend_beyond(self, accelerators: int, loans: dict[Holder, int]) -> None:
        """What limits leave no place for stands on what anybody has idle, if anybody has."""
        self.unmet += accelerators
        free = {branch.holder: branch.free for branch in self._branches.values()}
        for lender, part in share_out(min(accelerators, sum(free.values())), free).items():
            self._book(lender, part, loans)
            self.beyond += part

    def _steps(self, holder: Holder) -> Iterator[tuple[_Branch, dict[Holder, int]]]:
        """Whom to ask, nearest first: the house for what is nobody's, then up the tree."""
        yield self._root, {ROOT: self._root.free}
        path = self._path(holder)
        below = None if holder == ROOT else path.pop(0)
        for above in path:
            offers = {m.holder: m.can_lend for m in above.members if m is not below}
            if above is not self._root:
                offers[above.holder] = above.free
            yield above, offers
            below = above

    def _take(
        self, above: _Branch, offers: dict[Holder, int], amount: int, loans: dict[Holder, int]
    ) -> None:
        if not amount:
            return
        for lender, part in share_out(amount, offers).items():
            if lender == above.holder:
                self._book(lender, part, loans)
            elif part:
                member = self._branches[lender]
                inside = member.offers if member.members else None
                member.lent_outside += part
                if inside is None:
                    self._book(lender, part, loans)
                else:
                    self._take(member, inside, part, loans)

    def _book(self, lender: Holder, part: int, loans: dict[Holder, int]) -> None:
        if part:
            self._branches[lender].lent += part
            self._left = (self._left or 0) - part
            loans[lender] = loans.get(lender, 0) + part

    def _path(self, holder: Holder) -> list[_Branch]:
        """The holder, the groups that it is in, and the house at last."""
        path = [self._branches[holder]]
        while path[-1] is not self._root:
            path.append(self._branches.get(path[-1].parent, self._root))
        return path


def share_out(amount: int, most: Mapping[Holder, int]) -> dict[Holder, int]:
    """`amount` in proportion to `most`, whole, at most `most` each; it must fit.

    What rounding down leaves goes to the largest remainders, of equals to the first name.
    """
    total = sum(most.values())
    if amount <= 0 or total <= 0:
        return {}
    if amount == total:
        return dict(most)
    parts = {holder: amount * part // total for holder, part in most.items()}
    left = amount - sum(parts.values())
    if not left:
        return parts
    order = sorted(most, key=lambda holder: (-(amount * most[holder] % total), holder))
    for holder in order[:left]:
        parts[holder] += 1
    return parts


def _sum(one: int | None, other: int | None) -> int | None:
    """Limits of rows add up, as what they limit does; no bound with anything is no bound."""
    return None if one is None or other is None else one + other
