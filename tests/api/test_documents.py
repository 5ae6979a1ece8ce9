"""Documents over HTTP: whoever may see an invoice may have it as a file, in the right form."""

from io import BytesIO

import pypdf
import pytest

from tests.api.world import World


@pytest.fixture
def number(world: World) -> str:
    """An invoice of acme, which was never admitted."""
    lease = world.lease()
    world.wait(f"/v1/leases/{lease['id']}", state="active")
    world.people["member"].post(f"/v1/leases/{lease['id']}/end").ok()
    world.wait(f"/v1/leases/{lease['id']}", state="ended")
    issued = world.people["finance"].post("/v1/invoices", {"tenant": "acme"}).ok()
    return str(issued["number"])


def test_a_customer_gets_its_invoice_as_a_pdf_and_again_the_same_bytes(
    world: World, number: str
) -> None:
    admin = world.people["admin"]
    first, again = (admin.get(f"/v1/invoices/{number}/pdf") for _ in range(2))
    assert (first.status, first.headers["content-type"]) == (200, "application/pdf")
    assert first.data == again.data
    assert number in pypdf.PdfReader(BytesIO(first.data)).pages[0].extract_text()
    # The house has not said its country yet, and acme was not admitted: no e-invoice.
    assert first.headers["comptoir-e-invoice"] == "none: party_incomplete"


def test_its_language_is_asked_for(world: World, number: str) -> None:
    said = world.people["admin"].get(f"/v1/invoices/{number}/pdf?language=fr")
    assert "Facture" in pypdf.PdfReader(BytesIO(said.data)).pages[0].extract_text()
    other = world.people["admin"].get(f"/v1/invoices/{number}/pdf?language=tlh")
    other.refused(422, "invalid_request")


def test_an_incomplete_party_is_named_where_xml_is_asked_for(world: World, number: str) -> None:
    for profile in ("factur-x", "peppol"):
        said = world.people["admin"].get(f"/v1/invoices/{number}/xml?profile={profile}")
        assert "seller's country" in said.refused(409, "party_incomplete")["detail"]


def test_another_tenants_invoice_is_not_there(world: World, number: str) -> None:
    for path in ("pdf", "xml"):
        stranger = world.people["stranger"].get(f"/v1/invoices/{number}/{path}")
        stranger.refused(404, "not_found")
        world.people["auditor"].get(f"/v1/invoices/nothing/{path}").refused(404, "not_found")


def test_the_ledger_is_exported_to_the_house_alone(world: World, number: str) -> None:
    said = world.people["auditor"].get("/v1/exports/journal")
    assert (said.status, said.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert f"{number}" in said.data.decode()
    world.people["admin"].get("/v1/exports/journal").refused(403, "missing_permission")
    by_day = world.people["auditor"].get("/v1/exports/journal?daily=true").data.decode()
    assert "the sums of each day" in by_day and number not in by_day
