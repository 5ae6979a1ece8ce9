"""`import`: what a legal entity brings from another system on the day it moves in."""

import time
from itertools import islice
from pathlib import Path

import click

from comptoir.cli.commands.accounts import LIMIT
from comptoir.cli.formats import counted, money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.opening_records import Opening, OpeningProposed
from comptoir.units.errors import ComptoirError, Invalid

OPENING = click.argument("opening_id", metavar="OPENING")
LOOK_AGAIN_S = 0.3


@click.group("import", cls=Group)
def import_() -> None:
    """Contracts, balances, open invoices and numbers of another system."""


@leaf(
    "opening",
    "comptoir import opening opening.toml --check",
    "comptoir import opening opening.toml",
    group=import_,
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--check", is_flag=True, help="Only say what it would bring, or all that is wrong.")
def opening(cli: Session, file: Path, check: bool) -> None:
    """Propose what an entity brings at its cut-over. Nothing is brought until it is approved.

    The TOML names the contracts and tables that belong to it; they lie beside it. To propose the
    same files again changes nothing. docs/import.md has all fields.
    """
    try:
        done = cli.client.openings.propose(_files(file), check)
    except ComptoirError as no:
        if not cli.json:
            _show_faults(no)
        raise
    words = "would bring" if check else "proposed before" if done["repeated"] else "proposed"
    _show(cli, done, f"{words} {done['name']}", done)


@leaf("approve", "comptoir import approve op_7Q4M --yes", group=import_)
@OPENING
@click.option("--no-wait", is_flag=True, help="Begin, and do not wait for its end.")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def approve(cli: Session, opening_id: str, no_wait: bool, yes: bool) -> None:
    """Bring a proposed opening, for good: nobody approves their own.

    One that is interrupted goes on by itself when the server does.
    """
    cli.confirm(f"bring all of {opening_id}, for good", yes)
    found = cli.client.openings.approve(opening_id)
    while found["state"] == "bringing" and not no_wait:
        time.sleep(LOOK_AGAIN_S)
        found = cli.client.openings.get(opening_id)
    _show(cli, found, f"{found['name']} is {found['state']}")


@leaf("withdraw", "comptoir import withdraw op_7Q4M", group=import_)
@OPENING
def withdraw(cli: Session, opening_id: str) -> None:
    """Take a proposed opening back; another may be proposed then."""
    found = cli.client.openings.withdraw(opening_id)
    _show(cli, found, f"withdrew {found['name']}")


@leaf("list", "comptoir import list", group=import_)
@click.option("--entity", metavar="ENTITY", help="Only this entity's, by id or slug.")
@LIMIT
def list_openings(cli: Session, entity: str | None, limit: int) -> None:
    """List them, last proposed first."""
    from comptoir.cli.output import count, instant, text

    columns = [
        text("opening", "id"),
        text("name"),
        text("entity", "entity_id"),
        text("from", "source"),
        instant(cli.times, "cut-over", "cut_over"),
        text("state"),
        count("done", "done_items"),
        count("items", "total_items"),
    ]
    cli.table(islice(cli.client.openings.list(entity), limit), columns, "openings yet")


@leaf(
    "show",
    "comptoir import show op_7Q4M",
    "comptoir import show op_7Q4M --items --limit 10000",
    group=import_,
)
@OPENING
@click.option("--items", is_flag=True, help="What became of each item, with its file and line.")
@LIMIT
def show(cli: Session, opening_id: str, items: bool, limit: int) -> None:
    """Show one: how far it is, and what it came to."""
    if not items:
        found = cli.client.openings.get(opening_id)
        _show(cli, found, f"{found['name']} is {found['state']}")
        return
    from comptoir.cli.output import Column, amount, count, text

    columns = [
        count("number"),
        text("what", "brings"),
        text("became", "subject"),
        amount("amount", "amount"),
        Column("from", lambda row: f"{row['file']}:{row['line']}"),
    ]
    found_items = islice(cli.client.openings.items(opening_id), limit)
    cli.table(found_items, columns, "items brought yet")


def _files(file: Path) -> dict[str, str]:
    """An opening's files by their names: its TOML, and what it names, from the same directory."""
    from comptoir.billing.opening_file import files_named

    text = _text(file)
    found = {file.name: text}
    for name in files_named(file.name, text):
        beside = file.parent / name
        if beside.is_file() and file.parent.resolve() in beside.resolve().parents:
            found[name] = _text(beside)  # one that is not there is said with its line
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        said = f"{file} cannot be read as UTF-8 text"
        raise Invalid("bad_opening_file", said, "convert it, or name another") from error


def _show_faults(no: ComptoirError) -> None:
    """Every fault on a line of its own, with what mends it, before the first is the error."""
    for fault in no.facts.get("problems", ()):
        field = f" {fault['field']}:" if fault["field"] else ""
        click.echo(f"{fault['file']}:{fault['line']}:{field} {fault['message']}", err=True)
        if fault.get("next"):
            click.echo(f"    {fault['next']}", err=True)


def _show(cli: Session, found: Opening, words: str, made: OpeningProposed | None = None) -> None:
    fields = [
        ("entity", found["entity_id"]),
        ("cut-over", f"{cli.times.when(found['cut_over'])}, from {found['source']}"),
        ("items", f"{found['done_items']:,} of {found['total_items']:,} brought"),
        *((total["of"], _total(total)) for total in found["totals"]),
    ]
    if made is not None and not made["dry_run"] and found["state"] == "proposed":
        fields.append(("next", f"comptoir import approve {found['id']} --yes"))
    cli.record(made or found, f"{words}   {found['id']}" if made is None else words, fields)


def _total(total: object) -> str:
    from typing import Any, cast

    told = cast(dict[str, Any], total)
    said = money(told["amount"], told["currency"])
    return said if told["of"] == "opening" else f"{said}, {counted(told['count'], 'item')}"
