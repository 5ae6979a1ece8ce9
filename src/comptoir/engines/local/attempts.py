"""One attempt as the engine knows it: its records, read cheaply and remembered.

An observation costs a few reads of small files and starts no process, so that
hundreds of attempts can be looked at every second. What has ended never changes
and is read once.
"""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from comptoir.desk.engine_port import AttemptSight, Observation
from comptoir.engines.local.shim import records
from comptoir.engines.local.shim.cgroup import Cgroup
from comptoir.units.ids import AttemptId


class Attempt:
    """A claimed attempt.

    Args:
        directory: Its records.
        boot: The id of this boot.
        now_ms: The clock, milliseconds UTC.
    """

    def __init__(self, directory: Path, boot: str, now_ms: Callable[[], int]) -> None:
        order, claim = records.read_order(str(directory)), records.read_claim(str(directory))
        if order is None or claim is None:
            raise FileNotFoundError(directory)
        self.id = AttemptId(directory.name)
        self.order = order
        self._claim = claim
        self._directory = str(directory)
        self._boot = boot
        self._now_ms = now_ms
        self._cgroup = Cgroup(order["cgroup"])
        self._busy_us = 0
        self._end: Observation | None = None

    def observe(self) -> Observation:
        """What can be seen of it now."""
        if self._end is None:
            # Alive first: a shim writes the exit before it goes.
            alive = records.is_alive(self._claim, self._boot)
            end = records.read_exit(self._directory)
            if end is not None:
                self._end = self._exited(end)
            elif not alive and self._is_gone():
                self._end = self._seen(AttemptSight.LOST, self._now_ms())
        return self._end or self._seen(AttemptSight.RUNNING, self._now_ms())

    def signal(self, number: signal.Signals) -> None:
        """Tell the shim; a shim that is gone: nothing."""
        if self.observe().sight != AttemptSight.RUNNING:
            return
        records.signal_process(self._claim, number, self._boot)

    def first_process(self) -> records.Identity | None:
        """The sandbox's first process, once it has started."""
        return records.read_job(self._directory)

    def _is_gone(self) -> bool:
        """Whether nothing runs any more, its shim being dead; ends what still does."""
        first = self.first_process()
        if first is not None and records.signal_process(first, signal.SIGKILL, self._boot):
            return False
        return self._cgroup.remove(patience_s=0.0)

    def _exited(self, end: records.Exit) -> Observation:
        self._busy_us = end["busy_us"]
        return Observation(
            attempt_id=self.id,
            sight=AttemptSight.EXITED,
            started_at_ms=end["started_at_ms"],
            ended_at_ms=end["ended_at_ms"],
            exit_code=end["exit_code"],
            busy_ms=self._busy_ms(end["ended_at_ms"]),
            detail=end["detail"],
        )

    def _seen(self, sight: AttemptSight, until_ms: int) -> Observation:
        self._sample()
        started_at_ms = self._claim["started_at_ms"]
        return Observation(
            attempt_id=self.id,
            sight=sight,
            started_at_ms=started_at_ms,
            busy_ms=self._busy_ms(until_ms),
            detail="" if sight == AttemptSight.RUNNING else self._why_lost(),
        )

    def _why_lost(self) -> str:
        rebooted = self._claim["boot"] != self._boot
        return "the node rebooted" if rebooted else "the process watching it was ended"

    def _sample(self) -> None:
        busy_us = self._cgroup.busy_us()
        if busy_us is None:
            with contextlib.suppress(ValueError, TypeError):
                busy_us = int(str(records.read_record(self._directory, records.BUSY) or 0))
        self._busy_us = max(self._busy_us, busy_us or 0)

    def _busy_ms(self, until_ms: int) -> int:
        most_ms = self.order["accelerators"] * max(0, until_ms - self._claim["started_at_ms"])
        return min(self._busy_us // 1000, most_ms)


def load_attempts(
    directory: Path, boot: str, now_ms: Callable[[], int]
) -> dict[AttemptId, Attempt]:
    """Every attempt that a shim has claimed, whichever server started it."""
    found = {}
    for name in sorted(os.listdir(directory)):
        with contextlib.suppress(FileNotFoundError):
            attempt = Attempt(directory / name, boot, now_ms)
            found[attempt.id] = attempt
    return found
