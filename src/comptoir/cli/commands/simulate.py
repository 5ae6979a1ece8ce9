"""`simulate`: replay a trace through the real desk. The simulator is imported when it runs."""

from pathlib import Path

import click

from comptoir.cli.formats import Duration
from comptoir.cli.lazy import Session, leaf
from comptoir.cli.server_extra import server_room

FILE = click.Path(path_type=Path, dir_okay=False)


@leaf(
    "simulate",
    "comptoir simulate examples/traces/philly-2017.csv.gz --fleet examples/fleets/philly.toml "
    "--html philly.html",
    "comptoir simulate examples/traces/philly-2017.csv.gz --fleet examples/fleets/philly.toml "
    "--days 7 --policy comptoir,fifo,easy",
    online=False,
)
@click.argument("trace", type=FILE)
@click.option("--fleet", required=True, type=FILE, help="The fleet file (TOML) it is replayed on.")
@click.option("--json", "json_file", type=FILE, help="Write the report as JSON.")
@click.option("--html", "html_file", type=FILE, help="Write the report as one page with plots.")
@click.option(
    "--mix",
    default="internal=50,on_demand=20,spot=30",
    show_default=True,
    help="Which share of the jobs is of which class.",
)
@click.option("--rates", type=FILE, help="A rate card (TOML or CSV): what it would have earned.")
@click.option(
    "--policy",
    default="comptoir",
    show_default=True,
    help="What is compared: comptoir, unsold (its internal jobs alone), fifo, easy.",
)
@click.option(
    "--scale",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="Lay so many copies of the trace over each other, to fill a larger fleet.",
)
@click.option("--days", type=click.IntRange(1, 36_500), help="Only so many days; all if not said.")
@click.option(
    "--slices",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Into how many an accelerator is divided; fractions are rounded up to them.",
)
@click.option(
    "--failures",
    type=click.IntRange(0, 1_000_000),
    default=474,
    show_default=True,
    help="Node failures in a million accelerator-days.",
)
@click.option(
    "--checkpoint",
    type=Duration(),
    default="1h",
    show_default=True,
    help="How often jobs save their work; 0s is never.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Same, same.")
@click.option("--strict", is_flag=True, help="Stop at a gang that is larger than the fleet.")
def simulate(
    cli: Session,
    trace: Path,
    fleet: Path,
    json_file: Path | None,
    html_file: Path | None,
    mix: str,
    rates: Path | None,
    policy: str,
    scale: int,
    days: int | None,
    slices: int,
    failures: int,
    checkpoint: int,
    seed: int,
    strict: bool,
) -> int:
    """Replay a trace of jobs through the real desk, on a virtual clock.

    What would this fleet have done with that year, who would have waited, and what would it
    have earned? The same trace, fleet, options and seed give the same report. docs/replay.md
    """
    asked = server_room("comptoir.cli.replaying").Asked(
        trace, fleet, json_file, html_file, mix, rates, policy, scale, days, slices, failures,
        checkpoint, seed, strict,
    )  # fmt: skip
    return int(server_room("comptoir.cli.replaying").run(asked))
