"""Pages: complete, in order, steady while the book grows, and deaf to foreign cursors."""

import base64
import json

from comptoir.api.pages import WrittenRows
from tests.api.world import World


def test_walking_a_list_gives_every_row_once_while_new_ones_come(world: World) -> None:
    member = world.people["member"]
    wanted = {world.lease(name=f"walk-{i}")["id"] for i in range(25)}
    seen: list[str] = []
    path = "/v1/leases?limit=4"
    while True:
        page = member.get(path).ok()
        seen += [item["id"] for item in page["items"]]
        world.lease(name="late")
        if page["next_cursor"] is None:
            break
        path = f"/v1/leases?limit=4&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen))
    assert wanted <= set(seen)
    assert not {item["id"] for item in member.get("/v1/leases").ok()["items"][:5]} & set(seen)


def test_a_page_is_newest_first_and_knows_its_end(world: World) -> None:
    member = world.people["member"]
    world.lease()
    items = member.get("/v1/leases?limit=500").ok()["items"]
    assert [i["requested_at"] for i in items] == sorted(
        (i["requested_at"] for i in items), reverse=True
    )
    whole = member.get(f"/v1/leases?limit={len(items)}").ok()
    assert whole["next_cursor"] is None


def test_a_cursor_works_only_where_it_was_given(world: World) -> None:
    member = world.people["member"]
    world.lease()
    world.lease()
    cursor = member.get("/v1/leases?limit=1").ok()["next_cursor"]
    member.get(f"/v1/jobs?cursor={cursor}").refused(422, "bad_cursor")
    member.get(f"/v1/leases?cursor={cursor}").ok()
    for forged in (
        ["leases"],
        ["leases", "x", 1],
        ["leases", 2**70, "ls"],
        ["leases", True, "ls"],
        ["leases", 1.5, "ls"],
        ["leases", 1, "\0"],
        {"a": 1},
    ):
        word = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
        member.get(f"/v1/leases?cursor={word}").refused(422, "bad_cursor")


def test_a_kept_page_shows_a_write_as_soon_as_it_is_acknowledged(world: World) -> None:
    member = world.people["member"]
    for i in range(20):
        member.get("/v1/leases?limit=3").ok()
        made = world.lease(name=f"fresh-{i}")
        assert member.get("/v1/leases?limit=3").ok()["items"][0]["id"] == made["id"]


def test_a_kept_page_is_never_shown_to_another_tenant(world: World) -> None:
    world.lease()
    assert world.people["member"].get("/v1/leases?limit=7").ok()["items"]
    assert world.people["team"].get("/v1/leases?limit=7").ok()["items"] == []


def test_filters_narrow(world: World) -> None:
    auditor = world.people["auditor"]
    later = world.lease(starts_at="2090-01-01T00:00:00Z")
    world.people["member"].post(f"/v1/leases/{later['id']}/cancel").ok()
    for query, holds in (
        ("state=cancelled", lambda x: x["state"] == "cancelled"),
        ("state=waiting&state=active", lambda x: x["state"] in ("waiting", "active")),
        ("tenant=acme", lambda x: x["tenant_id"] == world.tenants["acme"]),
        (f"tenant={world.tenants['acme']}", lambda x: x["tenant_id"] == world.tenants["acme"]),
        ("lease_class=spot", lambda x: x["lease_class"] == "spot"),
        ("kind=cpu-core", lambda x: x["kind"] == "cpu-core"),
    ):
        items = auditor.get(f"/v1/leases?{query}").ok()["items"]
        assert all(holds(item) for item in items), query
    assert auditor.get("/v1/leases?kind=mi300x").ok()["items"] == []


def test_the_feed_follows_in_order_and_ends_where_the_book_does(world: World) -> None:
    auditor = world.people["auditor"]
    seqs: list[int] = []
    path = "/v1/events?after=5&limit=50"
    while True:
        page = auditor.get(path).ok()
        seqs += [event["seq"] for event in page["items"]]
        if page["next_cursor"] is None:
            break
        path = f"/v1/events?after=5&limit=50&cursor={page['next_cursor']}"
    assert seqs == list(range(6, 6 + len(seqs)))
    assert auditor.get("/v1/events?limit=1").ok()["items"][0]["seq"] >= seqs[-1]


def test_a_row_is_written_again_only_when_it_has_changed() -> None:
    rows, written = WrittenRows(), []

    def write(row: tuple[object, ...]) -> bytes:
        written.append(row)
        return repr(row).encode()

    for row in (("ls_1", "active"), ("ls_1", "active"), ("ls_1", "ended"), ("ls_2", "ended")):
        assert rows.write(row, False, write) == repr(row).encode()
    assert written == [("ls_1", "active"), ("ls_1", "ended"), ("ls_2", "ended")]


def test_what_was_written_for_the_house_is_not_given_to_a_tenant() -> None:
    rows = WrittenRows()
    assert rows.write(("ls_1",), True, lambda _: b"all of it") == b"all of it"
    assert rows.write(("ls_1",), False, lambda _: b"its part") == b"its part"
