"""`invoice pdf`, `invoice xml`: an invoice as a file for people, or for machines."""

from pathlib import Path

import click

from comptoir.cli.lazy import Session, leaf
from comptoir.cli.session import note
from comptoir.cli.whole_file import write_whole

OUT = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), required=True,
    help="The file to write; - is standard output.",
)  # fmt: skip
LANGUAGE = click.option(
    "--language", type=click.Choice(["en", "fr"]), default="en", show_default=True,
    help="The language of our own words in it.",
)  # fmt: skip


@leaf(
    "pdf",
    "comptoir invoice pdf ACME-2026-000001 --out invoice.pdf",
    "comptoir invoice pdf ACME-2026-000001 --out facture.pdf --language fr",
)
@click.argument("number", metavar="INVOICE")
@OUT
@LANGUAGE
def pdf(cli: Session, number: str, out: Path, language: str) -> None:
    """Write an invoice as a PDF, with its EN 16931 XML embedded (Factur-X) where it can be."""
    body, embedded = cli.client.invoices.pdf(number, language)
    write_whole(out, body)
    if str(out) == "-":
        return
    said = {"file": str(out), "bytes": len(body), "e_invoice": embedded}
    why = embedded.removeprefix("none: ")
    cli.record(said, f"{out}   {len(body):,} bytes", [("e-invoice", embedded)])
    if why != embedded:
        note(f"no e-invoice is embedded ({why}): `comptoir invoice xml {number} --out -` says why")


@leaf(
    "xml",
    "comptoir invoice xml ACME-2026-000001 --out invoice.xml",
    "comptoir invoice xml ACME-2026-000001 --profile peppol --out invoice.xml",
)
@click.argument("number", metavar="INVOICE")
@OUT
@click.option(
    "--profile", type=click.Choice(["factur-x", "peppol"]), default="factur-x", show_default=True,
    help="Factur-X (CII), or Peppol BIS Billing 3.0 (UBL).",
)  # fmt: skip
@LANGUAGE
def xml(cli: Session, number: str, out: Path, profile: str, language: str) -> None:
    """Write an invoice as XML for machines, by EN 16931."""
    body = cli.client.invoices.xml(number, profile, language)
    write_whole(out, body)
    if str(out) != "-":
        said = {"file": str(out), "bytes": len(body), "profile": profile}
        cli.record(said, f"{out}   {len(body):,} bytes", [("profile", profile)])
