"""`comptoir bench`: measure this machine, print a table, write JSON. Never a timed test.

Each measure starts what it needs, repeats, and gives its median beside its least and
most; where a reference can run in the same minute (bare rows into the same database),
the ratio is given too. Machines are shared and noisy: quote medians and ratios.
"""

import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from comptoir.cli.bench import (
    calendar,
    close,
    desk,
    fill,
    http,
    jobs,
    placement,
    rating,
    rebalance,
    replay,
    start,
)
from comptoir.cli.bench.figures import Figure, Findings

WIDTH_IN_A_FILE = 160
MEASURES: dict[str, Callable[..., Findings]] = {
    "calendar": calendar.measure,
    "close": close.measure,
    "desk": desk.measure,
    "fill": fill.measure,
    "http": http.measure,
    "jobs": jobs.measure,
    "placement": placement.measure,
    "rating": rating.measure,
    "rebalance": rebalance.measure,
    "replay": replay.measure,
    "start": start.measure,
}
"""Every measure by its command's name. Called without arguments it measures the usual size."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the figures were taken."""

    cores: int
    memory_gib: float
    system: str
    python: str


def run_one(name: str, json_file: Path | None, **sizes: int) -> int:
    """Run one measure and show what it found; in JSON its numbers stand at the top."""
    findings = _measured(name, **sizes)
    _show(findings.figures, json_file, {**sizes, **findings.numbers})
    return 0


def run_all(json_file: Path | None) -> int:
    """Run every measure at its usual size; in JSON each has its numbers under its name."""
    found = {name: _measured(name) for name in MEASURES}
    figures = [figure for findings in found.values() for figure in findings.figures]
    _show(figures, json_file, {name: findings.numbers for name, findings in found.items()})
    return 0


def _measured(name: str, **sizes: int) -> Findings:
    with Console(stderr=True).status(f"measuring {name} ..."):
        return MEASURES[name](**sizes)


def _show(figures: Sequence[Figure], json_file: Path | None, numbers: Mapping[str, Any]) -> None:
    machine = Machine(
        os.cpu_count() or 1,
        round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        platform.platform(),
        platform.python_version(),
    )
    width = None if sys.stdout.isatty() else WIDTH_IN_A_FILE
    Console(width=width).print(_table(figures, machine))
    if json_file is not None:
        document = {
            **numbers,
            "machine": asdict(machine),
            "figures": [{**asdict(figure), "met": figure.met} for figure in figures],
        }
        json_file.write_text(json.dumps(document, indent=2) + "\n")


def _table(figures: Sequence[Figure], machine: Machine) -> Table:
    table = Table(
        title=f"{machine.cores} cores, {machine.memory_gib} GiB, Python {machine.python}",
        title_justify="left",
        box=None,
    )
    for column in ("what", "median", "least", "most", "to reach", "", "beside"):
        table.add_column(column, justify="left" if column in ("what", "beside") else "right")
    for figure in figures:
        table.add_row(
            figure.what,
            f"{figure.median:,.4g} {figure.unit}",
            f"{figure.least:,.4g}",
            f"{figure.most:,.4g}",
            figure.goal_text,
            {True: "met", False: "missed", None: ""}[figure.met],
            figure.beside,
        )
    return table
