"""Credit and admissions over HTTP: the numbers of a refusal, and what a tenant may see."""

from tests.api.world import KIND, World

PATH = "/v1/tenants/acme/admission"


def admit(world: World, limit: str | None) -> None:
    people = world.people
    if people["admin"].get(PATH).status == 200:
        return  # the tests of a file share their world
    body = {"legal_name": "Acme SAS", "country": "FR", "terms_version": "1"}
    people["sales"].post(PATH, body).ok()
    people["admin"].post(f"{PATH}/accept", {"terms_version": "1"}).ok()
    screened = {"screened_at": "2026-01-02T00:00:00Z", "evidence": "e", "credit_limit": limit}
    people["sales"].post(f"{PATH}/screen", screened).ok()
    people["approver"].post(f"{PATH}/admit", {"credit_limit": limit}).ok()


def test_a_request_beyond_the_limit_is_refused_with_the_numbers(world: World) -> None:
    admit(world, "5000.00")  # a core costs 3,600 an hour
    body = {"kind": KIND, "accelerators": 2, "lease_class": "on_demand"}
    no = world.people["member"].post("/v1/leases", body).refused(409, "credit_exhausted")
    assert {name: no["facts"][name] for name in ("limit", "owed", "asked", "missing")} == {
        "limit": "5000.00", "owed": "0.00", "asked": "7200.00", "missing": "2200.00",
    }  # fmt: skip
    world.people["member"].post("/v1/leases", {**body, "accelerators": 1}).ok()
    shown = world.people["member"].get("/v1/tenants/acme/credit").ok()
    assert (shown["limit"], shown["leases"]) == ("5000.00", 1)
    world.people["stranger"].get("/v1/tenants/acme/credit").refused(404, "not_found")


def test_a_screening_is_shown_to_the_house_only(world: World) -> None:
    admit(world, "5000.00")
    house, own = world.people["auditor"].get(PATH).ok(), world.people["admin"].get(PATH).ok()
    assert (house["screening_evidence"], house["proposed_limit"]) == ("e", "5000.00")
    assert (own["screening_evidence"], own["proposed_limit"], own["screened_at"]) == (
        "", None, None,
    )  # fmt: skip
    assert own["credit_limit"] == "5000.00"
    world.people["stranger"].get(PATH).refused(404, "not_found")


def test_a_project_beyond_its_budget_is_refused(world: World) -> None:
    budget = {"amount": "4000.00", "project": "llm", "tenant": "ads"}
    world.people["finance"].post("/v1/budgets", budget).ok()
    body = {"kind": KIND, "accelerators": 2, "lease_class": "internal", "project": "llm"}
    no = world.people["team"].post("/v1/leases", body).refused(409, "budget_exhausted")
    assert (no["facts"]["project"], no["facts"]["missing"]) == ("llm", "3200.00")
    made = world.people["team"].post("/v1/leases", {**body, "project": "vision"}).ok()
    assert made["project"] == "vision"
    less = {**body, "accelerators": 1}
    world.people["team"].post("/v1/leases", less).ok()
    shown = world.people["finance"].get("/v1/budgets?tenant=ads&project=llm").ok()["items"][0]
    assert (shown["spent"], shown["held"]) == ("0.00", "3600.00")
    world.people["member"].post("/v1/budgets", {"amount": "1.00"}).refused(
        403, "missing_permission"
    )


def test_a_wrong_table_names_its_line_and_field(world: World) -> None:
    text = "date,base,quote,rate\n2026-01-02,EUR,USD,1.08\n2026-01-03,EUR,USD,0\n"
    body = {"text": text, "source": "ecb.csv"}
    no = world.people["finance"].post("/v1/fx-rates", body).refused(422, "bad_table")
    assert (no["facts"]["line"], no["facts"]["field"], no["facts"]["value"]) == (3, "rate", "0")
    assert world.people["finance"].get("/v1/fx-rates").ok()["items"] == []
