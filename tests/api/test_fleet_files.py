"""A fleet file over HTTP: applied in one act, refused with its line, shown by place."""

from pathlib import Path

import pytest

from comptoir.api.routes import ROUTES
from comptoir.client import Client
from comptoir.units.errors import Invalid
from tests.api.test_every_answer_has_its_shape import fits
from tests.api.world import World

LLAMA3 = (Path(__file__).parents[2] / "examples" / "fleets" / "llama3-24576.toml").read_text()


def test_the_cluster_of_24_576_is_applied_shown_and_applied_again(world: World) -> None:
    asked = {"file": "llama3.toml", "text": LLAMA3}
    said = world.operator.post("/v1/fleet/apply", {**asked, "dry_run": True}).ok()
    fits("POST", "/v1/fleet/apply", said)
    assert (said["nodes"], said["accelerators"], said["dry_run"]) == (3_072, 24_576, True)
    made = world.operator.post("/v1/fleet/apply", asked, key="once").ok()
    fits("POST", "/v1/fleet/apply", made)
    assert world.operator.post("/v1/fleet/apply", asked, key="once").ok() == made
    again = world.operator.post("/v1/fleet/apply", asked).ok()
    assert (again["nodes"], again["leases"][0]["action"]) == (0, "unchanged")

    racks = world.operator.get("/v1/fleet").ok()
    pods = world.operator.get("/v1/fleet?level=pod").ok()
    for shown, level in ((racks, "rack"), (pods, "pod")):
        fits("GET", "/v1/fleet", shown)
        assert shown["level"] == level
        (cluster,) = next(s for s in shown["sites"] if s["name"] == "menlo")["places"]
        assert [kind["accelerators"] for pod in cluster["places"] for kind in pod["kinds"]] == [
            3_072
        ] * 8
        assert {len(pod["places"]) for pod in cluster["places"]} == {192 if level == "rack" else 0}
    assert racks["clusters"] == [
        {
            "site": "menlo", "cluster": "roce", "name": "RoCE, Arista 7800", "gbps": 400,
            "between_racks": "", "between_pods": "7:1",
        }
    ]  # fmt: skip
    world.operator.get("/v1/fleet?level=street").refused(422, "invalid_request")


def test_what_is_drained_is_out_of_service_and_not_free(world: World) -> None:
    text = '[[inbound]]\nname = "few"\nkind = "b200"\n[[inbound.nodes]]\nsite = "oslo"\n' \
        'cluster = "x"\nnodes = 3\naccelerators_per_node = 8\n'  # fmt: skip
    world.operator.post("/v1/fleet/apply", {"file": "few.toml", "text": text}).ok()
    node = world.operator.get("/v1/nodes?kind=b200").ok()["items"][0]
    world.operator.post(f"/v1/nodes/{node['id']}/drain").ok()
    kinds = world.operator.get("/v1/fleet?level=site").ok()["kinds"]
    b200 = next(kind for kind in kinds if kind["kind"] == "b200")
    assert b200 == {
        "kind": "b200", "nodes": 3, "accelerators": 24, "allocated": 0, "out_of_service": 8,
        "spare": 0, "free": 16,
    }  # fmt: skip


def test_a_block_of_spares_is_kept_out_of_sale_and_may_be_put_back(world: World) -> None:
    text = (
        '[[inbound]]\nname = "cold"\nkind = "mi300x"\n[[inbound.nodes]]\nsite = "oslo"\n'
        'cluster = "s"\nnodes = 2\naccelerators_per_node = 8\nspare = true\ngated = false\n'
        'fence_after = "2m"\naccept_within = "1d"\n'
    )
    asked = {"file": "cold.toml", "text": text}
    world.operator.post("/v1/fleet/apply", asked).ok()
    first, second = world.operator.get("/v1/nodes?kind=mi300x").ok()["items"]
    assert (first["spare"], first["fence_after_s"], first["accept_within_s"]) == (True, 120, 86_400)
    assert _free(world, "mi300x") == 0
    world.operator.post(f"/v1/nodes/{second['id']}/spare", {"spare": False}).ok()
    assert _free(world, "mi300x") == 8
    again = world.operator.post("/v1/fleet/apply", asked).ok()
    assert again["leases"][0]["action"] == "unchanged"
    slower = {**asked, "text": text.replace('"2m"', '"3m"')}
    world.operator.post("/v1/fleet/apply", slower).refused(409, "fleet_conflicts")
    world.operator.post(f"/v1/nodes/{second['id']}/fail", {"because": "no power"}).ok()
    assert [node["id"] for node in Client(world.url, world.operator.secret).fleet.nodes(
        "mi300x", "failed")] == [second["id"]]  # fmt: skip


def _free(world: World, kind: str) -> int:
    kinds = world.operator.get("/v1/fleet?level=site").ok()["kinds"]
    return int(next(one["free"] for one in kinds if one["kind"] == kind))


def test_a_problem_says_the_line_to_machines_too(world: World) -> None:
    broken = LLAMA3.replace("accelerators = 24576", "accelerators = 24575").replace("h100", "h1")
    problem = world.operator.post("/v1/fleet/apply", {"file": "b.toml", "text": broken}).refused(
        422, "unknown_kind"
    )
    assert problem["facts"]["line"] == 6
    assert [one["code"] for one in problem["facts"]["problems"]] == ["unknown_kind", "fleet_counts"]
    client = Client(world.url, world.operator.secret)
    with pytest.raises(Invalid) as refused:
        client.fleet.apply("b.toml", broken)
    told = refused.value.facts["problems"]
    assert told[1]["field"] == "inbound[0].nodes[0].accelerators"


def test_kinds_give_the_source_of_every_fact(world: World) -> None:
    kinds = {kind["name"]: kind for kind in world.operator.get("/v1/kinds").ok()["items"]}
    assert {"h100-sxm", "h100-pcie", "h200-sxm", "b200", "mi300x", "cpu-core"} <= set(kinds)
    assert {"mtia-v1", "mtia-v2", "mtia-300", "mtia-400", "mtia-450", "mtia-500"} <= set(kinds)
    assert {"tpu-v5p", "tpu-v5e", "tpu-v6e", "trainium1", "trainium2"} <= set(kinds)
    domains = {kind["interconnect_domain"] for kind in kinds.values()}
    assert {8, 24, 72} <= domains
    assert kinds["h100-sxm"]["network_domain"] == 3_072  # a pod of the cluster of Llama 3
    for kind in kinds.values():
        facts = ("memory_bytes", "power_watts", "interconnect_domain", "network_domain")
        assert set(kind["sources"]) == set(facts)
        for fact in facts:
            known, source = kind[fact], kind["sources"][fact]
            assert source[0] in "PST=-" and source[1] == " ", source
            assert (known is None) == (source[0] == "-") or fact == "memory_bytes", kind["name"]
    assert [kind["name"] for kind in kinds.values() if kind["announced"]] == [
        "mtia-400", "mtia-450", "mtia-500",
    ]  # fmt: skip


def test_only_those_who_may_write_the_fleet_apply_a_file() -> None:
    (route,) = [route for route in ROUTES if route.path == "/v1/fleet/apply"]
    assert route.declared == "fleet_write"
