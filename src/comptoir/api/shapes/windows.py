"""Capacity as clouds sell it: holds, series, what is given back; settings of the book."""

from typing import Annotated

from pydantic import Field

from comptoir.api.shapes.common import (
    Answer,
    Body,
    Flag,
    InstantIn,
    LongIn,
    Named,
    Positive,
    RecurrenceIn,
)
from comptoir.api.shapes.leases import Lease, LeaseBody


class HoldBody(LeaseBody):
    """A window to keep for `hold_s` seconds. A soft hold gives way to any firm request."""

    hold_s: Positive = Field(examples=[7200])
    firm: Flag = False


class SeriesBody(LeaseBody):
    """A lease in every window of a recurrence that begins before `until`: all, or none."""

    every: RecurrenceIn
    until: InstantIn


class Series(Answer):
    """Leases of one series, in order of time."""

    series: str
    leases: list[Lease]


class ShrinkBody(Body):
    """How many accelerators to keep, or which nodes to give back: one of the two."""

    accelerators: Positive | None = None
    nodes: Annotated[list[Named], Field(max_length=20_000)] = Field(default_factory=list)


class SettingBody(Body):
    """The value from now on."""

    value: LongIn


class Setting(Answer):
    """What holds for the whole book; the unit is the last word of its name."""

    name: str
    value: int
    default: int
    smallest: int
    largest: int
    means: str
