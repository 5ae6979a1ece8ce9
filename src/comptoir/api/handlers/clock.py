"""The clock of the book: where it stands, and of a book to try things on, moving it on."""

from typing import Any

from fastapi import Response

from comptoir.api.door import Ask, said
from comptoir.api.encoding import instant
from comptoir.api.shapes.clock import AdvanceBody
from comptoir.desk.test_clock import StandingClock, advance


async def get_clock(ask: Ask) -> Response:
    """What time it is in the book; `test` says whether it stands until it is moved on."""
    return _said(ask, ask.door.desk.clock.now_ms())


async def advance_clock(ask: Ask, body: AdvanceBody) -> Response:
    """Move a test clock on, for about a second: ask again until `now` is where it should be."""
    given: Any = body
    return _said(ask, await ask.work(advance, ask.door.queue, given.to))


def _said(ask: Ask, now_ms: int) -> Response:
    test = isinstance(ask.door.desk.clock, StandingClock)
    return said({"now": instant(now_ms), "test": test})
