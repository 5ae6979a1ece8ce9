"""`usage`, `charge` and `ledger`: what was used, what it costs, and where it is posted."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import click

from comptoir.cli.formats import ROWS, accelerator_time, money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.units.money import MINOR_DIGITS

MEASURES = click.Choice(["delivered", "occupied", "busy"])
LIMIT = click.option("--limit", type=ROWS, default=200, show_default=True, help="At most.")
TENANT = click.option("--tenant", metavar="TENANT", help="Only this tenant's.")
LEASE = click.option("--lease", "lease_id", metavar="LEASE", help="Only this lease's.")


@click.group("usage", cls=Group)
def usage() -> None:
    """Accelerator time: delivered, occupied, busy."""


@click.group("charge", cls=Group)
def charge() -> None:
    """Usage with its price."""


@click.group("ledger", cls=Group)
def ledger() -> None:
    """Double entry: every unit sums to zero."""


@leaf("list", "comptoir usage list --measure delivered", group=usage)
@TENANT
@LEASE
@click.option("--measure", type=MEASURES, help="Only this measure.")
@LIMIT
def list_usage(
    cli: Session, tenant: str | None, lease_id: str | None, measure: str | None, limit: int
) -> None:
    """List usage events, newest first."""
    from comptoir.cli.output import instant, text, use

    columns = [
        text("measure"),
        text("lease", "lease_id"),
        text("kind"),
        instant(cli.times, "from", "starts_at"),
        instant(cli.times, "to", "ends_at"),
        use(),
    ]
    found = cli.client.usage.list(tenant, lease_id, measure)
    cli.table(islice(found, limit), columns, "usage yet")


@leaf("summary", "comptoir usage summary --tenant acme", group=usage)
@TENANT
def summary(cli: Session, tenant: str | None) -> None:
    """Add usage up by tenant, kind, class and measure."""
    from comptoir.cli.output import count, text, use

    columns = [text("tenant"), text("kind"), text("class", "lease_class")]
    columns += [text("measure"), use(), count("events")]
    cli.table(cli.with_tenants(cli.client.usage.summary(tenant)), columns, "usage yet")


@leaf("list", "comptoir charge list --tenant acme", group=charge)
@TENANT
@LEASE
@LIMIT
def list_charges(cli: Session, tenant: str | None, lease_id: str | None, limit: int) -> None:
    """List charges, newest first. Amounts are exact to six decimals; --json has the rest."""
    from comptoir.cli.output import Column, amount, instant, text, use

    def price(row: Mapping[str, Any]) -> str:
        return money(row["price_per_accelerator_hour"], row["currency"])

    columns = [
        text("lease", "lease_id"),
        text("kind"),
        text("class", "lease_class"),
        instant(cli.times, "from", "starts_at"),
        use(),
        Column("price/acc-h", price, right=True),
        amount("amount", "amount"),
    ]
    found = cli.client.usage.charges(tenant, lease_id)
    cli.table(islice(found, limit), columns, "charges yet")


@leaf("entries", "comptoir ledger entries --limit 20", group=ledger)
@LIMIT
def entries(cli: Session, limit: int) -> None:
    """List entries with their postings, newest first."""
    from comptoir.cli.output import Column, count, instant, text

    found = list(islice(cli.client.ledger.entries(), limit))
    if cli.json:
        cli.table(found, [], "entries yet")
        return
    rows = [{**entry, **posting} for entry in found for posting in entry["postings"]]
    columns = [
        count("entry", "seq"),
        instant(cli.times, "booked", "booked_at"),
        text("kind"),
        text("account", flexible=True),
        Column("amount", _amount, right=True),
    ]
    cli.table(rows, columns, "entries yet")


@leaf("balances", "comptoir ledger balances", group=ledger)
def balances(cli: Session) -> None:
    """List what every account holds."""
    from comptoir.cli.output import Column, text

    columns = [text("account"), text("unit"), Column("balance", _amount, right=True)]
    cli.table(cli.client.ledger.balances(), columns, "balances yet")


@leaf("proof", "comptoir ledger proof", group=ledger)
def proof(cli: Session) -> int:
    """Add the whole ledger up again. The exit code is 1 if it does not hold."""
    found = cli.client.ledger.proof()
    agrees = all(kind["agrees"] for kind in found["kinds"])
    sound = found["balanced"] and agrees
    says = "every unit sums to zero" if found["balanced"] else "A UNIT DOES NOT SUM TO ZERO"
    fields = [
        (unit["unit"], f"{_amount({**unit, 'amount': unit['net']})} net, "
         f"{_amount({**unit, 'amount': unit['moved']})} moved, {unit['postings']:,} postings")
        for unit in found["units"]
    ]  # fmt: skip
    for kind in found["kinds"]:
        mark = "=" if kind["agrees"] else "IS NOT"
        observed = f"{int(kind['observed_accelerator_ms']):,} acc-ms observed"
        posted = f"{int(kind['posted_accelerator_ms']):,} posted"
        fields.append((kind["kind"], f"{observed} {mark} {posted}"))
    if found["wrong_balances"] or found["unbalanced_entries"]:
        wrong = f"{found['unbalanced_entries']:,} entries, {found['wrong_balances']:,} balances"
        fields.append(("wrong", wrong))
    posted_as = "posted = observed" if agrees else "POSTED IS NOT OBSERVED"
    cli.record(found, f"{found['entries']:,} entries, {says}; {posted_as}", fields)
    return 0 if sound else 1


def _amount(row: Mapping[str, Any]) -> str:
    unit, value = str(row["unit"]), str(row["amount"])
    return money(value, unit) if unit in MINOR_DIGITS else accelerator_time(value)
