"""The store port over SQLAlchemy Core: load, commit fenced by the version, find.

One connection writes, and only the desk's thread uses it. A commit is one transaction:
the version moves from the expected one to the next, or nothing is written.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from comptoir.desk.ports import Changes, CommitUnknown, Loaded, StaleBook, StoredAnswer
from comptoir.fleet.nodes import NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.inbound import InboundState
from comptoir.leases.jobs import FINAL_JOB_STATES
from comptoir.leases.lease import FINAL
from comptoir.ledger.entries import Posting
from comptoir.metering.usage import UsageEvent
from comptoir.store import tables
from comptoir.store.mapping import Prepared, field_names, fields_of, from_row
from comptoir.store.room import Room
from comptoir.store.tables import APPEND_ONLY, MAPPED
from comptoir.units.errors import Unavailable
from comptoir.units.ids import LeaseId

_LOOKUP_CHUNK = 400

_BOOK = select(tables.book.c.version, tables.book.c.counter)
_MOVE = (
    update(tables.book)
    .where(tables.book.c.version == bindparam("expected"))
    .values(version=bindparam("version"), counter=bindparam("counter"))
)
_APPENDED = {
    "event": tables.event,
    "usage": tables.usage,
    "charge": tables.charge,
    "entry": tables.entry,
}
_LAST_SEQ = {name: select(func.max(table.c.seq)) for name, table in _APPENDED.items()}
_LAST_AT = select(tables.event.c.at_ms).order_by(tables.event.c.seq.desc()).limit(1)


class SqlStore:
    """A book in a SQL database. Use `open_store` to get one."""

    def __init__(self, engine: Engine, room: Room | None = None) -> None:
        self.engine = engine
        self._room = room
        self._writes = _prepared(engine.dialect)
        self._kept: Connection | None = None

    def close(self) -> None:
        """Give the connections back."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        self.engine.dispose()

    def short_of_room(self) -> bool:
        """Whether the disk is so full that only what frees or finishes may be written."""
        return self._room is not None and self._room.short()

    # Reading

    def load(self) -> Loaded:
        """Live and future things; what has ended stays where it is."""
        with self._reading() as connection:
            version, counter = connection.execute(_BOOK).one()
            rows = {
                name: [from_row(MAPPED[name], row) for row in connection.execute(statement)]
                for name, statement in _live_statements().items()
            }
            last_seq = {
                name: connection.execute(statement).scalar() or 0
                for name, statement in _LAST_SEQ.items()
            }
            last_at_ms = connection.execute(_LAST_AT).scalar() or 0
        return Loaded(version, counter, rows, last_seq, last_at_ms)

    def find(self, table: str, key: tuple[Any, ...]) -> Any | None:
        """One row by its primary key."""
        mapped = MAPPED[table]
        columns = mapped.table.primary_key.columns
        condition = and_(*(c == value for c, value in zip(columns, key, strict=True)))
        return self._one(table, condition)

    def find_allocation_of(self, lease_id: LeaseId) -> Allocation | None:
        """Any delivered allocation of a lease."""
        c = tables.allocation.c
        found = self._one(
            "allocation", and_(c.lease_id == lease_id, c.delivered_from_ms.is_not(None))
        )
        assert found is None or isinstance(found, Allocation)
        return found

    def find_answers(
        self, scoped_keys: Iterable[tuple[str, str]]
    ) -> Mapping[tuple[str, str], StoredAnswer]:
        """The stored answers among these (scope, key) pairs."""
        found: dict[tuple[str, str], StoredAnswer] = {}
        for chunk in _chunks(sorted(set(scoped_keys))):
            for answer in self._many("answer", _ANSWERS, {"keys": chunk}):
                found[answer.scope, answer.key] = answer
        return found

    def find_usage(self, source: str, event_ids: Sequence[str]) -> Mapping[str, UsageEvent]:
        """The stored usage events of a source among these ids."""
        found: dict[str, UsageEvent] = {}
        for chunk in _chunks(sorted(set(event_ids))):
            for event in self._many("usage", _USAGE, {"source": source, "ids": chunk}):
                found[event.event_id] = event
        return found

    def _one(self, table: str, condition: Any) -> Any | None:
        mapped = MAPPED[table]
        with self._reading() as connection:
            row = connection.execute(_select(table).where(condition).limit(1)).first()
        return None if row is None else from_row(mapped, row)

    def _many(self, table: str, statement: Any, given: Mapping[str, Any]) -> list[Any]:
        mapped = MAPPED[table]
        with self._reading() as connection:
            rows = connection.execute(statement, given).all()
        return [from_row(mapped, row) for row in rows]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A connection to read on; one that breaks is an answer, not a bug."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except (OperationalError, InterfaceError) as error:
            raise Unavailable(
                "store_unavailable", f"the book cannot be read: {error.orig}", "try again", None, 2
            ) from error

    # Writing

    def commit(self, changes: Changes) -> None:
        """Write everything or nothing; see the port."""
        committing = False
        try:
            connection = self._connection()
            with connection.begin() as transaction:
                moved = connection.execute(
                    _MOVE,
                    {
                        "expected": changes.expected_version,
                        "version": changes.expected_version + 1,
                        "counter": changes.counter,
                    },
                )
                if moved.rowcount != 1:
                    raise StaleBook(f"the book is not at version {changes.expected_version}")
                self._write(connection, changes)
                committing = True
                transaction.commit()
        except DBAPIError as error:
            self._translate(error, committing)
        if self._room is not None:
            self._room.after_commit()

    def _write(self, connection: Connection, changes: Changes) -> None:
        for name, values in (*changes.rows.items(), *changes.appended.items()):
            self._writes[name].write(connection, values)
        entries = changes.appended.get("entry", ())
        if entries:
            legs = [(e.seq, leg, p) for e in entries for leg, p in enumerate(e.postings)]
            self._writes["posting"].write(connection, legs)
        if changes.answers:
            self._writes["answer"].write(connection, changes.answers)

    def forget_answers(self, before_ms: int) -> int:
        """Drop answers past their keeping time."""
        try:
            connection = self._connection()
            with connection.begin():
                done = connection.execute(
                    tables.answer.delete().where(tables.answer.c.created_at_ms < before_ms)
                )
                return int(done.rowcount)
        except DBAPIError as error:
            self._translate(error, committing=False)
            raise

    def _translate(self, error: DBAPIError, committing: bool) -> None:
        text = str(error.orig)
        sqlstate = getattr(error.orig, "sqlstate", None)
        if "disk is full" in text or sqlstate == "53100" or "No space left" in text:
            if self._room is not None:
                self._room.ran_out()
            raise Unavailable(
                "disk_full",
                "the disk of the book is full: nothing was written",
                "free some space; work that ends or frees is still taken",
                retry_after_s=30,
            ) from error
        self._drop_connection()
        if committing:
            raise CommitUnknown(text) from error
        if error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
            raise Unavailable(
                "store_unavailable", f"the book cannot be written: {text}", "try again", None, 2
            ) from error
        raise error

    def _connection(self) -> Connection:
        """The one connection that writes, made when it is needed."""
        if self._kept is None:
            self._kept = self.engine.connect()
        return self._kept

    def _drop_connection(self) -> None:
        """Forget a connection that failed; the next write makes another, if it can."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.invalidate()
            kept.close()
        self.engine.dispose()


_ENTRY = ("seq", "key", "kind", "description", "effective_at_ms", "booked_at_ms")
_POSTING = ("entry_seq", "leg", "account", "unit", "amount")


def _posting(leg: tuple[int, int, Posting]) -> tuple[Any, ...]:
    seq, number, posting = leg
    return seq, number, posting.account, posting.unit, posting.amount


@cache
def _prepared(dialect: Dialect) -> Mapping[str, Prepared]:
    """How each table is written, compiled once a dialect."""
    writes = {
        name: Prepared(
            _upsert(name, dialect.name),
            field_names(mapped.value),
            fields_of(mapped.value),
            dialect,
        )
        for name, mapped in MAPPED.items()
    }
    get_entry = attrgetter(*_ENTRY)
    writes["entry"] = Prepared(insert(tables.entry), _ENTRY, get_entry, dialect)
    writes["posting"] = Prepared(insert(tables.posting), _POSTING, _posting, dialect)
    return writes


def _upsert(name: str, dialect: str) -> Any:
    table = MAPPED[name].table
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = make(table)
    if name in APPEND_ONLY or name == "answer":
        return statement
    key = [column.name for column in table.primary_key.columns]
    rest = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in key}
    return statement.on_conflict_do_update(index_elements=key, set_=rest)


@cache
def _select(name: str) -> Any:
    mapped = MAPPED[name]
    return select(*(mapped.table.c[field] for field in field_names(mapped.value)))


_ANSWERS = _select("answer").where(
    tuple_(tables.answer.c.scope, tables.answer.c.key).in_(bindparam("keys", expanding=True))
)
_USAGE = _select("usage").where(
    tables.usage.c.source == bindparam("source"),
    tables.usage.c.event_id.in_(bindparam("ids", expanding=True)),
)


@cache
def _live_statements() -> Mapping[str, Any]:
    """How each table's live rows are read, in the order in which memory wants them."""
    statements = {}
    for name, condition in _live().items():
        statement = _select(name).order_by(*MAPPED[name].table.primary_key.columns)
        statements[name] = statement if condition is None else statement.where(condition)
    return statements


def _live() -> dict[str, Any]:
    """What is still live, by table; None is everything."""
    lease, allocation = tables.lease.c, tables.allocation.c
    job, attempt = tables.job.c, tables.attempt.c
    unsettled = or_(
        allocation.fenced_at_ms.is_(None),
        and_(
            allocation.delivered_from_ms.is_not(None),
            allocation.metered_until_ms.is_distinct_from(allocation.delivered_until_ms),
        ),
    )
    return {
        "rate_card": None,
        "rate": None,
        "tenant": None,
        "quota": None,
        "user": None,
        "key": None,
        "inbound_lease": or_(
            tables.inbound_lease.c.state == InboundState.ACTIVE,
            tables.inbound_lease.c.id.in_(
                select(tables.node.c.inbound_lease_id).where(
                    tables.node.c.id.in_(select(allocation.node_id).where(unsettled))
                )
            ),
        ),
        "node": or_(
            tables.node.c.state != NodeState.RETIRED,
            tables.node.c.id.in_(select(allocation.node_id).where(unsettled)),
        ),
        "runtime": None,
        "lease": or_(
            lease.state.not_in(sorted(FINAL)),
            lease.id.in_(select(allocation.lease_id).where(unsettled)),
        ),
        "allocation": unsettled,
        "job": job.state.not_in(sorted(FINAL_JOB_STATES)),
        "attempt": attempt.forgotten.is_(False),
        "accrual": tables.accrual.c.invoice_id.is_(None),
        "balance": None,
        "series": None,
        "billing_mark": None,
    }


def _chunks(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    for start in range(0, len(items), _LOOKUP_CHUNK):
        yield items[start : start + _LOOKUP_CHUNK]
