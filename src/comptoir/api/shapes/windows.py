"""Capacity as clouds sell it: holds, series, what is given back; settings of the book."""

from typing import Annotated

from pydantic import Field

from comptoir.api.shapes.common import (
    Answer,
    Body,
    Currency,
    Decimal,
    Flag,
    Instant,
    InstantIn,
    LongIn,
    Named,
    Positive,
    RecurrenceIn,
)
from comptoir.api.shapes.leases import Coming, Lease, LeaseBody
from comptoir.leases.lease import LeaseClass, Shape


class Offer(Answer):
    """One way to have it: place, class and price. `shape` is the place's own."""

    lease_class: LeaseClass
    kind: str
    accelerators: int
    shape: Shape
    starts_at: Instant
    ends_at: Instant
    where: str
    price_per_accelerator_hour: Decimal
    total: Decimal
    currency: Currency
    at_most: Flag = Field(description="Billed by what is measured: the total is the most.")
    spans: int = Field(description="Places of the preferred shape in which it lies.")
    reclaimable: Flag
    notice_s: int
    reclaims_30d: int = Field(description="How often this kind was taken back in 30 days.")
    takes_back: int = Field(description="Leases that would give way to it.")


class NotOffered(Answer):
    """A class or way that is not open, and its no."""

    lease_class: LeaseClass
    kind: str
    code: str
    message: str
    next: str


class NotSooner(Answer):
    """What is missing at the instant asked for; `lease_id` of what comes is null to tenants."""

    lease_class: LeaseClass
    kind: str
    needs: int
    best_place: str
    best_free: int
    coming: list[Coming]
    starts_at: Instant | None


class Offers(Answer):
    """The next feasible starts, the earliest first; nothing is promised by them."""

    offers: list[Offer]
    not_offered: list[NotOffered]
    sooner: list[NotSooner] = Field(description="Only with `explain`.")


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
