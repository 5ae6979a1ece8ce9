"""Backups are of one instant and come back whole; what a restore replaces is kept."""

from pathlib import Path

import pytest

from comptoir.desk.desk import Desk
from comptoir.desk.requests import CreateTenant, Opening
from comptoir.store.maintenance import backup, restore, upgrade
from comptoir.store.opening import directory_lock, open_store
from comptoir.tenants.parties import TenantKind
from comptoir.units.errors import Conflict, Invalid
from tests.builders import SeededEntropy, ToldClock


def write(data: Path, url: str | None, slug: str) -> None:
    store = open_store(data, url, "test")
    desk = Desk(store, ToldClock(), SeededEntropy())
    if not len(desk.book.users):
        desk.call("open_book", Opening())
    desk.call("create_tenant", CreateTenant(slug, slug, TenantKind.TEAM))
    store.close()


def slugs(data: Path, url: str | None) -> set[str]:
    store = open_store(data, url, "test")
    found = {tenant.slug for tenant in Desk(store, ToldClock(), SeededEntropy()).book.tenants}
    store.close()
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    found = request.getfixturevalue("postgres_database")
    assert isinstance(found, str)
    return found


def test_a_backup_comes_back_as_it_was(tmp_path: Path, url: str | None) -> None:
    data, to = tmp_path / "data", tmp_path / "book.backup"
    data.mkdir()
    write(data, url, "before")
    backup(data, to, url)
    write(data, url, "after")
    assert slugs(data, url) == {"before", "after"}
    restore(data, to, url)
    assert slugs(data, url) == {"before"}
    write(data, url, "later")
    assert slugs(data, url) == {"before", "later"}


def test_a_backup_is_taken_while_the_book_is_served(tmp_path: Path) -> None:
    store = open_store(tmp_path, None, "test")
    desk = Desk(store, ToldClock(), SeededEntropy())
    desk.call("open_book", Opening())
    with directory_lock(tmp_path):
        backup(tmp_path, tmp_path / "copy")
    store.close()
    assert (tmp_path / "copy").stat().st_size > 0


def test_a_restore_keeps_what_it_replaces(tmp_path: Path) -> None:
    write(tmp_path, None, "before")
    backup(tmp_path, tmp_path / "copy")
    restore(tmp_path, tmp_path / "copy")
    assert (tmp_path / "book.db.before-restore-1").exists()


def test_a_served_book_is_not_restored_over(tmp_path: Path) -> None:
    write(tmp_path, None, "before")
    backup(tmp_path, tmp_path / "copy")
    with directory_lock(tmp_path), pytest.raises(Conflict, match="data_directory_in_use"):
        restore(tmp_path, tmp_path / "copy")


def test_what_is_no_backup_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    write(tmp_path, None, "before")
    (tmp_path / "text").write_text("not a book")
    with pytest.raises(Invalid, match="not_a_backup"):
        restore(tmp_path, tmp_path / "text")
    assert slugs(tmp_path, None) == {"before"}


def test_a_backup_never_overwrites(tmp_path: Path) -> None:
    write(tmp_path, None, "before")
    backup(tmp_path, tmp_path / "copy")
    with pytest.raises(Conflict, match="backup_exists"):
        backup(tmp_path, tmp_path / "copy")


def test_upgrade_of_a_current_book_says_so(tmp_path: Path) -> None:
    write(tmp_path, None, "before")
    assert "already at schema" in upgrade(tmp_path)
    with pytest.raises(Invalid, match="no_book"):
        upgrade(tmp_path / "nowhere")
