"""The desk in process: durable lease requests from 64 clients, beside bare rows in SQLite."""

import sqlite3
import tempfile
import time
from pathlib import Path

from comptoir.assembly import SystemClock, SystemEntropy
from comptoir.cli.bench.figures import Figure, figure
from comptoir.desk.desk import Call, Desk
from comptoir.desk.requests import (
    CreateTenant,
    DeclareSupply,
    NewNode,
    Opening,
    ProposeRate,
    RateRef,
    RequestLease,
    Turn,
)
from comptoir.leases.lease import LeaseClass, Shape
from comptoir.store.opening import open_store
from comptoir.tenants.parties import Actor, Role, TenantKind
from comptoir.units.ids import TenantId, UserId

CLIENTS = 64
LEASES = 6_400
RUNS = 3
NODES = 3_072


def measure() -> list[Figure]:
    """Requests a second through the whole desk, and bare rows of the same size."""
    whole, bare, idle = [], [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as directory:
            desk, tenant = _desk(Path(directory))
            whole.append(_requests_per_second(desk, tenant))
            idle.append(_idle_turn_ms(desk))
            desk.store.close()  # type: ignore[attr-defined]
            bare.append(_bare_rows_per_second(Path(directory) / "bare.db"))
    ratio = sorted(whole)[RUNS // 2] / sorted(bare)[RUNS // 2]
    return [
        figure(
            "durable lease requests, whole desk, 64 clients",
            "/s",
            whole,
            10_000,
            beside=f"{ratio:.1%} of bare rows in the same run",
        ),
        figure("bare rows of 250 bytes into SQLite, 64 a commit", "/s", bare),
        figure("a turn of the book with nothing due, 6,400 leases", "ms", idle, 1.0, True),
    ]


def _desk(directory: Path) -> tuple[Desk, TenantId]:
    desk = Desk(open_store(directory, None, "bench"), SystemClock(), SystemEntropy())
    desk.call("open_book", Opening())
    card = next(iter(desk.book.rate_cards)).id
    rate = desk.call("propose_rate", ProposeRate(card, "h100-sxm", LeaseClass.ON_DEMAND, 10**9))
    approver = Actor(UserId("us_bench"), None, None, (Role.APPROVER,))
    desk.call("approve_rate", RateRef(rate.id), approver)
    nodes = tuple(
        NewNode(f"n{i}", 8, pod=f"pod-{i // 384}", rack=f"rack-{i // 2}") for i in range(NODES)
    )
    desk.call("declare_supply", DeclareSupply("bench", "h100-sxm", nodes))
    tenant = desk.call("create_tenant", CreateTenant("bench", "Bench", TenantKind.ENTERPRISE))
    return desk, tenant.id


def _requests_per_second(desk: Desk, tenant: TenantId) -> float:
    started = time.perf_counter()
    for first in range(0, LEASES, CLIENTS):
        calls = [
            Call(
                "request_lease",
                RequestLease(
                    "h100-sxm", 1 + (first + n) % 8, LeaseClass.ON_DEMAND, Shape.NODE,
                    tenant_id=tenant,
                ),
            )
            for n in range(CLIENTS)
        ]  # fmt: skip
        for outcome in desk.execute(calls):
            outcome.unwrap()
    return LEASES / (time.perf_counter() - started)


def _idle_turn_ms(desk: Desk) -> float:
    while desk.call("turn", Turn()):
        pass
    desk.call("turn", Turn())
    started = time.perf_counter()
    for _ in range(20):
        desk.call("turn", Turn())
    return 1_000 * (time.perf_counter() - started) / 20


def _bare_rows_per_second(path: Path) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, body TEXT)")
    started = time.perf_counter()
    for first in range(0, LEASES, CLIENTS):
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO bare VALUES (?, ?)", [(first + n, "x" * 250) for n in range(CLIENTS)]
        )
        connection.execute("COMMIT")
    rows = LEASES / (time.perf_counter() - started)
    connection.close()
    return rows
