"""`contract`: files checked, proposed and approved; tranches, options, an exit."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from comptoir.cli.commands.accounts import LIMIT, TENANT
from comptoir.cli.commands.fleet_files import FILE, telling, text_of
from comptoir.cli.formats import Instant, counted, money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.contract_records import Commitment, ContractDetail, ContractProposed
from comptoir.units.errors import Invalid

if TYPE_CHECKING:
    from comptoir.sales.contracts import ContractFile

ABOUT = click.argument("about", metavar="NAME")
CONTRACT = click.argument("number", metavar="CONTRACT")
NOTE = click.option("--note", default="", help="Why; both sides are told.")


@click.group("contract", cls=Group)
def contract() -> None:
    """What is agreed with customers and partners, version by version."""


@leaf("check", "comptoir contract check acme.toml", online=False, group=contract)
@click.argument("file", type=FILE)
def check(cli: Session, file: Path) -> None:
    """Read a contract file, and say what it says or what is wrong, by line. Asks no server."""
    found = _read(file, text_of(file))
    cli.record(_summary(found), f"{found.number}   {found.direction}, {found.party}", _said(found))


@leaf(
    "propose",
    "comptoir contract propose acme.toml --dry-run",
    "comptoir contract propose acme.toml",
    group=contract,
)
@click.argument("file", type=FILE)
@click.option("--dry-run", is_flag=True, help="Only say what the book thinks of it.")
def propose(cli: Session, file: Path, dry_run: bool) -> None:
    """Propose a new contract, or the next version of one. It binds nobody until approved."""
    text = text_of(file)
    _read(file, text)
    made = cli.client.contracts.propose(file.name, text, dry_run)
    _told(cli, made, "would propose" if dry_run else "proposed")


@leaf("approve", "comptoir contract approve ACME-2027 1", group=contract)
@CONTRACT
@click.argument("version", type=click.IntRange(min=1))
def approve(cli: Session, number: str, version: int) -> None:
    """Put a proposed version in force from its date on: nobody approves their own."""
    _told(cli, cli.client.contracts.approve(number, version), "approved")


@leaf("withdraw", "comptoir contract withdraw ACME-2027 2", group=contract)
@CONTRACT
@click.argument("version", type=click.IntRange(min=1))
def withdraw(cli: Session, number: str, version: int) -> None:
    """Take a proposed version back."""
    _told(cli, cli.client.contracts.withdraw(number, version), "withdrew")


@leaf("list", "comptoir contract list --direction sold", group=contract)
@TENANT
@click.option("--direction", type=click.Choice(["sold", "bought"]), help="Of one direction.")
@LIMIT
def list_contracts(cli: Session, tenant: str | None, direction: str | None, limit: int) -> None:
    """List them, newest first."""
    from comptoir.cli.output import instant, text

    columns = [
        text("number"),
        text("direction"),
        text("with", "party"),
        text("currency"),
        instant(cli.times, "since", "created_at"),
    ]
    found = cli.client.contracts.list(tenant, direction)
    cli.table(islice(found, limit), columns, "contracts yet")


@leaf("show", "comptoir contract show ACME-2027", group=contract)
@CONTRACT
@click.option("--text", "as_text", is_flag=True, help="The file as it was proposed.")
@click.option("--next", "as_next", is_flag=True, help="The file that adds exercised expansions.")
def show(cli: Session, number: str, as_text: bool, as_next: bool) -> None:
    """Show what is in force, its commitments and tranches, and what was done."""
    found = cli.client.contracts.get(number)
    if (as_text or as_next) and not cli.json:
        click.echo(found["next_text" if as_next else "text"], nl=False)
        return
    _show(cli, found)


@leaf("deliver", "comptoir contract deliver ACME-2027 first", group=contract)
@CONTRACT
@ABOUT
@NOTE
def deliver(cli: Session, number: str, about: str, note: str) -> None:
    """Say that a tranche is delivered: from now on it can be accepted or rejected."""
    _act(cli, number, "deliver", about, note)


@leaf("accept", "comptoir contract accept ACME-2027 first", group=contract)
@CONTRACT
@ABOUT
@NOTE
def accept(cli: Session, number: str, about: str, note: str) -> None:
    """Accept a delivered tranche. Silence accepts it, too, once its time has passed."""
    _act(cli, number, "accept", about, note)


@leaf("reject", 'comptoir contract reject ACME-2027 first --note "2 nodes down"', group=contract)
@CONTRACT
@ABOUT
@NOTE
def reject(cli: Session, number: str, about: str, note: str) -> None:
    """Reject a delivered tranche; it is delivered again."""
    _act(cli, number, "reject", about, note)


@leaf("cancel", "comptoir contract cancel ACME-2027 second --yes", group=contract)
@CONTRACT
@ABOUT
@NOTE
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def cancel(cli: Session, number: str, about: str, note: str, yes: bool) -> None:
    """Cancel a tranche that is late by more than its grace, with what depends on it."""
    cli.confirm(f"cancel tranche {about} of {number} for good", yes)
    _act(cli, number, "cancel", about, note)


@leaf("exercise", "comptoir contract exercise ACME-2027 more", group=contract)
@CONTRACT
@ABOUT
@NOTE
def exercise(cli: Session, number: str, about: str, note: str) -> None:
    """Use an option to expand, before its date.

    The version that adds what it gives is proposed like any other: `contract show --next`
    writes it.
    """
    _act(cli, number, "exercise", about, note)


@leaf("exit", "comptoir contract exit ACME-2027 --at 2028-06-01T00:00:00Z --yes", group=contract)
@CONTRACT
@click.option("--at", type=Instant(), help="When; as soon as the notice allows if not said.")
@NOTE
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def exit_(cli: Session, number: str, at: str | None, note: str, yes: bool) -> None:
    """Give notice: the contract ends early, as it allows."""
    cli.confirm(f"end {number} early", yes)
    _act(cli, number, "exit", "", note, at)


def _act(cli: Session, number: str, act: str, about: str, note: str, at: str | None = None) -> None:
    done = cli.client.contracts.act(number, act, about, at, note)
    what = f"{act} {about}".strip()
    cli.record(done, f"{number}: {what}, effective {cli.times.when(done['effective_at'])}")


def _read(path: Path, text: str) -> "ContractFile":
    from comptoir.sales.contract_file import read_contract_file

    with telling(path):
        return read_contract_file(path.name, text)


def _summary(file: "ContractFile") -> dict[str, Any]:
    from comptoir.units.wire import instant, money

    return {
        "contract": file.number,
        "direction": file.direction,
        "party": file.party,
        "currency": file.currency,
        "zone": file.zone,
        "effective": instant(file.effective_from_ms),
        "until": instant(file.until_ms),
        "prices": len(file.body.prices),
        "commitments": [
            {"name": one.name, "type": one.type, "amount": money(one.micros)}
            for one in file.body.commitments
        ],
        "tranches": [one.name for one in file.body.tranches],
        "expansions": [one.name for one in file.body.expansions],
        "rights": dict(_rights(file)),
    }


def _said(file: "ContractFile") -> list[tuple[str, str]]:
    summary = _summary(file)
    since, until = _day(file, file.effective_from_ms), _day(file, file.until_ms)
    fields = [("from", f"{since} until {until}")]
    fields += [
        (one["name"], f"{one['type']}, {money(one['amount'], file.currency)}")
        for one in summary["commitments"]
    ]
    fields += [
        (one.name, f"{one.accelerators:,} x {one.kind} {_day(file, one.delivery_at_ms)}")
        for one in file.body.tranches
    ]
    if file.body.prices:
        fields.append(("prices", counted(len(file.body.prices), "agreed price")))
    return fields + _options(file, {}) + _rights(file)


def _options(file: "ContractFile", exercised: dict[str, str]) -> list[tuple[str, str]]:
    """What may be had more of, and by when; or since when that was used."""
    from comptoir.units.money import format_price

    found = []
    for one in file.body.expansions:
        price = "" if one.price_nanos is None else f" at {format_price(one.price_nanos)}"
        until = f"option until {_day(file, one.exercise_by_ms)}"
        if one.name in exercised:
            until = f"option, exercised {exercised[one.name][:10]}"
        found.append((one.name, f"{one.accelerators:,} x {one.kind}{price}, {until}"))
    return found


def _rights(file: "ContractFile") -> list[tuple[str, str]]:
    """How the contract may be left early, and what of it taken back or moved."""
    from comptoir.units.durations import format_duration_s
    from comptoir.units.money import format_minor, format_percent

    body, found = file.body, []
    if body.exit is not None:
        said = f"{format_duration_s(body.exit.notice_s)} notice"
        if body.exit.earliest_ms:
            said += f", not before {_day(file, body.exit.earliest_ms)}"
        fee = format_minor(body.exit.fee_micros, file.currency)
        said += f", fee {money(fee, file.currency)}"
        if body.exit.rest_ppm:
            said += f" and {format_percent(body.exit.rest_ppm)} % of what is released"
        found.append(("exit", said))
    if body.recall is not None:
        said = (
            f"{format_duration_s(body.recall.notice_s)} notice, {body.recall.times_a_year} a year"
        )
        said += f", fee {format_percent(body.recall.fee_ppm)} % of the price"
        found.append(("recall", said))
    if body.move is not None:
        said = f"{format_duration_s(body.move.notice_s)} notice, {body.move.times_a_year} a year"
        found.append(("move", said))
    return found


def _day(file: "ContractFile", instant_ms: int) -> str:
    from comptoir.units.time import format_day

    return format_day(instant_ms, file.zone)


def _told(cli: Session, made: ContractProposed, verb: str) -> None:
    version = made["version"]
    fields = [
        ("with", made["party"]),
        ("from", f"{version['effective_from'][:10]} until {version['ends_at'][:10]}"),
    ]
    if verb == "proposed":
        fields.append(("next", f"comptoir contract approve {made['number']} {version['number']}"))
    cli.record(made, f"{verb} {made['number']} version {version['number']}", fields)


def _show(cli: Session, found: ContractDetail) -> None:
    if cli.json:
        cli.record(found, "")
        return
    way = "sold to" if found["direction"] == "sold" else "bought from"
    fields = [
        (way, found["party"]),
        ("until", found["ends_at"][:10]),
        ("versions", ", ".join(f"{one['number']} {one['state']}" for one in found["versions"])),
    ]
    if found["inbound"]:
        fields.append(("inbound", ", ".join(found["inbound"])))
    for one in found["commitments"]:
        fields.append((one["name"], f"{one['type']}, {_stands(one, found['currency'])}"))
    if found["next_text"]:
        fields.append(("exercised", f"comptoir contract show {found['number']} --next > next.toml"))
    for tranche in found["tranches"]:
        size = f"{tranche['accelerators']:,} x {tranche['kind']}"
        deemed = " (deemed)" if tranche["deemed"] else ""
        fields.append((tranche["name"], f"{size} {tranche['state']}{deemed}"))
    fields += _agreed(found)
    cli.record(found, f"{found['number']} version {found['version']}   {found['state']}", fields)
    _show_prices(cli, found)


def _agreed(found: ContractDetail) -> list[tuple[str, str]]:
    """The options and rights of the version that is shown, and what of them was used."""
    from comptoir.sales.contract_file import read_contract_file

    try:
        file = read_contract_file(found["number"], found["text"])
    except Invalid:  # another version of Comptoir wrote it
        return []
    used = {act["about"]: act["effective_at"] for act in found["acts"] if act["act"] == "exercise"}
    left = [act["effective_at"] for act in found["acts"] if act["act"] == "exit"]
    fields = _options(file, used) + _rights(file)
    return fields + [("notice", f"given: it ends {at[:10]}") for at in left]


def _stands(one: Commitment, currency: str) -> str:
    if one["fell_away"]:
        return "fell away"
    waits = "" if one["alive"] else f", waits for {one['tranche']}"
    return f"{money(one['left'], currency)} left{waits}"


def _show_prices(cli: Session, found: ContractDetail) -> None:
    from comptoir.cli.output import Column, day, text

    if not found["prices"]:
        return
    columns = [
        text("kind"),
        text("class", "lease_class"),
        text("site"),
        text("term"),
        day("from", "starts_at"),
        day("until", "ends_at"),
        Column("price", lambda row: _price(row, found["currency"]), right=True),
    ]
    cli.table(found["prices"], columns, "agreed prices")


def _price(row: Any, currency: str) -> str:
    if row["factor"] is not None:
        return f"list x {row['factor']}"
    return money(row["price_per_accelerator_hour"], currency)
