"""What commands about money say of odd input, before a server is asked."""

from pathlib import Path

import pytest

from comptoir.cli.commands.payments import MOST_BYTES, MOST_SHOWN, _short
from comptoir.cli.main import main


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is not there."""
    monkeypatch.setenv("COMPTOIR_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("COMPTOIR_API_KEY", "ck_test_" + "x" * 43)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("dunning set reminder=1 reminder=2", "'reminder' is named twice: 1 and 2 days"),
        ("budget end bg_7Q4M", "this will end bg_7Q4M"),
        ("admission refuse acme --because x", "this will turn acme away"),
    ],
)
def test_what_is_named_twice_or_not_confirmed_is_refused(
    command: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command.split()) != 0
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (" \n", "bank.csv is empty"),
        ("x" * (MOST_BYTES + 1), "has 1,000,001 bytes, and a bank file has at most 1,000,000"),
    ],
)
def test_a_file_that_cannot_be_sent_is_refused_by_its_name(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bank.csv"
    file.write_text(text)
    assert main(["payment", "import", str(file)]) != 0
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_table_cuts_a_long_reference() -> None:
    assert _short("RE 1") == "RE 1"
    cut = _short("x" * 5_000)
    assert (len(cut), cut[-1]) == (MOST_SHOWN, "\N{HORIZONTAL ELLIPSIS}")
