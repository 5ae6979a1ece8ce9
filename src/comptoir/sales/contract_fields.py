"""The values of a contract file, judged one by one, beside those of every file."""

import re
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from comptoir.fleet.kinds import check_kind
from comptoir.sales.credit_blocks import PPM
from comptoir.units.errors import Invalid
from comptoir.units.fields import string
from comptoir.units.money import parse_amount
from comptoir.units.reading import Judge, bad_value
from comptoir.units.recurrence import check_zone
from comptoir.units.text import check_count, check_text

W = TypeVar("W", bound=StrEnum)
MOST_NAMES = 100
_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_SHARE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")


def number(field: str, value: Any) -> str:
    """A contract's number: what it is called on paper."""
    found = string(value)
    if not _NUMBER.fullmatch(found):
        raise Invalid(
            "bad_contract_number",
            f"{field} {found[:40]!r} is not 1 to 40 letters, digits and . _ -",
            'write it like "ACME-2027"',
            {"field": field},
        )
    return found


def name(field: str, value: Any) -> str:
    """The name of a part of a contract, by which acts and later versions find it."""
    return check_text(field, string(value), 1, 40)


def kind(_: str, value: Any) -> str:
    """An accelerator kind of the catalogue."""
    return check_kind(string(value))


def zone(_: str, value: Any) -> str:
    """The zone in which the file's dates begin."""
    return check_zone(string(value))


def word(values: type[W]) -> Judge:
    """One word of an enumeration."""

    def judge(_: str, value: Any) -> W:
        if value not in tuple(values):
            raise bad_value(value, " or ".join(f'"{one}"' for one in values))
        return values(value)

    return judge


def many(judge: Judge) -> Judge:
    """A list of values, each judged."""

    def judge_all(field: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise bad_value(value, "a list in brackets")
        check_count(field, len(value), 0, MOST_NAMES)
        return tuple(judge(field, one) for one in value)

    return judge_all


def share(most: int = 1) -> Judge:
    """Millionths of a share such as 0.25, up to `most` wholes."""

    def judge(field: str, value: Any) -> int:
        written = "" if isinstance(value, bool) else str(value)
        if not _SHARE.fullmatch(written) or Decimal(written) > most:
            raise bad_value(value, f"a share between 0 and {most}, with at most 6 decimals")
        return int(Decimal(written) * PPM)

    return judge


def amount(currency: str) -> Judge:
    """Micros of an amount of money, of a number's own digits or of text."""

    def judge(field: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise bad_value(value, "an amount of money")
        written = str(value).replace("_", "") if isinstance(value, int) else value
        return parse_amount(written, currency, field)

    return judge
