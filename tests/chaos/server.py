"""A real `comptoir up` that tests start, kill and start again on the same data."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from comptoir import Client
from comptoir.units.errors import ComptoirError


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One data directory, one port, and a process that comes and goes."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def operator_key(self) -> str:
        return (self.data / "operator.key").read_text().strip()

    def start(self, within_s: float = 20.0) -> float:
        """Start and wait until it serves; returns the seconds that took."""
        started = time.monotonic()
        with (self.data.parent / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "comptoir", "up", "--data", str(self.data),
                 "--port", str(self.port), *self.arguments],
                stdout=log, stderr=log, env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        while time.monotonic() - started < within_s:
            with contextlib.suppress(ComptoirError, OSError):
                Client(self.url, "ck_none_none", retries=0).health()
                return time.monotonic() - started
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        log_text = (self.data.parent / "server.log").read_text()[-3_000:]
        raise AssertionError(f"the server did not start: {log_text}")

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def client(self, key: str | None = None, **patience: float) -> Client:
        return Client(self.url, key or self.operator_key, **patience)  # type: ignore[arg-type]


def open_shop(server: Server) -> tuple[str, str]:
    """Prices for cores, a customer and a finance user; returns their keys."""
    operator = server.client()
    card = next(iter(operator.rate_cards.list()))["id"]
    finance = operator.users.create("finance", ["finance", "approver"])
    finance_key = operator.keys.issue(finance["id"])["secret"]
    for kind in ("cpu-core", "h100-sxm"):
        for lease_class in ("spot", "on_demand"):
            rate = operator.rate_cards.propose(card, kind, lease_class, "36.00")
            server.client(finance_key).rate_cards.approve(rate["id"])
    tenant = operator.tenants.create("acme", "Acme", "enterprise")
    user = operator.users.create("customer", ["tenant_member"], tenant["id"])
    return operator.keys.issue(user["id"])["secret"], finance_key
