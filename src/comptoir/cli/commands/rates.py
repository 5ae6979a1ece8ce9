"""`rate-card`: cards, and rates that one proposes and another approves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from comptoir.cli.commands.fleet_files import FILE, text_of
from comptoir.cli.formats import Duration, Instant, counted, money
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.account_records import Rate
from comptoir.units.durations import format_duration_s
from comptoir.units.errors import Conflict

CLASSES = click.Choice(["internal", "reserved", "on_demand", "spot"])
TERMS = click.Choice(["hour", "day", "month", "one_year", "three_years"])
SKUS = click.Choice(["accelerator", "storage", "tokens"])
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


@leaf(
    "show", "comptoir rate-card show list", "comptoir rate-card show list --json", group=rate_card
)
@click.argument("card")
def show(cli: Session, card: str) -> None:
    """Show a card's rates, proposed and approved, by the card's name or id.

    Tiers, minimums and steps have their columns where a rate of the card has some.
    """
    from comptoir.cli.output import Column, instant, text

    rows: list[Mapping[str, Any]] = [{**rate} for rate in cli.client.rate_cards.rates(card)]
    rare = {
        "tiers": Column("tiers", _tiers, flexible=True),
        "minimum_s": Column("at least", lambda row: _seconds(row["minimum_s"]), right=True),
        "granularity_s": Column("steps", lambda row: _seconds(row["granularity_s"]), right=True),
    }
    columns = [
        text("id"),
        text("kind"),
        Column("class", lambda row: row["lease_class"] if _of_leases(row) else row["sku"]),
        Column("site", lambda row: row["site"] or "any"),
        Column("term", lambda row: row["term"].replace("_", " ") if _of_leases(row) else "-"),
        Column("measure", lambda row: row["measure"] if _of_leases(row) else "-"),
        Column("price", _price, right=True),
        *(column for field, column in rare.items() if any(row[field] for row in rows)),
        instant(cli.times, "from", "effective_from", "its approval"),
        text("state"),
    ]
    cli.table(rows, columns, "rates on this card")


@leaf(
    "propose",
    "comptoir rate-card propose list --kind cpu-core --class spot --price 0.012",
    "comptoir rate-card propose list --kind h100-sxm --class on_demand --price 2.41 "
    "--tier 10000:1.90 --granularity 1m",
    "comptoir rate-card propose list --sku storage --kind nvme --price 0.0002",
    group=rate_card,
)
@click.argument("card")
@click.option("--kind", required=True, help="The accelerator kind; or of storage; a model.")
@click.option("--class", "lease_class", type=CLASSES, help="The lease class of accelerators.")
@click.option(
    "--price",
    required=True,
    metavar="DECIMAL",
    help="Per accelerator-hour, GB-hour or million tokens.",
)
@click.option("--site", default="", help="Only at this site; else at any.")
@click.option("--term", type=TERMS, default="hour", show_default=True, help="Asked for so long.")
@click.option(
    "--tier", "tiers", multiple=True, metavar="HOURS:PRICE",
    help="Another price from so many accelerator-hours of a month on. Repeat in order.",
)  # fmt: skip
@click.option("--minimum", type=Duration(), default="0", help="Each lease is billed so long.")
@click.option("--granularity", type=Duration(), default="0", help="Each lease in such steps.")
@click.option("--sku", type=SKUS, default="accelerator", show_default=True, help="What is sold.")
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
    lease_class: str | None,
    price: str,
    site: str,
    term: str,
    tiers: tuple[str, ...],
    minimum: int,
    granularity: int,
    sku: str,
    measure: str,
    starts: str | None,
) -> None:
    """Propose a rate. It prices nothing until somebody else approves it."""
    made = cli.client.rate_cards.propose(
        card, kind, lease_class, price, measure, starts, site, term, sku,
        [_tier(word) for word in tiers], minimum, granularity,
    )  # fmt: skip
    _show(cli, made, f"proposed {made['id']}: {_sentence(made)}")


@leaf(
    "import",
    "comptoir rate-card import enterprise-2027.toml",
    "comptoir rate-card import prices.csv --name enterprise-2027 --currency USD",
    group=rate_card,
)
@click.argument("file", type=FILE)
@click.option("--name", default="", help="The card; a TOML file may say it itself.")
@click.option("--currency", default="", help="As --name.")
def import_file(cli: Session, file: Path, name: str, currency: str) -> None:
    """Propose all rates of a TOML or CSV file at once; again, it changes nothing."""
    made = cli.client.rate_cards.import_file(file.name, text_of(file), name, currency)
    card, proposed = made["card"], len(made["proposed"])
    fields = [
        ("card", f"{card['name']} ({card['id']}), {'new' if made['created'] else 'there before'}"),
        ("unchanged", counted(made["unchanged"], "rate")),
        ("next", f"comptoir rate-card approve --card {card['name']}" if proposed else "nothing"),
    ]
    cli.record(made, f"proposed {counted(proposed, 'rate')} on {card['name']}", fields)


@leaf(
    "approve",
    "comptoir rate-card approve ra_5T8X",
    "comptoir rate-card approve --card enterprise-2027",
    group=rate_card,
)
@click.argument("rates", nargs=-1, metavar="[RATE]...")
@click.option("--card", help="Every proposed rate of this card.")
def approve(cli: Session, rates: tuple[str, ...], card: str | None) -> None:
    """Approve proposed rates: nobody approves their own."""
    if bool(rates) is bool(card):
        raise click.UsageError("name rates, or a card with --card")
    if card:
        every = cli.client.rate_cards.rates(card)
        rates = tuple(rate["id"] for rate in every if rate["state"] == "proposed")
        if not rates:
            raise Conflict("nothing_proposed", f"no rate of {card} waits for an approval")
    for rate_id in rates:
        made = cli.client.rate_cards.approve(rate_id)
        _show(cli, made, f"approved {made['id']}: {_sentence(made)}")


def _price(row: object) -> str:
    assert isinstance(row, dict)
    return money(row["price_per_accelerator_hour"], row["currency"])


def _tiers(row: Mapping[str, Any]) -> str:
    said = (
        f"from {tier['from_accelerator_hours']:,} acc-h "
        + money(tier["price_per_accelerator_hour"], row["currency"])
        for tier in row["tiers"]
    )
    return ", ".join(said) or "-"


def _seconds(seconds: int) -> str:
    return format_duration_s(seconds) if seconds else "-"


def _tier(word: str) -> tuple[int, str]:
    hours, colon, price = word.partition(":")
    if not (colon and price and hours.isascii() and hours.isdigit()):
        raise click.UsageError(f"--tier {word!r}: write it as HOURS:PRICE, for example 1000:1.90")
    return int(hours), price


def _sentence(rate: Rate) -> str:
    price = money(rate["price_per_accelerator_hour"], rate["currency"])
    where = f" at {rate['site']}" if rate["site"] else ""
    term = "" if rate["term"] == "hour" else f", {rate['term'].replace('_', ' ')}"
    if not _of_leases(rate):
        unit = {"storage": "GB-hour", "tokens": "million tokens"}[rate["sku"]]
        return f"{rate['sku']} {rate['kind']}{where} at {price} per {unit}"
    return f"{rate['kind']} {rate['lease_class']}{where}{term} at {price} per accelerator-hour"


def _of_leases(rate: Mapping[str, Any]) -> bool:
    """Whether leases are what it prices: storage and tokens have no class, term or measure."""
    return bool(rate["sku"] == "accelerator")


def _show(cli: Session, rate: Rate, headline: str) -> None:
    row: dict[str, Any] = {**rate}
    least, steps = rate["minimum_s"], rate["granularity_s"]
    fields = [
        *([("bills", f"{rate['measure']} time")] if _of_leases(rate) else []),
        *([("then", _tiers(row))] if rate["tiers"] else []),
        *([("at least", f"{format_duration_s(least)} a lease")] if least else []),
        *([("in steps of", f"{format_duration_s(steps)} a lease")] if steps else []),
        ("from", cli.times.when(rate["effective_from"], "its approval")),
        ("proposed by", rate["proposed_by"]),
        ("approved by", rate["approved_by"] or f"nobody: comptoir rate-card approve {rate['id']}"),
    ]
    cli.record(rate, headline, fields)
