"""`payment`: bank files booked, what came in given to invoices, sent back or kept as credit."""

from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from comptoir.cli.commands.accounts import LIMIT, TENANT
from comptoir.cli.commands.approvals import show_approval
from comptoir.cli.formats import counted, money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.receipt_records import BankFileBooked, Payment
from comptoir.units.errors import Invalid

if TYPE_CHECKING:
    from comptoir.cli.output import Column

STATES = click.Choice(
    [
        "matched",
        "partial",
        "excess",
        "unidentified",
        "refunded",
        "topped_up",
        "sent",
        "bounced",
        "duplicate",
        "passed_over",
    ]
)
MOST_BYTES = 1_000_000
"""Of a bank file: a body of the API has 1,048,576 bytes, quotation and all."""
MOST_SHOWN = 100
"""Letters of a bank reference in a table."""
AMOUNT = click.option("--amount", metavar="DECIMAL", help="A part; all of it if not said.")


@click.group("payment", cls=Group)
def payment() -> None:
    """What came in, and which invoices it pays."""


@leaf(
    "import",
    "comptoir payment import 2027-02-28.xml --entity paris",
    "comptoir payment import bank.csv --column date=Valuta --column amount=Betrag",
    group=payment,
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--entity", default="house", show_default=True, help="Whose account it is of.")
@click.option(
    "--column", "columns", multiple=True, metavar="FIELD=COLUMN", help="CSV: where a field is."
)
def import_file(cli: Session, file: Path, entity: str, columns: tuple[str, ...]) -> None:
    """Book a bank's file: camt.053, or CSV. Booked again, it changes nothing.

    CSV has the columns date, amount, currency and reference; if there are, account (yours),
    payer, payer_account, id, end_to_end and reversal (a payment taken back: yes or no). With
    semicolons between them, 1.234,56 and 31.01.2027 are read, too. A last row whose date is
    `total` is checked against the others. What another file has told of is kept as a duplicate.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid("bad_bank_file", f"{file.name} is not UTF-8", "convert it first") from error
    except OSError as error:
        said = f"{file} cannot be read: {error.strerror}"
        raise Invalid("bad_bank_file", said, "name a file that is there") from error
    if not text.strip():
        raise Invalid("bad_bank_file", f"{file} is empty", "fetch it from the bank again")
    if len(text.encode()) > MOST_BYTES:
        raise Invalid(
            "bad_bank_file",
            f"{file} has {len(text.encode()):,} bytes, and a bank file has at most {MOST_BYTES:,}",
            "send it in parts: fetch it from the bank day by day, or cut a CSV file between its "
            "rows, each part with the header",
        )
    words = dict(_pair(column) for column in columns)
    done = cli.client.payments.book_file(file.name, text, entity, words)
    if cli.json:
        cli.record(done, "")
        return
    _show_booked(cli, done)


def _show_booked(cli: Session, done: BankFileBooked) -> None:
    from comptoir.cli.output import print_line

    made = counted(len(done["payments"]) - done["duplicates"], "payment")
    click.echo(
        f"booked {made}; {done['repeated']:,} were booked before, {done['outgoing']:,} passed over"
    )
    if not (done["payments"] or done["repeated"] or done["outgoing"]):
        click.echo("the file has no entries: fetch it again, if money has moved")
    if done["outgoing"]:
        click.echo("what went out and is about nothing known, or is of 0.00, is passed over")
        click.echo("    comptoir payment list --state passed_over; what is yours: payment post")
    if done["duplicates"]:
        flagged = counted(done["duplicates"], "payment")
        click.echo(f"{flagged} another file told of: flagged, not booked")
        click.echo("    comptoir payment book PAYMENT, if one is a payment of its own")
    if done["payments"]:
        cli.table(cli.with_tenants(done["payments"]), _columns(cli), "payments")
    for id, numbers in done["suggestions"].items():
        print_line(f"{id} names no invoice; of its amount: {', '.join(numbers)}")
        click.echo(f"    comptoir payment allocate {id} {numbers[0]}")


@leaf("list", "comptoir payment list --state unidentified", group=payment)
@TENANT
@click.option(
    "--state", type=STATES, metavar="STATE", help=f"Only these: {', '.join(STATES.choices)}."
)
@LIMIT
def list_payments(cli: Session, tenant: str | None, state: str | None, limit: int) -> None:
    """List them, last booked first."""
    found = islice(cli.client.payments.list(tenant, state), limit)
    cli.table(cli.with_tenants(found), _columns(cli), "payments yet")


@leaf("show", "comptoir payment show py_7Q4M", group=payment)
@click.argument("payment_id", metavar="PAYMENT")
def show(cli: Session, payment_id: str) -> None:
    """Show one, and what it pays."""
    _show(cli, cli.client.payments.get(payment_id))


@leaf("book", "comptoir payment book py_7Q4M", group=payment)
@click.argument("payment_id", metavar="PAYMENT")
def book(cli: Session, payment_id: str) -> None:
    """Book one that was flagged as a duplicate: it is a payment of its own."""
    _show(cli, cli.client.payments.book(payment_id))


@leaf("allocate", "comptoir payment allocate py_7Q4M ACME-2027-000003", group=payment)
@click.argument("payment_id", metavar="PAYMENT")
@click.argument("invoice", metavar="INVOICE")
@AMOUNT
def allocate(cli: Session, payment_id: str, invoice: str, amount: str | None) -> None:
    """Give what is left of a payment to an invoice.

    What went out and is not known is given to the payment that it took back, INVOICE is its id.
    """
    _show(cli, cli.client.payments.allocate(payment_id, invoice, amount))


@leaf("refund", 'comptoir payment refund py_7Q4M --reason "paid twice" --yes', group=payment)
@click.argument("payment_id", metavar="PAYMENT")
@click.option("--reason", required=True, help="Why.")
@AMOUNT
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def refund(cli: Session, payment_id: str, reason: str, amount: str | None, yes: bool) -> None:
    """Ask that what is left of a payment is sent back; once approved, your bank does it."""
    cli.confirm(f"ask to refund {amount or 'all that is left'} of {payment_id}", yes)
    show_approval(cli, cli.client.payments.refund(payment_id, reason, amount))


@leaf(
    "post",
    'comptoir payment post py_7Q4M --bank-fees --reason "account fee" --yes',
    'comptoir payment post py_7Q4M --contract NORTH-1 --reason "their bank\'s name" --yes',
    group=payment,
)
@click.argument("payment_id", metavar="PAYMENT")
@click.option("--bank-fees", is_flag=True, help="It was your bank's.")
@click.option("--contract", metavar="CONTRACT", help="It went to this contract's supplier.")
@click.option("--reason", required=True, help="Why.")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def post(
    cli: Session, payment_id: str, bank_fees: bool, contract: str | None, reason: str, yes: bool
) -> None:
    """Ask to post what went out and was passed over: bank fees, or a supplier's."""
    if bank_fees is (contract is not None):
        raise click.UsageError("say --bank-fees, or the supplier's --contract")
    cli.confirm(f"ask to post {payment_id} as {contract or 'bank fees'}", yes)
    show_approval(cli, cli.client.payments.post(payment_id, reason, contract))


@leaf("top-up", "comptoir payment top-up py_7Q4M", group=payment)
@click.argument("payment_id", metavar="PAYMENT")
@AMOUNT
@click.option("--tenant", help="Whose, where the payment is nobody's yet.")
def top_up(cli: Session, payment_id: str, amount: str | None, tenant: str | None) -> None:
    """Ask to make prepaid credit of what is left of a payment; it counts from the value date."""
    show_approval(cli, cli.client.payments.top_up(payment_id, amount, tenant))


@leaf("owed", "comptoir payment owed --partner northern-cloud", group=payment)
@click.option("--partner", help="Only to this supplier.")
def owed(cli: Session, partner: str | None) -> None:
    """What suppliers are owed, due first before the rest.

    A transfer in a bank file is matched by the contract's number in its reference, or by the
    supplier's name where no more goes out than it is owed; what is due first is paid first.
    """
    from comptoir.cli.output import amount, instant, text

    columns = [
        text("to", "partner"),
        text("contract"),
        text("for", "what"),
        amount("owed", "amount"),
        instant(cli.times, "due", "due_at"),
        text("overdue"),
    ]
    cli.table(cli.client.payments.owed(partner), columns, "payables")


@leaf("ageing", "comptoir payment ageing", group=payment)
@TENANT
def ageing(cli: Session, tenant: str | None) -> None:
    """What customers still owe, by days since it was due, and what of it they dispute."""
    from comptoir.cli.output import amount, text

    columns = [
        text("tenant"),
        *(
            amount(word, name)
            for word, name in (
                ("not due", "not_due"),
                ("1-30", "days_1_30"),
                ("31-60", "days_31_60"),
                ("61-90", "days_61_90"),
                ("over 90", "over_90"),
                ("total", "total"),
                ("of which disputed", "disputed"),
            )
        ),
    ]
    cli.table(cli.with_tenants(cli.client.payments.ageing(tenant)), columns, "open invoices")


def _columns(cli: Session) -> "list[Column]":
    from comptoir.cli.output import Column, amount, instant, text

    return [
        text("id"),
        instant(cli.times, "value", "value_at"),
        amount("amount", "amount"),
        text("state"),
        amount("left", "left"),
        Column("reference", lambda row: _short(row["reference"]), flexible=True),
        text("tenant"),
    ]


def _show(cli: Session, found: Payment) -> None:
    code = found["currency"]
    pays = ", ".join(f"{part['invoice_id']} {money(part['paid'], code)}" for part in found["parts"])
    fields = [
        ("state", found["state"].replace("_", " ")),
        ("from", found["payer"] or "not named"),
        ("reference", found["reference"] or "none"),
        ("value date", cli.times.when(found["value_at"])),
        ("tenant", found["tenant_id"] or "not known yet"),
        ("pays", pays or found["about"] or "nothing yet"),
        ("left", money(found["left"], code)),
    ]
    realised = sum(Decimal(part["realised"]) for part in found["parts"])
    if realised:
        home = cli.client.entities.get(found["entity_id"])["currency"]
        made = "a gain" if realised > 0 else "a loss"
        fields.append(("exchange", f"{made} of {money(str(abs(realised)), home)} realised"))
    cli.record(found, f"{found['id']}   {money(found['amount'], code)}", fields)


def _short(reference: str) -> str:
    """What a table says of a reference; `payment show` has all of it."""
    if len(reference) <= MOST_SHOWN:
        return reference or "-"
    return f"{reference[: MOST_SHOWN - 1]}\N{HORIZONTAL ELLIPSIS}"


def _pair(text: str) -> tuple[str, str]:
    field, mark, column = text.partition("=")
    if not mark or not field or not column:
        raise Invalid("bad_column", f"{text!r} is not FIELD=COLUMN", "for example date=Valuta")
    return field, column
