"""Compiled kernels, live: a thread makes them ready, and the desk's own thread changes over.

A server plans with the plain kernels from its first request on. With the extra `comptoir[fast]`
and a fleet of LEAST_NODES the compiled ones are read from Numba's cache soon after, held to the
plain ones (`placement/warming.py`), and used from then on: both see the same tables, and give the
same plans. A smaller fleet has little to gain, and 180 MB to save. Where nothing is cached yet,
a child process of low priority fills the cache first: that takes half a minute and half a gigabyte,
which the server neither waits for nor keeps (`docs/decisions/0007`).
"""

import logging
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from comptoir.desk.queue import DeskQueue
from comptoir.placement.backend import Backend, compiled, desk_functions
from comptoir.placement.compiled import can_compile
from comptoir.placement.warming import warmed
from comptoir.units.errors import invariant

log = logging.getLogger("comptoir.kernels")

LEAST_NODES = 1_000
BEGIN_AFTER_S = 2.0
"""The first seconds of a server belong to those who waited for it."""
FILL_CACHE = (sys.executable, "-P", "-m", "comptoir.placement.warming")
_LOW_PRIORITY = 10


class KernelThreads:
    """Makes one desk plan with compiled kernels, where there is a compiler and a large fleet."""

    def __init__(self, queue: DeskQueue) -> None:
        self._desk = queue.desk
        self._ready: Backend | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if can_compile():
            queue.listen(self._look)

    def stop(self) -> None:
        """End, and leave no child behind: what it has compiled so far is kept."""
        self._stop.set()
        if self._child is not None:
            self._child.terminate()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        if self._stop.wait(BEGIN_AFTER_S):
            return
        try:
            if not is_kept(compiled()):
                log.info("compiling the placement kernels, once for this version and machine")
                self._fill_cache()
            if not self._stop.is_set():
                self._ready = warmed()
        except Exception:
            if not self._stop.is_set():
                log.exception("no compiled kernels: the plain ones go on")

    def _fill_cache(self) -> None:
        self._child = child = subprocess.Popen(
            FILL_CACHE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        if self._stop.is_set():  # it was set before there was a child to end
            child.terminate()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, child.pid, _LOW_PRIORITY)
        said = child.communicate()[1].decode(errors="replace").strip().splitlines()
        invariant(child.returncode == 0 or self._stop.is_set(), f"compiling failed: {said[-1:]}")

    def _look(self) -> None:
        """After a batch, on the desk's thread: begin when the fleet is large, end when ready."""
        if self._thread is None and len(self._desk.book.nodes) >= LEAST_NODES:
            self._thread = threading.Thread(target=self._run, name="kernels", daemon=True)
            self._thread.start()
        if self._ready is not None:
            self._desk.use(self._ready)
            self._ready = None
            log.info("placement runs on the compiled kernels")


def is_kept(backend: Backend) -> bool:
    """Whether Numba's cache has all that the desk calls, of exactly this source."""
    return all(_is_kept(function) for function in desk_functions(backend))


def _is_kept(function: Any) -> bool:
    name = function.py_func.__qualname__
    return any(Path(function.stats.cache_path).glob(f"*.{name}-*.nbi"))


def kernels_found() -> str:
    """Which kernels a server of this installation plans with, in words.

    Raises:
        RuntimeError: Numba has no place for its cache.
    """
    if not can_compile():
        return "plain; `pip install 'comptoir[fast]'` compiles them"
    backend = compiled()
    if not is_kept(backend):
        return f"to be compiled by the first server with {LEAST_NODES:,} nodes, beside its work"
    path: Any = desk_functions(backend)[0]
    return f"compiled from {LEAST_NODES:,} nodes on, kept in {path.stats.cache_path}"
