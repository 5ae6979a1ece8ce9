"""What the API says of windows: offers, series, settings; as `records` does of the rest."""

from typing import TypedDict

from comptoir.client.records import Coming, Lease


class Offer(TypedDict):
    """One way to have capacity: when, where, in which class, at what price."""

    lease_class: str
    kind: str
    accelerators: int
    shape: str
    starts_at: str
    ends_at: str
    where: str
    price_per_accelerator_hour: str
    total: str
    currency: str
    at_most: bool
    spans: int
    reclaimable: bool
    notice_s: int
    reclaims_30d: int
    takes_back: int


class NotOffered(TypedDict):
    """A class or way that is not open, and its no."""

    lease_class: str
    kind: str
    code: str
    message: str
    next: str


class NotSooner(TypedDict):
    """What is missing at the instant asked for."""

    lease_class: str
    kind: str
    needs: int
    best_place: str
    best_free: int
    coming: list[Coming]
    starts_at: str | None


class Offers(TypedDict):
    """The next feasible starts, the earliest first."""

    offers: list[Offer]
    not_offered: list[NotOffered]
    sooner: list[NotSooner]


class Series(TypedDict):
    """Leases of one recurring request, in order of time."""

    series: str
    leases: list[Lease]


class Clock(TypedDict):
    """What time it is in the book; `test`: it stands until it is moved on."""

    now: str
    test: bool


class Setting(TypedDict):
    """What holds for the whole book; the unit is the last word of its name."""

    name: str
    value: int
    default: int
    smallest: int
    largest: int
    means: str
