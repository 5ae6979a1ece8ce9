"""How views read: a snapshot a request, and keyset pages that stay put while the book grows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Select, tuple_
from sqlalchemy.exc import InterfaceError, OperationalError

from comptoir.store.mapping import from_row
from comptoir.store.statements import select_rows
from comptoir.store.tables import MAPPED
from comptoir.units.errors import Invalid, Unavailable

V = TypeVar("V")
Condition = ColumnElement[bool] | None
Key = tuple[int | str, ...]

MOST_A_PAGE = 500


@dataclass(frozen=True, slots=True)
class Page(Generic[V]):
    """A piece of a list. `next_key` is where the next piece begins, None at the end."""

    items: tuple[V, ...]
    next_key: Key | None


@dataclass(frozen=True, slots=True)
class Ask:
    """Which piece of a list: at most `limit` after the row whose keys are `after`."""

    limit: int = 50
    after: Key | None = None


class Views:
    """Reads a book. Safe to use from many threads."""

    def __init__(self, engine: Engine) -> None:
        isolated = engine.dialect.name == "postgresql"
        self.engine = (
            engine.execution_options(isolation_level="REPEATABLE READ") if isolated else engine
        )
        self._selects = {name: select_rows(name) for name in MAPPED}

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent snapshot of the committed book.

        Raises:
            Unavailable: `store_unavailable`: the database does not answer.
        """
        try:
            with self.engine.connect() as connection:
                yield connection
        except (OperationalError, InterfaceError) as error:
            raise Unavailable(
                "store_unavailable", f"the book cannot be read: {error.orig}", "try again", None, 2
            ) from error

    def find(self, table: str, *conditions: Condition) -> Any | None:
        """The first value of a table that meets the conditions."""
        with self.reading() as connection:
            row = connection.execute(self._select(table, conditions).limit(1)).first()
        return None if row is None else from_row(MAPPED[table], row)

    def all(self, table: str, *conditions: Condition, order: Sequence[Any], most: int) -> list[Any]:
        """At most `most` values of a table, in order."""
        statement = self._select(table, conditions).order_by(*order).limit(most)
        with self.reading() as connection:
            rows = connection.execute(statement).all()
        return [from_row(MAPPED[table], row) for row in rows]

    def page(
        self,
        table: str,
        ask: Ask,
        *conditions: Condition,
        keys: tuple[str, ...],
        newest_first: bool = True,
    ) -> Page[Any]:
        """A page of a table in the order of `keys`, which together name one row.

        Raises:
            Invalid: `bad_cursor`: the place to go on from does not fit these keys.
        """
        columns = [MAPPED[table].table.c[key] for key in keys]
        statement = self._select(table, conditions)
        if ask.after is not None:
            check_key(ask.after, columns)
            place = tuple_(*columns), tuple_(*ask.after)
            statement = statement.where(
                place[0] < place[1] if newest_first else place[0] > place[1]
            )
        limit = min(ask.limit, MOST_A_PAGE)
        ordered = [column.desc() if newest_first else column.asc() for column in columns]
        with self.reading() as connection:
            rows = connection.execute(statement.order_by(*ordered).limit(limit + 1)).all()
        items = tuple(from_row(MAPPED[table], row) for row in rows[:limit])
        more = len(rows) > limit
        return Page(items, tuple(getattr(items[-1], key) for key in keys) if more else None)

    def _select(self, table: str, conditions: Sequence[Condition]) -> Select[Any]:
        wanted = [condition for condition in conditions if condition is not None]
        statement = self._selects[table]
        return statement.where(*wanted) if wanted else statement


def equal(column: Any, value: Any) -> Condition:
    """`column = value`, or no condition at all for None."""
    return None if value is None else column == value


def check_key(key: Key, columns: Sequence[Any]) -> None:
    """Let a key pass that fits its columns.

    Raises:
        Invalid: `bad_cursor`.
    """
    fits = len(key) == len(columns) and all(
        isinstance(part, column.type.python_type) and not isinstance(part, bool)
        for part, column in zip(key, columns, strict=True)
    )
    if fits:
        fits = all(not isinstance(part, int) or abs(part) < 2**63 for part in key)
    if not fits:
        raise Invalid(
            "bad_cursor", "this cursor does not belong to this list", "start again without it"
        )
