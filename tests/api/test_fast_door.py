"""The fast door and FastAPI's say the same, byte for byte: status, headers, body.

Two posts with the same clock, ids and secrets are asked the same things in the same order,
one with the fast door in front and one without.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from comptoir.api.app import Outermost, bare_app, create_app
from comptoir.api.door import Door, Limits
from comptoir.api.routes import ROUTES
from comptoir.desk.desk import Call, Outcome
from comptoir.desk.queue import DeskQueue
from comptoir.desk.requests import IssueKey
from comptoir.leases.lease import LeaseClass
from comptoir.store.views import Views
from comptoir.tenants.parties import Role
from tests.builders import START_MS, Book, a_sender

LIMITS = Limits(body_bytes=4_096)
JSON = "application/json"
LEASE = {"kind": "cpu-core", "accelerators": 1, "lease_class": "spot"}
Said = tuple[int, list[tuple[bytes, bytes]], bytes]


class _AtOnce(DeskQueue):
    """What is asked is a batch of its own, in the caller's thread: both posts stay in step."""

    async def ask_together(self, calls: Sequence[Call]) -> Sequence[Outcome]:
        return self.desk.execute(calls)


@dataclass
class Post:
    """One trading post and the two ways into it; `handed_on` counts what FastAPI got."""

    book: Book
    app: Any
    keys: dict[str, str]
    handed_on: int = 0


@dataclass
class Pair:
    """The post with the fast door, and the one without."""

    fast: Post
    slow: Post
    lease: str = ""
    other: str = ""
    """Active leases of acme; a test may end the other."""
    usage: dict[str, Any] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | dict[str, Any] | None = None,
        who: str = "member",
        query: str = "",
        headers: dict[str, str] | None = None,
        pieces: int = 1,
    ) -> Said:
        """Ask both; what they said, which must be the same."""
        said = {"authorization": f"Bearer {self.fast.keys[who]}"} if who else {}
        if body is not None:
            said["content-type"] = JSON
        said.update(headers or {})
        raw = json.dumps(body).encode() if isinstance(body, dict) else body or b""
        given = [(k.encode(), v.encode("latin-1")) for k, v in said.items() if v]
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "path": path,
            "raw_path": path.encode(), "query_string": query.encode("latin-1"), "headers": given,
            "scheme": "http", "root_path": "", "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2), "asgi": {"version": "3.0"},
        }  # fmt: skip
        answers = [
            asyncio.run(_ask(post.app, dict(scope), raw, pieces)) for post in (self.fast, self.slow)
        ]
        assert answers[0] == answers[1], (method, path, query, raw[:200], said)
        return answers[0]


async def _ask(app: Any, scope: dict[str, Any], body: bytes, pieces: int) -> Said:
    size = max(1, -(-len(body) // pieces))
    chunks = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    messages = [
        {"type": "http.request", "body": chunk, "more_body": n < len(chunks) - 1}
        for n, chunk in enumerate(chunks)
    ]
    heard: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        heard.append(message)

    await app(scope, receive, send)
    text = b"".join(message.get("body", b"") for message in heard[1:])
    return heard[0]["status"], list(heard[0]["headers"]), text


def _post(directory: Path, fast: bool) -> Post:
    directory.mkdir()
    book = Book(directory)
    book.price_all()
    book.supply(8)
    acme = book.tenant("acme")
    keys = {"operator": book.desk.call("issue_key", IssueKey(book.operator.user_id)).secret}
    for name, role in (("member", Role.TENANT_MEMBER), ("reader", Role.TENANT_READ_ONLY)):
        user = book.user(role, tenant=acme)
        keys[name] = book.desk.call("issue_key", IssueKey(user.user_id)).secret
    queue, views = _AtOnce(book.desk), Views(book.store.engine)
    if fast:
        post = Post(book, create_app(queue, views, {}, a_sender(), limits=LIMITS), keys)
        front = post.app._app
        inner = front._app

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            post.handed_on += 1
            await inner(scope, receive, send)

        front._app = counted
        return post
    app = bare_app()
    app.state.door = Door(queue, views, {}, a_sender(), app.version, limits=LIMITS)
    return Post(book, Outermost(app), keys)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    directory = tmp_path_factory.mktemp("pair")
    made = Pair(_post(directory / "fast", True), _post(directory / "slow", False))
    for post in (made.fast, made.slow):
        acme = next(t for t in post.book.desk.book.tenants if t.slug == "acme")
        made.lease, made.other = (post.book.lease(acme, LeaseClass.SPOT, 1).id for _ in "ab")
        post.book.pass_s(60)
    made.usage = {
        "event_id": "e-1",
        "lease_id": made.lease,
        "measure": "busy",
        "starts_at": _instant(60_000),
        "ends_at": _instant(61_000),
        "accelerator_ms": "1000",
    }
    yield made
    made.fast.book.store.close()
    made.slow.book.store.close()


def _instant(after_ms: int) -> str:
    from comptoir.units.time import format_instant

    return format_instant(START_MS + after_ms)


def test_what_busy_callers_ask_never_reaches_fastapi(pair: Pair) -> None:
    before = pair.fast.handed_on
    status, _, body = pair.ask("POST", "/v1/leases", LEASE)
    assert status == 201
    lease = json.loads(body)["id"]
    assert pair.ask("GET", f"/v1/leases/{lease}")[0] == 200
    assert pair.ask("POST", f"/v1/leases/{lease}/cancel")[0] == 200
    assert pair.ask("POST", f"/v1/leases/{pair.other}/end")[0] == 200
    assert pair.ask("GET", "/v1/leases", query="limit=50&state=active&state=ended")[0] == 200
    first = json.loads(pair.ask("GET", "/v1/leases", query="limit=1")[2])
    assert pair.ask("GET", "/v1/leases", query=f"limit=1&cursor={first['next_cursor']}")[0] == 200
    events = {"source": "dcgm", "events": [pair.usage]}
    assert pair.ask("POST", "/v1/usage-events", events, who="operator")[0] == 200
    for what, item, who in (
        ("leases", LEASE, "member"),
        ("lease-ends", {"lease_id": lease}, "member"),
        ("usage-events", {**events, "idempotency_key": "u-1"}, "operator"),
    ):
        said = pair.ask("POST", f"/v1/batch/{what}", {"items": [item, {}, item]}, who=who)
        assert said[0] == 200, said
    assert pair.fast.handed_on == before


def test_every_busy_route_is_asked_here_and_others_are_handed_on(pair: Pair) -> None:
    busy = sorted((route.method, route.path) for route in ROUTES if route.busy)
    assert busy == [
        ("GET", "/v1/leases"),
        ("GET", "/v1/leases/{lease}"),
        ("POST", "/v1/batch/lease-ends"),
        ("POST", "/v1/batch/leases"),
        ("POST", "/v1/batch/usage-events"),
        ("POST", "/v1/leases"),
        ("POST", "/v1/leases/{lease}/cancel"),
        ("POST", "/v1/leases/{lease}/end"),
        ("POST", "/v1/leases/{lease}/extend"),
        ("POST", "/v1/usage-events"),
    ]
    before = pair.fast.handed_on
    for path in ("/healthz", "/v1/tenants", f"/v1/leases/{pair.lease}/why", "/nowhere"):
        pair.ask("GET", path)
    assert pair.fast.handed_on == before + 4


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": ""},
        {"authorization": "Basic abc"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer ck_0000_" + "A" * 43},
        {"authorization": "Bearer caf\u00e9"},
    ],
)
@pytest.mark.parametrize("route", [r for r in ROUTES if r.busy], ids=lambda r: r.path)
def test_nobody_is_let_in_by_one_door_alone(
    pair: Pair, route: Any, headers: dict[str, str]
) -> None:
    path = route.path.replace("{lease}", pair.lease)
    assert pair.ask(route.method, path, LEASE, headers=headers)[0] == 401


@pytest.mark.parametrize("route", [r for r in ROUTES if r.busy and r.method == "POST"])
def test_a_role_without_the_permission_gets_the_same_no(pair: Pair, route: Any) -> None:
    path = route.path.replace("{lease}", pair.lease)
    assert pair.ask(route.method, path, LEASE, who="reader")[0] == 403


BODIES: list[bytes] = [
    b"", b"{", b"null", b"[]", b'"x"', b"1", b"\xff\xfe{}", b"\xef\xbb\xbf{}",
    json.dumps(LEASE).encode("utf-16"), json.dumps(LEASE).encode("utf-8-sig"),
    b'{"kind":"cpu-core","kind":"h100-sxm","accelerators":1,"lease_class":"spot"}',
    b'{"kind": "\\ud800", "accelerators": 1, "lease_class": "spot"}',
    b'{"kind": "cpu-core", "accelerators": NaN, "lease_class": "spot"}',
    b'{"kind": "cpu-core", "accelerators": 1.0, "lease_class": "spot"}',
    b'{"kind": "cpu-core", "accelerators": true, "lease_class": "spot"}',
    b'{"kind": "cpu-core", "accelerators": "1", "lease_class": "spot"}',
    b'{"accelerators": ' + b"9" * 3_000 + b"}", b"[" * 3_000, b" " * 4_097,
    b'{"kind": "cpu-core", "accelerators": 1, "lease_class": "spot", "extra": 1}',
    b'{"kind": "cpu-core", "accelerators": 1, "lease_class": "spot", "name": "\xc3\xa9t\xc3\xa9"}',
    b'{"kind": "cpu-core", "accelerators": 1, "lease_class": "spot", "name": "a\\u0000b"}',
    b'{"kind": "cpu-core", "accelerators": 1, "lease_class": "spot"} trailing',
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    "path",
    ["/v1/leases", "/v1/usage-events", "/v1/leases/LEASE/extend", "/v1/batch/leases",
     "/v1/batch/lease-ends", "/v1/batch/usage-events"],
)  # fmt: skip
def test_a_broken_body_is_refused_in_the_same_words(pair: Pair, path: str, body: bytes) -> None:
    who = "operator" if "usage" in path else "member"
    pair.ask("POST", path.replace("LEASE", pair.lease), body, who=who)
    pair.ask("POST", path.replace("LEASE", pair.lease), body, who=who, pieces=3)


@pytest.mark.parametrize("body", BODIES)
def test_a_broken_item_of_a_batch_is_refused_in_the_same_words(pair: Pair, body: bytes) -> None:
    good = json.dumps(LEASE).encode()
    pair.ask("POST", "/v1/batch/leases", b'{"items":[%s,%s,%s]}' % (good, body, good))
    pair.ask("POST", "/v1/batch/usage-events", b'{"items":[%s]}' % body, who="operator")
    pair.ask("POST", "/v1/batch/lease-ends", b'{"items":[%s]}' % body)


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json",
     "application/jsonx", " application/json ", "application/json;;", "multipart/form-data"],
)  # fmt: skip
def test_the_words_about_content_types_are_the_same(pair: Pair, kind: str) -> None:
    for body in (LEASE, b"", b"{"):
        pair.ask("POST", "/v1/leases", body, headers={"content-type": kind})


def test_keys_for_repeats_mean_the_same_at_both_doors(pair: Pair) -> None:
    for key, body in (
        ("k1", LEASE),
        ("k1", LEASE),
        ("k1", {**LEASE, "accelerators": 2}),
        ("two words", LEASE),
        ("", LEASE),
        ("x" * 256, LEASE),
        ("k2", {**LEASE, "kind": "no-such-kind"}),
        ("k2", {**LEASE, "kind": "no-such-kind"}),
        ("k3", b"{"),
        ("k3", LEASE),
    ):
        pair.ask("POST", "/v1/leases", body, headers={"idempotency-key": key})
    replayed = pair.ask("POST", "/v1/leases", LEASE, headers={"idempotency-key": "k1"})
    assert (b"idempotent-replayed", b"true") in replayed[1]


@pytest.mark.parametrize(
    "id",
    ["", "x", "ls_0000", "x" * 64, "x" * 65, "a b", "\u00e9", "..", "a/b", "ls_0000/", "%41"],
)  # fmt: skip
def test_a_word_that_is_no_id_is_answered_the_same(pair: Pair, id: str) -> None:
    pair.ask("GET", f"/v1/leases/{id}")
    for verb in ("cancel", "end", "extend", "nothing", ""):
        pair.ask("POST", f"/v1/leases/{id}/{verb}", {"ends_at": _instant(10**9)})


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "post"])
def test_other_methods_are_answered_the_same(pair: Pair, method: str) -> None:
    for path in ("/v1/leases", f"/v1/leases/{pair.lease}", f"/v1/leases/{pair.lease}/end"):
        pair.ask(method, path, LEASE)


QUERIES = [
    "limit=1", "limit=0", "limit=501", "limit=x", "limit=+5", "limit=%35", "limit=", "limit",
    "limit=1&limit=2", "limit=1&&kind=cpu-core", "limit=01", "limit=1_0", "limit=1.0", "limit==1",
    "state=active", "state=active&state=waiting", "state=gone", "state=", "state=active,waiting",
    "lease_class=spot", "lease_class=Spot", "lease_class=", "kind=cpu-core", "kind=%00", "kind=",
    "tenant=acme", "tenant=zenith", "tenant=" + "x" * 65, "cursor=e30", "cursor=!!", "cursor=",
    "unknown=1", "&", "=", "=1", "a=b=c", "kind=a.b-c_d", "limit=\xe9", "limit=1;kind=x",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_means_the_same_at_both_doors(pair: Pair, query: str) -> None:
    pair.ask("GET", "/v1/leases", query=query)
    pair.ask("GET", "/v1/leases", query=query, who="operator")
    pair.ask("POST", "/v1/leases", LEASE, query=query)


NAMES = [
    "kind", "accelerators", "lease_class", "shape", "starts_at", "ends_at", "notice_s",
    "on_reclaim", "name", "tenant", "other",
]  # fmt: skip
WORDS = st.sampled_from(
    ["cpu-core", "h100-sxm", "spot", "on_demand", "reserved", "site", "node", "wait", "acme",
     "2026-11-28T06:00:00Z", "2026-09-22T06:00:00+01:00", "1970-01-01T00:00:00Z", "", "0"]
)  # fmt: skip
VALUES = st.one_of(
    WORDS, st.integers(-2, 9), st.integers(), st.text(max_size=20), st.none(), st.booleans(),
    st.floats(), st.lists(st.integers(), max_size=2),
)  # fmt: skip
FEW = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FEW
@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6))
@example({**LEASE, "ends_at": "2026-09-22T06:00:00Z"})
def test_any_request_for_a_lease_is_answered_the_same(pair: Pair, change: dict[str, Any]) -> None:
    pair.ask("POST", "/v1/leases", {**LEASE, **change})


@FEW
@given(st.text("limtsaeknduco_rv=&0159.-+%AQ/ ", max_size=40))
def test_any_query_is_answered_the_same(pair: Pair, query: str) -> None:
    pair.ask("GET", "/v1/leases", query=query)


@FEW
@given(
    st.dictionaries(
        st.sampled_from(
            ["event_id", "lease_id", "measure", "starts_at", "ends_at", "accelerator_ms"]
        ),
        VALUES,
        max_size=3,
    )
)
def test_any_usage_is_answered_the_same(pair: Pair, change: dict[str, Any]) -> None:
    body = {"source": "dcgm", "events": [{**pair.usage, **change}]}
    pair.ask("POST", "/v1/usage-events", body, who="operator")


ITEMS = st.lists(
    st.one_of(
        VALUES,
        st.fixed_dictionaries(
            {},
            optional={
                **dict.fromkeys(NAMES, VALUES),
                "idempotency_key": st.one_of(st.sampled_from(["b1", "b2", "two words"]), VALUES),
            },
        ).map(lambda change: {**LEASE, **change}),
    ),
    max_size=4,
)


@FEW
@given(ITEMS, st.sampled_from(["", "h1", "h2", "not plain"]))
def test_any_batch_is_answered_the_same(pair: Pair, items: list[Any], key: str) -> None:
    pair.ask("POST", "/v1/batch/leases", {"items": items}, headers={"idempotency-key": key})
    named = [item if isinstance(item, dict) else {"lease_id": item} for item in items]
    pair.ask("POST", "/v1/batch/lease-ends", {"items": named})
    reports = [{"source": "dcgm", "events": [{**pair.usage, **item}]} for item in named]
    pair.ask("POST", "/v1/batch/usage-events", {"items": reports}, who="operator")
