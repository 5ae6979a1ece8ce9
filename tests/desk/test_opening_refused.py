"""What an opening is refused for: what contradicts the book, and every fault of its files."""

import pytest

from comptoir.desk.contract_requests import ProposeContract
from comptoir.desk.entity_requests import CreateEntity
from comptoir.desk.requests import IssueInvoice
from comptoir.leases.lease import LeaseClass
from comptoir.sales.contract_file import read_contract_file
from comptoir.tenants.parties import Role
from tests.builders import HOUR_MS, Book
from tests.desk.opening_book import (
    OCTOBER_MS,
    SEPTEMBER_MS,
    SMALL,
    closed,
    move_in,
    no,
    status,
    texts,
)

# What contradicts the book.


def test_an_entity_that_has_invoiced_brings_nothing(book: Book) -> None:
    book.price_all()
    book.supply(8)
    gamma = book.tenant("gamma")
    book.lease(gamma, LeaseClass.SPOT, 1)
    book.turn()
    book.pass_s(3_600)
    book.desk.call("issue_invoice", IssueInvoice(gamma.id), book.finance)
    error = no(book, texts())
    assert (error.code, error.facts["series"]) == ("entity_has_invoiced", ["GAMMA-2026"])


def test_a_month_that_is_closed_takes_nothing_in(book: Book) -> None:
    book.clock.instant_ms = OCTOBER_MS
    closed(book, "2026-09")
    assert no(book, texts()).code == "period_after_cut_over"


def test_use_before_the_cut_over_contradicts_it(book: Book) -> None:
    book.price_all()
    book.supply(8)
    gamma = book.tenant("gamma")
    book.lease(gamma, LeaseClass.SPOT, 1)
    book.turn()
    book.pass_s(3_600)
    book.clock.instant_ms = OCTOBER_MS
    later = texts({"opening.toml": ("cut_over = 2026-09-01", "cut_over = 2026-10-01")})
    assert no(book, later).code == "usage_before_cut_over"


def test_a_cut_over_to_come_is_refused(book: Book) -> None:
    later = texts({"opening.toml": ("cut_over = 2026-09-01", "cut_over = 2026-10-01")})
    assert no(book, later).code == "cut_over_ahead"


def test_a_contract_that_is_in_the_book_is_not_brought(book: Book) -> None:
    file = read_contract_file("north.toml", texts()["north.toml"])
    book.desk.call("propose_contract", ProposeContract(file), book.user(Role.SALES))
    error = no(book, texts())
    assert (error.code, error.facts["file"]) == ("contract_exists", "opening.toml")


def test_an_entity_that_is_not_there_is_refused(book: Book) -> None:
    other = texts({"opening.toml": ('entity = "house"', 'entity = "other"')})
    assert no(book, other).code == "unknown_entity"


FAULTS = [
    ("cut_over = 2026-09-01", "cut_over = 2026-09-02", "cut_over_within_a_month"),
    ('amount = "190000.00"', 'amount = "190000.01"', "control_differs"),
    ("count = 4", "count = 5", "control_differs"),
    ('of = "payables"', 'of = "contracts"', "control_differs"),
    ('invoiced = "600000.00"', 'invoiced = "500000.00"', "invoiced_is_no_instalment"),
    ('settled = "20000.00"', 'settled = "10000.00"', "step_does_not_sum"),
    ('used = "35000.00" }', 'used = "35000.00", settled = "1.00" }', "step_does_not_sum"),
    ('"CN-ACME-2026"', '"NC-ACME"', "unknown_series"),
    ('account = "cash"', 'account = "till"', "unknown_account"),
    ('source = "grant"', 'source = "commitment"', "file_bad_value"),
    ("until = 2030-01-01", "until = 2026-08-01", "over_before_cut_over"),
    ('name = "committed"', 'name = "comitted"', "contract_unknown_name"),
    ('file = "north.toml"', 'file = "south.toml"', "opening_file_missing"),
    ('country = "FR"\ntax_id', 'country = "FX"\ntax_id', "unknown_country"),
    ('base = "1000.00"', 'base = "1001.00"', "taxes_do_not_fit"),
    ("date = 2026-08-28", "date = 2026-12-28", "date_ahead"),
    ('limit = "500000.00"', 'limit = "500000.001"', "too_many_decimals"),
    ('tenant = "borealis"\namount', 'tenant = "boreal"\namount', "unknown_tenant"),
]
ROWS = [
    ("24000.00,4000.00,20", "24000.00,4100.00,20", "taxes_do_not_fit"),
    ("12000.00,1", "48000.00,1", "invoice_not_open"),
    ("INV/17", "ACME-2026-000041", "opening_twice"),
    ("ACME-2026-000041", "ACME-2026-000042", "number_given_again"),
    ("2026-06-30", "2026-16-30", "bad_date"),
    ("2160.00", "2160.001", "too_many_decimals"),
    ("400.00,2", "400.00,2,3", "file_bad_value"),
]
CONTRACTS = [
    ("acme.toml", 'amount = "400000.00"', 'amount = "300000.00"', "schedules_do_not_sum"),
    ("north.toml", 'contract = "NORTHERN-2026"', 'contract = "N/2026"', "bad_contract_number"),
]


@pytest.mark.parametrize(
    ("name", "old", "new", "code"),
    [
        *(("opening.toml", *fault) for fault in FAULTS),
        *(("invoices.csv", *fault) for fault in ROWS),
        *CONTRACTS,
    ],
)
def test_a_fault_is_said_with_its_file_line_and_field(
    book: Book, name: str, old: str, new: str, code: str
) -> None:
    """The line is that of the value, or of the table that it stands in."""
    files = texts({name: (old, new)})
    error = no(book, files)
    lines = files[name].splitlines()
    at = files[name][: files[name].rindex(new)].count("\n") + 1
    header = next((n for n in range(at, 0, -1) if lines[n - 1].startswith("[")), at)
    found = [p for p in error.facts["problems"] if p["code"] == code]
    assert found, error.facts["problems"]
    assert all(p["file"] == name for p in found)
    assert {p["line"] for p in found} & set(range(header, at + 1)), (found, header, at)
    assert all(p["field"] for p in found)
    assert not len(book.desk.book.openings.openings)


def test_a_number_that_would_be_given_again_is_refused(book: Book) -> None:
    error = no(book, texts({"opening.toml": ("next = 42", "next = 41")}))
    (problem,) = error.facts["problems"]
    assert (problem["code"], problem["file"], problem["line"]) == (
        "number_given_again", "invoices.csv", 3,
    )  # fmt: skip


def test_more_than_the_ledger_could_hold_is_refused(book: Book) -> None:
    """Two balances of 9,000,000,000,000.00 would not fit 64 bits together."""
    huge = texts({"opening.toml": ('"912000.00"', '"9000000000000.00"')})
    huge["opening.toml"] = huge["opening.toml"].replace('"-5000.00"', '"9000000000000.00"')
    error = no(book, huge)
    assert "more_than_fits" in {p["code"] for p in error.facts["problems"]}


PARIS = SMALL.format(
    entity="paris", cut_over="2026-09-01", tenant="lyon", name="Lyon SA", country="FR",
    number="PARIS-2026-000009", date="2026-08-01", due="2026-08-31",
    more='[[next_number]]\nseries = "PARIS-2026"\nnext = 10\n',
)  # fmt: skip


def in_paris(book: Book) -> None:
    made = CreateEntity("paris", "Paris SA", "FR", "USD", "Europe/Paris")
    book.desk.call("create_entity", made, book.finance)


def test_dates_are_days_where_the_entity_is(book: Book) -> None:
    """September begins in Paris two hours earlier; what is due on a day is late on the next."""
    in_paris(book)
    opening = move_in(book, {"opening.toml": PARIS})
    assert opening.cut_over_ms == SEPTEMBER_MS - 2 * HOUR_MS
    found = status(book, "PARIS-2026-000009")
    assert found.due_at_ms == SEPTEMBER_MS - 2 * HOUR_MS - 1
    assert found.issued_at_ms == SEPTEMBER_MS - 31 * 24 * HOUR_MS - 2 * HOUR_MS


def test_an_entity_of_its_own_brings_its_own_customers(book: Book) -> None:
    in_paris(book)
    without = {"opening.toml": PARIS.replace("[customer.admission]", "[customer.admision]")}
    assert no(book, without).code == "file_unknown_field"
    book.tenant("lyon")  # of the house
    error = no(book, {"opening.toml": PARIS.split("[customer.admission]")[0] + "[[invoice]]"
                      + PARIS.split("[[invoice]]")[1]})  # fmt: skip
    assert error.code == "entity_of_another"


def test_two_contracts_of_a_customer_at_once_are_refused(book: Book) -> None:
    files = texts()
    files["opening.toml"] += '[[contract]]\nfile = "twin.toml"\n'
    files["twin.toml"] = files["acme.toml"].replace("ACME-2026", "ACME-TWIN")
    assert "contracts_overlap" in {p["code"] for p in no(book, files).facts["problems"]}


def test_sums_that_nobody_controls_are_refused(book: Book) -> None:
    control = '[[control]]\nof = "credits"\namount = "77.00"\n'
    error = no(book, texts({"opening.toml": (control, "")}))
    assert error.code == "control_missing"


def test_all_faults_are_said_at_once(book: Book) -> None:
    files = texts({"invoices.csv": ("2026-06-30", "nowhen"), "acme.toml": ("1.90", '"dear"')})
    files["opening.toml"] = files["opening.toml"].replace('"thank you"', '""')
    error = no(book, files)
    assert {p["file"] for p in error.facts["problems"]} == {"invoices.csv", "acme.toml"}
    assert all(p["line"] and p["field"] for p in error.facts["problems"])


def test_a_found_opening_has_its_texts_word_for_word(book: Book) -> None:
    opening = move_in(book)
    for name, text in texts().items():
        assert book.store.find("opening_text", (opening.id, name)).text == text
