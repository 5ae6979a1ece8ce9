"""`comptoir db` on a real book: backed up, put back, refused without a yes."""

from pathlib import Path

import pytest

from comptoir.cli.main import main
from tests.api.world import open_world


def test_a_book_is_backed_up_and_put_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, copy = tmp_path / "post", tmp_path / "post.backup"
    data.mkdir()
    with open_world(data):
        pass
    at = ["--data", str(data)]
    assert main(["db", "upgrade", *at]) == 0
    assert main(["db", "backup", *at, "--to", str(copy)]) == 0
    assert main(["db", "backup", *at, "--to", str(copy)]) == 6  # never over another backup
    capsys.readouterr()
    assert main(["db", "restore", *at, "--from", str(copy)]) == 2
    assert "this will replace the book" in capsys.readouterr().err
    assert main(["db", "restore", *at, "--from", str(copy), "--yes"]) == 0


def test_no_book_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "upgrade", "--data", str(tmp_path / "nothing")]) == 2
    assert "there is no book" in capsys.readouterr().err
