"""An empty fleet filled with mixed requests, one by one and durable; Slurm beside it, if here.

The desk commits each request, with its handing over, before it hears the next. Slurm gets the same
stream queued at once and only decides: nothing is launched, and its decisions are not on the disk
before they are told. Neighbours: `slurm.py` starts the controller.
"""

import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from comptoir.cli.bench import slurm
from comptoir.cli.bench.desk import fresh_desk
from comptoir.cli.bench.figures import Figure, Findings, figure, percentile
from comptoir.cli.session import note
from comptoir.desk.desk import Call, Desk
from comptoir.desk.requests import RequestLease, Turn
from comptoir.leases.lease import LeaseClass, LeaseState, Shape
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import invariant

NODES = 3_072
RUNS = 3
CLIENTS = 64
MIX = {
    1: 2_056, 2: 1_494, 4: 700, 8: 250,
    16: 76, 32: 60, 64: 48, 128: 24, 256: 8, 512: 3, 1_024: 1,
}  # fmt: skip
"""Requests by their accelerators: 4,720, of which 220 gangs over nodes; 23,732 accelerators."""
_SEED = 4_720
_NODE = 8


@dataclass(frozen=True, slots=True)
class _Filling:
    """One run of ours: the waits of each request in milliseconds, and its processor time."""

    took_s: float
    processor_s: float
    waits_ms: Sequence[float]

    @property
    def per_s(self) -> float:
        """Allocations a second."""
        return len(self.waits_ms) / self.took_s


def measure() -> Findings:
    """Allocations a second, the wait of one, the longest pause, and how many times Slurm's."""
    sizes = stream()
    runs = [_fill(sizes, 1) for _ in range(RUNS)]
    crowd = [_fill(sizes, CLIENTS) for _ in range(RUNS)]
    waits = sorted(wait for run in runs for wait in run.waits_ms)
    p50, p99 = percentile(waits, 500), percentile(waits, 990)
    what = f"{len(sizes):,} mixed requests fill {NODES:,} nodes, one by one, durable"
    said = f"p50 {p50:.2f} ms, p99 {p99:.2f} ms; "
    ours = figure(what, "/s", [run.per_s for run in runs], beside=said + _cost(runs))
    what = f"the same asked by {CLIENTS} clients at once, each request by itself"
    together = figure(what, "/s", [run.per_s for run in crowd], 1_500, beside=_cost(crowd))
    pauses = [max(run.waits_ms) for run in (*runs, *crowd)]
    pause = figure("the longest pause of the two", "ms", pauses, 250, True)
    found = {
        "allocations_per_s": ours.median,
        "p50_ms": p50,
        "p99_ms": p99,
        "processor_us": _median_us(runs),
        "allocations_per_s_of_many_clients": together.median,
        "processor_us_of_many_clients": _median_us(crowd),
        "longest_pause_ms": pause.most,
    }
    beside, theirs = _beside(sizes, found)
    return Findings([ours, together, pause, *beside], {**found, **theirs})


def _median_us(runs: Sequence[_Filling]) -> float:
    return median(1e6 * run.processor_s / len(run.waits_ms) for run in runs)


def _cost(runs: Sequence[_Filling]) -> str:
    return f"{_median_us(runs):.0f} us of processor time each"


def stream() -> list[int]:
    """The accelerators of each request, in an order that is always the same."""
    sizes = [size for size, count in MIX.items() for _ in range(count)]
    random.Random(_SEED).shuffle(sizes)
    return sizes


def _beside(
    sizes: Sequence[int], ours: Mapping[str, float]
) -> tuple[list[Figure], dict[str, float]]:
    """The same stream on Slurm, or one line that says why not."""
    absent = slurm.missing()
    if absent:
        note(f"no Slurm beside it: {absent}")
        return [], {}
    theirs = slurm.fill(NODES, sizes)
    cost_us = 1e6 * theirs.processor_s / max(theirs.allocated, 1)
    numbers = {
        "slurm_allocations_per_s": theirs.allocated / theirs.took_s,
        "slurm_processor_us": cost_us,
        "slurm_longest_pause_ms": 1_000 * theirs.longest_pause_s,
        "slurm_submitted_per_s": theirs.submitted_per_s,
    }
    rate = numbers["slurm_allocations_per_s"]
    numbers |= {
        "ratio": ours["allocations_per_s"] / rate,
        "ratio_of_many_clients": ours["allocations_per_s_of_many_clients"] / rate,
        "ratio_of_processor_time": cost_us / ours["processor_us"],
    }
    said = (
        f"{theirs.allocated:,} of {len(sizes):,} in {theirs.took_s:.1f} s, {cost_us:,.0f} us of "
        f"processor time each; two clients of sbatch: {theirs.submitted_per_s:.0f}/s"
    )
    return [
        figure(f"the same stream on {theirs.version}, emulated nodes", "/s", [rate], beside=said),
        figure("its longest pause", "ms", [numbers["slurm_longest_pause_ms"]]),
        figure("ours to Slurm's, one by one", "x", [numbers["ratio"]]),
        figure(f"ours to Slurm's, {CLIENTS} clients", "x", [numbers["ratio_of_many_clients"]], 10),
        figure("Slurm's processor time to ours", "x", [numbers["ratio_of_processor_time"]]),
    ], numbers


def _fill(sizes: Sequence[int], clients: int) -> _Filling:
    """Every client asks as soon as it is answered: a batch is one request of each."""
    with tempfile.TemporaryDirectory(prefix="comptoir-fill-") as directory:
        desk, tenant_id = fresh_desk(Path(directory) / "book", NODES)
        tenant = desk.book.tenants[tenant_id]
        calls = [_request(size, tenant) for size in sizes]
        turn = Call("turn", Turn(meter_every_ms=60_000))
        waits: list[float] = []
        spent, started = time.process_time(), time.perf_counter()
        for first in range(0, len(calls), clients):
            asked = time.perf_counter()
            some = calls[first : first + clients]
            for outcome in desk.execute([*some, turn]):
                outcome.unwrap()
            waits += [1_000 * (time.perf_counter() - asked)] * len(some)
        filling = _Filling(time.perf_counter() - started, time.process_time() - spent, waits)
        _check(desk, sizes)
        desk.store.close()
    return filling


def _request(size: int, tenant: Tenant) -> Call:
    """Within a node if it fits in one; a gang in one pod if there is room, else where there is."""
    whole = size > _NODE
    wanted = RequestLease(
        "h100-sxm",
        size,
        LeaseClass.ON_DEMAND,
        Shape.SITE if whole else Shape.NODE,
        tenant_id=tenant.id,
        preferred_shape=Shape.POD if whole else None,
    )
    return Call("request_lease", wanted)


def _check(desk: Desk, sizes: Sequence[int]) -> None:
    """Everything was handed over, and nothing twice."""
    leases = list(desk.book.leases_by_state.each(LeaseState.ACTIVE))
    invariant(len(leases) == len(sizes), f"{len(leases):,} of {len(sizes):,} were handed over")
    held = [(a.node_id, n) for a in desk.book.allocations for n in a.accelerators]
    invariant(len(held) == len({*held}) == sum(sizes), "an accelerator was handed over twice")
