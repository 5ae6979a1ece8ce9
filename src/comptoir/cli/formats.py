"""Words into values and values into words: instants, durations, money, accelerator time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from comptoir.units.durations import parse_duration_s
from comptoir.units.errors import Invalid
from comptoir.units.time import MS_PER_HOUR, parse_instant

ROWS = click.IntRange(1, 1_000_000)
"""How many rows a command may list."""

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}


@dataclass(frozen=True, slots=True)
class Times:
    """Writes instants: "today 14:32:05 CET", "Sat 28 Nov 06:00 CET", or all in UTC."""

    utc: bool = False

    def when(self, text: str | None, otherwise: str = "-") -> str:
        """An instant of the API for people."""
        if not text:
            return otherwise
        at = datetime.fromisoformat(text)
        if self.utc:
            return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        local, today = at.astimezone(), datetime.now().astimezone()
        if local.date() == today.date():
            return f"today {local:%H:%M:%S %Z}"
        if abs((local - today).days) < 180:
            return f"{local:%a} {local.day} {local:%b %H:%M %Z}"
        return f"{local.day} {local:%b %Y %H:%M %Z}"

    def clock(self, text: str) -> str:
        """Only the time of day: for logs that a person watches."""
        at = datetime.fromisoformat(text)
        return f"{at.astimezone(UTC):%H:%M:%S}" if self.utc else f"{at.astimezone():%H:%M:%S}"


def duration(seconds: int) -> str:
    """Seconds for people: "45 s", "6 min", "3 h 20 min", "2 d 4 h"."""
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3_600:
        return f"{seconds // 60} min"
    if seconds < 86_400:
        hours, minutes = seconds // 3_600, seconds % 3_600 // 60
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = seconds // 86_400, seconds % 86_400 // 3_600
    return f"{days} d {hours} h" if hours else f"{days} d"


def parse_when(text: str) -> str:
    """An instant for the API from RFC 3339 with a zone, or `+2h` from now.

    Raises:
        Invalid: `bad_instant` or `bad_duration`.
    """
    if not text.startswith("+"):
        parse_instant(text)
        return text
    try:
        at = datetime.now(UTC) + timedelta(seconds=parse_duration_s(text[1:]))
    except OverflowError:
        raise Invalid("bad_instant", f"{text!r} is too far", "give a nearer instant") from None
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


class Instant(click.ParamType[str]):
    """An instant on the command line."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The instant as the API takes it."""
        try:
            return parse_when(value)
        except Invalid as error:
            self.fail(f"{error.message}; {error.next}, or +2h", param, ctx)


class Duration(click.ParamType[int]):
    """A duration on the command line, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds."""
        if isinstance(value, int):
            return value
        try:
            return parse_duration_s(value)
        except Invalid as error:
            self.fail(f"{error.message}; {error.next}", param, ctx)


class Way(click.ParamType[dict[str, Any]]):
    """Another complete way to meet a request: KIND:COUNT or KIND:COUNT:SHAPE."""

    name = "way"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        """The way as the API takes it."""
        if isinstance(value, dict):
            return value
        kind, _, rest = str(value).partition(":")
        count, _, shape = rest.partition(":")
        if not kind or not count.isdecimal() or not 0 < int(count) < 2**31:
            self.fail(
                f"{value!r} is not a way; write it as mi300x:512 or mi300x:512:pod", param, ctx
            )
        way = {"kind": kind, "accelerators": int(count)}
        return {**way, "shape": shape} if shape else way


def money(amount: str, currency: str) -> str:
    """An amount with its currency: "$118,456.32", "-€0.87", "1,200 JPY"."""
    sign, digits = ("-", amount[1:]) if amount.startswith("-") else ("", amount)
    whole, point, fraction = digits.partition(".")
    grouped = f"{int(whole or 0):,}{point}{fraction}"
    symbol = _SYMBOLS.get(currency)
    return f"{sign}{symbol}{grouped}" if symbol else f"{sign}{grouped} {currency}"


def accelerator_time(milliseconds: str | int, beside: int = 0) -> str:
    """Accelerator time for people: "31,418 acc-ms" below an hour, then "1,234.56 acc-h".

    `beside` larger times it is in hours too, with as many digits as it needs.
    """
    count = int(milliseconds)
    if abs(count) < MS_PER_HOUR <= beside:
        millionths = abs(count) * 1_000_000 // MS_PER_HOUR
        digits = f"{millionths:06d}"
        shown = digits.rstrip("0").ljust(2, "0")
        return f"{'-' if count < 0 else ''}0.{shown} acc-h"
    if abs(count) < MS_PER_HOUR:
        return f"{count:,} acc-ms"
    hundredths = abs(count) * 100 // MS_PER_HOUR
    return f"{'-' if count < 0 else ''}{hundredths // 100:,}.{hundredths % 100:02d} acc-h"


def counted(number: int, thing: str) -> str:
    """A number of things: "1 file", "2,000 files"."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def plain(text: Any) -> str:
    """One printable line: what others typed cannot move the cursor of who reads it."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in
                   str(text))  # fmt: skip


def pairs(words: Iterable[str], what: str) -> dict[str, str]:
    """`NAME=value` words as a mapping.

    Raises:
        Invalid: `bad_environment`.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise Invalid("bad_environment", f"{word!r} is not {what}", "write it as NAME=value")
        found[name] = value
    return found
