"""Following notices when the server comes and goes: nothing twice, nothing missed."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from comptoir.client import Client
from comptoir.units.errors import Invalid, Unauthenticated, Unavailable
from tests.api.world import KIND, World, open_world
from tests.client.test_wire import Scripted

BEGIN = b"id: nt_0\nretry: 1000\n\n"


def told(*numbers: int) -> bytes:
    """Notices as a server says them."""
    said = [
        {"id": f"nt_{n}", "type": "quota.set", "data": {"says": "", "next": "", "n": n}}
        for n in numbers
    ]
    return b"".join(
        f"id: {notice['id']}\ndata: {json.dumps(notice)}\n\n".encode() for notice in said
    )


def ended(code: str, status: int) -> bytes:
    problem = {"code": code, "status": status, "detail": "so it is", "next": "", "facts": {}}
    return f"event: end\ndata: {json.dumps(problem)}\n\n".encode()


@pytest.fixture
def server() -> Iterator[Scripted]:
    scripted = Scripted()
    thread = threading.Thread(target=scripted.serve_forever, daemon=True)
    thread.start()
    yield scripted
    scripted.shutdown()
    scripted.server_close()


def streams(server: Scripted, *bodies: bytes) -> None:
    server.script += [(200, {"Content-Type": "text/event-stream"}, body) for body in bodies]


def numbers(client: Client, count: int, **words: Any) -> list[int]:
    found = client.feed.follow(pause=lambda _: None, **words)
    return [next(found)["data"]["n"] for _ in range(count)]


def asked_after(server: Scripted) -> list[str | None]:
    queries = [parse_qs(urlsplit(path).query) for _, path, *_ in server.asked]
    return [query.get("after", [None])[0] for query in queries]


def test_each_connection_goes_on_after_the_last_notice(server: Scripted) -> None:
    streams(server, BEGIN + told(1, 2))
    server.hangs_up()
    streams(
        server,
        BEGIN + told(3) + ended("too_slow", 503),
        BEGIN + ended("stopping", 503),
        BEGIN + b": still here\n\nid: nt_9\n: still here\n\n",
        told(12) + b"id: nt_14\ndata: {\"broken",
        told(13),
    )  # fmt: skip
    client = Client(server.url, "ck_x", retries=0)
    assert numbers(client, 5, last=2) == [1, 2, 3, 12, 13]
    assert asked_after(server) == [None, "nt_2", "nt_2", "nt_3", "nt_0", "nt_9", "nt_12"]


def test_the_place_is_known_before_the_first_notice(server: Scripted) -> None:
    streams(server, b"id: nt_40\nretry: 1000\n\n", BEGIN + told(41))
    assert numbers(Client(server.url, "ck_x"), 1) == [41]
    assert asked_after(server) == [None, "nt_40"]


def test_a_key_that_is_revoked_ends_the_following(server: Scripted) -> None:
    streams(server, BEGIN + told(1) + ended("key_revoked", 401))
    with pytest.raises(Unauthenticated, match="key_revoked"):
        numbers(Client(server.url, "ck_x"), 2)


def test_a_server_that_stays_away_is_given_up(server: Scripted) -> None:
    streams(server, BEGIN + told(1))
    for _ in range(3):
        server.hangs_up()
    heard: list[str] = []
    client = Client(server.url, "ck_x", retries=0)
    following = client.feed.follow(
        lost_for_s=0.05, lost=lambda error: heard.append(error.code), pause=threading.Event().wait
    )
    assert next(following)["data"]["n"] == 1
    with pytest.raises(Unavailable, match="connection_lost"):
        next(following)
    assert heard == ["connection_lost"]


def test_a_line_without_end_is_no_feed(server: Scripted) -> None:
    streams(server, b"data: " + b"x" * (2 << 20))
    with pytest.raises(Unavailable):
        list(Client(server.url, "ck_x").feed.read())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data: Path = tmp_path_factory.mktemp("post")
    with open_world(data) as opened:
        yield opened


def test_a_real_server_is_read_and_followed(world: World) -> None:
    member = Client(world.url, world.people["member"].secret)
    following = member.feed.follow(["lease.*"], after="nt_0")
    lease = member.leases.request(KIND, 1, "spot")
    heard = [next(following)["type"] for _ in range(2)]
    assert heard == ["lease.scheduled", "lease.active"]
    read = list(member.feed.read(subject=lease["id"], last=10))
    assert [notice["type"] for notice in read] == heard
    assert list(member.feed.read(after=read[-1]["id"])) == []
    with pytest.raises(Invalid, match="unknown_notice_type"):
        next(member.feed.follow(["leases"]))
