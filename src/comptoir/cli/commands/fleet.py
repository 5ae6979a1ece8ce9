"""`fleet`: what accelerators there are, where, and how many are free."""

from collections.abc import Iterator
from typing import Any

import click

from comptoir.cli.commands import fleet_files
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.tenants.permissions import not_found

_AT = "comptoir.cli.commands.nodes"
_NODES = {
    "drain": (f"{_AT}:drain", "Give a node no new leases."),
    "resume": (f"{_AT}:resume", "Let it take new leases again."),
    "fail": (f"{_AT}:fail", "Report it dead: what stands there moves if it can."),
    "repair": (f"{_AT}:repair", "It works again: checks, then service."),
    "maintenance": (f"{_AT}:maintenance", "Plan work on it in a window."),
    "spare": (f"{_AT}:spare", "Keep it out of sale to replace others."),
    "report": (f"{_AT}:report", "Report its health checks."),
    "checks": (f"{_AT}:checks", "List its checks with their evidence."),
}


NODE_STATES = click.Choice(
    ["in_service", "checking", "draining", "maintenance", "unknown", "failed", "retired"]
)


_WHOLE = {
    "rebalance": (
        "comptoir.cli.commands.rebalance:rebalance",
        "Make places whole and spread sold windows.",
    ),
}


@click.group("fleet", cls=Group, lazy={"All of it": _WHOLE, "A node": _NODES})
def fleet() -> None:
    """Nodes and accelerator kinds."""


for command in (fleet_files.check, fleet_files.apply, fleet_files.import_csv):
    fleet.add_command(command)


@leaf("show", "comptoir fleet show", "comptoir fleet show menlo/roce/pod-1", group=fleet)
@click.argument("place", required=False, default="")
@click.option("--list", "as_list", is_flag=True, help="A table of the smallest places instead.")
def show(cli: Session, place: str, as_list: bool) -> None:
    """Draw the fleet, or one PLACE of it: what is leased, free, spare or out of service."""
    from comptoir.cli.fleet_map import draw
    from comptoir.cli.output import count, print_json, text
    from comptoir.cli.session import note

    found, place = cli.client.fleet.show(), place.strip("/")
    if place and not any(_within(row["place"], place) for row in _places(found["sites"], "")):
        raise not_found(f"place {place}")
    if cli.json:
        print_json(_narrowed(found, place))
    elif as_list:
        columns = [text("place"), text("kind"), count("nodes"), count("accelerators")]
        columns += [count("leased", "allocated"), count("free"), count("spare")]
        columns.append(count("out", "out_of_service"))
        rows = [row for row in _places(found["sites"], "") if _within(row["place"], place)]
        cli.table(rows, columns, "nodes there")
    elif found["sites"]:
        draw(found, place)
    else:
        note("no nodes: describe them with `comptoir fleet apply`")


@leaf("nodes", "comptoir fleet nodes", "comptoir fleet nodes --state failed", group=fleet)
@click.option("--kind", help="Only of this kind.")
@click.option("--state", type=NODE_STATES, help="Only in this state.")
def nodes(cli: Session, kind: str | None, state: str | None) -> None:
    """List nodes."""
    from comptoir.cli.output import Column, count, text

    columns = [
        text("id"),
        text("name", flexible=True),
        text("kind"),
        count("accelerators"),
        Column("place", lambda row: "/".join(row[p] for p in ("site", "cluster", "pod", "rack"))),
        text("engine"),
        text("state"),
    ]
    cli.table(cli.client.fleet.nodes(kind, state), columns, "nodes")


@leaf("kinds", "comptoir fleet kinds", group=fleet)
def kinds(cli: Session) -> None:
    """List the accelerator kinds of the catalogue. --json has the source of each fact."""
    from comptoir.cli.output import Column, text

    columns = [
        text("name"),
        text("maker"),
        Column("memory", lambda row: _fact(row["memory_bytes"], 10**9, " GB"), right=True),
        Column("power", lambda row: _fact(row["power_watts"], 1, " W"), right=True),
        Column("domain", lambda row: _fact(row["interconnect_domain"], 1, ""), right=True),
        Column("network", lambda row: _fact(row["network_domain"], 1, ""), right=True),
        text("tenancy"),
        Column("note", lambda row: "announced" if row["announced"] else ""),
    ]
    cli.table(cli.client.fleet.kinds(), columns, "kinds")


def _within(place: str, wanted: str) -> bool:
    return place == wanted or not wanted or place.startswith(f"{wanted}/")


def _places(places: list[dict[str, Any]], above: str) -> Iterator[dict[str, Any]]:
    """The smallest places, by their whole name."""
    for place in places:
        name = f"{above}/{place['name']}" if above else place["name"]
        if place["places"]:
            yield from _places(place["places"], name)
        else:
            for held in place["kinds"]:
                yield {"place": name, **held}


def _narrowed(fleet: dict[str, Any], place: str) -> dict[str, Any]:
    """The fleet as if there were nothing but one place, with the places that it lies in."""
    if not place:
        return fleet
    names = place.split("/")
    branch, (inmost, *_) = _branch(fleet["sites"], names)
    clusters = [one for one in fleet["clusters"] if [one["site"], one["cluster"]][: len(names)]
                == names[:2]]  # fmt: skip
    return {
        **fleet, "kinds": inmost["kinds"], "entitled": [], "sites": branch, "clusters": clusters
    }  # fmt: skip


def _branch(
    places: list[dict[str, Any]], names: list[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A place within those that it lies in, each with its counts alone; and the place itself."""
    found = next(one for one in places if one["name"] == names[0])
    if len(names) == 1:
        return [found], [found]
    below, inmost = _branch(found["places"], names[1:])
    counts = {"nodes": inmost[0]["nodes"], "kinds": inmost[0]["kinds"]}
    return [{**found, **counts, "places": below}], inmost


def _fact(value: Any, unit: int, suffix: str) -> str:
    """A fact with its unit; a hyphen if it was not found."""
    return "-" if value is None else f"{int(value) // unit:,}{suffix}"
