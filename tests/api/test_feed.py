"""The feed: durable notices, once, in order, to those whom they concern."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
import pytest

from comptoir.api import feed as feed_room
from comptoir.api.door import Limits
from comptoir.desk.desk import Call
from comptoir.desk.notice_types import NOTICE_TYPES
from comptoir.desk.notices import notice_schema, notice_seq
from comptoir.desk.ports import Changes, CommitUnknown
from comptoir.desk.requests import SetQuota
from comptoir.units.errors import Unavailable
from comptoir.units.ids import TenantId
from tests.api.sse import Reader, follow, refused
from tests.api.world import KIND, World, open_world


def quotas(world: World, count: int, tenant: str = "acme", first: int = 1) -> None:
    """So many notices of a tenant, numbered by their `accelerators`, in few commits."""
    tenant_id = TenantId(world.tenants[tenant])
    numbers = range(first, first + count)
    calls = [Call("set_quota", SetQuota(tenant_id, KIND, number)) for number in numbers]
    waiting: list[Any] = []
    for call in calls:
        if len(waiting) == 1_000:
            waiting.pop(0).result(20)
        waiting.append(world.queue.put(call))
    for done in waiting:
        done.result(20).unwrap()


def numbers(notices: list[Any]) -> list[int]:
    return [notice["data"]["accelerators"] for notice in notices]


def stored(world: World, tenant: str | None) -> list[int]:
    """The numbers of all events that a tenant (None: the house) should be told of."""
    found, path = [], "/v1/events?after=0&limit=500"
    cursor: str | None = ""
    while cursor is not None:
        page = world.operator.get(path + (f"&cursor={cursor}" if cursor else "")).ok()
        found += page["items"]
        cursor = page["next_cursor"]
    mine = None if tenant is None else world.tenants[tenant]
    return [
        event["seq"]
        for event in found
        if event["type"] in NOTICE_TYPES and (mine is None or event["tenant_id"] == mine)
    ]


def test_a_lease_is_told_from_its_promise_to_its_end_in_the_schemas_words(world: World) -> None:
    check = jsonschema_rs.validator_for(notice_schema(), validate_formats=True)
    with follow(world.people["member"]) as reader:
        lease = world.lease(name="followed")
        world.wait(f"/v1/leases/{lease['id']}", state="active")
        world.people["member"].post(f"/v1/leases/{lease['id']}/end").ok()
        told = reader.until(4)
    assert [notice["type"] for notice in told] == [
        "lease.scheduled", "lease.active", "lease.reclaiming", "lease.ended",
    ]  # fmt: skip
    for notice in told:
        check.validate(notice)
        assert notice["subject"] == lease["id"]
        assert notice["data"]["name"] == "followed"
        assert notice["tenant"] == world.tenants["acme"]
    assert reader.told.ids == [notice["id"] for notice in told]


def test_a_tenant_is_told_of_its_own_and_the_house_of_all(world: World) -> None:
    people = world.people
    with (
        follow(people["reader"]) as mine,
        follow(people["stranger"]) as theirs,
        follow(people["auditor"]) as house,
        follow(people["auditor"], "?tenant=zenith") as narrowed,
    ):
        node = world.operator.get("/v1/nodes").ok()["items"][0]["id"]
        world.operator.post(f"/v1/nodes/{node}/drain").ok()
        world.operator.post(f"/v1/nodes/{node}/resume").ok()
        quotas(world, 1, "acme", 31)
        quotas(world, 1, "zenith", 32)
        quotas(world, 1, "acme", 33)
        quotas(world, 1, "zenith", 34)
        assert numbers(mine.until(2)) == [31, 33]
        assert numbers(theirs.until(2)) == [32, 34]
        assert numbers(narrowed.until(2)) == [32, 34]
        told = house.until(6)
    assert [n["type"] for n in told[:2]] == ["node.draining", "node.in_service"]
    assert numbers(told[2:]) == [31, 32, 33, 34]
    refused(people["stranger"], "?tenant=acme", 404, "not_found")


def test_what_would_name_others_is_told_to_the_house_only(world: World) -> None:
    with (
        follow(world.people["member"], "?type=lease.scheduled") as mine,
        follow(world.people["auditor"], "?type=lease.scheduled") as house,
    ):
        world.lease()
        (to_tenant,), (to_house,) = mine.until(1), house.until(1)
    assert to_tenant["id"] == to_house["id"]
    assert set(to_house["data"]) - set(to_tenant["data"]) == {"why"}


def test_a_reader_that_comes_back_misses_nothing_and_hears_nothing_twice(world: World) -> None:
    heard: list[int] = []
    writer = threading.Thread(target=quotas, args=(world, 600, "zenith", 1))
    with follow(world.people["stranger"]) as reader:
        writer.start()
        heard += numbers(reader.until(7))
        last = reader.told.ids[-1]
    for count in (1, 40, 500):
        with follow(world.people["stranger"], Last_Event_ID=last) as reader:
            heard += numbers(reader.until(count))
            last = reader.told.ids[-1]
    with follow(world.people["stranger"], f"?after={last}") as reader:
        while not heard or heard[-1] != 600:
            reader.step()
            heard += numbers(reader.told.notices)
            reader.told.notices.clear()
    writer.join()
    assert heard == [*range(1, 601)]


def test_the_whole_history_can_be_read_and_its_last_part(world: World) -> None:
    quotas(world, 1_203, "zenith")
    for who, tenant in (("stranger", "zenith"), ("auditor", None)):
        told = follow(world.people[who], "?after=nt_0&follow=false").rest()
        assert [notice_seq(id) for id in told.ids] == stored(world, tenant)
        assert told.end is None
        newest = follow(world.people[who], "?last=3&follow=false").rest()
        assert newest.notices == told.notices[-3:]
        since = told.ids[-5]
        for last, wanted in ((3, told.ids[-3:]), (9, told.ids[-4:]), (0, [])):
            part = follow(world.people[who], f"?after={since}&last={last}&follow=false").rest()
            assert part.ids == wanted
    assert follow(world.people["stranger"], "?follow=false").rest().notices == []
    with follow(world.people["stranger"], "?last=2&type=quota.*") as reader:
        quotas(world, 1, "zenith", 7)
        assert numbers(reader.until(3)) == [1_202, 1_203, 7]


def test_many_readers_that_come_and_go_each_hear_all_of_their_part(world: World) -> None:
    """Readers join while commits go on: none falls into the gap between store and hub."""
    stop, wrong = threading.Event(), []

    def write() -> None:
        number = 1
        while not stop.is_set():
            quotas(world, 3, ("acme", "zenith")[number % 2], number)
            number += 3

    def read(who: str) -> None:
        last = "nt_0"
        seen: list[str] = []
        for count in (1, 30, 2, 60, 5):
            with follow(world.people[who], "?type=quota.set", Last_Event_ID=last) as reader:
                seen += [notice["id"] for notice in reader.until(count)]
                last = seen[-1]
        query = f"?after=nt_0&follow=false&type=quota.set&tenant={who_is[who]}"
        told = follow(world.people["auditor"], query).rest()
        if [notice["id"] for notice in told.notices][: len(seen)] != seen:
            wrong.append(who)

    who_is = {"member": "acme", "stranger": "zenith", "admin": "acme", "reader": "acme"}
    writer = threading.Thread(target=write)
    readers = [threading.Thread(target=read, args=(who,)) for who in (*who_is, *who_is)]
    for thread in (writer, *readers):
        thread.start()
    for thread in readers:
        thread.join(60)
    stop.set()
    writer.join(20)
    assert not any(thread.is_alive() for thread in readers)
    assert wrong == []


def test_types_and_subjects_narrow_a_stream(world: World) -> None:
    first, second = world.lease(), world.lease()
    query = f"?type=lease.cancelled&type=lease.ended&subject={second['id']}"
    with follow(world.people["member"], query) as reader:
        for lease in (first, second):
            world.wait(f"/v1/leases/{lease['id']}", state="active")
            world.people["member"].post(f"/v1/leases/{lease['id']}/end").ok()
        (told,) = reader.until(1)
    assert (told["type"], told["subject"]) == ("lease.ended", second["id"])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?type=lease.unheard_of", "unknown_notice_type"),
        ("?type=", "unknown_notice_type"),
        ("?after=ls_1", "bad_notice_id"),
        ("?after=nt_-1", "bad_notice_id"),
        ("?last=501", "invalid_request"),
    ],
)
def test_a_stream_that_makes_no_sense_is_refused(world: World, query: str, code: str) -> None:
    refused(world.people["member"], query, 422, code)


def test_a_notice_that_has_not_happened_here_is_no_place_to_go_on_from(world: World) -> None:
    """As after a restore: it would wait for numbers that are given to other events."""
    newest = world.desk.book.last_seq["event"]
    follow(world.people["member"], f"?after=nt_{newest}&follow=false").rest()
    refused(world.people["member"], f"?after=nt_{newest + 1_000}", 409, "notice_ahead")
    refused(world.people["member"], "", 409, "notice_ahead", Last_Event_ID="nt_9007199254740992")


def test_a_bad_id_in_the_header_is_refused_too(world: World) -> None:
    refused(world.people["member"], "", 422, "bad_notice_id", Last_Event_ID="184x")


def test_a_quiet_stream_beats_and_moves_its_id_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_room, "HEARTBEAT_S", 0.1)
    with follow(world.people["stranger"]) as reader:
        quotas(world, 5, "acme")
        acmes = stored(world, "acme")[-1]
        while not reader.told.ids or notice_seq(reader.told.ids[-1]) < acmes:
            assert reader.step()
            assert reader.told.comments < 100
    assert reader.told.notices == []
    assert reader.told.comments > 0


def test_a_stream_ends_with_its_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_room, "HEARTBEAT_S", 0.2)
    monkeypatch.setattr(feed_room, "CHECK_EVERY_S", 0.1)
    brief = world.user("brief", ["tenant_read_only"], "acme")
    with follow(brief) as reader:
        world.operator.post(f"/v1/users/{brief.user_id}/disable").ok()
        assert reader.rest().end["code"] == "key_revoked"


def test_nothing_is_told_of_what_was_not_committed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = world.desk.store.commit

    def full(changes: Changes) -> None:
        raise Unavailable("disk_full", "no room")

    with follow(world.people["stranger"]) as reader:
        monkeypatch.setattr(world.desk.store, "commit", full)
        with pytest.raises(Unavailable):
            quotas(world, 1, "zenith", 1)
        monkeypatch.setattr(world.desk.store, "commit", real)
        quotas(world, 1, "zenith", 2)
        assert numbers(reader.until(1)) == [2]


def test_a_commit_whose_answer_was_lost_is_told_when_it_is_known(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lost = world.desk.store.commit, threading.Event()

    def loses_one_answer(changes: Changes) -> None:
        real(changes)
        if "quota" in changes.rows and not lost.is_set():
            lost.set()
            raise CommitUnknown("the connection broke")

    with follow(world.people["stranger"]) as reader:
        monkeypatch.setattr(world.desk.store, "commit", loses_one_answer)
        quotas(world, 3, "zenith", 1)
        assert numbers(reader.until(3)) == [1, 2, 3]
        assert lost.is_set()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    """A post with room for few streams, and for few notices in each."""
    limits = Limits(feeds=3, feeds_a_tenant=2, feed_waiting=100)
    with open_world(tmp_path, limits) as world:
        yield world


def test_streams_are_bounded_in_all_and_for_each_tenant(small: World) -> None:
    people = small.people
    with follow(people["member"]), follow(people["admin"]):
        facts = refused(people["member"], "", 429, "too_many_streams")
        assert "2 of them yours" in facts["detail"]
        with follow(people["stranger"]):
            refused(people["auditor"], "", 429, "too_many_streams")
    deadline = time.monotonic() + 5
    while True:  # a stream that was left is noticed at once, not at its next notice
        try:
            follow(people["member"]).close()
            break
        except AssertionError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_slow_reader_is_cut_with_a_reason_and_can_come_back(small: World) -> None:
    with slow_reader(small, "stranger") as reader:
        written = 0
        deadline = time.monotonic() + 60
        while not cut(small):
            assert time.monotonic() < deadline
            quotas(small, 2_000, "zenith", written + 1)
            written += 2_000
        told = reader.rest()
    assert told.end["code"] == "too_slow"
    heard = numbers(told.notices)
    assert heard == [*range(1, len(heard) + 1)]
    assert len(heard) < written
    query = "?follow=false&type=quota.set"
    rest = follow(small.people["stranger"], query, Last_Event_ID=told.ids[-1]).rest()
    assert numbers(rest.notices) == [*range(len(heard) + 1, written + 1)]


def test_a_reader_that_takes_nothing_at_all_is_left(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_room, "WRITE_WITHIN_S", 0.3)
    with slow_reader(small, "stranger"):
        written = 0
        deadline = time.monotonic() + 60
        while streams(small):
            assert time.monotonic() < deadline
            quotas(small, 2_000, "zenith", written + 1)
            written += 2_000


def test_a_server_that_stops_ends_its_streams_at_once(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        reader = follow(world.people["member"])
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 5
    assert reader.rest().end["code"] == "stopping"


class slow_reader:  # noqa: N801  (used as a function)
    """A stream over a connection with hardly any room, that nobody reads yet."""

    def __init__(self, world: World, who: str) -> None:
        self.world, self.who = world, who

    def __enter__(self) -> Reader:
        at = urlsplit(self.world.url)
        self.connection = socket.socket()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.connection.settimeout(30)
        self.connection.connect((at.hostname, at.port))
        secret = self.world.people[self.who].secret
        head = f"GET /v1/feed HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n\r\n"
        self.connection.sendall(head.encode())
        while not up_to_date(self.world):
            time.sleep(0.01)
        return Reader(_Chunked(self.connection))  # type: ignore[arg-type]

    def __exit__(self, *_: object) -> None:
        self.connection.close()


class _Chunked:
    """The body of a chunked answer, read by hand."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rb")
        self._started = False

    def read1(self, _: int) -> bytes:
        while not self._started and self._file.readline() != b"\r\n":
            pass
        self._started = True
        size = int(self._file.readline() or b"0", 16)
        body = self._file.read(size)
        self._file.readline()
        return body


def hub(world: World) -> feed_room.Feed:
    heard = world.desk._listeners[0]
    found = heard.__self__  # type: ignore[attr-defined]
    assert isinstance(found, feed_room.Feed)
    return found


def streams(world: World) -> int:
    return len(hub(world))


def up_to_date(world: World) -> bool:
    found = list(hub(world)._streams)
    return bool(found) and not any(stream.behind for stream in found)


def cut(world: World) -> bool:
    found = list(hub(world)._streams)
    return not found or any(stream.cut for stream in found)


def test_a_listener_that_fails_harms_nobody(world: World) -> None:
    def fails(_: object) -> None:
        raise RuntimeError("a bug")

    world.desk._listeners.insert(0, fails)
    try:
        with follow(world.people["stranger"]) as reader:
            quotas(world, 1, "zenith", 5)
            assert numbers(reader.until(1)) == [5]
    finally:
        world.desk._listeners.remove(fails)
    assert json.dumps(reader.told.notices)
