"""Recurring windows: certain days of the week, from one time of day to another, in a zone.

A time of day on a date means the first instant at which that zone's clock reads it or
later. So a time that a clock skips in spring is the instant of the change, one that it
shows twice in autumn is the first of the two, and two windows that meet on the clock meet
in time: no gap, no overlap, whatever the zone does. A window whose whole length is
skipped does not occur that day. (RFC 5545 shifts skipped times instead, which puts 02:30
after 03:15 on that night.)

The zone's own rules are the tz database's, as `zoneinfo` finds it. Neighbours: conditions
of supply (`fleet`) and recurring requests read these.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from comptoir.units.errors import Invalid
from comptoir.units.time import MS_PER_S, Window

DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_PER_DAY = 1_440
DAY_MS = 86_400_000
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
_GROUPS = {"daily": EVERY_DAY, "weekdays": (0, 1, 2, 3, 4), "weekends": (5, 6)}
_MINUTE = timedelta(minutes=1)
_LAST_DAY = date.max.toordinal() - 3  # a zone may put a day's end two days on in UTC
_DAYS_TO_THE_NEXT = 400
_TEXT = re.compile(
    r"(?P<days>\S+)\s+(?P<start>\d\d:\d\d)\s*(?:to|-|\u2013)\s*(?P<end>\d\d:\d\d)\s+(?P<zone>\S+)"
)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
_NOT_A_PLACE = re.compile("localtime|posixrules|Factory|(posix|right)/.*")


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Windows that come again every week.

    Args:
        days: Weekdays on which a window starts, 0 is Monday; ascending.
        start_minute: Minutes after midnight at which it starts, below 1,440.
        end_minute: Where it ends, 1 to 1,440; at or before the start it is the next day's.
        zone: A name of the tz database, such as "Europe/Paris".
    """

    days: tuple[int, ...]
    start_minute: int
    end_minute: int
    zone: str

    def occurrences(self, from_ms: int, until_ms: int) -> Iterator[Window]:
        """Every window that shares an instant with [from_ms, until_ms), in order."""
        day = _local_date(from_ms, self.zone) - 1  # yesterday's may reach over midnight
        while day <= _LAST_DAY:
            window = self._on(day)
            day += 1
            if window is None:
                continue
            start, end = window
            if start >= until_ms:
                return
            if end > from_ms:
                yield Window(start, end)

    def skipped(self, from_ms: int, until_ms: int) -> list[str]:
        """The dates between two instants on which its window does not occur: a clock skips it."""
        first, last = _local_date(from_ms, self.zone), _local_date(until_ms, self.zone)
        days = (day for day in range(first, min(last, _LAST_DAY)) if (day + 6) % 7 in self.days)
        return [date.fromordinal(day).isoformat() for day in days if self._on(day) is None]

    def holding(self, instant_ms: int) -> Window | None:
        """The window that holds an instant, if one does."""
        return next(self.occurrences(instant_ms, instant_ms + 1), None)

    def next_from(self, instant_ms: int) -> Window | None:
        """The first window that starts at an instant or later; None at the calendar's end."""
        horizon_ms = instant_ms + _DAYS_TO_THE_NEXT * DAY_MS
        found = self.occurrences(instant_ms, horizon_ms)
        return next((window for window in found if window.start_ms >= instant_ms), None)

    def _on(self, day: int) -> tuple[int, int] | None:
        """Start and end of the window that starts on a day (a proleptic ordinal)."""
        if (day + 6) % 7 not in self.days:
            return None
        end_day = day if self.end_minute > self.start_minute else day + 1
        start = _instant_ms(day, self.start_minute, self.zone)
        end = _instant_ms(end_day, self.end_minute, self.zone)
        return (start, end) if start < end else None


@lru_cache(maxsize=4_096)
def open_until(windows: tuple[Recurrence, ...], at_ms: int, horizon_ms: int) -> int | None:
    """Until when it stays open without a break; None if it is closed at `at_ms`.

    Args:
        windows: Open while any of them holds; windows that meet are one stretch.
        at_ms: The instant asked about.
        horizon_ms: Where to stop looking: a stretch that reaches it is given up to there.
    """
    end_ms = at_ms
    while end_ms < horizon_ms:
        held = [w.end_ms for r in windows if (w := r.holding(end_ms)) and w.end_ms is not None]
        if not held:
            return None if end_ms == at_ms else end_ms
        end_ms = max(held)
    return horizon_ms


def next_opening(windows: tuple[Recurrence, ...], at_ms: int) -> Window | None:
    """The window that starts soonest at `at_ms` or later."""
    coming = [window for r in windows if (window := r.next_from(at_ms)) is not None]
    return min(coming, key=lambda window: (window.start_ms, -(window.end_ms or 0)), default=None)


def parse_recurrence(text: str) -> Recurrence:
    """Read `weekdays 20:00 to 08:00 Europe/Paris`.

    The days are `daily`, `weekdays`, `weekends`, names (`mon,wed`), or a range (`fri-mon`).

    Raises:
        Invalid: `bad_recurrence` or `unknown_zone`.
    """
    found = _TEXT.fullmatch(text.strip()) if len(text) <= 200 else None
    if found is None:
        raise _bad(text, "it must be days, a time, `to`, a time, and a zone")
    start = _minute(text, found["start"])
    end = _minute(text, found["end"]) or MINUTES_PER_DAY  # a day ends at 24:00, or 00:00
    if start == MINUTES_PER_DAY:
        raise _bad(text, "no window starts at 24:00: name the next day and 00:00")
    return Recurrence(_days(text, found["days"].lower()), start, end, check_zone(found["zone"]))


def format_recurrence(recurrence: Recurrence) -> str:
    """As `parse_recurrence` reads it."""
    days = next((word for word, days in _GROUPS.items() if days == recurrence.days), None)
    named = days or ",".join(DAY_NAMES[day] for day in recurrence.days)
    start, end = recurrence.start_minute, recurrence.end_minute
    return (
        f"{named} {start // 60:02d}:{start % 60:02d} to {end // 60:02d}:{end % 60:02d} "
        f"{recurrence.zone}"
    )


def check_zone(name: str) -> str:
    """`name` itself if the tz database has it.

    Raises:
        Invalid: `unknown_zone`.
    """
    try:
        if not _ZONE.fullmatch(name) or _NOT_A_PLACE.fullmatch(name):
            raise ValueError(name)
        _zone(name)
    except (KeyError, ValueError, OSError):
        raise Invalid(
            "unknown_zone",
            f"{name[:60]!r} is not a zone of the tz database",
            "name one like Europe/Paris, America/New_York or UTC",
        ) from None
    return name


def _bad(text: str, why: str) -> Invalid:
    return Invalid(
        "bad_recurrence",
        f"{text[:80]!r} is not a recurring window: {why}",
        'write it like "weekdays 20:00 to 08:00 Europe/Paris" or "sat,sun 00:00 to 24:00 UTC"',
    )


def _minute(text: str, clock: str) -> int:
    hours, minutes = int(clock[:2]), int(clock[3:])
    if minutes > 59 or hours * 60 + minutes > MINUTES_PER_DAY:
        raise _bad(text, f"{clock} is not a time of day")
    return hours * 60 + minutes


def _days(text: str, words: str) -> tuple[int, ...]:
    if words in _GROUPS:
        return _GROUPS[words]
    days: set[int] = set()
    for word in words.split(","):
        first, dash, last = word.partition("-")
        for name in (first, last if dash else first):
            if name not in DAY_NAMES:
                raise _bad(
                    text, f"{name!r} is not a day: use daily, weekdays, weekends, or mon to sun"
                )
        start, end = DAY_NAMES.index(first), DAY_NAMES.index(last if dash else first)
        days.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return tuple(sorted(days))


def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)  # it keeps its own cache


def local_day_ms(instant_ms: int, zone: str) -> int:
    """The date that the zone's clock shows at an instant, as that date's first instant in UTC."""
    return (_local_date(instant_ms, zone) - date(1970, 1, 1).toordinal()) * DAY_MS


def _local_date(instant_ms: int, zone: str) -> int:
    """The date that the zone's clock shows at an instant, as a proleptic ordinal."""
    latest_ms = (_LAST_DAY - date(1970, 1, 1).toordinal()) * DAY_MS
    at = datetime.fromtimestamp(min(instant_ms, latest_ms) // MS_PER_S, _zone(zone))
    return at.toordinal()


@lru_cache(maxsize=4_096)
def _instant_ms(day: int, minute: int, zone: str) -> int:
    """The first instant at which the zone's clock reads this minute of this day, or later."""
    wall = datetime.combine(date.fromordinal(day), datetime.min.time()) + minute * _MINUTE
    here = wall.replace(tzinfo=_zone(zone))
    early, late = _utc_s(here), _utc_s(here.replace(fold=1))
    if early <= late:  # an ordinary time, or the first of two
        return early * MS_PER_S
    low, high = late, early  # a skipped time: the clock jumps over it after `low`
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, here.tzinfo).replace(tzinfo=None) >= wall:
            high = middle
        else:
            low = middle
    return high * MS_PER_S


def _utc_s(at: datetime) -> int:
    since = at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400 + since.seconds
