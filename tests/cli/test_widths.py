"""What commands print about money fits 100 columns, however long what it is about is called."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from comptoir.cli.main import SECTIONS, main
from comptoir.cli.output import WIDEST
from comptoir.client.transport import Transport
from tests.cli.answers import LONG, ORDINARY, Answers, Words
from tests.cli.commands import LEAVES

ROOT = Path(__file__).parents[2]
MONEY = [name for name in LEAVES if name.split()[0] in SECTIONS["Money"]]
EMPTY = (
    "enterprise-2027.toml", "prices.csv", "opening.toml", "2027-02-28.xml", "bank.csv",
    "tax-2026.csv", "ecb-2026-11.csv",
)  # fmt: skip
"""Files of examples that only the server reads."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that examples name, and a terminal of 100 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(WIDEST))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COMPTOIR_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("COMPTOIR_API_KEY", "ck_test_" + "x" * 43)
    for name in EMPTY:
        (tmp_path / name).write_text("# what a server reads\n")
    contract = ROOT / "examples" / "contracts" / "acme-2027.toml"
    (tmp_path / "acme.toml").write_text(contract.read_text())


def said(
    words: Words, example: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """What an example prints when the server answers so."""
    answers = Answers(words)

    def ask(self: Transport, method: str, path: str, *rest: Any) -> Any:
        return answers.ask(method, path)

    monkeypatch.setattr(Transport, "_ask", ask)
    monkeypatch.setattr(
        Transport, "get_bytes", lambda *_, **__: (b"a document", {"comptoir-e-invoice": "basic"})
    )
    code = main(shlex.split(example)[1:])
    out = capsys.readouterr()
    assert code == 0, out.err
    return out.out.splitlines()


@pytest.mark.parametrize("name", MONEY)
def test_nothing_that_is_said_of_money_is_wider_than_the_page(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for example in LEAVES[name].examples:
        lines = said(LONG, example, monkeypatch, capsys)
        assert lines
        wide = [line for line in lines if cell_len(line) > WIDEST]
        # A command is copied whole, so it is not broken.
        assert [line for line in wide if "  comptoir " not in line] == []


@pytest.mark.parametrize("name", [name for name in MONEY if name.endswith(" list")])
def test_what_most_books_hold_is_a_table_with_a_row_a_record(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    header, first, *_ = said(ORDINARY, LEAVES[name].examples[0], monkeypatch, capsys)
    assert len(re.split(r" {2,}", header)) > 2
    assert len(re.split(r" {2,}", first)) > 2
