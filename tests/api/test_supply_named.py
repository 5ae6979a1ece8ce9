"""An inbound lease is called by its name while one that has not ended has it."""

from tests.api.world import World


def declare(world: World, name: str, node: str) -> str:
    body = {"name": name, "kind": "mtia-v2", "nodes": [{"name": node, "accelerators": 8}]}
    made: str = world.operator.post("/v1/supply", body).ok()["id"]
    return made


def test_a_supply_is_shown_and_ended_by_its_name(world: World) -> None:
    id = declare(world, "shorty", "shorty-1")
    assert world.operator.get("/v1/supply/shorty").ok()["id"] == id
    assert world.operator.post("/v1/supply/shorty/end").ok()["state"] == "ended"
    world.operator.post("/v1/supply/shorty/end").refused(404, "not_found")
    world.operator.post(f"/v1/supply/{id}/end").refused(409, "supply_ended")


def test_a_name_that_two_have_is_refused_with_their_ids(world: World) -> None:
    ids = sorted([declare(world, "twin", "twin-1"), declare(world, "twin", "twin-2")])
    problem = world.operator.get("/v1/supply/twin").refused(409, "supply_name_twice")
    assert problem["facts"]["supplies"] == ids
