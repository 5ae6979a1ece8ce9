"""Values inside a column: frozen dataclasses as canonical JSON, by the types of their fields.

What is written here must be read for as long as the book lives: a field that a value gains
later has a default, and an old row then reads as one without it.
"""

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

from sqlalchemy.engine import Dialect

from comptoir.store.schema import Json

Decode = Callable[[Any], Any]


class Nested(Json):
    """One value of a type, or a tuple of them (`tuple[Phase, ...]`), as JSON text."""

    cache_ok = True

    def __init__(self, held: Any) -> None:
        super().__init__()
        self.held = held

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return _text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else decoder(self.held)(json.loads(value))

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        """As `Json`."""
        return _text

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[str | None], Any]:
        """As `Json`."""
        decode = decoder(self.held)
        return lambda text: None if text is None else decode(json.loads(text))


def encoded(value: Any) -> Any:
    """A value as JSON has it: a dataclass is an object of its fields, a tuple a list."""
    if is_dataclass(value):
        return {part.name: encoded(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, tuple):
        return [encoded(one) for one in value]
    return value


@cache
def decoder(held: Any) -> Decode:
    """How JSON becomes a value of a type again."""
    if isinstance(held, NewType):
        return decoder(held.__supertype__)
    origin, arguments = get_origin(held), get_args(held)
    if origin in (Union, UnionType):
        (inner,) = (one for one in arguments if one is not NoneType)
        decode = decoder(inner)
        return lambda value: None if value is None else decode(value)
    if origin is tuple and arguments[-1] is Ellipsis:
        each = decoder(arguments[0])
        return lambda value: tuple(each(one) for one in value)
    if origin is tuple:
        parts = [decoder(one) for one in arguments]
        return lambda value: tuple(part(one) for part, one in zip(parts, value, strict=True))
    if isinstance(held, type) and is_dataclass(held):
        return _dataclass(held)
    if isinstance(held, type) and issubclass(held, StrEnum):
        return held
    return lambda value: value


def _dataclass(held: type[Any]) -> Decode:
    parts = {name: decoder(hint) for name, hint in get_type_hints(held).items()}

    def decode(value: dict[str, Any]) -> Any:
        return held(**{name: parts[name](given) for name, given in value.items()})

    return decode


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if value == ():
        return "[]"
    return json.dumps(encoded(value), separators=(",", ":"), sort_keys=True)
