"""A trading post for tests of the API: real desk, real SQLite, real HTTP, a fake engine.

`open_world` gives one; `World.as_` asks as one of its people. The engine is a book of
dictionaries that behaves as the port says, links included.
"""

import io
import json
import tarfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import urllib3

from comptoir.api.app import create_app
from comptoir.api.door import Limits
from comptoir.api.serving import make_server, pick_port
from comptoir.assembly import SystemClock, SystemEntropy, notice_loop
from comptoir.desk.desk import Call, Desk
from comptoir.desk.engine_loop import EngineLoop
from comptoir.desk.engine_port import (
    AttemptSight,
    EngineHealth,
    EngineNode,
    FileEntry,
    LogPage,
    Observation,
    StartOrder,
    StopNotice,
)
from comptoir.desk.notice_threads import NoticeThreads
from comptoir.desk.queue import DeskQueue
from comptoir.desk.requests import Opening
from comptoir.notices.mailing import MailSettings
from comptoir.store.opening import open_store
from comptoir.store.plan_child import PlanChild
from comptoir.store.views import Views
from comptoir.units.errors import Invalid, NotFound
from comptoir.units.ids import LeaseId
from tests.builders import a_sender

CORES = 8
KIND = "cpu-core"


class FakeEngine:
    """An engine of dictionaries. `finish` ends an attempt."""

    name = "fake"

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.links: dict[str, set[str]] = {}
        self.logs: dict[str, bytearray] = {}
        self.running: dict[str, Observation] = {}
        self.told: dict[str, StopNotice] = {}

    def health(self) -> EngineHealth:
        return EngineHealth(True, notes=("a fake",))

    def probe(self) -> EngineHealth:
        return self.health()

    def nodes(self) -> Sequence[EngineNode]:
        return [EngineNode("node-1", KIND, CORES, 8 << 30)]

    def start(self, order: StartOrder) -> None:
        if order.attempt_id in self.running:
            return
        now = int(time.time() * 1_000)
        self.logs.setdefault(order.attempt_id, bytearray(b"started\n"))
        self.running[order.attempt_id] = Observation(order.attempt_id, AttemptSight.RUNNING, now)

    def finish(self, attempt_id: str, exit_code: int = 0) -> None:
        deadline = time.monotonic() + 10
        while attempt_id not in self.running and time.monotonic() < deadline:
            time.sleep(0.005)  # the order comes with the commit of the intent
        seen = self.running[attempt_id]
        now = int(time.time() * 1_000)
        self.running[attempt_id] = Observation(
            seen.attempt_id, AttemptSight.EXITED, seen.started_at_ms, now, exit_code
        )

    def tell(self, attempt_id: str, notice: StopNotice) -> None:
        if attempt_id in self.running:
            self.told[attempt_id] = notice

    def stop(self, attempt_id: str) -> None:
        if self.running.get(attempt_id, None) is not None:
            self.finish(attempt_id, 143)

    kill = stop

    def observe(self) -> Sequence[Observation]:
        return list(self.running.values())

    def forget(self, attempt_ids: Iterable[str]) -> None:
        for attempt_id in attempt_ids:
            self.running.pop(attempt_id, None)

    def put_archive(self, lease_id: str, tenant_id: str, archive: BinaryIO) -> int:
        kept, links, size = {}, set(), 0
        try:
            with tarfile.open(fileobj=archive, mode="r:gz") as tar:
                for member in tar:
                    if member.issym():
                        links.add(member.name)
                    elif member.isfile():
                        file = tar.extractfile(member)
                        assert file is not None
                        kept[member.name] = file.read()
                        size += member.size
        except (tarfile.TarError, OSError, EOFError) as error:
            raise Invalid("bad_archive", f"not a tar.gz: {error}") from error
        self.files.setdefault(lease_id, {}).update(kept)
        self.links.setdefault(lease_id, set()).update(links)
        return size

    def list_files(self, lease_id: str) -> Sequence[FileEntry]:
        found = self.files.get(lease_id, {})
        return [FileEntry(path, len(data), 0) for path, data in sorted(found.items())]

    def open_file(self, lease_id: str, path: str) -> BinaryIO:
        found = self.files.get(lease_id, {})
        if path in self.links.get(lease_id, set()) or path not in found:
            raise NotFound("not_found", f"there is no file {path!r} in {lease_id}")
        return io.BytesIO(found[path])

    def read_log(self, lease_id: str, attempt_id: str, offset: int, limit: int) -> LogPage:
        log = bytes(self.logs.get(attempt_id, b""))
        data = log[offset : offset + limit]
        return LogPage(data, offset + len(data))

    def list_directories(self) -> Sequence[LeaseId]:
        return [LeaseId(lease_id) for lease_id in self.files]

    def delete_directory(self, lease_id: str) -> None:
        self.files.pop(lease_id, None)


@dataclass(slots=True)
class Said:
    """An answer."""

    status: int
    headers: Any
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def code(self) -> str:
        return str(self.json["code"])

    def ok(self) -> Any:
        assert 200 <= self.status < 300, (self.status, self.data[:500])
        return self.json

    def refused(self, status: int, code: str) -> Any:
        """The problem, which must be of this status and code and of the one shape."""
        assert (self.status, self.code) == (status, code), (self.status, self.data[:500])
        assert self.headers["content-type"] == "application/problem+json"
        body = self.json
        assert set(body) == {"type", "title", "status", "detail", "code", "next", "facts"}
        assert body["type"] == f"/problems/{code}"
        assert body["status"] == status
        return body


@dataclass(slots=True)
class Person:
    """Somebody with a key (or with none)."""

    world: "World"
    secret: str | None
    user_id: str = ""

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Said:
        said = dict(headers or {})
        if self.secret is not None:
            said.setdefault("Authorization", f"Bearer {self.secret}")
        data = body
        if body is not None and not isinstance(body, bytes):
            data = json.dumps(body).encode()
        if data is not None:
            said.setdefault("Content-Type", "application/json")
        answer = self.world.http.request(
            method, self.world.url + path, body=data, headers=said, retries=False
        )
        return Said(answer.status, answer.headers, answer.data)

    def get(self, path: str) -> Said:
        return self.ask("GET", path)

    def post(self, path: str, body: Any = None, key: str | None = None) -> Said:
        return self.ask("POST", path, body, None if key is None else {"Idempotency-Key": key})


@dataclass(slots=True)
class World:
    """The post, its people, and where it listens."""

    url: str
    desk: Desk
    queue: DeskQueue
    engine: FakeEngine
    http: urllib3.PoolManager
    operator: Person = field(init=False)
    people: dict[str, Person] = field(default_factory=dict)
    tenants: dict[str, str] = field(default_factory=dict)
    rate_card: str = ""

    def nobody(self) -> Person:
        return Person(self, None)

    def user(self, name: str, roles: list[str], tenant: str | None = None) -> Person:
        """A new user with a key, kept under `name`."""
        body = {"name": name, "roles": roles, "tenant": tenant}
        made = self.operator.post("/v1/users", body).ok()
        issued = self.operator.post("/v1/keys", {"user_id": made["id"], "note": name}).ok()
        self.people[name] = Person(self, issued["secret"], made["id"])
        return self.people[name]

    def lease(self, who: str = "member", **fields: Any) -> Any:
        """A small spot lease."""
        body = {"kind": KIND, "accelerators": 1, "lease_class": "spot", **fields}
        return self.people[who].post("/v1/leases", body).ok()

    def wait(self, path: str, who: str = "member", **wanted: Any) -> Any:
        """Ask until every wanted field has its value."""
        deadline = time.monotonic() + 10
        while True:
            said = self.people[who].get(path).ok()
            if all(said[name] == value for name, value in wanted.items()):
                return said
            assert time.monotonic() < deadline, said
            time.sleep(0.02)


HOUSE = ("operator", "finance", "sales", "approver", "auditor")
TENANT = {
    "admin": "tenant_admin",
    "member": "tenant_member",
    "reader": "tenant_read_only",
}


@contextmanager
def open_world(
    data: Path,
    limits: Limits | None = None,
    database_url: str | None = None,
    mail: MailSettings | None = None,
) -> Iterator[World]:
    """A post with two customers, a team, everybody's keys, rates and one node."""
    store = open_store(data, database_url, "test")
    desk = Desk(store, SystemClock(), SystemEntropy())
    issued = desk.call("open_book", Opening())
    queue = DeskQueue(desk)
    queue.start()
    engine = FakeEngine()
    views = Views(store.engine)
    port = pick_port("127.0.0.1", 0)
    sender = a_sender(mail)
    planner = PlanChild(data, database_url)
    app = create_app(queue, views, {engine.name: engine}, sender, planner=planner, limits=limits)
    sending = NoticeThreads(notice_loop(queue, sender), desk.clock.now_ms)
    desk.listen(sending.hear)
    sending.start()
    server = make_server(app, "127.0.0.1", port)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    done = threading.Event()
    loop = EngineLoop(engine, lambda: desk.book, lambda o: queue.call(Call("observe", o)).unwrap())
    engines = threading.Thread(target=_run_engine, args=(loop, desk, done), daemon=True)
    engines.start()
    http = urllib3.PoolManager(maxsize=64, timeout=20)
    world = World(f"http://127.0.0.1:{port}", desk, queue, engine, http)
    world.operator = world.people["operator"] = Person(world, issued.secret, issued.key.user_id)
    try:
        while not server.started:
            time.sleep(0.005)
        _people(world)
        yield world
    finally:
        done.set()
        engines.join()
        sending.stop()
        server.should_exit = True
        http.clear()
        thread.join(20)
        planner.close()
        queue.stop()
        store.close()


def _run_engine(loop: EngineLoop, desk: Desk, done: threading.Event) -> None:
    while not done.wait(0.02):
        loop.step(desk.clock.now_ms())


def _people(world: World) -> None:
    operator = world.operator
    for slug, kind in (("acme", "enterprise"), ("zenith", "enterprise"), ("ads", "team")):
        body = {"slug": slug, "name": slug.title(), "kind": kind}
        world.tenants[slug] = operator.post("/v1/tenants", body).ok()["id"]
    for role in HOUSE[1:]:
        world.user(role, [role])
    for name, role in TENANT.items():
        world.user(name, [role], "acme")
    world.user("stranger", ["tenant_admin"], "zenith")
    world.user("team", ["tenant_member"], "ads")
    supply = {
        "name": "owned",
        "kind": KIND,
        "nodes": [{"name": "node-1", "accelerators": CORES, "engine": "fake"}],
    }
    operator.post("/v1/supply", supply).ok()
    world.rate_card = operator.get("/v1/rate-cards").ok()["items"][0]["id"]
    for lease_class in ("spot", "on_demand", "reserved", "internal"):
        rate = {
            "kind": KIND,
            "lease_class": lease_class,
            "price_per_accelerator_hour": "3600.00",
        }
        made = operator.post(f"/v1/rate-cards/{world.rate_card}/rates", rate).ok()
        world.people["approver"].post(f"/v1/rates/{made['id']}/approve").ok()
