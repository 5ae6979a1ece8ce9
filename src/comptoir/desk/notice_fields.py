"""What a notice's fields are made of, and what is said of one type of notice.

The types themselves: `notice_types.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
Fields = Mapping[str, Schema]

WORD: Schema = {"type": "string"}
WORDS: Schema = {"type": "array", "items": {"type": "string"}}
COUNT: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
LONG: Schema = {"type": "string", "pattern": "^-?[0-9]+$"}
DECIMAL: Schema = {"type": "string", "pattern": r"^[0-9]+\.[0-9]{2,9}$"}
MONEY: Schema = {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2,6}$"}


def maybe(schema: Schema) -> Schema:
    """A field that may be null."""
    return {**schema, "type": [schema["type"], "null"]}


@dataclass(frozen=True, slots=True)
class NoticeType:
    """What a notice of one type says.

    Args:
        says: One line, made from the notice's subject and its numbers.
        next: What the reader can do about it, made in the same way.
        fields: The event's numbers that the notice carries, by the event's own names; they
            leave under the names of `units/wire.py`. House-only numbers are left out for
            tenants, all others are always there.
        version: Raised when an old reader would misunderstand.
        directed: Sent only to the subscription that it is about, whatever others chose; the
            feed has it like any other.
    """

    says: str
    next: str
    fields: Fields
    version: int = 1
    directed: bool = False
