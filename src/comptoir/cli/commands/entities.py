"""`entity`: who sells, and the tables of taxes and rates of exchange that finance imports."""

from pathlib import Path
from typing import Any

import click

from comptoir.cli.commands.approvals import show_approval
from comptoir.cli.lazy import Group, Session, leaf
from comptoir.client.entity_records import Entity, TableImported
from comptoir.units.errors import Invalid

FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("entity", cls=Group)
def entity() -> None:
    """Legal entities that sell and invoice; taxes and rates of exchange."""


@leaf(
    "create",
    "comptoir entity create paris 'Comptoir SAS' --country FR --currency EUR "
    "--zone Europe/Paris --tax-id FR=FR40303265045",
    group=entity,
)
@click.argument("slug")
@click.argument("name")
@click.option("--country", required=True, help="Two letters: FR.")
@click.option("--currency", required=True, help="Of its books, for good.")
@click.option("--zone", default="UTC", show_default=True, help="Where its months begin, for good.")
@click.option("--address", multiple=True, metavar="LINE", help="A line of it; repeat.")
@click.option("--tax-id", "tax_ids", multiple=True, metavar="COUNTRY=NUMBER", help="Repeat.")
@click.option("--iban", default="", help="Where it is paid.")
@click.option("--bic", default="", help="Of that bank.")
@click.option(
    "--invoice-series",
    default="{entity}-{year}",
    show_default=True,
    help="A pattern of {entity}, {tenant} and {year}, for good.",
)
@click.option(
    "--credit-note-series", default="CN-{entity}-{year}", show_default=True, help="As that."
)
@click.option(
    "--admission-required", is_flag=True, help="Its customers are admitted before they lease."
)
@click.option(
    "--payment-days", type=int, default=30, show_default=True, help="Until its invoices are due."
)
def create(
    cli: Session,
    slug: str,
    name: str,
    country: str,
    currency: str,
    zone: str,
    address: tuple[str, ...],
    tax_ids: tuple[str, ...],
    iban: str,
    bic: str,
    invoice_series: str,
    credit_note_series: str,
    admission_required: bool,
    payment_days: int,
) -> None:
    """Make a legal entity; an IBAN or a BIC counts once another has approved it."""
    made = cli.client.entities.create(
        slug,
        name,
        country,
        currency,
        zone=zone,
        address=address,
        tax_ids=_by_country(tax_ids),
        iban=iban,
        bic=bic,
        invoice_series=invoice_series,
        credit_note_series=credit_note_series,
        admission_required=admission_required,
        payment_days=payment_days,
    )
    _show(cli, made, f"created entity {made['slug']} ({made['id']})")
    if (iban or bic) and not cli.json:
        click.echo("where it is paid waits for another to agree: comptoir approval list")


@leaf("change", "comptoir entity change house --country US --name 'Comptoir Inc'", group=entity)
@click.argument("entity_named", metavar="ENTITY")
@click.option("--name", help="Its legal name.")
@click.option("--country", help="Where it has none yet.")
@click.option("--address", multiple=True, metavar="LINE", help="All its lines; repeat.")
@click.option("--tax-id", "tax_ids", multiple=True, metavar="COUNTRY=NUMBER", help="All; repeat.")
@click.option("--iban", help="Where it is paid.")
@click.option("--bic", help="Of that bank.")
@click.option(
    "--admission-required/--no-admission-required",
    default=None,
    help="Whether its customers are admitted before they lease.",
)
@click.option("--payment-days", type=int, help="Until its invoices are due.")
def change(
    cli: Session,
    entity_named: str,
    name: str | None,
    country: str | None,
    address: tuple[str, ...],
    tax_ids: tuple[str, ...],
    iban: str | None,
    bic: str | None,
    admission_required: bool | None,
    payment_days: int | None,
) -> None:
    """Change what its next invoices say; an IBAN or a BIC once another has approved it."""
    fields: dict[str, Any] = {
        "name": name,
        "country": country,
        "address": address or None,
        "tax_ids": _by_country(tax_ids) or None,
        "admission_required": admission_required,
        "payment_days": payment_days,
    }
    account = iban is not None or bic is not None
    if not account or any(value is not None for value in fields.values()):
        made = cli.client.entities.change(entity_named, **fields)
        _show(cli, made, f"changed entity {made['slug']}")
    if account:
        show_approval(cli, cli.client.entities.change_account(entity_named, iban, bic))


@leaf("list", "comptoir entity list", group=entity)
def list_entities(cli: Session) -> None:
    """List them."""
    from comptoir.cli.output import text

    columns = [
        text("id"), text("slug"), text("name", flexible=True), text("country"), text("currency"),
        text("zone"), text("series", "invoice_series"),
    ]  # fmt: skip
    cli.table(cli.client.entities.list(), columns, "legal entities")


@leaf("show", "comptoir entity show house", group=entity)
@click.argument("entity_named", metavar="ENTITY")
def show(cli: Session, entity_named: str) -> None:
    """Show one, by its slug or id."""
    found = cli.client.entities.get(entity_named)
    _show(cli, found, f"{found['slug']}: {found['name']}")


@leaf("import-tax", "comptoir entity import-tax tax-2026.csv", group=entity)
@click.argument("file", type=FILE)
def import_tax(cli: Session, file: Path) -> None:
    """Take in tax rules: seller,buyer_country,buyer,treatment,rate_percent,from,note.

    Whole or not at all. What is known is counted once; what the book says otherwise is refused.
    """
    made = cli.client.entities.import_tax_rules(_text_of(file), file.name)
    _imported(cli, made, "tax rules", file)


@leaf("import-fx", "comptoir entity import-fx ecb-2026-11.csv", group=entity)
@click.argument("file", type=FILE)
def import_fx(cli: Session, file: Path) -> None:
    """Take in rates of exchange: date,base,quote,rate. Whole or not at all."""
    made = cli.client.entities.import_fx_rates(_text_of(file), file.name)
    _imported(cli, made, "rates of exchange", file)


@leaf("tax-rules", "comptoir entity tax-rules --seller FR", group=entity)
@click.option("--seller", help="Only those of a seller's country.")
def tax_rules(cli: Session, seller: str | None) -> None:
    """List tax rules, the last to come into force first."""
    from comptoir.cli.output import text

    columns = [
        text("seller"), text("buyer in", "buyer_country"), text("buyer"),
        text("from", "from_date"), text("treatment"), text("%", "rate_percent"),
        text("note", flexible=True),
    ]  # fmt: skip
    cli.table(cli.client.entities.tax_rules(seller), columns, "tax rules: import a table")


@leaf("fx-rates", "comptoir entity fx-rates --base EUR", group=entity)
@click.option("--base", help="Only those from a currency.")
def fx_rates(cli: Session, base: str | None) -> None:
    """List rates of exchange, newest first."""
    from comptoir.cli.output import text

    columns = [text("date"), text("base"), text("quote"), text("rate"), text("source")]
    cli.table(cli.client.entities.fx_rates(base), columns, "rates of exchange: import a table")


def _text_of(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            "bad_file", f"{file} cannot be read as text: {error}", "name a CSV file in UTF-8"
        ) from None
    if not text.strip():
        raise Invalid("bad_file", f"{file} is empty", "name a CSV file with a header and rows")
    return text


def _by_country(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in given:
        country, equals, number = pair.partition("=")
        if not equals or country in found:
            raise Invalid(
                "bad_tax_id",
                f"--tax-id {pair!r} is not COUNTRY=NUMBER, each country once",
                "write it like FR=FR40303265045",
                {"field": "tax_ids"},
            )
        found[country] = number
    return found


def _imported(cli: Session, made: TableImported, what: str, file: Path) -> None:
    known = f"; {made['repeated']:,} were known" if made["repeated"] else ""
    cli.record(made, f"took {made['added']:,} {what} from {file.name}{known}")


def _show(cli: Session, found: Entity, headline: str) -> None:
    fields = [
        ("id", found["id"]),
        ("name", found["name"]),
        ("address", ", ".join(found["address"]) or "not known"),
        ("country", found["country"] or "not known"),
        ("currency", found["currency"]),
        ("months in", found["zone"]),
        ("tax ids", ", ".join(found["tax_ids"].values()) or "none: no tax lines"),
        ("paid at", " ".join(filter(None, (found["iban"], found["bic"]))) or "not known"),
        ("due after", f"{found['payment_days']} days"),
        ("invoices", f"{found['invoice_series']}-000001"),
        ("credit notes", f"{found['credit_note_series']}-000001"),
        ("admission", "required" if found["admission_required"] else "not required"),
    ]
    cli.record(found, headline, fields)
