"""Faults: where the desk is killed, and what goes wrong without killing it.

Every commit and every engine call asks this plan first. A kill is a `BaseException`, so that
no handler of the desk sees it, as with `kill -9`. What a kill interrupts is drawn from the
seed: before the commit, after it and before the answer, around a call of the engine.
"""

import random
from collections import Counter

from comptoir.desk.ports import Changes, CommitUnknown, Loaded
from comptoir.simulation.questions import Questions
from comptoir.store.sql_store import SqlStore
from comptoir.units.errors import Unavailable

LEAST_KILLS = 2
_COMMITS_EXPECTED = 60
_ENGINE_CALLS_EXPECTED = 80


class Killed(BaseException):
    """The desk's process is gone."""


class Faults:
    """What goes wrong in one schedule."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.counts: Counter[str] = Counter()
        self.commits = 0
        self.engine_calls = 0
        self.on = True
        self.down = 0
        """How many times the store will not answer a load."""
        kills = LEAST_KILLS + rng.choice((0, 0, 1, 2))
        self._commit_kills = {
            number: rng.choice(("before", "after"))
            for number in rng.sample(range(1, _COMMITS_EXPECTED), (kills + 1) // 2)
        }
        self._engine_kills = {
            number: rng.choice(("before", "after"))
            for number in rng.sample(range(1, _ENGINE_CALLS_EXPECTED), kills // 2)
        }
        self._unknown_rate = rng.choice((0.0, 0.02, 0.05))
        self._full_rate = rng.choice((0.0, 0.0, 0.03))
        self._engine_rate = rng.choice((0.0, 0.05, 0.15))

    @property
    def kills(self) -> int:
        """How often the desk was killed."""
        return self.counts["kill"]

    def kill_soon(self) -> None:
        """The schedule grows long and was killed too rarely: the next commit will do."""
        self._commit_kills.setdefault(self.commits + 1, "after")

    def kill_within(self, commits: int) -> None:
        """Once more: before or after one of the next commits."""
        at = self.commits + self._rng.randint(1, commits)
        self._commit_kills.setdefault(at, self._rng.choice(("before", "after")))

    def kill(self) -> None:
        """End the desk here."""
        self.counts["kill"] += 1
        raise Killed

    def go_down(self) -> None:
        """After a broken connection the store may stay away for a while."""
        self.down = self._rng.choice((0, 0, 1, 3))

    def commit_phase(self) -> str:
        """What becomes of this commit: "", "before", "after", or an error's name."""
        self.commits += 1
        if not self.on:
            return ""
        phase = self._commit_kills.pop(self.commits, "")
        if phase:
            return phase
        draw = self._rng.random()
        for name, rate in (
            ("unknown_done", self._unknown_rate / 2),
            ("unknown_not_done", self._unknown_rate / 2),
            ("disk_full", self._full_rate),
        ):
            if draw < rate:
                self.counts[name] += 1
                return name
            draw -= rate
        return ""

    def engine_phase(self) -> str:
        """What becomes of this call: "", "before", "after", "unavailable" or "lost"."""
        self.engine_calls += 1
        if not self.on:
            return ""
        phase = self._engine_kills.pop(self.engine_calls, "")
        if phase:
            return phase
        if self._rng.random() < self._engine_rate:
            name = self._rng.choice(("unavailable", "lost"))
            self.counts[f"engine_{name}"] += 1
            return name
        return ""


class FaultyStore(Questions):
    """The real store, with the faults of a plan at every commit."""

    def __init__(self, store: SqlStore, faults: Faults) -> None:
        self.real = store
        self._faults = faults

    def close(self) -> None:
        """As the real one."""
        self.real.close()

    def commit(self, changes: Changes) -> None:
        """Commit, unless the plan says otherwise; see the port."""
        phase = self._faults.commit_phase()
        if phase == "before":
            self._faults.kill()
        if phase == "disk_full":
            raise Unavailable("disk_full", "the disk of the book is full: nothing was written")
        if phase == "unknown_not_done":
            self._faults.go_down()
            raise CommitUnknown("the connection broke")
        self.real.commit(changes)
        if phase == "after":
            self._faults.kill()
        if phase == "unknown_done":
            self._faults.go_down()
            raise CommitUnknown("the connection broke")

    def load(self) -> Loaded:
        """As the real one, when it answers."""
        if self._faults.down > 0:
            self._faults.down -= 1
            raise Unavailable("store_unavailable", "the store does not answer yet")
        return self.real.load()

    def written(self) -> SqlStore:
        """The real one: whatever was committed is in it."""
        return self.real

    def short_of_room(self) -> bool:
        """As the real one."""
        return self.real.short_of_room()

    def forget_answers(self, before_ms: int) -> int:
        """As the real one."""
        return self.real.forget_answers(before_ms)

    def forget_deliveries(self, before_ms: int) -> int:
        """As the real one."""
        return self.real.forget_deliveries(before_ms)
