"""Which host directories may be shown to a job as its runtime.

An operator declares runtimes, and a slip there ("/" or a home directory) would
show every job the book, keys and other tenants. What could hold such things is
refused outright, whatever links lead to it.
"""

import os
from collections.abc import Sequence

from comptoir.engines.local.shim.sandbox import WORK
from comptoir.units.errors import Refused

_NEVER_WITHIN = ("/etc", "/proc", "/sys", "/dev", "/run", "/boot", "/var/run", "/var/lib/comptoir")
_OPEN_TOPS = ("/usr", "/opt", "/nix", "/srv")


def _within(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")


def _refuse(path: str, why: str) -> Refused:
    return Refused(
        "bad_mount",
        f"the runtime directory {path} cannot be shown to a job: {why}",
        next="Name the runtime's own directory, such as a virtual environment.",
        facts={"mount": path},
    )


def check_mounts(mounts: Sequence[str], secrets: Sequence[str]) -> list[str]:
    """The mounts to make, outermost first.

    Args:
        mounts: Absolute host directories, shown at the same path inside.
        secrets: Paths no job may see: the data directory, key files.

    Raises:
        Refused: `bad_mount`, with the directory and why.
    """
    real_secrets = [os.path.realpath(path) for path in secrets]
    home = os.path.realpath(os.path.expanduser("~"))
    wanted = []
    for mount in mounts:
        if not mount.startswith("/") or "\0" in mount:
            raise _refuse(mount, "it is not an absolute path")
        path = os.path.normpath("/" + mount.lstrip("/"))
        real = os.path.realpath(path)
        if not os.path.isdir(real):
            raise _refuse(mount, "there is no such directory")
        for seen in (path, real):
            _check_place(mount, seen, home, real_secrets)
        # Everyone sees /usr already.
        if path not in wanted and not _within(path, "/usr"):
            wanted.append(path)
    return sorted(wanted)


def _check_place(mount: str, seen: str, home: str, secrets: Sequence[str]) -> None:
    if seen.count("/") == 1 and seen not in _OPEN_TOPS:
        raise _refuse(mount, f"{seen} holds more than a runtime")
    if any(_within(seen, top) for top in _NEVER_WITHIN):
        raise _refuse(mount, f"{seen} belongs to the system")
    if _within(seen, WORK):
        raise _refuse(mount, f"{seen} is the job's own directory inside")
    if _within(home, seen) and home != "/":
        raise _refuse(mount, f"it holds the home directory {home}")
    for secret in secrets:
        if _within(secret, seen) or _within(seen, secret):
            raise _refuse(mount, "it holds, or lies in, what the control plane keeps secret")
