"""Commits of both stores: whole or not at all, by one writer, whoever is killed."""

import signal
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from comptoir.desk.desk import Desk
from comptoir.desk.ports import CommitUnknown, StaleBook
from comptoir.desk.requests import CreateTenant, Opening
from comptoir.store.opening import create_tables, postgres_engine, writer_lock
from comptoir.store.sql_store import SqlStore
from comptoir.tenants.parties import TenantKind
from comptoir.units.errors import Unavailable
from tests.builders import SeededEntropy, ToldClock
from tests.contracts.store_values import changes, event, extreme
from tests.servers.postgres import PostgresServer


def test_a_commit_at_another_version_writes_nothing(store: SqlStore) -> None:
    store.commit(changes(appended={"event": [event(1)]}))
    with pytest.raises(StaleBook):
        store.commit(changes(0, appended={"event": [event(2)]}))
    loaded = store.load()
    assert (loaded.version, loaded.last_seq["event"], loaded.last_at_ms) == (1, 1, 10)


def test_the_second_of_two_writers_is_stopped(make: Callable[[], SqlStore]) -> None:
    one, other = make(), make()
    one.commit(changes(appended={"event": [event(1)]}))
    with pytest.raises(StaleBook):
        other.commit(changes(appended={"event": [event(1)]}))
    one.commit(changes(1, appended={"event": [event(2)]}))


def test_a_commit_that_fails_leaves_nothing_behind(store: SqlStore) -> None:
    bad = [extreme("usage", False), replace(extreme("usage", False), seq=1)]
    with pytest.raises(DBAPIError):
        store.commit(changes(rows={"tenant": [extreme("tenant", False)]}, appended={"usage": bad}))
    loaded = store.load()
    assert (loaded.version, len(loaded.rows["tenant"]), loaded.last_seq["usage"]) == (0, 0, 0)
    store.commit(changes(appended={"event": [event(1)]}))


def terminate_others(url: str) -> None:
    engine = postgres_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )
    engine.dispose()


def test_a_killed_connection_is_an_answer_and_the_next_commit_works(
    postgres_database: str,
) -> None:
    create_tables(postgres_engine(postgres_database), "test")
    store = SqlStore(postgres_engine(postgres_database))
    store.commit(changes(appended={"event": [event(1)]}))
    terminate_others(postgres_database)
    with pytest.raises((Unavailable, CommitUnknown)):
        store.commit(changes(1, appended={"event": [event(2)]}))
    version = store.load().version
    assert version == 1
    store.commit(changes(1, appended={"event": [event(2)]}))
    store.close()


def test_a_connection_killed_while_committing_is_unknown(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_tables(postgres_engine(postgres_database), "test")
    store = SqlStore(postgres_engine(postgres_database))
    store.commit(changes(appended={"event": [event(1)]}))
    dialect = store.engine.dialect
    commit = dialect.do_commit
    monkeypatch.setattr(
        dialect, "do_commit", lambda it: (terminate_others(postgres_database), commit(it))
    )
    with pytest.raises(CommitUnknown):
        store.commit(changes(1, appended={"event": [event(2)]}))
    monkeypatch.undo()
    assert store.load().version == 1
    store.commit(changes(1, appended={"event": [event(2)]}))
    store.close()


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGKILL], ids=["immediate", "kill -9"])
def test_a_crash_of_the_server_loses_nothing_acknowledged(how: signal.Signals) -> None:
    server = PostgresServer()
    try:
        server.start()
        url = server.url(server.create_database())
        create_tables(postgres_engine(url), "test")
        desk = Desk(SqlStore(postgres_engine(url)), ToldClock(), SeededEntropy())
        desk.call("open_book", Opening())
        acknowledged = []
        for n in range(20):
            if n in (7, 13):
                server.stop(how)
                slug = f"between-{n}"
                try:
                    desk.call("create_tenant", CreateTenant(slug, "x", TenantKind.TEAM))
                except Unavailable:
                    pass
                else:  # a backend can outlive its killed postmaster by a moment, and commit
                    assert how is signal.SIGKILL
                    acknowledged.append(slug)
                server.start()
            desk.call("create_tenant", CreateTenant(f"yes-{n}", "x", TenantKind.TEAM))
            acknowledged.append(f"yes-{n}")
        assert not desk.broken
        fresh = Desk(SqlStore(postgres_engine(url)), ToldClock(), SeededEntropy())
        assert sorted(t.slug for t in fresh.book.tenants) == sorted(acknowledged)
    finally:
        server.close()


def test_a_second_desk_stands_by_until_the_first_is_gone(postgres_database: str) -> None:
    waiting, serving = threading.Event(), threading.Event()

    def stand_by() -> None:
        with writer_lock(postgres_database, waiting.set):
            serving.set()

    with writer_lock(postgres_database):
        second = threading.Thread(target=stand_by, daemon=True)
        second.start()
        assert waiting.wait(10)
        assert not serving.wait(0.3)
    assert serving.wait(10)
    second.join(10)
