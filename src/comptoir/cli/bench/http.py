"""Over HTTP, one server process: durable lease requests, pages of a list, and its memory."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

from comptoir.cli.bench.figures import Figure, Findings, figure
from comptoir.cli.bench.load import Load, Measured
from comptoir.cli.bench.server import Server, open_for_business, running_server

CONNECTIONS = 64
RUNS = 3
SECONDS = 4.0
LEASES = 10_000
NODES = 3_072
NODES_FOR_REQUESTS = 12_800
"""So many that no run fills them: requests that wait cost otherwise than those that do not."""


def measure() -> Findings:
    """Requests a second, pages a second, megabytes."""
    with running_server() as server:
        post = _open(server, NODES_FOR_REQUESTS)
        written = [_run(post) for _ in range(RUNS)]
    with running_server() as server:
        post = _open(server, NODES)
        _fill(server, post)
        page = Load(server.port, "/v1/leases?limit=50", post.key, "", CONNECTIONS, SECONDS)
        read = [_run(page) for _ in range(RUNS)]
        memory = server.resident_mb()
        beside = [_run_beside_writers(page, post) for _ in range(RUNS)]
    requests = _rate("durable lease requests over HTTP, 64 connections", written, 1_000)
    pages = _rate("a page of 50 out of 10,000 leases", read, 500)
    steady = _rate("the same while 8 connections request leases", beside, 500)
    held = figure("control plane with 10,000 leases, resident", "MB", [memory], 200, True)
    return Findings(
        [requests, pages, steady, held],
        {
            "leases_per_s": requests.median,
            "pages_per_s": pages.median,
            "pages_per_s_under_writes": steady.median,
            "resident_mb": memory,
        },
    )


def _rate(what: str, runs: list[Measured], goal: float) -> Figure:
    p50 = sorted(run.p50_ms for run in runs)[len(runs) // 2]
    p99 = sorted(run.p99_ms for run in runs)[len(runs) // 2]
    failed = sum(run.failed for run in runs)
    return figure(
        what,
        "/s",
        [run.per_second for run in runs],
        goal,
        beside=f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, {failed} failed",
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


def _fill(server: Server, post: Load) -> None:
    """Go on, a little at a time, until the book holds at least 10,000 live leases."""
    little = replace(post, seconds=0.25)
    while sum(server.client.status()["leases"].values()) < LEASES:
        if _run(little).per_second == 0:
            return


def _run_beside_writers(page: Load, post: Load) -> Measured:
    """Pages while the book changes all the time, so that none can be kept."""
    with ThreadPoolExecutor(1) as beside:
        writers = beside.submit(_run, replace(post, connections=8))
        measured = _run(page)
        writers.result()
    return measured


def _run(load: Load) -> Measured:
    done = subprocess.run(
        [sys.executable, "-c", "from comptoir.cli.bench.load import main; main()"],
        input=json.dumps(asdict(load)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return Measured(**json.loads(done.stdout))
