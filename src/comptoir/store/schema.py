"""The tables. Columns carry the names of the fields of the values they hold.

`MAPPED` pairs each table with its value; `mapping.py` writes and reads them. What a
column cannot say (numbers beyond 64 bits, tuples, enums) has a type here.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect

from comptoir.leases.lease import Alternative, Shape
from comptoir.units.recurrence import Recurrence, format_recurrence, parse_recurrence
from comptoir.units.wire import json_writer

metadata = MetaData()
SHORT = 64
_canonical = json_writer(ensure_ascii=True, sort_keys=True)


class Exact(TypeDecorator[int]):
    """An integer of any size: NUMERIC on PostgreSQL, text on SQLite (whose ends at 2^63)."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric(60, 0, asdecimal=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return value if dialect.name == "postgresql" else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        return None if value is None else int(value)


class Json(TypeDecorator[Any]):
    """Tuples and mappings of plain values, as canonical JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return _json_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return _json_value(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        """Without the layers between: every commit writes thousands of these."""
        return _json_text

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[str | None], Any]:
        """As above: a start reads hundreds of thousands of these."""
        return _json_value


class Word(TypeDecorator[StrEnum]):
    """One value of an enumeration, as its text."""

    impl = String
    cache_ok = True

    def __init__(self, values: type[StrEnum]) -> None:
        super().__init__()
        self.values = values
        self._by_text: dict[str | None, StrEnum | None] = {str(value): value for value in values}
        self._by_text[None] = None

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        return _word_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        return self._by_text[value]

    def bind_processor(self, dialect: Dialect) -> Callable[[StrEnum | None], str | None]:
        """Without the layers between, as `Json`."""
        return _word_text

    def result_processor(
        self, dialect: Dialect, coltype: Any
    ) -> Callable[[str | None], StrEnum | None]:
        """As `Json`."""
        return self._by_text.__getitem__


class Recurring(TypeDecorator[tuple[Recurrence, ...]]):
    """Recurring windows, as a JSON list of the words that say them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[Recurrence, ...] | None, dialect: Dialect) -> str:
        return json.dumps([format_recurrence(recurrence) for recurrence in value or ()])

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Recurrence, ...]:
        return tuple(parse_recurrence(text) for text in json.loads(value or "[]"))


class Choices(TypeDecorator[tuple[Alternative, ...]]):
    """Complete alternatives of a request, in order, as a JSON list of objects."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[Alternative, ...] | None, dialect: Dialect) -> str:
        return json.dumps([asdict(choice) for choice in value]) if value else "[]"

    def bind_processor(self, dialect: Dialect) -> Callable[[tuple[Alternative, ...] | None], str]:
        """Without the layers between, as `Json`."""
        return lambda value: self.process_bind_param(value, dialect) if value else "[]"

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Alternative, ...]:
        if value in (None, "[]"):
            return ()
        return tuple(
            Alternative(choice["kind"], choice["accelerators"], Shape(choice["shape"]))
            for choice in json.loads(value or "[]")
        )


def _json_text(value: Any) -> str | None:
    if value == ():
        return "[]"
    return None if value is None else _canonical(value)


def _json_value(text: str | None) -> Any:
    """The value of a JSON text; of a short list it is made once, since nothing can change it."""
    if text is None:
        return None
    if len(text) <= SHORT and text[0] == "[" and "{" not in text:
        return _short_list(text)
    return _frozen(json.loads(text))


@lru_cache(maxsize=4_096)
def _short_list(text: str) -> Any:
    return _frozen(json.loads(text))


def _word_text(value: StrEnum | None) -> str | None:
    return None if value is None else str.__str__(value)


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return value


@dataclass(frozen=True, slots=True)
class Mapped:
    """A table and the value that one row of it holds."""

    table: Table
    value: type[Any]
    rebuild: Mapping[str, Any]
    """Columns whose stored form needs more than its type: name -> function."""


def _id(name: str = "id") -> Column[str]:
    return Column(name, String, primary_key=True)


def _text(name: str, null: bool = False) -> Column[str]:
    return Column(name, String, nullable=null)


def _ms(name: str, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _int(name: str, null: bool = False) -> Column[int]:
    return Column(name, Integer, nullable=null)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _json(name: str) -> Column[Any]:
    return Column(name, Json, nullable=False)


def _word(name: str, values: type[StrEnum], null: bool = False) -> Column[StrEnum]:
    return Column(name, Word(values), nullable=null)
