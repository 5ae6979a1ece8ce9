"""Webhooks over the real API: signed, in order, retried; their secrets seen once by one person."""

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from comptoir.desk.notices import notice_schema
from tests.api.sse import follow
from tests.api.world import KIND, World, open_world
from tests.notices.receiver import Receiver, receiving, verify


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


def subscribe(world: World, target: str, who: str = "admin", **more: Any) -> Any:
    body = {"target": target, "types": ["quota.set"], **more}
    return world.people[who].post("/v1/subscriptions", body).ok()


def quota(world: World, number: int, tenant: str = "acme") -> None:
    path = f"/v1/tenants/{tenant}/quotas/{KIND}"
    world.operator.ask("PUT", path, {"accelerators": number}).ok()


def numbers(receiver: Receiver) -> list[int]:
    return [got.notice["data"]["accelerators"] for got in receiver.got]


def until(what: Callable[[], Any], seconds: float = 10.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_what_happens_arrives_signed_and_in_the_schemas_words(
    world: World, receiver: Receiver
) -> None:
    made = subscribe(world, receiver.url, types=["lease.*"])
    lease = world.lease()
    world.wait(f"/v1/leases/{lease['id']}", state="active")
    world.people["member"].post(f"/v1/leases/{lease['id']}/end").ok()
    got = receiver.wait(4)
    check = jsonschema_rs.validator_for(notice_schema(), validate_formats=True)
    for one in got:
        check.validate(one.notice)
        assert verify(made["secret"], one)
        assert one.id == one.notice["id"]
        assert one.headers["content-type"] == "application/json"
        assert one.headers["user-agent"].startswith("comptoir/")
    assert [one.notice["type"] for one in got] == [
        "lease.scheduled", "lease.active", "lease.reclaiming", "lease.ended",
    ]  # fmt: skip


def test_a_secret_is_shown_once_and_kept_nowhere(tmp_path: Path, receiver: Receiver) -> None:
    with open_world(tmp_path) as world:
        admin = world.people["admin"]
        body = {"target": receiver.url}
        made = admin.post("/v1/subscriptions", body, key="once").ok()
        assert made["secret"].startswith("whsec_")
        again = admin.post("/v1/subscriptions", body, key="once")
        assert again.headers["idempotent-replayed"] == "true"
        assert again.ok() == {**made, "secret": None}
        path = f"/v1/subscriptions/{made['id']}"
        turned = admin.post(f"{path}/rotate", key="turn").ok()
        assert turned["secret"] not in (None, made["secret"])
        assert admin.post(f"{path}/rotate", key="turn").ok()["secret"] is None
        for who in ("admin", "operator", "auditor"):
            for at in (path, "/v1/subscriptions", "/v1/events?limit=500"):
                assert b"whsec_" not in world.people[who].get(at).data
    for secret in (made["secret"], turned["secret"]):
        raw = base64.b64decode(secret.removeprefix("whsec_"))
        for file in tmp_path.rglob("*"):
            if file.is_file():
                kept = file.read_bytes()
                assert raw not in kept
                assert secret.removeprefix("whsec_").encode() not in kept


def test_during_a_rotation_old_and_new_secret_verify(world: World, receiver: Receiver) -> None:
    made = subscribe(world, receiver.url)
    turned = world.people["admin"].post(f"/v1/subscriptions/{made['id']}/rotate").ok()
    quota(world, 1)
    (got,) = receiver.wait(1)
    assert verify(made["secret"], got)
    assert verify(turned["secret"], got)
    assert turned["previous_secret_until"] is not None


def test_a_receiver_that_was_down_gets_everything_in_order(
    world: World, receiver: Receiver
) -> None:
    made = subscribe(world, receiver.url)
    fails = [500, 500]
    receiver.answers = lambda _: (fails.pop() if fails else 204, {})
    for number in range(1, 6):
        quota(world, number)
    receiver.wait(1)
    path = f"/v1/subscriptions/{made['id']}"
    waiting = until(lambda: (s := world.people["admin"].get(path).ok())["failures"] and s)
    assert waiting["next_try_at"] is not None
    world.people["admin"].post(f"{path}/enable").ok()  # does not wait for the next try
    receiver.wait(2)
    _tries(world, made, count=2)
    world.people["admin"].post(f"{path}/enable").ok()
    receiver.wait(7)
    assert numbers(receiver) == [1, 1, 1, 2, 3, 4, 5]
    assert len(set(receiver.ids)) == 5
    tries = _tries(world, made, count=7)
    assert [tried["status"] for tried in tries] == [204, 204, 204, 204, 204, 500, 500]
    assert tries[-1]["detail"] == "it answered 500"


def _tries(world: World, made: Any, count: int) -> Any:
    """The tries to send, once there are so many."""
    path = f"/v1/subscriptions/{made['id']}/deliveries"

    def so_many() -> Any:
        found = world.people["admin"].get(path).ok()["items"]
        return found if len(found) >= count else None

    return until(so_many)


def test_a_receiver_that_is_gone_disables_it_and_the_feed_tells(
    world: World, receiver: Receiver
) -> None:
    made = subscribe(world, receiver.url)
    receiver.answers = lambda _: (410, {})
    with follow(world.people["admin"], f"?subject={made['id']}") as reader:
        quota(world, 1)
        (told,) = reader.until(1)
    assert told["type"] == "subscription.disabled"
    assert told["data"]["reason"] == "it answered 410: it wants nothing more"
    assert told["data"]["next"].endswith(f"comptoir webhook enable {made['id']}")
    receiver.answers = lambda _: (204, {})
    quota(world, 2)
    world.people["admin"].post(f"/v1/subscriptions/{made['id']}/enable").ok()
    receiver.wait(3)
    assert numbers(receiver) == [1, 1, 2]


def test_a_redirect_is_not_followed(world: World, receiver: Receiver) -> None:
    with receiving() as elsewhere:
        receiver.answers = lambda _: (307, {"Location": elsewhere.url})
        made = subscribe(world, receiver.url)
        quota(world, 1)
        tried = _tries(world, made, count=1)[0]
        assert (tried["status"], tried["delivered"]) == (307, False)
        assert "redirect" in tried["detail"]
        assert elsewhere.got == []


def test_a_test_and_a_repetition_are_sent_when_asked_for(world: World, receiver: Receiver) -> None:
    made = subscribe(world, receiver.url)
    admin, path = world.people["admin"], f"/v1/subscriptions/{made['id']}"
    admin.post(f"{path}/test").ok()
    (test,) = receiver.wait(1)
    assert test.notice["type"] == "subscription.tested"
    assert verify(made["secret"], test)
    quota(world, 7)
    receiver.wait(2)
    admin.post(f"{path}/redeliver", {"notice": receiver.ids[1]}).ok()
    receiver.wait(3)
    assert receiver.ids[1] == receiver.ids[2]
    tries = _tries(world, made, count=3)
    assert [tried["again"] for tried in tries] == [True, False, True]
    admin.post(f"{path}/redeliver", {"notice": "nt_0"}).refused(404, "not_found")
    admin.post(f"{path}/redeliver", {"notice": "x"}).refused(422, "bad_notice_id")


def test_the_url_is_shown_whole_only_to_who_may_change_it(world: World, receiver: Receiver) -> None:
    made = subscribe(world, receiver.url)
    path = f"/v1/subscriptions/{made['id']}"
    for who, shown in (
        ("admin", receiver.url), ("operator", receiver.url), ("member", "http://127.0.0.1"),
        ("reader", "http://127.0.0.1"), ("auditor", "http://127.0.0.1"),
    ):  # fmt: skip
        assert world.people[who].get(path).ok()["target"] == shown
    world.people["stranger"].get(path).refused(404, "not_found")
    world.people["stranger"].get(f"{path}/deliveries").refused(404, "not_found")


def test_the_house_is_sent_what_happens_to_everybody(world: World, receiver: Receiver) -> None:
    made = subscribe(world, receiver.url, "operator")
    assert made["tenant_id"] is None
    quota(world, 1, "acme")
    quota(world, 2, "zenith")
    receiver.wait(2)
    tenants = [got.notice["tenant"] for got in receiver.got]
    assert tenants == [world.tenants["acme"], world.tenants["zenith"]]
    named = subscribe(world, receiver.url, "operator", tenant="zenith")
    assert named["tenant_id"] == world.tenants["zenith"]
    world.people["stranger"].get(f"/v1/subscriptions/{named['id']}").ok()
    world.people["stranger"].get(f"/v1/subscriptions/{made['id']}").refused(404, "not_found")


def test_a_deleted_subscription_is_gone(world: World, receiver: Receiver) -> None:
    made = subscribe(world, receiver.url)
    path = f"/v1/subscriptions/{made['id']}"
    world.people["admin"].post(f"{path}/delete").ok()
    world.people["admin"].get(path).refused(404, "not_found")
    world.people["admin"].post(f"{path}/test").refused(404, "not_found")
    listed = world.people["admin"].get("/v1/subscriptions").ok()["items"]
    assert made["id"] not in [item["id"] for item in listed]
    quota(world, 1)
    time.sleep(0.3)
    assert receiver.got == []


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("https://10.0.0.1/", 409, "address_refused"),
        ("https://169.254.169.254/latest/meta-data/", 409, "address_refused"),
        ("https://[fd00:ec2::254]/", 409, "address_refused"),
        ("https://[::ffff:192.168.1.1]/", 409, "address_refused"),
        ("http://93.184.216.34/", 422, "webhook_not_https"),
        ("https://user:pass@example.org/", 422, "bad_webhook_url"),
        ("gopher://example.org/", 422, "bad_webhook_url"),
        ("", 422, "invalid_request"),
    ],
)
def test_a_webhook_may_not_be_inside(world: World, target: str, status: int, code: str) -> None:
    body = {"target": target}
    world.people["admin"].post("/v1/subscriptions", body).refused(status, code)


def test_without_a_mail_server_no_mail_is_promised(world: World) -> None:
    body = {"kind": "mail", "target": "ada@example.org"}
    world.people["admin"].post("/v1/subscriptions", body).refused(409, "mail_not_configured")
    body["target"] = "ada@example.org\nBcc: eve@example.org"
    world.people["admin"].post("/v1/subscriptions", body).refused(422, "bad_mail_address")
    body = {"target": "http://127.0.0.1:9/", "types": ["nothing.*"]}
    world.people["admin"].post("/v1/subscriptions", body).refused(422, "unknown_notice_type")
