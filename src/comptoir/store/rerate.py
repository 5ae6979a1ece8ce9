"""All stored usage priced again, and every charge compared with what was booked.

Reads one snapshot, from a book that may be served meanwhile, and writes nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from comptoir.desk.memory import Memory
from comptoir.desk.terms import agreed_with
from comptoir.pricing.rates import RateState
from comptoir.pricing.replay import Replay, Replayed
from comptoir.pricing.steps import LeaseEnd
from comptoir.store import tables
from comptoir.store.mapping import from_row
from comptoir.store.money_tables import top_up
from comptoir.store.opening import book_to_read
from comptoir.store.sql_store import SqlStore
from comptoir.store.statements import select_rows
from comptoir.store.tables import MAPPED
from comptoir.store.views.reading import Views
from comptoir.units.ids import LeaseId, TenantId
from comptoir.units.time import MS_PER_S

_AT_ONCE = 5_000


def rerate(data: Path, database_url: str | None = None) -> Replayed:
    """Price a book's usage again.

    Raises:
        Invalid: `no_book`.
        Conflict: `schema_too_new`, `schema_too_old`, `not_a_book`.
    """
    with book_to_read(data, database_url) as engine:
        return rerate_book(engine)


def rerate_book(engine: Engine) -> Replayed:
    """As `rerate`, of a book that is open."""
    with Views(engine).reading() as connection:
        c = top_up.c
        added = select(c.lease_id, c.accelerators, c.ends_at_ms, c.site)
        ends = {LeaseId(row[0]): LeaseEnd(*row[1:]) for row in connection.execute(added)}
        book = Memory()  # read after the snapshot was taken: it knows every rate in it
        book.load(SqlStore(engine).load())
        rates = [rate for rate in book.money.rates if rate.state is RateState.APPROVED]
        replay = Replay(partial(agreed_with, book), rates, ends.get, _edges(connection))
        return replay.run(_rows(connection, "usage"), _rows(connection, "charge"))


def _edges(connection: Connection) -> Callable[[TenantId], frozenset[int]]:
    """Where a tenant's credit has begun or ended, that which is spent included, and its steps."""
    found: dict[str, set[int]] = defaultdict(set)
    for c in (tables.credit_block.c, tables.committed_step.c):
        for tenant_id, from_ms, until_ms in connection.execute(
            select(c.tenant_id, c.from_ms, c.until_ms)
        ):
            found[tenant_id] |= {from_ms, until_ms} - {None}
    c = tables.credit_block.c
    rolls = select(c.tenant_id, c.until_ms, c.rollover_s).where(c.rollover_s > 0)
    for tenant_id, until_ms, rollover_s in connection.execute(rolls):
        found[tenant_id].add(until_ms + rollover_s * MS_PER_S)
    return lambda tenant_id: frozenset(found.get(tenant_id, ()))


def _rows(connection: Connection, name: str) -> Iterator[Any]:
    """The rows of an append-only table, oldest first, a part at a time."""
    table, after = getattr(tables, name), 0
    while True:
        wanted = select_rows(name).where(table.c.seq > after).order_by(table.c.seq)
        found = connection.execute(wanted.limit(_AT_ONCE)).all()
        for row in found:
            value = from_row(MAPPED[name], row)
            after = value.seq
            yield value
        if len(found) < _AT_ONCE:
            return
