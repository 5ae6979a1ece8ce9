"""`runtime`: read-only environments that the operator shows to jobs."""

import click

from comptoir.cli.formats import pairs
from comptoir.cli.lazy import Group, Session, leaf


@click.group("runtime", cls=Group)
def runtime() -> None:
    """Read-only environments for jobs."""


@leaf(
    "declare",
    "comptoir runtime declare torch --path /opt/torch --env PATH=/opt/torch/bin:/usr/bin:/bin",
    group=runtime,
)
@click.argument("name")
@click.option(
    "--path", "paths", multiple=True, required=True, help="A directory of the host; repeatable."
)
@click.option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="Repeatable.")
def declare(cli: Session, name: str, paths: tuple[str, ...], variables: tuple[str, ...]) -> None:
    """Declare one: its paths are shown inside the sandbox at the same place, read-only."""
    made = cli.client.runtimes.declare(name, paths, pairs(variables, "a variable"))
    cli.record(made, f"declared runtime {made['name']} ({made['id']})")


@leaf("list", "comptoir runtime list", group=runtime)
def list_runtimes(cli: Session) -> None:
    """List them."""
    from comptoir.cli.output import text

    columns = [text("id"), text("name"), text("paths", flexible=True), text("retired")]
    cli.table(cli.client.runtimes.list(), columns, "runtimes")


@leaf("retire", "comptoir runtime retire rt_9B3N", group=runtime)
@click.argument("runtime_id", metavar="RUNTIME")
def retire(cli: Session, runtime_id: str) -> None:
    """Retire one: no new job may name it; jobs that have it keep it."""
    found = cli.client.runtimes.retire(runtime_id)
    cli.record(found, f"retired runtime {found['name']}")
