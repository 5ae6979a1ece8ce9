"""How jobs live, whoever places them: they run, lose what no checkpoint kept, go on, and end.

A job whose node is lost goes back to its last checkpoint; one that is told to go has its notice
to save all in. Whatever began again first spends its restarting time. Neighbours: `player.py` and
`references.py` say when, `tally.py` counts.
"""

from dataclasses import dataclass

from comptoir.simulation.replay.mixing import Work
from comptoir.simulation.replay.tally import Tally


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the machines and the jobs are like. `checkpoint_ms` 0: whatever was lost is lost."""

    failures_per_million_accelerator_days: int
    repair_ms: int
    checkpoint_ms: int
    restart_ms: int
    seed: int


@dataclass(slots=True)
class Life:
    """A job on its way. `done_ms` of its work is safe; it runs since `since_ms`."""

    work: Work
    done_ms: int = 0
    since_ms: int | None = None
    run: int = 0
    restarting_ms: int = 0
    started: bool = False


@dataclass(frozen=True, slots=True)
class Lives:
    """The rules of lives, and who counts them."""

    tally: Tally
    conditions: Conditions

    def begin(self, life: Life, now: int) -> int:
        """A job runs from now on; returns when it is done if nothing comes between."""
        if not life.started:
            life.started = True
            self.tally.started(life.work, now)
        life.since_ms, life.run = now, life.run + 1
        life.restarting_ms = self.conditions.restart_ms if life.run > 1 else 0
        self.tally.runs(life.work, now)
        return now + life.work.duration_ms - life.done_ms + life.restarting_ms

    def interrupt(self, life: Life, lost: bool, now: int) -> None:
        """A job runs no more: back to its last checkpoint if a node was lost under it."""
        kept = self._kept(life, now)
        every = self.conditions.checkpoint_ms
        if lost:
            safe = (life.done_ms + kept) // every * every if every else 0
            kept = max(safe - life.done_ms, 0)
        life.done_ms += kept
        self.tally.stops(life.work, now, kept * life.work.accelerators, lost)
        life.since_ms = None

    def finish(self, life: Life, now: int) -> None:
        """A job is done."""
        left = life.work.duration_ms - life.done_ms
        self.tally.stops(life.work, now, left * life.work.accelerators, None)
        self.tally.finished(life.work, now)
        life.since_ms = None

    def leave(self, life: Life, now: int) -> None:
        """The replay ends while a job runs: what it has done counts."""
        if life.since_ms is not None:
            kept = self._kept(life, now)
            self.tally.stops(life.work, now, kept * life.work.accelerators, None)
            life.since_ms = None

    def _kept(self, life: Life, now: int) -> int:
        since = now if life.since_ms is None else life.since_ms
        return max(now - since - life.restarting_ms, 0)
