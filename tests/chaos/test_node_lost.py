"""This machine is said to be dead while a job runs on it, under a real server and engine.

The job is ended and never billed past the failure; the machine comes back only through its own
checks; the job then runs again by itself, also when the server was killed in between.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.server import Server, open_shop

COMMAND = ["/bin/sh", "-c", "echo started; sleep 600"]


def eventually(ask: Callable[[], Any], wanted: Callable[[Any], bool], within_s: float = 30) -> Any:
    deadline = time.monotonic() + within_s
    while not wanted(said := ask()):
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    return said


@pytest.mark.parametrize("killed", [False, True])
def test_a_lost_machine_comes_back_through_its_checks_and_the_job_goes_on(
    tmp_path: Path, killed: bool
) -> None:
    server = Server(tmp_path / "post")
    server.start()
    try:
        customer_key, _ = open_shop(server)
        operator, customer = server.client(), server.client(customer_key)
        lease = customer.leases.request("cpu-core", 1, "on_demand", notice_s=1)
        job = customer.jobs.submit(lease["id"], COMMAND)
        eventually(lambda: customer.jobs.log(job["id"]).data, lambda said: b"started" in said)
        (node,) = operator.fleet.nodes()
        operator.fleet.fail(node["id"], "somebody tripped over the cable")
        eventually(
            lambda: customer.jobs.get(job["id"])["attempt_list"][0]["state"],
            lambda state: state == "exited",
        )
        assert customer.jobs.get(job["id"])["state"] == "queued"
        (row,) = customer.leases.breaches(lease["id"])
        assert (row["cause"], row["broken_until"]) == ("node_failed", None)
        if killed:
            server.kill()
            server.start()
        operator.fleet.repair(node["id"])
        eventually(
            lambda: operator.fleet.node(node["id"])["state"], lambda state: state == "in_service"
        )
        checked = {row["name"]: row["outcome"] for row in operator.fleet.checks(node["id"])}
        assert checked == dict.fromkeys(
            ("sandbox", "cores", "memory", "arithmetic", "disk"), "passed"
        )
        again = eventually(
            lambda: customer.jobs.get(job["id"]),
            lambda said: said["attempts"] == 2 and said["attempt_list"][1]["state"] == "running",
        )
        assert again["state"] == "running"
        (row,) = customer.leases.breaches(lease["id"])
        assert row["broken_until"] is not None
        held = customer.leases.get(lease["id"])["allocations"]
        gaps = [part["delivered_until"] for part in held if part["delivered_until"]]
        assert gaps == [row["broken_from"]]
        customer.leases.end(lease["id"])
        eventually(lambda: customer.leases.get(lease["id"])["state"], lambda s: s == "ended")
    finally:
        server.stop()
