"""Periods: the months of a legal entity, in its own zone, and their close.

    open -> closing -> closed

A period that nobody has begun to close is open and has no row: months follow each other without
a gap from the one in which the entity was made. While a period is closing its tenants are
closed one after the other, each with a cut: what arrives for time before a tenant's cut is
billed in its next period as a correction. Invariants: states move along the edges; periods of
an entity close in order; nothing counts inside a closed one that was booked after its close.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from comptoir.units.errors import Conflict, Invalid, Refused, invariant
from comptoir.units.ids import LegalEntityId, PeriodId, UserId
from comptoir.units.time import (
    MS_PER_S,
    format_instant,
    month_start_ms,
    next_month_ms,
)

_NAME = re.compile(r"(19[7-9][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])")


class PeriodState(StrEnum):
    """How far a period is."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Period:
    """A month of an entity, [`starts_at_ms`, `ends_at_ms`), that is closing or closed.

    `slices`, `tenants`, `drafts` and `accruals` count what its close has done.
    """

    id: PeriodId
    entity_id: LegalEntityId
    name: str
    starts_at_ms: int
    ends_at_ms: int
    state: PeriodState
    closing_since_ms: int
    closed_by: UserId
    closed_at_ms: int | None = None
    slices: int = 0
    tenants: int = 0
    drafts: int = 0
    accruals: int = 0

    @property
    def closed(self) -> bool:
        """Whether it is closed for good."""
        return self.state is PeriodState.CLOSED


@dataclass(frozen=True, slots=True)
class Month:
    """One month of a zone."""

    name: str
    starts_at_ms: int
    ends_at_ms: int


def month_at(instant_ms: int, zone: str) -> Month:
    """The month of a zone that holds an instant."""
    start = month_start_ms(instant_ms, zone)
    return Month(month_name(start, zone), start, next_month_ms(instant_ms, zone))


def month_name(starts_at_ms: int, zone: str) -> str:
    """How a month is called: "2026-10"."""
    at = datetime.fromtimestamp(starts_at_ms // MS_PER_S, UTC).astimezone(ZoneInfo(zone))
    return f"{at:%Y-%m}"


def month_named(name: str, zone: str) -> Month:
    """The month of a zone that is called so.

    Raises:
        Invalid: `bad_period`.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise Invalid(
            "bad_period",
            f"period: {name[:40]!r} is not a month",
            'write it like "2026-10"',
            {"field": "period"},
        )
    middle = datetime(int(found[1]), int(found[2]), 15, tzinfo=ZoneInfo(zone))
    return month_at(int(middle.timestamp()) * MS_PER_S, zone)


def year_at(instant_ms: int, zone: str) -> int:
    """The year that a zone's calendar shows at an instant."""
    return datetime.fromtimestamp(instant_ms // MS_PER_S, UTC).astimezone(ZoneInfo(zone)).year


def next_to_close(known: Iterable[Period], made_at_ms: int, zone: str) -> Month:
    """The first month of an entity whose close has not begun: they follow without a gap."""
    last = max((period.ends_at_ms for period in known), default=None)
    return month_at(made_at_ms if last is None else last, zone)


def begin_close(
    id: PeriodId,
    entity_id: LegalEntityId,
    month: Month,
    due: Month,
    known: Iterable[Period],
    now: tuple[int, UserId],
) -> Period:
    """Begin to close a month.

    Args:
        id: The new period's.
        entity_id: Whose month it is.
        month: The one that was asked for, of which no close has begun.
        due: The one that is next.
        known: The entity's periods so far.
        now: The instant, and who asks.

    Raises:
        Refused: `period_not_over`, `earlier_period_open`.
        Invalid: `unknown_period`: the entity was made after it.
    """
    now_ms, by = now
    if month.starts_at_ms < due.starts_at_ms:
        raise Invalid(
            "unknown_period",
            f"period: {month.name} lies before {due.name}, the first month of this entity",
            f"close {due.name}",
            {"field": "period", "first": due.name},
        )
    if month.ends_at_ms > now_ms:
        raise Refused(
            "period_not_over",
            f"{month.name} ends at {format_instant(month.ends_at_ms)}; "
            f"it is {format_instant(now_ms)}",
            "close it when it is over",
            {"field": "period", "ends_at": format_instant(month.ends_at_ms)},
        )
    still_open = [period.name for period in known if not period.closed]
    if month.starts_at_ms > due.starts_at_ms:
        still_open.append(due.name)
    if still_open:
        raise Refused(
            "earlier_period_open",
            f"{still_open[0]} is not closed yet, and comes before {month.name}",
            f"close {still_open[0]} first, or wait for its end",
            {"field": "period", "first_open": still_open[0]},
        )
    return Period(
        id, entity_id, month.name, month.starts_at_ms, month.ends_at_ms, PeriodState.CLOSING,
        now_ms, by,
    )  # fmt: skip


def asked_again(period: Period) -> Period:
    """The period itself, if its close goes on: two who ask for it get the same.

    Raises:
        Conflict: `period_closed`.
    """
    if period.closed_at_ms is not None:
        raise Conflict(
            "period_closed",
            f"{period.name} was closed at {format_instant(period.closed_at_ms)}, with "
            f"{period.drafts:,} drafts of {period.tenants:,} tenants",
            "what came later is billed in the next period, as a correction",
            {"field": "period", "closed_at": format_instant(period.closed_at_ms)},
        )
    return period


def went_on(period: Period, tenants: int, drafts: int, accruals: int) -> Period:
    """The period after one more slice of its close."""
    invariant(period.state is PeriodState.CLOSING, f"{period.id} is {period.state}")
    return replace(
        period,
        slices=period.slices + 1,
        tenants=period.tenants + tenants,
        drafts=period.drafts + drafts,
        accruals=period.accruals + accruals,
    )


def closed(period: Period, now_ms: int) -> Period:
    """The period closed for good."""
    invariant(period.state is PeriodState.CLOSING, f"{period.id} is {period.state}")
    return replace(period, state=PeriodState.CLOSED, closed_at_ms=now_ms)
