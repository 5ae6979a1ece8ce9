"""`dispute`, `dunning`: what customers say they do not owe; when the rest is asked for again."""

from itertools import islice

import click

from comptoir.cli.commands.accounts import LIMIT, TENANT
from comptoir.cli.commands.approvals import show_approval
from comptoir.cli.formats import money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.receipt_records import Dispute, Dunning
from comptoir.units.errors import Invalid


@click.group("dispute", cls=Group)
def dispute() -> None:
    """Lines of invoices that a customer does not owe, as it says; only these are not dunned."""


@leaf(
    "open",
    'comptoir dispute open ACME-2027-000003 --line 1 --reason "node was down"',
    group=dispute,
)
@click.argument("invoice", metavar="INVOICE")
@click.option("--line", type=click.IntRange(min=1), required=True, help="Of the invoice.")
@click.option("--amount", metavar="DECIMAL", help="A part of it, without taxes; all if not said.")
@click.option("--reason", required=True, help="Why it is not owed.")
def open_dispute(cli: Session, invoice: str, line: int, amount: str | None, reason: str) -> None:
    """Dispute a line."""
    made = cli.client.disputes.open(invoice, line, reason, amount)
    _show(cli, made)


@leaf(
    "resolve",
    'comptoir dispute resolve dp_7Q4M --uphold --because "breach br_3F9K" --yes',
    group=dispute,
)
@click.argument("dispute_id", metavar="DISPUTE")
@click.option("--uphold/--reject", required=True, help="Credit it, or ask for it again.")
@click.option("--because", required=True, help="The customer reads it.")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def resolve(cli: Session, dispute_id: str, uphold: bool, because: str, yes: bool) -> None:
    """Settle one; to uphold it is asked for, and once approved its credit note is issued."""
    cli.confirm(f"{'ask to uphold and credit' if uphold else 'reject'} {dispute_id}", yes)
    if uphold:
        show_approval(cli, cli.client.disputes.uphold(dispute_id, because))
    else:
        _show(cli, cli.client.disputes.reject(dispute_id, because))


@leaf("list", "comptoir dispute list --state open", group=dispute)
@TENANT
@click.option("--state", type=click.Choice(["open", "upheld", "rejected"]), help="Only these.")
@LIMIT
def list_disputes(cli: Session, tenant: str | None, state: str | None, limit: int) -> None:
    """List them, newest first."""
    from comptoir.cli.output import Column, count, instant, text

    columns = [
        text("id"),
        text("invoice", "invoice_id"),
        count("line"),
        Column("amount", lambda row: str(row["amount"]), right=True),
        text("state"),
        instant(cli.times, "opened", "opened_at"),
        text("reason", flexible=True),
    ]
    cli.table(islice(cli.client.disputes.list(tenant, state), limit), columns, "disputes")


def _show(cli: Session, found: Dispute) -> None:
    fields = [
        ("invoice", f"{found['invoice_id']}, line {found['line']}"),
        ("amount", f"{found['amount']}, with taxes {found['gross']}"),
        ("because", found["reason"]),
        ("settled", found["resolution"] or "not yet"),
    ]
    cli.record(found, f"{found['id']}   {found['state']}", fields)


@click.group("dunning", cls=Group)
def dunning() -> None:
    """When unpaid invoices are asked for again."""


@leaf("show", "comptoir dunning show", group=dunning)
def show_steps(cli: Session) -> None:
    """Show the steps in force."""
    _show_steps(cli, cli.client.dunning.get())


@leaf("set", "comptoir dunning set reminder=3 second=14 final=30", group=dunning)
@click.argument("steps", nargs=-1, required=True, metavar="NAME=DAYS...")
def set_steps(cli: Session, steps: tuple[str, ...]) -> None:
    """Settle the steps: so many days after an invoice was due."""
    wanted: dict[str, int] = {}
    for name, days in map(_step, steps):
        if name in wanted:
            said = f"{name!r} is named twice: {wanted[name]} and {days} days"
            raise Invalid("bad_dunning_steps", said, "name each step once")
        wanted[name] = days
    _show_steps(cli, cli.client.dunning.set(wanted))


@leaf("list", "comptoir dunning list", group=dunning)
@LIMIT
def list_overdue(cli: Session, limit: int) -> None:
    """What was asked for again, newest first: the notices that went out."""
    from comptoir.cli.output import Column, instant

    told = (event for event in cli.client.events() if event["type"] == "invoice.overdue")
    columns = [
        instant(cli.times, "at", "at"),
        Column("invoice", lambda row: row["data"]["number"]),
        Column("step", lambda row: row["data"]["step"]),
        Column("asked", lambda row: money(row["data"]["amount"], row["data"]["currency"]), True),
    ]
    cli.table(islice(told, limit), columns, "invoices asked for again")


def _show_steps(cli: Session, found: Dunning) -> None:
    said = [(name, f"{days} days after it was due") for name, days in found["steps"].items()]
    cli.record(found, "an unpaid invoice is asked for again", said)


def _step(text: str) -> tuple[str, int]:
    name, _, days = text.partition("=")
    if not name or not days.isdecimal():
        raise Invalid("bad_dunning_steps", f"{text!r} is not NAME=DAYS", "for example reminder=3")
    return name, int(days)
