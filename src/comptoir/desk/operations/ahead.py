"""Ahead: what is placed at once or not at all, is placed behind who waits for the same.

A hold, a recurring request and an offer do not wait in the queue; here they are treated as if
they had: the start that the first ahead of them can have is kept for it, of each kind that they
would take. Neighbours: `queueing.py` keeps it for those who wait, `placement/queue.py` says who
is ahead of whom.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from comptoir.desk.operations.grounds import would_borrow
from comptoir.desk.operations.queueing import first_ahead, kept_for
from comptoir.desk.transaction import Transaction
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import Lease, request_of
from comptoir.placement.queue import earliest, queue_key
from comptoir.units.recurrence import DAY_MS
from comptoir.units.time import format_instant
from comptoir.units.values import replace

MOST_LOOKED_AHEAD_MS = 90 * DAY_MS
"""How far ahead the next start is looked for that a refusal names."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """How many wait for the same and come first; whether accelerators are kept for one of them."""

    count: int = 0
    kept: bool = False


@contextmanager
def behind_those_ahead(tx: Transaction, lease: Lease) -> Iterator[Ahead]:
    """What is placed in here leaves the first ahead of `lease` the start that it can have."""
    book, kept, count = tx.book, list[Allocation](), 0
    lease = replace(lease, borrowed=would_borrow(tx, lease))
    for kind in sorted({choice.kind for choice in lease.choices}):
        asked = replace(lease, kind=kind)
        own = book.leases.get(lease.id)
        count += book.waiting.ahead_of(asked)
        count -= own is not None and own.kind == kind and queue_key(own) < queue_key(asked)
        found = first_ahead(tx, asked)
        if found is not None:
            kept += kept_for(tx, *found)
    book.snapshot.keep(kept)
    try:
        yield Ahead(count, bool(kept))
    finally:
        book.snapshot.give_up(kept)


def no_place(tx: Transaction, lease: Lease, ahead: Ahead) -> tuple[str, dict[str, object]]:
    """Who is ahead of what has no place at once, and when it could start: in words, and facts."""
    said = waits_first(ahead)
    next_ms = _next_start_ms(tx, lease)
    if next_ms is not None:
        said += f"; by what is promised they can be had from {format_instant(next_ms)} on"
    next_start = None if next_ms is None else format_instant(next_ms)
    return said, {"ahead": ahead.count, "next_start": next_start}


def waits_first(ahead: Ahead) -> str:
    """How many are ahead, as the end of a sentence."""
    if not ahead.count:
        return ""
    said = f"; {ahead.count:,} wait{'' if ahead.count > 1 else 's'} ahead of it in the queue"
    return f"{said}, and what the first can have is kept for it" if ahead.kept else said


def _next_start_ms(tx: Transaction, lease: Lease) -> int | None:
    """When a lease could stand for as long as it asks, by what everybody has promised."""
    request = request_of(lease, tx.book.tenants[lease.tenant_id], tx.now_ms)
    latest_ms = None
    if request.window.end_ms is not None:
        latest_ms = request.window.start_ms + MOST_LOOKED_AHEAD_MS
    plan = earliest(tx.book.snapshot, request, tx.now_ms, latest_ms)
    return None if plan is None else plan.starts_at_ms
