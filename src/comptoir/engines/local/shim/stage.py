"""A place that a tenant's own user id can reach.

A work directory and a runtime may lie beneath directories closed to everyone but
root (/root, a data directory of mode 0700). While it is still root, the process
that becomes the sandbox takes a mount namespace of its own and shows them in a
small directory open to all; nobody else sees that mount, and it goes with it.

Source: mount(2), mount_namespaces(7).
"""

import ctypes
import os

_CLONE_NEWNS = 0x00020000
_MS_BIND, _MS_REC, _MS_SLAVE, _MS_NOSUID, _MS_NODEV = 4096, 16384, 1 << 19, 2, 4

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """mount(2).

    Raises:
        OSError: as the kernel says it.
    """
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        None if kind is None else kind.encode(),
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _check(int(result), f"mount {target}")


def build(place: str, work: str, mounts: list[str]) -> list[str]:
    """Show the work directory and the mounts beneath `place`, for this process only.

    Args:
        place: An existing directory that every user can reach.
        work: The work directory; it must not be a link.
        mounts: Directories that the sandbox will show read-only.

    Returns:
        Where the work directory is now, then each of the mounts.

    Raises:
        OSError: not permitted, or one of them does not exist.
    """
    _check(int(_libc.unshare(_CLONE_NEWNS)), "unshare mounts")
    # Slave, not private: what the host unmounts later goes away here too.
    mount("none", "/", None, _MS_REC | _MS_SLAVE)
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    # Opened in the new namespace (another's cannot be bound), before anything is hidden.
    sources = [os.open(work, flags | os.O_NOFOLLOW), *(os.open(path, flags) for path in mounts)]
    mount("comptoir", place, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=64k")
    shown = []
    for number, source in enumerate(sources):
        target = f"{place}/{number}"
        os.mkdir(target, 0o755)
        mount(f"/proc/self/fd/{source}", target, None, _MS_BIND | _MS_REC)
        os.close(source)
        shown.append(target)
    return shown
