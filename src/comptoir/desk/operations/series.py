"""Recurring requests: one bounded lease for every window, all promised or none.

Each occurrence is a lease like any other; they share a `series`. None takes what is kept for who
waits ahead of it (`ahead.py`). What the zone's clock does on
the nights on which it changes is the recurrence's own business (`units/recurrence.py`).
"""

from collections.abc import Sequence
from contextlib import ExitStack

from comptoir.desk.credit import take_hold
from comptoir.desk.operations.ahead import Ahead, behind_those_ahead, waits_first
from comptoir.desk.operations.effort import weight_of
from comptoir.desk.operations.placing import place
from comptoir.desk.operations.request_lease import judge_request
from comptoir.desk.operations.taking_back import drop_promise
from comptoir.desk.requests import RequestLease, RequestSeries, SeriesMade, SeriesRef
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import NOT_STARTED, Lease, LeaseState, Reason
from comptoir.tenants.permissions import not_found, require_tenant
from comptoir.units.errors import Invalid, Refused
from comptoir.units.ids import SeriesId
from comptoir.units.recurrence import format_recurrence
from comptoir.units.time import Window, check_instant, format_instant
from comptoir.units.values import replace

MOST_OCCURRENCES = 260
MOST_WORK = 2_340
"""What all windows together may cost: `_WORK_OF_A_PLAN` a plan, and one for each part of it."""
_WORK_OF_A_PLAN = 8


def request_series(tx: Transaction, request: RequestSeries) -> SeriesMade:
    """Promise every window of a recurrence, from the request's start up to an instant.

    Windows that have begun by then are left out; one that begins before `until_ms` is whole.

    Raises:
        Invalid: as `request_lease`, `series_with_window`, `series_empty` or
            `series_too_long`.
        Refused: as `request_lease`, or `series_not_free`: naming the first window that has
            no place.
    """
    windows = _windows(tx, request)
    series = SeriesId(tx.new_id("se"))
    made: list[Lease] = []
    with ExitStack() as stack:
        ahead, work = Ahead(), 0
        for window in windows:
            each = replace(request.each, starts_at_ms=window.start_ms, ends_at_ms=window.end_ms)
            lease = replace(judge_request(tx, each), series=series)
            if not made:
                ahead = stack.enter_context(behind_those_ahead(tx, lease))
            take_hold(tx, lease)
            tx.book.leases.put(lease)
            tx.emit_lease("lease.requested", lease, shape=lease.shape, series=series)
            promised = place(tx, lease)
            if promised is None:
                raise _not_free(request.each, window, len(made), len(windows), ahead)
            made.append(promised)
            work += _WORK_OF_A_PLAN * weight_of(tx, promised.kind)
            work += len(tx.book.allocations_of(promised.id))
            _refuse_too_much(request, work, windows, len(made))
    return SeriesMade(series, tuple(made))


def cancel_series(tx: Transaction, request: SeriesRef) -> SeriesMade:
    """Withdraw every occurrence that has not started; those that run go on.

    Raises:
        NotFound: no such series, or it is another tenant's.
    """
    live = tx.book.leases_by_series.get(request.series)
    if not live:
        raise not_found(f"live series {request.series}")
    require_tenant(tx.actor, live[0].tenant_id, f"live series {request.series}")
    cancelled = [
        drop_promise(tx, lease, LeaseState.CANCELLED, Reason.ENDED_BY_HOLDER)
        for lease in sorted(live, key=lambda lease: (lease.starts_at_ms, lease.id))
        if lease.state in NOT_STARTED
    ]
    return SeriesMade(request.series, tuple(cancelled))


def _windows(tx: Transaction, request: RequestSeries) -> list[Window]:
    each, every = request.each, request.every
    given = (each.ends_at_ms, each.duration_s, each.latest_start_ms)
    if any(value is not None for value in given):
        raise Invalid(
            "series_with_window",
            "the windows of a series come from its recurrence",
            "leave out the end, the duration and the latest start",
        )
    check_instant("until", request.until_ms)
    first_ms = max(tx.now_ms, each.starts_at_ms or tx.now_ms)
    windows: list[Window] = []
    for window in every.occurrences(first_ms, request.until_ms):
        if window.start_ms < first_ms:
            continue
        windows.append(window)
        if len(windows) > MOST_OCCURRENCES:
            raise _too_long(request, MOST_OCCURRENCES, window)
    if not windows:
        raise Invalid(
            "series_empty",
            f"{format_recurrence(every)} does not begin between {format_instant(first_ms)} and "
            f"{format_instant(request.until_ms)}",
            "give a later end, or other days",
        )
    return windows


def _refuse_too_much(
    request: RequestSeries, work: int, windows: Sequence[Window], made: int
) -> None:
    """A series is promised in one step, so its windows together may not be too much work.

    Judged from the first one on: by what those so far have cost, the whole would cost.
    """
    if work * len(windows) <= MOST_WORK * made:
        return
    most = max(MOST_WORK * made // work, 1)
    raise _too_long(request, most, windows[min(most, len(windows) - 1)])


def _too_long(request: RequestSeries, most: int, first_beyond: Window) -> Invalid:
    begins = format_instant(first_beyond.start_ms)
    return Invalid(
        "series_too_long",
        f"{format_recurrence(request.every)} occurs more than {most} times until "
        f"{format_instant(request.until_ms)}, and of {request.each.accelerators:,} x "
        f"{request.each.kind} {most} windows are the most of one series",
        f"end it at {begins}, and ask for another one from then on",
        {"most": most, "until": begins},
    )


def _not_free(each: RequestLease, window: Window, fit: int, of: int, ahead: Ahead) -> Refused:
    end = "" if window.end_ms is None else f" to {format_instant(window.end_ms)}"
    return Refused(
        "series_not_free",
        f"{each.accelerators:,} x {each.kind} are not to be had from "
        f"{format_instant(window.start_ms)}{end}; {fit} of {of} windows before it are free"
        f"{waits_first(ahead)}",
        "ask for fewer, for another time of day, or up to an earlier instant",
        {
            "starts_at": format_instant(window.start_ms),
            "free_before": fit,
            "windows": of,
            "ahead": ahead.count,
        },
    )
