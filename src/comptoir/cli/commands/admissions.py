"""`admission`: how a customer comes in, from the invitation to its credit limit."""

from typing import Any

import click

from comptoir.cli.commands.approvals import show_approval
from comptoir.cli.formats import Instant, money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.entity_records import Admission
from comptoir.units.errors import Invalid


@click.group("admission", cls=Group)
def admission() -> None:
    """Customers: invited and screened by sales, accepted by themselves, admitted by an approver."""


@leaf(
    "invite",
    "comptoir admission invite acme 'Acme Robotics SAS' --country FR --tax-id FR61954506077 "
    "--terms 2026-11",
    group=admission,
)
@click.argument("tenant_named", metavar="TENANT")
@click.argument("legal_name")
@click.option("--country", required=True, help="Where it is: two letters.")
@click.option("--terms", "terms_version", required=True, help="The version of the terms.")
@click.option("--entity", "entity_named", default="house", show_default=True, help="Who sells.")
@click.option("--address", multiple=True, metavar="LINE", help="A line of it; repeat.")
@click.option("--tax-id", default="", help="Its number; in the EU it is a consumer without one.")
@click.option("--consumer", is_flag=True, help="It is no business.")
@click.option("--exemption", default="", help="The certificate that frees it from taxes.")
def invite(
    cli: Session,
    tenant_named: str,
    legal_name: str,
    country: str,
    terms_version: str,
    entity_named: str,
    address: tuple[str, ...],
    tax_id: str,
    consumer: bool,
    exemption: str,
) -> None:
    """Invite a customer to accept the terms, and say who it is."""
    made = cli.client.admissions.invite(
        tenant_named,
        legal_name,
        country,
        terms_version,
        entity=entity_named,
        address=address,
        tax_id=tax_id,
        is_business=not consumer,
        exemption=exemption,
    )
    step = f"its admin says yes: comptoir admission accept {tenant_named} --terms {terms_version}"
    _show(cli, made, f"invited {tenant_named} to the terms {terms_version}", step)


@leaf("accept", "comptoir admission accept acme --terms 2026-11", group=admission)
@click.argument("tenant_named", metavar="TENANT")
@click.option("--terms", "terms_version", required=True, help="The version that you accept.")
def accept(cli: Session, tenant_named: str, terms_version: str) -> None:
    """Accept the terms that you were invited to, as the customer's own admin."""
    made = cli.client.admissions.accept(tenant_named, terms_version)
    _show(cli, made, f"{tenant_named} accepted the terms {made['terms_version']}")


@leaf(
    "screen",
    "comptoir admission screen acme --at 2026-11-20T09:00:00Z --evidence 'screening 4711' "
    "--limit 250000.00",
    group=admission,
)
@click.argument("tenant_named", metavar="TENANT")
@click.option("--at", "screened_at", type=Instant(), required=True, help="When it was screened.")
@click.option("--evidence", required=True, help="Where the result is kept.")
@click.option("--limit", "limit", metavar="AMOUNT", help="The credit limit that you propose.")
@click.option("--no-limit", is_flag=True, help="You propose none.")
def screen(
    cli: Session,
    tenant_named: str,
    screened_at: str,
    evidence: str,
    limit: str | None,
    no_limit: bool,
) -> None:
    """Record a screening with its evidence, and propose a credit limit."""
    wanted = _limit(limit, no_limit)
    made = cli.client.admissions.screen(tenant_named, screened_at, evidence, wanted)
    said = "--no-limit" if wanted is None else f"--limit {wanted}"
    step = f"an approver admits it: comptoir admission admit {tenant_named} {said}"
    _show(cli, made, f"screened {tenant_named}", step)


@leaf("admit", "comptoir admission admit acme --limit 250000.00", group=admission)
@click.argument("tenant_named", metavar="TENANT")
@click.option("--limit", "limit", metavar="AMOUNT", help="The credit limit that was proposed.")
@click.option("--no-limit", is_flag=True, help="None was proposed.")
def admit(cli: Session, tenant_named: str, limit: str | None, no_limit: bool) -> None:
    """Put the proposed limit in force. Nobody admits whom they invited or screened."""
    made = cli.client.admissions.admit(tenant_named, _limit(limit, no_limit))
    _show(cli, made, f"admitted {tenant_named} with {_money(made, 'credit_limit')}")


@leaf(
    "refuse",
    "comptoir admission refuse acme --because 'no bank reference' --yes",
    group=admission,
)
@click.argument("tenant_named", metavar="TENANT")
@click.option("--because", required=True, help="Why; the customer is told.")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def refuse(cli: Session, tenant_named: str, because: str, yes: bool) -> None:
    """Turn a customer away that was not admitted yet."""
    cli.confirm(f"turn {tenant_named} away, and tell it why", yes)
    made = cli.client.admissions.refuse(tenant_named, because)
    _show(cli, made, f"refused {tenant_named}: {because}")


@leaf("show", "comptoir admission show acme", group=admission)
@click.argument("tenant_named", metavar="TENANT")
def show(cli: Session, tenant_named: str) -> None:
    """Show how far a customer has come."""
    found = cli.client.admissions.get(tenant_named)
    _show(cli, found, f"{tenant_named} is {found['state']}")


@leaf("list", "comptoir admission list --state accepted", group=admission)
@click.option(
    "--state",
    type=click.Choice(["invited", "accepted", "admitted", "refused"]),
    help="Only those.",
)
def list_admissions(cli: Session, state: str | None) -> None:
    """List them."""
    from comptoir.cli.output import Column, instant, text

    columns = [
        text("tenant"),
        text("name", "legal_name"),
        text("country"),
        text("terms", "terms_version"),
        text("state"),
        Column("limit", lambda row: _money(row, "credit_limit"), right=True),
        instant(cli.times, "invited", "invited_at"),
    ]
    cli.table(cli.with_tenants(cli.client.admissions.list(state)), columns, "admissions")


@leaf("credit", "comptoir admission credit acme", group=admission)
@click.argument("tenant_named", metavar="TENANT")
def credit(cli: Session, tenant_named: str) -> None:
    """Show what a customer owes and may come to owe, its limit, and the credit that it has."""
    found = cli.client.admissions.credit(tenant_named)

    sums: dict[str, Any] = {**found}

    def said(field: str) -> str:
        return money(sums[field], found["currency"])

    limit = "no limit" if found["limit"] is None else f"{said('limit')}, {said('left')} left"
    fields = [
        ("invoiced", said("receivable")),
        ("unbilled", said("unbilled")),
        ("held", f"{said('held')} for {found['leases']:,} leases"),
        ("covered", f"{said('covered')} by credit, {said('prepaid')} of it left"),
        ("tax", f"{found['tax_percent']} %"),
        ("limit", limit),
        *(
            (block["source"], f"{money(block['left'], block['currency'])} left of {block['id']}")
            for block in found["blocks"]
        ),
    ]
    cli.record(found, f"{tenant_named} owes or may come to owe {said('owed')}", fields)


@leaf(
    "grant",
    "comptoir admission grant uni-lab 5000.00 --until 2027-06-30T00:00:00Z "
    "--condition 'published within a year' --kind h100-sxm",
    group=admission,
)
@click.argument("tenant_named", metavar="TENANT")
@click.argument("amount")
@click.option("--until", type=Instant(), required=True, help="When what is left of it expires.")
@click.option("--condition", "conditions", multiple=True, help="What was agreed; repeat.")
@click.option("--kind", "kinds", multiple=True, help="Only for these kinds; repeat.")
def grant(
    cli: Session,
    tenant_named: str,
    amount: str,
    until: str,
    conditions: tuple[str, ...],
    kinds: tuple[str, ...],
) -> None:
    """Ask to give a customer credit that costs it nothing, until it expires."""
    asked = cli.client.admissions.grant(
        tenant_named, amount, until, conditions=conditions, kinds=kinds
    )
    show_approval(cli, asked)


def _limit(limit: str | None, no_limit: bool) -> str | None:
    if (limit is None) is not no_limit:
        raise Invalid(
            "limit_missing",
            "give --limit or --no-limit, one of them",
            "for example --limit 250000.00",
        )
    return limit


def _money(row: object, field: str) -> str:
    assert isinstance(row, dict)
    return "no limit" if row[field] is None else money(row[field], row["currency"])


def _show(cli: Session, found: Admission, headline: str, step: str = "") -> None:
    times = cli.times
    fields = [
        ("name", found["legal_name"]),
        ("in", found["country"]),
        ("tax id", found["tax_id"] or "none"),
        ("buys from", found["entity_id"]),
        ("state", found["state"]),
        ("accepted", times.when(found["accepted_at"], "not yet")),
        ("screened", times.when(found["screened_at"], "not yet, or not shown to you")),
        *([("evidence", found["screening_evidence"])] if found["screening_evidence"] else []),
        *([("proposed", _money(found, "proposed_limit"))] if found["screened_at"] else []),
        *([("limit", _money(found, "credit_limit"))] if found["state"] == "admitted" else []),
        *([("because", found["because"])] if found["because"] else []),
        *([("next", step)] if step else []),
    ]
    cli.record(found, headline, fields)
