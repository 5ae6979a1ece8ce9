"""An attempt's log: what the job printed, up to a cap.

The job writes to a pipe, never to the file: a descriptor of a host file would
name it under /proc/self/fd. Past the cap the pipe is still emptied, so that a
talkative job is neither blocked nor ended, and a mark beside the log says that
something was dropped.
"""

import contextlib
import os

_PIECE = 1 << 16
MARK = ".truncated"


class CappedLog:
    """Appends to a log file until it is full."""

    def __init__(self, path: str, limit: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._path = path
        self._handle = os.open(path, flags, 0o600)
        self._room = max(0, limit - os.fstat(self._handle).st_size)

    def take(self, source: int) -> bool:
        """Move what `source` holds now into the log; False at its end.

        Raises:
            BlockingIOError: it holds nothing now.
        """
        text = os.read(source, _PIECE)
        kept = text[: self._room]
        if kept:
            self._room -= len(kept)
            self._write(kept)
        if len(kept) < len(text):
            self._mark()
        return bool(text)

    def tail(self) -> bytes:
        """The last of the log, at most a kilobyte."""
        with open(self._path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 1_024))
            return file.read()

    def _write(self, text: bytes) -> None:
        try:
            while text:
                text = text[os.write(self._handle, text) :]
        except OSError:  # a full disk costs the log, never the job
            self._room = 0
            self._mark()

    def _mark(self) -> None:
        with contextlib.suppress(OSError):
            os.close(os.open(self._path + MARK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)
