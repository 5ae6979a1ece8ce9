"""The lender's statement: what a team was entitled to, used, lent and earned, and left idle.

Who uses what is nobody's, and whose idle entitlement the rest stands on, is said by
`tenants.lending` (`Turn`); of one turn the dearest comes first. The price of what is lent, times
the lender's share, is the lender's credit. All sums are exact integers; each line is
rounded down once. Invariant: entitled = used + lent + idle, in accelerator-milliseconds.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.ledger.entries import Posting
from comptoir.tenants.entitlements import Entitlement, Holder, changes, in_force
from comptoir.tenants.lending import Lending, Turn
from comptoir.units.errors import invariant
from comptoir.units.ids import TenantId
from comptoir.units.money import NUMERATOR_PER_MICRO
from comptoir.units.steps import Steps
from comptoir.units.time import Window

BPS = 10_000


@dataclass(frozen=True, slots=True)
class Use:
    """Delivered accelerators of one tenant at one site, under one rate, over a bounded window."""

    tenant_id: TenantId
    is_team: bool
    site: str
    lease_class: LeaseClass
    recall: bool
    accelerators: int
    starts_at_ms: int
    ends_at_ms: int
    price_nanos: int
    currency: str


@dataclass(frozen=True, slots=True)
class Price:
    """What an accelerator-hour of a tenant costs from an instant on."""

    from_ms: int
    price_nanos: int


@dataclass(frozen=True, slots=True)
class LentLine:
    """What was lent to one class at one price. `numerator` is exact, with the lender's share."""

    lease_class: LeaseClass
    price_nanos: int
    currency: str
    accelerator_ms: int
    numerator: int
    credit_micros: int


@dataclass(frozen=True, slots=True)
class LenderStatement:
    """One kind of one team over a window. `idle` was neither used nor lent, at its own price."""

    tenant_id: TenantId
    kind: str
    starts_at_ms: int
    ends_at_ms: int
    entitled_accelerator_ms: int
    used_accelerator_ms: int
    borrowed_accelerator_ms: int
    lent_accelerator_ms: int
    idle_accelerator_ms: int
    idle_cost_micros: int
    currency: str
    lines: tuple[LentLine, ...]

    @property
    def credits(self) -> dict[str, int]:
        """Micros earned, by currency."""
        earned: Counter[str] = Counter()
        for line in self.lines:
            earned[line.currency] += line.credit_micros
        return {currency: micros for currency, micros in sorted(earned.items()) if micros}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a statement is drawn up from, all of one kind; `supplied` is by site."""

    kind: str
    rows: Sequence[Entitlement]
    uses: Sequence[Use]
    supplied: Mapping[str, Steps]


Group = tuple[Turn, int, str, LeaseClass]
"""Who borrows, in the order in which they are served: turn, -price, currency, class."""


@dataclass(slots=True)
class _State:
    """What is used at one instant."""

    teams: dict[TenantId, Counter[str]]
    prices: dict[TenantId, tuple[int, str]]
    sold: Counter[tuple[Group, str]]
    changed: set[TenantId]
    """The teams whose use has changed since somebody last took this."""

    def move(self, use: Use, sign: int) -> None:
        if use.is_team:
            self.teams.setdefault(use.tenant_id, Counter())[use.site] += sign * use.accelerators
            self.prices[use.tenant_id] = (use.price_nanos, use.currency)
            self.changed.add(use.tenant_id)
        else:
            self.sold[_group(use), use.site] += sign * use.accelerators

    def team_group(self, team: TenantId) -> Group:
        """As what a team borrows."""
        price_nanos, currency = self.prices[team]
        return Turn.TEAM, -price_nanos, currency, LeaseClass.INTERNAL


def draw_up_lending(
    team: TenantId, facts: Facts, window: Window, own: Sequence[Price], currency: str
) -> LenderStatement:
    """The statement of a team for one kind.

    Args:
        team: The lender.
        facts: Entitlements, uses and supply of the kind; uses lie within the window.
        window: Bounded.
        own: The team's own prices for the kind, oldest first, in `currency`.
        currency: Of its rate card.
    """
    totals: Counter[str] = Counter()
    lent: dict[tuple[LeaseClass, int, str], list[int]] = defaultdict(lambda: [0, 0])
    idle_numerator = 0
    tree = _Tree(facts)
    for start_ms, end_ms, state in _states(facts, window, own):
        rows, lending = tree.lend(state, start_ms)
        if not lending.knows(Holder(team)):
            continue
        lasted, place = end_ms - start_ms, lending.position(Holder(team))
        idle = place.entitled - place.own - place.lent
        totals.update(
            entitled=place.entitled * lasted, used=place.own * lasted,
            borrowed=place.borrowed * lasted, lent=place.lent * lasted, idle=idle * lasted,
        )  # fmt: skip
        idle_numerator += idle * lasted * _price_at(own, start_ms)
        share_bps = _share_bps(rows, team)
        for loan in lending.loans:
            if loan.lender == Holder(team):
                assert isinstance(loan.borrower, tuple)
                _, price, money, lease_class = loan.borrower
                sums = lent[lease_class, -price, money]
                sums[0] += loan.accelerators * lasted
                sums[1] += loan.accelerators * lasted * -price * share_bps
    lines = tuple(
        LentLine(
            lease_class, price, money, sums[0], sums[1], sums[1] // (NUMERATOR_PER_MICRO * BPS)
        )
        for (lease_class, price, money), sums in sorted(
            lent.items(), key=lambda item: (_TURN[item[0][0]], -item[0][1], item[0][2])
        )
    )
    invariant(
        totals["entitled"] == totals["used"] + totals["lent"] + totals["idle"],
        f"a lender's statement of {team} does not add up: {dict(totals)}",
    )
    return LenderStatement(
        team, facts.kind, window.start_ms, window.end_ms or window.start_ms, totals["entitled"],
        totals["used"], totals["borrowed"], totals["lent"], totals["idle"],
        idle_numerator // NUMERATOR_PER_MICRO, currency, lines,
    )  # fmt: skip


def credit_postings(team: TenantId, credits: dict[str, int]) -> tuple[Posting, ...]:
    """What is passed on to a lender: it owes so much less, out of what the house has earned."""
    postings: tuple[Posting, ...] = ()
    for currency, micros in sorted(credits.items()):
        postings += ledger.transfer(
            ledger.LENDER_CREDIT, ledger.internal_transfer(team), ledger.currency(currency), micros
        )
    return postings


class _Tree:
    """Who lends to whom, from one instant to the next: only what has changed is worked out anew."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._rows: list[Entitlement] = []
        self._given = 0
        self._until_ms: int | None = 0
        self._lending: Lending | None = None

    def lend(self, state: _State, at_ms: int) -> tuple[list[Entitlement], Lending]:
        """The entitlements in force at an instant, not before the last, and all loans."""
        known = self._lending
        supplied = {site: steps.at(at_ms) for site, steps in self._facts.supplied.items()}
        in_all = sum(supplied.values())
        if known is None or (self._until_ms is not None and at_ms >= self._until_ms):
            self._rows = in_force(self._facts.rows, at_ms)
            later = (change for change in changes(self._facts.rows, at_ms) if change > at_ms)
            self._until_ms = next(later, None)
            self._given = sum(row.accelerators for row in self._rows if not row.parent)
            known = Lending(self._rows, state.teams, in_all - self._given, at_ms, supplied)
            self._lending = known
        else:
            for team in state.changed:
                known.use(team, state.teams[team])
            known.start_again(in_all - self._given, supplied)
        state.changed.clear()
        outside = [
            (group[0], group, site, n) for (group, site), n in sorted(state.sold.items()) if n
        ]
        return self._rows, known.serve(outside, state.team_group)


_TURN = {
    LeaseClass.RESERVED: Turn.WINDOW,
    LeaseClass.ON_DEMAND: Turn.ON_DEMAND,
    LeaseClass.INTERNAL: Turn.TEAM,
    LeaseClass.SPOT: Turn.SPOT,
}


def _group(use: Use) -> Group:
    turn = Turn.RECALL if use.recall else _TURN[use.lease_class]
    return turn, -use.price_nanos, use.currency, use.lease_class


def _states(
    facts: Facts, window: Window, own: Sequence[Price]
) -> Iterator[tuple[int, int, _State]]:
    """The pieces of a window in which nothing changes, with what is used in each."""
    assert window.end_ms is not None
    moves: dict[int, list[tuple[Use, int]]] = defaultdict(list)
    for use in facts.uses:
        moves[use.starts_at_ms].append((use, 1))
        moves[use.ends_at_ms].append((use, -1))
    inside = {
        at
        for at in _instants(facts, own, moves, window.start_ms)
        if window.start_ms < at < window.end_ms
    }
    state = _State({}, {}, Counter(), set())
    for start_ms, end_ms in pairwise(sorted(inside | {window.start_ms, window.end_ms})):
        # Who leaves at an instant leaves before others come.
        for use, sign in sorted(moves.get(start_ms, ()), key=lambda move: move[1]):
            state.move(use, sign)
        yield start_ms, end_ms, state


def _instants(
    facts: Facts, own: Sequence[Price], moves: Iterable[int], since_ms: int
) -> Iterator[int]:
    yield from moves
    yield from changes(facts.rows, since_ms)
    for steps in facts.supplied.values():
        yield from steps.changes()
    yield from (price.from_ms for price in own)


def _share_bps(rows: Sequence[Entitlement], team: TenantId) -> int:
    """The share of a team, weighted over its rows in force, rounded down."""
    mine = [row for row in rows if row.tenant_id == team]
    held = sum(row.accelerators for row in mine)
    return sum(row.accelerators * row.lender_share_bps for row in mine) // held if held else 0


def _price_at(prices: Sequence[Price], instant_ms: int) -> int:
    found = 0
    for price in prices:
        if price.from_ms <= instant_ms:
            found = price.price_nanos
    return found
