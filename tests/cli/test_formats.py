"""Words into values and back: what people type and read."""

import pytest

from comptoir.cli.formats import (
    Times,
    accelerator_time,
    duration,
    money,
    parse_when,
    plain,
)
from comptoir.cli.main import main
from comptoir.cli.output import Column, print_table, wrapped
from comptoir.units.errors import Invalid


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        ("118456.32", "USD", "$118,456.32"),
        ("-0.87", "EUR", "-€0.87"),
        ("1200", "JPY", "1,200 JPY"),
        ("0.000045", "USD", "$0.000045"),
        ("12345678901234567890.01", "CHF", "12,345,678,901,234,567,890.01 CHF"),
    ],
)
def test_money_has_its_currency_and_loses_nothing(amount: str, currency: str, said: str) -> None:
    assert money(amount, currency) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [("0", "0 acc-ms"), ("31418", "31,418 acc-ms"), ("3600000", "1.00 acc-h"),
     ("-5400000", "-1.50 acc-h"), (str(2**63), "2,562,047,788,015.21 acc-h")],
)  # fmt: skip
def test_accelerator_time_is_exact(count: str, said: str) -> None:
    assert accelerator_time(count) == said


def test_beside_hours_less_than_an_hour_is_in_hours_too() -> None:
    assert accelerator_time(1_800_000, beside=3_600_000) == "0.50 acc-h"
    assert accelerator_time(1, beside=3_600_000) == "0.00 acc-h"
    assert accelerator_time(31_418, beside=7_200_000) == "0.008727 acc-h"
    assert accelerator_time(31_418, beside=31_418) == "31,418 acc-ms"


@pytest.mark.parametrize(
    "text", ["tomorrow", "2026-11-28", "2026-11-28T06:00:00", "+", "+99999999w"]
)
def test_what_is_not_an_instant(text: str) -> None:
    with pytest.raises(Invalid):
        parse_when(text)


def test_times_in_utc_are_written_out() -> None:
    assert Times(utc=True).when("2026-11-28T07:00:00.000+01:00") == "2026-11-28 06:00:00 UTC"
    assert Times().when(None, "open") == "open"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(45, "45 s"), (360, "6 min"), (12_000, "3 h 20 min"), (187_200, "2 d 4 h"), (86_400, "1 d")],
)
def test_lengths_for_people(seconds: int, said: str) -> None:
    assert duration(seconds) == said


def test_what_others_typed_cannot_move_the_cursor() -> None:
    assert plain("a\x1b[2Jb\nc") == "a\ufffd[2Jb\ufffdc"


ROWS = [{"id": f"ls_{n}", "name": "a rather long name for a lease " * 2} for n in (1, 2)]
COLUMNS = [
    Column("id", lambda row: row["id"]),
    Column("name", lambda row: row["name"], flexible=True),
    Column("fixed", lambda _: "x" * 30),
]


def test_a_table_fits_its_width(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    print_table(ROWS, COLUMNS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["id", "name", "fixed"]
    assert max(map(len, lines)) <= 72


def test_a_narrow_table_is_one_record_a_paragraph(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_table(ROWS, COLUMNS)
    paragraphs = capsys.readouterr().out.split("\n\n")
    assert [paragraph.splitlines()[0] for paragraph in paragraphs] == ["ls_1", "ls_2"]


def test_a_long_line_is_broken_between_words_and_never_within_a_command() -> None:
    said = "in 3 days: comptoir lease extend ls_7Q4M --ends +24h, or ask for another"
    assert wrapped(said, 40) == [
        "in 3 days:",
        "comptoir lease extend ls_7Q4M --ends +24h,",
        "or ask for another",
    ]
    assert wrapped("  a  b", 40) == ["  a  b"]
    assert wrapped("one two three", 8, 2) == ["one two", "  three"]
    assert wrapped("", 8) == [""]


@pytest.mark.parametrize(
    "command",
    ["invoice list", "lease list", "job list", "audit", "webhook deliveries wh_7Q4M"],
)
def test_a_count_of_rows_is_bounded(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--limit", "99999999999999999999"]) == 2
    assert "1<=x<=1000000" in capsys.readouterr().err
