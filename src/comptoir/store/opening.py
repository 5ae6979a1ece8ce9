"""Opening a store: SQLite in a data directory, or PostgreSQL by URL, locked to one desk."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import NullPool, QueuePool

from comptoir.store import tables
from comptoir.store.migrations import HEAD, REVISIONS
from comptoir.store.room import Room
from comptoir.store.schema import metadata
from comptoir.store.sql_store import SqlStore
from comptoir.store.triggers import trigger_statements
from comptoir.units.errors import Conflict, Invalid, Unavailable

BOOK_FILE = "book.db"
VERSION_TABLE = "alembic_version"
_WRITER_LOCK = 0x636F6D70746F6972  # "comptoir": one writer a database
_ASK_FOR_LOCK_EVERY_S = 0.5


def sqlite_engine(path: Path, synchronous: str = "FULL") -> Engine:
    """An engine over a SQLite file: WAL, and every commit on the disk before it is said."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=8,
        connect_args={"check_same_thread": False, "timeout": 10, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def postgres_engine(url: str) -> Engine:
    """An engine over a PostgreSQL database.

    Raises:
        Invalid: `bad_database_url`, `postgres_extra_missing`.
    """
    return create_engine(_with_driver(url), pool_size=8, max_overflow=8, pool_pre_ping=True)


def _with_driver(url: str) -> URL:
    """The URL as SQLAlchemy wants it, if PostgreSQL is meant and its driver is here.

    Raises:
        Invalid: `bad_database_url`, `postgres_extra_missing`.
    """
    try:
        read = make_url(url)
    except (ArgumentError, ValueError):
        read = None
    if read is None or read.get_backend_name() != "postgresql":
        raise Invalid(
            "bad_database_url",
            "--database-url is not the address of a PostgreSQL database",
            "write it as postgresql://user@host/name, or leave it out for the embedded SQLite",
        )
    if find_spec("psycopg") is None:
        raise Invalid(
            "postgres_extra_missing",
            "the PostgreSQL driver is not installed",
            "pip install 'comptoir[server,postgres]'",
        )
    return read.set(drivername="postgresql+psycopg")


def book_engine(data: Path, database_url: str | None) -> Engine:
    """The engine of a book: its SQLite file in `data`, or its PostgreSQL by URL."""
    return (
        sqlite_engine(data / BOOK_FILE) if database_url is None else postgres_engine(database_url)
    )


@contextmanager
def book_to_read(data: Path, database_url: str | None) -> Iterator[Engine]:
    """The engine of a book that is there and of this version's schema, for reading only.

    It may be served meanwhile: whoever reads takes one snapshot.

    Raises:
        Invalid: `no_book`.
        Conflict: `schema_too_new`, `schema_too_old`, `not_a_book`.
    """
    if database_url is None and not (data / BOOK_FILE).exists():
        raise Invalid("no_book", f"there is no book in {data}", "give its --data directory")
    engine = book_engine(data, database_url)
    try:
        found = schema_revision(engine)
        if found != HEAD:
            raise Conflict(
                "schema_too_old",
                f"the book is at schema {found or 'none'}, this version needs {HEAD}",
                "stop its server, then: comptoir db upgrade",
                {"schema": found, "needed": HEAD},
            )
        yield engine
    finally:
        engine.dispose()


def open_store(data: Path, database_url: str | None, instance: str) -> SqlStore:
    """The store of a book: made if it is new, brought to this version's schema if it is old.

    Raises:
        Conflict: `schema_too_new`: a later version of Comptoir has written it.
        Unavailable: `store_unavailable`: the database does not answer.
    """
    engine = book_engine(data, database_url)
    try:
        if schema_revision(engine) != HEAD:
            from comptoir.store import maintenance  # Alembic is slow to load

            maintenance.bring_up_to_date(engine, data, database_url)
        with engine.begin() as connection:
            _one_row(connection, instance)
    except OperationalError as error:
        engine.dispose()
        raise _cannot_open(error) from error
    except BaseException:
        engine.dispose()
        raise
    return SqlStore(engine, Room(data / "reserve") if database_url is None else None)


def schema_revision(engine: Engine) -> str:
    """The schema step that a database is at; empty for an empty database.

    Raises:
        Conflict: `schema_too_new`, or `not_a_book`: something else is kept there.
    """
    tables_there = set(inspect(engine).get_table_names())
    if VERSION_TABLE not in tables_there:
        if tables_there:
            raise Conflict(
                "not_a_book",
                f"the database holds {len(tables_there)} tables that are not a book's",
                "give an empty database, or another --data",
            )
        return ""
    with engine.connect() as connection:
        revision = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    if revision is not None and revision not in REVISIONS:
        raise Conflict(
            "schema_too_new",
            f"the book is at schema {revision}, this version of Comptoir knows up to {HEAD}",
            "use the version that wrote it, or a newer one",
            {"schema": revision, "known": HEAD},
        )
    return revision or ""


def create_tables(engine: Engine, instance: str) -> None:
    """What the migrations make, made at once, for tests and simulation."""
    metadata.create_all(engine)
    with engine.begin() as connection:
        for statement in trigger_statements(engine.dialect.name):
            connection.execute(text(statement))
        connection.execute(
            text(
                f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
                f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
            )
        )
        connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES ('{HEAD}')"))
        _one_row(connection, instance)


def _one_row(connection: Connection, instance: str) -> None:
    """The one row of the book: its version, its counter, whose it is."""
    if connection.execute(select(tables.book.c.id)).first() is None:
        connection.execute(
            insert(tables.book).values(id=1, version=0, counter=0, instance=instance)
        )


@contextmanager
def directory_lock(directory: Path) -> Iterator[None]:
    """Hold a data directory for one process.

    Raises:
        Conflict: `data_directory_in_use`.
        Invalid: `bad_data_directory`.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Invalid(
            "bad_data_directory",
            f"{directory} cannot be a data directory: {error.strerror or error}",
            "give another --data, one that can be made and written",
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise Conflict(
            "data_directory_in_use",
            f"another comptoir serves {directory}",
            "stop it first, or give another --data",
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def writer_lock(database_url: str, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a PostgreSQL book for one desk; a second desk stands by until the first is gone.

    The lock lives in a connection of its own and goes with it: when the holder's process or
    network dies, the server lets the next one in. Should both ever write, the version fence
    stops the one that is behind. The wait asks again and again rather than inside the
    server, which would not notice that a waiting desk has gone.

    Args:
        database_url: The book's.
        waits: Called once, before a wait begins.

    Raises:
        Invalid: `bad_database_url`, `postgres_extra_missing`.
        Unavailable: `store_unavailable`: the database does not answer.
    """
    engine = create_engine(
        _with_driver(database_url), poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(engine.connect())
            if not _try_lock(connection):
                waits()
                while not _try_lock(connection):
                    time.sleep(_ASK_FOR_LOCK_EVERY_S)
        except OperationalError as error:
            raise _cannot_open(error) from error
        yield


def _try_lock(connection: Connection) -> bool:
    asked = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _WRITER_LOCK})
    return bool(asked.scalar())


def _cannot_open(error: OperationalError) -> Unavailable:
    return Unavailable(
        "store_unavailable", f"the book cannot be opened: {error.orig}", "start its database"
    )
