"""A rebalance of a large fleet: a million nodes, a thousand sold windows, in a child process.

Windows stand in chunks of random pods, 85 % of the fleet together; a third of them runs and may
be moved at the price of a restart, a tenth stays where it is, the rest is only promised. What is
measured is what the planning process does once the book is read: classes, linear program, whole
numbers, steps on nodes, and the independent check of every step. Time is processor time, since
on a shared machine the wall clock measures the neighbours; it stands beside.
"""

import multiprocessing
import resource
import time
from dataclasses import dataclass

import numpy as np

from comptoir.cli.bench.figures import Findings, figure
from comptoir.leases.lease import Shape
from comptoir.placement.rebalance.check import check_rebalance
from comptoir.placement.rebalance.highs import can_solve, solve
from comptoir.placement.rebalance.plan import plan_rebalance
from comptoir.placement.rebalance.program import Program, Solution
from comptoir.placement.rebalance.rows import ENDLESS, Aim, Level, Mover, PoolRows
from comptoir.units.errors import Invalid
from comptoir.units.ids import AllocationId, LeaseId, NodeId, TenantId
from comptoir.units.time import MS_PER_HOUR

NODES, RESERVATIONS = 1_000_000, 1_000
RUNS = 3
SIZE, RACK, POD = 8, 16, 256
FULL_PERCENT = 85
MOST_S, MOST_GAP_PERCENT = 30, 1
RESTART_MS = MS_PER_HOUR // 4
_SLOTS = tuple(range(SIZE))


@dataclass(frozen=True, slots=True)
class Ran:
    """What one child did. `bytes`: its peak, with the fleet that it made for itself."""

    whole_s: float
    solver_s: float
    check_s: float
    wall_s: float
    gap_ppm: int
    steps: int
    freed: int
    spreads: int
    columns: int
    bytes: int


def measure(nodes: int = NODES, reservations: int = RESERVATIONS) -> Findings:
    """Seconds, gap and memory of several fleets, each in a process of its own."""
    if not can_solve():
        raise Invalid(
            "plan_extra_missing",
            "the solver is not installed",
            "pip install 'comptoir[plan]'",
        )
    runs = [_in_child(nodes, reservations, seed) for seed in range(RUNS)]
    first = runs[0]
    figures = [
        figure(
            f"rebalance of {nodes:,} nodes and {reservations:,} windows", "s",
            [ran.whole_s for ran in runs], MOST_S if nodes <= NODES else None, True,
            f"{first.solver_s:.1f} s of it the solver, {first.check_s:.1f} s the check; by the "
            f"wall clock {min(ran.wall_s for ran in runs):.1f} s at best",
        ),
        figure(
            "how far it may be from the best, over the rooms looked at", "%",
            [ran.gap_ppm / 10_000 for ran in runs], MOST_GAP_PERCENT, True,
            f"{first.freed:,} pods whole again, {first.spreads:,} windows spread, "
            f"{first.steps:,} leases moved; {first.columns:,} columns",
        ),
        figure("memory of the planning process", "MB", [ran.bytes / 1e6 for ran in runs],
               beside="with the fleet that it made for itself"),
    ]  # fmt: skip
    names = ("rebalance_s", "gap_percent", "memory_mb")
    numbers = {name: one.median for name, one in zip(names, figures, strict=True)}
    return Findings(figures, {**numbers, "columns": first.columns, "steps": first.steps})


def _in_child(nodes: int, reservations: int, seed: int) -> Ran:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(run_one, (nodes, reservations, seed))


def run_one(nodes: int, reservations: int, seed: int) -> Ran:
    """Make a fleet, plan, check, and say what it took."""
    rows = fleet(nodes, reservations, seed)
    aim = Aim(Level.POD, 0, 24 * MS_PER_HOUR, RESTART_MS, RESTART_MS)
    seen: list[tuple[float, int]] = []

    def timed(program: Program) -> Solution:
        began = time.process_time()
        found = solve(program)
        seen.append((time.process_time() - began, len(program.cost)))
        return found

    began, began_wall = time.process_time(), time.perf_counter()
    plan = plan_rebalance([rows], aim, timed)
    planned = time.process_time()
    check_rebalance([rows], plan)
    over = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024
    return Ran(
        whole_s=over - began,
        solver_s=sum(took for took, _ in seen),
        check_s=over - planned,
        wall_s=time.perf_counter() - began_wall,
        gap_ppm=plan.gap_ppm,
        steps=len(plan.steps),
        freed=len(plan.freed),
        spreads=len(plan.spreads),
        columns=sum(columns for _, columns in seen),
        bytes=peak,
    )


def fleet(nodes: int, reservations: int, seed: int) -> PoolRows:
    """One pool of nodes in racks and pods, with windows in chunks of random pods."""
    rng = np.random.default_rng(seed)
    pods = max(nodes // POD, 1)
    free = np.full(pods, min(POD, nodes), dtype=np.int64)
    weights = rng.lognormal(0, 1, reservations)
    sizes = np.maximum(weights / weights.sum() * nodes * FULL_PERCENT / 100, 2).astype(np.int64)
    movers: list[Mover] = []
    on_node, of_lease, starts = [], [], []
    for number, size in enumerate(sizes.tolist()):
        running, movable = number % 3 == 0, number % 10 != 2
        left, taken = size, []
        while left and free.any():
            pod = int(rng.choice(np.flatnonzero(free)))
            chunk = min(int(rng.integers(8, POD)), left, int(free[pod]))
            first = pod * POD + (min(POD, nodes) - int(free[pod]))
            taken.append(np.arange(first, first + chunk))
            free[pod] -= chunk
            left -= chunk
        placed = np.concatenate(taken)
        on_node.append(placed)
        of_lease.append(np.full(len(placed), number))
        start = -MS_PER_HOUR if running or not movable else int(rng.integers(0, 12)) * MS_PER_HOUR
        starts.append(np.full(len(placed), start))
        movers.append(
            Mover(
                LeaseId(f"ls_{number}"), TenantId(f"tn_{number % 50}"), Shape.CLUSTER,
                size * SIZE, running or not movable, movable, 30,
                RESTART_MS + 30_000 if running else 0, True, "",
            )
        )  # fmt: skip
    stands = np.concatenate(on_node)
    many = len(stands)
    return PoolRows(
        kind="h100-sxm", site="s", cluster="c", shared=False,
        node_ids=[NodeId(f"nd_{n}") for n in range(nodes)],
        size=np.full(nodes, SIZE, dtype=np.int64), open=np.ones(nodes, dtype=np.bool_),
        pod=np.minimum(np.arange(nodes) // POD, pods - 1), rack=np.arange(nodes) // RACK,
        pod_names=[f"pod-{p}" for p in range(pods)],
        rack_names=[f"rack-{r}" for r in range(-(-nodes // RACK))], leases=movers,
        ids=[AllocationId(f"al_{n}") for n in range(many)], slots=[_SLOTS] * many,
        of_lease=np.concatenate(of_lease), on_node=stands, count=np.full(many, SIZE),
        starts=np.concatenate(starts), ends=np.full(many, ENDLESS),
    )  # fmt: skip
