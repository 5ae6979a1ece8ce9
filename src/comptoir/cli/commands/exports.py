"""`export`: the book as files for bookkeepers and other programs. Nothing is written into it."""

from pathlib import Path
from time import time_ns

import click

from comptoir.cli.commands.invoice_documents import OUT
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.cli.server_extra import server_room
from comptoir.cli.whole_file import write_whole

DIRECTORY = click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False),
    help="Read a book's data directory here, instead of asking a server.",
)  # fmt: skip
DATABASE = click.option(
    "--database-url", metavar="URL", help="With --data: the book's PostgreSQL, if it has one."
)


@click.group("export", cls=Group)
def export() -> None:
    """The book as files for other programs, whole or not at all; to export again is as good."""


@leaf(
    "journal",
    "comptoir export journal --out ledger.beancount",
    "comptoir export journal --daily --out ledger.beancount",
    group=export,
)
@OUT
@click.option(
    "--daily/--each", default=None,
    help="Each day's sums, or each entry. By itself: sums beyond 100,000 entries.",
)  # fmt: skip
@DIRECTORY
@DATABASE
def journal(
    cli: Session, out: Path, daily: bool | None, data: Path | None, database_url: str | None
) -> None:
    """Write the ledger as plain text that Beancount's `bean-check` accepts."""
    if data is None:
        body = cli.client.exports.journal(daily)
    else:
        body = _of_directory(data, database_url, daily)
    write_whole(out, body)
    if str(out) != "-":
        said = {"file": str(out), "bytes": len(body)}
        cli.record(said, f"{out}   {len(body):,} bytes", [("check it", f"bean-check {out}")])


def _of_directory(data: Path, database_url: str | None, daily: bool | None) -> bytes:
    opening, reading = "comptoir.store.opening", "comptoir.store.views.reading"
    with server_room(opening).book_to_read(data, database_url) as engine:
        views = server_room(reading).Views(engine)
        pieces = server_room("comptoir.api.exports").journal_of(views, time_ns() // 10**6, daily)
        return "".join(pieces).encode()
