"""Every route, as every role, as a second tenant, and without a key.

The routes come from the app itself: a route that says nothing of its permission, or
that is not in the table, fails here before it can be called.
"""

import json

import pytest
from fastapi.routing import APIRoute

from comptoir.api.app import bare_app
from comptoir.api.door import PERMISSION, PUBLIC
from comptoir.api.routes import ROUTES
from comptoir.tenants.parties import Role
from comptoir.tenants.permissions import PERMISSIONS, Permission
from tests.api.world import KIND, World

ROLE_OF = {
    **{role: Role(role) for role in ("operator", "finance", "sales", "approver", "auditor")},
    "admin": Role.TENANT_ADMIN,
    "member": Role.TENANT_MEMBER,
    "reader": Role.TENANT_READ_ONLY,
}
TABLE = [(route.method, route.path, route.declared) for route in ROUTES]
UNKNOWN = "zz_0000"
INVITATION = {"legal_name": "Acme SAS", "country": "FR", "terms_version": "2026-11"}


def concrete(path: str, **ids: str) -> str:
    names = ("lease", "job", "tenant", "user", "node", "supply", "runtime", "card", "rate", "key")
    names += (
        "entitlement",
        "lease_class",
        "invoice",
        "draft",
        "note",
        "series",
        "setting",
        "subscription",
        "entity",
        "contract",
        "budget",
        "payment",
        "dispute",
        "opening",
        "approval",
        "plan",
    )
    given = {**dict.fromkeys(names, UNKNOWN), "kind": KIND, "path": "a", "number": "1", **ids}
    ends = "?follow=false" if path == "/v1/feed" else ""  # else it goes on for ever
    return path.replace(":path}", "}").format(**given) + ends


def test_the_app_serves_exactly_the_table_and_each_route_declares_its_permission() -> None:
    served = [
        (next(iter(route.methods or ())), route.path, (route.openapi_extra or {}).get(PERMISSION))
        for route in bare_app().routes
        if isinstance(route, APIRoute)
    ]
    assert sorted(served) == sorted(TABLE)
    open_to_all = [path for _, path, declared in TABLE if declared == PUBLIC]
    assert open_to_all == ["/healthz"]
    others = [r.path for r in bare_app().routes if not isinstance(r, APIRoute)]  # type: ignore[attr-defined]
    assert others == ["/openapi.json"]


@pytest.mark.parametrize(("method", "path", "declared"), TABLE)
def test_nobody_passes_without_a_good_key(
    world: World, method: str, path: str, declared: str
) -> None:
    if declared == PUBLIC:
        world.nobody().ask(method, path).ok()
        return
    said = world.nobody().ask(method, concrete(path))
    said.refused(401, "key_missing")
    assert said.headers["www-authenticate"].startswith("Bearer")
    bad = {"Authorization": "Bearer ck_0000_" + "A" * 43}
    world.nobody().ask(method, concrete(path), headers=bad).refused(401, "key_unknown")


@pytest.mark.parametrize("name", sorted(ROLE_OF))
@pytest.mark.parametrize(("method", "path", "declared"), TABLE)
def test_a_role_passes_exactly_where_the_table_lets_it(
    world: World, method: str, path: str, declared: str, name: str
) -> None:
    if declared == PUBLIC:
        return
    body = b"{}" if method != "GET" else None
    said = world.people[name].ask(method, concrete(path), body)
    assert said.status < 500, said.data
    allowed = Permission(declared) in PERMISSIONS[ROLE_OF[name]]
    if allowed:
        assert said.status != 403, said.data
    else:
        assert said.refused(403, "missing_permission")["facts"] == {"permission": declared}


def test_another_tenants_things_look_like_things_that_are_not(world: World) -> None:
    member, stranger = world.people["member"], world.people["stranger"]
    admin = world.people["admin"]
    lease = world.lease()
    job = member.post("/v1/jobs", {"lease_id": lease["id"], "command": ["true"]}).ok()
    key = member.get("/v1/keys").ok()["items"][0]["id"]
    mine = {
        "lease": lease["id"],
        "job": job["id"],
        "tenant": "acme",
        "user": member.user_id,
        "key": key,
        "budget": admin.post("/v1/budgets", {"amount": "90000000.00"}).ok()["id"],
        "subscription": admin.post("/v1/subscriptions", {"target": "http://[::1]:9/"}).ok()["id"],
    }
    world.people["sales"].post("/v1/tenants/acme/admission", INVITATION).ok()
    bodies = {
        "/v1/tenants/{tenant}/admission/accept": {"terms_version": "2026-11"},
        "/v1/subscriptions/{subscription}/redeliver": {"notice": "nt_1"},
        "/v1/leases/{lease}/extend": {"ends_at": "2099-01-01T00:00:00Z"},
        "/v1/leases/{lease}/shrink": {"accelerators": 1},
        "/v1/leases/{lease}/reject-node": {"node": "nd_0000", "because": "it throttles"},
        "/v1/tenants/{tenant}/quotas/{kind}": {"accelerators": 1},
    }
    for method, path, declared in TABLE:
        named = [name for name in mine if f"{{{name}}}" in path]
        if not named or Permission(declared) not in PERMISSIONS[Role.TENANT_ADMIN]:
            continue
        body = bodies.get(path, {} if method != "GET" else None)
        theirs = stranger.ask(method, concrete(path, **mine), body)
        nothing = stranger.ask(method, concrete(path), body)
        assert theirs.status == nothing.status == 404, (path, theirs.data, nothing.data)
        word = mine[named[0]]
        assert _without(theirs.data, word) == _without(nothing.data, UNKNOWN), path


def _without(data: bytes, word: str) -> object:
    return json.loads(data.decode().replace(word, "?"))


def test_lists_hold_only_ones_own_and_naming_another_tenant_is_not_found(world: World) -> None:
    world.lease()
    stranger = world.people["stranger"]
    for path in (
        "leases",
        "jobs",
        "usage",
        "charges",
        "invoices",
        "users",
        "keys",
        "events",
        "breaches",
    ):
        items = stranger.get(f"/v1/{path}").ok()["items"]
        own = world.tenants["zenith"]
        assert {item["tenant_id"] for item in items if "tenant_id" in item} <= {own}, path
        stranger.get(f"/v1/{path}?tenant=acme").refused(404, "not_found")
        world.people["auditor"].get(f"/v1/{path}?tenant=acme").ok()
    assert [t["slug"] for t in stranger.get("/v1/tenants").ok()["items"]] == ["zenith"]
    body = {"kind": KIND, "accelerators": 1, "lease_class": "spot", "tenant": "acme"}
    stranger.post("/v1/leases", body).refused(404, "not_found")


def test_the_auditor_reads_everything_and_writes_nothing() -> None:
    granted = PERMISSIONS[Role.AUDITOR]
    for method, path, declared in TABLE:
        if declared == PUBLIC or path == "/v1/keys/{key}/revoke":
            continue  # anybody may revoke keys of its own
        assert (Permission(declared) in granted) is (method == "GET"), (method, path)


def test_a_member_sees_itself_and_an_admin_sees_its_tenants_users(world: World) -> None:
    member, admin = world.people["member"], world.people["admin"]
    assert [u["id"] for u in member.get("/v1/users").ok()["items"]] == [member.user_id]
    assert len(admin.get("/v1/users").ok()["items"]) == 3
    member.get(f"/v1/users/{admin.user_id}").refused(404, "not_found")
    admin.get(f"/v1/users/{member.user_id}").ok()
    member.get(f"/v1/keys?user={admin.user_id}").refused(404, "not_found")


def test_tenants_see_no_host_paths_and_no_unapproved_rates(world: World) -> None:
    world.operator.post("/v1/runtimes", {"name": "env", "paths": ["/opt/env"]}).ok()
    shown = world.people["member"].get("/v1/runtimes").ok()["items"][0]
    assert (shown["name"], shown["paths"], shown["environment"]) == ("env", None, None)
    rate = {"kind": KIND, "lease_class": "spot", "price_per_accelerator_hour": "9.99"}
    world.people["sales"].post("/v1/rate-cards/list/rates", rate).ok()
    prices = world.people["member"].get("/v1/rates").ok()["items"]
    assert prices
    assert "9.99" not in {item["price_per_accelerator_hour"] for item in prices}


def test_nobody_approves_their_own_rate(world: World) -> None:
    both = world.user("both", ["operator", "approver"])
    rate = {"kind": KIND, "lease_class": "spot", "price_per_accelerator_hour": "1"}
    made = both.post("/v1/rate-cards/list/rates", rate).ok()
    both.post(f"/v1/rates/{made['id']}/approve").refused(403, "own_proposal")
