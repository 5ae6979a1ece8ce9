"""What every engine promises of a job's own notices: real, simulated and fake alike.

A factory makes an engine, and says how to see what the job of an attempt finds.
"""

import contextlib
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from comptoir.desk.engine_port import Engine, EngineSettings, StartOrder, StopKind, StopNotice
from comptoir.engines.local.engine import LocalEngine
from comptoir.simulation.clock import VirtualClock
from comptoir.simulation.faults import Faults
from comptoir.simulation.machines import Machines
from comptoir.simulation.sim_engine import SimEngine
from comptoir.units.ids import AttemptId, JobId, LeaseId, NodeId, TenantId
from tests.api.world import FakeEngine

LEASE = LeaseId("lse_n")
WATCHES = """
while :; do
    [ -e "$COMPTOIR_NOTICE_FILE" ] && cp "$COMPTOIR_NOTICE_FILE" .seen && mv .seen seen
    sleep 0.02
done
"""
NOTICE = StopNotice(
    StopKind.RECLAIM, "stronger_request", LEASE, JobId("job_n"), 1, 1_790_000_000_000,
    1_790_000_030_500, True,
)  # fmt: skip


@dataclass(frozen=True)
class Side:
    """An engine with one running attempt, and what its job finds."""

    engine: Engine
    attempt_id: AttemptId
    found: Callable[[AttemptId], Any]


def order(*command: str) -> StartOrder:
    return StartOrder(
        AttemptId("att_n"), JobId("job_n"), LEASE, TenantId("ten_n"), 1, NodeId("nod_n"), (0,),
        command, memory_bytes=256 << 20,
    )  # fmt: skip


@contextlib.contextmanager
def local(directory: Path) -> Iterator[Side]:
    """A real job that copies what it finds into its lease's directory."""
    engine = LocalEngine(directory / "engine", f"n{time.time_ns() % 10**9}", EngineSettings())
    given = order("/bin/sh", "-c", WATCHES)

    def found(attempt_id: AttemptId) -> Any:
        time.sleep(0.3)
        if "seen" not in [entry.path for entry in engine.list_files(LEASE)]:
            return None
        with engine.open_file(LEASE, "seen") as file:
            return json.load(file)

    engine.start(given)
    yield Side(engine, given.attempt_id, found)
    engine.kill(given.attempt_id)
    deadline = time.monotonic() + 10
    while engine.observe()[0].exit_code is None and time.monotonic() < deadline:
        time.sleep(0.01)
    engine.forget([given.attempt_id])
    engine.delete_directory(LEASE)
    engine.retire()


@contextlib.contextmanager
def simulated(directory: Path) -> Iterator[Side]:
    """The simulator's engine, with nothing going wrong."""
    faults = Faults(random.Random(1))
    faults.on = False
    engine = SimEngine(VirtualClock(), faults, Machines(random.Random(2), 0))
    given = order("run", "1000000", "0", "honour", "0", "100")
    engine.start(given)
    yield Side(engine, given.attempt_id, lambda id: _document(engine.told.get(id)))


@contextlib.contextmanager
def fake(directory: Path) -> Iterator[Side]:
    """The engine of the API's tests."""
    engine = FakeEngine()
    given = order("true")
    engine.start(given)
    yield Side(engine, given.attempt_id, lambda id: _document(engine.told.get(id)))  # type: ignore[arg-type]


def _document(notice: StopNotice | None) -> Any:
    return None if notice is None else notice.document()


FACTORIES: list[Callable[[Path], AbstractContextManager[Side]]] = [local, simulated, fake]


@pytest.fixture(params=FACTORIES, ids=lambda factory: factory.__name__)
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    with request.param(tmp_path) as made:
        yield made


def test_a_job_finds_its_notice_and_the_one_that_replaces_it(side: Side) -> None:
    assert side.found(side.attempt_id) is None
    side.engine.tell(side.attempt_id, NOTICE)
    side.engine.tell(side.attempt_id, NOTICE)
    assert side.found(side.attempt_id) == {
        "version": 1,
        "kind": "reclaim",
        "reason": "stronger_request",
        "lease": "lse_n",
        "job": "job_n",
        "attempt": 1,
        "told_at": "2026-09-21T14:13:20.000Z",
        "kill_at": "2026-09-21T14:13:50.500Z",
        "notice_s": 30,
        "resumes": True,
    }
    sooner = replace(NOTICE, kill_at_ms=NOTICE.told_at_ms + 5_000)
    side.engine.tell(side.attempt_id, sooner)
    assert side.found(side.attempt_id)["notice_s"] == 5


def test_an_attempt_that_nobody_started_is_told_nothing(side: Side) -> None:
    side.engine.tell(AttemptId("att_unknown"), NOTICE)
    assert side.found(side.attempt_id) is None
