"""A key never travels in the clear by accident; a taken port is no obstacle."""

import socket

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
