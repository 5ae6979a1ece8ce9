"""`run`: the one-liner. Upload, lease, run, follow, give back."""

from pathlib import Path
from typing import Any

import click

from comptoir.cli.commands.leases import SHAPES, default_class
from comptoir.cli.commands.rates import CLASSES
from comptoir.cli.exits import OWN_FAILURE, exit_code_of
from comptoir.cli.formats import Duration, pairs
from comptoir.cli.lazy import Session, leaf
from comptoir.cli.session import note
from comptoir.units.errors import ComptoirError


@leaf(
    "run",
    "comptoir run --accelerators 2 --kind cpu-core -- python3 train.py",
    "comptoir run --accelerators 8 --kind h100-sxm --class spot --env SEED=7 --detach -- ./train",
    "comptoir run --kind cpu-core --for 90m -- python3 sweep.py",
)
@click.argument("command", nargs=-1, required=True)
@click.option(
    "--accelerators", type=click.IntRange(1), default=1, show_default=True, help="How many."
)
@click.option("--kind", required=True, help="See `comptoir fleet kinds`.")
@click.option(
    "--class", "lease_class", type=CLASSES, help="on_demand if not said; a team's: internal."
)
@click.option("--shape", type=SHAPES, help="All in one of these; one node if not said.")
@click.option(
    "--for", "duration_s", type=Duration(), help="At most so long: 8h, 90m; open-ended if not said."
)
@click.option("--notice", "notice_s", type=Duration(), help="How long a stop is announced: 2m.")
@click.option("--name", help="For people; the command if not said.")
@click.option("--runtime", help="A declared runtime, by name or id.")
@click.option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="Repeatable.")
@click.option("--tenant", metavar="TENANT", help="For house users: whose lease.")
@click.option("--project", help="Whose budget it counts against.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("."),
    help="What to upload; here if not said, less what .comptoirignore names.",
)
@click.option("--no-upload", is_flag=True, help="Upload nothing.")
@click.option("--detach", is_flag=True, help="Do not wait: print the job and return.")
@click.option("--keep", is_flag=True, help="Keep the lease when the job is done.")
def run(
    cli: Session,
    command: tuple[str, ...],
    lease_class: str | None,
    variables: tuple[str, ...],
    directory: Path,
    no_upload: bool,
    detach: bool,
    keep: bool,
    **words: Any,
) -> int:
    """Upload this directory, lease accelerators, run a command on them, follow its output.

    The exit code is the command's. If Comptoir itself fails, or the job was cancelled before
    it ran, it is 125. Everything after -- is the command; no shell is involved.
    """
    environment = pairs(variables, "a variable")
    words["shape"] = words["shape"] or "node"
    try:
        chosen = lease_class or default_class(cli, words["tenant"])
        job = cli.client.run(
            command,
            lease_class=chosen,
            directory=None if no_upload else directory,
            keep_lease=keep,
            environment=environment,
            **words,
        )
        kept = f"; its lease stays: comptoir lease end {job['lease_id']}" if keep else ""
        if detach:
            cli.record(job, job["id"], [("lease", job["lease_id"])])
            note(f"watch: comptoir job logs {job['id']} -f{kept}")
            return 0
        from comptoir.cli.commands.watching import watch

        note(f"-- {job['id']} on {job['lease_id']}: {_asked(chosen, **words)}{kept}")
        return watch(cli, job["id"])
    except ComptoirError as error:
        from comptoir.cli.main import report

        own = report(error, as_json=cli.json)
        return own if detach or own == exit_code_of(error) == 2 else OWN_FAILURE


def _asked(lease_class: str, kind: str, accelerators: int, **_: Any) -> str:
    return f"{accelerators:,} x {kind}, {lease_class}"
