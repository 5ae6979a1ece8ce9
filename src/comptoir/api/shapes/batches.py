"""Batches: many items in one body, each with its own key and its own answer.

An item is what its single form takes, and a key. One that breaks the rules of its form is kept as
its own no, so that the others are done: the words are those of the single form.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, Field, ValidationError, WithJsonSchema, WrapValidator

from comptoir.api.guard import IDEMPOTENCY_KEY, bad_idempotency_key
from comptoir.api.problems import invalid_request
from comptoir.api.shapes.common import Answer, Body, Named, Problem, judged
from comptoir.api.shapes.leases import Lease, LeaseBody
from comptoir.api.shapes.money import UsageEventsBody, UsageRecorded
from comptoir.units.errors import ComptoirError

T = TypeVar("T")
MOST_ITEMS = 256
"""As many calls as the desk commits at once."""


def _key(text: str) -> str:
    if not IDEMPOTENCY_KEY.fullmatch(text):
        raise bad_idempotency_key()
    return text


KeyIn = Annotated[
    str,
    AfterValidator(judged(_key)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}),
]


class LeaseItem(LeaseBody):
    """A request for accelerators, with a key of its own."""

    idempotency_key: KeyIn | None = None


class EndItem(Body):
    """A lease to end early, with a key of its own."""

    lease_id: Named
    idempotency_key: KeyIn | None = None


class UsageItem(UsageEventsBody):
    """Usage events recorded whole or not at all, with a key of their own."""

    idempotency_key: KeyIn | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """An item that its form refuses, and the words of it."""

    no: ComptoirError


def _or_broken(value: Any, judge: Callable[[Any], Any]) -> Any:
    try:
        return judge(value)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        return Broken(invalid_request([{**e, "loc": ("body", *e["loc"])} for e in errors]))


class LeaseBatch(Body):
    """Requests, each answered by itself."""

    items: Annotated[
        list[Annotated[LeaseItem, WrapValidator(_or_broken)]],
        Field(min_length=1, max_length=MOST_ITEMS),
    ]


class EndBatch(Body):
    """Leases to end, each answered by itself."""

    items: Annotated[
        list[Annotated[EndItem, WrapValidator(_or_broken)]],
        Field(min_length=1, max_length=MOST_ITEMS),
    ]


class UsageBatch(Body):
    """Reports of usage, each answered by itself."""

    items: Annotated[
        list[Annotated[UsageItem, WrapValidator(_or_broken)]],
        Field(min_length=1, max_length=MOST_ITEMS),
    ]


class ItemAnswer(Answer, Generic[T]):
    """What its single form would have said: a `result`, or a `problem`, under its status.

    `replayed`: its key was used before, and this is the answer that it got then.
    """

    status: int
    replayed: bool
    result: T | None
    problem: Problem | None


class Answers(Answer, Generic[T]):
    """One answer an item, in the order of the items."""

    items: list[ItemAnswer[T]]


LeaseAnswers = Answers[Lease]
UsageAnswers = Answers[UsageRecorded]
