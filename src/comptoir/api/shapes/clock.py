"""The clock of the book."""

from comptoir.api.shapes.common import Answer, Body, Flag, Instant, InstantIn


class AdvanceBody(Body):
    """Where a test clock is to stand."""

    to: InstantIn


class Clock(Answer):
    """What time it is in the book; `test`: it stands until it is moved on."""

    now: Instant
    test: Flag
