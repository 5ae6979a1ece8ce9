"""What every engine promises the desk: one suite, any implementation.

A factory makes an engine and what to clean up after it. Commands are plain shell,
which a simulated engine can interpret as far as these tests use it: `exit N`,
`sleep S`, `echo TEXT`, and `trap 'exit N' TERM` before a wait.
"""

import contextlib
import io
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from comptoir.desk.engine_port import (
    AttemptSight,
    Engine,
    EngineSettings,
    Observation,
    StartOrder,
)
from comptoir.units.errors import Invalid, NotFound
from comptoir.units.ids import AttemptId, JobId, LeaseId, NodeId, TenantId

LEASE, TENANT = LeaseId("lse_c"), TenantId("ten_c")


@contextlib.contextmanager
def local_engine(directory: Path) -> Iterator[Engine]:
    """The local engine with real sandboxes."""
    from comptoir.engines.local.engine import LocalEngine

    engine = LocalEngine(directory / "engine", f"c{time.time_ns() % 10**9}", EngineSettings())
    yield engine
    for seen in engine.observe():
        engine.kill(seen.attempt_id)
        end(engine, seen.attempt_id)
    engine.forget([seen.attempt_id for seen in engine.observe()])
    engine.delete_directory(LEASE)
    engine.retire()


FACTORIES: list[Callable[[Path], AbstractContextManager[Engine]]] = [local_engine]


@pytest.fixture(params=FACTORIES, ids=lambda factory: factory.__name__, scope="module")
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    with request.param(tmp_path_factory.mktemp("contract")) as made:
        assert made.health().available, made.health().reason
        yield made


def order(name: str, script: str) -> StartOrder:
    """An order for a shell script."""
    return StartOrder(
        attempt_id=AttemptId(f"att_{name}"),
        job_id=JobId(f"job_{name}"),
        lease_id=LEASE,
        tenant_id=TENANT,
        attempt_number=1,
        node_id=NodeId("nod_c"),
        accelerators=(0,),
        command=("/bin/sh", "-c", script),
        memory_bytes=256 << 20,
    )


def see(engine: Engine, attempt_id: AttemptId) -> Observation | None:
    """What is seen of an attempt."""
    return next((seen for seen in engine.observe() if seen.attempt_id == attempt_id), None)


def end(engine: Engine, attempt_id: AttemptId) -> Observation:
    """Wait for an attempt's end."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        seen = see(engine, attempt_id)
        if seen is not None and seen.sight != AttemptSight.RUNNING:
            return seen
        time.sleep(0.01)
    raise AssertionError(f"{attempt_id} still runs")


def log(engine: Engine, attempt_id: AttemptId) -> bytes:
    """The whole log."""
    return engine.read_log(LEASE, attempt_id, 0, 1 << 20).data


def archive(name: str, text: bytes) -> io.BytesIO:
    """A tar.gz with one file."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    target.seek(0)
    return target


def test_an_engine_has_a_name_and_nodes(engine: Engine) -> None:
    assert engine.name
    assert engine.nodes()
    assert all(node.accelerators > 0 and node.memory_bytes > 0 for node in engine.nodes())


def test_an_attempt_runs_and_its_exit_is_observed(engine: Engine) -> None:
    given = order("exit", "echo hello; sleep 1; exit 3")
    engine.start(given)
    first = see(engine, given.attempt_id)
    assert first is not None
    assert first.sight == AttemptSight.RUNNING
    seen = end(engine, given.attempt_id)
    assert (seen.sight, seen.exit_code) == (AttemptSight.EXITED, 3)
    assert seen.ended_at_ms is not None
    assert seen.started_at_ms == first.started_at_ms <= seen.ended_at_ms
    assert first.busy_ms <= seen.busy_ms <= seen.ended_at_ms - seen.started_at_ms
    assert see(engine, given.attempt_id) == seen
    assert log(engine, given.attempt_id) == b"hello\n"


def test_starting_twice_runs_once(engine: Engine) -> None:
    given = order("twice", "echo once; sleep 0.1")
    engine.start(given)
    engine.start(given)
    end(engine, given.attempt_id)
    engine.start(given)
    assert end(engine, given.attempt_id).exit_code == 0
    assert log(engine, given.attempt_id) == b"once\n"


def test_stop_lets_the_job_choose_its_exit(engine: Engine) -> None:
    given = order("stop", "trap 'exit 7' TERM; echo up; while :; do sleep 0.02; done")
    engine.start(given)
    deadline = time.monotonic() + 10
    while log(engine, given.attempt_id) != b"up\n" and time.monotonic() < deadline:
        time.sleep(0.01)
    engine.stop(given.attempt_id)
    assert end(engine, given.attempt_id).exit_code == 7


def test_stop_ends_a_job_without_a_handler(engine: Engine) -> None:
    given = order("plain", "exec sleep 60")
    engine.start(given)
    engine.stop(given.attempt_id)
    assert end(engine, given.attempt_id).exit_code == 128 + 15


def test_kill_ends_a_job_that_ignores_stop(engine: Engine) -> None:
    given = order("kill", "trap '' TERM; while :; do sleep 0.02; done")
    engine.start(given)
    engine.stop(given.attempt_id)
    engine.kill(given.attempt_id)
    assert end(engine, given.attempt_id).exit_code == 128 + 9


def test_unknown_and_ended_attempts_are_left_alone(engine: Engine) -> None:
    given = order("ended", "exit 0")
    engine.start(given)
    seen = end(engine, given.attempt_id)
    for attempt_id in (given.attempt_id, AttemptId("att_unknown")):
        engine.stop(attempt_id)
        engine.kill(attempt_id)
    assert see(engine, given.attempt_id) == seen
    engine.forget([AttemptId("att_unknown")])


def test_forgetting_keeps_the_log(engine: Engine) -> None:
    given = order("forget", "echo kept")
    engine.start(given)
    end(engine, given.attempt_id)
    engine.forget([given.attempt_id])
    engine.forget([given.attempt_id])
    assert see(engine, given.attempt_id) is None
    assert log(engine, given.attempt_id) == b"kept\n"


def test_an_uploaded_file_is_listed_and_read(engine: Engine) -> None:
    assert engine.put_archive(LEASE, TENANT, archive("in/a.txt", b"hello")) == 5
    entry = next(entry for entry in engine.list_files(LEASE) if entry.path == "in/a.txt")
    assert entry.size_bytes == 5
    with engine.open_file(LEASE, "in/a.txt") as file:
        assert file.read() == b"hello"


@pytest.mark.parametrize("path", ["absent", "../logs", "/etc/passwd", "in", ""])
def test_a_path_that_is_no_file_of_the_lease_is_not_found(engine: Engine, path: str) -> None:
    with pytest.raises(NotFound):
        engine.open_file(LEASE, path)


def test_a_bad_upload_is_refused(engine: Engine) -> None:
    with pytest.raises(Invalid, match="bad_archive"):
        engine.put_archive(LEASE, TENANT, archive("../evil", b""))


def test_a_log_is_read_in_pages(engine: Engine) -> None:
    given = order("pages", "echo 0123456789")
    engine.start(given)
    end(engine, given.attempt_id)
    first = engine.read_log(LEASE, given.attempt_id, 0, 4)
    second = engine.read_log(LEASE, given.attempt_id, first.next_offset, 100)
    assert first.data + second.data == b"0123456789\n"
    assert engine.read_log(LEASE, AttemptId("att_none"), 0, 10).data == b""


def test_a_deleted_directory_is_gone(engine: Engine) -> None:
    engine.put_archive(LEASE, TENANT, archive("b.txt", b"x"))
    assert list(engine.list_directories()) == [LEASE]
    engine.delete_directory(LEASE)
    engine.delete_directory(LEASE)
    assert list(engine.list_files(LEASE)) == []
    assert list(engine.list_directories()) == []
