"""The ledger read back: entries with their postings, balances, and the proof.

The proof trusts no running total: it adds up every posting, and compares delivered
usage as allocations saw it, as usage events recorded it, and as the ledger posted it.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, case, func, select

from comptoir.desk.money_memory import Balance
from comptoir.ledger import entries as ledger
from comptoir.ledger.entries import Entry, Posting, Unit
from comptoir.metering.usage import Measure
from comptoir.store import tables as t
from comptoir.store.views.reading import MOST_A_PAGE, Ask, Page, Views
from comptoir.store.views.sums import array_length, exact_sum, is_not_zero, whole
from comptoir.units.errors import Invalid

_PREFIX = ledger.accelerator_ms("")


@dataclass(frozen=True, slots=True)
class UnitSum:
    """All postings of a unit: `net` is zero in a sound ledger, `moved` its debits."""

    unit: Unit
    net: int
    moved: int
    postings: int


@dataclass(frozen=True, slots=True)
class KindProof:
    """Delivered accelerator-milliseconds of a kind, from three tellers.

    `observed_ms` from the intervals of allocations, as far as they are metered;
    `recorded_ms` from usage events; `posted_ms` from the ledger. `unmetered_ms` is
    delivered time that is yet to be booked: running allocations are metered lazily.
    """

    kind: str
    observed_ms: int
    recorded_ms: int
    posted_ms: int
    unmetered_ms: int

    @property
    def agrees(self) -> bool:
        """Whether the three tell the same."""
        return self.observed_ms == self.recorded_ms == self.posted_ms


@dataclass(frozen=True, slots=True)
class Proof:
    """The ledger's proof, from one snapshot of the book."""

    at_ms: int
    entries: int
    unbalanced_entries: int
    wrong_balances: int
    units: tuple[UnitSum, ...]
    kinds: tuple[KindProof, ...]

    @property
    def balanced(self) -> bool:
        """Whether every unit and entry sums to zero, and usage is posted as observed."""
        return (
            not self.unbalanced_entries
            and not self.wrong_balances
            and all(unit.net == 0 for unit in self.units)
            and all(kind.agrees for kind in self.kinds)
        )


def entries(views: Views, ask: Ask, account: str | None = None) -> Page[Entry]:
    """Ledger entries with all their postings, newest first."""
    e, p = t.entry.c, t.posting.c
    limit = min(ask.limit, MOST_A_PAGE)
    statement = select(e.seq, e.key, e.kind, e.description, e.effective_at_ms, e.booked_at_ms)
    if account is not None:
        statement = statement.where(e.seq.in_(select(p.entry_seq).where(p.account == account)))
    if ask.after is not None:
        if len(ask.after) != 1 or not isinstance(ask.after[0], int):
            raise Invalid("bad_cursor", "this cursor does not belong to this list", "start again")
        statement = statement.where(e.seq < ask.after[0])
    with views.reading() as connection:
        rows = connection.execute(statement.order_by(e.seq.desc()).limit(limit + 1)).all()
        postings = _postings(connection, [row.seq for row in rows[:limit]])
    items = tuple(Entry(*row, postings=tuple(postings.get(row.seq, ()))) for row in rows[:limit])
    return Page(items, (items[-1].seq,) if len(rows) > limit else None)


def _postings(connection: Connection, seqs: list[int]) -> dict[int, list[Posting]]:
    p = t.posting.c
    found: dict[int, list[Posting]] = {}
    statement = (
        select(p.entry_seq, p.account, p.unit, p.amount)
        .where(p.entry_seq.in_(seqs))
        .order_by(p.entry_seq, p.leg)
    )
    for seq, account, unit, amount in connection.execute(statement):
        found.setdefault(seq, []).append(Posting(account, unit, amount))
    return found


def balances(views: Views, ask: Ask) -> Page[Balance]:
    """What every account holds, by account and unit."""
    page: Page[Balance] = views.page("balance", ask, keys=("account", "unit"), newest_first=False)
    return page


def prove(views: Views, now_ms: int) -> Proof:
    """Add everything up again."""
    with views.reading() as connection:
        recorded = _recorded(connection)
        posted = _posted(connection)
        intervals = _intervals(connection, now_ms)
        proof_of = {
            kind: KindProof(
                kind,
                intervals.get(kind, (0, 0))[0],
                recorded.get(kind, 0),
                posted.get(kind, 0),
                intervals.get(kind, (0, 0))[1],
            )
            for kind in sorted({*recorded, *posted, *intervals})
        }
        return Proof(
            now_ms,
            connection.execute(select(func.count()).select_from(t.entry)).scalar_one(),
            _unbalanced_entries(connection),
            _wrong_balances(connection),
            _units(connection),
            tuple(proof_of.values()),
        )


def _units(connection: Connection) -> tuple[UnitSum, ...]:
    p = t.posting.c
    debit = case((p.amount > 0, p.amount), else_=0)
    statement = (
        select(p.unit, func.count(), *exact_sum(p.amount), *exact_sum(debit))
        .group_by(p.unit)
        .order_by(p.unit)
    )
    return tuple(
        UnitSum(unit, whole(net_high, net_low), whole(high, low), count)
        for unit, count, net_high, net_low, high, low in connection.execute(statement)
    )


def _unbalanced_entries(connection: Connection) -> int:
    p = t.posting.c
    high, low = exact_sum(p.amount)
    uneven = (
        select(p.entry_seq).group_by(p.entry_seq, p.unit).having(is_not_zero(high, low)).subquery()
    )
    return connection.execute(select(func.count(uneven.c.entry_seq.distinct()))).scalar_one()


def _wrong_balances(connection: Connection) -> int:
    """Accounts whose kept balance is not the sum of their postings."""
    p, b = t.posting.c, t.balance.c
    summed = {
        (account, unit): whole(high, low)
        for account, unit, high, low in connection.execute(
            select(p.account, p.unit, *exact_sum(p.amount)).group_by(p.account, p.unit)
        )
    }
    kept = {
        (account, unit): amount
        for account, unit, amount in connection.execute(select(b.account, b.unit, b.amount))
    }
    return sum(1 for key in {*summed, *kept} if summed.get(key, 0) != kept.get(key, 0))


def _recorded(connection: Connection) -> dict[str, int]:
    c = t.usage.c
    statement = (
        select(c.kind, *exact_sum(c.accelerator_ms))
        .where(c.measure == Measure.DELIVERED)
        .group_by(c.kind)
    )
    return {kind: whole(high, low) for kind, high, low in connection.execute(statement)}


def _posted(connection: Connection) -> dict[str, int]:
    p = t.posting.c
    statement = (
        select(p.unit, *exact_sum(p.amount))
        .where(p.unit.startswith(_PREFIX, autoescape=True), p.amount > 0)
        .group_by(p.unit)
    )
    return {
        unit.removeprefix(_PREFIX): whole(high, low)
        for unit, high, low in connection.execute(statement)
    }


def _intervals(connection: Connection, now_ms: int) -> dict[str, tuple[int, int]]:
    """By kind: delivered accelerator-milliseconds that are metered, and that are not yet."""
    a, n = t.allocation.c, t.node.c
    held = array_length(connection, a.accelerators)
    metered_until = func.coalesce(a.metered_until_ms, a.delivered_from_ms)
    until = func.coalesce(a.delivered_until_ms, now_ms)
    rest: ColumnElement[int] = case((until > metered_until, until - metered_until), else_=0)
    statement = (
        select(
            n.kind,
            *exact_sum((metered_until - a.delivered_from_ms) * held),
            *exact_sum(rest * held),
        )
        .join_from(t.allocation, t.node, n.id == a.node_id)
        .where(a.delivered_from_ms.is_not(None))
        .group_by(n.kind)
    )
    return {
        kind: (whole(high, low), whole(rest_high, rest_low))
        for kind, high, low, rest_high, rest_low in connection.execute(statement)
    }
