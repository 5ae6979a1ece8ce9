"""Instants and windows.

An instant is an integer number of milliseconds since 1970-01-01T00:00Z. A window
is half-open, [start, end); an end of None means open-ended. Zones exist at the doors,
where people read times, and where months begin.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

from comptoir.units.errors import Invalid
from comptoir.units.values import quick

MS_PER_S = 1_000
MS_PER_HOUR = 3_600_000
LATEST_MS = 253_086_767_999_000  # the last second of year 9989: what is added to it can be written


def check_instant(field: str, instant_ms: int) -> int:
    """`instant_ms` itself if it lies between 1970 and the year 9989.

    Raises:
        Invalid: `bad_instant`.
    """
    if not 0 <= instant_ms <= LATEST_MS:
        raise Invalid(
            "bad_instant",
            f"{field} must lie between 1970 and the year 9989",
            "give another instant",
            {"field": field},
        )
    return instant_ms


@quick
@dataclass(frozen=True, slots=True)
class Window:
    """A half-open interval of time in milliseconds UTC; `end_ms` None is open-ended."""

    start_ms: int
    end_ms: int | None = None

    def __post_init__(self) -> None:
        if self.end_ms is not None and self.end_ms <= self.start_ms:
            raise Invalid(
                "end_before_start",
                f"the window ends at {format_instant(self.end_ms)}, not after its start "
                f"{format_instant(self.start_ms)}",
                "give an end later than the start",
            )

    def overlaps(self, other: "Window") -> bool:
        """Whether the two windows share an instant."""
        before = self.end_ms is not None and self.end_ms <= other.start_ms
        after = other.end_ms is not None and other.end_ms <= self.start_ms
        return not (before or after)

    def contains(self, instant_ms: int) -> bool:
        """Whether `instant_ms` lies in the window."""
        return self.start_ms <= instant_ms and (self.end_ms is None or instant_ms < self.end_ms)


def format_instant(instant_ms: int) -> str:
    """RFC 3339 in UTC, with milliseconds: `2026-11-22T05:56:42.000Z`."""
    at = datetime.fromtimestamp(instant_ms // MS_PER_S, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{instant_ms % MS_PER_S:03d}Z"


def parse_instant(text: str) -> int:
    """Milliseconds UTC from RFC 3339 text; a zone is required.

    Raises:
        Invalid: `bad_instant`, for anything else.
    """
    try:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):  # a zone can push the first and last days out of range
        at = None
    if at is None or at.tzinfo is None:
        raise Invalid(
            "bad_instant",
            f"{text!r} is not an instant with a zone",
            "write it as 2026-11-28T06:00:00Z or 2026-11-28T07:00:00+01:00",
        )
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * MS_PER_S + delta.microseconds // 1_000


def month_start_ms(instant_ms: int, zone: str = "UTC") -> int:
    """The first instant of the month that holds `instant_ms` in a zone."""
    at = datetime.fromtimestamp(instant_ms // MS_PER_S, _zone(zone))
    return _month_ms(at.year, at.month, zone)


def next_month_ms(instant_ms: int, zone: str = "UTC") -> int:
    """The first instant of the month after the one that holds `instant_ms` in a zone."""
    at = datetime.fromtimestamp(instant_ms // MS_PER_S, _zone(zone))
    year, month = (at.year + 1, 1) if at.month == 12 else (at.year, at.month + 1)
    return _month_ms(year, month, zone)


def day_start_ms(utc_day_ms: int, zone: str) -> int:
    """When a date begins in a zone, given its first instant in UTC."""
    day = datetime.fromtimestamp(utc_day_ms // MS_PER_S, UTC)
    return int(datetime(day.year, day.month, day.day, tzinfo=_zone(zone)).timestamp()) * MS_PER_S


def _month_ms(year: int, month: int, zone: str) -> int:
    """When a month begins: where its midnight comes twice, the first; where never, right after."""
    return int(datetime(year, month, 1, tzinfo=_zone(zone)).timestamp()) * MS_PER_S


def _zone(zone: str) -> tzinfo:
    return UTC if zone == "UTC" else ZoneInfo(zone)


def parse_day(text: str) -> int:
    """The first instant (UTC) of a date such as "2026-01-31", in milliseconds.

    Raises:
        Invalid: `bad_date`.
    """
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    if day is None or day.year < 1970:
        raise Invalid("bad_date", f"{text[:40]!r} is not a date", "write it as 2026-01-31")
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * MS_PER_S


def format_day(instant_ms: int, zone: str = "UTC") -> str:
    """The date of an instant in a zone."""
    return f"{datetime.fromtimestamp(instant_ms // MS_PER_S, _zone(zone)):%Y-%m-%d}"


def next_year_ms(instant_ms: int) -> int:
    """The first instant (UTC) of the year after the one that holds an instant."""
    return _month_ms(calendar_year(instant_ms) + 1, 1, "UTC")


def calendar_year(instant_ms: int) -> int:
    """The calendar year (UTC) that holds an instant."""
    return datetime.fromtimestamp(instant_ms // MS_PER_S, tz=UTC).year
