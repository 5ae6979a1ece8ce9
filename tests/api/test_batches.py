"""Batches: each item has its own key and its own answer, the one that its single form would get."""

import asyncio
import time
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from comptoir.api.routes import ROUTES
from comptoir.api.shapes.batches import MOST_ITEMS
from comptoir.desk.desk import Call
from comptoir.desk.queue import DeskQueue
from comptoir.desk.requests import RequestLease
from comptoir.leases.lease import LeaseClass, Shape
from comptoir.tenants.parties import Role
from comptoir.units.time import format_instant
from tests.api.world import KIND, World
from tests.builders import Book

LEASE = {"kind": KIND, "accelerators": 1, "lease_class": "spot"}
LEASES, ENDS, USAGE = (f"/v1/batch/{what}" for what in ("leases", "lease-ends", "usage-events"))
BROKEN: list[Any] = [
    {},
    [LEASE],
    {**LEASE, "accelerators": "one"},
    {**LEASE, "starts_at": "tomorrow"},
    {**LEASE, "extra": 1},
    {**LEASE, "kind": "no-such-kind"},
    {**LEASE, "accelerators": 100_000},
    {**LEASE, "lease_class": "internal"},
    {**LEASE, "starts_at": "2099-01-02T00:00:00Z", "ends_at": "2099-01-01T00:00:00Z"},
    {**LEASE, "tenant": "zenith"},
]


def answers(world: World, path: str, items: list[Any], who: str = "member", **how: Any) -> Any:
    said = world.people[who].post(path, {"items": items}, **how).ok()
    shape = next(route.answer for route in ROUTES if route.path == path)
    assert shape is not None
    shape.model_validate(said)
    for answer in said["items"]:
        assert (answer["result"] is None) is (answer["status"] >= 400)
        assert (answer["problem"] is None) is (answer["status"] < 400)
    return said["items"]


def test_every_item_is_answered_in_its_place(world: World) -> None:
    said = answers(world, LEASES, [LEASE, *BROKEN, {**LEASE, "accelerators": 2}])
    assert [a["status"] for a in said[:1] + said[-1:]] == [201, 201]
    assert said[-1]["result"]["accelerators"] == 2
    assert all(a["status"] >= 400 for a in said[1:-1])


def test_an_item_is_refused_as_its_single_form_is(world: World) -> None:
    for item, answer in zip(BROKEN, answers(world, LEASES, BROKEN), strict=True):
        single = world.people["member"].post("/v1/leases", item)
        assert (answer["status"], answer["problem"]) == (single.status, single.json), item


def test_leases_are_ended_one_by_one_and_a_strangers_is_not_found(world: World) -> None:
    made = [a["result"]["id"] for a in answers(world, LEASES, [LEASE, LEASE])]
    for lease in made:
        world.wait(f"/v1/leases/{lease}", state="active")
    items = [{"lease_id": made[0]}, {"lease_id": "ls_0000"}, {"lease_id": "a b"}, {}]
    said = answers(world, ENDS, items)
    assert [a["status"] for a in said] == [200, 404, 422, 422]
    assert said[0]["result"]["id"] == made[0]
    [theirs] = answers(world, ENDS, [{"lease_id": made[1]}], "stranger")
    assert theirs["problem"]["code"] == "not_found"
    unknown = world.people["stranger"].post("/v1/leases/ls_0000/end").json
    assert theirs["problem"]["detail"].replace(made[1], "ls_0000") == unknown["detail"]


def test_reports_of_usage_are_whole_or_not_at_all_each(world: World) -> None:
    lease = world.lease()
    world.wait(f"/v1/leases/{lease['id']}", state="active")
    begun = world.people["member"].get(f"/v1/leases/{lease['id']}").ok()["activated_at"]
    time.sleep(0.01)
    until = format_instant(world.desk.now_ms())

    def report(id: str, **change: Any) -> dict[str, Any]:
        event = {"event_id": id, "lease_id": lease["id"], "measure": "busy", "starts_at": begun,
                 "ends_at": until, "accelerator_ms": "1", **change}  # fmt: skip
        return {"source": "dcgm", "events": [event]}

    items = [report("a"), report("b", lease_id="ls_0000"), report("c", accelerator_ms="-1")]
    said = answers(world, USAGE, items, "operator")
    for item, answer in zip(items, said, strict=True):
        single = world.people["operator"].post("/v1/usage-events", item)
        if item["events"][0]["event_id"] == "a":
            assert answer["result"] == {"accepted": 1, "repeated": 0}
            assert single.json == {"accepted": 0, "repeated": 1}
        else:
            assert answer["problem"] == single.json


def test_a_repeated_item_gets_its_first_answer_and_no_other_does(world: World) -> None:
    one, refused = {**LEASE, "idempotency_key": "one"}, {"idempotency_key": "no"}
    refused = {**LEASE, "lease_class": "internal", **refused}
    first = answers(world, LEASES, [one, LEASE, refused])
    again = answers(world, LEASES, [refused, one, LEASE])
    assert [a["replayed"] for a in first] == [False, False, False]
    assert [a["replayed"] for a in again] == [True, True, False]
    assert again[1]["result"] == first[0]["result"]
    assert again[0]["problem"] == first[2]["problem"]
    assert again[2]["result"]["id"] != first[1]["result"]["id"]


def test_a_key_twice_in_one_batch_makes_one_lease(world: World) -> None:
    keyed = {**LEASE, "idempotency_key": "twice"}
    first, second, other = answers(world, LEASES, [keyed, keyed, {**keyed, "accelerators": 2}])
    assert first["result"] == second["result"]
    assert (first["replayed"], second["replayed"]) == (False, True)
    assert other["problem"]["code"] == "idempotency_key_reused"


def test_items_without_a_key_have_the_headers_and_their_place(world: World) -> None:
    first = answers(world, LEASES, [LEASE, LEASE], key="whole")
    again = answers(world, LEASES, [LEASE, LEASE, LEASE], key="whole")
    assert [a["result"]["id"] for a in first] == [a["result"]["id"] for a in again[:2]]
    assert [a["replayed"] for a in again] == [True, True, False]
    [changed] = answers(world, LEASES, [{**LEASE, "accelerators": 2}], key="whole")
    assert changed["problem"]["code"] == "idempotency_key_reused"


def test_a_bad_key_of_an_item_is_its_own_problem(world: World) -> None:
    items = [{**LEASE, "idempotency_key": key} for key in ("", "a b", "x" * 256, 7, "x" * 255)]
    said = answers(world, LEASES, items)
    codes = [a["problem"] and a["problem"]["code"] for a in said]
    bad = "bad_idempotency_key"
    assert codes == [bad, bad, bad, "invalid_request", None]


@pytest.mark.parametrize("path", [LEASES, ENDS, USAGE])
def test_a_batch_has_at_least_one_item_and_a_most(world: World, path: str) -> None:
    for items in ([], [{}] * (MOST_ITEMS + 1)):
        world.operator.post(path, {"items": items}).refused(422, "invalid_request")
    world.operator.post(path, {"items": [{}] * MOST_ITEMS}).ok()
    assert signature(DeskQueue).parameters["most_a_batch"].default >= MOST_ITEMS


def test_a_batch_is_one_commit(world: World) -> None:
    before = world.desk.book.version
    world.queue._turn_every_s = 60.0
    said = answers(world, LEASES, [LEASE] * 20)
    ids = [a["result"]["id"] for a in said]
    events = world.operator.get("/v1/events?limit=500").ok()["items"]
    asked = [e for e in events if e["type"] == "lease.requested" and e["subject"] in ids]
    assert len(asked) == 20
    assert len({e["at"] for e in asked}) == 1
    assert world.desk.book.version - before <= 3  # turns have commits of their own


def test_a_full_queue_takes_a_batch_whole_or_not_at_all(world: World) -> None:
    world.queue._most_waiting = 2
    try:
        before = world.people["member"].get("/v1/leases?limit=500").ok()["items"]
        said = world.people["member"].post(LEASES, {"items": [LEASE] * 3})
        said.refused(429, "queue_full")
        after = world.people["member"].get("/v1/leases?limit=500").ok()["items"]
        assert len(after) == len(before)
        assert len(answers(world, LEASES, [LEASE] * 2)) == 2
    finally:
        world.queue._most_waiting = 2_048


def test_a_failed_commit_fails_every_item_of_its_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desk's own rule, held for calls that were asked together."""
    book = Book(tmp_path)
    book.price_all()
    book.supply(8)
    acme = book.tenant("acme")
    member = book.user(Role.TENANT_MEMBER, tenant=acme)
    queue = DeskQueue(book.desk)
    call = Call("request_lease", RequestLease(KIND, 1, LeaseClass.SPOT, Shape.SITE), member)

    def fails(_: Any) -> None:
        raise OSError("no")

    async def ask() -> Any:
        return await queue.ask_together([call, call])

    monkeypatch.setattr(book.store, "commit", fails)
    queue.start()
    try:
        assert [o.error.code for o in asyncio.run(ask())] == ["internal_error"] * 2
        assert not [x for x in book.desk.book.leases if x.tenant_id == acme.id]
        monkeypatch.undo()
        assert all(o.error is None for o in asyncio.run(ask()))
    finally:
        queue.stop()
        book.store.close()
