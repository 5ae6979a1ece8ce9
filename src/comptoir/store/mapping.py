"""Values into rows and back. A test holds that columns and fields are the same names.

A commit writes many small statements, so each is compiled once for its dialect and given
straight to the driver (`Prepared`): half the time of the ordinary way, the same SQL.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Row

from comptoir.store.schema import Mapped

_NAMES: dict[type[Any], tuple[str, ...]] = {}


def field_names(value: type[Any]) -> tuple[str, ...]:
    """The fields of a value, in order; its table has columns of the same names."""
    if value not in _NAMES:
        _NAMES[value] = tuple(field.name for field in fields(value))
    return _NAMES[value]


def fields_of(value: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """How the fields of a value are read, in order."""
    return attrgetter(*field_names(value))


class Prepared:
    """An insert or upsert of one table, compiled for one dialect.

    Args:
        statement: The insert; it binds exactly the columns `names`.
        names: Columns, in the order in which `get` gives them.
        get: A value's columns.
        dialect: The database's.
    """

    def __init__(
        self,
        statement: Any,
        names: Sequence[str],
        get: Callable[[Any], tuple[Any, ...]],
        dialect: Dialect,
    ) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(names))
        self._sql = str(compiled)
        self._get = get
        self._row = _row_maker(names, compiled.positiontup, compiled._bind_processors)

    def write(self, connection: Connection, values: Sequence[Any]) -> None:
        """Write one row a value."""
        get, row = self._get, self._row
        connection.exec_driver_sql(self._sql, [row(*get(value)) for value in values])


def _row_maker(
    names: Sequence[str],
    positions: Sequence[str] | None,
    processors: Mapping[str, Callable[[Any], Any]],
) -> Callable[..., Any]:
    """A function from a value's columns to the row that the driver takes.

    Its source is written out column by column: a loop over thirty columns, of which ten need
    converting, takes twice as long.
    """
    scope: dict[str, Any] = {f"_to_{name}": process for name, process in processors.items()}
    made = {name: f"_to_{name}({name})" if name in processors else name for name in names}
    if positions is None:
        row = "{" + ", ".join(f"{name!r}: {made[name]}" for name in names) + "}"
    else:
        row = "(" + "".join(f"{made[name]}, " for name in positions) + ")"
    exec(f"def row({', '.join(names)}): return {row}", scope)
    maker: Callable[..., Any] = scope["row"]
    return maker


def from_row(mapped: Mapped, row: Row[Any] | tuple[Any, ...]) -> Any:
    """The value that a row holds; the row has the value's columns in order."""
    if not mapped.rebuild:
        return mapped.value(*row)
    given = dict(zip(field_names(mapped.value), row, strict=True))
    for name, rebuild in mapped.rebuild.items():
        given[name] = rebuild(given[name])
    return mapped.value(**given)
