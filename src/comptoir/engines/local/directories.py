"""Where a lease's files and an attempt's records lie, and safe names for them.

    <engine>/leases/<lease>/work      the job's own directory, owned by the tenant's user
    <engine>/leases/<lease>/logs      logs, out of the job's reach
    <engine>/attempts/<attempt>       records (see shim/records.py)

Everything is closed to other users. Ids become file names, so only plain letters
and digits are taken.
"""

import os
import re
import subprocess
from pathlib import Path

from comptoir.units.errors import Invalid, Unavailable

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


def plain(name: str) -> str:
    """`name`, if it is safe as a file name.

    Raises:
        Invalid: `bad_id`.
    """
    if not _PLAIN.match(name):
        raise Invalid("bad_id", f"{name[:80]!r} cannot name a directory")
    return name


class Directories:
    """The engine's directory."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.attempts = top / "attempts"
        self.leases = top / "leases"
        for directory in (top, self.attempts, self.leases):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        top.chmod(0o700)

    def attempt(self, attempt_id: str) -> Path:
        """An attempt's records."""
        return self.attempts / plain(attempt_id)

    def told(self, attempt_id: str) -> Path:
        """What an attempt's job is told; the sandbox shows it, so every user may look in."""
        return self.attempt(attempt_id) / "told"

    def lease(self, lease_id: str) -> Path:
        """All of a lease."""
        return self.leases / plain(lease_id)

    def work(self, lease_id: str) -> Path:
        """The job's own directory."""
        return self.lease(lease_id) / "work"

    def log(self, lease_id: str, attempt_id: str) -> Path:
        """An attempt's log."""
        return self.lease(lease_id) / "logs" / f"{plain(attempt_id)}.log"

    def prepare(self, lease_id: str, uid: int | None) -> Path:
        """Make a lease's directories if need be; the work directory belongs to `uid`.

        Raises:
            Unavailable: `disk`: the file system refused.
        """
        work = self.work(lease_id)
        try:
            (self.lease(lease_id) / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
            self.lease(lease_id).chmod(0o700)
            work.mkdir(mode=0o700, exist_ok=True)
            if uid is not None and os.lstat(work).st_uid != uid:
                give_to(work, uid)
        except OSError as error:
            raise Unavailable("disk", f"the lease's directory cannot be made: {error}") from error
        return work

    def remove(self, directory: Path) -> None:
        """Remove a directory for good, following no link; a missing one: nothing."""
        if not os.path.lexists(directory):
            return
        # rm walks any depth through descriptors and follows no link.
        command = ["rm", "-rf", "--one-file-system", "--", str(directory)]
        subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False)
        if os.path.lexists(directory):  # a directory closed to its own owner
            opened = ["chmod", "-R", "u+rwX", "--", str(directory)]
            environment = {"PATH": "/usr/bin:/bin"}
            subprocess.run(opened, env=environment, capture_output=True, check=False)
            subprocess.run(command, env=environment, capture_output=True, check=False)
        if os.path.lexists(directory):
            raise Unavailable("disk", f"{directory.name} could not be removed")


def give_to(directory: Path, uid: int) -> None:
    """Give a directory and all in it to a user, following no link."""
    for _, names, others, handle in os.fwalk(directory):
        for name in (*names, *others):
            os.chown(name, uid, uid, dir_fd=handle, follow_symlinks=False)
    os.chown(directory, uid, uid, follow_symlinks=False)
