"""`lease` as clouds sell it: held windows, recurring requests, accelerators given back.

The group is `leases.lease`; the table of commands names it here, so that both are loaded.
"""

from collections.abc import Mapping
from typing import Any

import click

from comptoir.cli.commands.leases import lease, show_lease, what
from comptoir.cli.formats import counted
from comptoir.cli.lazy import Session, leaf
from comptoir.cli.session import note
from comptoir.client.window_records import Series
from comptoir.units.errors import Invalid
from comptoir.units.time import parse_instant

MOST_SKIPPED = 5

__all__ = ["lease", "request_series", "show_series"]


@leaf("confirm", "comptoir lease confirm ls_7Q4M", group=lease)
@click.argument("lease_id", metavar="LEASE")
def confirm(cli: Session, lease_id: str) -> None:
    """Say yes to a held window: it is yours."""
    found = cli.client.holds.confirm(lease_id)
    show_lease(cli, found, f"{found['id']}  {what(found)}   {found['state']}")


@leaf("release", "comptoir lease release ls_7Q4M", group=lease)
@click.argument("lease_id", metavar="LEASE")
def release(cli: Session, lease_id: str) -> None:
    """Let a held window go before its time."""
    found = cli.client.holds.release(lease_id)
    over = found["reason"] not in ("", None, "hold_released")
    said = f"was let go before: {str(found['reason']).replace('_', ' ')}" if over else "is released"
    cli.record(found, f"{found['id']} {said}")


@leaf(
    "shrink",
    "comptoir lease shrink ls_7Q4M --accelerators 8 --yes",
    "comptoir lease shrink ls_7Q4M --node nd_2W8C --yes",
    group=lease,
)
@click.argument("lease_id", metavar="LEASE")
@click.option("--accelerators", type=click.IntRange(1), help="How many to keep.")
@click.option("--node", "nodes", multiple=True, metavar="NODE", help="Give this back; repeatable.")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def shrink(
    cli: Session, lease_id: str, accelerators: int | None, nodes: tuple[str, ...], yes: bool
) -> None:
    """Give accelerators back early: parts on which nothing runs."""
    if (accelerators is None) == (not nodes):
        raise click.UsageError("give --accelerators, how many to keep, or --node: one of the two")
    back = ", ".join(nodes) if nodes else f"all but {accelerators:,} accelerators"
    if cli.json and not yes:
        raise Invalid("not_confirmed", f"this will give {back} back", "say --yes to go ahead")
    cli.confirm(f"give {back} of {lease_id} back", yes)
    found = cli.client.leases.shrink(lease_id, accelerators=accelerators, nodes=nodes)
    show_lease(cli, found, f"{found['id']}  {what(found)}   {found['state']}")


def request_series(cli: Session, words: Mapping[str, Any], every: str, until: str) -> None:
    """Ask for every window of a recurrence."""
    from comptoir.units.recurrence import parse_recurrence

    wanted = {name: value for name, value in words.items() if value not in (None, ())}
    made = cli.client.series.request(wanted, every, until)
    show_series(cli, made, "promised")
    first = made["leases"][0]["starts_at"] if made["leases"] else until
    skipped = parse_recurrence(every).skipped(
        parse_instant(words.get("starts_at") or first), parse_instant(until)
    )
    for day in skipped[:MOST_SKIPPED]:
        note(f"no window on {day}: the zone's clock skips all of it that day")


def show_series(cli: Session, made: Series, done: str) -> None:
    """The occurrences of a series that something was done to."""
    from comptoir.cli.output import instant, text

    if cli.json or cli.ids:
        cli.record(made, "") if cli.json else cli.table(made["leases"], [], "leases")
        return
    cli.record(made, f"{made['series']}  {counted(len(made['leases']), 'window')} {done}")
    columns = [
        text("id"),
        text("state"),
        instant(cli.times, "starts", "starts_at"),
        instant(cli.times, "ends", "ends_at"),
    ]
    cli.table(made["leases"], columns, "windows that had not started")
