"""`approval`: acts on money that one person asks for and another approves."""

from itertools import islice

import click

from comptoir.cli.commands.accounts import LIMIT
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.receipt_records import Approval

STATES = click.Choice(["asked", "approved", "withdrawn", "lapsed"])


@click.group("approval", cls=Group)
def approval() -> None:
    """Refunds, credit made by hand, credit notes, where you are paid: nobody decides alone."""


@leaf("list", "comptoir approval list --state asked", group=approval)
@click.option("--state", type=STATES, help="Only these.")
@LIMIT
def list_approvals(cli: Session, state: str | None, limit: int) -> None:
    """List them, newest first."""
    from comptoir.cli.output import instant, text

    columns = [
        text("id"),
        text("act", "kind"),
        text("state"),
        text("what", "summary", flexible=True),
        instant(cli.times, "asked", "asked_at"),
        text("by", "asked_by"),
    ]
    cli.table(islice(cli.client.approvals.list(state), limit), columns, "acts asked for")


@leaf("show", "comptoir approval show ap_7Q4M", group=approval)
@click.argument("approval_id", metavar="ACT")
def show(cli: Session, approval_id: str) -> None:
    """Show one, and what it made."""
    show_approval(cli, cli.client.approvals.get(approval_id))


@leaf("approve", "comptoir approval approve ap_7Q4M", group=approval)
@click.argument("approval_id", metavar="ACT")
def approve(cli: Session, approval_id: str) -> None:
    """Have it done; nobody approves what they asked for."""
    show_approval(cli, cli.client.approvals.approve(approval_id))


@leaf("withdraw", "comptoir approval withdraw ap_7Q4M", group=approval)
@click.argument("approval_id", metavar="ACT")
def withdraw(cli: Session, approval_id: str) -> None:
    """Say that it is not done: who asked for it may, and an approver."""
    show_approval(cli, cli.client.approvals.withdraw(approval_id))


def show_approval(cli: Session, found: Approval) -> None:
    """An act as it stands, and what comes next."""
    fields = [("what", found["summary"]), ("asked by", found["asked_by"])]
    if found["decided_by"]:
        fields.append((found["state"], f"by {found['decided_by']}"))
    if found["because"]:
        fields.append(("because", found["because"]))
    if found["made"]:
        fields.append(("made", found["made"]))
    if found["state"] == "asked":
        fields.append(("next", f"comptoir approval approve {found['id']}, by somebody else"))
    words = f"{found['id']}   {found['kind'].replace('_', ' ')} {found['state']}"
    cli.record(found, words, fields)
