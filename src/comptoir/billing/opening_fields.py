"""The values of an opening's files, judged one by one, beside those of every file.

A cell of a CSV table is always text, so what TOML says without quotes may be said as text here.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from comptoir.billing.tax import parse_percent
from comptoir.sales.contract_fields import many
from comptoir.tenants.entities import check_address, check_tax_number
from comptoir.units import fields
from comptoir.units.countries import check_country
from comptoir.units.errors import Invalid
from comptoir.units.money import parse_amount
from comptoir.units.reading import Judge, bad_value
from comptoir.units.text import check_slug, check_text
from comptoir.units.time import MS_PER_S, day_start_ms, format_day, month_start_ms, parse_day

NOON_MS = 12 * 3_600 * MS_PER_S


def a_date(value: Any) -> int:
    """A date as its first instant in UTC, of TOML's own or of text."""
    if isinstance(value, datetime) or not isinstance(value, date | str):
        raise bad_value(value, "a date: write 2026-11-01")
    return parse_day(str(value))


def month_in(zone: str) -> Judge:
    """The first day of a month, as the instant at which it begins in a zone."""

    def judge(field: str, value: Any) -> int:
        day_ms = a_date(value)
        if not format_day(day_ms).endswith("-01"):
            raise Invalid(
                "cut_over_within_a_month",
                f"{field} {format_day(day_ms)} lies within a month; months are closed and billed "
                "whole",
                f"move in at the start of one: {format_day(day_ms)[:7]}-01 or later",
            )
        return month_start_ms(day_ms + NOON_MS, zone)

    return judge


def day_in(zone: str) -> Judge:
    """The instant at which a date begins in a zone."""
    return lambda _, value: day_start_ms(a_date(value), zone)


def end_of_day_in(zone: str) -> Judge:
    """The last instant of a date in a zone: what is due on a day is late on the next."""
    return lambda _, value: day_start_ms(a_date(value) + 24 * 3_600 * MS_PER_S, zone) - 1


def amount(currency: str, least: int = 0) -> Judge:
    """Micros of an amount of money, of a number's own digits or of text."""

    def judge(field: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise bad_value(value, "an amount of money")
        return parse_amount(str(value), currency, field, least)

    return judge


def whole(smallest: int, largest: int) -> Judge:
    """A whole number between bounds, or its digits."""
    judge_number = fields.whole(smallest, largest)

    def judge(field: str, value: Any) -> int:
        digits = isinstance(value, str) and value.isascii() and value.isdigit()
        return int(judge_number(field, int(value[:20]) if digits else value))

    return judge


def flag(_: str, value: Any) -> bool:
    """Yes or no, or its word."""
    words = {"true": True, "false": False}
    if isinstance(value, str) and value in words:
        return words[value]
    return bool(fields.flag(_, value))


def several(judge: Judge) -> Judge:
    """A list of values, or words with spaces between."""
    judge_all: Callable[[str, Any], Any] = many(judge)
    return lambda field, value: judge_all(field, value.split() if isinstance(value, str) else value)


def slug(field: str, value: Any) -> str:
    """A tenant, by its slug."""
    return check_slug(field, fields.string(value))


def country(field: str, value: Any) -> str:
    """A country's code."""
    return check_country(field, fields.string(value))


def tax_number(field: str, value: Any) -> str:
    """A tax id, or none."""
    return check_tax_number(field, fields.string(value))


def address(field: str, value: Any) -> tuple[str, ...]:
    """The lines of an address."""
    if not isinstance(value, list):
        raise bad_value(value, "a list of lines in brackets")
    return check_address(field, tuple(fields.string(line) for line in value))


def words(longest: int) -> Judge:
    """One printable line, which may be empty."""
    return lambda field, value: check_text(field, fields.string(value), 0, longest)


def percent(_: str, value: Any) -> int:
    """Parts per million of a percentage."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise bad_value(value, "a percentage")
    return parse_percent(str(value))
