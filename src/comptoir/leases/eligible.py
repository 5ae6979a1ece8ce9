"""Who may stand on what: a request before the conditions of supply.

Decided before any accelerator is looked for. A request that meets the conditions of no
inbound lease of its kind is refused, and the refusal names the condition that is nearest to
being met. What is sold never passes the end of a selling window: a bounded lease must fit,
an open-ended spot lease is promised up to the window's end, any other open-ended lease is
not sold there. Internal teams are bound by the grant and the residency alone.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum

from comptoir.fleet.conditions import OPEN, Conditions, SoldTo, stays_in
from comptoir.leases.inbound import InboundLease, InboundState
from comptoir.leases.lease import LeaseClass, LeaseRequest
from comptoir.units.errors import Refused
from comptoir.units.recurrence import DAY_MS, format_recurrence, next_opening, open_until
from comptoir.units.time import MS_PER_S, Window, format_instant
from comptoir.units.values import replace

MOST_STRETCH_MS = 400 * DAY_MS
"""How far a selling window that never closes is followed."""
MOST_OPENINGS = 400


class Unmet(IntEnum):
    """The first condition that a request does not meet; the last of these is the nearest."""

    SOLD_TO = 1
    GRANT = 2
    RESIDENCY = 3
    SUPPLY_WINDOW = 4
    SELLING_WINDOW = 5


def eligible(
    supply: Iterable[InboundLease], request: LeaseRequest, latest_start_ms: int | None = None
) -> InboundLease | None:
    """The first inbound lease of the request's kind on which it may stand at its start.

    Args:
        supply: Where to look.
        request: What is asked.
        latest_start_ms: With a flexible start, up to when it may be: any of them will do.

    Raises:
        Refused: there are some of the kind and it meets the conditions of none:
            `supply_internal_only`, `supply_grant_required`, `supply_residency`,
            `supply_ends_first` or `supply_outside_selling_window`.
    """
    nearest: tuple[Unmet, InboundLease] | None = None
    for inbound in supply:
        if inbound.kind != request.kind or inbound.state is not InboundState.ACTIVE:
            continue
        unmet = unmet_supply(inbound, request) or unmet_condition(
            inbound.conditions, request, request.window
        )
        if unmet is None or (
            latest_start_ms is not None
            and first_start_ms(inbound, request, latest_start_ms) is not None
        ):
            return inbound
        if nearest is None or unmet > nearest[0]:
            nearest = unmet, inbound
    if nearest is not None:
        raise _refusal(*nearest, request)
    return None


def first_start_ms(
    inbound: InboundLease, request: LeaseRequest, latest_start_ms: int
) -> int | None:
    """The earliest start, its length kept, at which a request may stand on an inbound lease.

    None: there is none up to `latest_start_ms`.
    """
    if unmet_terms(inbound.conditions, request) is not None:
        return None
    window = request.window
    start_ms = max(window.start_ms, inbound.starts_at_ms)
    for _ in range(MOST_OPENINGS):
        if start_ms > latest_start_ms:
            return None
        end_ms = None if window.end_ms is None else start_ms + window.end_ms - window.start_ms
        moved = replace(request, window=Window(start_ms, end_ms))
        if unmet_supply(inbound, moved) is not None:
            return None  # a later start is nearer to its end
        if sellable_until(inbound.conditions, moved, moved.window)[0]:
            return start_ms
        opening = next_opening(inbound.selling_windows, start_ms + 1)
        if opening is None:
            return None
        start_ms = opening.start_ms
    return None


def unmet_condition(conditions: Conditions, request: LeaseRequest, window: Window) -> Unmet | None:
    """The first condition that a request does not meet over a window; None: it meets all."""
    unmet = unmet_terms(conditions, request)
    if unmet is None and not sellable_until(conditions, request, window)[0]:
        return Unmet.SELLING_WINDOW
    return unmet


def unmet_terms(conditions: Conditions, request: LeaseRequest) -> Unmet | None:
    """As above, of the conditions that no waiting changes: all but the selling windows."""
    if conditions is OPEN and not request.residency:
        return None
    sold = request.lease_class is not LeaseClass.INTERNAL
    if sold and conditions.sold_to is SoldTo.INTERNAL:
        return Unmet.SOLD_TO
    if conditions.grant and conditions.grant not in request.grants:
        return Unmet.GRANT
    if not all(stays_in(conditions.residency, required) for required in request.residency):
        return Unmet.RESIDENCY
    return None


def unmet_supply(inbound: InboundLease, request: LeaseRequest) -> Unmet | None:
    """Whether the inbound lease is there at no instant at which the request could start.

    One that has yet to begin can be waited for.
    """
    window = request.window
    if window.end_ms is not None and inbound.starts_at_ms >= window.end_ms:
        return Unmet.SUPPLY_WINDOW
    if inbound.ends_at_ms is not None and inbound.ends_at_ms < (
        window.start_ms + 1 if window.end_ms is None else window.end_ms
    ):
        return Unmet.SUPPLY_WINDOW
    return None


def sellable_until(
    conditions: Conditions, request: LeaseRequest, window: Window
) -> tuple[bool, int | None]:
    """Whether a window may be promised to a request here, and until when it then is.

    None: the selling windows bound nothing. Grants and places are `unmet_condition`'s. An
    open-ended lease needs more of the window than its own notice.
    """
    windows = conditions.selling_windows
    if not windows or request.lease_class is LeaseClass.INTERNAL:
        return True, window.end_ms
    if window.end_ms is None and request.lease_class is not LeaseClass.SPOT:
        return False, None
    most_ms = window.start_ms + MOST_STRETCH_MS
    horizon_ms = most_ms if window.end_ms is None else min(window.end_ms, most_ms)
    end_ms = open_until(windows, window.start_ms, horizon_ms)
    if end_ms is None:
        return False, None
    if window.end_ms is None:
        return end_ms - window.start_ms > request.notice_s * MS_PER_S, end_ms
    return end_ms >= window.end_ms, window.end_ms


def _refusal(unmet: Unmet, inbound: InboundLease, request: LeaseRequest) -> Refused:
    """The no in words; `inbound` stands for the supply of the kind that is nearest."""
    kind, facts = request.kind, {"kind": request.kind, "condition": unmet.name.lower()}
    match unmet:
        case Unmet.SOLD_TO:
            return Refused(
                "supply_internal_only",
                f"the {kind} there are may be used by internal teams only",
                "ask for another kind",
                facts,
            )
        case Unmet.GRANT:
            return Refused(
                "supply_grant_required",
                f"the {kind} you could have are for holders of the grant {inbound.grant!r}",
                "ask the operator to record the grant: `comptoir tenant eligibility`",
                {**facts, "grant": inbound.grant},
            )
        case Unmet.RESIDENCY:
            required = " and ".join(request.residency)
            return Refused(
                "supply_residency",
                f"no {kind} you could have stays in {required}: the nearest "
                + (f"is in {inbound.residency}" if inbound.residency else "does not say where"),
                "ask for another residency or another kind",
                {**facts, "required": list(request.residency), "supplied": inbound.residency},
            )
        case Unmet.SUPPLY_WINDOW:
            return Refused(
                "supply_ends_first",
                f"the {kind} you could have are supplied from "
                f"{format_instant(inbound.starts_at_ms)} "
                + ("on" if inbound.ends_at_ms is None else
                   f"to {format_instant(inbound.ends_at_ms)}"),
                "choose a window within that",
                {**facts, "supplied_until": _said(inbound.ends_at_ms)},
            )  # fmt: skip
        case Unmet.SELLING_WINDOW:
            return _outside_window(inbound, request, facts)


def _outside_window(
    inbound: InboundLease, request: LeaseRequest, facts: Mapping[str, object]
) -> Refused:
    window = request.window
    windows = inbound.selling_windows
    words = " and ".join(format_recurrence(recurrence) for recurrence in windows)
    open_end = open_until(windows, window.start_ms, window.start_ms + MOST_STRETCH_MS)
    opening = next_opening(windows, window.start_ms)
    if open_end is not None:
        asked = "has no end" if window.end_ms is None else f"ends {format_instant(window.end_ms)}"
        why = f"this one closes {format_instant(open_end)} and your window {asked}"
        step = "end it by then, or ask for spot" if window.end_ms is None else "end it by then"
    elif opening is not None:
        why = f"it is closed at {format_instant(window.start_ms)}"
        step = f"start at {format_instant(opening.start_ms)}, when it opens"
        closes_ms = open_until(windows, opening.start_ms, opening.start_ms + MOST_STRETCH_MS)
        lasts_ms = 0 if window.end_ms is None else window.end_ms - window.start_ms
        if closes_ms is not None and opening.start_ms + lasts_ms > closes_ms:
            step += f", and end by {format_instant(closes_ms)}, when it closes"
    else:
        why, step = "it never opens again", "ask for another kind"
    return Refused(
        "supply_outside_selling_window",
        f"the {request.kind} you could have are sold {words}: {why}",
        step,
        {
            **facts,
            "selling_windows": [format_recurrence(recurrence) for recurrence in windows],
            "closes_at": _said(open_end),
            "opens_at": _said(opening.start_ms if opening else None),
        },
    )


def _said(instant_ms: int | None) -> str | None:
    return None if instant_ms is None else format_instant(instant_ms)
