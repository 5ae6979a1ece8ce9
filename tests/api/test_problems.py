"""Bad input gets its own clear problem, and nothing is half done."""

import socket
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from comptoir.api.door import Limits
from tests.api.world import KIND, World, open_world

LEASE = {"kind": KIND, "accelerators": 1, "lease_class": "spot"}

BAD_LEASES: list[tuple[dict[str, Any], int, str]] = [
    ({"accelerators": 0}, 422, "invalid_request"),
    ({"accelerators": -3}, 422, "invalid_request"),
    ({"accelerators": "1"}, 422, "invalid_request"),
    ({"accelerators": 1.5}, 422, "invalid_request"),
    ({"accelerators": True}, 422, "invalid_request"),
    ({"accelerators": 10**30}, 422, "invalid_request"),
    ({"accelerators": None}, 422, "invalid_request"),
    ({"kind": "h900"}, 422, "unknown_kind"),
    ({"kind": ["cpu-core"]}, 422, "invalid_request"),
    ({"lease_class": "gold"}, 422, "invalid_request"),
    ({"lease_class": "internal"}, 409, "class_not_allowed"),
    ({"lease_class": "reserved"}, 422, "window_missing"),
    ({"accelerators": 9_999_999}, 409, "fleet_too_small"),
    ({"colour": "red"}, 422, "invalid_request"),
    ({"name": "x" * 201}, 422, "invalid_request"),
    ({"name": "two\nlines"}, 422, "bad_text"),
    ({"name": "nul\x00"}, 422, "bad_text"),
    ({"starts_at": "tomorrow"}, 422, "bad_instant"),
    ({"starts_at": "2099-01-01T00:00:00"}, 422, "bad_instant"),
    ({"starts_at": "9999-12-31T23:59:59-12:00"}, 422, "bad_instant"),
    ({"starts_at": "9999-12-02T00:00:00Z"}, 422, "bad_instant"),
    ({"starts_at": "9989-12-31T23:00:00Z", "duration_s": 7_200}, 422, "bad_instant"),
    ({"starts_at": "0001-01-01T00:00:00+14:00"}, 422, "bad_instant"),
    ({"starts_at": "2001-01-01T00:00:00Z"}, 422, "start_in_the_past"),
    (
        {"starts_at": "2099-01-02T00:00:00Z", "ends_at": "2099-01-01T00:00:00Z"},
        422,
        "end_before_start",
    ),
    ({"notice_s": -1}, 422, "invalid_request"),
    ({"notice_s": 10**9}, 422, "out_of_range"),
    ({"shape": "planet"}, 422, "invalid_request"),
    ({"tenant": "acme or zenith"}, 422, "invalid_request"),
    ({"tenant": "zenith"}, 404, "not_found"),
]


@pytest.mark.parametrize(("change", "status", "code"), BAD_LEASES)
def test_an_impossible_lease_is_refused_in_words_and_leaves_nothing(
    world: World, change: dict[str, Any], status: int, code: str
) -> None:
    member = world.people["member"]
    before = member.get("/v1/events?limit=1").ok()["items"]
    problem = member.post("/v1/leases", {**LEASE, **change}).refused(status, code)
    assert problem["detail"]
    if code == "invalid_request":
        assert problem["facts"]["field"] == next(iter(change))
    assert member.get("/v1/events?limit=1").ok()["items"] == before


BROKEN_BODIES: list[tuple[bytes, int, str]] = [
    (b"", 422, "invalid_request"),
    (b"{", 400, "malformed_json"),
    (b"null", 422, "invalid_request"),
    (b"[]", 422, "invalid_request"),
    (b'"lease"', 422, "invalid_request"),
    (b"\xff\xfe{}", 400, "malformed_json"),
    (b'{"kind": "\\ud800"}', 422, "invalid_request"),
    (b'{"accelerators": NaN}', 422, "invalid_request"),
    (b'{"accelerators": ' + b"9" * 5_000 + b"}", 400, "malformed_json"),
    (b"[" * 200_000, 400, "malformed_json"),
    (b" " * (1 << 20) + b"{}", 413, "body_too_large"),
]


@pytest.mark.parametrize(("body", "status", "code"), BROKEN_BODIES)
def test_a_broken_body_is_a_problem_not_a_crash(
    world: World, body: bytes, status: int, code: str
) -> None:
    world.people["member"].ask("POST", "/v1/leases", body).refused(status, code)


def test_a_body_that_is_not_json_is_told_so(world: World) -> None:
    said = world.people["member"].ask(
        "POST",
        "/v1/leases",
        b"kind=cpu-core",
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    said.refused(415, "not_json")
    untold = world.people["member"].ask("POST", "/v1/leases", LEASE, {"Content-Type": ""})
    assert "without a Content-Type" in untold.refused(415, "not_json")["detail"]


def test_a_body_that_announces_too_much_is_refused_before_it_comes(world: World) -> None:
    answer = _first_words(world, b"Content-Length: 99999999999\r\n\r\n", hang_up=False)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"body_too_large" in answer


def test_a_caller_who_leaves_in_the_middle_is_no_error_of_the_server(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    _first_words(world, b'Content-Length: 80\r\n\r\n{"kind": ', hang_up=True)
    world.people["member"].get("/v1/whoami").ok()
    time.sleep(0.2)  # until the server has seen that nobody is there
    assert not caplog.records


def _first_words(world: World, rest: bytes, *, hang_up: bool) -> bytes:
    """Begin a request by hand; what is answered before the body has come."""
    parts = urlsplit(world.url)
    assert parts.hostname and parts.port
    head = (
        f"POST /v1/leases HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: Bearer {world.people['member'].secret}\r\n"
        "Content-Type: application/json\r\n"
    )
    with socket.create_connection((parts.hostname, parts.port), 5) as connection:
        connection.sendall(head.encode() + rest)
        if hang_up:
            return b""
        answer = b""
        while b"}}" not in answer and (piece := connection.recv(4_096)):
            answer += piece
        return answer


@pytest.mark.parametrize(
    "path",
    ["/v1/jobs?lease=ID", "/v1/usage?lease=ID", "/v1/usage/summary?lease=ID",
     "/v1/charges?lease=ID", "/v1/breaches?lease=ID", "/v1/keys?user=ID"],
)  # fmt: skip
def test_a_list_of_something_that_is_not_there_is_not_an_empty_list(
    world: World, path: str
) -> None:
    theirs = world.people["stranger"].user_id if "user" in path else world.lease("stranger")["id"]
    for id in ("ls_0000", theirs):
        world.people["admin"].get(path.replace("ID", id)).refused(404, "not_found")
    world.operator.get(path.replace("ID", theirs)).ok()


@pytest.mark.parametrize("price", ["-1", "1e3", "", "free", "1\n", "٣", "1,5"])
def test_a_bad_price_is_refused(world: World, price: str) -> None:
    body = {"kind": KIND, "lease_class": "spot", "price_per_accelerator_hour": price}
    said = world.operator.post("/v1/rate-cards/list/rates", body)
    assert said.refused(422, "bad_price")["facts"]["field"] == "price_per_accelerator_hour"


def test_a_price_that_is_a_number_is_refused(world: World) -> None:
    body = {"kind": KIND, "lease_class": "spot", "price_per_accelerator_hour": 2.41}
    world.operator.post("/v1/rate-cards/list/rates", body).refused(422, "invalid_request")


@pytest.mark.parametrize(
    "id", ["ls_0000", "x", "%00", "..%2F..", "a%20b", "ls_%F0%9F%9A%80", "x" * 200, "'--"]
)
def test_an_id_that_is_none_is_not_found(world: World, id: str) -> None:
    member = world.people["member"]
    for path in (f"/v1/leases/{id}", f"/v1/jobs/{id}", f"/v1/tenants/{id}", f"/v1/invoices/{id}"):
        member.get(path).refused(404, "not_found")
    member.post(f"/v1/leases/{id}/end").refused(404, "not_found")
    member.post(f"/v1/jobs/{id}/cancel").refused(404, "not_found")


def test_unknown_paths_and_methods_are_problems_too(world: World) -> None:
    world.nobody().get("/v2/leases").refused(404, "not_found")
    world.people["member"].get("/v1/leases/").refused(404, "not_found")
    said = world.people["member"].ask("DELETE", "/v1/leases")
    said.refused(405, "method_not_allowed")
    assert said.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "state=gone", "cursor=!!", "cursor=e30", "kind=%00"],
)
def test_a_bad_query_names_its_field(world: World, query: str) -> None:
    said = world.people["member"].get(f"/v1/leases?{query}")
    assert said.status == 422
    assert said.json["code"] in ("invalid_request", "bad_cursor")
    assert said.json["facts"]["field"].split(".")[0] == query.partition("=")[0]


def test_every_answer_carries_the_safety_headers(world: World) -> None:
    for path in ("/healthz", "/v1/leases", "/nowhere"):
        headers = world.nobody().get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


def test_there_are_no_pages_that_load_scripts_from_elsewhere(world: World) -> None:
    for path in ("/docs", "/redoc"):
        world.nobody().get(path).refused(404, "not_found")
    assert world.nobody().get("/openapi.json").ok()["info"]["title"] == "Comptoir"


def test_a_full_queue_is_429_and_a_stopped_desk_503(tmp_path: Any) -> None:
    with open_world(tmp_path, Limits()) as world:
        world.queue._most_waiting = 0
        said = world.people["member"].post("/v1/leases", LEASE)
        said.refused(429, "queue_full")
        assert int(said.headers["retry-after"]) >= 1
        world.queue._most_waiting = 2_048
        world.desk.broken = "for a test"
        said = world.people["member"].post("/v1/leases", LEASE)
        said.refused(503, "desk_stopped")
        assert "retry-after" in said.headers
        health = world.nobody().get("/healthz")
        assert (health.status, health.json) == (503, {"status": "broken"})
        world.people["member"].get("/v1/leases").ok()


def test_a_bug_says_nothing_of_its_insides(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: Any) -> None:
        raise ZeroDivisionError("a secret of the house")

    monkeypatch.setattr("comptoir.store.views.totals.lease_states", break_down)
    said = world.operator.get("/v1/status")
    said.refused(500, "internal_error")
    assert b"secret" not in said.data
    assert said.headers["x-content-type-options"] == "nosniff"
