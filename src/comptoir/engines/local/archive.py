"""Unpacking an upload into a lease's directory, all of it or nothing.

The archive is unpacked into a new directory that no job can see and only then
moved into place, so a bad one leaves no trace. What is moved meets a directory
that the tenant owns: every step goes through open descriptors and replaces a
link that stands in the way instead of following it. Sizes are counted while
unpacking, headers included, so a small archive cannot grow past the cap.
"""

import contextlib
import gzip
import io
import os
import shutil
import stat
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import BinaryIO

from comptoir.desk.engine_port import EngineSettings
from comptoir.engines.local.shim.beneath import bytes_beneath, open_beneath
from comptoir.units.errors import ComptoirError, Invalid, Unavailable

_MOST_ENTRIES = 20_000
_DEEPEST = 64
_LARGEST_HEADER = 1 << 20
_PIECE = 1 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY


def _bad(why: str) -> Invalid:
    return Invalid("bad_archive", why, next="Send a tar.gz of plain files and directories.")


def _too_large(limit: int) -> Invalid:
    return Invalid(
        "upload_too_large", f"unpacked it is over {limit} bytes", facts={"limit_bytes": limit}
    )


class _Header(tarfile.TarInfo):
    """A member whose own header is small: an extended one is read into memory whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        member = super().frombuf(buf, encoding, errors)
        # Anything that is not a file, directory or link is more header, or unwelcome.
        plain = member.type in tarfile.SUPPORTED_TYPES
        extends = member.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
        if (extends or not plain) and member.size > _LARGEST_HEADER:
            raise _bad(f"a header of {member.size} bytes")
        return member


class _Counted(io.RawIOBase):
    """An unpacked stream that ends in a refusal once it is too long."""

    def __init__(self, source: gzip.GzipFile, limit: int, cap: int) -> None:
        self._source, self._left, self._cap = source, limit, cap

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(_PIECE if size < 0 else size)
        self._left -= len(data)
        if self._left < 0:
            raise _too_large(self._cap)
        return data


def unpack(archive: BinaryIO, work: Path, settings: EngineSettings, uid: int | None) -> int:
    """Unpack a tar.gz into `work`.

    Args:
        archive: The upload.
        work: The lease's directory; its parent takes the unpacked files meanwhile.
        settings: Limits.
        uid: Who is to own the files; None leaves them to this process's user.

    Returns:
        The bytes of the files written.

    Raises:
        Invalid: `bad_archive` or `upload_too_large`.
        Unavailable: `disk`.
    """
    fresh = Path(tempfile.mkdtemp(prefix="unpack-", dir=work.parent))
    try:
        written = _unpack_into(archive, fresh, settings.upload_bytes)
        top = os.open(work, _DIRECTORY | os.O_NOFOLLOW)
        try:
            held = bytes_beneath(top, settings.work_directory_bytes, 1 << 30)
            if held + written > settings.work_directory_bytes:
                raise _too_large(settings.work_directory_bytes)
            source = os.open(fresh, _DIRECTORY)
            try:
                _move(source, top, uid)
            finally:
                os.close(source)
        finally:
            os.close(top)
        return written
    except ComptoirError:
        raise
    except RecursionError:
        raise _bad("a deep directory of the lease stands in the way of an entry") from None
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise _bad(f"not a tar.gz: {error}") from error
    except OSError as error:
        raise Unavailable("disk", f"the upload could not be written: {error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _unpack_into(archive: BinaryIO, fresh: Path, limit: int) -> int:
    top = os.open(fresh, _DIRECTORY)
    written = entries = 0
    headers = _MOST_ENTRIES * 2048 + _LARGEST_HEADER
    try:
        with gzip.GzipFile(fileobj=archive, mode="rb") as unzipped:
            stream = _Counted(unzipped, limit + headers, limit)
            with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header, errorlevel=2) as members:
                for member in members:
                    entries += 1
                    if entries > _MOST_ENTRIES:
                        raise _bad(f"over {_MOST_ENTRIES} entries")
                    if member.isreg() and written + member.size > limit:
                        raise _too_large(limit)
                    written += _unpack_member(members, member, top)
    finally:
        os.close(top)
    return written


def _parts(name: str) -> list[str]:
    if name.startswith("/") or "\0" in name:
        raise _bad(f"an absolute path: {name[:200]!r}")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _bad(f"a path that leaves: {name[:200]!r}")
    if len(parts) > _DEEPEST:
        raise _bad(f"a path deeper than {_DEEPEST} levels")
    return parts


def _unpack_member(members: tarfile.TarFile, member: tarfile.TarInfo, top: int) -> int:
    parts = _parts(member.name)
    if member.isdir():
        os.close(_make_directories(top, parts))
        return 0
    if not parts:
        raise _bad("an entry without a name")
    parent = _make_directories(top, parts[:-1])
    try:
        if member.isreg():
            return _write_file(members, member, parent, parts[-1])
        if member.issym():
            _make_link(member, parent, parts)
        elif member.islnk():
            _link_again(member, top, parent, parts[-1])
        else:
            raise _bad(f"{member.name[:200]!r} is a device or a pipe")
    finally:
        os.close(parent)
    return 0


def _make_directories(top: int, parts: list[str]) -> int:
    """Open, making it if need be, a directory beneath `top`; a link is not one."""
    here = os.dup(top)
    for part in parts:
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=here)
            below = os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
        except NotADirectoryError:
            raise _bad(f"{part[:200]!r} is both a directory and not one") from None
        except OSError as error:
            if error.errno in (36, 40):  # name too long, a link
                raise _bad(f"a path through {part[:200]!r}") from error
            raise
        finally:
            os.close(here)
        here = below
    return here


def _clear(parent: int, name: str) -> None:
    """Make room for an entry that an earlier one of the archive had taken."""
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError):
        raise _bad(f"{name[:200]!r} is both a directory and not one") from None


def _write_file(members: tarfile.TarFile, member: tarfile.TarInfo, parent: int, name: str) -> int:
    content = members.extractfile(member)
    if content is None:
        raise _bad(f"{member.name[:200]!r} has no content")
    _clear(parent, name)
    mode = 0o755 if member.mode & 0o111 else 0o644
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode, dir_fd=parent)
    with os.fdopen(handle, "wb") as file:
        shutil.copyfileobj(content, file, _PIECE)
        file.flush()
        modified = min(max(member.mtime, 0), 1 << 33)
        os.utime(file.fileno(), (modified, modified))
    return member.size


def _make_link(member: tarfile.TarInfo, parent: int, parts: list[str]) -> None:
    depth = len(parts) - 1
    if member.linkname.startswith("/"):
        raise _bad(f"{member.name[:200]!r} is a link that leaves")
    steps = [part for part in member.linkname.split("/") if part not in ("", ".")]
    upwards = next((n for n, part in enumerate(steps) if part != ".."), len(steps))
    # Up and then down only: a step up after one down might pass through another link.
    if upwards > depth or ".." in steps[upwards:]:
        raise _bad(f"{member.name[:200]!r} is a link that leaves")
    _clear(parent, parts[-1])
    os.symlink(member.linkname, parts[-1], dir_fd=parent)


def _link_again(member: tarfile.TarInfo, top: int, parent: int, name: str) -> None:
    """A hard link: to a regular file of this archive only."""
    parts = _parts(member.linkname)
    try:
        target = open_beneath(top, "/".join(parts), os.O_RDONLY)
    except OSError:
        raise _bad(f"{member.name[:200]!r} is a link to nothing in the archive") from None
    try:
        if not stat.S_ISREG(os.fstat(target).st_mode):
            raise _bad(f"{member.name[:200]!r} is a link to no file")
        _clear(parent, name)
        os.link(f"/proc/self/fd/{target}", name, dst_dir_fd=parent, follow_symlinks=True)
    finally:
        os.close(target)


def _move(source: int, target: int, uid: int | None) -> None:
    """Move all that is in `source` into `target`, merging directories."""
    for name in os.listdir(source):
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        if uid is not None:
            os.chown(name, uid, uid, dir_fd=source, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            _make_way(target, name)
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
            continue
        below_source = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=source)
        below_target = _merge_point(target, name, uid)
        try:
            _move(below_source, below_target, uid)
        finally:
            os.close(below_source)
            os.close(below_target)


def _merge_point(target: int, name: str, uid: int | None) -> int:
    try:
        return os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=target)
    except OSError:
        _make_way(target, name)
    os.mkdir(name, 0o755, dir_fd=target)
    handle = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=target)
    if uid is not None:
        os.fchown(handle, uid, uid)
    return handle


def _make_way(target: int, name: str) -> None:
    """Remove what stands where an entry goes; a directory there is removed whole."""
    try:
        status = os.stat(name, dir_fd=target, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(status.st_mode):
        shutil.rmtree(name, dir_fd=target)
    else:
        os.unlink(name, dir_fd=target)
