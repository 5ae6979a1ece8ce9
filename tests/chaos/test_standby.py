"""Two servers, one PostgreSQL book: one serves, the other stands by."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.chaos.server import Server

STANDS_BY = "standing by until it is gone"


@contextmanager
def waiting(server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """A second server, from the moment at which it says that it waits."""
    log = server.data.parent / "standby.log"
    command = [sys.executable, "-m", "comptoir", "up", "--data", str(server.data)]
    command += ["--port", str(server.port), *server.arguments]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=os.environ)
    try:
        deadline = time.monotonic() + 20
        while STANDS_BY not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
    assert log.read_text().count(STANDS_BY) == 1


@pytest.fixture
def two(tmp_path: Path, postgres_database: str) -> Iterator[tuple[Server, Server]]:
    first, second = (
        Server(tmp_path / name / "data", "--database-url", postgres_database)
        for name in ("first", "second")
    )
    for server in (first, second):
        server.data.parent.mkdir()
    with ExitStack() as stack:
        first.start()
        stack.callback(first.stop)
        yield first, second


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_server_that_stands_by(
    two: tuple[Server, Server], number: signal.Signals
) -> None:
    with waiting(two[1]) as standby:
        standby.send_signal(number)
        assert standby.wait(5) != 0


def test_a_standby_serves_when_the_first_is_killed(two: tuple[Server, Server]) -> None:
    first, second = two
    with waiting(second) as standby:
        key = first.operator_key
        first.kill()
        deadline = time.monotonic() + 20
        while True:
            try:
                assert second.client(key, retries=0).health()["status"] == "ok"
                break
            except Exception:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        standby.terminate()
        assert standby.wait(20) == 0
