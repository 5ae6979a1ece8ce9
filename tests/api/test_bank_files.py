"""A bank file is judged whole at the door before its first entry is booked."""

import pytest

from tests.api.world import World

IBAN, OTHER = "DE89370400440532013000", "FR7630006000011234567890189"
HEAD = "date,amount,currency,reference,account\n"


@pytest.fixture
def finance(world: World):  # type: ignore[no-untyped-def]
    client = world.people["finance"]
    asked = client.post("/v1/entities/house/account", {"iban": IBAN})
    if asked.status == 201:  # the tests of a file share their world
        world.people["approver"].post(f"/v1/approvals/{asked.json['id']}/approve").ok()
    return client


def told_of(finance, reference: str) -> list[str]:  # type: ignore[no-untyped-def]
    found = finance.get("/v1/payments").ok()["items"]
    return [p["state"] for p in found if p["reference"] == reference]


def test_no_statement_is_booked_if_one_is_of_another_account(finance) -> None:  # type: ignore[no-untyped-def]
    rows = f"2026-01-05,1.00,USD,first,{IBAN}\n2026-01-05,2.00,USD,b,{OTHER}\n"
    said = finance.post("/v1/bank-files", {"name": "b.csv", "text": HEAD + rows})
    assert (said.status, said.json["code"]) == (422, "wrong_account")
    assert OTHER in said.json["detail"]
    assert told_of(finance, "first") == []


def test_a_day_that_has_not_come_is_refused_with_the_date(finance) -> None:  # type: ignore[no-untyped-def]
    rows = f"2026-01-05,1.00,USD,second,{IBAN}\n2199-01-05,2.00,USD,b,{IBAN}\n"
    said = finance.post("/v1/bank-files", {"name": "b.csv", "text": HEAD + rows})
    assert (said.status, said.json["code"]) == (422, "value_date_to_come")
    assert "2199-01-05" in said.json["detail"]
    assert told_of(finance, "second") == []


def test_a_bounce_above_its_payment_in_a_file_follows_it(finance) -> None:  # type: ignore[no-untyped-def]
    head = HEAD.replace("account", "account,reversal,end_to_end")
    rows = f"2026-01-05,-1.00,USD,back,{IBAN},yes,E1\n2026-01-05,1.00,USD,third,{IBAN},no,E1\n"
    booked = finance.post("/v1/bank-files", {"name": "b.csv", "text": head + rows}).ok()
    assert [p["state"] for p in booked["payments"]] == ["unidentified", "sent"]
    assert told_of(finance, "third") == ["bounced"]
    assert told_of(finance, "back") == ["sent"]


def test_a_duplicate_is_counted_and_can_be_booked(finance) -> None:  # type: ignore[no-untyped-def]
    row = f"2026-01-05,1.00,USD,fourth,{IBAN}\n"
    finance.post("/v1/bank-files", {"name": "b.csv", "text": HEAD + row}).ok()
    again = finance.post("/v1/bank-files", {"name": "c.csv", "text": HEAD + row + "\n"}).ok()
    assert (again["duplicates"], again["repeated"]) == (1, 0)
    [payment] = again["payments"]
    booked = finance.post(f"/v1/payments/{payment['id']}/book", {}).ok()
    assert booked["state"] == "unidentified"
