"""A tenant's files: read, listed, uploaded and deleted without being led astray."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from comptoir.units.errors import Invalid, NotFound
from comptoir.units.ids import LeaseId, TenantId
from tests.engines.local_world import IS_ROOT, World, archive, member

TENANT = TenantId("ten_a")


def lease(world: World, name: str) -> LeaseId:
    """A lease with a directory that this world removes at its end."""
    world.leases.add(name)
    return LeaseId(name)


def test_symlink_to_the_database_is_not_followed(world: World) -> None:
    secret = world.directory / "book.sqlite"
    secret.write_text("secret")
    order = world.shell(
        f"ln -s {secret} evil; ln -s {secret.parent} dir; ln -s /proc/self/root up; mkfifo pipe; "
        "echo mine > mine; mkdir sub; ln -s ../mine sub/inner"
    )
    world.end(order)
    for path in (
        "evil", "dir/book.sqlite", "up/etc/passwd", "pipe", "sub/inner", "sub", "", ".",
        "../logs", f"../logs/{order.attempt_id}.log", str(secret), "mine/", "a\0b", "no",
    ):  # fmt: skip
        with pytest.raises(NotFound):
            world.engine.open_file(order.lease_id, path)
    assert [entry.path for entry in world.engine.list_files(order.lease_id)] == ["mine"]
    with world.engine.open_file(order.lease_id, "mine") as file:
        assert file.read() == b"mine\n"


def test_a_deep_directory_neither_stops_listing_nor_deleting(world: World) -> None:
    script = """
import os
for _ in range(3000):
    os.mkdir("d")
    os.chdir("d")
"""
    order = world.start("/usr/bin/python3", "-c", script)
    world.end(order)
    assert list(world.engine.list_files(order.lease_id)) == []
    world.engine.delete_directory(order.lease_id)
    assert not world.engine.directories.lease(order.lease_id).exists()


def test_deleting_does_not_follow_links(world: World, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("kept")
    order = world.shell(f"ln -s {kept} away; mkdir a; touch a/b; chmod 000 a")
    world.end(order)
    world.engine.delete_directory(order.lease_id)
    world.engine.delete_directory(order.lease_id)
    assert (kept / "file").read_text() == "kept"
    assert not world.engine.directories.lease(order.lease_id).exists()


def test_an_upload_belongs_to_the_job(world: World) -> None:
    name = lease(world, "lse_upload")
    upload = archive(
        (member("train/run.sh", mode=0o755), b"#!/bin/sh\necho trained > train/out; ls -l\n"),
        (member("latest", type=tarfile.SYMTYPE, linkname="train/run.sh"), b""),
        (member("again", type=tarfile.LNKTYPE, linkname="train/run.sh"), b""),
    )
    assert world.engine.put_archive(name, TENANT, upload) == 42
    order = world.start("/lease/train/run.sh", lease_id=name)
    assert world.end(order).exit_code == 0
    assert world.engine.open_file(name, "train/out").read() == b"trained\n"
    assert world.engine.open_file(name, "again").read().startswith(b"#!")


@pytest.mark.parametrize(
    "bad",
    [
        member("/etc/evil"),
        member("../evil"),
        member("a/../../evil"),
        member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("link", type=tarfile.SYMTYPE, linkname="../../x"),
        member("link", type=tarfile.SYMTYPE, linkname="a/../../x"),
        member("link", type=tarfile.LNKTYPE, linkname="../x"),
        member("link", type=tarfile.LNKTYPE, linkname="absent"),
        member("device", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("pipe", type=tarfile.FIFOTYPE),
        member("/".join("d" * 65) + "/file"),
        member("good/below"),
    ],
    ids=lambda info: f"{info.name[:12]}-{info.type.decode()}-{info.linkname}",
)
def test_a_bad_archive_leaves_no_trace(world: World, bad: tarfile.TarInfo) -> None:
    name = lease(world, "lse_bad")
    with pytest.raises(Invalid) as refusal:
        world.engine.put_archive(name, TENANT, archive((member("good"), b"good"), (bad, b"")))
    assert refusal.value.code == "bad_archive"
    assert list(world.engine.list_files(name)) == []
    assert sorted(os.listdir(world.engine.directories.lease(name))) == ["logs", "work"]


def test_a_file_through_a_link_of_the_same_archive_is_refused(world: World) -> None:
    upload = archive(
        (member("a/b"), b""),
        (member("link", type=tarfile.SYMTYPE, linkname="a"), b""),
        (member("link/file"), b"x"),
    )
    with pytest.raises(Invalid, match="bad_archive"):
        world.engine.put_archive(lease(world, "lse_bad"), TENANT, upload)


@pytest.mark.parametrize(
    "text", [b"", b"not gzip", gzip.compress(b"not tar", mtime=0), b"\x1f\x8b\x08"]
)
def test_what_is_no_archive_is_refused(world: World, text: bytes) -> None:
    with pytest.raises(Invalid, match="bad_archive"):
        world.engine.put_archive(lease(world, "lse_bad"), TENANT, io.BytesIO(text))


def test_a_truncated_archive_is_refused(world: World) -> None:
    whole = archive((member("big"), os.urandom(100_000))).getvalue()
    with pytest.raises(Invalid, match="bad_archive"):
        world.engine.put_archive(
            lease(world, "lse_bad"), TENANT, io.BytesIO(whole[: len(whole) // 2])
        )


def test_an_upload_over_the_cap_is_refused_while_it_unpacks(world: World) -> None:
    name = lease(world, "lse_bomb")
    bomb = archive((member("a"), b"a"), (member("zeros"), bytes(2 << 20)))
    with pytest.raises(Invalid) as refusal:
        world.engine.put_archive(name, TENANT, bomb)
    assert refusal.value.code == "upload_too_large"
    assert list(world.engine.list_files(name)) == []


def test_a_header_that_is_a_bomb_is_refused(world: World) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 33
    bomb = io.BytesIO(gzip.compress(header.tobuf() + bytes(1 << 16)))
    with pytest.raises(Invalid, match="bad_archive"):
        world.engine.put_archive(lease(world, "lse_bomb"), TENANT, bomb)


def test_an_upload_replaces_planted_links_and_follows_none(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("kept")
    order = world.shell(f"ln -s {outside} sub; ln -s {outside}/file plain; mkdir dir; touch dir/x")
    world.end(order)
    upload = archive(
        (member("sub/file"), b"new"), (member("plain"), b"new"), (member("dir/y"), b"new")
    )
    world.engine.put_archive(order.lease_id, TENANT, upload)
    assert (outside / "file").read_text() == "kept"
    paths = [entry.path for entry in world.engine.list_files(order.lease_id)]
    assert paths == ["dir/x", "dir/y", "plain", "sub/file"]


@pytest.mark.skipif(not IS_ROOT, reason="user ids need root")
def test_files_follow_a_tenant_to_a_new_user_id(own_world: World) -> None:
    order = own_world.shell("echo one > file; chmod 600 file")
    own_world.end(order)
    work = own_world.engine.directories.work(order.lease_id)
    for path in (work, work / "file"):
        os.chown(path, 12345, 12345)
    again = own_world.shell("cat file && echo two >> file", lease_id=order.lease_id)
    assert own_world.end(again).exit_code == 0


def test_log_pages_follow_on(world: World) -> None:
    order = world.shell("printf 0123456789")
    world.end(order)
    first = world.engine.read_log(order.lease_id, order.attempt_id, 0, 4)
    rest = world.engine.read_log(order.lease_id, order.attempt_id, first.next_offset, 100)
    past = world.engine.read_log(order.lease_id, order.attempt_id, 999, 100)
    assert (first.data, rest.data, past.data) == (b"0123", b"456789", b"")
    assert (rest.next_offset, past.next_offset, rest.truncated) == (10, 999, False)
