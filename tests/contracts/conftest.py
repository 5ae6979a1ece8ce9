"""Both stores, each on a new book: SQLite, and a real PostgreSQL server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from comptoir.store.opening import create_tables, postgres_engine, sqlite_engine
from comptoir.store.sql_store import SqlStore


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], SqlStore]]:
    """Opens stores on one new book."""
    stores: list[SqlStore] = []
    if request.param == "sqlite":
        create_tables(sqlite_engine(tmp_path / "book.db"), "test")

        def opened() -> SqlStore:
            stores.append(SqlStore(sqlite_engine(tmp_path / "book.db")))
            return stores[-1]
    else:
        url = request.getfixturevalue("postgres_database")
        create_tables(postgres_engine(url), "test")

        def opened() -> SqlStore:
            stores.append(SqlStore(postgres_engine(url)))
            return stores[-1]

    yield opened
    for store in stores:
        store.close()


@pytest.fixture
def store(make: Callable[[], SqlStore]) -> SqlStore:
    return make()
