"""The whole ledger in one pass: every entry, or each day's sums where there are very many.

One snapshot: what is booked meanwhile is not in it. Nothing is sorted in memory; a day's sums
are kept by account, so memory grows with days and accounts and not with entries.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection, func, select

from comptoir.ledger.entries import Account, Entry, Posting, Unit
from comptoir.store import tables as t
from comptoir.store.views.reading import Views
from comptoir.units.recurrence import DAY_MS

MOST_ENTRIES_APART = 100_000
"""With more entries than this a journal tells the sums of each day."""

_AT_ONCE = 10_000
_OF_A_DAY = "{count:,} entries of {kind}"


@dataclass(frozen=True, slots=True)
class Journal:
    """What a ledger holds. `entries` can be gone through once, while the snapshot is open."""

    accounts: tuple[Account, ...]
    first_ms: int
    count: int
    daily: bool
    entries: Iterator[Entry]


@contextmanager
def journal(views: Views, daily: bool | None = None) -> Iterator[Journal]:
    """The ledger, in the order in which it was written; by days in the order of days.

    Args:
        daily: Whether each day's entries of a kind become one; None: where they are more than
            `MOST_ENTRIES_APART`.
    """
    e, p = t.entry.c, t.posting.c
    with views.reading() as connection:
        count, first_ms = connection.execute(
            select(func.count(), func.min(e.effective_at_ms))
        ).one()
        accounts = connection.execute(select(p.account).distinct().order_by(p.account)).scalars()
        if daily is None:
            daily = count > MOST_ENTRIES_APART
        entries = _days(connection) if daily else _entries(connection)
        yield Journal(tuple(accounts), first_ms or 0, count, daily, entries)


def _entries(connection: Connection) -> Iterator[Entry]:
    e, p = t.entry.c, t.posting.c
    statement = (
        select(
            e.seq, e.key, e.kind, e.description, e.effective_at_ms, e.booked_at_ms,
            p.account, p.unit, p.amount,
        )
        .join_from(t.entry, t.posting, p.entry_seq == e.seq)
        .order_by(e.seq, p.leg)
        .execution_options(yield_per=_AT_ONCE)
    )  # fmt: skip
    for _, rows in groupby(connection.execute(statement), attrgetter("seq")):
        legs = list(rows)
        postings = tuple(Posting(leg.account, leg.unit, leg.amount) for leg in legs)
        yield Entry(*legs[0][:6], postings=postings)


def _days(connection: Connection) -> Iterator[Entry]:
    """One entry for each day and kind."""
    sums: dict[tuple[int, str], dict[tuple[Account, Unit], int]] = defaultdict(
        lambda: defaultdict(int)
    )
    counts: dict[tuple[int, str], int] = defaultdict(int)
    for entry in _entries(connection):
        of = entry.effective_at_ms // DAY_MS, entry.kind
        counts[of] += 1
        for posting in entry.postings:
            sums[of][posting.account, posting.unit] += posting.amount
    for number, of in enumerate(sorted(sums), 1):
        day, kind = of
        at_ms = day * DAY_MS
        postings = tuple(
            Posting(account, unit, amount)
            for (account, unit), amount in sorted(sums[of].items())
            if amount
        )
        said = _OF_A_DAY.format(count=counts[of], kind=kind)
        yield Entry(number, f"{day}:{kind}", kind, said, at_ms, at_ms, postings)
