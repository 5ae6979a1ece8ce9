"""The checks that this machine has to pass before its cores are sold again.

Does a sandbox hold (the engine's own probes), are the cores and the memory there that the book
counts on, does every core calculate right, does the disk keep what is written? About a second.
Implements `desk.ports.Checker`.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from comptoir.desk.engine_port import EngineHealth
from comptoir.fleet.checks import CheckOutcome, CheckResult
from comptoir.fleet.nodes import Node

_BLOCK = bytes(range(256)) * 4_096
"""A MiB with a digest that every core must find."""
_DIGEST = hashlib.sha256(_BLOCK).hexdigest()
_ROUNDS = 8

Found = tuple[bool, dict[str, Any]]


class Checked(Protocol):
    """What the checks need of the engine."""

    name: str
    cores: tuple[int, ...]

    def probe(self) -> EngineHealth: ...


class LocalChecker:
    """Checks the machine that the control plane runs on.

    Args:
        engine: The local engine.
        directory: Where the engine keeps its things: the disk that is tried.
        memory_bytes: How much memory the machine has now.
    """

    def __init__(self, engine: Checked, directory: Path, memory_bytes: Callable[[], int]) -> None:
        self.name = engine.name
        self._engine = engine
        self._directory = directory
        self._memory_bytes = memory_bytes

    def check(self, node: Node) -> Sequence[CheckResult]:
        """Try everything, each with its evidence."""
        checks: tuple[tuple[str, Callable[[Node], Found]], ...] = (
            ("sandbox", self._sandbox),
            ("cores", self._cores),
            ("memory", self._memory),
            ("arithmetic", self._arithmetic),
            ("disk", self._disk),
        )
        return [_result(name, look, node) for name, look in checks]

    def _sandbox(self, node: Node) -> Found:
        health = self._engine.probe()
        return health.available, {"reason": health.reason, "notes": list(health.notes)}

    def _cores(self, node: Node) -> Found:
        usable = len(set(self._engine.cores) & os.sched_getaffinity(0))
        return usable >= node.accelerators, {"wanted": node.accelerators, "usable": usable}

    def _memory(self, node: Node) -> Found:
        wanted, there = node.memory_bytes, self._memory_bytes()
        enough = there * 64 >= wanted * 63  # a new kernel keeps a little more for itself
        return enough, {"wanted": wanted, "there": there}

    def _arithmetic(self, node: Node) -> Found:
        wrong = [core for core in self._engine.cores if not _calculates(core)]
        return not wrong, {"cores": len(self._engine.cores), "wrong": wrong, "sha256": _DIGEST}

    def _disk(self, node: Node) -> Found:
        path = self._directory / "check-disk"
        try:
            with path.open("wb") as file:
                file.write(_BLOCK)
                file.flush()
                os.fsync(file.fileno())
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        finally:
            path.unlink(missing_ok=True)
        return found == _DIGEST, {"bytes": len(_BLOCK), "sha256": found}


def _calculates(core: int) -> bool:
    """Whether a core finds the digest again and again; in a thread that runs nowhere else."""
    found: list[str] = []

    def work() -> None:
        with suppress(OSError):  # the core is not ours: `cores` says so
            os.sched_setaffinity(0, {core})
            found.extend(hashlib.sha256(_BLOCK).hexdigest() for _ in range(_ROUNDS))

    thread = threading.Thread(target=work, name=f"check-core-{core}")
    thread.start()
    thread.join()
    return found == [_DIGEST] * _ROUNDS


def _result(name: str, look: Callable[[Node], Found], node: Node) -> CheckResult:
    """A check that could not run has failed."""
    try:
        passed, evidence = look(node)
    except OSError as error:
        passed, evidence = False, {"error": str(error)}
    outcome = CheckOutcome.PASSED if passed else CheckOutcome.FAILED
    return CheckResult(name, outcome, json.dumps(evidence, sort_keys=True))
