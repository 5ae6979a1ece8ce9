"""`period`: the months of a legal entity, and their close."""

import time
from itertools import islice

import click

from comptoir.cli.commands.accounts import LIMIT
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.invoice_records import Period

ENTITY = click.option(
    "--entity", default="house", show_default=True, metavar="ENTITY", help="By id or slug."
)
LOOK_AGAIN_S = 0.3


@click.group("period", cls=Group)
def period() -> None:
    """Months of a legal entity, in its own zone: open, closing, closed."""


@leaf("close", "comptoir period close 2026-10 --yes", group=period)
@click.argument("month", metavar="MONTH")
@ENTITY
@click.option("--no-wait", is_flag=True, help="Begin, and do not wait for its end.")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
def close(cli: Session, month: str, entity: str, no_wait: bool, yes: bool) -> None:
    """Close a month: everybody's use of it becomes drafts, and nothing counts in it any more.

    What is reported later is billed in the next month, as a correction. A close that is
    interrupted goes on by itself; to ask again is harmless.
    """
    cli.confirm(f"close {month} of {entity} for good", yes)
    found = cli.client.periods.close(month, entity)
    while found["state"] != "closed" and not no_wait:
        time.sleep(LOOK_AGAIN_S)
        found = _now(cli, found)
    _show(cli, found)


@leaf("list", "comptoir period list", group=period)
@click.option("--entity", metavar="ENTITY", help="Only this entity's, by id or slug.")
@LIMIT
def list_periods(cli: Session, entity: str | None, limit: int) -> None:
    """List months that are closing or closed, newest first; later ones are open."""
    from comptoir.cli.output import count, instant, text

    columns = [
        text("period", "name"),
        text("entity", "entity_id"),
        text("state"),
        instant(cli.times, "until", "ends_at"),
        instant(cli.times, "closed", "closed_at"),
        count("tenants"),
        count("drafts"),
    ]
    cli.table(islice(cli.client.periods.list(entity), limit), columns, "closed periods yet")


def _now(cli: Session, period: Period) -> Period:
    found = cli.client.periods.list(period["entity_id"])
    return next(one for one in found if one["id"] == period["id"])


def _show(cli: Session, found: Period) -> None:
    fields = [
        ("from", cli.times.when(found["starts_at"])),
        ("until", cli.times.when(found["ends_at"])),
        ("tenants", f"{found['tenants']:,}"),
        ("drafts", f"{found['drafts']:,}, of {found['accruals']:,} lines of leases"),
        ("next", f"comptoir invoice finalise --period {found['name']} --yes"),
    ]
    cli.record(found, f"{found['name']} of {found['entity_id']} is {found['state']}", fields)
