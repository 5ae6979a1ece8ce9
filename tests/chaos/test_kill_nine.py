"""kill -9 of the server under load: jobs run on, nothing acknowledged is lost."""

import json
import threading
import time
import uuid
from pathlib import Path

import pytest
import urllib3

from tests.chaos.server import Server, open_shop

KILLS = 10
SERVING_AGAIN_S = 5.0
JOB = "import time; [print(n, flush=True) or time.sleep(0.1) for n in range({ticks})]"


class Load:
    """Writers that ask for leases, and remember every acknowledged answer."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key
        self._stop = threading.Event()
        self.acknowledged: dict[str, str] = {}
        self.repeated = 0
        self._threads = [threading.Thread(target=self._write, daemon=True) for _ in range(4)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _write(self) -> None:
        pool = urllib3.PoolManager(retries=False, timeout=10)
        while not self._stop.is_set():
            key = str(uuid.uuid4())
            tries = 0
            while not self._ask(pool, key):  # unknown: the same key asks again, once alive
                tries += 1
                time.sleep(0.05)
                if self._stop.is_set():
                    return
            self.repeated += tries > 0

    def _ask(self, pool: urllib3.PoolManager, key: str) -> bool:
        body = {"kind": "h100-sxm", "accelerators": 1, "lease_class": "spot"}
        try:
            answer = pool.request(
                "POST",
                f"{self._url}/v1/leases",
                body=json.dumps(body),
                headers={
                    "Authorization": f"Bearer {self._key}",
                    "Content-Type": "application/json",
                    "Idempotency-Key": key,
                },
            )
        except urllib3.exceptions.HTTPError:
            return False
        if answer.status != 201:
            return False
        self.acknowledged[key] = answer.json()["id"]
        return True


def test_kill_nine_ten_times_loses_no_job_and_no_acknowledged_write(tmp_path: Path) -> None:
    server = Server(tmp_path / "post")
    server.start()
    try:
        customer_key, finance_key = open_shop(server)
        server.client().supply.declare(
            {"name": "big", "kind": "h100-sxm",
             "nodes": [{"name": f"n{i}", "accelerators": 8} for i in range(64)]}
        )  # fmt: skip
        customer = server.client(customer_key)
        lease = customer.leases.request("cpu-core", 1, "on_demand")
        through = customer.jobs.submit(lease["id"], ["python3", "-c", JOB.format(ticks=250)])
        other = customer.leases.request("cpu-core", 1, "on_demand")
        brief = customer.jobs.submit(other["id"], ["sh", "-c", "sleep 1; exit 7"])
        load = Load(server.url, customer_key)
        restarts = []
        for _ in range(KILLS):
            time.sleep(0.5)
            server.kill()
            restarts.append(server.start())
        load.stop()
        patient = server.client(customer_key, retries=8)
        ended = {job_id: _wait(patient, job_id) for job_id in (through["id"], brief["id"])}
        assert max(restarts) < SERVING_AGAIN_S, restarts
        assert ended[through["id"]]["exit_code"] == 0
        assert ended[brief["id"]]["exit_code"] == 7
        assert [job["attempts"] for job in ended.values()] == [1, 1]
        log = b"".join(patient.jobs.logs(through["id"]))
        assert [int(line) for line in log.split()] == [*range(250)]
        known = {lease["id"] for lease in patient.leases.list()}
        acknowledged = list(load.acknowledged.values())
        assert acknowledged
        assert set(acknowledged) <= known
        assert len(set(acknowledged)) == len(acknowledged)
        asked = sum(1 for lease in patient.leases.list() if lease["kind"] == "h100-sxm")
        assert asked - len(acknowledged) in range(5)  # at most the four asked when it stopped
        proof = server.client(finance_key).ledger.proof()
        assert proof["balanced"]
        assert proof["accelerator_ms_observed"] == proof["accelerator_ms_posted"]
    finally:
        server.stop()


def test_a_graceful_stop_leaves_jobs_running_and_finds_them_again(tmp_path: Path) -> None:
    server = Server(tmp_path / "post")
    server.start()
    try:
        customer_key, _ = open_shop(server)
        customer = server.client(customer_key)
        lease = customer.leases.request("cpu-core", 1, "on_demand")
        job = customer.jobs.submit(lease["id"], ["python3", "-c", JOB.format(ticks=40)])
        _wait(customer, job["id"], "running")
        assert server.stop() == 0
        server.start()
        assert _wait(server.client(customer_key), job["id"])["exit_code"] == 0
        assert server.client(customer_key).jobs.get(job["id"])["attempts"] == 1
    finally:
        server.stop()


def test_the_operators_key_is_for_the_operator_alone_and_one_server_serves(tmp_path: Path) -> None:
    server = Server(tmp_path / "post")
    server.start()
    try:
        assert ((tmp_path / "post" / "operator.key").stat().st_mode & 0o777) == 0o600
        assert ((tmp_path / "post").stat().st_mode & 0o777) == 0o700
        second = Server(tmp_path / "post")
        with pytest.raises(AssertionError, match="data_directory_in_use"):
            second.start(within_s=5)
    finally:
        server.stop()


def _wait(customer, job_id: str, state: str = "") -> dict:  # type: ignore[no-untyped-def, type-arg]
    wanted = {state} if state else {"succeeded", "failed", "cancelled"}
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = customer.jobs.get(job_id)
        if job["state"] in wanted:
            return dict(job)
        time.sleep(0.1)
    raise AssertionError(f"{job_id} is still {job['state']}")
