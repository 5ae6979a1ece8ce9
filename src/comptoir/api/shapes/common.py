"""Words that all shapes share: instants, ids, exact numbers, pages."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from comptoir.units.errors import Invalid
from comptoir.units.money import check_currency, parse_price
from comptoir.units.recurrence import parse_recurrence
from comptoir.units.time import parse_instant

T = TypeVar("T")
MOST_INT = 2**31 - 1
MOST_LONG = 2**63 - 1
_LONG = re.compile(r"[0-9]{1,19}")


class Body(BaseModel):
    """What a caller sends: nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Answer(BaseModel):
    """What the server says."""

    model_config = ConfigDict(frozen=True)


def judged(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Let a parser judge a field, under its own code."""

    def judge(text: str) -> Any:
        try:
            return parse(text)
        except Invalid as error:
            facts = {"message": error.message, "next": error.next}
            raise PydanticCustomError(error.code, "{message}", facts) from None

    return judge


def _long(text: str) -> int:
    if not _LONG.fullmatch(text) or int(text) > MOST_LONG:
        raise Invalid(
            "bad_integer",
            f"{text[:40]!r} is not a whole number from 0 to {MOST_LONG:,}",
            'write it as a string of digits, for example "3600000"',
        )
    return int(text)


_EXAMPLE_INSTANT = "2026-11-28T06:00:00Z"
InstantIn = Annotated[
    str,
    StringConstraints(max_length=64),
    AfterValidator(judged(parse_instant)),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [_EXAMPLE_INSTANT]}),
]
"""An instant with a zone in a body; milliseconds after validation."""
PriceIn = Annotated[
    str,
    StringConstraints(max_length=32),
    AfterValidator(judged(parse_price)),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,9})?$", "examples": ["2.41"]}
    ),
]
"""A price per accelerator-hour as a decimal string; nanos after validation."""
LongIn = Annotated[
    str,
    StringConstraints(max_length=32),
    AfterValidator(judged(_long)),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,19}$", "examples": ["3600000"]}),
]
"""A 64-bit quantity as a decimal string."""
RecurrenceIn = Annotated[
    str,
    StringConstraints(max_length=200),
    AfterValidator(judged(parse_recurrence)),
    WithJsonSchema(
        {"type": "string", "maxLength": 200, "examples": ["weekdays 20:00 to 08:00 Europe/Paris"]}
    ),
]
"""A recurring window in words; a `Recurrence` after validation."""
CurrencyIn = Annotated[str, StringConstraints(max_length=8), AfterValidator(judged(check_currency))]
Named = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern="^[A-Za-z0-9._-]+$")]
"""An id, or a slug where the words say so."""
Line = Annotated[str, StringConstraints(max_length=200)]
Residency = Annotated[str, StringConstraints(max_length=16), Field(examples=["FR"])]
"""A country, a part of one, or a region; empty is anywhere, or not stated."""
Count = Annotated[StrictInt, Field(ge=0, le=MOST_INT)]
Positive = Annotated[StrictInt, Field(ge=1, le=MOST_INT)]
Flag = StrictBool

Instant = Annotated[
    str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-28T06:00:00.000Z"])
]
"""RFC 3339 in UTC, with milliseconds."""
Long = Annotated[str, Field(pattern="^-?[0-9]+$", examples=["3600000"])]
"""A whole number of 64 bits or more, as a string."""
Decimal = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["2.41"])]
"""Exact money or an exact price, as a decimal string."""
Currency = Annotated[str, Field(examples=["USD"])]


class ListOf(Answer, Generic[T]):
    """A page: `next_cursor` asks for the next one; null at the end."""

    items: list[T]
    next_cursor: str | None


class Problem(Answer):
    """RFC 9457 problem details. `code` is stable and documented in docs/errors.md."""

    type: str = Field(examples=["/problems/quota_exceeded"])
    title: str
    status: int
    detail: str = Field(description="What happened, with the numbers.")
    code: str
    next: str = Field(description="What to do about it; may be empty.")
    facts: dict[str, Any] = Field(description="The numbers again, for machines.")
