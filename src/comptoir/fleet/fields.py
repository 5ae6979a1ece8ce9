"""The values of a fleet file, judged one by one: what a field may hold, and what it means."""

import re
from datetime import date, datetime
from typing import Any

from comptoir.fleet.conditions import MOST_SELLING_WINDOWS, SoldTo, check_grant, check_residency
from comptoir.fleet.files import MOST_PLACES, Span, check_node_name, parse_size
from comptoir.fleet.kinds import check_kind
from comptoir.fleet.reading import Judge, bad_value
from comptoir.fleet.topology import check_ratio
from comptoir.units.durations import parse_duration_s
from comptoir.units.money import check_currency, parse_price
from comptoir.units.recurrence import Recurrence, parse_recurrence
from comptoir.units.text import check_count, check_text
from comptoir.units.time import parse_instant

_SPAN = re.compile(r"([0-9]{1,6})-([0-9]{1,6})")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def string(value: Any) -> str:
    """Text, whatever it says."""
    if not isinstance(value, str):
        raise bad_value(value, "text in quotes")
    return value


def text(longest: int) -> Judge:
    """One printable line that is not empty."""
    return lambda field, value: check_text(field, string(value), 1, longest)


def whole(smallest: int, largest: int) -> Judge:
    """A whole number between bounds."""

    def judge(field: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise bad_value(value, "a whole number")
        return check_count(field, value, smallest, largest)

    return judge


def instant(_: str, value: Any) -> int:
    """An offset date-time, a date (its first instant in UTC), or either as text."""
    if isinstance(value, datetime):
        return parse_instant(value.isoformat())
    written = str(value) if isinstance(value, date | str) else repr(value)
    return parse_instant(f"{written}T00:00:00Z" if _DATE.fullmatch(written) else written)


def price(_: str, value: Any) -> int:
    """Nanos per accelerator-hour, of a number's own digits or of text: a price is exact."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise bad_value(value, "a price")
    return parse_price(str(value))


def currency(_: str, value: Any) -> str:
    """A currency that the book quotes in."""
    return check_currency(string(value))


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


def flag(_: str, value: Any) -> bool:
    """Yes or no."""
    if not isinstance(value, bool):
        raise bad_value(value, "true or false")
    return value


def duration(longest_s: int) -> Judge:
    """Seconds, written with their unit."""

    def judge(field: str, value: Any) -> int:
        return check_count(field, parse_duration_s(string(value)), 0, longest_s)

    return judge


def span(field: str, value: Any) -> Span:
    """A count (8), a range ("7-8"), a name ("blue"), or names (["a", "b"])."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Span(1, check_count(field, value, 1, MOST_PLACES))
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if found:
        first, last = int(found[1]), int(found[2])
        if last < first:
            raise bad_value(value, "a range: it ends before it starts")
        check_count(field, last - first + 1, 1, MOST_PLACES)
        return Span(first, last)
    names = value if isinstance(value, list) else [value]
    check_count(field, len(names), 1, MOST_PLACES)
    return Span(1, 0, tuple(check_text(field, string(name), 1, 64) for name in names))
