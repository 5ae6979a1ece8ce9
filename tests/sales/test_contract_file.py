"""A contract file says what it says, or what is wrong with it, by line and field."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.leases.breaches import BreachCause
from comptoir.leases.lease import LeaseClass
from comptoir.sales.commitments import CommitmentType, CommitmentUnit
from comptoir.sales.contract_file import read_contract_file
from comptoir.sales.contracts import ContractBody, Direction, past_changes, prices_of
from comptoir.sales.sla_terms import SlaUnit
from comptoir.store.nested import decoder, encoded
from comptoir.units.errors import Invalid
from comptoir.units.time import parse_instant

EXAMPLES = Path(__file__).parents[2] / "examples" / "contracts"
DOCS = EXAMPLES.parents[1] / "docs" / "contracts.md"
ACME = (EXAMPLES / "acme-2027.toml").read_text()


def test_the_example_that_is_sold_says_all_that_it_says() -> None:
    file = read_contract_file("acme-2027.toml", ACME)
    assert (file.number, file.direction, file.party) == ("ACME-2027", Direction.SOLD, "acme")
    first, later = file.body.commitments
    assert (first.type, first.micros, first.rollover_ppm) == (
        CommitmentType.PREPAID, 1_200_000 * 10**6, 250_000,
    )  # fmt: skip
    # Postpaid without an invoice schedule is owed at the end of each step.
    assert [(i.at_ms, i.micros) for i in later.invoices] == [
        (step.until_ms, step.micros) for step in later.access
    ]
    flat, half, full = prices_of(file.body)
    assert (flat.lease_class, flat.factor_ppm) == (LeaseClass.ON_DEMAND, 900_000)
    assert (half.price_nanos, half.until_ms) == (1_050_000_000, full.from_ms)
    assert full.until_ms == file.until_ms == parse_instant("2030-01-01T00:00:00Z")
    assert file.body.recall is not None and file.body.recall.fee_ppm == 1_500_000
    sla = file.body.sla
    assert sla is not None and (sla.unit, sla.exclusions) == (
        SlaUnit.NODE, (BreachCause.MAINTENANCE,),
    )  # fmt: skip
    assert [sla.credit_ppm(ppm) for ppm in (999_000, 998_999, 989_999, 1)] == [
        0, 100_000, 300_000, 1_000_000,
    ]  # fmt: skip


def test_the_example_that_is_bought_is_ten_billion_dollars() -> None:
    text = (EXAMPLES / "northern-2025.toml").read_text()
    file = read_contract_file("northern-2025.toml", text)
    assert (file.direction, file.party) == (Direction.BOUGHT, "northern-cloud")
    assert file.body.inbound == ("northern-h100",)
    assert file.body.commitments[0].micros == 10**10 * 10**6


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.toml")))
def test_what_is_read_is_stored_and_comes_back(name: str) -> None:
    body = read_contract_file(name, (EXAMPLES / f"{name}.toml").read_text()).body
    assert decoder(ContractBody)(encoded(body)) == body


PROBLEMS = [
    ('contract = "ACME-2027"', 'contract = "A/1"', 2, "contract", "bad_contract_number"),
    ('sold_to = "acme"', "", 1, "", "file_missing_field"),
    ('sold_to = "acme"', 'sold_to = "a"\nbought_from = "b"', 4, "bought_from",
     "file_missing_field"),
    ("until = 2030-01-01", "until = 2026-01-01", 6, "until", "end_before_start"),
    ('currency = "USD"', 'currency = "XXX"', 4, "currency", "unknown_currency"),
    ("factor = 0.90", "factor = 0.90\nprice = 1", 13, "price[0].price", "file_missing_field"),
    ("factor = 0.90", "factor = 101", 12, "price[0].factor", "file_bad_value"),
    ("from = 2027-03-01, price = 2.10", "from = 2026-03-01, price = 2.10", 20,
     "ramp[0].phases[1].from", "bad_schedule"),
    ("price = 1.05", "price = -1.05", 19, "ramp[0].phases[0].price", "bad_price"),
    ('"600000.00" },\n]', '"600000.01" },\n]', 34, "commitment[0].invoice",
     "schedules_do_not_sum"),
    ('amount = "1200000.00"', 'amount = "1200000.001"', 32, "commitment[0].access[0].amount",
     "too_many_decimals"),
    ("until = 2028-01-01, amount", "until = 2026-01-01, amount", 31, "commitment[0].access",
     "bad_schedule"),
    ('rollover_for = "90d"', "", 29, "commitment[0].rollover", "file_missing_field"),
    ('tranche = "second"', 'tranche = "third"', 43, "commitment[1].tranche",
     "contract_unknown_name"),
    ('name = "first"', 'name = "second"', 58, "tranche[1].name", "contract_duplicate_name"),
    ('accept_within = "72h"', 'accept_in = "72h"', 54, "tranche[0].accept_in",
     "file_unknown_field"),
    ("{ below = 0.95, credit = 1 }", "{ below = 0.95, credit = 0.2 }", 90, "sla.credit",
     "bad_credit_schedule"),
    ('exclusions = ["maintenance"]', 'exclusions = ["weather"]', 88, "sla.exclusions",
     "file_bad_value"),
    ('[recall]\nnotice = "24h"', "[recall]\nnotice = 24", 78, "recall.notice", "file_bad_value"),
    ('[sla]\nunit = "node"', '[sla\nunit = "node"', 82, "", "file_not_toml"),
]  # fmt: skip


@pytest.mark.parametrize(("was", "now", "line", "field", "code"), PROBLEMS)
def test_a_problem_is_told_with_its_line_and_field(
    was: str, now: str, line: int, field: str, code: str
) -> None:
    assert was in ACME
    with pytest.raises(Invalid) as caught:
        read_contract_file("acme.toml", ACME.replace(was, now, 1))
    assert caught.value.code == code
    assert (caught.value.facts["line"], caught.value.facts["field"]) == (line, field)
    assert f"acme.toml:{line}" in caught.value.message


def test_all_problems_are_told_at_once() -> None:
    text = ACME.replace("price = 1.05", "price = -1").replace('"node"', '"pod"')
    with pytest.raises(Invalid) as caught:
        read_contract_file("acme.toml", text)
    assert [p["code"] for p in caught.value.facts["problems"]] == ["bad_price", "file_bad_value"]


def test_a_recall_clause_belongs_to_what_is_sold_and_inbound_leases_to_what_is_bought() -> None:
    with pytest.raises(Invalid, match=r"recall: only a sold contract"):
        read_contract_file("x", ACME.replace("sold_to", "bought_from"))
    with pytest.raises(Invalid, match=r"inbound: only a bought contract"):
        read_contract_file("x", 'inbound = ["a"]\n' + ACME)


def test_the_example_in_hours_is_money_at_its_own_price() -> None:
    [hours] = read_contract_file("x", (EXAMPLES / "uni-lab-2027.toml").read_text()).body.commitments
    assert (hours.unit, hours.price_nanos) == (CommitmentUnit.QUANTITY, 1_800_000_000)
    assert [step.micros for step in hours.access] == [72_000 * 10**6, 36_000 * 10**6]


def test_what_the_docs_show_of_a_contract_is_read() -> None:
    shown = re.findall(r"^```toml\n(.*?)^```$", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    head = 'contract = "X"\nsold_to = "x"\neffective = 2027-01-01\nuntil = 2028-01-01\n'
    read = [read_contract_file("x", head + one).body for one in shown]
    assert [body.commitments[0].micros for body in read] == [72_000 * 10**6]


def test_two_quantities_do_not_price_the_same_usage_differently() -> None:
    quantity = """
[[commitment]]
name = "{}"
type = "prepaid"
unit = "quantity"
price = {}
access = [ {{ from = {}, until = {}, accelerator_hours = 100 }} ]
invoice = [ {{ date = 2027-01-01, amount = "{}" }} ]
"""
    head = ACME.partition("[[price]]")[0]
    one = quantity.format("one", "2.00", "2027-01-01", "2027-07-01", "200.00")
    with pytest.raises(Invalid, match="price the same usage"):
        read_contract_file(
            "x", head + one + quantity.format("two", "3.00", "2027-06-01", "2027-09-01", "300.00")
        )
    apart = quantity.format("two", "3.00", "2027-07-01", "2027-09-01", "300.00")
    assert len(prices_of(read_contract_file("x", head + one + apart).body)) == 2


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_as_a_contract_file(text: str) -> None:
    with suppress(Invalid):
        read_contract_file("any", text)


@given(st.sampled_from(ACME.splitlines()), st.integers(0, 3))
def test_a_file_without_one_of_its_lines_is_read_or_refused(line: str, more: int) -> None:
    lines = ACME.splitlines()
    at = lines.index(line)
    with suppress(Invalid):
        read_contract_file("any", "\n".join(lines[:at] + lines[at + 1 + more :]))


def test_a_version_that_says_the_same_changes_nothing_of_the_past() -> None:
    body = read_contract_file("x", ACME).body
    late = parse_instant("2029-12-31T00:00:00Z")
    assert past_changes(body, body, late) == []
    assert len(past_changes(body, ContractBody(), late)) == 8  # 3 steps, 3 instalments, 2 tranches


@pytest.mark.parametrize(
    ("line", "moved", "said"),
    [
        ("delivery = 2028-01-01", "delivery = 2030-01-01", "tranche[1].delivery: it is delivered"),
        (
            "exercise_by = 2028-07-01",
            "exercise_by = 2030-01-02",
            "expansion[0].exercise_by",
        ),
        ("not_before = 2028-01-01", "not_before = 2031-01-01", "exit.not_before: it is 2031-01-01"),
        ("date = 2027-07-01", "date = 2030-01-01", "commitment[0].invoice[1].date: it is due"),
        ("until = 2030-01-01, amount", "until = 2030-01-02, amount", "access[1].until: it ends"),
    ],
)
def test_nothing_is_dated_after_the_contracts_end(line: str, moved: str, said: str) -> None:
    """It would never come: an instalment of then was never asked, a tranche never delivered."""
    assert line in ACME
    with pytest.raises(Invalid, match="bad_schedule") as no:
        read_contract_file("acme.toml", ACME.replace(line, moved))
    assert said in no.value.message
    assert "the contract ends 2030-01-01" in no.value.message


def test_what_ends_with_the_contract_is_within_it() -> None:
    text = ACME.replace("exercise_by = 2028-07-01", "exercise_by = 2030-01-01")
    assert read_contract_file("acme.toml", text).body.expansions


def test_dates_begin_in_the_zone_that_the_file_names() -> None:
    """A date is its first instant there, summer and winter; an instant says its own offset."""
    text = 'zone = "Europe/Paris"\n' + ACME.replace(
        "not_before = 2028-01-01", 'not_before = "2028-01-01T00:00:00+05:00"'
    )
    file = read_contract_file("acme.toml", text)
    assert file.effective_from_ms == parse_instant("2026-12-31T23:00:00Z")
    first, _ = file.body.commitments
    assert first.invoices[1].at_ms == parse_instant("2027-06-30T22:00:00Z")
    assert file.body.exit is not None
    assert file.body.exit.earliest_ms == parse_instant("2027-12-31T19:00:00Z")
    with pytest.raises(Invalid, match="unknown_zone"):
        read_contract_file("acme.toml", 'zone = "Mars"\n' + ACME)


def test_what_is_new_in_a_version_may_not_be_dated_before_it() -> None:
    body = read_contract_file("x", ACME).body
    now = parse_instant("2027-10-01T00:00:00Z")
    earlier = ACME.replace(
        '{ date = 2027-07-01, amount = "600000.00" }',
        '{ date = 2027-07-01, amount = "600000.00" }, { date = 2027-08-01, amount = "5.00" }',
    ).replace('"1200000.00"', '"1200005.00"')
    said = past_changes(body, read_contract_file("x", earlier).body, now)
    assert "first-year: a new instalment of 2027-08-01T00:00:00.000Z" in said
    # Two instalments of one date and amount are two: one that goes is missed.
    twice = ACME.replace("2027-07-01, amount", "2027-01-01, amount")
    once = read_contract_file("x", ACME.replace("2027-07-01, amount", "2027-12-01, amount")).body
    said = past_changes(read_contract_file("x", twice).body, once, now)
    assert said == ["first-year: the instalment of 2027-01-01T00:00:00.000Z"]
    # A first version has no past: what it promises begins when it does, or later.
    late = parse_instant("2028-02-01T00:00:00Z")
    assert past_changes(None, body, late) == [
        "first-year: a new step from 2027-01-01T00:00:00.000Z",
        "later-years: a new step from 2028-01-01T00:00:00.000Z",
        "a new tranche first, due 2027-01-01T00:00:00.000Z",
        "a new tranche second, due 2028-01-01T00:00:00.000Z",
    ]
