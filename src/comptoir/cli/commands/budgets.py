"""`budget`: what tenants and their projects mean to spend; warned of, then stopped."""

import click

from comptoir.cli.formats import money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.entity_records import Budget


@click.group("budget", cls=Group)
def budget() -> None:
    """Budgets of tenants and projects: told at thresholds, then no new work, or taken back."""


@leaf(
    "set",
    "comptoir budget set 50000.00 --tenant ads-ranking --project llm-7b --then take_back",
    group=budget,
)
@click.argument("amount")
@click.option("--tenant", metavar="TENANT", help="For house users: whose.")
@click.option("--project", help="Only of this project's work; of all if not said.")
@click.option(
    "--period",
    type=click.Choice(["month", "once"]),
    default="month",
    show_default=True,
    help="How often it begins again.",
)
@click.option(
    "--warn", "thresholds", type=click.IntRange(1, 99), multiple=True, help="50 and 80 if not said."
)
@click.option(
    "--then",
    "when_spent",
    type=click.Choice(["warn", "stop", "take_back"]),
    default="stop",
    show_default=True,
    help="What it does once it is spent.",
)
def set_budget(
    cli: Session,
    amount: str,
    tenant: str | None,
    project: str | None,
    period: str,
    thresholds: tuple[int, ...],
    when_spent: str,
) -> None:
    """Set what is meant to be spent, without tax; the budget that there is, is changed.

    `stop` refuses new work that would go beyond it; `take_back` also ends open-ended work, with
    its notice.
    """
    made = cli.client.budgets.set(
        amount,
        tenant=tenant,
        project=project,
        period=period,
        thresholds=thresholds or None,
        when_spent=when_spent,
    )
    _show(cli, made, f"set budget {made['id']}: {_of(made)}")


@leaf("list", "comptoir budget list --tenant acme", group=budget)
@click.option("--tenant", metavar="TENANT", help="Only this tenant's.")
@click.option("--project", help="Only this project's.")
def list_budgets(cli: Session, tenant: str | None, project: str | None) -> None:
    """List budgets, with what is spent in this period and held beyond it."""
    from comptoir.cli.output import Column, text

    columns = [
        text("id"),
        text("tenant"),
        text("project"),
        text("period"),
        Column("spent", lambda row: _money(row, "spent"), right=True),
        Column("held", lambda row: _money(row, "held"), right=True),
        Column("of", lambda row: _money(row, "amount"), right=True),
        text("then", "when_spent"),
    ]
    cli.table(cli.with_tenants(cli.client.budgets.list(tenant, project)), columns, "budgets")


@leaf("show", "comptoir budget show bg_7Q4M", group=budget)
@click.argument("budget_id", metavar="BUDGET")
def show(cli: Session, budget_id: str) -> None:
    """Show one."""
    found = cli.client.budgets.get(budget_id)
    _show(cli, found, f"{found['id']}: {_of(found)}")


@leaf("end", "comptoir budget end bg_7Q4M --yes", group=budget)
@click.argument("budget_id", metavar="BUDGET")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def end(cli: Session, budget_id: str, yes: bool) -> None:
    """End one: it counts no more."""
    cli.confirm(f"end {budget_id}: it warns of and stops nothing any more", yes)
    made = cli.client.budgets.end(budget_id)
    _show(cli, made, f"ended {made['id']}: {_money(made, 'spent')} was spent")


def _of(found: Budget) -> str:
    each = "a month" if found["period"] == "month" else "in all"
    return f"{_money(found, 'amount')} {each} for {found['project'] or 'all that it does'}"


def _money(row: object, field: str) -> str:
    assert isinstance(row, dict)
    return money(row[field], row["currency"])


def _show(cli: Session, found: Budget, headline: str) -> None:
    told = ", ".join(f"{percent} %" for percent in found["thresholds"])
    fields = [
        ("tenant", found["tenant_id"]),
        ("spent", f"{_money(found, 'spent')} since {cli.times.when(found['period_start'])}"),
        ("held", f"{_money(found, 'held')} for what runs or is to run"),
        ("told at", f"{told}, and when it is spent" if told else "when it is spent"),
        ("then", found["when_spent"].replace("_", " ")),
        ("set by", "the house" if found["by_house"] else found["set_by"]),
    ]
    cli.record(found, headline, fields)
