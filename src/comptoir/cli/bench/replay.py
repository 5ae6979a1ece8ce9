"""Replays: a real trace through the whole desk, each in a process of its own, audit included.

`comptoir simulate` is what is measured, from the file to the report: wall clock, processor time
and the most memory of the process. The trace is the repository's; without it there is nothing
to measure.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comptoir.cli.bench.figures import Figure, Findings, figure
from comptoir.desk.kernel_threads import FILL_CACHE
from comptoir.placement.compiled import can_compile
from comptoir.units.errors import Unavailable

TRACE = Path("examples/traces/philly-2017.csv.gz")
MOST_S, MOST_MB = 60, 1_000
COPIES, DAYS = 50, 7
SMALL = (5, 11, 1)
LARGE = (8, 192, 2)
"""Pods, racks of each and nodes of those: 440 accelerators, and 24,576."""


@dataclass(frozen=True, slots=True)
class _Run:
    """One replay: what it said, and what it took."""

    report: dict[str, Any]
    wall_s: float
    worked_s: float
    most_mb: float


def measure(trace: Path = TRACE) -> Findings:
    """Philly as it was on 440 accelerators, and 50 of it for a week on 24,576."""
    if not trace.exists():
        return Findings([], {})
    if can_compile():
        subprocess.run(FILL_CACHE, check=True, capture_output=True)
    small = _run(trace, SMALL)
    large = _run(trace, LARGE, "--scale", str(COPIES), "--days", str(DAYS))
    figures = [
        *_figures(f"replay of {small.report['jobs']:,} jobs, 440 accelerators", small),
        *_figures(
            f"replay of {large.report['jobs']:,} jobs in {DAYS} days, 24,576 accelerators", large
        ),
    ]
    return Findings(figures, {**_numbers("philly", small), **_numbers("philly_x50", large)})


def _figures(what: str, run: _Run) -> list[Figure]:
    jobs = run.report["jobs"]
    return [
        figure(
            f"{what}, end to end", "s", [run.wall_s], MOST_S, True,
            f"{run.worked_s:,.0f} s of processor time, {1_000 * run.worked_s / jobs:.2f} ms a job; "
            f"{run.report['utilisation']:.0%} used",
        ),
        figure("most memory of that", "MB", [run.most_mb], MOST_MB, True),
    ]  # fmt: skip


def _numbers(name: str, run: _Run) -> dict[str, float]:
    return {
        f"{name}_jobs": run.report["jobs"],
        f"{name}_wall_s": round(run.wall_s, 3),
        f"{name}_processor_s": round(run.worked_s, 3),
        f"{name}_most_mb": round(run.most_mb, 1),
    }


def _run(trace: Path, shape: tuple[int, int, int], *more: str) -> _Run:
    with tempfile.TemporaryDirectory(prefix="comptoir-bench-") as name:
        fleet, report = Path(name) / "fleet.toml", Path(name) / "report.json"
        fleet.write_text(_fleet(*shape))
        command = [
            sys.executable, "-m", "comptoir", "simulate", str(trace), "--fleet", str(fleet),
            "--json", str(report), *more,
        ]  # fmt: skip
        started = time.perf_counter()
        with (Path(name) / "said").open("w+") as said:
            child = subprocess.Popen(command, stdout=said, stderr=said)
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            wall_s = time.perf_counter() - started
            said.seek(0)
            if child.returncode:
                raise Unavailable("bench_replay", f"the replay failed: {said.read()[-500:]}", "")
        found = json.loads(report.read_text())
    return _Run(found, wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6)


def _fleet(pods: int, racks: int, nodes: int) -> str:
    return f"""
[[inbound]]
name = "bench"
kind = "h100-sxm"
cost = 1.60
[[inbound.nodes]]
site = "a"
cluster = "b"
pods = {pods}
racks = {racks}
nodes = {nodes}
accelerators_per_node = 8
"""
