"""`invoice`: previews, drafts, invoices for customers, chargeback statements for teams."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import click

from comptoir.cli.commands import invoice_documents
from comptoir.cli.commands.accounts import LIMIT, TENANT
from comptoir.cli.commands.approvals import show_approval
from comptoir.cli.commands.credit_notes import REASON
from comptoir.cli.formats import Instant, accelerator_time, money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.invoice_records import InvoiceDetail, InvoiceDraft, Party
from comptoir.units.errors import ComptoirError, Conflict, NotFound

SETTLING = ("on_account", "carried")
"""Types of lines that say how the sum is paid: they stand after the taxes."""


@click.group("invoice", cls=Group)
def invoice() -> None:
    """Invoices and chargeback statements: drafts without a number, then final for good."""


for command in (invoice_documents.pdf, invoice_documents.xml):
    invoice.add_command(command)


@leaf("preview", "comptoir invoice preview acme", group=invoice)
@click.argument("tenant")
def preview(cli: Session, tenant: str) -> None:
    """What the current invoice would ask if its period ended now. Nothing is written."""
    found = cli.client.invoices.preview(tenant)
    if cli.json or not found:
        cli.table(found, [], "use that is not billed")
        return
    for draft in found:
        _show_draft(cli, draft, "if it ended now")


@leaf("prepay", "comptoir invoice prepay acme", group=invoice)
@click.argument("tenant")
def prepay(cli: Session, tenant: str) -> None:
    """Draw up the instalments of commitments whose day has come; a close does it, too."""
    found = cli.client.invoices.prepay(tenant)
    if cli.json:
        cli.table(found, [], "instalments due")
        return
    for draft in found:
        _show_draft(cli, draft, f"draft {draft['id']}")


@leaf("issue", "comptoir invoice issue acme --yes", group=invoice)
@click.argument("tenant")
@click.option(
    "--until", type=Instant(), help="Now if not said; else the start of a month that has begun."
)
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def issue(cli: Session, tenant: str, until: str | None, yes: bool) -> None:
    """Bill what a tenant has used and was not billed. An invoice is never edited."""
    cli.confirm(f"issue an invoice to {tenant}, with the next number of its series", yes)
    _show(cli, cli.client.invoices.issue(tenant, until))


@leaf(
    "finalise",
    "comptoir invoice finalise iv_7Q4M --yes",
    "comptoir invoice finalise --period 2026-10 --entity house --yes",
    group=invoice,
)
@click.argument("draft", required=False)
@click.option("--period", metavar="PERIOD", help="All drafts of this period, by its id or name.")
@click.option(
    "--entity", default="house", show_default=True, metavar="ENTITY",
    help="With --period: of this legal entity, by id or slug.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def finalise(cli: Session, draft: str | None, period: str | None, entity: str, yes: bool) -> None:
    """Give drafts their numbers and ask for them. To run it again goes on where it stopped."""
    if (draft is None) is (period is None):
        raise click.UsageError("name a draft, or the --period whose drafts are meant")
    if draft is not None:
        cli.confirm(f"make {draft} final, with the next number of its series", yes)
        _show(cli, cli.client.invoices.finalise(draft))
        return
    assert period is not None
    whose = None if period.startswith("pd_") else entity  # an id is of one entity
    drafts = [one["id"] for one in cli.client.invoices.drafts(period=period, entity=whose)]
    of = period if whose is None else f"{period} of {entity}"
    cli.confirm(f"make {len(drafts):,} drafts of {of} final", yes)
    _list(cli, _finals(cli, reversed(drafts)), f"drafts of {of}")


def _finals(cli: Session, drafts: Iterable[str]) -> Iterator[InvoiceDetail]:
    """Drafts made final one by one; those that somebody else made final meanwhile are named."""
    for draft in drafts:
        try:
            yield cli.client.invoices.finalise(draft)
        except Conflict as error:
            if error.code != "already_final":
                raise
            click.echo(f"passed over: {error.message}", err=True)


@leaf(
    "list",
    "comptoir invoice list --tenant acme",
    "comptoir invoice list --drafts --period 2026-10",
    group=invoice,
)
@TENANT
@click.option("--drafts", is_flag=True, help="Those that are not final.")
@click.option("--period", metavar="PERIOD", help="With --drafts: only of this period.")
@click.option("--entity", metavar="ENTITY", help="With --drafts: only of this legal entity.")
@LIMIT
def list_invoices(
    cli: Session,
    tenant: str | None,
    drafts: bool,
    period: str | None,
    entity: str | None,
    limit: int,
) -> None:
    """List them, newest first, with what is open."""
    if not drafts:
        _list(cli, islice(cli.client.invoices.list(tenant), limit), "invoices yet")
        return
    from comptoir.cli.output import amount, instant, text

    columns = [
        text("draft", "id"),
        text("kind"),
        text("tenant"),
        instant(cli.times, "from", "starts_at"),
        instant(cli.times, "to", "ends_at"),
        amount("total", "total"),
    ]
    found = cli.client.invoices.drafts(tenant, period, entity)
    cli.table(cli.with_tenants(islice(found, limit)), columns, "drafts")


@leaf("show", "comptoir invoice show ACME-2026-000001", group=invoice)
@click.argument("number", metavar="INVOICE")
def show(cli: Session, number: str) -> None:
    """Show one with its lines, by its number or id; a draft by its id."""
    try:
        found = cli.client.invoices.get(number)
    except NotFound as no:
        if not number.startswith("iv_"):
            raise
        _show_draft(cli, _draft(cli, number, no), f"draft {number}")
        return
    _show(cli, found)


def _draft(cli: Session, id: str, no: NotFound) -> InvoiceDraft:
    """A draft; who may not see drafts is told what was said of the invoice."""
    try:
        return cli.client.invoices.draft(id)
    except ComptoirError:
        raise no from None


@leaf("void", 'comptoir invoice void ACME-2026-000001 --reason "not theirs" --yes', group=invoice)
@click.argument("number", metavar="INVOICE")
@REASON
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def void(cli: Session, number: str, reason: str, yes: bool) -> None:
    """Credit all that is left of an invoice: it stays, with its number, and asks nothing."""
    cli.confirm(f"credit all of {number}", yes)
    show_approval(cli, cli.client.credit_notes.issue(number, reason))


@leaf("statement", "comptoir invoice statement acme --since 2026-10-01T00:00:00Z", group=invoice)
@click.argument("tenant")
@click.option("--since", type=Instant(), help="From its first entry if not said.")
@click.option("--until", type=Instant(), help="Now if not said.")
def statement(cli: Session, tenant: str, since: str | None, until: str | None) -> None:
    """A tenant's account: what it was asked, what it paid, what stands open."""
    found = cli.client.invoices.statement(tenant, since, until)
    if cli.json:
        cli.record(found, "")
        return
    from comptoir.cli.output import amount, instant, text

    for account in found["items"]:
        code = account["currency"]
        starts, ends = money(account["opening"], code), money(account["closing"], code)
        owed, own = money(account["owed"], code), money(account["credit"], code)
        fields = [("asked and open", owed), ("its own credit", own)]
        if account["charged_back"]:
            fields = [("charged back", f"{owed} so far; a team is not asked to pay")]
        cli.record(account, f"{code}   {starts} before, {ends} now", fields)
        columns = [
            instant(cli.times, "at", "at"),
            text("what", "kind"),
            text("number", "description", flexible=True),
            amount("amount", "amount"),
            amount("balance", "balance"),
        ]
        cli.table([{**entry, "currency": code} for entry in account["entries"]], columns, "entries")
    if not found["items"]:
        cli.table([], [], "entries yet")


def _list(cli: Session, found: Iterator[Any], nothing: str) -> None:
    from comptoir.cli.output import Column, amount, instant, text

    columns = [
        text("number"),
        text("kind"),
        text("tenant"),
        instant(cli.times, "issued", "issued_at"),
        Column("state", _state),
        amount("total", "total"),
        amount("open", "open"),
    ]
    cli.table(cli.with_tenants(found), columns, nothing)


def _state(row: Mapping[str, Any]) -> str:
    """What became of it: a team pays nothing, it is charged in the act."""
    charged = row["kind"] == "chargeback" and row["state"] == "paid"
    return "charged" if charged else str(row["state"])


def _show(cli: Session, found: InvoiceDetail) -> None:
    total = money(found["total"], found["currency"])
    if cli.json:
        cli.record(found, "")
        return
    starts, ends = cli.times.when(found["starts_at"]), cli.times.when(found["ends_at"])
    kind = "chargeback to" if found["kind"] == "chargeback" else f"{found['kind']} to"
    fields = [
        ("from", _party(found["seller"])),
        (kind, f"{_party(found['buyer'])} ({found['tenant_id']})"),
        ("issued", cli.times.when(found["issued_at"])),
        ("for", f"{starts} to {ends}"),
    ]
    if found["opening_id"] is not None:
        fields[-1] = ("not ours", f"another system's number, brought by {found['opening_id']}")
    if found["kind"] != "chargeback":
        still = money(found["open"], found["currency"])
        if found["paid"].strip("0.-"):
            fields.append(("paid", money(found["paid"], found["currency"])))
        fields.append((found["state"], f"{still} open, due {cli.times.when(found['due_at'])}"))
        if found["seller"]["iban"]:
            paid_at = filter(None, (found["seller"]["iban"], found["seller"]["bic"]))
            fields.append(("pay to", " ".join(paid_at)))
    cli.record(found, f"{found['number']}   {total}", fields)
    _lines(cli, found)


def _party(party: Party) -> str:
    """Who sells or buys: the name, where it is, and its tax id where it has one."""
    where = ", ".join(filter(None, (party["name"], *party["address"], party["country"])))
    return f"{where}; tax id {party['tax_id']}" if party["tax_id"] else where


def _show_draft(cli: Session, found: InvoiceDraft, words: str) -> None:
    starts, ends = cli.times.when(found["starts_at"]), cli.times.when(found["ends_at"])
    fields = [("to", found["tenant_id"]), ("for", f"{starts} to {ends}")]
    cli.record(found, f"{money(found['total'], found['currency'])}   {words}", fields)
    _lines(cli, found)


def _with_days(line: Mapping[str, Any]) -> str:
    """What a line is, and when it was: an invoice may be over several months."""
    return f"{line['description']}, {line['starts_at'][:10]} to {line['ends_at'][:10]}"


def _lines(cli: Session, found: InvoiceDetail | InvoiceDraft) -> None:
    from comptoir.cli.output import Column, text

    code = found["currency"]

    def price(row: Mapping[str, Any]) -> str:
        return money(row["price_per_accelerator_hour"], code) if row["measure"] else "-"

    rows: list[Mapping[str, Any]] = [
        {**line} for line in found["lines"] if line["type"] not in SETTLING
    ]
    used = [line for line in found["lines"] if line["measure"]]
    if any(line["starts_at"] >= other["ends_at"] for line in used for other in used):
        rows = [{**row, "description": _with_days(row)} for row in rows]
    most = max(
        (int(line["accelerator_ms"]) for line in found["lines"] if line["measure"]), default=0
    )
    columns = [
        Column("line", lambda row: f"  {row['number']}", right=True),
        text("what", "description", flexible=True),
        Column(
            "use",
            lambda row: accelerator_time(row["accelerator_ms"], most) if row["measure"] else "-",
            right=True,
        ),
        Column("price/acc-h", price, right=True),
        Column("amount", lambda row: money(row["amount"], code), right=True),
        text("correction"),
    ]
    cli.table(rows, columns, "lines")
    for tax in found["taxes"]:
        rate = f"{tax['rate_percent']} % of {money(tax['base'], code)}"
        words = tax["note"] or tax["treatment"]
        cli.record(tax, f"  {words}, {rate}: {money(tax['amount'], code)}", [])
    for line in found["lines"]:
        if line["type"] in SETTLING:
            words = f"  {line['number']}  {line['description']}: {money(line['amount'], code)}"
            cli.record(line, words, [])
