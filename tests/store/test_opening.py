"""What cannot be opened is said in words, with what to give instead."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from comptoir.store import opening
from comptoir.store.opening import directory_lock, postgres_engine, writer_lock
from comptoir.units.errors import Invalid


@pytest.mark.parametrize(
    "url", ["mysql://root@host/book", "book", "", "sqlite:///book.db", "p://x:y"]
)
def test_a_database_that_is_not_postgresql_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="bad_database_url"), writer_lock(url):
        pass
    with pytest.raises(Invalid, match="bad_database_url"):
        postgres_engine(url)


def test_a_missing_driver_is_named_before_the_lock_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        opening, "find_spec", lambda name: None if name == "psycopg" else find_spec(name)
    )
    with pytest.raises(Invalid, match="postgres_extra_missing"), writer_lock("postgresql://h/b"):
        pass


def test_a_password_in_the_url_reaches_the_driver() -> None:
    url = postgres_engine("postgresql://me:p%40ss@host/book").url
    assert (url.drivername, url.password) == ("postgresql+psycopg", "p@ss")


def test_a_directory_that_cannot_be_made_is_refused_and_a_new_one_is_private(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Invalid, match="bad_data_directory"), directory_lock(tmp_path / "file/x"):
        pass
    with directory_lock(tmp_path / "new"):
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
