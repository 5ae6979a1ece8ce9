"""The end of an attempt, and what becomes of its job: done, or once more."""

from comptoir.desk.operations.submit_job import release_if_asked
from comptoir.desk.operations.taking_back import comes_back, finish_job
from comptoir.desk.transaction import Transaction
from comptoir.leases.jobs import FINAL_JOB_STATES, Attempt, AttemptState, Job, JobState
from comptoir.leases.lease import FINAL, Lease, LeaseState
from comptoir.units.values import replace

MOST_LOST_ATTEMPTS = 5


def end_attempt(tx: Transaction, attempt: Attempt, refused: bool = False) -> None:
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
        detail = f"stopped with its lease {lease.id} ({lease.reason.replace('_', ' ')})"
    release_if_asked(tx, finish_job(tx, job, state, attempt.exit_code, detail))


def _runs_again(tx: Transaction, job: Job, lease: Lease, attempt: Attempt, refused: bool) -> bool:
    """After a reclaim or the loss of its node, and after another loss that was not its fault."""
    if job.cancel_requested or attempt.exit_code == 0:
        return False
    if lease.state is LeaseState.RECLAIMING:
        return attempt.stop_at_ms is not None and comes_back(lease, tx.now_ms)
    allocation = tx.book.allocations.get(attempt.allocation_id)
    if allocation is not None and allocation.lost:
        return lease.state not in FINAL
    lost = attempt.state is AttemptState.LOST and lease.state is LeaseState.ACTIVE
    return lost and not refused and attempt.number < MOST_LOST_ATTEMPTS
