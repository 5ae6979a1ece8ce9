"""A port that is asked for by number is that port or a refusal."""

import socket

import pytest

from comptoir.api.serving import claim_port, listen_on, pick_port
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


def test_a_port_that_was_free_for_two_is_held_by_one() -> None:
    free = claim_port("127.0.0.1", 0)
    with socket.socket() as bound:  # another server that has come as far, and does not listen yet
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", free))
        with listen_on("127.0.0.1", free) as first:
            assert first.getsockname()[1] == free
            with pytest.raises(Conflict, match="port_taken"):
                listen_on("127.0.0.1", free)
            with listen_on("127.0.0.1", free, or_another=True) as second:
                assert second.getsockname()[1] not in (0, free)
    with pytest.raises(Invalid, match="bad_host"):
        listen_on("192.0.2.1", 0, or_another=True)
