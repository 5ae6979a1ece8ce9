"""`comptoir bench`: measure this machine, print a table, write JSON. Never a timed test.

Each measure starts what it needs, repeats, and gives its median beside its least and
most; where a reference can run in the same minute (bare rows into the same database),
the ratio is given too. Machines are shared and noisy: quote medians and ratios.
"""

import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from comptoir.cli.bench import desk, http, jobs
from comptoir.cli.bench.figures import Figure

MEASURES: dict[str, Callable[[], list[Figure]]] = {
    "desk": desk.measure,
    "http": http.measure,
    "jobs": jobs.measure,
}


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the figures were taken."""

    cores: int
    memory_gib: float
    system: str
    python: str


def run_bench(names: tuple[str, ...], json_file: Path | None) -> int:
    """Run the named measures (none: all) and show what they found."""
    console = Console()
    figures: list[Figure] = []
    for name in names or tuple(MEASURES):
        with console.status(f"measuring {name} ..."):
            figures += MEASURES[name]()
    machine = Machine(
        os.cpu_count() or 1,
        round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        platform.platform(),
        platform.python_version(),
    )
    console.print(_table(figures, machine))
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "machine": asdict(machine),
            "figures": [{**asdict(figure), "met": figure.met} for figure in figures],
        }
        json_file.write_text(json.dumps(document, indent=2) + "\n")
    return 0


def _table(figures: list[Figure], machine: Machine) -> Table:
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
