"""Usage from outside: telemetry and engines that meter by themselves."""

from comptoir.desk.metered import book_usage, site_of
from comptoir.desk.requests import RecordUsage, ReportedUsage, UsageRecorded
from comptoir.desk.transaction import Transaction
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import FINAL, Lease
from comptoir.metering.usage import DESK, Measure, UsageEvent
from comptoir.units.errors import Conflict, Invalid
from comptoir.units.text import check_count, check_slug, check_text
from comptoir.units.time import check_instant, format_instant

MOST_EVENTS = 10_000
MOST_AHEAD_MS = 5 * 60_000
LONGEST_MS = 366 * 86_400_000


def record_usage(tx: Transaction, request: RecordUsage) -> UsageRecorded:
    """Book a batch of usage events, whole or not at all.

    An event is named by (source, event id) for ever: the same one again is counted once;
    the same name with other facts is refused.

    Raises:
        Invalid: `bad_usage`: empty or inverted window, more time than the lease's
            accelerators have in it, delivered time (the desk's own), the far future.
        Conflict: `usage_contradicts`.
        NotFound: a lease.
    """
    source = check_slug("source", request.source)
    if source == DESK:
        raise Invalid("bad_usage", f"the source {DESK!r} is the book's own", "name your source")
    check_count("events", len(request.events), 1, MOST_EVENTS)
    for named in request.events:
        check_text("event_id", named.event_id, 1, 200)
    stored = dict(tx.store.find_usage(source, [event.event_id for event in request.events]))
    for value in tx.book.journal.appended_since((0, 0), "usage"):
        if value.source == source:
            stored[value.event_id] = value
    accepted = 0
    for reported in request.events:
        event = _judge(tx, source, reported)
        known = stored.get(event.event_id)
        if known is None:
            book_usage(tx, event)
            stored[event.event_id] = event
            accepted += 1
        elif not known.same_as(event):
            raise Conflict(
                "usage_contradicts",
                f"{source} {event.event_id} was recorded before with other facts",
                "give a correction an event id of its own",
            )
    return UsageRecorded(accepted, len(request.events) - accepted)


def _judge(tx: Transaction, source: str, reported: ReportedUsage) -> UsageEvent:
    check_instant("starts_at", reported.starts_at_ms)
    check_instant("ends_at", reported.ends_at_ms)
    lease = tx.lease(reported.lease_id)
    span = reported.ends_at_ms - reported.starts_at_ms
    allocation = _any_allocation(tx, lease)
    problem = ""
    if reported.measure is Measure.DELIVERED:
        problem = "delivered time is measured by the book itself"
    elif not 0 < span <= LONGEST_MS:
        problem = f"a window of {span:,} ms"
    elif not 0 < reported.accelerator_ms <= span * lease.accelerators:
        problem = (
            f"{reported.accelerator_ms:,} accelerator-ms in a window of {span:,} ms on "
            f"{lease.accelerators} accelerators"
        )
    elif reported.ends_at_ms > tx.now_ms + MOST_AHEAD_MS:
        problem = f"it ends at {format_instant(reported.ends_at_ms)}, in the future"
    elif lease.activated_at_ms is None or reported.starts_at_ms < lease.activated_at_ms:
        problem = f"{lease.id} was not active at {format_instant(reported.starts_at_ms)}"
    elif lease.state in FINAL and reported.ends_at_ms > lease.state_since_ms:
        problem = f"{lease.id} was over at {format_instant(lease.state_since_ms)}"
    if problem or allocation is None:
        raise Invalid(
            "bad_usage", f"{reported.event_id!r}: {problem or 'no allocation'}", "correct it"
        )
    return UsageEvent(
        tx.book.last_seq.get("usage", 0) + 1,
        source,
        reported.event_id,
        reported.measure,
        lease.id,
        lease.tenant_id,
        allocation.inbound_lease_id,
        lease.lease_class,
        lease.kind,
        reported.starts_at_ms,
        reported.ends_at_ms,
        reported.accelerator_ms,
        tx.now_ms,
        site_of(tx, allocation),
        lease.term,
    )


def _any_allocation(tx: Transaction, lease: Lease) -> Allocation | None:
    for allocation in tx.book.allocations_of(lease.id):
        return allocation
    return tx.store.find_allocation_of(lease.id)
