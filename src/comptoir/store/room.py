"""Room on the disk: a reserve file that is given up when the disk is full.

A full SQLite refuses even a DELETE. The reserve is room that the book gives back to
itself, so that ends, exit codes and fences can still be written; what would make the
book grow is refused until the reserve stands again.
"""

import os
from pathlib import Path

RESERVE_BYTES = 8 << 20


class Room:
    """The reserve beside one SQLite file."""

    def __init__(self, reserve: Path, size_bytes: int = RESERVE_BYTES) -> None:
        self._reserve = reserve
        self._size = size_bytes
        self._short = False
        self._commits = 0
        self._build()

    def short(self) -> bool:
        """Whether the reserve has been given up and does not stand again yet."""
        if self._short and self._free_bytes() > 2 * self._size:
            self._build()
        return self._short

    def ran_out(self) -> bool:
        """The disk is full: give the reserve back; returns whether there was one to give."""
        had = self._reserve.exists()
        self._reserve.unlink(missing_ok=True)
        self._short = True
        return had

    def after_commit(self) -> None:
        """Now and then, look whether the disk is about to be full."""
        self._commits += 1
        if self._commits % 256 == 0 and not self._short and not self._reserve.exists():
            self._build()

    def _build(self) -> None:
        """Write the reserve for real: a sparse file would hold no room."""
        if self._reserve.exists() and self._reserve.stat().st_size == self._size:
            self._short = False
            return
        try:
            with self._reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
            self._short = False
        except OSError:
            self._reserve.unlink(missing_ok=True)
            self._short = True

    def _free_bytes(self) -> int:
        stat = os.statvfs(self._reserve.parent)
        return stat.f_bavail * stat.f_frsize
