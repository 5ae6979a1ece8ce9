"""The PostgreSQL that the contract tests run on is real, private and survives its crash."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import sqlalchemy as sa

from tests.servers.postgres import PostgresServer


def test_the_server_answers(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_sqlalchemy_takes_the_same_url(postgres_database: str) -> None:
    engine = sa.create_engine(postgres_database)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    engine.dispose()


def test_each_database_is_fresh(postgres_server: PostgresServer) -> None:
    first = postgres_server.create_database()
    with psycopg.connect(postgres_server.url(first)) as connection:
        connection.execute("CREATE TABLE thing (id int)")
    second = postgres_server.create_database()
    copy = postgres_server.create_database(template=first)
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    for name, expected in ((first, 1), (second, 0), (copy, 1)):
        with psycopg.connect(postgres_server.url(name)) as connection:
            assert connection.execute(tables).fetchone() == (expected,)
        postgres_server.drop_database(name)


def test_a_crashed_server_starts_again_with_what_was_committed() -> None:
    server = PostgresServer()
    try:
        server.start()
        name = server.create_database()
        with psycopg.connect(server.url(name)) as connection:
            connection.execute("CREATE TABLE thing AS SELECT 7 AS id")
        server.stop(signal.SIGQUIT)
        server.start()
        with psycopg.connect(server.url(name)) as connection:
            assert connection.execute("SELECT id FROM thing").fetchone() == (7,)
    finally:
        server.close()
    assert not server.directory.exists()


def test_the_server_dies_with_the_process_that_started_it() -> None:
    script = (
        "import os, sys; from tests.servers.postgres import PostgresServer\n"
        "server = PostgresServer(); server.start()\n"
        "print(server._process.pid, server.directory, flush=True); os.kill(os.getpid(), 9)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=False
    )
    pid, directory = done.stdout.split()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    shutil.rmtree(directory)
