"""A book's work done twice: by one process in peace, and by many that are killed again and again.

`calm_and_killed` copies a closed book, runs a module of this folder on both copies, and kills every
process of the second after some commits, at an instant that nobody chose. The module writes a byte
to stdout with each commit, and ends once all is done.
"""

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from comptoir.store.opening import sqlite_engine
from comptoir.store.views import Views
from comptoir.store.views import ledger as ledger_view

KILLS = 6


def calm_and_killed(directory: Path, module: str, now_ms: int) -> tuple[Path, Path]:
    """Both books once all is done; the ledger of each is at zero.

    Args:
        directory: Where the closed book lies in `calm`.
        module: Of `tests.chaos`: what is done.
        now_ms: The instant at which it is done.
    """
    calm, killed = directory / "calm", directory / "killed"
    shutil.copytree(calm, killed)
    assert _run(calm, module, now_ms, None) == 0
    rng, kills = random.Random(11), 0
    while _run(killed, module, now_ms, rng.randint(1, 3) if kills < KILLS else None) != 0:
        kills += 1
    assert kills == KILLS
    for each in (calm, killed):
        views = Views(sqlite_engine(each / "book.db"))
        assert ledger_view.prove(views, now_ms).balanced
        views.engine.dispose()
    return calm, killed


def _run(directory: Path, module: str, now_ms: int, kill_after: int | None) -> int:
    """One process; killed after so many commits, and its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.chaos.{module}", str(directory), str(now_ms)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    if kill_after is not None:
        process.stdout.read(kill_after)
        process.send_signal(signal.SIGKILL)
    process.stdout.read()
    return process.wait(60)
