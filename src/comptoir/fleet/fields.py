"""The values of a fleet file, judged one by one: what a field may hold, and what it means."""

import re
from typing import Any

from comptoir.fleet.conditions import MOST_SELLING_WINDOWS, SoldTo, check_grant, check_residency
from comptoir.fleet.files import MOST_PLACES, Span, check_node_name, parse_size
from comptoir.fleet.kinds import check_kind
from comptoir.fleet.topology import check_ratio
from comptoir.units.fields import string
from comptoir.units.reading import bad_value
from comptoir.units.recurrence import Recurrence, parse_recurrence
from comptoir.units.text import check_count, check_text

_SPAN = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")
_LIKE_NUMBERS = re.compile(r"[0-9\s.,;:+\u2013-]+")
_NUMBER_WORDS = (
    *("one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_PLACES = 'a count (8), a range ("7-8"), a name ("blue") or names (["a", "b"])'


def kind(_: str, value: Any) -> str:
    """An accelerator kind of the catalogue."""
    return check_kind(string(value))


def sold_to(_: str, value: Any) -> SoldTo:
    """Who may be sold it."""
    if value not in tuple(SoldTo):
        raise bad_value(value, " or ".join(f'"{word}"' for word in SoldTo))
    return SoldTo(value)


def selling_windows(field: str, value: Any) -> tuple[Recurrence, ...]:
    """One recurring window in words, or several."""
    given = value if isinstance(value, list) else [value]
    check_count(field, len(given), 0, MOST_SELLING_WINDOWS)
    return tuple(parse_recurrence(string(one)) for one in given)


def grant(field: str, value: Any) -> str:
    """The name of a grant."""
    return check_grant(field, string(value))


def residency(field: str, value: Any) -> str:
    """A country, a part of one, or a region."""
    return check_residency(field, string(value))


def ratio(field: str, value: Any) -> str:
    """An oversubscription."""
    return check_ratio(field, string(value))


def size(field: str, value: Any) -> int:
    """Bytes, written with their unit."""
    return parse_size(field, string(value))


def node_name(field: str, value: Any) -> str:
    """How numbered nodes are called."""
    return check_node_name(field, string(value))


def is_slip(name: str) -> bool:
    """Whether a name is a count or a range that was written wrong: "2.5", "1..4", "two"."""
    return bool(_LIKE_NUMBERS.fullmatch(name)) or name.lower() in _NUMBER_WORDS


def span(field: str, value: Any) -> Span:
    """A count (8), a range ("7-8"), one of them ("7"), a name ("blue"), or names (["a", "b"])."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Span(1, check_count(field, value, 1, MOST_PLACES))
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if found:
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise bad_value(value, "a range: it ends before it starts")
        check_count(field, last - first + 1, 1, MOST_PLACES)
        return Span(first, last)
    if isinstance(value, list):
        names = value
    elif not isinstance(value, str) or is_slip(value):
        raise bad_value(value, _PLACES)
    else:
        names = [value]
    check_count(field, len(names), 1, MOST_PLACES)
    return Span(1, 0, tuple(check_text(field, string(name), 1, 64) for name in names))
