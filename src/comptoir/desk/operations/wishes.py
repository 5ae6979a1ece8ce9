"""What a request asks for, in words: its window or its flexible start, and its alternatives."""

from dataclasses import dataclass

from comptoir.desk.requests import RequestLease
from comptoir.fleet.kinds import check_kind
from comptoir.leases.lease import Alternative, Shape
from comptoir.units.errors import Invalid
from comptoir.units.text import check_count
from comptoir.units.time import LATEST_MS, MS_PER_S, Window, check_instant, format_instant
from comptoir.units.values import quick

MOST_ACCELERATORS = 10_000_000
MOST_DURATION_S = 5 * 366 * 86_400
MOST_ALTERNATIVES = 8
_NARROWEST_FIRST = (Shape.NODE, Shape.RACK, Shape.POD, Shape.CLUSTER, Shape.SITE)


@quick
@dataclass(frozen=True, slots=True)
class Wish:
    """When: a window, and how late and for how long if its start is flexible."""

    window: Window
    latest_start_ms: int | None
    duration_s: int | None


def wished_window(request: RequestLease, now_ms: int) -> Wish:
    """The window of a request; of a flexible one, the widest.

    Raises:
        Invalid: `bad_instant`, `start_in_the_past`, `end_before_start`, `end_and_duration`,
            `duration_missing`, `latest_start_before_start` or `out_of_range`.
    """
    for field, instant_ms in (
        ("starts_at", request.starts_at_ms),
        ("ends_at", request.ends_at_ms),
        ("latest_start", request.latest_start_ms),
    ):
        if instant_ms is not None:
            check_instant(field, instant_ms)
    starts_ms = now_ms if request.starts_at_ms is None else request.starts_at_ms
    if starts_ms < now_ms:
        raise Invalid(
            "start_in_the_past",
            f"{format_instant(starts_ms)} has passed",
            "give a later instant, or none for now",
        )
    latest_ms, duration_s = request.latest_start_ms, request.duration_s
    _check_together(request, starts_ms)
    ends_ms = request.ends_at_ms
    if duration_s is not None:
        check_count("duration_s", duration_s, 1, MOST_DURATION_S)
        ends_ms = (starts_ms if latest_ms is None else latest_ms) + duration_s * MS_PER_S
    window = Window(starts_ms, ends_ms)
    if max(window.start_ms, window.end_ms or 0) > LATEST_MS:
        raise Invalid("bad_instant", "the window lies beyond the year 9989", "give an earlier one")
    return Wish(window, latest_ms, None if latest_ms is None else duration_s)


def _check_together(request: RequestLease, starts_ms: int) -> None:
    """An end or a duration, not both; a flexible start needs a duration."""
    if request.duration_s is not None and request.ends_at_ms is not None:
        raise Invalid(
            "end_and_duration",
            "a window has an end or a duration, and this request gives both",
            "leave one of them out",
        )
    if request.latest_start_ms is None:
        return
    if request.duration_s is None:
        raise Invalid(
            "duration_missing",
            "a flexible start needs to know for how long",
            "give a duration instead of an end",
        )
    if request.latest_start_ms < starts_ms:
        raise Invalid(
            "latest_start_before_start",
            f"the latest start {format_instant(request.latest_start_ms)} lies before the "
            f"earliest, {format_instant(starts_ms)}",
            "give a later one",
        )


def wished_choices(request: RequestLease) -> tuple[Alternative, ...]:
    """In which ways a request may be met, best first; just one if it has no alternatives.

    Raises:
        Invalid: `unknown_kind`, `out_of_range`, `alternative_twice` or `preferred_not_narrower`.
    """
    check_count("alternatives", len(request.alternatives), 0, MOST_ALTERNATIVES)
    first = Alternative(request.kind, request.accelerators, request.shape)
    choices = (first, *request.alternatives)
    for choice in choices:
        check_kind(choice.kind)
        check_count("accelerators", choice.accelerators, 1, MOST_ACCELERATORS)
    if len(choices) > 1 and len(set(choices)) < len(choices):
        raise Invalid(
            "alternative_twice",
            "two of the alternatives are the same",
            "give each kind, count and shape once",
        )
    preferred = request.preferred_shape
    if preferred is not None and not any(is_narrower(preferred, c.shape) for c in choices):
        raise Invalid(
            "preferred_not_narrower",
            f"a preferred {preferred} is no narrower than the {request.shape} required",
            "prefer a narrower shape, or require a wider one",
        )
    return choices


def is_narrower(one: Shape | None, other: Shape) -> bool:
    """Whether a shape is narrower than another; no shape at all is not."""
    return one is not None and _NARROWEST_FIRST.index(one) < _NARROWEST_FIRST.index(other)
