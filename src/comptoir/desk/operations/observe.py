"""What an engine saw becomes what the book knows. Repeats and late answers change nothing."""

from dataclasses import replace

from comptoir.desk.engine_port import AttemptSight, Observation
from comptoir.desk.metered import meter_attempt
from comptoir.desk.operations.submit_job import release_if_asked
from comptoir.desk.operations.taking_back import comes_back, finish_job
from comptoir.desk.requests import Observed
from comptoir.desk.transaction import Transaction
from comptoir.leases.jobs import FINAL_JOB_STATES, Attempt, AttemptState, Job, JobState
from comptoir.leases.lease import Lease, LeaseState
from comptoir.units.ids import AttemptId

MOST_LOST_ATTEMPTS = 5


def observe(tx: Transaction, request: Observed) -> int:
    """Take in what was seen; returns how many attempts it changed."""
    changed = 0
    for seen in request.observations:
        attempt = tx.book.attempts.get(seen.attempt_id)
        if attempt is not None and not attempt.over and attempt.engine == request.engine:
            changed += _see(tx, attempt, seen)
    for attempt_id, detail in request.refused:
        attempt = tx.book.attempts.get(attempt_id)
        if attempt is not None and attempt.state is AttemptState.STARTING:
            _end(tx, replace(attempt, state=AttemptState.LOST, detail=detail), refused=True)
            changed += 1
    for attempt_id in request.forgotten:
        changed += _forget(tx, attempt_id)
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
    _end(tx, tx.book.attempts[attempt.id])
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


def _end(tx: Transaction, attempt: Attempt, refused: bool = False) -> None:
    """Write the end of an attempt, and decide what becomes of its job."""
    if attempt.ended_at_ms is None:
        attempt = replace(attempt, ended_at_ms=tx.now_ms)
    tx.book.attempts.put(attempt)
    tx.emit(
        f"attempt.{attempt.state}", attempt.id, attempt.tenant_id, job=attempt.job_id,
        lease=attempt.lease_id, number=attempt.number, exit_code=attempt.exit_code,
        detail=attempt.detail,
    )  # fmt: skip
    job = tx.book.jobs[attempt.job_id]
    if job.state in FINAL_JOB_STATES:
        return
    lease = tx.book.leases[attempt.lease_id]
    if _runs_again(tx, job, lease, attempt, refused):
        tx.book.jobs.put(replace(job, state=JobState.QUEUED, detail=attempt.detail))
        return
    never_ran = refused and attempt.stop_at_ms is not None
    if job.cancel_requested or never_ran:
        state = JobState.CANCELLED
    elif attempt.exit_code == 0:
        state = JobState.SUCCEEDED
    else:
        state = JobState.FAILED
    detail = attempt.detail
    if not detail and attempt.stop_at_ms is not None and state is JobState.FAILED:
        detail = f"stopped: its lease {lease.id} was {lease.reason.replace('_', ' ')}"
    release_if_asked(tx, finish_job(tx, job, state, attempt.exit_code, detail))


def _runs_again(tx: Transaction, job: Job, lease: Lease, attempt: Attempt, refused: bool) -> bool:
    """After a reclaim, and after a loss that was not the job's fault, within limits."""
    if job.cancel_requested or attempt.exit_code == 0:
        return False
    if lease.state is LeaseState.RECLAIMING:
        return attempt.stop_at_ms is not None and comes_back(lease, tx.now_ms)
    lost = attempt.state is AttemptState.LOST and lease.state is LeaseState.ACTIVE
    return lost and not refused and attempt.number < MOST_LOST_ATTEMPTS


def _forget(tx: Transaction, attempt_id: AttemptId) -> int:
    attempt = tx.book.attempts.get(attempt_id)
    if attempt is None or not attempt.over or attempt.forgotten:
        return 0
    tx.book.attempts.put(replace(attempt, forgotten=True))
    return 1
