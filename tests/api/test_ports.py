"""A port that is asked for by number is that port or a refusal."""

import socket

import pytest

from comptoir.api.serving import claim_port, pick_port
from comptoir.units.errors import Conflict, Invalid


def test_a_port_asked_for_and_taken_is_refused_and_the_default_moves() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(Conflict, match=f"port_taken: .*{taken}"):
            claim_port("127.0.0.1", taken)
        assert pick_port("127.0.0.1", taken) not in (0, taken)
    assert claim_port("127.0.0.1", taken) == taken
    with pytest.raises(Invalid, match="bad_host"):
        claim_port("192.0.2.1", 0)
