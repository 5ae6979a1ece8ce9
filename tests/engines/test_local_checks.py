"""The local checker says what is true of this machine, with evidence, and fails what is not."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from comptoir.desk.engine_port import EngineHealth
from comptoir.engines.local import checks
from comptoir.engines.local.checks import LocalChecker
from comptoir.engines.local.engine import LocalEngine, memory_total_bytes
from comptoir.fleet.checks import CheckOutcome, CheckResult, check_results
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.units.ids import InboundLeaseId, NodeId
from tests.engines.local_world import SETTINGS

NODE = Node(
    NodeId("nd_1"), "here", InboundLeaseId("il_1"), "cpu-core", 1, 1 << 20, "local", "s", "c", "p",
    "r", NodeState.CHECKING,
)  # fmt: skip


@dataclass
class Fake:
    """An engine whose probes say what they are told to."""

    name: str = "local"
    cores: tuple[int, ...] = (0,)
    available: bool = True

    def probe(self) -> EngineHealth:
        return EngineHealth(self.available, "" if self.available else "sandbox (seccomp)")


def checked(
    directory: Path, node: Node = NODE, engine: Fake | None = None, memory: int = 1 << 30
) -> dict[str, CheckResult]:
    checker = LocalChecker(engine or Fake(), directory, lambda: memory)
    return {result.name: result for result in check_results(checker.check(node))}


def failed(results: dict[str, CheckResult]) -> list[str]:
    return [name for name, result in results.items() if result.outcome is CheckOutcome.FAILED]


def test_this_machine_passes_its_own_checks(tmp_path: Path) -> None:
    engine = LocalEngine(tmp_path / "engine", "checks", SETTINGS)
    node = replace(NODE, accelerators=len(engine.cores), memory_bytes=memory_total_bytes())
    checker = LocalChecker(engine, tmp_path / "engine", memory_total_bytes)
    results = {result.name: result for result in check_results(checker.check(node))}
    assert set(results) == {"sandbox", "cores", "memory", "arithmetic", "disk"}
    assert failed(results) == ([] if engine.health().available else ["sandbox"])
    assert json.loads(results["arithmetic"].evidence)["wrong"] == []
    assert not (tmp_path / "engine" / "check-disk").exists()


def test_a_sandbox_that_does_not_hold_fails_with_its_reason(tmp_path: Path) -> None:
    results = checked(tmp_path, engine=Fake(available=False))
    assert failed(results) == ["sandbox"]
    assert "seccomp" in results["sandbox"].evidence


def test_less_than_the_book_counts_on_fails(tmp_path: Path) -> None:
    assert failed(checked(tmp_path, replace(NODE, accelerators=9_999))) == ["cores"]
    assert failed(checked(tmp_path, replace(NODE, memory_bytes=1 << 40))) == ["memory"]
    nearly = replace(NODE, memory_bytes=(1 << 30) + (1 << 22))
    assert failed(checked(tmp_path, nearly)) == []


def test_a_core_that_miscalculates_or_is_not_ours_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = checked(tmp_path, engine=Fake(cores=(0, 4_000)))
    assert failed(results) == ["arithmetic"]
    assert json.loads(results["arithmetic"].evidence)["wrong"] == [4_000]
    monkeypatch.setattr(checks, "_DIGEST", "0" * 64)
    assert json.loads(checked(tmp_path)["arithmetic"].evidence)["wrong"] == [0]


def test_a_disk_that_cannot_be_written_fails_and_is_an_answer(tmp_path: Path) -> None:
    results = checked(tmp_path / "gone")
    assert failed(results) == ["disk"]
    assert "error" in json.loads(results["disk"].evidence)
