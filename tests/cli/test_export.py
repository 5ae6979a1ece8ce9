"""`export journal --data`: a book is exported where it lies, whole or not at all."""

from pathlib import Path

import pytest

from comptoir.cli.main import main
from comptoir.store.opening import open_store


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A data directory with a book in it."""
    directory = tmp_path / "post"
    directory.mkdir()
    open_store(directory, None, "test").close()
    return directory


def test_a_book_is_exported_without_a_server_and_again_over_the_same_file(
    book: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = book / "ledger.beancount"
    for _ in range(2):
        assert main(["export", "journal", "--data", str(book), "--out", str(out)]) == 0
        assert "Comptoir's ledger" in out.read_text()
    assert main(["export", "journal", "--data", str(book), "--out", "-"]) == 0
    assert "bean-check FILE" in capsys.readouterr().out
    assert [file.name for file in book.glob("*.beancount*")] == ["ledger.beancount"]


@pytest.mark.parametrize("out", ["nowhere/ledger.beancount", "."])
def test_where_nothing_can_be_written_nothing_is(
    book: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(book.iterdir())
    code = main(["export", "journal", "--data", str(book), "--out", str(book / out)])
    assert code != 0
    assert "Traceback" not in capsys.readouterr().err
    assert sorted(book.iterdir()) == before


def test_a_directory_without_a_book_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "journal", "--data", str(tmp_path), "--out", "-"]) != 0
    assert "no_book" in capsys.readouterr().err
