"""A `comptoir up` of the bench's own: a process, a data directory, a key, and an end."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from comptoir.api.serving import pick_port
from comptoir.assembly import OPERATOR_KEY_FILE
from comptoir.client import Client
from comptoir.units.errors import ComptoirError, Unavailable

START_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and its operator's client."""

    process: subprocess.Popen[bytes]
    port: int
    key: str
    client: Client

    def resident_mb(self) -> float:
        """The process's resident memory, in megabytes (10^6)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1_024 / 1e6

    def processor_s(self) -> float:
        """The process's processor time so far, all of its threads, in seconds."""
        after_name = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server on a free port, and stop it."""
    with tempfile.TemporaryDirectory(prefix="comptoir-bench-") as directory:
        port = pick_port("127.0.0.1", 0)
        process = subprocess.Popen(
            [sys.executable, "-m", "comptoir", "up", "--data", directory,
             "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        try:
            yield _ready(process, port, Path(directory) / OPERATOR_KEY_FILE)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def _ready(process: subprocess.Popen[bytes], port: int, key_file: Path) -> Server:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if key_file.exists():
            key = key_file.read_text().strip()
            client = Client(f"http://127.0.0.1:{port}", key)
            try:
                client.health()
            except ComptoirError:
                pass
            else:
                return Server(process, port, key, client)
        time.sleep(0.05)
    raise Unavailable("bench_server", "the server did not start")


def open_for_business(client: Client, url: str, kind: str, lease_class: str) -> str:
    """An approved rate and a customer; returns the customer's key."""
    card = next(iter(client.rate_cards.list()))["id"]
    rate = client.rate_cards.propose(card, kind, lease_class, "2.41")
    approver = client.users.create("bench approver", ["approver"])
    Client(url, client.keys.issue(approver["id"])["secret"]).rate_cards.approve(rate["id"])
    tenant = client.tenants.create("bench", "Bench", "enterprise")
    user = client.users.create("bench customer", ["tenant_member"], tenant["id"])
    return str(client.keys.issue(user["id"])["secret"])
