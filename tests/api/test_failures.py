"""Failures over HTTP: nodes fail and are checked, deliveries are judged, tenants see their own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_every_answer_has_its_shape import fits
from tests.api.world import World, open_world

KIND = "h100-sxm"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world of its own: what fails here is nobody else's."""
    with open_world(tmp_path) as made:
        yield made


@pytest.fixture
def nodes(world: World) -> dict[str, str]:
    """Three whole nodes in a rack, by name; prices."""
    wanted = [{"name": f"w{n}", "accelerators": 8, "accept_within_s": 3_600} for n in range(3)]
    supply = {"name": "whole", "kind": KIND, "nodes": wanted}
    made = world.operator.post("/v1/supply", supply).ok()
    rate = {"kind": KIND, "lease_class": "on_demand", "price_per_accelerator_hour": "2.40"}
    proposed = world.operator.post(f"/v1/rate-cards/{world.rate_card}/rates", rate).ok()
    world.people["approver"].post(f"/v1/rates/{proposed['id']}/approve").ok()
    found = world.operator.get(f"/v1/nodes?supply={made['id']}").ok()["items"]
    return {node["name"]: node["id"] for node in found}


def whole_node_lease(world: World) -> Any:
    body = {"kind": KIND, "accelerators": 8, "lease_class": "on_demand", "shape": "node"}
    lease = world.people["member"].post("/v1/leases", body).ok()
    return world.wait(f"/v1/leases/{lease['id']}", state="active")


def held(world: World, lease: Any) -> str:
    parts = world.people["member"].get(f"/v1/leases/{lease['id']}").ok()["allocations"]
    (now,) = [part for part in parts if part["delivered_until"] is None]
    return str(now["node_id"])


def test_a_node_fails_is_replaced_checked_and_repaired(world: World, nodes: dict[str, str]) -> None:
    lease = whole_node_lease(world)
    node = held(world, lease)
    path = f"/v1/nodes/{node}"
    body = {"because": "no power", "stopped": True}
    failed = fits("POST", "/v1/nodes/{node}/fail", world.operator.post(f"{path}/fail", body).ok())
    assert (failed["state"], failed["because"]) == ("failed", "no power")
    world.wait(f"/v1/leases/{lease['id']}", lost=[])
    assert held(world, lease) != node
    for who in ("member", "auditor"):
        page = fits("GET", "/v1/breaches", world.people[who].get(
            f"/v1/breaches?lease={lease['id']}").ok())  # fmt: skip
        (row,) = page["items"]
        assert (row["cause"], row["accelerators"], row["node_id"]) == ("node_failed", 8, node)
        assert row["broken_until"] is not None
        assert row["accelerator_ms"].isdigit()
    assert world.people["stranger"].get("/v1/breaches").ok()["items"] == []
    assert world.people["member"].get("/v1/breaches?open=true").ok()["items"] == []
    assert world.operator.post(f"{path}/repair").ok()["state"] == "in_service"
    checks = {"checks": [{"name": "ecc", "outcome": "failed", "evidence": '{"bits": 3}'}]}
    told = fits(
        "POST", "/v1/nodes/{node}/checks", world.operator.post(f"{path}/checks", checks).ok()
    )
    assert told["state"] == "failed"
    page = fits(
        "GET", "/v1/nodes/{node}/checks", world.people["auditor"].get(f"{path}/checks").ok()
    )
    assert [(row["name"], row["evidence"]) for row in page["items"]] == [("ecc", '{"bits": 3}')]
    name = next(name for name, id in nodes.items() if id == node)
    assert world.operator.get(f"/v1/nodes/{name}/checks").ok() == page
    lost = world.operator.get(f"/v1/breaches?node={node}").ok()
    assert world.operator.get(f"/v1/breaches?node={name}").ok() == lost
    for path in ("/v1/nodes/nowhere/checks", "/v1/breaches?node=nowhere"):
        world.operator.get(path).refused(404, "not_found")


def test_the_audit_of_something_unknown_is_not_found_rather_than_empty(
    world: World, nodes: dict[str, str]
) -> None:
    lease = whole_node_lease(world)["id"]
    assert world.people["member"].get(f"/v1/events?subject={lease}").ok()["items"]
    for who, subject in (("member", "ls_0000"), ("stranger", lease)):
        world.people[who].get(f"/v1/events?subject={subject}").refused(404, "not_found")
    assert world.people["member"].get("/v1/events?subject=ls_0000&after=1").ok()["items"] == []


def test_an_open_row_is_shown_as_it_has_grown(world: World, nodes: dict[str, str]) -> None:
    lease = whole_node_lease(world)
    for node in nodes.values():
        world.operator.post(f"/v1/nodes/{node}/fail", {"because": "flood", "stopped": True}).ok()
    world.wait(f"/v1/leases/{lease['id']}", state="waiting")
    path = f"/v1/breaches?lease={lease['id']}&open=true"
    first = int(world.people["member"].get(path).ok()["items"][0]["accelerator_ms"])
    second = world.people["member"].get(path).ok()["items"][0]
    assert int(second["accelerator_ms"]) >= first >= 0
    assert second["broken_until"] is None


def test_a_delivery_is_accepted_or_a_node_sent_back(world: World, nodes: dict[str, str]) -> None:
    member, lease = world.people["member"], whole_node_lease(world)
    bad = held(world, lease)
    body = {"node": bad, "because": "GPU 3 throttles"}
    back = fits("POST", "/v1/leases/{lease}/reject-node", member.post(
        f"/v1/leases/{lease['id']}/reject-node", body).ok())  # fmt: skip
    assert back["rejections"] == 1
    assert world.operator.get(f"/v1/nodes/{bad}").ok()["state"] == "checking"
    world.wait(f"/v1/leases/{lease['id']}", lost=[])
    good = held(world, lease)
    accepted = member.post(f"/v1/leases/{lease['id']}/accept", {"node": good}).ok()
    fits("POST", "/v1/leases/{lease}/accept", accepted)
    world.people["reader"].post(f"/v1/leases/{lease['id']}/accept").refused(
        403, "missing_permission"
    )
    member.post(f"/v1/leases/{lease['id']}/accept", {"node": bad}).refused(404, "not_found")


def test_words_that_make_no_sense_are_refused_with_their_code(
    world: World, nodes: dict[str, str]
) -> None:
    path = f"/v1/nodes/{nodes['w0']}"
    ask = world.operator.post
    ask(f"{path}/repair").refused(409, "node_not_failed")
    late = {"because": "x", "at": "2099-01-01T00:00:00Z"}
    ask(f"{path}/fail", late).refused(422, "failure_in_the_future")
    old = {"because": "x", "at": "2001-01-01T00:00:00Z"}
    ask(f"{path}/fail", old).refused(422, "failure_too_old")
    ask(f"{path}/fail", {"because": ""}).refused(422, "invalid_request")
    past = {"starts_at": "2001-01-01T00:00:00Z"}
    ask(f"{path}/maintenance", past).refused(422, "start_in_the_past")
    window = {"starts_at": "2099-01-02T00:00:00Z", "ends_at": "2099-01-01T00:00:00Z"}
    ask(f"{path}/maintenance", window).refused(422, "end_before_start")
    ask(f"{path}/checks", {"checks": []}).refused(422, "invalid_request")
    twice = [{"name": "a", "outcome": "passed"}] * 2
    ask(f"{path}/checks", {"checks": twice}).refused(422, "check_named_twice")
    planned = ask(f"{path}/maintenance", {"starts_at": "2099-01-01T00:00:00Z"}).ok()
    assert planned["maintenance_from"] == "2099-01-01T00:00:00.000Z"
    assert ask(f"{path}/maintenance", {}).ok()["maintenance_from"] is None
    assert ask(f"{path}/spare", {"spare": True}).ok()["spare"] is True
