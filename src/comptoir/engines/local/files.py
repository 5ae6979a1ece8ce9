"""Reading a lease's files and logs on behalf of its tenant.

A job owns its directory and may be writing there at this moment; the kernel
resolves every path beneath it without following a link (`shim/beneath.py`).
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from comptoir.desk.engine_port import FileEntry, LogPage
from comptoir.engines.local.shim.beneath import TooDeepError, open_beneath, walk_beneath
from comptoir.engines.local.shim.output import MARK
from comptoir.units.errors import NotFound

_MOST_FILES = 10_000
_MOST_LOOKED_AT = 100_000
_LONGEST_PAGE = 1 << 22
_TOP = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def list_files(work: Path) -> Sequence[FileEntry]:
    """Regular files beneath `work`, by path, at most 10,000."""
    try:
        top = os.open(work, _TOP)
    except OSError:
        return []
    found: list[FileEntry] = []
    looked_at = 0
    try:
        for path, status in walk_beneath(top):
            looked_at += 1
            if len(found) >= _MOST_FILES or looked_at > _MOST_LOOKED_AT:
                break
            if stat.S_ISREG(status.st_mode) and _presentable(path):
                modified_at_ms = status.st_mtime_ns // 1_000_000
                found.append(FileEntry(path, status.st_size, modified_at_ms))
    except TooDeepError:
        pass
    finally:
        os.close(top)
    return sorted(found, key=lambda entry: entry.path)


def _presentable(path: str) -> bool:
    """Whether a name is text: bytes that are not cannot be asked for again."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def open_file(work: Path, path: str) -> BinaryIO:
    """A regular file beneath `work`.

    Raises:
        NotFound: `no_such_file`: none, or reached only by a link.
    """
    missing = NotFound("no_such_file", f"there is no regular file {path[:200]!r}")
    try:
        top = os.open(work, _TOP)
    except OSError:
        raise missing from None
    try:
        handle = open_beneath(top, path, os.O_RDONLY)
    except (OSError, ValueError):
        raise missing from None
    finally:
        os.close(top)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise missing
    return os.fdopen(handle, "rb")


def read_log(log: Path, offset: int, limit: int) -> LogPage:
    """A piece of a log; an offset past its end gives nothing."""
    offset = max(0, offset)
    limit = max(0, min(limit, _LONGEST_PAGE))
    truncated = os.path.exists(f"{log}{MARK}")
    try:
        with open(log, "rb") as file:
            data = os.pread(file.fileno(), limit, offset)
    except FileNotFoundError:
        data = b""
    return LogPage(data=data, next_offset=offset + len(data), truncated=truncated)
