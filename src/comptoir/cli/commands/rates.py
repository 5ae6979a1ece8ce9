"""`rate-card`: cards, and rates that one proposes and another approves."""

import click

from comptoir.cli.formats import Instant, money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.account_records import Rate

CLASSES = click.Choice(["internal", "reserved", "on_demand", "spot"])
MEASURES = click.Choice(["delivered", "occupied", "busy"])


@click.group("rate-card", cls=Group)
def rate_card() -> None:
    """Prices: dated rates on cards, each in one currency."""


@leaf("create", "comptoir rate-card create research --currency EUR", group=rate_card)
@click.argument("name")
@click.option("--currency", default="USD", show_default=True, help="ISO 4217 code.")
def create(cli: Session, name: str, currency: str) -> None:
    """Make an empty card."""
    made = cli.client.rate_cards.create(name, currency)
    cli.record(made, f"created rate card {made['name']} ({made['id']}) in {made['currency']}")


@leaf("list", "comptoir rate-card list", group=rate_card)
def list_cards(cli: Session) -> None:
    """List them."""
    from comptoir.cli.output import instant, text

    columns = [
        text("id"),
        text("name"),
        text("currency"),
        instant(cli.times, "since", "created_at"),
    ]
    cli.table(cli.client.rate_cards.list(), columns, "rate cards")


@leaf("show", "comptoir rate-card show list", group=rate_card)
@click.argument("card")
def show(cli: Session, card: str) -> None:
    """Show a card's rates, proposed and approved, by the card's name or id."""
    from comptoir.cli.output import Column, instant, text

    columns = [
        text("id"),
        text("kind"),
        text("class", "lease_class"),
        text("measure"),
        Column("price/acc-h", _price, right=True),
        instant(cli.times, "from", "effective_from", "its approval"),
        text("state"),
    ]
    cli.table(cli.client.rate_cards.rates(card), columns, "rates on this card")


@leaf(
    "propose",
    "comptoir rate-card propose list --kind cpu-core --class spot --price 0.012",
    group=rate_card,
)
@click.argument("card")
@click.option("--kind", required=True, help="The accelerator kind.")
@click.option("--class", "lease_class", type=CLASSES, required=True, help="The lease class.")
@click.option("--price", required=True, metavar="DECIMAL", help="Per accelerator-hour: 2.41.")
@click.option(
    "--measure",
    type=MEASURES,
    default="delivered",
    show_default=True,
    help="Which accelerator time it bills.",
)
@click.option("--from", "starts", type=Instant(), help="When it starts; else at its approval.")
def propose(
    cli: Session,
    card: str,
    kind: str,
    lease_class: str,
    price: str,
    measure: str,
    starts: str | None,
) -> None:
    """Propose a rate. It prices nothing until somebody else approves it."""
    made = cli.client.rate_cards.propose(card, kind, lease_class, price, measure, starts)
    _show(cli, made, f"proposed {made['id']}: {_sentence(made)}")


@leaf("approve", "comptoir rate-card approve ra_5T8X", group=rate_card)
@click.argument("rate_id", metavar="RATE")
def approve(cli: Session, rate_id: str) -> None:
    """Approve a proposed rate: nobody approves their own."""
    made = cli.client.rate_cards.approve(rate_id)
    _show(cli, made, f"approved {made['id']}: {_sentence(made)}")


def _price(row: object) -> str:
    assert isinstance(row, dict)
    return money(row["price_per_accelerator_hour"], row["currency"])


def _sentence(rate: Rate) -> str:
    price = money(rate["price_per_accelerator_hour"], rate["currency"])
    return f"{rate['kind']} {rate['lease_class']} at {price} per accelerator-hour"


def _show(cli: Session, rate: Rate, headline: str) -> None:
    fields = [
        ("bills", f"{rate['measure']} time"),
        ("from", cli.times.when(rate["effective_from"], "its approval")),
        ("proposed by", rate["proposed_by"]),
        ("approved by", rate["approved_by"] or f"nobody: comptoir rate-card approve {rate['id']}"),
    ]
    cli.record(rate, headline, fields)
