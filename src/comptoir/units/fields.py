"""The values of a file that people wrote, judged one by one: text, numbers, instants, money.

Used by every kind of file; what only one kind has is judged beside it (`fleet/fields.py`).
"""

import re
from datetime import date, datetime
from typing import Any

from comptoir.units.durations import parse_duration_s
from comptoir.units.money import check_currency, parse_price
from comptoir.units.reading import Judge, bad_value
from comptoir.units.text import check_count, check_text
from comptoir.units.time import day_start_ms, parse_instant

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


def instant_in(zone: str) -> Judge:
    """As `instant`, a date being its first instant in a zone."""

    def judge(field: str, value: Any) -> int:
        found = instant(field, value)
        dated = _DATE.fullmatch(str(value)) if isinstance(value, date | str) else None
        return day_start_ms(found, zone) if dated else found

    return judge


def price(_: str, value: Any) -> int:
    """Nanos per accelerator-hour, of a number's own digits or of text: a price is exact."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise bad_value(value, "a price")
    return parse_price(str(value))


def currency(_: str, value: Any) -> str:
    """A currency that the book quotes in."""
    return check_currency(string(value))


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
