"""How long a desk takes to have its book in memory again, with many live leases in it."""

import tempfile
import time
from pathlib import Path

from comptoir.assembly import SystemClock, SystemEntropy, loading_a_book
from comptoir.cli.bench.desk import fresh_desk
from comptoir.cli.bench.figures import Findings, figure
from comptoir.desk.desk import Desk
from comptoir.desk.ports import Changes
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import Lease, LeaseClass, LeaseState, OnReclaim, Shape
from comptoir.store.opening import open_store
from comptoir.tenants.parties import SYSTEM
from comptoir.units.ids import AllocationId, LeaseId, TenantId, encode_id

LEASES = 100_000
ACCELERATORS_A_NODE = 8
ROWS_A_COMMIT = 10_000
RUNS = 3


def measure(leases: int = LEASES) -> Findings:
    """Seconds from an open database to a desk that serves."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "post"
        desk, tenant = fresh_desk(data, -(-leases // ACCELERATORS_A_NODE))
        _fill(desk, tenant, leases)
        desk.store.close()
        seconds = [_start_s(data, leases) for _ in range(RUNS)]
    found = figure(f"start of a desk with {leases:,} live leases", "s", seconds, 5.0, True)
    return Findings([found], {"start_s": found.median})


def _fill(desk: Desk, tenant: TenantId, leases: int) -> None:
    """Active leases of one accelerator each, straight into the store."""
    nodes, now_ms, first = list(desk.book.nodes), desk.now_ms(), desk.book.counter + 1
    version = desk.book.version
    for start in range(0, leases, ROWS_A_COMMIT):
        rows: dict[str, list[object]] = {"lease": [], "allocation": []}
        for n in range(start, min(leases, start + ROWS_A_COMMIT)):
            node = nodes[n // ACCELERATORS_A_NODE]
            lease = _lease(LeaseId(encode_id("ls", first + 2 * n)), tenant, now_ms)
            rows["lease"].append(lease)
            rows["allocation"].append(
                Allocation(
                    AllocationId(encode_id("al", first + 2 * n + 1)), lease.id, tenant, node.id,
                    node.inbound_lease_id, (n % ACCELERATORS_A_NODE,), now_ms, None, now_ms,
                )
            )  # fmt: skip
        desk.store.commit(Changes(version, first + 2 * leases, rows))
        version += 1


def _lease(id: LeaseId, tenant: TenantId, now_ms: int) -> Lease:
    return Lease(
        id, tenant, SYSTEM.user_id, "", LeaseClass.ON_DEMAND, "h100-sxm", 1, Shape.NODE, now_ms,
        None, 30, OnReclaim.WAIT, now_ms, LeaseState.ACTIVE, now_ms, now_ms, now_ms,
    )  # fmt: skip


def _start_s(data: Path, leases: int) -> float:
    started = time.perf_counter()
    store = open_store(data, None, "bench")
    with loading_a_book():
        desk = Desk(store, SystemClock(), SystemEntropy())
    took = time.perf_counter() - started
    assert len(desk.book.leases) == leases
    store.close()
    return took
