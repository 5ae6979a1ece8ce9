"""Over HTTP, one server process: durable lease requests, pages of a list, and its memory."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from statistics import median

from comptoir.cli.bench.figures import Figure, Findings, figure
from comptoir.cli.bench.load import Load, Measured
from comptoir.cli.bench.server import Server, open_for_business, running_server

CONNECTIONS = 64
CONNECTIONS_OF_BATCHES = 4
BATCH = 100
RUNS = 3
SECONDS = 4.0
SECONDS_OF_BATCHES = 2.0
"""Shorter: a tenant has at most 100,000 live leases."""
LEASES = 10_000
NODES = 3_072
NODES_FOR_REQUESTS = 12_800
"""So many that no run fills them: requests that wait cost otherwise than those that do not."""


@dataclass(frozen=True, slots=True)
class _Run:
    """What a load measured, and the server's processor time a thing that was done."""

    measured: Measured
    processor_us: float


def measure() -> Findings:
    """Requests a second, pages a second, processor time of each, megabytes."""
    with running_server() as server:
        post = _open(server, NODES_FOR_REQUESTS)
        written = [_run(server, post) for _ in range(RUNS)]
    with running_server() as server:
        many = _in_batches(_open(server, NODES_FOR_REQUESTS))
        batched = [_run(server, many) for _ in range(RUNS)]
    with running_server() as server:
        post = _open(server, NODES)
        _fill(server, post)
        page = Load(server.port, "/v1/leases?limit=50", post.key, "", CONNECTIONS, SECONDS)
        read = [_run(server, page) for _ in range(RUNS)]
        memory = server.resident_mb()
        beside = [_run_beside_writers(server, page, post) for _ in range(RUNS)]
    requests = _rate("durable lease requests over HTTP, 64 connections", written, 5_000)
    batches = _rate("the same in batches of 100, 4 connections", batched, 15_000)
    pages = _rate("a page of 50 out of 10,000 leases", read, 1_000)
    steady = _rate("the same while 8 connections request leases", beside, 500)
    held = figure("control plane with 10,000 leases, resident", "MB", [memory], 200, True)
    return Findings(
        [requests, batches, pages, steady, held],
        {
            "leases_per_s": requests.median,
            "leases_per_s_in_batches": batches.median,
            "pages_per_s": pages.median,
            "pages_per_s_under_writes": steady.median,
            "processor_us_a_lease": median(run.processor_us for run in written),
            "processor_us_a_lease_in_batches": median(run.processor_us for run in batched),
            "processor_us_a_page": median(run.processor_us for run in read),
            "resident_mb": memory,
        },
    )


def _rate(what: str, runs: list[_Run], goal: float) -> Figure:
    p50 = median(run.measured.p50_ms for run in runs)
    p99 = median(run.measured.p99_ms for run in runs)
    cost = median(run.processor_us for run in runs)
    failed = sum(run.measured.failed for run in runs)
    return figure(
        what,
        "/s",
        [run.measured.per_second for run in runs],
        goal,
        beside=f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, {failed} failed; "
        f"{cost:.0f} us of the server's processor time each",
    )


def _open(server: Server, nodes: int) -> Load:
    """A fleet and a customer; the load of its requests."""
    url = f"http://127.0.0.1:{server.port}"
    key = open_for_business(server.client, url, "h100-sxm", "on_demand")
    server.client.supply.declare(
        {
            "name": "bench",
            "kind": "h100-sxm",
            "nodes": [
                {"name": f"n{i}", "accelerators": 8, "pod": f"pod-{i // 384}",
                 "rack": f"rack-{i // 2}"}
                for i in range(nodes)
            ],
        }
    )  # fmt: skip
    body = {"kind": "h100-sxm", "accelerators": 1, "lease_class": "on_demand", "shape": "node"}
    return Load(server.port, "/v1/leases", key, json.dumps(body), CONNECTIONS, SECONDS)


def _in_batches(post: Load) -> Load:
    """The same requests, a hundred in one body."""
    body = f'{{"items": [{", ".join([post.body] * BATCH)}]}}'
    return replace(
        post,
        path="/v1/batch/leases",
        body=body,
        connections=CONNECTIONS_OF_BATCHES,
        seconds=SECONDS_OF_BATCHES,
        items=BATCH,
    )


def _fill(server: Server, post: Load) -> None:
    """Go on, a little at a time, until the book holds at least 10,000 live leases."""
    little = replace(post, seconds=0.25)
    while sum(server.client.status()["leases"].values()) < LEASES:
        if _load(little).done == 0:
            return


def _run_beside_writers(server: Server, page: Load, post: Load) -> _Run:
    """Pages while the book changes all the time, so that none can be kept."""
    with ThreadPoolExecutor(1) as beside:
        writers = beside.submit(_load, replace(post, connections=8))
        measured = _run(server, page)
        writers.result()
    return measured


def _run(server: Server, load: Load) -> _Run:
    before = server.processor_s()
    measured = _load(load)
    spent = server.processor_s() - before
    return _Run(measured, 1e6 * spent / max(measured.done, 1))


def _load(load: Load) -> Measured:
    done = subprocess.run(
        [sys.executable, "-c", "from comptoir.cli.bench.load import main; main()"],
        input=json.dumps(asdict(load)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return Measured(**json.loads(done.stdout))
