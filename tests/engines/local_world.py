"""Builders for tests of the local engine: an engine, orders, and waiting."""

import io
import itertools
import os
import secrets
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

from comptoir.desk.engine_port import (
    AttemptSight,
    EngineSettings,
    Observation,
    StartOrder,
)
from comptoir.engines.local.engine import LocalEngine
from comptoir.units.ids import AttemptId, JobId, LeaseId, NodeId, TenantId

SETTINGS = EngineSettings(
    work_directory_bytes=8 << 20, log_bytes=4096, upload_bytes=1 << 20, processes=40
)
IS_ROOT = os.geteuid() == 0
FORK_STORM = """
import os, time
made = 0
try:
    while made < 500:
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        made += 1
except OSError:
    pass
print(made)
"""
"""Makes 500 processes if it is let; prints how many it made."""

_numbers = itertools.count(1)


def eventually(what: Callable[[], object], seconds: float = 10.0) -> bool:
    """Whether something becomes true within a bounded time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.01)
    return False


def member(name: str, **given: object) -> tarfile.TarInfo:
    """A tar header with any field set."""
    info = tarfile.TarInfo(name)
    for field, value in given.items():
        setattr(info, field, value)
    return info


def archive(*entries: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    """A tar.gz of these entries."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        for info, content in entries:
            info.size = len(content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(content))
    target.seek(0)
    return target


class World:
    """A local engine and the leases made on it."""

    def __init__(self, directory: Path, instance: str = "", **given: object) -> None:
        self.directory = directory
        self.instance = instance or f"t{secrets.token_hex(4)}"
        self.given = given
        self.engine = self.open()
        self.leases: set[str] = set()

    def open(self) -> LocalEngine:
        """Another engine on the same directory, as after a restart."""
        given = {"settings": SETTINGS, **self.given}
        return LocalEngine(self.directory / "engine", self.instance, **given)  # type: ignore[arg-type]

    def order(self, *command: str, **given: object) -> StartOrder:
        """An order with ids of its own; any field can be given."""
        number = next(_numbers)
        fields: dict[str, object] = {
            "attempt_id": AttemptId(f"att_{number}"),
            "job_id": JobId(f"job_{number}"),
            "lease_id": LeaseId(f"lse_{number}"),
            "tenant_id": TenantId("ten_a"),
            "attempt_number": 1,
            "node_id": NodeId("nod_1"),
            "accelerators": (0,),
            "command": command,
            "memory_bytes": 256 << 20,
        } | given
        order = StartOrder(**fields)  # type: ignore[arg-type]
        self.leases.add(order.lease_id)
        return order

    def start(self, *command: str, **given: object) -> StartOrder:
        """Start a command."""
        order = self.order(*command, **given)
        self.engine.start(order)
        return order

    def shell(self, script: str, **given: object) -> StartOrder:
        """Start a shell script."""
        return self.start("/bin/bash", "-c", script, **given)

    def see(self, order: StartOrder) -> Observation | None:
        """What is seen of an attempt now."""
        seen = (s for s in self.engine.observe() if s.attempt_id == order.attempt_id)
        return next(seen, None)

    def end(self, order: StartOrder, seconds: float = 15.0) -> Observation:
        """Wait for an attempt's end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            seen = self.see(order)
            assert seen is not None
            if seen.sight != AttemptSight.RUNNING:
                return seen
            time.sleep(0.005)
        raise AssertionError(f"{order.attempt_id} still runs: {self.log(order)}")

    def run(self, script: str, **given: object) -> tuple[Observation, str]:
        """Run a shell script to its end; how it ended and what it printed."""
        order = self.shell(script, **given)
        return self.end(order), self.log(order)

    def log(self, order: StartOrder) -> str:
        """What an attempt printed."""
        page = self.engine.read_log(order.lease_id, order.attempt_id, 0, 1 << 20)
        return page.data.decode(errors="replace")

    def has_file(self, order: StartOrder, name: str) -> bool:
        """Whether the job has made a file."""
        return any(entry.path == name for entry in self.engine.list_files(order.lease_id))

    def close(self) -> None:
        """End and remove everything."""
        for seen in self.engine.observe():
            self.engine.kill(seen.attempt_id)
        assert eventually(
            lambda: all(s.sight != AttemptSight.RUNNING for s in self.engine.observe())
        )
        self.engine.forget([seen.attempt_id for seen in self.engine.observe()])
        for lease in self.leases:
            self.engine.delete_directory(LeaseId(lease))
        self.engine.retire()
        assert list(Path("/sys/fs/cgroup").glob(f"*/comptoir-{self.instance}")) == []
