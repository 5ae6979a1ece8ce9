"""Keys expire and are revoked at once; users are disabled; tenants suspended."""

import time
from datetime import UTC, datetime, timedelta

from tests.api.world import World


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_a_key_says_who_it_is_and_shows_no_secret(world: World) -> None:
    member = world.people["member"]
    said = member.get("/v1/whoami").ok()
    assert (said["tenant_slug"], said["roles"]) == ("acme", ["tenant_member"])
    assert said["permissions"] == ["read", "keys_issue", "leases_write"]
    for item in member.get("/v1/keys").ok()["items"]:
        assert "secret" not in item
        assert "secret_sha256" not in item


def test_a_key_expires(world: World) -> None:
    member = world.people["member"]
    issued = member.post("/v1/keys", {"expires_at": soon(0.4)}).ok()
    guest = type(member)(world, issued["secret"])
    assert guest.get("/v1/whoami").ok()["key_expires_at"] == issued["expires_at"]
    time.sleep(0.5)
    guest.get("/v1/whoami").refused(401, "key_expired")
    member.post("/v1/keys", {"expires_at": soon(-1)}).refused(422, "expires_in_the_past")


def test_a_key_is_revoked_at_once_by_its_holder_or_an_admin(world: World) -> None:
    member, admin, stranger = (world.people[name] for name in ("member", "admin", "stranger"))
    issued = member.post("/v1/keys", {}).ok()
    guest = type(member)(world, issued["secret"])
    stranger.post(f"/v1/keys/{issued['id']}/revoke").refused(404, "not_found")
    world.people["reader"].post(f"/v1/keys/{issued['id']}/revoke").refused(404, "not_found")
    guest.get("/v1/whoami").ok()
    assert admin.post(f"/v1/keys/{issued['id']}/revoke").ok()["revoked_at"]
    guest.get("/v1/whoami").refused(401, "key_revoked")


def test_an_admin_makes_users_of_its_own_tenant_only(world: World) -> None:
    admin = world.people["admin"]
    body = {"name": "new", "roles": ["tenant_member"]}
    assert admin.post("/v1/users", body).ok()["tenant_id"] == world.tenants["acme"]
    admin.post("/v1/users", {**body, "tenant": "zenith"}).refused(404, "not_found")
    admin.post("/v1/users", {**body, "roles": ["operator"]}).refused(403, "house_only")
    world.people["member"].post("/v1/users", body).refused(403, "missing_permission")


def test_a_disabled_users_keys_stop_and_the_last_operator_stays(world: World) -> None:
    guest = world.user("leaver", ["tenant_member"], "acme")
    world.people["admin"].post(f"/v1/users/{guest.user_id}/disable").ok()
    guest.get("/v1/whoami").refused(401, "key_revoked")
    me = world.operator.get("/v1/whoami").ok()["user_id"]
    world.operator.post(f"/v1/users/{me}/disable").refused(409, "last_operator")


def test_a_suspended_tenant_leases_nothing_and_reads_on(world: World) -> None:
    team = world.people["team"]
    body = {"kind": "cpu-core", "accelerators": 1, "lease_class": "internal"}
    world.operator.post("/v1/tenants/ads/suspend").ok()
    team.post("/v1/leases", body).refused(409, "tenant_suspended")
    assert team.get("/v1/tenants/ads").ok()["state"] == "suspended"
    team.get("/v1/leases").ok()
    world.operator.post("/v1/tenants/ads/resume").ok()
    team.post("/v1/leases", body).ok()


def test_a_malformed_key_is_unknown(world: World) -> None:
    for secret in ("x", "ck_", "ck__", "ck_a_b", "ck_" + "é" * 10, "ck_" + "x" * 5_000 + "_y"):
        bad = {"Authorization": f"Bearer {secret}".encode().decode("latin-1")}
        world.nobody().ask("GET", "/v1/whoami", headers=bad).refused(401, "key_unknown")
    for scheme in ("Basic abc", "Bearer", "Bearer  "):
        bad = {"Authorization": scheme}
        world.nobody().ask("GET", "/v1/whoami", headers=bad).refused(401, "key_missing")
