"""What a contract file gives besides prices and commitments is said, checked or shown."""

from pathlib import Path

import pytest

from comptoir.cli import main as entry
from comptoir.cli.commands.contracts import _agreed

FILE = """
contract = "ACME-1"
sold_to = "acme"
effective = 2026-10-01
until = 2027-10-01

[[expansion]]
name = "grow"
kind = "cpu-core"
accelerators = 8
exercise_by = 2026-12-01
price = 1.20

[exit]
notice = "90d"
not_before = 2027-03-01
fee = "10.00"
rest = 0.5

[recall]
notice = "20h"
fee = 1.5
times_a_year = 2
"""
EXIT = "90d notice, not before 2027-03-01, fee $10.00 and 50 % of what is released"
RECALL = "20h notice, 2 a year, fee 150 % of the price"


def test_options_and_rights_are_said_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    file = tmp_path / "acme.toml"
    file.write_text(FILE)
    assert entry.main(["contract", "check", str(file)]) == 0
    said = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[2:]]
    assert said == [
        ["grow", "8 x cpu-core at 1.20, option until 2026-12-01"],
        ["exit", EXIT],
        ["recall", RECALL],
    ]


def test_what_was_used_of_them_is_said_of_a_contract() -> None:
    done = [("exercise", "grow", "2026-10-10"), ("exit", "", "2027-03-01")]
    acts = [{"act": a, "about": b, "effective_at": f"{day}T00:00:00.000Z"} for a, b, day in done]
    found = {"number": "ACME-1", "text": FILE, "acts": acts}
    assert _agreed(found) == [  # type: ignore[arg-type]
        ("grow", "8 x cpu-core at 1.20, option, exercised 2026-10-10"),
        ("exit", EXIT),
        ("recall", RECALL),
        ("notice", "given: it ends 2027-03-01"),
    ]
