"""Reading a tenant's directory without being led out of it.

A job may plant a link to the control plane's database in its work directory, or
swap a directory for a link between two calls. Every path is therefore resolved
by the kernel itself, beneath an open directory, without any link: openat2 with
RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS.

Source: openat2(2).
"""

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

_SYS_OPENAT2 = 437
_RESOLVE = 0x08 | 0x04 | 0x02  # BENEATH, NO_SYMLINKS, NO_MAGICLINKS


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_libc = ctypes.CDLL(None, use_errno=True)


class Found(NamedTuple):
    """Something in a directory; `path` is relative to the top of the walk."""

    path: str
    status: os.stat_result


class TooDeepError(Exception):
    """A directory whose path is longer than the kernel takes."""


def open_beneath(top: int, path: str, flags: int, mode: int = 0) -> int:
    """Open `path` beneath the open directory `top`, following no link.

    Returns:
        A descriptor, closed on exec; never blocks on a pipe or a device.

    Raises:
        OSError: as openat2 says it; ELOOP for a link, EXDEV for a way out.
    """
    how = _OpenHow(flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, mode, _RESOLVE)
    name = os.fsencode(path)
    if b"\0" in name:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    handle = int(_libc.syscall(_SYS_OPENAT2, top, name, ctypes.byref(how), ctypes.sizeof(how)))
    if handle < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return handle


def open_directory(top: int, path: str) -> int:
    """Open a directory beneath `top`, following no link."""
    return open_beneath(top, path, os.O_RDONLY | os.O_DIRECTORY)


def walk_beneath(top: int) -> Iterator[Found]:
    """Everything beneath `top`, links unfollowed, one directory open at a time.

    Directories that vanish or cannot be read meanwhile are passed over.

    Raises:
        TooDeepError: when a path grows past what the kernel takes.
    """
    waiting = ["."]
    while waiting:
        directory = waiting.pop()
        try:
            handle = open_directory(top, directory)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise TooDeepError(directory) from error
            continue
        try:
            for name in os.listdir(handle):
                try:
                    status = os.stat(name, dir_fd=handle, follow_symlinks=False)
                except OSError:
                    continue
                path = name if directory == "." else f"{directory}/{name}"
                yield Found(path, status)
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(path)
        finally:
            os.close(handle)


def bytes_beneath(top: int, limit: int, entries: int) -> int:
    """Bytes that a directory takes on disk; stops counting once over `limit`.

    A walk past `entries` names, or too deep, counts as over the limit: a million
    empty files also fill a disk.
    """
    total = 0
    seen = 0
    try:
        for found in walk_beneath(top):
            seen += 1
            total += found.status.st_blocks * 512
            if total > limit or seen > entries:
                return max(total, limit + 1)
    except TooDeepError:
        return limit + 1
    return total
