"""`lease why` says for whom a lease is taken back, and why it: to the house, not to its holder."""

from tests.api.world import KIND, World


def test_the_house_reads_for_whom_it_goes_and_why_it_and_its_holder_does_not(world: World) -> None:
    spot = world.lease(accelerators=8, notice_s=60)
    world.wait(f"/v1/leases/{spot['id']}", state="active")
    body = {"kind": KIND, "accelerators": 8, "lease_class": "internal"}
    mine = world.people["team"].post("/v1/leases", body).ok()
    why = f"/v1/leases/{spot['id']}/why"
    said = world.operator.get(why).ok()
    assert said["gives_way_to"] == mine["id"]
    assert said["gives_way_because"].startswith("spot; taking it back costs ")
    assert world.operator.get(f"/v1/leases/{mine['id']}/why").ok()["gives_way_to"] is None

    told = world.people["member"].get(why)
    assert (told.ok()["gives_way_to"], told.json["gives_way_because"]) == (None, None)
    assert mine["id"].encode() not in told.data
