"""Looking after a book: its schema brought up to date, backups taken and put back.

An upgrade is one transaction, after a backup. A SQLite backup is as of one instant and may be
taken while the book is served; PostgreSQL's own tools do it there. A restore keeps what it
replaces.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine, update

from comptoir.store import tables
from comptoir.store.migrations import HEAD, REVISIONS
from comptoir.store.opening import (
    BOOK_FILE,
    VERSION_TABLE,
    book_engine,
    directory_lock,
    schema_revision,
)
from comptoir.units.errors import Conflict, Invalid, Unavailable

_MOST_KEPT = 1_000
SKIPPED_IDS = 1 << 20


def upgrade(data: Path, database_url: str | None = None) -> str:
    """Bring a book that nobody serves up to date; says what was done.

    Raises:
        Conflict: `data_directory_in_use`, `schema_too_new`, `not_a_book`.
        Invalid: `no_book`.
    """
    _require_book(data, database_url)
    with directory_lock(data):
        engine = book_engine(data, database_url)
        try:
            return bring_up_to_date(engine, data, database_url)
        finally:
            engine.dispose()


def bring_up_to_date(
    engine: Engine, data: Path, database_url: str | None, target: str = HEAD
) -> str:
    """Run the steps between a book's schema and `target`, after a backup if it has rows."""
    before = schema_revision(engine)
    if before == target:
        return f"already at schema {target}"
    saved = ""
    if before:
        kept = _free_name(data, f"before-{target}")
        backup(data, kept, database_url)
        saved = f", the backup is {kept}"
    run_steps(engine, target)
    return f"schema {before or 'new'} to {target}{saved}"


def run_steps(engine: Engine, target: str = HEAD) -> None:
    """Apply the migrations up to `target` in one transaction."""
    from alembic import command  # slow to load, and rarely needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "comptoir.store:migrations")
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, target)


def backup(data: Path, to: Path, database_url: str | None = None) -> str:
    """Copy a book, as of one instant, to a file that must not exist; says what is in it.

    Raises:
        Conflict: `backup_exists`.
        Invalid: `no_book`.
        Unavailable: `backup_failed`.
    """
    _require_book(data, database_url)
    if to.exists():
        raise Conflict("backup_exists", f"{to} exists", "choose another name")
    draft = to.with_name(to.name + ".part")
    draft.unlink(missing_ok=True)
    try:
        if database_url is None:
            _copy_sqlite(data / BOOK_FILE, draft)
        else:
            _run_tool(["pg_dump", "--format=custom", f"--file={draft}", database_url])
        os.chmod(draft, 0o600)
        _keep(draft, to)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable("backup_failed", f"{to}: {error}", "free some space") from error
    finally:
        draft.unlink(missing_ok=True)
    return f"{to.stat().st_size:,} bytes"


def restore(data: Path, from_: Path, database_url: str | None = None) -> str:
    """Put a backup in the place of a book that nobody serves; the old one is kept beside it.

    Raises:
        Conflict: `data_directory_in_use`, `schema_too_new`.
        Invalid: `not_a_backup`.
        Unavailable: `restore_failed`.
    """
    with directory_lock(data):
        if database_url is not None:
            tool = ["pg_restore", "--clean", "--if-exists", "--single-transaction", "--no-owner"]
            _run_tool([*tool, f"--dbname={database_url}", str(from_)])
            _skip_ids(data, database_url)
            return f"restored from {from_}"
        said = _judge_sqlite(from_)
        draft = data / f"{BOOK_FILE}.part"
        draft.unlink(missing_ok=True)
        _copy_sqlite(from_, draft)
        book = data / BOOK_FILE
        if book.exists():
            _fold_log(book)
            book.replace(_free_name(data, "before-restore"))
        for suffix in ("-wal", "-shm"):
            Path(f"{book}{suffix}").unlink(missing_ok=True)
        _keep(draft, book)
        _skip_ids(data, None)
        return said


def _skip_ids(data: Path, database_url: str | None) -> None:
    """Leave a gap in the ids: those that the lost book had given are never given again."""
    engine = book_engine(data, database_url)
    try:
        with engine.begin() as connection:
            skipped = tables.book.c.counter + SKIPPED_IDS
            connection.execute(update(tables.book).values(counter=skipped))
    finally:
        engine.dispose()


def _require_book(data: Path, database_url: str | None) -> None:
    if database_url is None and not (data / BOOK_FILE).exists():
        raise Invalid("no_book", f"there is no book in {data}", "give its data directory")


def _judge_sqlite(path: Path) -> str:
    """What a backup holds; it must be whole, and ours, and not newer than this version."""
    not_ours = Invalid("not_a_backup", f"{path} is not a whole backup of a book", "give another")
    try:
        with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as connection:
            whole = connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            schema = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()
            version, events = connection.execute(
                "SELECT version, (SELECT count(*) FROM event) FROM book"
            ).fetchone()
        connection.close()
    except (sqlite3.Error, TypeError) as error:
        raise not_ours from error
    if not whole or schema is None:
        raise not_ours
    if schema[0] not in REVISIONS:
        raise Conflict(
            "schema_too_new",
            f"the backup is at schema {schema[0]}, this version knows up to {HEAD}",
            "use the version that wrote it, or a newer one",
        )
    return f"the book at version {version:,}, {events:,} events"


def _copy_sqlite(source: Path, to: Path) -> None:
    """SQLite's online backup: one consistent instant, whatever is being written."""
    reading, writing = sqlite3.connect(source), sqlite3.connect(to)
    try:
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")
    finally:
        writing.close()
        reading.close()
    os.chmod(to, 0o600)


def _fold_log(book: Path) -> None:
    """Bring the write-ahead log into the file, so that the file alone is the book."""
    connection = sqlite3.connect(book)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def _keep(draft: Path, to: Path) -> None:
    """Put a finished file in its place so that a power cut leaves it whole or absent."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(to)
    directory = os.open(to.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _free_name(data: Path, what: str) -> Path:
    for number in range(1, _MOST_KEPT):
        path = data / f"{BOOK_FILE}.{what}-{number}"
        if not path.exists():
            return path
    raise Conflict("too_many_backups", f"{data} keeps {_MOST_KEPT} old books", "remove some")


def _run_tool(command: Sequence[str]) -> None:
    name = command[0]
    if shutil.which(name) is None:
        raise Unavailable(
            "tool_missing", f"{name} is not installed", "install the postgresql-client package"
        )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{name}_failed", done.stderr.strip()[-500:] or f"{name} failed")
