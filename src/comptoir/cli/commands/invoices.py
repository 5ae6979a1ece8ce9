"""`invoice`: invoices for customers, chargeback statements for teams."""

from itertools import islice

import click

from comptoir.cli.commands.accounts import LIMIT, TENANT
from comptoir.cli.formats import Instant, accelerator_time, money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.account_records import InvoiceDetail


@click.group("invoice", cls=Group)
def invoice() -> None:
    """Invoices and chargeback statements: final once issued."""


@leaf("issue", "comptoir invoice issue acme --yes", group=invoice)
@click.argument("tenant")
@click.option(
    "--until", type=Instant(), help="Now if not said; else the start of a UTC month that has begun."
)
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def issue(cli: Session, tenant: str, until: str | None, yes: bool) -> None:
    """Bill what a tenant has used and was not billed. An invoice is never edited."""
    cli.confirm(f"issue an invoice to {tenant}, with the next number of its series", yes)
    _show(cli, cli.client.invoices.issue(tenant, until))


@leaf("list", "comptoir invoice list --tenant acme", group=invoice)
@TENANT
@LIMIT
def list_invoices(cli: Session, tenant: str | None, limit: int) -> None:
    """List them, newest first."""
    from comptoir.cli.output import amount, instant, text

    columns = [
        text("number"),
        text("kind"),
        text("tenant", "tenant_id"),
        instant(cli.times, "issued", "issued_at"),
        amount("total", "total"),
    ]
    cli.table(islice(cli.client.invoices.list(tenant), limit), columns, "invoices yet")


@leaf("show", "comptoir invoice show ACME-2026-000001", group=invoice)
@click.argument("number", metavar="INVOICE")
def show(cli: Session, number: str) -> None:
    """Show one with its lines, by its number or id."""
    _show(cli, cli.client.invoices.get(number))


def _show(cli: Session, found: InvoiceDetail) -> None:
    total = money(found["total"], found["currency"])
    if cli.json:
        cli.record(found, "")
        return
    starts, ends = cli.times.when(found["starts_at"]), cli.times.when(found["ends_at"])
    kind = "chargeback to" if found["kind"] == "chargeback" else "invoice to"
    fields = [
        (kind, found["tenant_id"]),
        ("issued", cli.times.when(found["issued_at"])),
        ("for", f"{starts} to {ends}"),
    ]
    cli.record(found, f"{found['number']}   {total}", fields)
    from comptoir.cli.output import Column, text

    rows = [{**line, "currency": found["currency"]} for line in found["lines"]]
    columns = [
        Column("line", lambda row: f"  {row['number']}", right=True),
        text("what", "description", flexible=True),
        Column("use", lambda row: accelerator_time(row["accelerator_ms"]), right=True),
        Column(
            "price/acc-h",
            lambda row: money(row["price_per_accelerator_hour"], row["currency"]),
            right=True,
        ),
        Column("amount", lambda row: money(row["amount"], row["currency"]), right=True),
        text("correction"),
    ]
    cli.table(rows, columns, "lines")
