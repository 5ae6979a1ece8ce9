"""Rebalance over HTTP: planned in a child process, moved step by step, refused with the reason."""

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from comptoir.api.shapes import rebalance as shapes
from comptoir.desk.plan_port import RebalanceAsk
from comptoir.store.plan_child import PlanChild
from comptoir.store.rebalancing import OUT_OF_MEMORY
from comptoir.units.errors import Conflict, NotFound, Refused
from tests.api.world import World

ASK = RebalanceAsk("node", None, 86_400, 900, 900, 60)
SLEEPS = (sys.executable, "-c", "import time; time.sleep(60)")
NO_MEMORY = (sys.executable, "-c", f"raise SystemExit({OUT_OF_MEMORY})")
FAILS = (sys.executable, "-c", "raise SystemExit('the disk is on fire')")


def supply_nodes(world: World, count: int) -> None:
    nodes = [{"name": f"n{n}", "accelerators": 8, "engine": "fake"} for n in range(count)]
    world.operator.post("/v1/supply", {"name": "more", "kind": "cpu-core", "nodes": nodes}).ok()


def planned(world: World, **body: Any) -> dict[str, Any]:
    begun = world.operator.post("/v1/rebalances", {"level": "node", **body}).ok()
    deadline = time.monotonic() + 60
    while begun["plan"] is None and time.monotonic() < deadline:
        time.sleep(0.05)
        begun = world.operator.get(f"/v1/rebalances/{begun['id']}").ok()
    plan = begun["plan"]
    assert plan is not None
    shapes.RebalancePlan.model_validate(plan)
    assert set(plan) == set(shapes.RebalancePlan.model_fields)
    return dict(plan)


def half_a_node(world: World) -> dict[str, Any]:
    """A team's lease of half a node, and another beside it."""
    body = {"kind": "cpu-core", "accelerators": 4, "lease_class": "internal", "shape": "node"}
    made: dict[str, Any] = world.people["team"].post("/v1/leases", body).ok()
    return world.wait(f"/v1/leases/{made['id']}", "team", state="active")


def test_a_plan_is_made_beside_the_desk_and_its_steps_are_moved(world: World) -> None:
    supply_nodes(world, 1)
    first, second, third, fourth = (half_a_node(world) for _ in range(4))
    for lease in (second, fourth):
        world.people["team"].post(f"/v1/leases/{lease['id']}/end").ok()
        world.wait(f"/v1/leases/{lease['id']}", "team", state="ended")
    plan = planned(world)
    (step,), (place,) = plan["steps"], plan["places"]
    assert step["lease_id"] in (first["id"], third["id"]) and step["running"]
    assert (place["accelerators"], place["steps"]) == (8, [1])
    assert int(place["gain_accelerator_ms"]) == 8 * 86_400_000
    assert int(step["cost_accelerator_ms"]) == 4 * (step["notice_s"] + 900) * 1_000
    assert int(plan["score_accelerator_ms"]) <= int(plan["bound_accelerator_ms"])
    named = ("allocation_id", "to_node", "accelerators")
    body = {"moves": [{name: move[name] for name in named} for move in step["moves"]]}
    path = f"/v1/leases/{step['lease_id']}"
    assert world.people["team"].post(f"{path}/move", body).status == 403
    world.operator.post(f"{path}/move", body).ok()
    assert world.operator.post(f"{path}/move", body).json["code"] == "move_overtaken"
    parts = world.operator.get(path).ok()["allocations"]
    assert {p["node_id"] for p in parts if p["delivered_until"] is None} == {
        step["moves"][0]["to_node"]
    }
    assert planned(world)["steps"] == []


def test_what_is_asked_wrongly_is_refused(world: World) -> None:
    assert world.operator.post("/v1/rebalances", {"kind": "x"}).json["code"] == "unknown_kind"
    assert world.operator.post("/v1/rebalances", {"level": "row"}).status == 422
    assert world.operator.get("/v1/rebalances/rb_0000").status == 404
    assert world.people["member"].post("/v1/rebalances", {}).status == 403


def _await(child: PlanChild, plan_id: str) -> Any:
    deadline = time.monotonic() + 30
    while (found := child.plan(plan_id)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


@pytest.mark.parametrize(
    ("command", "limit_s", "code"),
    [
        (SLEEPS, 1, "planning_out_of_time"),
        (NO_MEMORY, 30, "planning_out_of_memory"),
        (FAILS, 30, "planning_failed"),
    ],
)
def test_a_child_that_takes_too_much_or_dies_is_told_of(
    tmp_path: Path, command: tuple[str, ...], limit_s: int, code: str
) -> None:
    child = PlanChild(tmp_path, None, command=command)
    plan_id = child.begin(RebalanceAsk("pod", None, 3_600, 0, 0, limit_s), 0)
    with pytest.raises(Refused) as no:
        _await(child, plan_id)
    assert no.value.code == code
    child.close()


def test_one_plan_is_made_at_a_time_and_a_closing_server_leaves_no_child(tmp_path: Path) -> None:
    child = PlanChild(tmp_path, None, command=SLEEPS)
    plan_id = child.begin(ASK, 0)
    with pytest.raises(Conflict) as busy:
        child.begin(ASK, 0)
    assert busy.value.code == "planning_already"
    began = time.monotonic()
    child.close()
    assert time.monotonic() - began < 10
    with pytest.raises(Refused):
        child.plan(plan_id)
    with pytest.raises(NotFound):
        child.plan("rb_none")


def test_a_real_child_over_its_memory_ends_and_says_so(world: World, tmp_path: Path) -> None:
    engine = world.desk.store.engine  # type: ignore[attr-defined]
    child = PlanChild(Path(engine.url.database).parent, None, memory_bytes=96 << 20)
    with pytest.raises(Refused) as no:
        _await(child, child.begin(ASK, world.desk.clock.now_ms()))
    assert no.value.code in ("planning_out_of_memory", "planning_failed")
    child.close()
