"""Pages straight from the driver, for lists that are asked all the time.

The statement of a page depends only on which filters are given, so it is compiled once for
each such choice, and rows come as the driver gives them. Most of them need not become values
again: whoever has written a row out before knows it by being equal (`api/pages.py`).
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, bindparam, tuple_
from sqlalchemy.sql.compiler import SQLCompiler as Compiled

from comptoir.store.mapping import field_names, from_row
from comptoir.store.statements import select_rows
from comptoir.store.tables import MAPPED
from comptoir.store.views.reading import MOST_A_PAGE, Ask, Key, Page, Views, check_key

DriverRow = tuple[Any, ...]
Filters = Mapping[str, str | Sequence[str] | None]
"""Column -> the word it must be, the words it may be, or None for any."""


class _Choice(NamedTuple):
    """Which filters are given (and how many words each), and whether a page goes on."""

    filters: tuple[tuple[str, int], ...]
    goes_on: bool


class PreparedPages:
    """Pages of one table, latest first by `keys`, which together name one row."""

    def __init__(self, dialect: Dialect, table: str, keys: tuple[str, ...]) -> None:
        self._dialect = dialect
        self._mapped = MAPPED[table]
        self._statement = select_rows(table)
        columns = self._mapped.table.c
        names = field_names(self._mapped.value)
        self._keys = tuple(columns[key] for key in keys)
        self._key_at = tuple(names.index(key) for key in keys)
        self._processors = tuple(
            columns[name].type.dialect_impl(dialect).result_processor(dialect, None)
            for name in names
        )
        self._compiled: dict[_Choice, Compiled] = {}

    def page(self, views: Views, ask: Ask, filters: Filters) -> Page[DriverRow]:
        """A page of rows as the driver gives them.

        Raises:
            Invalid: `bad_cursor`.
            Unavailable: `store_unavailable`.
        """
        if ask.after is not None:
            check_key(ask.after, self._keys)
        limit = min(ask.limit, MOST_A_PAGE)
        with views.reading() as connection:
            rows = self._rows(connection, ask.after, limit + 1, filters)
        more = len(rows) > limit
        next_key = tuple(rows[limit - 1][at] for at in self._key_at) if more else None
        return Page(tuple(rows[:limit]), next_key)

    def value(self, row: DriverRow) -> Any:
        """The value that a row holds."""
        return from_row(
            self._mapped,
            tuple(
                given if process is None else process(given)
                for given, process in zip(row, self._processors, strict=True)
            ),
        )

    def _rows(
        self, connection: Connection, after: Key | None, limit: int, filters: Filters
    ) -> list[DriverRow]:
        given: dict[str, Any] = {"most_rows": limit}
        chosen = []
        for name, wanted in filters.items():
            if wanted is None or len(wanted) == 0:
                continue
            words = [wanted] if isinstance(wanted, str) else wanted
            chosen.append((name, len(words)))
            # An enumeration's word is a plain one to the driver.
            for n, word in enumerate(words):
                given[f"{name}_{n}"] = word.value if isinstance(word, Enum) else word
        for n, part in enumerate(after or ()):
            given[f"after_{n}"] = part
        choice = _Choice(tuple(chosen), after is not None)
        if choice not in self._compiled:
            self._compiled[choice] = self._compile(choice)
        compiled = self._compiled[choice]
        said = {**compiled.params, **given}
        order = compiled.positiontup
        rows = connection.exec_driver_sql(
            str(compiled), said if order is None else tuple(said[name] for name in order)
        )
        return [tuple(row) for row in rows.all()]

    def _compile(self, choice: _Choice) -> Compiled:
        """The statement of a choice, in the words of the database."""
        statement = self._statement
        columns = self._mapped.table.c
        for name, count in choice.filters:
            words: list[Any] = [bindparam(f"{name}_{n}") for n in range(count)]
            statement = statement.where(
                columns[name] == words[0] if count == 1 else columns[name].in_(words)
            )
        if choice.goes_on:
            after: list[Any] = [bindparam(f"after_{n}") for n in range(len(self._keys))]
            statement = statement.where(tuple_(*self._keys) < tuple_(*after))
        statement = statement.order_by(*(key.desc() for key in self._keys))
        return statement.limit(bindparam("most_rows")).compile(dialect=self._dialect)
