"""Opening a store: SQLite in a data directory, or PostgreSQL by URL, locked to one desk."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, insert, inspect, text
from sqlalchemy.pool import QueuePool

from comptoir.store import tables
from comptoir.store.room import Room
from comptoir.store.schema import metadata
from comptoir.store.sql_store import SqlStore
from comptoir.store.tables import APPEND_ONLY
from comptoir.units.errors import Conflict

BOOK_FILE = "book.db"


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
    """An engine over a PostgreSQL database."""
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    return create_engine(url, pool_size=8, max_overflow=8, pool_pre_ping=True)


def open_store(data: Path, database_url: str | None, instance: str) -> SqlStore:
    """The store of a book, made if it is new: SQLite in `data`, or PostgreSQL by URL."""
    if database_url is not None:
        engine = postgres_engine(database_url)
        room = None
    else:
        engine = sqlite_engine(data / BOOK_FILE)
        room = Room(data / "reserve")
    if not inspect(engine).has_table(tables.book.name):
        create_tables(engine, instance)
    return SqlStore(engine, room)


def create_tables(engine: Engine, instance: str) -> None:
    """Make every table of an empty database, its triggers, and the one row of the book."""
    metadata.create_all(engine)
    with engine.begin() as connection:
        for statement in trigger_statements(engine.dialect.name):
            connection.execute(text(statement))
        connection.execute(
            insert(tables.book).values(id=1, version=0, counter=0, instance=instance)
        )


def trigger_statements(dialect: str) -> list[str]:
    """DDL that holds the append-only tables append-only."""
    statements = []
    if dialect == "postgresql":
        statements.append(
            "CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
        for name in APPEND_ONLY:
            statements.append(
                f"CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE ON {name} "
                "FOR EACH ROW EXECUTE FUNCTION append_only()"
            )
        return statements
    for name in APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            statements.append(
                f"CREATE TRIGGER {name}_no_{verb.lower()} BEFORE {verb} ON {name} "
                f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
            )
    return statements


@contextmanager
def directory_lock(directory: Path) -> Iterator[None]:
    """Hold a data directory for one process.

    Raises:
        Conflict: `data_directory_in_use`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
