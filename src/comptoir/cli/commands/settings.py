"""`setting`: what an operator sets for the whole book."""

import click

from comptoir.cli.lazy import Group, Session, leaf


@click.group("setting", cls=Group)
def setting() -> None:
    """What holds for the whole book."""


@leaf("list", "comptoir setting list", group=setting)
def list_settings(cli: Session) -> None:
    """List every setting, with its value and its bounds."""
    from comptoir.cli.output import Column, count, text

    columns = [
        text("name"),
        count("value"),
        count("default"),
        Column("bounds", lambda row: f"{row['smallest']:,} to {row['largest']:,}"),
        text("means", flexible=True),
    ]
    cli.table(cli.client.settings.list(), columns, "settings")


@leaf("set", "comptoir setting set open_ended_percent 80", group=setting)
@click.argument("name", metavar="NAME")
@click.argument("value", metavar="VALUE", type=click.IntRange(0))
def set_setting(cli: Session, name: str, value: int) -> None:
    """Give a setting its value from now on."""
    found = cli.client.settings.set(name, value)
    cli.record(found, f"{found['name']} is {found['value']:,}", [("means", found["means"])])
