"""What an engine saw becomes what the book knows. Repeats and late answers change nothing."""

from comptoir.desk.engine_port import AttemptSight, Observation
from comptoir.desk.metered import meter_attempt
from comptoir.desk.operations.ending import end_attempt
from comptoir.desk.operations.node_checks import see_node
from comptoir.desk.requests import Observed
from comptoir.desk.transaction import Transaction
from comptoir.leases.jobs import Attempt, AttemptState
from comptoir.units.ids import AttemptId
from comptoir.units.values import replace


def observe(tx: Transaction, request: Observed) -> int:
    """Take in what was seen; returns how much it changed."""
    changed = 0
    for seen in request.observations:
        attempt = tx.book.attempts.get(seen.attempt_id)
        if attempt is not None and not attempt.over and attempt.engine == request.engine:
            changed += _see(tx, attempt, seen)
    for attempt_id, detail in request.refused:
        attempt = tx.book.attempts.get(attempt_id)
        if attempt is not None and attempt.state is AttemptState.STARTING:
            end_attempt(tx, replace(attempt, state=AttemptState.LOST, detail=detail), refused=True)
            changed += 1
    for attempt_id in request.forgotten:
        changed += _forget(tx, attempt_id)
    for node in request.nodes:
        changed += see_node(tx, request.engine, node, request.seen_at_ms or tx.now_ms)
    return changed


def _see(tx: Transaction, attempt: Attempt, seen: Observation) -> int:
    lease = tx.book.leases[attempt.lease_id]
    allocation = tx.book.allocations[attempt.allocation_id]
    earliest = allocation.delivered_from_ms or attempt.ordered_at_ms
    started = min(max(seen.started_at_ms, earliest), max(tx.now_ms, earliest))
    if attempt.started_at_ms is not None:
        started = attempt.started_at_ms
    until = min(_last_known_ms(tx, attempt, seen, started), tx.now_ms)
    busy_limit = len(attempt.accelerators) * max(until - started, 0)
    updated = replace(
        attempt,
        started_at_ms=started,
        busy_ms=max(attempt.busy_ms, min(seen.busy_ms, busy_limit)),
        detail=seen.detail or attempt.detail,
    )
    if seen.sight is AttemptSight.RUNNING:
        tx.book.seen_running_ms[attempt.id] = tx.now_ms
        return _running(tx, attempt, replace(updated, state=AttemptState.RUNNING))
    state = AttemptState.EXITED if seen.sight is AttemptSight.EXITED else AttemptState.LOST
    updated = replace(
        updated, state=state, ended_at_ms=max(until, started), exit_code=seen.exit_code
    )
    meter_attempt(tx, lease, tx.book.attempts.put(updated))
    end_attempt(tx, tx.book.attempts[attempt.id])
    return 1


def _last_known_ms(tx: Transaction, attempt: Attempt, seen: Observation, started: int) -> int:
    """Until when an attempt is known to have run: its end, now, or when it was last seen."""
    if seen.ended_at_ms is not None:
        return seen.ended_at_ms
    if seen.sight is AttemptSight.RUNNING:
        return tx.now_ms
    last_seen = tx.book.seen_running_ms.get(attempt.id, started)
    return max(last_seen, attempt.occupied_until_ms or started)


def _running(tx: Transaction, before: Attempt, after: Attempt) -> int:
    if before == after:
        return 0
    tx.book.attempts.put(after)
    if before.state is AttemptState.STARTING:
        tx.emit(
            "attempt.running", after.id, after.tenant_id, job=after.job_id, number=after.number,
            lease=after.lease_id,
        )  # fmt: skip
        return 1
    return 0


def _forget(tx: Transaction, attempt_id: AttemptId) -> int:
    attempt = tx.book.attempts.get(attempt_id)
    if attempt is None or not attempt.over or attempt.forgotten:
        return 0
    tx.book.attempts.put(replace(attempt, forgotten=True))
    return 1
