"""From submitted to running on an idle node: the time a person waits."""

import time

from comptoir.cli.bench.figures import Findings, figure
from comptoir.cli.bench.server import open_for_business, running_server
from comptoir.client import Client

RUNS = 9
PATIENCE_S = 20.0


def measure() -> Findings:
    """Seconds from submitting a job to its first sight running; the sandbox included."""
    with running_server() as server:
        url = f"http://127.0.0.1:{server.port}"
        customer = Client(url, open_for_business(server.client, url, "cpu-core", "on_demand"))
        lease = customer.leases.request(kind="cpu-core", accelerators=1, lease_class="on_demand")
        waits = []
        for _ in range(RUNS):
            started = time.perf_counter()
            job = customer.jobs.submit(lease["id"], ["true"])
            while customer.jobs.get(job["id"])["attempts"] == 0 or not _started(
                customer, job["id"]
            ):
                if time.perf_counter() - started > PATIENCE_S:
                    break
                time.sleep(0.002)
            waits.append(time.perf_counter() - started)
    found = figure("submitted to running on an idle node", "s", waits, 1.0, True)
    return Findings([found], {"submitted_to_running_s": found.median})


def _started(customer: Client, job_id: str) -> bool:
    attempts = customer.jobs.get(job_id)["attempt_list"]
    return any(attempt["started_at"] for attempt in attempts)
