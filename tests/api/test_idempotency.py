"""The same key and request get the same answer once; another request under it is refused."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.world import KIND, Said, World

LEASE = {"kind": KIND, "accelerators": 1, "lease_class": "spot"}


def test_a_repeated_write_is_answered_word_for_word(world: World) -> None:
    member = world.people["member"]
    first = member.post("/v1/leases", LEASE, key="same")
    again = member.post("/v1/leases", LEASE, key="same")
    assert (again.status, again.data) == (first.status, first.data) == (201, first.data)
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


def test_a_refusal_is_repeated_too(world: World) -> None:
    member = world.people["member"]
    body = {**LEASE, "lease_class": "internal"}
    first = member.post("/v1/leases", body, key="refused")
    again = member.post("/v1/leases", body, key="refused")
    first.refused(409, "class_not_allowed")
    again.refused(409, "class_not_allowed")
    assert again.data == first.data


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/leases", {**LEASE, "accelerators": 2}),
        ("/v1/leases?a=b", LEASE),
        ("/v1/jobs", {"lease_id": "ls_0", "command": ["true"]}),
    ],
)
def test_another_request_under_the_key_is_refused(world: World, path: str, body: Any) -> None:
    member = world.people["member"]
    member.post("/v1/leases", LEASE, key="taken").ok()
    member.post(path, body, key="taken").refused(422, "idempotency_key_reused")


def test_a_key_belongs_to_its_user(world: World) -> None:
    one = world.people["member"].post("/v1/leases", LEASE, key="shared").ok()
    other = world.people["stranger"].post("/v1/leases", LEASE, key="shared").ok()
    assert one["id"] != other["id"]


def test_fifty_at_once_under_one_key_make_one_lease(world: World) -> None:
    member = world.people["member"]
    body = {**LEASE, "name": "only-one"}

    def ask(_: int) -> Said:
        return member.post("/v1/leases", body, key="fifty")

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))
    done = [answer for answer in answers if answer.status == 201]
    waiting = [answer for answer in answers if answer.status != 201]
    assert done
    for answer in waiting:
        answer.refused(409, "in_flight")
    assert len({answer.data for answer in done}) == 1
    named = [x for x in member.get("/v1/leases?limit=500").ok()["items"] if x["name"] == "only-one"]
    assert len(named) == 1


def test_a_key_is_printable_and_short(world: World) -> None:
    member = world.people["member"]
    for key in ("", " ", "a b", "x" * 256):
        said = member.ask("POST", "/v1/leases", LEASE, {"Idempotency-Key": key})
        said.refused(422, "bad_idempotency_key")
    member.post("/v1/leases", LEASE, key="x" * 255).ok()


def test_a_secret_is_shown_once_even_to_a_repeated_request(world: World) -> None:
    member = world.people["member"]
    first = member.post("/v1/keys", {"note": "n"}, key="new-key").ok()
    again = member.post("/v1/keys", {"note": "n"}, key="new-key").ok()
    assert first.pop("secret").startswith("ck_")
    assert again.pop("secret") is None
    assert first == again


def test_every_write_takes_a_key(world: World) -> None:
    quota = {"accelerators": 500}
    for _ in range(2):
        said = world.operator.ask(
            "PUT", f"/v1/tenants/acme/quotas/{KIND}", quota, {"Idempotency-Key": "quota"}
        )
        said.ok()
    assert said.headers["idempotent-replayed"] == "true"
