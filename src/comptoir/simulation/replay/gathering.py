"""The store of a replay: the real one behind a gathering of commits.

Commits are written together: nobody's promise hangs on a replay's disk. What is read is written
first, so that the desk and the auditor see what they would. Its own part is to gather; every
question goes to the real store.
"""

from collections.abc import Mapping
from typing import Any

from comptoir.desk.desk import Desk
from comptoir.desk.ports import Changes, Loaded, StoredAnswer
from comptoir.simulation.questions import Questions
from comptoir.store.sql_store import SqlStore

GATHERED = 6_000
"""Commits that are written together."""


class GatheringStore(Questions):
    """The real store behind a gathering of commits; the version that it fences is its own."""

    def __init__(self, real: SqlStore) -> None:
        self._real = real
        self._keys: Mapping[str, Any] = {}
        self._version: int | None = None
        self._counter = 0
        self._rows: dict[str, dict[Any, Any]] = {}
        self._appended: dict[str, list[Any]] = {}
        self._answers: list[StoredAnswer] = []
        self._gathered = 0

    @property
    def version(self) -> int:
        """The version of the book as it was last written."""
        return self._version or 0

    def know(self, desk: Desk) -> None:
        """Learn the keys of the live tables, so that a row is written once in a gathering."""
        self._keys = {table.name: table.key_of for table in desk.book.all_tables}

    def commit(self, changes: Changes) -> None:
        """Keep it for the next writing."""
        if self._version is None:
            self._version = changes.expected_version
        for name, values in changes.rows.items():
            known = self._rows.setdefault(name, {})
            key_of = self._keys.get(name)
            for value in values:
                known[id(value) if key_of is None else key_of(value)] = value
        for name, values in changes.appended.items():
            self._appended.setdefault(name, []).extend(values)
        self._answers += changes.answers
        self._counter = changes.counter
        self._gathered += 1
        if self._gathered >= GATHERED:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        if not self._gathered or self._version is None:
            return
        rows = {name: list(values.values()) for name, values in self._rows.items()}
        gathered = Changes(self._version, self._counter, rows, self._appended, self._answers)
        self._real.commit(gathered)
        self._version += 1
        self._rows, self._appended, self._answers, self._gathered = {}, {}, [], 0

    def written(self) -> SqlStore:
        """The real store, with all of the book in it."""
        self.flush()
        return self._real

    def load(self) -> Loaded:
        """As the real one."""
        return self.written().load()

    def short_of_room(self) -> bool:
        """A replay ends before its disk does, or with an error."""
        return False

    def forget_answers(self, before_ms: int) -> int:
        """Nothing is old enough to matter."""
        return 0

    def forget_deliveries(self, before_ms: int) -> int:
        """Nothing is delivered."""
        return 0

    def close(self) -> None:
        """Write what was gathered, and let go."""
        self.flush()
        self._real.close()
