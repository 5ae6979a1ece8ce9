"""`supply`: inbound leases, declared from flags or a file."""

from pathlib import Path
from typing import Any

import click

from comptoir.cli.formats import Duration, Instant, counted, money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.records import InboundLease
from comptoir.units.errors import Invalid

SOLD_TO = click.Choice(["everybody", "internal"])


@click.group("supply", cls=Group)
def supply() -> None:
    """Capacity that is owned or rented: inbound leases and their nodes."""


@leaf(
    "declare",
    "comptoir supply declare lab --kind cpu-core --nodes 2 --accelerators-per-node 8 "
    "--engine local --cost 0.01",
    "comptoir supply declare nights --kind h100-sxm --accelerators-per-node 8 "
    "--selling-window 'weekdays 20:00 to 08:00 Europe/Paris' --residency FR",
    "comptoir supply declare --file supply.toml",
    group=supply,
)
@click.argument("name", required=False)
@click.option("--kind", help="The accelerator kind.")
@click.option("--nodes", type=click.IntRange(1, 20_000), default=1, help="How many; 1 if not said.")
@click.option(
    "--accelerators-per-node", type=click.IntRange(1, 1_024), help="How many each node holds."
)
@click.option("--memory-gib", type=click.IntRange(0), default=0, help="Memory of a node, in GiB.")
@click.option("--engine", default="", help="What runs work there; without it, no jobs run.")
@click.option("--site", default="site-1", help="Where: the site.")
@click.option("--cluster", default="a", help="Where: the cluster.")
@click.option("--pod", default="pod-1", help="Where: the pod.")
@click.option("--rack", default="rack-1", help="Where: the rack.")
@click.option("--partner", default="owned", help="Whose it is; our own if not said.")
@click.option("--cost", default="0", metavar="DECIMAL", help="Per accelerator-hour.")
@click.option("--currency", default="USD", help="Of the cost.")
@click.option("--starts", type=Instant(), help="An instant or +2h; now if not said.")
@click.option("--ends", type=Instant(), help="An instant or +48h; open-ended if not said.")
@click.option("--cpus", type=click.IntRange(0), default=0, help="CPUs of a node.")
@click.option(
    "--fence-after", type=Duration(), help="How long a lost node may take to cut itself off: 5m."
)
@click.option("--gated", is_flag=True, default=None, help="Sold only after its health checks.")
@click.option(
    "--accept-within", type=Duration(), help="How long a node may be sent back unbilled: 24h."
)
@click.option("--sold-to", type=SOLD_TO, help="Who may have it; everybody if not said.")
@click.option(
    "--selling-window",
    "selling_windows",
    multiple=True,
    metavar="WHEN",
    help="When it may be sold: 'weekdays 20:00 to 08:00 Europe/Paris'; repeatable.",
)
@click.option("--grant", metavar="NAME", help="Only for tenants that hold this grant.")
@click.option("--residency", metavar="CODE", help="Where it is: FR, US-VA, EU.")
@click.option(
    "--file",
    "declaration",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The whole declaration as TOML or JSON, in the words of the API.",
)
def declare(cli: Session, name: str | None, declaration: Path | None, **flags: Any) -> None:
    """Put an inbound lease and its nodes in the book."""
    body = _from_flags(name, **flags) if declaration is None else _from_file(declaration, name)
    made = cli.client.supply.declare(body)
    nodes = body.get("nodes") or []
    held = sum(int(node.get("accelerators", 0)) for node in nodes if isinstance(node, dict))
    _show(
        cli,
        made,
        f"declared {made['id']}: {counted(len(nodes), 'node')}, {held:,} x {made['kind']}",
    )


@leaf("list", "comptoir supply list", group=supply)
def list_supply(cli: Session) -> None:
    """List inbound leases."""
    from comptoir.cli.output import Column, instant, text

    def cost(row: Any) -> str:
        return money(row["cost_per_accelerator_hour"], row["currency"])

    columns = [
        text("id"),
        text("name", flexible=True),
        text("kind"),
        text("partner"),
        Column("cost/acc-h", cost, right=True),
        instant(cli.times, "ends", "ends_at", "open"),
        text("state"),
    ]
    cli.table(cli.client.supply.list(), columns, "supply")


@leaf("show", "comptoir supply show il_6K4D", "comptoir supply show lab", group=supply)
@click.argument("inbound_lease_id", metavar="SUPPLY")
def show(cli: Session, inbound_lease_id: str) -> None:
    """Show one inbound lease, by its id or name."""
    found = cli.client.supply.get(inbound_lease_id)
    _show(cli, found, f"{found['id']}  {found['name']}")


@leaf("end", "comptoir supply end lab --at +24h --yes", group=supply)
@click.argument("inbound_lease_id", metavar="SUPPLY")
@click.option("--at", "ends_at", type=Instant(), help="An instant or +24h; now if not said.")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def end(cli: Session, inbound_lease_id: str, ends_at: str | None, yes: bool) -> None:
    """Give an inbound lease an end. What stands on it and may be taken back is stopped by then.

    Held windows beyond it are let go; guarantees that last longer have to end first.
    """
    moment = cli.times.when(ends_at, "now")
    if not yes:
        found = cli.client.supply.get(inbound_lease_id)
        what = f"{found['id']} ({found['name']}), {moment},"
        cli.confirm(f"end {what} and take back what stands on it", yes)
    found = cli.client.supply.end(inbound_lease_id, ends_at)
    _show(cli, found, f"{found['id']} ends {cli.times.when(found['ends_at'])}")


def _from_flags(name: str | None, **flags: Any) -> dict[str, Any]:
    if not name or not flags["kind"] or not flags["accelerators_per_node"]:
        raise click.UsageError("give NAME, --kind and --accelerators-per-node, or --file")
    node = {
        "accelerators": flags["accelerators_per_node"],
        "memory_bytes": str(flags["memory_gib"] << 30),
        **{field: flags[field] for field in ("cpus", "engine", "site", "cluster", "pod", "rack")},
    }
    stated = {
        "gated": flags["gated"],
        "fence_after_s": flags["fence_after"],
        "accept_within_s": flags["accept_within"],
    }
    node.update((field, value) for field, value in stated.items() if value is not None)
    return {
        "name": name,
        "kind": flags["kind"],
        "nodes": [{"name": f"{name}-{n}", **node} for n in range(1, flags["nodes"] + 1)],
        "partner": flags["partner"],
        "cost_per_accelerator_hour": flags["cost"],
        "currency": flags["currency"],
        "starts_at": flags["starts"],
        "ends_at": flags["ends"],
        "sold_to": flags["sold_to"],
        "selling_windows": [*flags["selling_windows"]] or None,
        "grant": flags["grant"],
        "residency": flags["residency"],
    }


def _from_file(path: Path, name: str | None) -> dict[str, Any]:
    import json
    import tomllib

    try:
        text = path.read_text()
        body = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (ValueError, OSError) as error:
        raise Invalid("bad_file", f"{path}: {error}", "write it as TOML or JSON") from None
    if not isinstance(body, dict):
        raise Invalid("bad_file", f"{path} does not hold a table", "see `openapi/`")
    return {**body, "name": name} if name else body


def _show(cli: Session, found: InboundLease, headline: str) -> None:
    cost = money(found["cost_per_accelerator_hour"], found["currency"])
    starts, ends = cli.times.when(found["starts_at"]), cli.times.when(found["ends_at"], "open")
    fields = [
        ("name", found["name"]),
        ("kind", found["kind"]),
        ("partner", found["partner"]),
        ("window", f"{starts} to {ends}"),
        ("cost", f"{cost} per accelerator-hour"),
        ("state", found["state"]),
    ]
    conditions = [
        ("sold to", "internal teams only" if found["sold_to"] == "internal" else ""),
        ("sold", " and ".join(found["selling_windows"])),
        ("grant", found["grant"]),
        ("in", found["residency"]),
    ]
    cli.record(found, headline, [*fields, *(field for field in conditions if field[1])])
