"""Gaps: spot may stand where somebody is promised a place later, until then.

An open-ended spot lease need not find accelerators that nobody is promised
after it. It fills the longest gap that holds it, is told its notice before the gap ends, and
waits again. A gap too short to be worth it (`LeaseRequest.least_gap_ms`) is left alone.

How much is free from now until an instant only falls as that instant moves on, so the longest
gap is found by halving. Neighbours: `plan.py` asks after it has found nothing without an end.
"""

from collections.abc import Callable
from typing import TypeVar

from comptoir.leases.lease import LeaseClass, LeaseRequest
from comptoir.placement.pools import Pool
from comptoir.placement.snapshot import promised_until
from comptoir.placement.windows import beginnings
from comptoir.units.time import Window
from comptoir.units.values import replace

P = TypeVar("P")
PlanFree = Callable[[LeaseRequest, list[Pool]], P | None]


def longest_gap(request: LeaseRequest, pools: list[Pool], plan_free: PlanFree[P]) -> P | None:
    """The plan of the longest gap that holds a request, or None.

    Args:
        request: What is asked for; None unless it is spot and has no end.
        pools: Those that it may use.
        plan_free: A plan of free accelerators for a bounded window, or None.
    """
    start_ms = request.window.start_ms
    spot = request.lease_class is LeaseClass.SPOT
    if not spot or request.least_gap_ms is None or request.window.end_ms is not None:
        return None

    def plan_until(end_ms: int) -> P | None:
        bounded = replace(request, window=Window(start_ms, end_ms))
        open_then = [p for p in pools if promised_until(p.key, bounded, bounded.window)[0]]
        return plan_free(bounded, open_then) if open_then else None

    least_ms = start_ms + request.least_gap_ms
    if plan_until(least_ms) is None:
        return None  # in a full fleet this is all that is asked
    best: P | None = None
    ends = sorted(_ends(request, pools, least_ms))
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high) // 2
        longer = plan_until(ends[middle])
        if longer is None:
            high = middle
        else:
            best, low = longer, middle + 1
    return best


def _ends(request: LeaseRequest, pools: list[Pool], least_ms: int) -> set[int]:
    """The instants at which a gap may end: what begins, and the bounds of the supply."""
    found: set[int] = set()
    for pool in pools:
        found.update(beginnings(pool, least_ms))
        _, until_ms = promised_until(pool.key, request, request.window)
        if until_ms is not None and until_ms >= least_ms:
            found.add(until_ms)
    return found
