"""`commitment`: what was promised, drawn and is left; `credit`: what usage draws on."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import click

from comptoir.cli.commands.accounts import LIMIT, TENANT
from comptoir.cli.formats import Instant, counted, money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.contract_records import Commitment, ContractDetail

BAR = 40


@click.group("commitment", cls=Group)
def commitment() -> None:
    """Commitments of contracts: what is granted, drawn, left, and when it is used up."""


@leaf("show", "comptoir commitment show ACME-2027", group=commitment)
@click.argument("number", metavar="CONTRACT")
@click.argument("name", required=False)
def show(cli: Session, number: str, name: str | None) -> None:
    """Show a contract's commitments, or one of them, at today's rate."""
    found = cli.client.contracts.get(number)
    chosen = [one for one in found["commitments"] if name in (None, one["name"])]
    if cli.json:
        from comptoir.cli.output import print_json

        print_json({"contract": found["number"], "currency": found["currency"], "items": chosen})
        return
    for one in chosen:
        cli.record(one, f"{found['number']}/{one['name']}   {_bar(one)}", _fields(cli, found, one))
    if not chosen:
        click.echo(f"no such commitment in {number}", err=True)


@leaf("list", "comptoir commitment list --direction bought", group=commitment)
@TENANT
@click.option("--direction", type=click.Choice(["sold", "bought"]), help="Of one direction.")
@LIMIT
def list_commitments(cli: Session, tenant: str | None, direction: str | None, limit: int) -> None:
    """List the commitments of all contracts."""
    from comptoir.cli.output import amount, day, text

    columns = [
        text("contract"),
        text("name", flexible=True),
        text("type"),
        amount("granted", "granted"),
        amount("left", "left"),
        day("used up", "used_up_at"),
        amount("short", "short"),
    ]
    rows = islice(_rows(cli, tenant, direction), limit)
    cli.table(rows, columns, "commitments yet")


@leaf("settle", "comptoir commitment settle", group=commitment)
@click.option("--until", type=Instant(), help="Now if not said.")
def settle(cli: Session, until: str | None) -> None:
    """Book the cost of bought capacity up to now, as happens by itself once a day."""
    done = cli.client.credit.settle_supply(until)
    contracts = counted(done["contracts"], "bought contract")
    cli.record(done, f"booked {contracts} up to {cli.times.when(done['until'])}")


@click.group("credit", cls=Group)
def credit() -> None:
    """Credit that usage draws on: prepaid commitments, grants, top-ups."""


@leaf("list", "comptoir credit list --tenant acme", group=credit)
@TENANT
@LIMIT
def list_blocks(cli: Session, tenant: str | None, limit: int) -> None:
    """List credit blocks, newest first; their priorities, where these differ."""
    from comptoir.cli.output import Column, amount, count, day, text

    found = list(cli.with_tenants(islice(cli.client.credit.blocks(tenant), limit)))

    columns = [
        text("id"),
        text("tenant"),
        text("source"),
        Column("state", lambda row: "over" if _is_over(cli, row) else str(row["state"])),
        amount("granted", "granted"),
        amount("left", "left"),
        day("from", "starts_at"),
        day("until", "ends_at"),
        *([count("priority")] if len({row["priority"] for row in found}) > 1 else []),
    ]
    cli.table(found, columns, "credit blocks yet")


@leaf("drawn", "comptoir credit drawn --tenant acme", group=credit)
@TENANT
@click.option("--block", help="Of one credit block.")
@LIMIT
def list_drawn(cli: Session, tenant: str | None, block: str | None, limit: int) -> None:
    """List what was drawn for good, newest first."""
    from comptoir.cli.output import Column, amount, text

    columns = [
        text("block", "credit_block_id"),
        text("for", "subject"),
        Column("from", lambda row: str(row["starts_at"])[:16]),
        Column("until", lambda row: str(row["ends_at"])[:16]),
        amount("amount", "amount"),
    ]
    cli.table(islice(cli.client.credit.drawdowns(tenant, block), limit), columns, "drawdowns yet")


def _rows(cli: Session, tenant: str | None, direction: str | None) -> Iterator[dict[str, Any]]:
    for contract in cli.client.contracts.list(tenant, direction):
        found = cli.client.contracts.get(contract["number"])
        for one in found["commitments"]:
            yield {
                **one,
                "contract": found["number"],
                "party": found["party"],
                "currency": found["currency"],
            }


def _fields(cli: Session, found: ContractDetail, one: Commitment) -> list[tuple[str, str]]:
    currency = found["currency"]
    hours = one["left_accelerator_hours"]
    left = money(one["left"], currency) + (f" ({int(hours):,} acc-h)" if hours else "")
    pending = f" and {money(one['pending'], currency)} pending" if _some(one["pending"]) else ""
    fields = [
        (
            "granted",
            f"{money(one['granted'], currency)}, {one['type']}, until {one['ends_at'][:10]}",
        ),
        ("drawn", money(one["drawn"], currency) + pending),
        ("left", left),
        ("at today's rate", _outlook(cli, one, currency)),
    ]
    if _some(one["expired"]):
        fields.append(("expired", money(one["expired"], currency)))
    if one["next_instalment"]:
        coming = one["next_instalment"]
        fields.append(
            ("next instalment", f"{money(coming['amount'], currency)} {coming['at'][:10]}")
        )
    if one["fell_away"]:
        fields = [("fell away", "nothing of it is owed, and nothing of it can be drawn any more")]
    elif not one["alive"]:
        fields.append(("waits for", f"tranche {one['tranche']}"))
    return fields


def _outlook(cli: Session, one: Commitment, currency: str) -> str:
    rate = f"{money(one['hourly'], currency)} an hour"
    if one["used_up_at"]:
        return f"{rate}: used up {one['used_up_at'][:10]}"
    if not _some(one["short"]):
        return f"{rate}: nothing is left to draw"
    what = "expire" if one["type"] == "prepaid" else "be owed as a true-up"
    return f"{rate}: {money(one['short'], currency)} would {what} at the end"


def _is_over(cli: Session, block: Mapping[str, Any]) -> bool:
    """Whether its window has passed: what usage of then leaves of it goes with the next close."""
    return block["state"] == "open" and bool(cli.passed(block["ends_at"]))


def _some(amount: str) -> bool:
    return amount.strip("-0.") != ""


def _bar(one: Commitment) -> str:
    """Drawn, pending, expired and left of what is granted, as 40 letters."""
    granted = _cents(one["granted"]) or 1
    drawn = _cents(one["drawn"]) * BAR // granted
    pending = (_cents(one["drawn"]) + _cents(one["pending"])) * BAR // granted - drawn
    expired = min(_cents(one["expired"]) * BAR // granted, BAR - drawn - pending)
    rest = BAR - drawn - pending - expired
    percent = (_cents(one["drawn"]) + _cents(one["pending"])) * 100 // granted
    return f"{'█' * drawn}{'▒' * pending}{'·' * rest}{'-' * expired}  {percent} % drawn"


def _cents(amount: str) -> int:
    whole, _, rest = amount.partition(".")
    return int(whole + rest[:2].ljust(2, "0"))
