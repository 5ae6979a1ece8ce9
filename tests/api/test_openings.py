"""Openings over HTTP: as one body, with every fault, by two people."""

from tests.api.test_every_answer_has_its_shape import OPENING
from tests.api.world import World


def body(text: str, padding: int = 0) -> dict[str, object]:
    return {"files": [{"name": "opening.toml", "text": text + "#" + "x" * padding + "\n"}]}


def with_entity(world: World) -> None:
    made = {"slug": "sofia", "name": "S", "country": "BG", "currency": "USD", "address": ["1 X"]}
    world.people["finance"].post("/v1/entities", made)  # the world of this module has it once


def test_an_opening_may_be_larger_than_other_bodies(world: World) -> None:
    with_entity(world)
    finance = world.people["finance"]
    made = finance.post("/v1/openings", {**body(OPENING, 2 << 20), "dry_run": True}).ok()
    assert made["total_items"] == 2
    finance.post("/v1/openings", body(OPENING, 17 << 20)).refused(413, "body_too_large")
    long = {"name": "b.csv", "text": "x" * (1 << 20)}
    finance.post("/v1/bank-files", long).refused(413, "body_too_large")


def test_every_fault_is_said_with_its_file_line_and_field(world: World) -> None:
    with_entity(world)
    wrong = OPENING.replace('"100.00"', '"100.001"', 1).replace(
        "due = 2025-12-31", "due = '2025-11-31'"
    )
    said = world.people["finance"].post("/v1/openings", body(wrong))
    facts = said.refused(422, "bad_date")["facts"]
    found = [(p["file"], p["line"], p["field"], p["code"]) for p in facts["problems"]]
    assert found == [
        ("opening.toml", 20, "invoice[0].due", "bad_date"),
        ("opening.toml", 21, "invoice[0].gross", "too_many_decimals"),
    ]
    assert world.people["auditor"].get("/v1/openings").ok()["items"] == []


def test_two_files_of_one_name_are_refused(world: World) -> None:
    files = [{"name": "a.toml", "text": ""}, {"name": "a.toml", "text": ""}]
    said = world.people["finance"].post("/v1/openings", {"files": files})
    said.refused(422, "opening_twice")


def test_who_proposed_it_does_not_approve_it(world: World) -> None:
    with_entity(world)
    both = world.user("both", ["finance", "approver"])
    made = both.post("/v1/openings", body(OPENING)).ok()
    both.post(f"/v1/openings/{made['id']}/approve").refused(403, "own_proposal")
    again = world.people["finance"].post("/v1/openings", body(OPENING)).ok()
    assert (again["id"], again["repeated"]) == (made["id"], True)
    other = body(OPENING.replace("Moved AD", "Moved OOD"))
    world.people["finance"].post("/v1/openings", other).refused(409, "opening_exists")
