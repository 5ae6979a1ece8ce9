"""`fleet check`, `fleet apply`: fleet files read, drawn, and declared in one act."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Any

import click

from comptoir.cli.formats import counted
from comptoir.cli.lazy import Session, leaf
from comptoir.cli.session import note
from comptoir.client.records import FleetApplied
from comptoir.units.errors import Invalid

if TYPE_CHECKING:
    from comptoir.fleet.files import FleetFile

FILE = click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
_MOST_RACKS = 20_000
_MANY_NODES = 40_000


@leaf("check", "comptoir fleet check fleet.toml", online=False)
@click.argument("file", type=FILE)
def check(cli: Session, file: Path) -> None:
    """Read a fleet file, say what is wrong with it line by line, or draw it. Asks no server."""
    text = text_of(file)
    with waiting(f"reading {file.name}", sys.stderr.isatty()):
        found = read(file, text)
    nodes = sum(lease.node_count for lease in found.leases)
    for fabric in found.fabrics_of_nothing():
        note(f"no node of this file stands in {fabric.site}/{fabric.cluster}, whose fabric it says")
    if cli.json:
        from comptoir.cli.output import print_json

        print_json(_summary(found))
        return
    from comptoir.cli.fleet_map import draw

    with waiting(f"adding up {counted(nodes, 'node')}", nodes >= _MANY_NODES):
        drawn = _as_fleet(found)
    draw(drawn, live=False)


@leaf("apply", "comptoir fleet apply fleet.toml --dry-run", "comptoir fleet apply fleet.toml")
@click.argument("file", type=FILE)
@click.option("--dry-run", is_flag=True, help="Only say what it would change.")
def apply(cli: Session, file: Path, dry_run: bool) -> None:
    """Declare all inbound leases of a file in one act; again, it changes nothing."""
    text = text_of(file)
    found = read(file, text)
    nodes = sum(lease.node_count for lease in found.leases)
    with waiting(
        f"declaring {counted(nodes, 'node')}, about {nodes // 20_000} s", nodes >= _MANY_NODES
    ):
        done = cli.client.fleet.apply(file.name, text, dry_run=dry_run)
    show_applied(cli, done)


@leaf(
    "import",
    "comptoir fleet import inventory.csv --lease lab --cost 1.10 --dry-run",
    "comptoir fleet import inventory.csv --lease lab --column node=host "
    "--column kind=accelerator_type --kind A10=h100-pcie --set site=paris-1 --save fleet.toml",
)
@click.argument("file", type=FILE)
@click.option("--lease", required=True, metavar="NAME", help="The inbound lease that brings it.")
@click.option(
    "--column", "columns", multiple=True, metavar="FIELD=COLUMN", help="Where a field is."
)
@click.option(
    "--set", "values", multiple=True, metavar="FIELD=VALUE", help="A field of every node."
)
@click.option("--kind", "kinds", multiple=True, metavar="WORD=KIND", help="A kind by its word.")
@click.option("--partner", default="owned", help="Whose it is; our own if not said.")
@click.option("--cost", default="0", metavar="DECIMAL", help="Per accelerator-hour.")
@click.option("--currency", default="USD", help="Of the cost.")
@click.option("--save", type=click.Path(path_type=Path), help="Write it as a fleet file instead.")
@click.option("--dry-run", is_flag=True, help="Only say what it would change.")
def import_csv(
    cli: Session,
    file: Path,
    lease: str,
    columns: tuple[str, ...],
    values: tuple[str, ...],
    kinds: tuple[str, ...],
    save: Path | None,
    dry_run: bool,
    **supplied: str,
) -> None:
    """Declare the nodes of a CSV inventory, one a row. docs/operate/fleet.md has the fields."""
    from comptoir.fleet.files import FileLease
    from comptoir.fleet.inventory import Words, read_inventory
    from comptoir.fleet.write_file import write_fleet_file
    from comptoir.units.money import check_currency, parse_price
    from comptoir.units.text import check_text

    common = FileLease(
        check_text("lease", lease, 1, 100), "", (), check_text("partner", supplied["partner"], 1,
        100), cost_nanos=parse_price(supplied["cost"]), currency=check_currency(
        supplied["currency"]),
    )  # fmt: skip
    words = Words(_fields(columns, "--column"), _fields(values, "--set"), _pairs(kinds, "--kind"))
    with telling(file):
        found = read_inventory(file.name, text_of(file), common, words)
    if found.without:
        note(f"left out {counted(found.without, 'node')} without accelerators")
    text = write_fleet_file(found.file, f"From {file.name}, by `comptoir fleet import`.")
    if save is None:
        show_applied(cli, cli.client.fleet.apply(file.name, text, dry_run=dry_run))
        return
    _write_new(save, text)
    cli.record(_summary(found.file), f"wrote {save}: comptoir fleet check {save}")


def _write_new(path: Path, text: str) -> None:
    """A file that was not there before: one that a person has mended since is not lost.

    Raises:
        Invalid: `bad_file`.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Invalid(
            "bad_file", f"{path} exists already", "remove it first, or save under another name"
        ) from None
    except OSError as error:
        raise Invalid("bad_file", f"{path}: {error.strerror}", "name a file to write") from None


def _fields(words: tuple[str, ...], option: str) -> dict[str, str]:
    from comptoir.fleet.inventory import FIELDS

    found = _pairs(words, option)
    for field in found:
        if field not in FIELDS:
            raise click.UsageError(f"{option}: {field!r} is not one of {', '.join(FIELDS)}")
    return found


def _pairs(words: tuple[str, ...], option: str) -> dict[str, str]:
    found = [word.partition("=") for word in words]
    if any(not (name and equals and value) for name, equals, value in found):
        raise click.UsageError(f"{option} takes two words with an equals sign between them")
    return {name: value for name, _, value in found}


def read(path: Path, text: str) -> "FleetFile":
    """A file's text, sound in itself.

    Raises:
        Invalid: with the first problem; the others are said here.
    """
    from comptoir.fleet.read_file import read_fleet_file

    with telling(path):
        return read_fleet_file(path.name, text, time_ns() // 1_000_000)


@contextmanager
def waiting(what: str, long: bool) -> Iterator[None]:
    """Say what takes long, on a terminal with a sign of life, while it does."""
    if not long:
        yield
    elif not sys.stderr.isatty():
        note(what)
        yield
    else:
        from rich.console import Console

        with Console(stderr=True).status(what):
            yield


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Say every problem of a file but the first, which goes on as the error."""
    try:
        yield
    except Invalid as error:
        for problem in error.facts.get("problems", [])[1:]:
            place = filter(None, (f"{path.name}:{problem['line']}", problem["field"]))
            note(": ".join((*place, problem["message"])))
        raise


def show_applied(cli: Session, done: FleetApplied) -> None:
    """What a file changed, or would change."""
    would = "would declare" if done["dry_run"] else "declared"
    headline = (
        f"{would} {counted(done['nodes'], 'node')}, {done['accelerators']:,} accelerators"
        if done["nodes"]
        else "nothing to declare: the book has it all"
    )
    fields = [(lease["name"], _what(lease)) for lease in done["leases"]]
    fields += [
        (f"{cluster['site']}/{cluster['cluster']}", f"fabric {_DONE[cluster['action']]}")
        for cluster in done["clusters"]
    ]
    cli.record(done, headline, fields)


_DONE = {"declare": "new", "set": "new", "change": "changed", "unchanged": "unchanged"}


def _what(lease: Any) -> str:
    known = f" ({lease['inbound_lease_id']})" if lease["inbound_lease_id"] else ""
    count = counted(lease["nodes"], "node")
    return f"{_DONE[lease['action']]}{known}: {count}, {lease['accelerators']:,} x {lease['kind']}"


def text_of(path: Path) -> str:
    """What a file, or stdin, holds.

    Raises:
        Invalid: `bad_file`.
    """
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("bad_file", f"{path}: {error}", "write it as UTF-8 text") from None
    return text.removeprefix("\ufeff")  # spreadsheets begin a file with this mark


def _as_fleet(file: "FleetFile") -> dict[str, Any]:
    """A file in the shape in which the server tells of a fleet, nothing of it leased."""
    racks = sum(len(b.pods) * len(b.racks) for lease in file.leases for b in lease.blocks)
    sites: dict[str, Any] = {}
    for lease in file.leases:
        for block in lease.blocks:
            parts = block.racks if racks <= _MOST_RACKS else [""]
            for pod in block.pods:
                for rack in parts:
                    names = [block.site, block.cluster, block.pods.full("pod", pod)]
                    names += [block.racks.full("rack", rack)] if rack else []
                    inside = len(block.nodes) * (1 if rack else len(block.racks))
                    held = inside * block.accelerators_per_node
                    _add(sites, names, lease.kind, inside, held)
    clusters = [
        {"site": f.site, "cluster": f.cluster, "name": f.name, "gbps": f.gbps,
         "between_racks": f.between_racks, "between_pods": f.between_pods}
        for f in file.fabrics
    ]  # fmt: skip
    return {"sites": list(sites.values()), "clusters": clusters}


def _add(places: dict[str, Any], names: list[str], kind: str, nodes: int, held: int) -> None:
    name, *rest = names
    place = places.setdefault(name, {"name": name, "kinds": [], "inside": {}, "places": []})
    if rest:
        _add(place["inside"], rest, kind, nodes, held)
        place["places"] = list(place["inside"].values())
        return
    place["kinds"].append(
        {
            "kind": kind,
            "nodes": nodes,
            "accelerators": held,
            "allocated": 0,
            "out_of_service": 0,
            "spare": 0,
        }
    )


def _summary(file: "FleetFile") -> dict[str, Any]:
    return {
        "file": file.name,
        "nodes": sum(lease.node_count for lease in file.leases),
        "accelerators": sum(lease.accelerators for lease in file.leases),
        "leases": [
            {
                "name": lease.name,
                "kind": lease.kind,
                "nodes": lease.node_count,
                "accelerators": lease.accelerators,
            }
            for lease in file.leases
        ],
    }
