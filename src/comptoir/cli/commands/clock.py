"""`clock`: what time it is in the book, and moving a test clock on."""

import sys

import click

from comptoir.cli.formats import Duration, Instant
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.window_records import Clock
from comptoir.units.time import format_instant, parse_instant


@click.group("clock", cls=Group)
def clock() -> None:
    """What time it is in the book; a test clock stands until it is moved on."""


@leaf("show", "comptoir clock show", group=clock)
def show_clock(cli: Session) -> None:
    """Show what time it is in the book."""
    _show(cli, cli.client.clock.show())


@leaf(
    "advance",
    "comptoir clock advance --by 31d",
    "comptoir clock advance --to 2026-11-01T00:00:00Z",
    group=clock,
)
@click.option("--to", type=Instant(), help="Where it is to stand.")
@click.option("--by", type=Duration(), help="How far, such as 36h or 31d.")
def advance_clock(cli: Session, to: str | None, by: int | None) -> None:
    """Move a test clock on: what is due until then happens, in order.

    Only a book that was made with `comptoir up --test-clock` has one.
    """
    if (to is None) == (by is None):
        raise click.UsageError("say --to or --by")
    now = cli.client.clock.show()
    began_ms = parse_instant(now["now"])
    if by is not None:
        to = format_instant(began_ms + by * 1_000)
    assert to is not None
    goal_ms = parse_instant(to)
    now = cli.client.clock.advance(to)
    while (stands_ms := parse_instant(now["now"])) < goal_ms:
        if sys.stderr.isatty():
            click.echo(f"\r{_bar(stands_ms - began_ms, goal_ms - began_ms)}", nl=False, err=True)
        now = cli.client.clock.advance(to)
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
    _show(cli, now)


def _show(cli: Session, now: Clock) -> None:
    kind = "a test clock: comptoir clock advance moves it on" if now["test"] else "the real time"
    cli.record(now, f"it is {now['now']}", [("clock", kind)])


def _bar(done: int, whole: int) -> str:
    filled = 30 * done // whole
    return f"time goes on  {'█' * filled}{'·' * (30 - filled)}  {100 * done // whole:3d} %"
