"""Notices: what people and machines are told, as a pure function of the numbered events.

    {"id": "nt_184", "type": "lease.reclaiming", "version": 1, "at": "2026-11-28T06:00:00.000Z",
     "tenant": "tn_8QMC", "subject": "ls_7Q4M",
     "data": {"says": "...", "next": "...", "kill_at": "...", "notice_s": 30, ...}}

The id is the event's number, so it is the same wherever and however often a notice is sent,
and a reader that has one can ask for what came after it. Of a tenant's events a tenant is told
less than the house (`HOUSE_ONLY_DATA`); of the house's own events a tenant is told nothing.
Neighbours: `notice_types` is the table; `api/feed` and `notice_loop` carry notices away.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from comptoir.desk.notice_fields import INSTANT, WORD, NoticeType, maybe
from comptoir.desk.notice_types import NOTICE_TYPES
from comptoir.desk.ports import Event
from comptoir.units.errors import Invalid
from comptoir.units.wire import HOUSE_ONLY_DATA, encode_data, instant, rule

MOST_SEQ = 2**53
_PREFIX = "nt_"


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice, for one audience. `data` is ready for JSON."""

    seq: int
    type: str
    version: int
    at_ms: int
    tenant_id: str | None
    subject: str
    data: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The same for every audience and every delivery."""
        return notice_id(self.seq)

    @property
    def says(self) -> str:
        """What happened, in one line."""
        return str(self.data["says"])

    @property
    def next(self) -> str:
        """What the reader can do about it."""
        return str(self.data["next"])

    def document(self) -> dict[str, Any]:
        """The notice as JSON, of the schema that `notice_schema` gives."""
        return {
            "id": self.id,
            "type": self.type,
            "version": self.version,
            "at": instant(self.at_ms),
            "tenant": self.tenant_id,
            "subject": self.subject,
            "data": dict(self.data),
        }


def notice_of(event: Event, house: bool) -> Notice | None:
    """What an event is told as: to the house, or to the tenant that it concerns.

    Returns:
        None for what nobody is told of, and for an event that was written before its notice
        had all its fields.
    """
    kind = NOTICE_TYPES.get(event.type)
    if kind is None or any(name not in event.data for name in _REQUIRED[event.type]):
        return None
    carried = {name: event.data[name] for name in kind.fields if name in event.data}
    data = encode_data(carried, house)
    words = {"subject": event.subject, **{name: _word(name, data[name]) for name in data}}
    said = {"says": _line(kind.says.format_map(words)), "next": _line(kind.next.format_map(words))}
    return Notice(
        event.seq,
        event.type,
        kind.version,
        event.at_ms,
        event.tenant_id,
        event.subject,
        {**said, **data},
    )


def notice_id(seq: int) -> str:
    """The id of the notice of an event."""
    return f"{_PREFIX}{seq}"


def notice_seq(id: str) -> int:
    """The number of the event that a notice tells of.

    Raises:
        Invalid: `bad_notice_id`.
    """
    digits = id.removeprefix(_PREFIX)
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 16 or int(digits) > MOST_SEQ:
        raise Invalid(
            "bad_notice_id",
            f"{id[:40]!r} is not the id of a notice",
            "give the id of a notice that you were sent, such as nt_184",
        )
    return int(digits)


def types_matching(patterns: Sequence[str]) -> tuple[str, ...]:
    """The types of notices that any of the patterns names: `lease.active`, `lease.*`, `*`.

    Raises:
        Invalid: `unknown_notice_type`: a pattern that names none.
    """
    for pattern in patterns:
        if not any(_names(pattern, kind) for kind in NOTICE_TYPES):
            raise Invalid(
                "unknown_notice_type",
                f"no notice is called {pattern[:60]!r}",
                f"use one of {', '.join(_groups())}, or a type that docs/notices.md lists",
                {"type": pattern[:60]},
            )
    return tuple(sorted(kind for kind in NOTICE_TYPES if any(_names(p, kind) for p in patterns)))


@lru_cache(maxsize=1_024)
def types_sent(patterns: tuple[str, ...]) -> frozenset[str]:
    """The types that a subscription with these patterns is sent; of what it once chose and
    is no more, nothing."""
    return frozenset(
        name
        for name, kind in NOTICE_TYPES.items()
        if not kind.directed and any(_names(pattern, name) for pattern in patterns)
    )


def _names(pattern: str, kind: str) -> bool:
    if pattern.endswith("*"):
        stem = pattern[:-1]
        return kind.startswith(stem) and (not stem or stem.endswith("."))
    return pattern == kind


def _groups() -> list[str]:
    return ["*", *sorted({f"{kind.partition('.')[0]}.*" for kind in NOTICE_TYPES})]


_REQUIRED = {
    name: tuple(field for field in kind.fields if field not in HOUSE_ONLY_DATA)
    for name, kind in NOTICE_TYPES.items()
}


def _word(name: str, value: Any) -> Any:
    """A number or word of a notice, as a sentence says it."""
    if name in ("reason", "cause"):
        return str(value).replace("_", " ")
    return "none" if value is None else value


def _line(text: str) -> str:
    """One printable line: a job's detail or a name can move nobody's cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


# The schema, made from the table.


def notice_schema() -> dict[str, Any]:
    """The JSON Schema of every notice, type by type."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://comptoir.example.org/notices.schema.json",
        "title": "A notice of Comptoir",
        "description": (
            "What the feed, webhooks and mails carry; docs/notices.md explains it. Readers "
            "ignore fields that they do not know: new ones do not raise the version."
        ),
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in NOTICE_TYPES],
        "$defs": {name: _schema_of(name, kind) for name, kind in NOTICE_TYPES.items()},
    }


def _schema_of(name: str, kind: NoticeType) -> dict[str, Any]:
    data = {
        "says": {**WORD, "description": "What happened, in one line."},
        "next": {**WORD, "description": "What to do about it."},
    }
    for field, schema in kind.fields.items():
        told = {"description": "To the house only."} if field in HOUSE_ONLY_DATA else {}
        data[rule(field)[0]] = {**schema, **told}
    required = ["says", "next", *(rule(field)[0] for field in _REQUIRED[name])]
    return _object(
        {
            "id": {**WORD, "pattern": "^nt_[0-9]+$"},
            "type": {"const": name},
            "version": {"const": kind.version},
            "at": INSTANT,
            "tenant": maybe(WORD),
            "subject": WORD,
            "data": _object(data, required),
        }
    )


def _object(properties: Mapping[str, Any], required: Sequence[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: dict(schema) for name, schema in properties.items()},
        "required": list(properties if required is None else required),
    }


def render_schema() -> str:
    """The schema as it is kept: stable, readable, one change a line."""
    return json.dumps(notice_schema(), indent=2, ensure_ascii=False) + "\n"


def main(path: str = "openapi/notices.schema.json") -> int:
    """Write the schema."""
    Path(path).write_text(render_schema(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
