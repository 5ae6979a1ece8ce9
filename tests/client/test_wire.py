"""What the client sends and how it hears answers, against a server that misbehaves on cue."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from comptoir.client import Client
from comptoir.client.problems import error_of
from comptoir.units.errors import (
    ComptoirError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    Unauthenticated,
    Unavailable,
)

PROBLEM = "application/problem+json"


class Scripted(ThreadingHTTPServer):
    """Answers in the order of `script`; keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[tuple[int, dict[str, str], bytes] | None] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def says(self, status: int, body: Any, **headers: str) -> None:
        kind = PROBLEM if status >= 400 else "application/json"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script.append((status, {"Content-Type": kind, **named}, json.dumps(body).encode()))

    def hangs_up(self) -> None:
        self.script.append(None)


class _Handler(BaseHTTPRequestHandler):
    server: Scripted
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers, body))
        said = self.server.script.pop(0)
        if said is None:
            self.close_connection = True
            return
        status, more, data = said
        self.send_response(status)
        for name, value in {**more, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815  (the base class names them)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Scripted]:
    scripted = Scripted()
    thread = threading.Thread(target=scripted.serve_forever, daemon=True)
    thread.start()
    yield scripted
    scripted.shutdown()
    scripted.server_close()


def client_of(server: Scripted, **words: Any) -> Client:
    return Client(server.url, "ck_test_secret", **words)


def problem(code: str, title: str = "") -> dict[str, Any]:
    return {
        "title": title,
        "detail": "so it is",
        "code": code,
        "next": "mend it",
        "facts": {"n": 1},
    }


@pytest.mark.parametrize(
    ("status", "title", "expected"),
    [
        (400, "", Invalid),
        (422, "", Invalid),
        (413, "", Invalid),
        (401, "", Unauthenticated),
        (403, "", Forbidden),
        (404, "", NotFound),
        (409, "Not in this state", Conflict),
        (409, "Refused", Refused),
        (429, "", Unavailable),
        (503, "", Unavailable),
        (500, "", Unavailable),
    ],
)
def test_a_problem_is_one_of_our_errors(
    server: Scripted, status: int, title: str, expected: type[ComptoirError]
) -> None:
    server.says(status, problem("some_code", title))
    with pytest.raises(expected) as said:
        client_of(server, retries=0).status()
    error = said.value
    assert isinstance(error, ComptoirError)
    assert (type(error), error.code, error.message) == (expected, "some_code", "so it is")
    assert (error.next, error.facts) == ("mend it", {"n": 1})


def test_a_lost_answer_is_asked_for_again_under_the_same_key(server: Scripted) -> None:
    server.hangs_up()
    server.says(409, problem("in_flight"))
    server.says(201, {"id": "ls_1"})
    assert client_of(server).leases.request("cpu-core", 1, "spot")["id"] == "ls_1"
    keys = {headers["idempotency-key"] for _, _, headers, _ in server.asked}
    bodies = {body for *_, body in server.asked}
    assert (len(server.asked), len(keys), len(bodies)) == (3, 1, 1)


def test_a_full_queue_is_asked_again(server: Scripted) -> None:
    server.says(429, problem("queue_full"), Retry_After="0")
    server.says(200, {"status": "ok"})
    assert client_of(server).health() == {"status": "ok"}


def test_two_writes_have_two_keys(server: Scripted) -> None:
    for _ in range(2):
        server.says(201, {"id": "ls_1"})
        client_of(server).leases.request("cpu-core", 1, "spot")
    assert len({headers["idempotency-key"] for _, _, headers, _ in server.asked}) == 2


def test_in_flight_under_a_fresh_key_is_a_conflict(server: Scripted) -> None:
    server.says(409, problem("in_flight"))
    with pytest.raises(Conflict):
        client_of(server).leases.end("ls_1")


def test_lists_turn_their_pages(server: Scripted) -> None:
    server.says(200, {"items": [{"id": "a"}], "next_cursor": "more"})
    server.says(200, {"items": [{"id": "b"}], "next_cursor": None})
    found = client_of(server).leases.list(states=("waiting", "active"))
    assert [item["id"] for item in found] == ["a", "b"]
    assert "state=waiting&state=active" in server.asked[0][1]
    assert "cursor=more" in server.asked[1][1]


def test_a_redirect_is_not_followed_with_our_key(server: Scripted) -> None:
    server.script.append((302, {"Location": "http://127.0.0.1:1/steal"}, b""))
    with pytest.raises(Unavailable) as said:
        client_of(server).status()
    assert said.value.code == "not_comptoir"
    assert len(server.asked) == 1


def test_another_program_at_this_address_is_named_as_such(server: Scripted) -> None:
    server.script.append((200, {"Content-Type": "text/html"}, b"<html>"))
    with pytest.raises(Unavailable, match="text/html") as said:
        client_of(server).status()
    assert said.value.code == "not_comptoir"


def test_nobody_at_home_says_what_to_do() -> None:
    with pytest.raises(Unavailable) as said:
        Client("http://127.0.0.1:1", "ck_x", retries=0).status()
    assert said.value.code == "server_unreachable"
    assert "comptoir up" in said.value.next


@pytest.mark.parametrize("id", ["", ".", ".."])
def test_an_id_stays_one_segment(server: Scripted, id: str) -> None:
    with pytest.raises(Invalid):
        client_of(server).leases.get(id)


def test_an_id_is_escaped(server: Scripted) -> None:
    server.says(404, problem("not_found"))
    with pytest.raises(NotFound):
        client_of(server).leases.get("../users?x=1#y")
    assert server.asked[0][1] == "/v1/leases/..%2Fusers%3Fx%3D1%23y"


@pytest.mark.parametrize("url", ["ftp://x", "x.example.org", "http://", "http://x?y=1", ""])
def test_an_address_is_judged_before_anything_is_sent(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPTOIR_URL", "nonsense")
    with pytest.raises(Invalid) as said:
        Client(url, "ck_x")
    assert said.value.code == "bad_url"


def test_without_a_key_one_is_told_to_log_in() -> None:
    problem = {"code": "key_missing", "detail": "this needs an API key", "next": "send a header"}
    error = error_of(
        401,
        {"content-type": "application/problem+json"},
        json.dumps(problem).encode(),
        "https://post.example",
    )
    assert isinstance(error, Unauthenticated)
    assert "comptoir login https://post.example" in error.next
