"""The desk in process: durable lease requests from 64 clients, beside bare rows in SQLite."""

import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path

from comptoir.assembly import SystemClock, SystemEntropy, loading_a_book
from comptoir.cli.bench.figures import Findings, figure, percentile
from comptoir.desk.desk import Call, Desk
from comptoir.desk.ports import Clock
from comptoir.desk.queue import DeskQueue
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
from comptoir.placement.compiled import can_compile
from comptoir.placement.warming import warmed
from comptoir.store.opening import open_store
from comptoir.tenants.parties import Actor, Role, TenantKind
from comptoir.units.ids import TenantId, UserId

CLIENTS = 64
LEASES = 6_400
RUNS = 3
NODES = 3_072
NODES_A_SUPPLY = 12_800


def measure(nodes: int = NODES) -> Findings:
    """Requests a second through the whole desk, the same with their handing over, bare rows."""
    whole, served, bare, idle = [], [], [], []
    waits, costs = list[float](), list[float]()
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as directory:
            desk, tenant = fresh_desk(Path(directory) / "one", nodes)
            spent = time.process_time()
            whole.append(_requests_per_second(desk, tenant, waits))
            costs.append(1e6 * (time.process_time() - spent) / LEASES)
            idle.append(_idle_turn_ms(desk))
            desk.store.close()
            desk, tenant = fresh_desk(Path(directory) / "two", nodes)
            served.append(asyncio.run(_served_per_second(desk, tenant)))
            desk.store.close()
            bare.append(_bare_rows_per_second(Path(directory) / "bare.db"))
    ratio = sorted(whole)[RUNS // 2] / sorted(bare)[RUNS // 2]
    waits.sort()
    p50, p99 = percentile(waits, 500), percentile(waits, 990)
    of_fleet = f"{CLIENTS} clients, {nodes:,} nodes"
    requests = figure(
        f"durable lease requests, whole desk, {of_fleet}",
        "/s",
        whole,
        10_000,
        beside=f"p50 {p50:.1f} ms, p99 {p99:.1f} ms; {ratio:.1%} of bare rows in the same run; "
        f"{desk.kernels.name} kernels",
    )
    cost = figure("processor time of a request in process, its commit included", "us", costs)
    handed = figure("the same through the desk's queue, and handed over", "/s", served)
    rows = figure("bare rows of 250 bytes into SQLite, 64 a commit", "/s", bare)
    turn = figure(f"a turn of the book with nothing due, {LEASES:,} leases", "ms", idle, 1.0, True)
    return Findings(
        [requests, handed, rows, cost, turn],
        {
            "decisions_per_s": requests.median,
            "p50_ms": p50,
            "p99_ms": p99,
            "processor_us": cost.median,
            "handed_over_per_s": handed.median,
        },
    )


def fresh_desk(directory: Path, nodes: int) -> tuple[Desk, TenantId]:
    """A desk on a new book with a fleet, prices and a customer."""
    directory.mkdir()
    with loading_a_book():
        return _opened(directory, nodes)


def fastest_desk(directory: Path, clock: Clock) -> Desk:
    """A desk on a new book, with the kernels that a server of a large fleet changes over to."""
    desk = Desk(open_store(directory, None, "bench"), clock, SystemEntropy())
    if can_compile():
        desk.use(warmed())
    return desk


def _opened(directory: Path, nodes: int) -> tuple[Desk, TenantId]:
    desk = fastest_desk(directory, SystemClock())
    desk.call("open_book", Opening())
    card = next(iter(desk.book.money.rate_cards)).id
    rate = desk.call("propose_rate", ProposeRate(card, "h100-sxm", LeaseClass.ON_DEMAND, 10**9))
    approver = Actor(UserId("us_bench"), None, None, (Role.APPROVER,))
    desk.call("approve_rate", RateRef(rate.id), approver)
    for first in range(0, nodes, NODES_A_SUPPLY):
        supply = tuple(
            NewNode(f"n{i}", 8, pod=f"pod-{i // 384}", rack=f"rack-{i // 2}")
            for i in range(first, min(nodes, first + NODES_A_SUPPLY))
        )
        desk.call("declare_supply", DeclareSupply(f"bench-{first}", "h100-sxm", supply))
    tenant = desk.call("create_tenant", CreateTenant("bench", "Bench", TenantKind.ENTERPRISE))
    return desk, tenant.id


def _request(number: int, tenant: TenantId) -> Call:
    """One of `LEASES` requests, of 1 to 8 accelerators."""
    wanted = RequestLease(
        "h100-sxm", 1 + number % 8, LeaseClass.ON_DEMAND, Shape.NODE, tenant_id=tenant
    )
    return Call("request_lease", wanted)


def _requests_per_second(desk: Desk, tenant: TenantId, waits: list[float]) -> float:
    """Every client asks as soon as it is answered, so a batch is one request of each."""
    started = time.perf_counter()
    for first in range(0, LEASES, CLIENTS):
        asked = time.perf_counter()
        for outcome in desk.execute([_request(first + n, tenant) for n in range(CLIENTS)]):
            outcome.unwrap()
        waits += [1_000 * (time.perf_counter() - asked)] * CLIENTS
    return LEASES / (time.perf_counter() - started)


async def _served_per_second(desk: Desk, tenant: TenantId) -> float:
    """As a server does it: from an event loop to the desk's own thread, turns included."""
    queue = DeskQueue(desk)
    queue.start()

    async def client(number: int) -> None:
        for each in range(number, LEASES, CLIENTS):
            (await queue.ask(_request(each, tenant))).unwrap()

    started = time.perf_counter()
    await asyncio.gather(*map(client, range(CLIENTS)))
    took = time.perf_counter() - started
    queue.stop()
    return LEASES / took


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
