"""`bench`: measure this machine. Each measure is a command; without one, all of them run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from comptoir.cli.lazy import Group, Session, leaf
from comptoir.cli.server_extra import server_room
from comptoir.units.errors import Invalid

F = TypeVar("F", bound=Callable[..., Any])
_ROOM = "comptoir.cli.bench"


def _where_it_can_be(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    """A file in a directory that there is: a slip makes no directory, and costs no minutes."""
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"there is no directory {path.parent}")
    return path


JSON_FILE = click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_where_it_can_be,
    help="Write the figures and the machine as JSON too.",
)


def nodes_option(default: int) -> Callable[[F], F]:
    """The option that says how large a fleet is measured."""
    return click.option(
        "--nodes",
        type=click.IntRange(8, 1_000_000),
        default=default,
        show_default=True,
        help="Nodes of 8 accelerators in the fleet.",
    )


@click.group("bench", cls=Group, invoke_without_command=True, no_args_is_help=False)
@JSON_FILE
@click.pass_context
def bench(ctx: click.Context, json_file: Path | None) -> int:
    """Measure this machine: what is named, or everything.

    Medians of several runs, each beside its goal. Everything takes some minutes.
    """
    if ctx.invoked_subcommand is None:
        return int(server_room(_ROOM).run_all(json_file))
    if json_file is not None:
        raise click.UsageError(f"--json belongs after {ctx.invoked_subcommand}")
    return 0


@leaf(
    "desk",
    "comptoir bench desk",
    "comptoir bench desk --nodes 76800 --json desk.json",
    group=bench,
    online=False,
)
@nodes_option(3_072)
@JSON_FILE
def desk(cli: Session, nodes: int, json_file: Path | None) -> int:
    """Durable lease requests of 64 clients in process, handed over too, beside bare rows."""
    return int(server_room(_ROOM).run_one("desk", json_file, nodes=nodes))


@leaf(
    "calendar",
    "comptoir bench calendar",
    "comptoir bench calendar --nodes 76800 --json calendar.json",
    group=bench,
    online=False,
)
@nodes_option(3_072)
@click.option(
    "--reservations",
    type=click.IntRange(100, 1_000_000),
    default=100_000,
    show_default=True,
    help="Windows promised in the year.",
)
@JSON_FILE
def calendar(cli: Session, nodes: int, reservations: int, json_file: Path | None) -> int:
    """When are k accelerators free for so long? A year of one pool, 97 % full."""
    sizes = {"nodes": nodes, "reservations": reservations}
    return int(server_room(_ROOM).run_one("calendar", json_file, **sizes))


@leaf(
    "close",
    "comptoir bench close --json close.json",
    group=bench,
    online=False,
)
@click.option(
    "--tenants", type=click.IntRange(1, 10_000), default=1_000, show_default=True, help="Tenants."
)
@click.option(
    "--charges",
    type=click.IntRange(1_000, 10_000_000),
    default=1_000_000,
    show_default=True,
    help="Charges of all of them.",
)
@JSON_FILE
def close(cli: Session, tenants: int, charges: int, json_file: Path | None) -> int:
    """A month of many tenants closed while leases are asked for, and the desk's longest pause."""
    room = server_room(_ROOM)
    return int(room.run_one("close", json_file, tenants=tenants, charges=charges))


@leaf("fill", "comptoir bench fill --json fill.json", group=bench, online=False)
@JSON_FILE
def fill(cli: Session, json_file: Path | None) -> int:
    """An empty fleet of 24,576 accelerators filled with mixed requests, beside Slurm.

    Slurm is started with emulated nodes where it is installed: from Debian,
    apt-get install slurmctld slurm-client munge.
    """
    return int(server_room(_ROOM).run_one("fill", json_file))


@leaf("http", "comptoir bench http --json http.json", group=bench, online=False)
@JSON_FILE
def http(cli: Session, json_file: Path | None) -> int:
    """Lease requests and pages of a list over HTTP from 64 connections, and memory."""
    return int(server_room(_ROOM).run_one("http", json_file))


@leaf("jobs", "comptoir bench jobs --json jobs.json", group=bench, online=False)
@JSON_FILE
def jobs(cli: Session, json_file: Path | None) -> int:
    """How long a job waits from submitted to running on an idle node."""
    return int(server_room(_ROOM).run_one("jobs", json_file))


@leaf(
    "placement",
    "comptoir bench placement",
    "comptoir bench placement --nodes 1000000 --json placement.json",
    group=bench,
    online=False,
)
@nodes_option(76_800)
@JSON_FILE
def placement(cli: Session, nodes: int, json_file: Path | None) -> int:
    """Placement decisions of a full fleet, plain and compiled, and a queue planned again."""
    return int(server_room(_ROOM).run_one("placement", json_file, nodes=nodes))


@leaf(
    "rating",
    "comptoir bench rating --json rating.json",
    "comptoir bench rating --rows 5000000",
    group=bench,
    online=False,
)
@click.option(
    "--rows",
    type=click.IntRange(100_000, 1_000_000_000),
    default=50_000_000,
    show_default=True,
    help="Usage rows rated through DuckDB.",
)
@JSON_FILE
def rating(cli: Session, rows: int, json_file: Path | None) -> int:
    """Usage rows priced exactly, in plain Python and through DuckDB beside a bare GROUP BY."""
    return int(server_room(_ROOM).run_one("rating", json_file, rows=rows))


@leaf(
    "rebalance",
    "comptoir bench rebalance --json rebalance.json",
    "comptoir bench rebalance --nodes 10000 --reservations 100",
    group=bench,
    online=False,
)
@nodes_option(1_000_000)
@click.option(
    "--reservations",
    type=click.IntRange(3, 10_000),
    default=1_000,
    show_default=True,
    help="Windows that stand on them.",
)
@JSON_FILE
def rebalance(cli: Session, nodes: int, reservations: int, json_file: Path | None) -> int:
    """Whole pods restored in a large fleet: seconds, gap and memory of the planning process."""
    sizes = {"nodes": nodes, "reservations": reservations}
    return int(server_room(_ROOM).run_one("rebalance", json_file, **sizes))


@leaf("replay", "comptoir bench replay --json replay.json", group=bench, online=False)
@JSON_FILE
def replay(cli: Session, json_file: Path | None) -> int:
    """Real jobs replayed through the whole desk: 440 accelerators, and 24,576 for a week.

    From the root of the repository, where the trace is.
    """
    trace = server_room(f"{_ROOM}.replay").TRACE
    if not trace.exists():
        raise Invalid("no_file", f"there is no {trace} here", "go to the root of the repository")
    return int(server_room(_ROOM).run_one("replay", json_file))


@leaf("start", "comptoir bench start --json start.json", group=bench, online=False)
@click.option(
    "--leases",
    type=click.IntRange(1_000, 1_000_000),
    default=100_000,
    show_default=True,
    help="Live leases in the book.",
)
@JSON_FILE
def start(cli: Session, leases: int, json_file: Path | None) -> int:
    """How long a desk takes to have its book in memory again."""
    return int(server_room(_ROOM).run_one("start", json_file, leases=leases))
