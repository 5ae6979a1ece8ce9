"""Files that are there whole or not at all: written beside, then put in their place."""

import os
import sys
import tempfile
from pathlib import Path

from comptoir.units.errors import Invalid


def write_whole(path: Path, body: bytes) -> None:
    """Put bytes into a file, in place of what it held; "-" is standard output.

    Raises:
        Invalid: `cannot_write`.
    """
    if str(path) == "-":
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            Path(beside).chmod(0o644)
            Path(beside).replace(path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Invalid(
            "cannot_write",
            f"{path}: {error.strerror or error}",
            "name another --out, in a directory that exists and that you may write to",
        ) from None
