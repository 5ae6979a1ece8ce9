"""`events`: what happens, told as notices, and followed."""

import json

import click

from comptoir.cli.lazy import Session, leaf
from comptoir.cli.session import note
from comptoir.client.records import Notice
from comptoir.units.errors import Unavailable


@leaf(
    "events",
    "comptoir events --last 20",
    "comptoir events --follow --type 'lease.*' --type node.failed",
    "comptoir events --after nt_184 --json",
)
@click.option(
    "--type", "types", metavar="TYPE", multiple=True,
    help="lease.active, lease.* or *; give it more than once.",
)  # fmt: skip
@click.option("--tenant", metavar="TENANT", help="Only this tenant's.")
@click.option("--subject", metavar="ID", help="Only what happens to this.")
@click.option("--after", metavar="NOTICE", help="Those after this one; nt_0 is the start.")
@click.option(
    "--last", type=click.IntRange(0, 500), help="So many of the newest; 20 without --after."
)
@click.option("--follow", is_flag=True, help="Go on with what happens next, until Ctrl-C.")
def events(
    cli: Session,
    types: tuple[str, ...],
    tenant: str | None,
    subject: str | None,
    after: str | None,
    last: int | None,
    follow: bool,
) -> None:
    """Show what happens, oldest first: what, the numbers, and what to do next.

    With --json each notice is one line. --follow goes on after a lost connection where it was.
    """
    feed = cli.client.feed
    last = 20 if last is None and after is None else last
    wanted = types or ("*",)
    if follow:
        found = feed.follow(
            wanted, tenant=tenant, subject=subject, after=after, last=last, lost=_lost
        )
    else:
        found = feed.read(wanted, tenant=tenant, subject=subject, after=after, last=last)
    nothing = True
    for notice in found:
        nothing = False
        if cli.ids:
            click.echo(notice["id"])
        elif cli.json:
            click.echo(json.dumps(notice, ensure_ascii=False))
        else:
            _tell(cli, notice)
    if nothing and not (cli.json or cli.ids):
        note("no notices yet")


def _tell(cli: Session, notice: Notice) -> None:
    from comptoir.cli.formats import plain

    data = notice["data"]
    head = f"{cli.times.clock(notice['at'])}  {notice['type']}"
    click.echo(plain(f"{head}  {data['says']}"))
    if data["next"]:
        click.echo(plain(f"          next: {data['next']}  ({notice['id']})"))


def _lost(error: Unavailable) -> None:
    note(f"-- {error.message}; asking again")
