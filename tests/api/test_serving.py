"""A key never travels in the clear by accident; a taken port is no obstacle."""

import socket
import subprocess
import sys

import pytest

from comptoir.api.serving import pick_port, refuse_insecure_bind
from comptoir.units.errors import Invalid


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_needs_nothing(host: str) -> None:
    refuse_insecure_bind(host, behind_proxy=False, tls=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", ""])
def test_elsewhere_wants_tls_or_a_proxy(host: str) -> None:
    with pytest.raises(Invalid, match="insecure_bind"):
        refuse_insecure_bind(host, behind_proxy=False, tls=False)
    refuse_insecure_bind(host, behind_proxy=True, tls=False)
    refuse_insecure_bind(host, behind_proxy=False, tls=True)


def test_a_taken_port_gives_way_to_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert pick_port("127.0.0.1", port) not in (0, port)
    assert pick_port("127.0.0.1", port) == port


def test_a_signal_that_comes_before_the_server_has_started_is_not_lost() -> None:
    lines = (
        "import os, signal, uvicorn",
        "from comptoir.api import serving",
        "run = uvicorn.Server.run",
        "def late(server, sockets):",
        "    os.kill(os.getpid(), signal.SIGTERM)",
        "    run(server, sockets)",
        "uvicorn.Server.run = late",
        "serving.serve(None, serving.listen_on('127.0.0.1', 0))",
        "print('closed')",
    )
    ended = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (0, "closed\n"), ended.stderr
