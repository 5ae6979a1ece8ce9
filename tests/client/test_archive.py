"""What an upload takes along, what it leaves here, and where a pull may write."""

import os
import tarfile
from pathlib import Path

import pytest

from comptoir.client.archive import packed, safe_target, survey, survey_files
from comptoir.client.ignore import Ignore
from comptoir.units.errors import Invalid, NotFound


def write(directory: Path, *paths: str) -> None:
    for path in paths:
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path)


def names(directory: Path) -> list[str]:
    with packed(survey(directory)) as file, tarfile.open(fileobj=file, mode="r:gz") as tar:
        return tar.getnames()


@pytest.mark.parametrize(
    ("pattern", "out", "stays"),
    [
        ("*.log", ["a.log", "deep/down/b.log"], ["a.log.txt"]),
        ("/top.txt", ["top.txt"], ["deep/top.txt"]),
        ("data/raw", ["data/raw"], ["deep/data/raw"]),
        ("data/**", ["data/x", "data/x/y"], ["data"]),
        ("**/tmp", ["tmp", "a/b/tmp"], ["a/tmpx"]),
        ("a/*/c", ["a/b/c"], ["a/b/d/c"]),
        ("run?.txt", ["run1.txt"], ["run12.txt", "run/.txt"]),
        ("run[0-3].txt", ["run2.txt"], ["run7.txt"]),
        ("run[!0-3].txt", ["run7.txt"], ["run2.txt"]),
        ("# a comment", [], ["# a comment"]),
    ],
)
def test_patterns_mean_what_git_means(pattern: str, out: list[str], stays: list[str]) -> None:
    ignore = Ignore([pattern])
    assert [path for path in out if not ignore.leaves_out(path, False)] == []
    assert [path for path in stays if ignore.leaves_out(path, False)] == []


def test_the_last_pattern_that_matches_decides() -> None:
    ignore = Ignore(["*.npz", "!best.npz"])
    assert ignore.leaves_out("epoch-1.npz", False)
    assert not ignore.leaves_out("best.npz", False)


def test_a_trailing_slash_means_directories_only() -> None:
    ignore = Ignore(["build/"])
    assert ignore.leaves_out("build", True)
    assert not ignore.leaves_out("build", False)


def test_an_upload_leaves_out_what_nobody_wants(tmp_path: Path) -> None:
    write(tmp_path, "train.py", ".git/HEAD", "__pycache__/x.pyc", ".venv/bin/python", "a/b.py")
    write(tmp_path, "node_modules/x/y.js", "secret.txt")
    (tmp_path / ".comptoirignore").write_text("secret.txt\n")
    assert names(tmp_path) == [".comptoirignore", "a", "a/b.py", "train.py"]


def test_links_that_leave_are_passed_over_and_named(tmp_path: Path) -> None:
    write(tmp_path, "a/file")
    (tmp_path / "inside").symlink_to("a/file")
    (tmp_path / "a" / "up").symlink_to("../inside")
    (tmp_path / "outside").symlink_to("../../etc/passwd")
    (tmp_path / "absolute").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    found = survey(tmp_path)
    assert found.passed_over == ("absolute", "outside", "pipe")
    assert [name for name, _ in found.paths] == ["a", "a/file", "a/up", "inside"]


def test_nothing_of_the_person_travels(tmp_path: Path) -> None:
    write(tmp_path, "train.py")
    with packed(survey(tmp_path)) as file, tarfile.open(fileobj=file, mode="r:gz") as tar:
        member = tar.getmember("train.py")
    assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")


def test_hard_links_travel_as_files(tmp_path: Path) -> None:
    write(tmp_path, "a")
    os.link(tmp_path / "a", tmp_path / "b")
    with packed(survey(tmp_path)) as file, tarfile.open(fileobj=file, mode="r:gz") as tar:
        assert [member.isreg() for member in tar] == [True, True]


def test_too_much_is_refused_before_packing_and_names_the_largest(tmp_path: Path) -> None:
    write(tmp_path, "small.txt")
    (tmp_path / "huge.bin").write_bytes(b"x" * 5_000_000)
    with pytest.raises(Invalid, match=r"huge\.bin \(4\.8 MiB\)") as refused:
        survey(tmp_path, most_bytes=1 << 20)
    assert refused.value.code == "upload_too_large"
    assert ".comptoirignore" in refused.value.next


def test_single_files_travel_under_their_own_names(tmp_path: Path) -> None:
    write(tmp_path, "deep/down/train.py")
    found = survey_files([tmp_path / "deep/down/train.py"])
    assert [name for name, _ in found.paths] == ["train.py"]
    with pytest.raises(NotFound):
        survey_files([tmp_path / "missing.py"])


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", "a//b"])
def test_a_pull_never_writes_outside(tmp_path: Path, path: str) -> None:
    with pytest.raises(Invalid):
        safe_target(tmp_path, path)


def test_a_pull_does_not_follow_a_link_out(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path)
    with pytest.raises(Invalid):
        safe_target(tmp_path / "here", "link/x")
