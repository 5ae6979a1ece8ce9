"""Jobs: a command put on a lease, and taken off it."""

from comptoir.desk.operations.change_lease import stop_for_good
from comptoir.desk.operations.taking_back import (
    cancel_attempt,
    drop_promise,
    finish_job,
    give_up,
)
from comptoir.desk.requests import JobRef, SubmitJob
from comptoir.desk.transaction import Transaction
from comptoir.leases.commands import check_command, check_environment
from comptoir.leases.jobs import FINAL_JOB_STATES, Job, JobState
from comptoir.leases.lease import LeaseState, Reason, refuse_over
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Refused
from comptoir.units.ids import JobId, RuntimeId
from comptoir.units.text import check_text
from comptoir.units.time import MS_PER_S
from comptoir.units.values import replace

MOST_QUEUED_JOBS_A_LEASE = 100


def submit_job(tx: Transaction, request: SubmitJob) -> Job:
    """Queue a command on a lease; it starts when the lease is active and its turn has come.

    Raises:
        NotFound: the lease or the runtime.
        Conflict: `lease_over`.
        Invalid: `bad_command`, `bad_environment`.
        Refused: `too_many_jobs`.
    """
    lease = tx.lease(request.lease_id)
    refuse_over(lease)
    check_command(request.command)
    check_environment(request.environment)
    waiting = tx.book.queued_jobs.count(lease.id)
    if waiting >= MOST_QUEUED_JOBS_A_LEASE:
        raise Refused(
            "too_many_jobs",
            f"{waiting} jobs wait on {lease.id}, the most there may be",
            "wait for some to finish",
        )
    job = Job(
        id=JobId(tx.new_id("jb")),
        lease_id=lease.id,
        tenant_id=lease.tenant_id,
        submitted_by=tx.actor.user_id,
        name=check_text("name", request.name, 0, 100) or request.command[0][:100],
        command=request.command,
        environment=request.environment,
        runtime_id=_runtime(tx, request.runtime),
        release_lease=request.release_lease,
        submitted_at_ms=tx.now_ms,
        state=JobState.QUEUED,
    )
    tx.book.jobs.put(job)
    tx.emit("job.submitted", job.id, job.tenant_id, lease=lease.id, name=job.name)
    return job


def cancel_job(tx: Transaction, request: JobRef) -> Job:
    """Take a job off its lease: at once if queued, with the lease's notice if it runs."""
    job = tx.job(request.job_id)
    if job.state in FINAL_JOB_STATES:
        return job
    if job.state is JobState.QUEUED and not any(
        attempt.job_id == job.id for attempt in tx.book.live_attempts.get(job.lease_id)
    ):
        done = finish_job(tx, job, JobState.CANCELLED, None, "cancelled before it ran")
        release_if_asked(tx, done)
        return done
    if job.cancel_requested:
        return job
    lease = tx.book.leases[job.lease_id]
    cancel_attempt(tx, job, lease.notice_s * MS_PER_S)
    tx.emit("job.cancel_requested", job.id, job.tenant_id)
    return tx.book.jobs.put(replace(job, cancel_requested=True))


def release_if_asked(tx: Transaction, job: Job) -> None:
    """End the lease of a finished job that said so, when nothing else is queued on it."""
    lease = tx.book.leases.get(job.lease_id)
    if not job.release_lease or lease is None or tx.book.queued_jobs.count(lease.id):
        return
    if lease.state is LeaseState.ACTIVE:
        stop_for_good(tx, lease, Reason.JOB_FINISHED)
    elif lease.state in (LeaseState.WAITING, LeaseState.SCHEDULED, LeaseState.HELD):
        drop_promise(tx, lease, LeaseState.CANCELLED, Reason.JOB_FINISHED)
    elif lease.state is LeaseState.RECLAIMING:
        give_up(tx, lease, Reason.JOB_FINISHED)


def _runtime(tx: Transaction, named: str | None) -> RuntimeId | None:
    if named is None:
        return None
    for runtime in tx.book.runtimes:
        if not runtime.retired and named in (runtime.id, runtime.name):
            return runtime.id
    raise not_found(f"runtime {named}")
