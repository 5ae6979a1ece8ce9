"""`job`: commands on leases, their logs and their files."""

import sys
from pathlib import Path
from typing import Any

import click

from comptoir.cli.exits import OWN_FAILURE
from comptoir.cli.formats import ROWS, counted, pairs
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.cli.session import note
from comptoir.client.records import Job

STATES = click.Choice(["queued", "running", "succeeded", "failed", "cancelled"])


@click.group("job", cls=Group)
def job() -> None:
    """Commands on leases. `comptoir run` does it all in one line."""


@leaf(
    "submit",
    "comptoir job submit ls_7Q4M -- python3 train.py --epochs 12",
    group=job,
    context_settings={"ignore_unknown_options": False},
)
@click.argument("lease_id", metavar="LEASE")
@click.argument("command", nargs=-1, required=True)
@click.option("--name", help="For people.")
@click.option("--runtime", help="A declared runtime, by name or id.")
@click.option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="Repeatable.")
@click.option(
    "--upload",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Fill the lease's directory from this one first.",
)
@click.option("--release", is_flag=True, help="End the lease when the job is done.")
def submit(
    cli: Session,
    lease_id: str,
    command: tuple[str, ...],
    variables: tuple[str, ...],
    upload: Path | None,
    release: bool,
    **words: Any,
) -> None:
    """Put a command on a lease. Everything after -- is the command; no shell is involved."""
    environment = pairs(variables, "a variable")
    if upload is not None:
        cli.client.leases.upload(lease_id, upload)
    made = cli.client.jobs.submit(
        lease_id, command, environment=environment, release_lease=release, **words
    )
    _show(cli, made, f"submitted {made['id']} on {made['lease_id']}")


@leaf("list", "comptoir job list --state running", group=job)
@click.option("--state", "states", type=STATES, multiple=True, help="Only these; repeatable.")
@click.option("--lease", "lease_id", metavar="LEASE", help="Only on this lease.")
@click.option("--tenant", metavar="TENANT", help="Only this tenant's.")
@click.option("--limit", type=ROWS, default=200, show_default=True, help="At most.")
def list_jobs(
    cli: Session,
    states: tuple[str, ...],
    lease_id: str | None,
    tenant: str | None,
    limit: int,
) -> None:
    """List jobs, newest first."""
    from itertools import islice

    from comptoir.cli.output import count, instant, text

    columns = [
        text("id"),
        text("state"),
        text("exit", "exit_code"),
        count("attempts"),
        text("lease", "lease_id"),
        instant(cli.times, "submitted", "submitted_at"),
        text("name", flexible=True),
    ]
    found = cli.client.jobs.list(states=states, lease_id=lease_id, tenant=tenant)
    cli.table(islice(found, limit), columns, "jobs")


@leaf("show", "comptoir job show jb_3F9K", group=job)
@click.argument("job_id", metavar="JOB")
def show(cli: Session, job_id: str) -> None:
    """Show one, with its attempts."""
    found = cli.client.jobs.get(job_id)
    fields = _fields(cli, found)
    for attempt in found["attempt_list"]:
        started = cli.times.when(attempt["started_at"], "not started")
        code = "" if attempt["exit_code"] is None else f", exit {attempt['exit_code']}"
        why = f": {attempt['detail']}" if attempt["detail"] else ""
        where = f"on {attempt['node_id']}"
        said = f"{attempt['state']}{code} {where}, {started}{why}"
        fields.append((f"attempt {attempt['number']}", said))
    cli.record(found, f"{found['id']}  {found['name']}   {found['state']}", fields)


@leaf(
    "logs", "comptoir job logs jb_3F9K --follow", "comptoir job logs jb_3F9K --attempt 1", group=job
)
@click.argument("job_id", metavar="JOB")
@click.option("-f", "--follow", is_flag=True, help="Until the job is over, across attempts.")
@click.option("--attempt", type=click.IntRange(1), help="Only this one; the last if not said.")
def logs(cli: Session, job_id: str, follow: bool, attempt: int | None) -> int:
    """Show what a job wrote. With --follow the exit code is the job's."""
    if follow:
        if attempt is not None:
            raise click.UsageError("--follow goes across attempts: leave out --attempt")
        from comptoir.cli.commands.watching import watch

        return watch(cli, job_id)
    for piece in cli.client.jobs.logs(job_id, attempt):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
    return 0


@leaf("files", "comptoir job files jb_3F9K", group=job)
@click.argument("job_id", metavar="JOB")
def files(cli: Session, job_id: str) -> None:
    """List the files of a job's directory: its lease's."""
    from comptoir.cli.output import count, instant, text

    found = cli.client.leases.files(_lease_of(cli, job_id))
    columns = [
        count("bytes", "size_bytes"),
        instant(cli.times, "changed", "modified_at"),
        text("path", flexible=True),
    ]
    cli.table(found, columns, "files")


@leaf(
    "pull",
    "comptoir job pull jb_3F9K --to results",
    "comptoir job pull jb_3F9K checkpoint.npz",
    group=job,
)
@click.argument("job_id", metavar="JOB")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("."),
    help="Where to; here if not said.",
)
def pull(cli: Session, job_id: str, paths: tuple[str, ...], to: Path) -> None:
    """Copy files of a job's directory here: all of them, or those named."""
    lease_id = _lease_of(cli, job_id)
    pulled = []
    for path, size in cli.client.leases.pull(lease_id, to, paths or None):
        pulled.append({"path": path, "size_bytes": str(size)})
        note(f"  {to / path}  {size:,} bytes")
    total = sum(int(item["size_bytes"]) for item in pulled)
    cli.record(
        {"items": pulled}, f"{counted(len(pulled), 'file')}, {counted(total, 'byte')}, into {to}"
    )


@leaf("cancel", "comptoir job cancel jb_3F9K", group=job)
@click.argument("job_id", metavar="JOB")
def cancel(cli: Session, job_id: str) -> None:
    """Take a job off its lease: at once if it waits, with the lease's notice if it runs."""
    found = cli.client.jobs.cancel(job_id)
    over = found["state"] in ("succeeded", "failed", "cancelled")
    _show(cli, found, f"{found['id']} is {found['state'] if over else 'being cancelled'}")


def exit_code_of_job(found: Job) -> int:
    """The job's own exit code; 125 if it never had one."""
    return OWN_FAILURE if found["exit_code"] is None else found["exit_code"]


def _lease_of(cli: Session, job_id: str) -> str:
    return cli.client.jobs.get(job_id)["lease_id"]


def _show(cli: Session, found: Job, headline: str) -> None:
    cli.record(found, headline, _fields(cli, found))


def _fields(cli: Session, found: Job) -> list[tuple[str, str]]:
    import shlex

    fields = [
        ("command", shlex.join(found["command"])),
        ("lease", found["lease_id"]),
        ("submitted", cli.times.when(found["submitted_at"])),
    ]
    if found["finished_at"]:
        code = "no exit code" if found["exit_code"] is None else f"exit {found['exit_code']}"
        fields.append(("finished", f"{cli.times.when(found['finished_at'])}, {code}"))
    else:
        fields.append(("log", f"comptoir job logs {found['id']} --follow"))
    if found["detail"]:
        fields.append(("detail", found["detail"]))
    return fields
