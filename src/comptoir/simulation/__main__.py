"""`python -m comptoir.simulation --seed N [--schedules N] [--jobs N] [--failures N]`."""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import Pool

from comptoir.simulation.run import Report, simulate_schedule


def main() -> int:
    """Replay one seed line by line, or run many and report the failures."""
    parser = argparse.ArgumentParser(
        prog="python -m comptoir.simulation",
        description="Run the real desk and store on a virtual clock, with faults, and audit.",
    )
    parser.add_argument("--seed", type=int, default=1, help="the first, or only, seed")
    parser.add_argument("--schedules", type=int, default=1, help="how many seeds from there on")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument(
        "--failures", type=float, metavar="N", help="machines that fail in 1,000 node-days"
    )
    wanted = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    if wanted.schedules == 1:
        return _replay(wanted.seed, wanted.failures)
    seeds = range(wanted.seed, wanted.seed + wanted.schedules)
    return _many(seeds, wanted.jobs, wanted.failures)


def _replay(seed: int, failures: float | None) -> int:
    report = simulate_schedule(seed, lambda line: print(line, flush=True), failures)  # noqa: T201
    _show(report)
    return 1 if report.problems else 0


def _many(seeds: range, jobs: int, failures: float | None) -> int:
    started = time.monotonic()
    bad = operations = kills = 0
    for report in _reports(partial(simulate_schedule, failures=failures), seeds, jobs):
        operations += report.operations
        kills += report.kills
        if report.problems:
            bad += 1
            _show(report)
    took = time.monotonic() - started
    sys.stdout.write(
        f"{len(seeds)} schedules, {operations} operations, {kills} kills in {took:.1f} s "
        f"({len(seeds) / took:.1f} a second): {bad} broken\n"
    )
    return 1 if bad else 0


def _reports(simulate: Callable[[int], Report], seeds: range, jobs: int) -> Iterator[Report]:
    if jobs == 1:
        yield from map(simulate, seeds)
        return
    with Pool(jobs) as pool:
        yield from pool.imap_unordered(simulate, seeds, chunksize=4)


def _show(report: Report) -> None:
    verdict = "held" if not report.problems else "BROKEN"
    sys.stdout.write(
        f"seed {report.seed}: {verdict}, {report.operations} operations, {report.kills} kills, "
        f"{report.commits} commits, {report.engine_calls} engine calls, {dict(report.faults)}\n"
    )
    for problem in report.problems[:20]:
        sys.stdout.write(f"  {problem}\n")
    if report.problems:
        sys.stdout.write(f"  replay: {report.command}\n")


if __name__ == "__main__":
    sys.exit(main())
