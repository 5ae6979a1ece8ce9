"""The desk's memory in tables that can be taken back.

Every change goes through a `Journal`: a refused operation is undone to its mark, a
failed commit is undone whole, and what remains is exactly what the store must write.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
L = TypeVar("L")
V = TypeVar("V")
Feed = Callable[[V | None, V | None], None]


class Journal:
    """Changes since the last commit, oldest first."""

    def __init__(self) -> None:
        self._puts: list[tuple[Table[Any, Any], Any, Any]] = []
        self._appends: list[tuple[str, Any]] = []

    def mark(self) -> tuple[int, int]:
        """A place to return to."""
        return len(self._puts), len(self._appends)

    def undo_to(self, mark: tuple[int, int]) -> None:
        """Take back everything since `mark`, newest first."""
        puts, appends = mark
        while len(self._puts) > puts:
            table, key, old = self._puts.pop()
            table.restore(key, old)
        del self._appends[appends:]

    def record(self, table: "Table[Any, Any]", key: Any, old: Any) -> None:
        """Remember what a row was before it was put."""
        self._puts.append((table, key, old))

    def append(self, table: str, value: Any) -> None:
        """A row of an append-only table."""
        self._appends.append((table, value))

    def appended_since(self, mark: tuple[int, int], table: str) -> list[Any]:
        """Rows of one append-only table since `mark`."""
        return [value for name, value in self._appends[mark[1] :] if name == table]

    def drain(self) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
        """The last value of every row put, and every row appended, by table."""
        last: dict[str, dict[Any, Any]] = {}
        for table, key, _ in self._puts:
            of_table = last.get(table.name)
            if of_table is None:
                last[table.name] = {key: table.rows[key]}
            elif key not in of_table:
                of_table[key] = table.rows[key]
        appended: dict[str, list[Any]] = {}
        for name, value in self._appends:
            appended.setdefault(name, []).append(value)
        return {name: list(of_table.values()) for name, of_table in last.items()}, appended

    def clear(self) -> None:
        """Forget: the changes are committed."""
        self._puts.clear()
        self._appends.clear()

    def __bool__(self) -> bool:
        return bool(self._puts or self._appends)


class Table(Generic[K, V]):
    """Rows by key. `feeds` hear of every change (old, new), an undo included."""

    def __init__(self, name: str, key: Callable[[V], K], journal: Journal, *feeds: Feed[V]) -> None:
        self.name = name
        self.rows: dict[K, V] = {}
        self._key = key
        self._journal = journal
        self._feeds = list(feeds)
        self._indexes: list[Index[Any, V] | Sums[Any, V] | Shelves[Any, Any, V]] = []

    def feed(self, listener: Feed[V]) -> None:
        """Tell `listener` of every later change."""
        self._feeds.append(listener)

    def key_of(self, value: V) -> K:
        """The key that a row is kept under."""
        return self._key(value)

    def index(self, index: "Index[Any, V] | Sums[Any, V] | Shelves[Any, Any, V]") -> None:
        """Keep an index of the rows from now on; indexes hear before feeds do."""
        self._indexes.append(index)

    def get(self, key: K) -> V | None:
        """The row, or None."""
        return self.rows.get(key)

    def __getitem__(self, key: K) -> V:
        return self.rows[key]

    def __contains__(self, key: object) -> bool:
        return key in self.rows

    def __iter__(self) -> Iterator[V]:
        return iter(self.rows.values())

    def __len__(self) -> int:
        return len(self.rows)

    def put(self, value: V) -> V:
        """Write a row; it can be undone until the commit."""
        key, rows = self._key(value), self.rows
        old = rows.get(key)
        self._journal.record(self, key, old)
        rows[key] = value
        self._tell(key, old, value)
        return value

    def load(self, value: V) -> None:
        """Put a row that the store already has."""
        key = self._key(value)
        self._set(key, self.rows.get(key), value)

    def evict(self, key: K) -> None:
        """Drop a committed row that is live no more; the store keeps it."""
        old = self.rows.pop(key, None)
        if old is not None:
            self._tell(key, old, None)

    def restore(self, key: K, old: V | None) -> None:
        """Set a row back to what it was."""
        new = self.rows[key]
        if old is None:
            del self.rows[key]
            self._tell(key, new, None)
        else:
            self._set(key, new, old)

    def _set(self, key: K, old: V | None, new: V) -> None:
        self.rows[key] = new
        self._tell(key, old, new)

    def _tell(self, key: K, old: V | None, new: V | None) -> None:
        for index in self._indexes:
            index.hear(key, old, new)
        for feed in self._feeds:
            feed(old, new)


class Index(Generic[K, V]):
    """Rows of a table by something else than their key; None keeps a row out."""

    def __init__(self, table: Table[Any, V], by: Callable[[V], K | None]) -> None:
        self._by = by
        self._groups: dict[K, dict[Any, V]] = {}
        table.index(self)

    def get(self, group: K) -> list[V]:
        """The rows of a group, in the order in which they came to it."""
        return list(self._groups.get(group, {}).values())

    def each(self, group: K) -> Iterable[V]:
        """As `get`, without a copy: nothing may be put while it is gone through."""
        return self._groups.get(group, {}).values()

    def count(self, group: K) -> int:
        """How many rows a group has."""
        return len(self._groups.get(group, {}))

    def groups(self) -> list[K]:
        """The groups that have rows."""
        return list(self._groups)

    def first(self, group: K) -> V | None:
        """The oldest row of a group."""
        return next(iter(self._groups.get(group, {}).values()), None)

    def hear(self, key: Any, old: V | None, new: V | None) -> None:
        """A row was put or taken away."""
        by = self._by
        after = None if new is None else by(new)
        if old is not None:
            before = by(old)
            if before is not None and before != after:
                rows = self._groups[before]
                rows.pop(key, None)
                if not rows:
                    del self._groups[before]
        if after is not None and new is not None:
            group = self._groups.get(after)
            if group is None:
                self._groups[after] = {key: new}
            else:
                group[key] = new


class Sums(Generic[K, V]):
    """Something of a table's rows, added up by group; None keeps a row out."""

    def __init__(
        self, table: Table[Any, V], by: Callable[[V], K | None], amount: Callable[[V], int]
    ) -> None:
        self._by = by
        self._amount = amount
        self._sums: dict[K, int] = {}
        table.index(self)

    def of(self, group: K) -> int:
        """The sum of a group."""
        return self._sums.get(group, 0)

    def hear(self, _key: Any, old: V | None, new: V | None) -> None:
        """A row was put or taken away."""
        if old is not None:
            self._add(old, -1)
        if new is not None:
            self._add(new, 1)

    def _add(self, row: V, sign: int) -> None:
        group = self._by(row)
        if group is None:
            return
        total = self._sums.get(group, 0) + sign * self._amount(row)
        if total:
            self._sums[group] = total
        else:
            self._sums.pop(group, None)


class Shelves(Generic[K, L, V]):
    """Rows of a table by group, and those of a group by shelf, shelves in order.

    What is taken from the front is taken in the same order however the rows came.
    """

    def __init__(
        self, table: Table[Any, V], by: Callable[[V], K | None], shelf: Callable[[V], L]
    ) -> None:
        self._by = by
        self._shelf = shelf
        self._groups: dict[K, dict[L, dict[Any, V]]] = {}
        table.index(self)

    def shelves(self, group: K) -> list[tuple[L, Iterable[V]]]:
        """The shelves of a group, in order, with their rows; nothing may be put meanwhile."""
        held = self._groups.get(group, {})
        return [(shelf, held[shelf].values()) for shelf in sorted(held)]  # type: ignore[type-var]

    def groups(self) -> list[K]:
        """The groups that have rows."""
        return list(self._groups)

    def hear(self, key: Any, old: V | None, new: V | None) -> None:
        """A row was put or taken away."""
        for row, there in ((old, False), (new, True)):
            group = None if row is None else self._by(row)
            if row is None or group is None:
                continue
            shelf = self._shelf(row)
            held = self._groups.setdefault(group, {})
            rows = held.setdefault(shelf, {})
            if there:
                rows[key] = row
                continue
            rows.pop(key, None)
            if not rows:
                del held[shelf]
            if not held:
                del self._groups[group]
