"""A directory into the tar.gz that a lease's directory is filled with, and files back out.

Regular files, directories and links that stay inside go in; sockets, devices and links
that leave are passed over and named. The size is counted before anything is packed.
"""

import gzip
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from comptoir.client.ignore import FILE_NAME, Ignore
from comptoir.units.errors import Invalid, NotFound

MOST_UPLOAD_BYTES = 256 << 20
MOST_FILES = 20_000
_SPOOLED_IN_MEMORY_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """What would be uploaded: the names there and the paths here, in order."""

    paths: tuple[tuple[str, Path], ...]
    files: int
    size_bytes: int
    passed_over: tuple[str, ...]


def survey(directory: Path, most_bytes: int = MOST_UPLOAD_BYTES) -> Found:
    """Find what to upload.

    Raises:
        NotFound: `no_directory`.
        Invalid: `upload_too_large`, naming the largest files.
    """
    if not directory.is_dir():
        raise NotFound("no_directory", f"{directory} is not a directory", "check the path")
    ignore_file = directory / FILE_NAME
    lines = ignore_file.read_text().splitlines() if ignore_file.is_file() else []
    paths: list[str] = []
    passed_over: list[str] = []
    sizes: dict[str, int] = {}
    for path, status in _walk(directory, "", Ignore(lines)):
        if stat.S_ISREG(status.st_mode):
            sizes[path] = status.st_size
        elif stat.S_ISLNK(status.st_mode):
            if not _stays_inside(directory, path):
                passed_over.append(path)
                continue
        elif not stat.S_ISDIR(status.st_mode):
            passed_over.append(path)
            continue
        paths.append(path)
    total = sum(sizes.values())
    _check_size(str(directory), sizes, most_bytes)
    named = tuple((path, directory / path) for path in paths)
    return Found(named, len(sizes), total, tuple(passed_over))


def survey_files(
    files: Sequence[str | os.PathLike[str]], most_bytes: int = MOST_UPLOAD_BYTES
) -> Found:
    """Single files, to be uploaded under their own names.

    Raises:
        NotFound: `no_file`.
        Invalid: `upload_too_large`.
    """
    paths = [Path(file) for file in files]
    for path in paths:
        if not path.is_file():
            raise NotFound("no_file", f"{path} is not a file", "check the path")
    sizes = {path.name: path.stat().st_size for path in paths}
    _check_size("the upload", sizes, most_bytes)
    named = tuple((path.name, path.resolve()) for path in paths)
    return Found(named, len(sizes), sum(sizes.values()), ())


@contextmanager
def packed(found: Found) -> Iterator[IO[bytes]]:
    """The tar.gz of what `survey` found, in memory if small, else in a temporary file."""
    with tempfile.SpooledTemporaryFile(max_size=_SPOOLED_IN_MEMORY_BYTES) as file:
        with (
            gzip.GzipFile(fileobj=file, mode="wb", compresslevel=5, mtime=0) as squeezed,
            tarfile.open(fileobj=squeezed, mode="w|") as tar,
        ):
            for name, source in found.paths:
                _add(tar, source, name)
        file.seek(0)
        yield file


def safe_target(directory: Path, path: str) -> Path:
    """Where a file of a lease's directory goes in `directory`, never outside of it.

    Raises:
        Invalid: `bad_path`: the server named a path that leaves.
    """
    parts = path.split("/")
    target = directory.joinpath(*parts)
    inside = directory.resolve() in (target.parent.resolve() / target.name).parents
    if path.startswith("/") or ".." in parts or "" in parts or not inside:
        raise Invalid("bad_path", f"{path!r} would leave {directory}", "pull it by another name")
    return target


_OF_A_BOOK = ("instance", "lock")


def _walk(directory: Path, prefix: str, ignore: Ignore) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(directory / prefix) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        path = f"{prefix}{entry.name}"
        status = entry.stat(follow_symlinks=False)
        is_directory = stat.S_ISDIR(status.st_mode)
        if ignore.leaves_out(path, is_directory):
            continue
        if is_directory and all((directory / path / name).exists() for name in _OF_A_BOOK):
            continue  # the data directory of a trading post: it holds everybody's
        yield path, status
        if is_directory:
            yield from _walk(directory, f"{path}/", ignore)


def _stays_inside(directory: Path, path: str) -> bool:
    """Whether a link is relative and its own words never climb out of the directory."""
    target = os.readlink(directory / path)
    if os.path.isabs(target):
        return False
    landed = os.path.normpath(os.path.join(os.path.dirname(path), target))
    return landed != ".." and not landed.startswith("../")


def _add(tar: tarfile.TarFile, source: Path, path: str) -> None:
    """One member, owned by nobody in particular. A file that grew meanwhile is cut short."""
    tar.inodes = {}  # type: ignore[attr-defined]  # hard links go in as files of their own
    try:
        member = tar.gettarinfo(str(source), arcname=path)
    except FileNotFoundError:
        return  # it went away since the survey
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    try:
        if member.isreg():
            with source.open("rb") as file:
                tar.addfile(member, file)
        else:
            tar.addfile(member)
    except OSError as error:
        raise Invalid(
            "cannot_pack", f"{path} could not be packed: {error}", "make it readable, or ignore it"
        ) from None


def _check_size(what: str, sizes: dict[str, int], most_bytes: int) -> None:
    total = sum(sizes.values())
    if total <= most_bytes and len(sizes) <= MOST_FILES:
        return
    largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:3]
    named = ", ".join(f"{path} ({mebibytes(sizes[path])})" for path in largest)
    raise Invalid(
        "upload_too_large",
        f"{what} holds {len(sizes):,} files of {mebibytes(total)}; the most is "
        f"{MOST_FILES:,} files of {mebibytes(most_bytes)}; the largest: {named}",
        f"name what can stay here in {FILE_NAME}, or use --no-upload",
        {"files": len(sizes), "size_bytes": total, "most_bytes": most_bytes},
    )


def mebibytes(size_bytes: int) -> str:
    """A size for people: "312.4 MiB", "0.1 MiB"."""
    tenths = (size_bytes * 10 + (1 << 20) - 1) >> 20
    return f"{tenths // 10:,}.{tenths % 10} MiB"
