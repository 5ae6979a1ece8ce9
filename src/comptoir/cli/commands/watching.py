"""Watching a job until its end: its output to stdout, what happens to it to stderr."""

import sys

import click

from comptoir.cli.exits import INTERRUPTED, OWN_FAILURE
from comptoir.cli.formats import duration
from comptoir.cli.session import Session, note
from comptoir.client.following import FINAL_JOB_STATES, Cut, Lost, Moved, Place, Said
from comptoir.client.records import JobDetail


def watch(cli: Session, job_id: str) -> int:
    """Follow a job across its attempts. Ctrl-C asks whether to cancel or only to leave.

    Returns:
        The job's exit code; 125 if it has none; 130 if we left it running.
    """
    told, place = "", Place()
    while True:
        try:
            for step in cli.client.follow(job_id, place):
                if isinstance(step, Said):
                    sys.stdout.buffer.write(step.data)
                    sys.stdout.buffer.flush()
                    continue
                line = _tell(step)
                if line and line != told:
                    note(f"-- {line}")
                told = line
                if isinstance(step, Moved) and step.job["state"] in FINAL_JOB_STATES:
                    return _end(step.job)
        except KeyboardInterrupt:
            if _leave(cli, job_id):
                return INTERRUPTED


def _tell(step: Moved | Cut | Lost) -> str:
    """One line about what just happened; empty if there is nothing to say."""
    if isinstance(step, Cut):
        return f"the log of attempt {step.attempt} is full: what it writes from here on is dropped"
    if isinstance(step, Lost):
        return "the server does not answer; the job goes on, and so does this when it is back"
    job, lease = step.job, step.lease
    if job["state"] == "running":
        if lease["state"] == "reclaiming":
            why = lease["reason"].replace("_", " ") or "asked to"
            return f"{lease['id']} is being reclaimed ({why}), notice {duration(lease['notice_s'])}"
        again = f"resumed: attempt {job['attempts']}" if job["attempts"] > 1 else "running"
        return f"{job['id']} {again} on {lease['id']}"
    if job["state"] == "queued":
        if job["attempts"]:
            return f"{lease['id']} was reclaimed and waits again; its directory is kept"
        if lease["state"] == "waiting":
            return f"{lease['id']} is waiting; why: comptoir lease why {lease['id']}"
        return f"{job['id']} is queued on {lease['id']} ({lease['state']})"
    return ""


def _end(job: JobDetail) -> int:
    code = job["exit_code"]
    tries = f" after {job['attempts']} attempts" if job["attempts"] > 1 else ""
    detail = f": {job['detail']}" if job["detail"] else ""
    said = "" if code is None else f", exit {code}"
    note(f"-- {job['id']} {job['state']}{said}{tries}{detail}")
    return OWN_FAILURE if code is None else code


def _leave(cli: Session, job_id: str) -> bool:
    """Ask what Ctrl-C meant; True to leave."""
    cancel = f"cancel it: comptoir job cancel {job_id}"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        note(f"\n-- left {job_id} running; {cancel}")
        return True
    try:
        answer = click.prompt(
            f"\n-- {job_id} is still running: leave it, cancel it, or go on watching?",
            type=click.Choice(["leave", "cancel", "watch"]),
            default="leave",
            err=True,
        )
    except (click.Abort, KeyboardInterrupt):
        answer = "leave"
    if answer == "cancel":
        cli.client.jobs.cancel(job_id)
        note(f"-- cancelling {job_id}; it has its notice to stop")
        return False
    if answer == "leave":
        note(f"-- left {job_id} running; watch: comptoir job logs {job_id} -f; {cancel}")
        return True
    return False
