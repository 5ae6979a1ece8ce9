"""`fleet` in an operator's hands: nodes drained, failed, repaired, checked, taken for work."""

from pathlib import Path

import click

from comptoir.cli.formats import Instant
from comptoir.cli.lazy import Session, leaf
from comptoir.cli.session import note
from comptoir.client.records import Node
from comptoir.units.errors import Invalid


@leaf("drain", "comptoir fleet drain nd_2W8C")
@click.argument("node_id", metavar="NODE")
def drain(cli: Session, node_id: str) -> None:
    """Give a node no new leases; those it has run to their end."""
    show_node(cli, cli.client.fleet.drain(node_id))


@leaf("resume", "comptoir fleet resume nd_2W8C")
@click.argument("node_id", metavar="NODE")
def resume(cli: Session, node_id: str) -> None:
    """Let a drained node take new leases again, or end its maintenance early."""
    show_node(cli, cli.client.fleet.resume(node_id))


@leaf(
    "fail",
    "comptoir fleet fail nd_2W8C --because 'GPU 3 fell off the bus' --yes",
    "comptoir fleet fail nd_2W8C --because 'no power' --at 2026-11-28T06:00:00Z --stopped --yes",
)
@click.argument("node_id", metavar="NODE")
@click.option("--because", required=True, metavar="TEXT", help="What is known of it.")
@click.option(
    "--at",
    type=Instant(),
    help="When it really failed, in a month that is open, or within a week; now if not said.",
)
@click.option("--stopped", is_flag=True, help="Nothing runs there any more: the power is off.")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def fail(
    cli: Session, node_id: str, because: str, at: str | None, stopped: bool, yes: bool
) -> None:
    """Report a node dead: what stands there is not billed from then on, and moves if it can."""
    cli.confirm(f"take {node_id} from everybody who stands on it", yes)
    show_node(cli, cli.client.fleet.fail(node_id, because, at=at, stopped=stopped))


@leaf("repair", "comptoir fleet repair nd_2W8C")
@click.argument("node_id", metavar="NODE")
def repair(cli: Session, node_id: str) -> None:
    """A failed node works again, and nothing of before runs there: checks, then service."""
    show_node(cli, cli.client.fleet.repair(node_id))


@leaf(
    "maintenance",
    "comptoir fleet maintenance nd_2W8C --from +2d --to +3d --because 'new firmware'",
    "comptoir fleet maintenance nd_2W8C --call-off",
)
@click.argument("node_id", metavar="NODE")
@click.option("--from", "starts_at", type=Instant(), help="When the work begins, or +2d.")
@click.option("--to", "ends_at", type=Instant(), help="When it ends; until resumed if not said.")
@click.option("--because", default="maintenance", metavar="TEXT", help="What is done.")
@click.option("--call-off", is_flag=True, help="There will be no work after all.")
def maintenance(
    cli: Session,
    node_id: str,
    starts_at: str | None,
    ends_at: str | None,
    because: str,
    call_off: bool,
) -> None:
    """Plan work on a node: nothing new is promised into it, what stands there moves before."""
    if call_off is (starts_at is not None):
        raise click.UsageError("give --from, or --call-off")
    known = None if call_off else cli.client.fleet.node(node_id)
    show_node(cli, cli.client.fleet.maintenance(node_id, starts_at, ends_at, because))
    if known is not None and known["maintenance_from"]:
        until = cli.times.when(known["maintenance_until"], "it is resumed")
        note(f"in place of the work from {cli.times.when(known['maintenance_from'])} to {until}")


@leaf("spare", "comptoir fleet spare nd_2W8C", "comptoir fleet spare nd_2W8C --no")
@click.argument("node_id", metavar="NODE")
@click.option("--no", "put_back", is_flag=True, help="Put it back for sale.")
def spare(cli: Session, node_id: str, put_back: bool) -> None:
    """Keep a node out of sale to replace nodes that fail."""
    show_node(cli, cli.client.fleet.spare(node_id, not put_back))


@leaf(
    "report",
    "comptoir fleet report nd_2W8C memory=passed links=passed",
    "comptoir fleet report nd_2W8C burn-in=failed --evidence burn-in.log",
)
@click.argument("node_id", metavar="NODE")
@click.argument("checks", metavar="NAME=OUTCOME...", nargs=-1, required=True)
@click.option(
    "--evidence",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file of text or JSON that shows it; kept with each check.",
)
@click.option("--at", type=Instant(), help="When it was checked; now if not said.")
def report(
    cli: Session, node_id: str, checks: tuple[str, ...], evidence: Path | None, at: str | None
) -> None:
    """Report health checks: a node in quarantine passes, one in service that fails is dead.

    One that is degraded stays where it is; contracts may count it as not healthy.
    """
    shown = _read(evidence)
    results = [{**_result(word), "evidence": shown} for word in checks]
    show_node(cli, cli.client.fleet.report_checks(node_id, results, at))


@leaf("checks", "comptoir fleet checks nd_2W8C")
@click.argument("node_id", metavar="NODE")
def checks(cli: Session, node_id: str) -> None:
    """List the checks of a node with their evidence, newest first."""
    from comptoir.cli.output import instant, text

    columns = [
        instant(cli.times, "checked", "checked_at"),
        text("check", "name"),
        text("outcome"),
        text("by", "reported_by"),
        text("evidence", flexible=True),
    ]
    cli.table(cli.client.fleet.checks(node_id), columns, "checks")


def show_node(cli: Session, node: Node) -> None:
    """A node, and what is special about it."""
    place = "/".join((node["site"], node["cluster"], node["pod"], node["rack"]))
    fields = [("place", place), ("holds", f"{node['accelerators']:,} x {node['kind']}")]
    if node["because"]:
        fields.append(("because", node["because"]))
    if node["maintenance_from"]:
        end = cli.times.when(node["maintenance_until"], "it is resumed")
        fields.append(("work", f"{cli.times.when(node['maintenance_from'])} to {end}"))
    if node["fence_at"]:
        fields.append(("fenced", f"by {cli.times.when(node['fence_at'])} at the latest"))
    marks = [word for word in ("drained", "spare", "gated") if node.get(word)]
    if marks:
        fields.append(("marks", ", ".join(marks)))
    headline = f"{node['name']} ({node['id']}) is {node['state'].replace('_', ' ')}"
    cli.record(node, headline, fields)


def _result(word: str) -> dict[str, str]:
    name, equals, outcome = word.partition("=")
    if not equals or outcome not in ("passed", "failed", "degraded") or not name:
        raise click.UsageError(f"{word!r} is not NAME=passed, NAME=failed or NAME=degraded")
    return {"name": name, "outcome": outcome}


def _read(evidence: Path | None) -> str:
    if evidence is None:
        return ""
    try:
        return evidence.read_text().rstrip()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("bad_file", f"{evidence}: {error}", "give a file of text") from None
