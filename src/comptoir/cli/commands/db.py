"""`db`: upgrade, back up, restore and check a book, on the machine that has its data directory."""

from pathlib import Path
from typing import Any

import click

from comptoir.cli.commands.serving import DATA
from comptoir.cli.formats import counted
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.cli.server_extra import server_room

_ROOM = "comptoir.store.maintenance"
_DATA = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DATA,
    show_default=True,
    help="The data directory.",
)
_DATABASE = click.option(
    "--database-url", metavar="URL", help="The book's PostgreSQL, if it has one."
)


@click.group("db", cls=Group)
def db() -> None:
    """Upgrade, back up, restore and check a book. Backup and rerate may run beside a server."""


@leaf("upgrade", "comptoir db upgrade --data ./post", group=db, online=False)
@_DATA
@_DATABASE
def upgrade(cli: Session, data: Path, database_url: str | None) -> None:
    """Bring a book to this version's schema, after a backup."""
    done = server_room(_ROOM).upgrade(data, database_url)
    cli.record({"data": str(data), "result": str(done)}, f"{data}: {done}")


@leaf("backup", "comptoir db backup --data ./post --to post.backup", group=db, online=False)
@_DATA
@_DATABASE
@click.option(
    "--to", type=click.Path(path_type=Path), required=True, help="Where to; must not exist."
)
def backup(cli: Session, data: Path, database_url: str | None, to: Path) -> None:
    """Copy a book, as of one instant."""
    done = server_room(_ROOM).backup(data, to, database_url)
    cli.record({"data": str(data), "to": str(to), "result": str(done)}, f"{to}: {done}")


@leaf(
    "restore", "comptoir db restore --data ./post --from post.backup --yes", group=db, online=False
)
@_DATA
@_DATABASE
@click.option(
    "--from",
    "from_",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="A backup made with `comptoir db backup`.",
)
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def restore(cli: Session, data: Path, database_url: str | None, from_: Path, yes: bool) -> None:
    """Put a backup in the place of a book. What was written since is not in it."""
    cli.confirm(f"replace the book in {data} by {from_}: what was written since is not in it", yes)
    done = server_room(_ROOM).restore(data, from_, database_url)
    found = {"data": str(data), "from": str(from_), "result": str(done)}
    cli.record(found, f"{data}: {done}")


@leaf("rerate", "comptoir db rerate --data ./post", group=db, online=False)
@_DATA
@_DATABASE
def rerate(cli: Session, data: Path, database_url: str | None) -> int:
    """Price all stored usage again and compare every charge, bit by bit. Exit 1 if one differs."""
    done = server_room("comptoir.store.rerate").rerate(data, database_url)
    found = {
        "data": str(data),
        "usage": done.usage,
        "charges": done.charges,
        "numerator": str(done.numerator),
        "different": done.different,
        "differences": [
            {
                "usage_seq": one.usage_seq,
                "lease_id": one.lease_id,
                "booked": [list(map(str, facts)) for facts in one.booked],
                "expected": [list(map(str, facts)) for facts in one.expected],
            }
            for one in done.differences
        ],
    }
    fields = [
        ("usage", counted(done.usage, "event")),
        ("charges", f"{counted(done.charges, 'charge')}, {done.different:,} differ"),
        *((f"usage {one.usage_seq} of {one.lease_id}", _differs(one)) for one in done.differences),
    ]
    word = "every charge is what its usage, rate and contract version give"
    if done.different:
        word = f"{done.different:,} of what was booked came out otherwise"
    cli.record(found, f"{data}: {word}", fields)
    return 1 if done.different else 0


def _differs(one: Any) -> str:
    booked = "; ".join(" ".join(map(str, facts)) for facts in one.booked) or "nothing"
    expected = "; ".join(" ".join(map(str, facts)) for facts in one.expected) or "nothing"
    return f"booked {booked}, expected {expected}"
