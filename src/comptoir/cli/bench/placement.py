"""Placement: decisions a second, how long the slow ones take, and memory; then a full queue.

A fleet kept 95 % full, half placements and half releases, reclaims among them; plain, and
compiled where the extra `comptoir[fast]` is installed. Both replay the same history and must
give the same hash. Time is processor time of the deciding thread: on a shared machine the wall
clock measures the neighbours (the best wall time stands beside). `replan.py` asks the real desk.
"""

import time

from comptoir.cli.bench.figures import Figure, Findings, figure, percentile
from comptoir.cli.bench.fleet_load import Load, build, bytes_of
from comptoir.cli.bench.replan import measure_replan
from comptoir.placement import kernel_replay as replay
from comptoir.placement.backend import PLAIN, Backend, compiled
from comptoir.placement.compiled import can_compile
from comptoir.units.errors import invariant

NODES = 76_800
RUNS = 9
STEPS = {"plain": 20_000, "compiled": 200_000}
SINGLE_STEPS = {"plain": 60_000, "compiled": 200_000}
FULLER_PERCENT = 99
MOST_FULLER_STEPS = {"plain": 40_000, "compiled": 400_000}
RECLAIMS = 300
COMPARED_STEPS = 20_000
GOALS: dict[str, dict[str, float]] = {
    "plain": {"decisions": 100_000, "p999_us": 500, "reclaim_us": 10_000, "megabytes": 200},
    "compiled": {"decisions": 2e6, "p999_us": 50, "reclaim_us": 500, "megabytes": 80},
}
MILLION = 1_000_000


def measure(nodes: int = NODES) -> Findings:
    """Decisions of both back ends, then a re-plan of everybody who waits."""
    figures: list[Figure] = []
    numbers: dict[str, float] = {}
    backends = [PLAIN, compiled()] if can_compile() else [PLAIN]
    hashes = set()
    for backend in backends:
        found, seen, compared = _measured(nodes, backend)
        figures += found
        numbers |= seen
        hashes.add(compared)
    invariant(len(hashes) == 1, f"the back ends have placed differently: {hashes}")
    numbers["decisions_per_s"] = max(numbers[f"{b.name}_decisions_per_s"] for b in backends)
    found, seen = measure_replan()
    return Findings([*figures, *found], {**numbers, **seen})


def _measured(nodes: int, backend: Backend) -> tuple[list[Figure], dict[str, float], int]:
    name, goals = backend.name, GOALS[backend.name]
    load = build(nodes, 95, backend)
    load.fill()
    compared = load.run(COMPARED_STEPS)
    timed = [_decisions_per_s(load, STEPS[name]) for _ in range(RUNS)]
    runs, best_wall = [run for run, _ in timed], max(wall for _, wall in timed)
    singles, reclaims = _singles(load, SINGLE_STEPS[name])
    tables, ids = bytes_of(load)
    megabytes = (tables + (ids if name == "plain" else 0)) / 1e6
    fuller = build(nodes, FULLER_PERCENT, backend, spare_percent=30)
    fuller.fill()
    reclaims += _until_reclaims(fuller, MOST_FULLER_STEPS[name], RECLAIMS - len(reclaims))
    reclaims.sort()
    usual = nodes <= NODES
    figures = [
        figure(
            f"placement decisions, {name}, {nodes:,} nodes, 95 % full", "/s", runs,
            goals["decisions"] if usual else None,
            beside=f"by the wall clock {best_wall:,.0f}/s at best",
        ),
        figure(
            f"one decision without reclaim, {name}, p99.9", "us",
            [percentile(singles, 999)], goals["p999_us"] if usual else None, True,
            f"p50 {percentile(singles, 500):.2f}, p99 {percentile(singles, 990):.1f} us",
        ),
        *_reclaims(name, reclaims),
        figure(
            f"placement state, {name}, {nodes:,} nodes", "MB", [megabytes],
            goals["megabytes"] if nodes >= MILLION else None, True,
            "flat tables" + (" and the ids of nodes" if name == "plain" else ""),
        ),
    ]  # fmt: skip
    return figures, _numbers(name, figures), compared


def _reclaims(name: str, took_us: list[float]) -> list[Figure]:
    """How long reclaims took; nothing is said of a fleet so large that none was needed."""
    if not took_us:
        return []
    return [
        figure(
            f"a reclaim, {name}, p99", "us", [percentile(took_us, 990)],
            GOALS[name]["reclaim_us"], True,
            f"p50 {percentile(took_us, 500):,.0f} us, {len(took_us)} of them, most at "
            f"{FULLER_PERCENT} % full",
        )
    ]  # fmt: skip


def _numbers(name: str, figures: list[Figure]) -> dict[str, float]:
    names = ["decisions_per_s", "decision_p999_us", "reclaim_p99_us", "state_mb"]
    if len(figures) < len(names):
        names.remove("reclaim_p99_us")
    return {f"{name}_{number}": one.median for number, one in zip(names, figures, strict=True)}


def _decisions_per_s(load: Load, steps: int) -> tuple[float, float]:
    """Decisions a second of processor time, and of the wall clock."""
    worked, started = time.thread_time(), time.perf_counter()
    load.run(steps)
    return steps / (time.thread_time() - worked), steps / (time.perf_counter() - started)


def _singles(load: Load, steps: int) -> tuple[list[float], list[float]]:
    """Microseconds of each step: those that had no need of a victim, and those that looked."""
    singles: list[float] = []
    reclaims: list[float] = []
    clock = time.thread_time_ns
    for _ in range(steps):
        strength = load.requests[load.state[replay.NEXT_REQUEST] + replay.STRENGTH]
        began = clock()
        did = load.step()
        took = (clock() - began) / 1_000
        looked = did == replay.RECLAIMS or (did == replay.REFUSED and strength > 0)
        (reclaims if looked else singles).append(took)
    singles.sort()
    return singles, reclaims


def _until_reclaims(load: Load, most_steps: int, wanted: int) -> list[float]:
    """Microseconds of reclaims, from steps of a fuller fleet."""
    found: list[float] = []
    while len(found) < wanted and most_steps > 0:
        found += _singles(load, 1_000)[1]
        most_steps -= 1_000
    return found
