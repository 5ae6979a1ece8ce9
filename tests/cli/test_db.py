"""`comptoir db` on a real book: backed up, put back, refused without a yes."""

import json
from pathlib import Path

import pytest

from comptoir.cli.main import main
from comptoir.leases.lease import LeaseClass
from tests.api.world import open_world
from tests.builders import Book


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


def test_what_is_stored_is_priced_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = Book(tmp_path)
    book.supply(4)
    book.price_all()
    book.lease(book.tenant("acme"), LeaseClass.ON_DEMAND, 2)
    book.turn()
    book.pass_s(61)
    book.pass_s(61)
    assert main(["db", "rerate", "--data", str(tmp_path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "every charge is what its usage, rate and contract version give" in said
    assert main(["db", "rerate", "--data", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["usage"], found["charges"], found["different"]) == (2, 2, 0)
    with book.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER charge_no_update")
        connection.exec_driver_sql("UPDATE charge SET price_nanos = 1 WHERE seq = 2")
    assert main(["db", "rerate", "--data", str(tmp_path)]) == 1
    assert "came out otherwise" in " ".join(capsys.readouterr().out.split())
