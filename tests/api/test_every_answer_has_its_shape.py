"""What the encoders write is what openapi/ promises: every GET and write, validated."""

import time
from pathlib import Path
from typing import Any

from comptoir.api.routes import ROUTES
from comptoir.desk.desk import Call
from comptoir.desk.opening_loop import OpeningLoop
from tests.api.world import KIND, World, open_world
from tests.desk.opening_book import SMALL

SHAPES = {(route.method, route.path): route.answer for route in ROUTES}


def fits(method: str, template: str, said: Any) -> Any:
    shape = SHAPES[method, template]
    assert shape is not None
    shape.model_validate(said)
    assert set(said) == set(shape.model_fields), (template, set(said) ^ set(shape.model_fields))
    for item in said.get("items", [])[:3] if isinstance(said, dict) else []:
        inner = shape.model_fields["items"].annotation.__args__[0]
        assert set(item) == set(inner.model_fields), set(item) ^ set(inner.model_fields)
    return said


def test_every_get_answers_in_its_shape_to_house_and_tenant(world: World) -> None:
    answers_fit(world)


def test_the_same_holds_on_postgresql(tmp_path: Path, postgres_database: str) -> None:
    with open_world(tmp_path, database_url=postgres_database) as world:
        answers_fit(world)
        page = world.people["member"].get("/v1/events?limit=2").ok()
        world.people["member"].get(f"/v1/events?limit=2&cursor={page['next_cursor']}").ok()
        world.lease()
        world.lease()
        leases = world.people["member"].get("/v1/leases?limit=1").ok()
        world.people["member"].get(f"/v1/leases?cursor={leases['next_cursor']}").ok()


def subscribed(world: World) -> str:
    """A subscription of the member's tenant to which something was sent, in vain."""
    body = {"target": "http://127.0.0.1:9/", "types": ["quota.set"]}
    made = world.people["admin"].post("/v1/subscriptions", body)
    path = "/v1/subscriptions/{subscription}"
    fits("POST", "/v1/subscriptions", made.ok())
    tested = world.people["admin"].post(f"/v1/subscriptions/{made.json['id']}/test")
    fits("POST", f"{path}/test", tested.ok())
    tries = f"/v1/subscriptions/{made.json['id']}/deliveries"
    while not world.operator.get(tries).ok()["items"]:
        time.sleep(0.02)
    return str(made.json["id"])


def answers_fit(world: World) -> None:
    lease = world.lease()
    world.wait(f"/v1/leases/{lease['id']}", state="active")
    job = world.people["member"].post(
        "/v1/jobs", {"lease_id": lease["id"], "command": ["true"], "environment": {"A": "b"}}
    )
    fits("POST", "/v1/jobs", job.ok())
    world.wait(f"/v1/jobs/{job.json['id']}", state="running")
    world.engine.finish(
        world.people["member"].get(f"/v1/jobs/{job.json['id']}").ok()["attempt_list"][0]["id"]
    )
    world.wait(f"/v1/jobs/{job.json['id']}", state="succeeded")
    ended = world.people["member"].post(f"/v1/leases/{lease['id']}/end")
    fits("POST", "/v1/leases/{lease}/end", ended.ok())
    world.wait(f"/v1/leases/{lease['id']}", state="ended")
    invoice = world.people["finance"].post("/v1/invoices", {"tenant": "acme"})
    fits("POST", "/v1/invoices", invoice.ok())
    world.operator.post("/v1/runtimes", {"name": "py", "paths": ["/usr"]}).ok()
    quota = world.operator.ask("PUT", f"/v1/tenants/acme/quotas/{KIND}", {"accelerators": 1_000})
    fits("PUT", "/v1/tenants/{tenant}/quotas/{kind}", quota.ok())
    ids = {
        "lease": lease["id"],
        "job": job.json["id"],
        "tenant": "acme",
        "user": world.people["member"].user_id,
        "node": world.operator.get("/v1/nodes").ok()["items"][0]["id"],
        "supply": world.operator.get("/v1/supply").ok()["items"][0]["id"],
        "card": world.rate_card,
        "invoice": invoice.json["number"],
        "note": _credited(world, invoice.json["number"]),
        "payment": _paid(world, invoice.json["number"]),
        "subscription": subscribed(world),
        "entitlement": _entitled(world),
        "contract": _agreed(world),
        "draft": _drafted(world),
        "entity": _admitted(world),
        "budget": _budgeted(world),
        "opening": _moved_in(world),
        "approval": world.people["auditor"].get("/v1/approvals").ok()["items"][0]["id"],
        "plan": _planned(world),
    }
    queries = {"/v1/offers": f"?kind={KIND}&accelerators=1&duration_s=60&tenant=acme&explain=true"}
    for route in ROUTES:
        if route.method != "GET" or route.answer is None:
            continue
        path = route.path.replace(":path}", "}").format(**ids) + queries.get(route.path, "")
        fits("GET", route.path, world.people["auditor"].get(path).ok())
        mine = world.people["admin"].get(path)
        if str(route.permission) != "read_house" and "{entitlement}" not in route.path:
            fits("GET", route.path, mine.ok())
    proof = world.people["auditor"].get("/v1/ledger/proof").ok()
    assert proof["balanced"]
    assert proof["accelerator_ms_observed"] == proof["accelerator_ms_posted"] != "0"


def _planned(world: World) -> str:
    begun = world.operator.post("/v1/rebalances", {"level": "node"})
    plan_id = fits("POST", "/v1/rebalances", begun.ok())["id"]
    while world.operator.get(f"/v1/rebalances/{plan_id}").ok()["state"] == "planning":
        time.sleep(0.05)
    return str(plan_id)


OPENING = SMALL.format(
    entity="sofia", cut_over="2026-01-01", tenant="moved", name="Moved AD", country="BG",
    number="A/1", date="2025-12-01", due="2025-12-31", more="",
)  # fmt: skip


def _moved_in(world: World) -> str:
    """An opening of an entity of its own, brought as the server's loop does."""
    finance, approver = world.people["finance"], world.people["approver"]
    body = {"slug": "sofia", "name": "S", "country": "BG", "currency": "USD", "address": ["1 X"]}
    finance.post("/v1/entities", body).ok()
    files = {"files": [{"name": "opening.toml", "text": OPENING}]}
    fits("POST", "/v1/openings", finance.post("/v1/openings", {**files, "dry_run": True}).ok())
    first = finance.post("/v1/openings", files).ok()
    path = "/v1/openings/{opening}"
    withdrawn = finance.post(f"/v1/openings/{first['id']}/withdraw")
    fits("POST", f"{path}/withdraw", withdrawn.ok())
    again = fits("POST", "/v1/openings", finance.post("/v1/openings", files).ok())
    begun = fits(
        "POST", f"{path}/approve", approver.post(f"/v1/openings/{again['id']}/approve").ok()
    )
    assert begun["state"] == "bringing"
    tenant = {"slug": "late", "name": "Late", "kind": "enterprise"}
    world.operator.post("/v1/tenants", tenant).refused(503, "opening_under_way")
    desk = world.desk
    loop = OpeningLoop(
        lambda: desk.book,
        desk.store.find,
        lambda piece: world.queue.call(Call("bring_slice", piece)).unwrap(),
    )
    while loop.step():
        pass
    shown = finance.get("/v1/invoices/A%2F1").ok()
    fits("GET", "/v1/invoices/{invoice:path}", shown)
    assert shown["opening_id"] == again["id"]
    return str(again["id"])


def _paid(world: World, number: str) -> str:
    """A payment with something left, of an invoice with a dispute."""
    finance = world.people["finance"]
    text = f"date,amount,currency,reference\n2026-01-05,900.00,USD,{number}\n"
    booked = finance.post("/v1/bank-files", {"name": "b.csv", "text": text}).ok()
    fits("POST", "/v1/bank-files", booked)
    [payment] = booked["payments"]
    fits("GET", "/v1/payments/{payment}", payment)
    path = f"/v1/payments/{payment['id']}"
    refunded = finance.post(f"{path}/refund", {"reason": "r", "amount": "0.50"}).ok()
    fits("POST", "/v1/payments/{payment}/refund", refunded)
    kept = finance.post(f"{path}/top-up", {"amount": "1.00"}).ok()
    fits("POST", "/v1/payments/{payment}/top-up", kept)
    _done_by_two(world, refunded)
    gone = finance.post(f"/v1/approvals/{kept['id']}/withdraw").ok()
    fits("POST", "/v1/approvals/{approval}/withdraw", gone)
    steps = finance.ask("PUT", "/v1/dunning", {"steps": {"reminder": 3}}).ok()
    fits("PUT", "/v1/dunning", steps)
    return str(payment["id"])


def _done_by_two(world: World, asked: Any) -> str:
    """What an act made that finance asked for, once the approver has said yes."""
    done = world.people["approver"].post(f"/v1/approvals/{asked['id']}/approve").ok()
    fits("POST", "/v1/approvals/{approval}/approve", done)
    return str(done["made"])


def _admitted(world: World) -> str:
    """The slug of an entity that has admitted acme, under imported tables."""
    finance, people = world.people["finance"], world.people
    made = finance.post(
        "/v1/entities",
        {"slug": "paris", "name": "P", "country": "FR", "currency": "USD", "address": ["1 rue X"],
         "tax_ids": {"FR": "FR40303265045"}},
    )  # fmt: skip
    fits("POST", "/v1/entities", made.ok())
    changed = finance.post("/v1/entities/paris/change", {"name": "Paris"})
    fits("POST", "/v1/entities/{entity}/change", changed.ok())
    account = finance.post("/v1/entities/paris/account", {"bic": "PSSTFRPPPAR"})
    _done_by_two(world, fits("POST", "/v1/entities/{entity}/account", account.ok()))
    rules = (
        "seller,buyer_country,buyer,treatment,rate_percent,from\nFR,*,*,standard,20,2014-01-01\n"
    )
    taken = finance.post("/v1/tax-rules", {"text": rules, "source": "tax.csv"})
    assert fits("POST", "/v1/tax-rules", taken.ok())["added"] == 1
    rates = "date,base,quote,rate\n2026-01-02,EUR,USD,1.08\n"
    taken = finance.post("/v1/fx-rates", {"text": rates, "source": "fx.csv"})
    assert fits("POST", "/v1/fx-rates", taken.ok())["added"] == 1
    path, body = "/v1/tenants/acme/admission", {"entity": "paris", "legal_name": "Acme SAS"}
    invited = people["sales"].post(path, {**body, "country": "FR", "terms_version": "1"})
    fits("POST", "/v1/tenants/{tenant}/admission", invited.ok())
    steps = {
        "accept": ("admin", {"terms_version": "1"}),
        "screen": ("sales", {"screened_at": "2026-01-02T00:00:00Z", "evidence": "e",
                             "credit_limit": None}),
        "admit": ("approver", {"credit_limit": None}),
    }  # fmt: skip
    for step, (who, given) in steps.items():
        fits("POST", f"/v1/tenants/{{tenant}}/admission/{step}",
             people[who].post(f"{path}/{step}", given).ok())  # fmt: skip
    people["sales"].post("/v1/tenants/zenith/admission", {**body, "country": "FR",
                         "terms_version": "1"}).ok()  # fmt: skip
    refused = people["approver"].post("/v1/tenants/zenith/admission/refuse", {"because": "no"})
    fits("POST", "/v1/tenants/{tenant}/admission/refuse", refused.ok())
    return "paris"


CONTRACT = """
contract = "ACME-1"
sold_to = "acme"
effective = 2099-01-01
until = 2100-01-01

[[price]]
factor = 0.5

[[commitment]]
name = "base"
type = "prepaid"
access = [ { from = 2099-01-01, until = 2100-01-01, amount = "100.00" } ]
invoice = [ { date = 2099-01-01, amount = "100.00" } ]

[[commitment]]
name = "more"
type = "postpaid"
access = [ { from = 2099-01-01, until = 2100-01-01, amount = "100.00" } ]

[[tranche]]
name = "first"
kind = "cpu-core"
accelerators = 8
delivery = 2099-01-01
"""


def _drafted(world: World) -> str:
    """An instalment of another customer, drawn up and not final."""
    body = {"slug": "drafty", "name": "Drafty", "kind": "enterprise", "rate_card": world.rate_card}
    world.operator.post("/v1/tenants", body).ok()
    text = CONTRACT.replace("ACME-1", "DRAFTY-1").replace("acme", "drafty")
    text = text.replace("2099-01-01", "2020-01-01")
    world.people["sales"].post("/v1/contracts", {"file": "drafty.toml", "text": text}).ok()
    world.people["approver"].post("/v1/contracts/DRAFTY-1/versions/1/approve").ok()
    drawn = world.people["finance"].post("/v1/tenants/drafty/prepayments", {})
    fits("POST", "/v1/tenants/{tenant}/prepayments", drawn.ok())
    return str(world.people["finance"].get("/v1/invoice-drafts").ok()["items"][0]["id"])


def _agreed(world: World) -> str:
    """The number of a contract with acme; another, in force, has been acted on."""
    sales, path = world.people["sales"], "/v1/contracts/{contract}/versions/{number}"
    body = {"file": "acme.toml", "text": CONTRACT}
    fits("POST", "/v1/contracts", sales.post("/v1/contracts", {**body, "dry_run": True}).ok())
    fits("POST", "/v1/contracts", sales.post("/v1/contracts", body).ok())
    withdrawn = sales.post("/v1/contracts/ACME-1/versions/1/withdraw")
    fits("POST", f"{path}/withdraw", withdrawn.ok())
    sales.post("/v1/contracts", body).ok()
    approved = world.people["approver"].post("/v1/contracts/ACME-1/versions/2/approve")
    fits("POST", f"{path}/approve", approved.ok())
    bought = (
        CONTRACT.replace("ACME-1", "NORTH-1").replace('sold_to = "acme"', 'bought_from = "n"')
    ).replace("effective = 2099", "effective = 2000")
    sales.post("/v1/contracts", {"file": "north.toml", "text": bought}).ok()
    world.people["approver"].post("/v1/contracts/NORTH-1/versions/1/approve").ok()
    sales.post("/v1/contracts/NORTH-1/acts", {"act": "deliver", "about": "first"}).refused(
        409, "tranche_too_early"
    )
    exit_ = bought.replace("NORTH-1", "EAST-1") + '\n[exit]\nnotice = "1h"\n'
    sales.post("/v1/contracts", {"file": "east.toml", "text": exit_}).ok()
    world.people["approver"].post("/v1/contracts/EAST-1/versions/1/approve").ok()
    done = sales.post("/v1/contracts/EAST-1/acts", {"act": "exit", "note": "moved"})
    fits("POST", "/v1/contracts/{contract}/acts", done.ok())
    settled = world.people["finance"].post("/v1/supply/settle", {})
    fits("POST", "/v1/supply/settle", settled.ok())
    world.people["admin"].get("/v1/contracts/EAST-1").refused(404, "not_found")
    return "ACME-1"


def _credited(world: World, invoice: str) -> str:
    """The number of a credit note over all of an invoice."""
    path = "/v1/invoices/{invoice:path}/credit-notes"
    note = world.people["finance"].post(
        f"/v1/invoices/{invoice}/credit-notes", {"reason": "to see it"}
    )
    return _done_by_two(world, fits("POST", path, note.ok()))


def _budgeted(world: World) -> str:
    """The id of acme's budget; it has a grant too."""
    body = {"amount": "1000000.00", "project": "llm", "thresholds": [90], "when_spent": "warn"}
    made = world.people["admin"].post("/v1/budgets", body)
    fits("POST", "/v1/budgets", made.ok())
    other = world.people["finance"].post("/v1/budgets", {"amount": "1.00", "tenant": "zenith"})
    ended = world.people["finance"].post(f"/v1/budgets/{other.ok()['id']}/end")
    fits("POST", "/v1/budgets/{budget}/end", ended.ok())
    grant = {"amount": "5.00", "until": "2099-01-01T00:00:00Z", "conditions": ["publish"]}
    given = world.people["finance"].post("/v1/tenants/acme/grants", grant)
    _done_by_two(world, fits("POST", "/v1/tenants/{tenant}/grants", given.ok()))
    return str(made.json["id"])


def _entitled(world: World) -> str:
    """The id of a team's entitlement, set and ended; far from now, and so in nobody's way."""
    world.operator.post("/v1/tenants", {"slug": "shaped", "name": "S", "kind": "team"}).ok()
    body = {
        "kind": KIND, "accelerators": 1, "team": "shaped", "starts_at": "2099-01-01T00:00:00Z",
        "ends_at": "2099-02-01T00:00:00Z", "lend_limit": 1,
    }  # fmt: skip
    made = world.operator.post("/v1/entitlements", body)
    fits("POST", "/v1/entitlements", made.ok())
    path = f"/v1/entitlements/{made.json['id']}/end"
    ended = world.operator.post(path, {"ends_at": "2099-01-15T00:00:00Z"})
    fits("POST", "/v1/entitlements/{entitlement}/end", ended.ok())
    credits = world.people["finance"].post("/v1/tenants/shaped/lending/credits", {})
    fits("POST", "/v1/tenants/{tenant}/lending/credits", credits.ok())
    policy = world.operator.ask("PUT", "/v1/policy/spot", {"notice_s": 30})
    fits("PUT", "/v1/policy/{lease_class}", policy.ok())
    return str(made.json["id"])
