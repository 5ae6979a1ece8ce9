"""`credit-note`: invoices taken back, line by line."""

from itertools import islice

import click

from comptoir.cli.commands.accounts import LIMIT, TENANT
from comptoir.cli.commands.approvals import show_approval
from comptoir.cli.formats import money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.invoice_records import CreditNote

LINES = click.option(
    "--line",
    "lines",
    multiple=True,
    required=True,
    metavar="N[=AMOUNT]",
    help="A line, and how much of it; without an amount all that is left. Again for others.",
)
REASON = click.option("--reason", required=True, help="Printed on the credit note.")


@click.group("credit-note", cls=Group)
def credit_note() -> None:
    """Credit notes: the only way to take an invoice back. `invoice void` credits a whole one."""


@leaf(
    "issue",
    'comptoir credit-note issue ACME-2026-000001 --line 1=12.50 --reason "agreed by mail" --yes',
    group=credit_note,
)
@click.argument("invoice", metavar="INVOICE")
@LINES
@REASON
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def issue(cli: Session, invoice: str, lines: tuple[str, ...], reason: str, yes: bool) -> None:
    """Ask to credit lines of an invoice; taxes follow. It is issued once it is approved."""
    wanted: dict[int, str | None] = {}
    for number, amount in map(_line, lines):
        if number in wanted:
            raise click.BadParameter(f"line {number} is named twice", param_hint="--line")
        wanted[number] = amount
    cli.confirm(f"ask to credit line {', '.join(map(str, wanted))} of {invoice}", yes)
    show_approval(cli, cli.client.credit_notes.issue(invoice, reason, wanted))


@leaf("list", "comptoir credit-note list --invoice ACME-2026-000001", group=credit_note)
@TENANT
@click.option("--invoice", metavar="INVOICE", help="Only of this invoice.")
@LIMIT
def list_notes(cli: Session, tenant: str | None, invoice: str | None, limit: int) -> None:
    """List them, newest first."""
    from comptoir.cli.output import amount, instant, text

    columns = [
        text("number"),
        text("invoice", "invoice_number"),
        text("tenant"),
        instant(cli.times, "issued", "issued_at"),
        amount("total", "total"),
        text("reason", flexible=True),
    ]
    found = cli.client.credit_notes.list(tenant, invoice)
    cli.table(cli.with_tenants(islice(found, limit)), columns, "credit notes yet")


@leaf("show", "comptoir credit-note show CN-ACME-2026-000001", group=credit_note)
@click.argument("number", metavar="NOTE")
def show(cli: Session, number: str) -> None:
    """Show one with its lines, by its number or id."""
    show_note(cli, cli.client.credit_notes.get(number))


def show_note(cli: Session, found: CreditNote) -> None:
    """A credit note with its lines."""
    fields = [
        ("of", found["invoice_number"]),
        ("issued", cli.times.when(found["issued_at"])),
        ("because", found["reason"]),
        ("paid before", money(found["returned"], found["currency"])),
    ]
    cli.record(found, f"{found['number']}   {money(found['total'], found['currency'])}", fields)
    if cli.json:
        return
    from comptoir.cli.output import amount, count, text

    rows = [{**line, "currency": found["currency"]} for line in found["lines"]]
    columns = [
        count("line"),
        text("what", "description", flexible=True),
        amount("amount", "amount"),
    ]
    cli.table(rows, columns, "lines")
    for tax in found["taxes"]:
        rate = f"{tax['rate_percent']} % of {money(tax['base'], found['currency'])}"
        words = f"  {tax['note'] or tax['treatment']}, {rate}"
        cli.record(tax, f"{words}: {money(tax['amount'], found['currency'])}", [])


def _line(text: str) -> tuple[int, str | None]:
    number, of, amount = text.partition("=")
    if not number.isdecimal():
        raise click.BadParameter(
            f"{text!r} does not begin with a line's number", param_hint="--line"
        )
    if of and not amount:
        raise click.BadParameter(
            f"{text!r} names no amount; leave out the '=' to credit all that is left of the line",
            param_hint="--line",
        )
    return int(number), amount or None
