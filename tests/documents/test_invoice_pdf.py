"""The PDF of an invoice: PDF/A-3 in structure, readable, its XML in it byte for byte."""

from io import BytesIO

import pypdf
import pytest

from comptoir.billing.invoices import InvoiceKind, Party
from comptoir.documents.cii import cross_industry_invoice
from comptoir.documents.en16931 import electronic
from comptoir.documents.invoice_pdf import invoice_pdf
from comptoir.documents.words import ENGLISH, FRENCH, Words
from comptoir.units.errors import Refused
from tests.documents.invoices import SELLER, SORTS, an_invoice, usage

ZONE = "Europe/Paris"


def read(pdf: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(BytesIO(pdf))


@pytest.mark.parametrize("sort", SORTS)
def test_the_e_invoice_comes_back_byte_for_byte(sort: str) -> None:
    invoice = SORTS[sort]
    found = read(invoice_pdf(invoice, ZONE, ENGLISH)).attachments["factur-x.xml"]
    assert found == [cross_industry_invoice(electronic(invoice, ZONE, ENGLISH))]


def test_it_is_pdf_a_3b_in_structure() -> None:
    root = read(invoice_pdf(SORTS["VAT, with credits"], ZONE, ENGLISH)).root_object
    metadata = root["/Metadata"].get_data().decode()
    assert "<pdfaid:part>3</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>" in metadata
    assert "<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>" in metadata
    assert "<fx:DocumentFileName>factur-x.xml</fx:DocumentFileName>" in metadata
    assert root["/OutputIntents"][0]["/S"] == "/GTS_PDFA1"
    assert root["/AF"][0].get_object()["/AFRelationship"] == "/Alternative"
    assert root["/MarkInfo"]["/Marked"]  # tagged: it can be read aloud
    assert root["/Lang"] == "en"


def test_every_font_is_embedded() -> None:
    reader = read(invoice_pdf(SORTS["VAT, with credits"], ZONE, FRENCH))
    fonts = [
        inner.get_object()["/FontDescriptor"]
        for page in reader.pages
        for font in page["/Resources"]["/Font"].values()
        for inner in font.get_object()["/DescendantFonts"]
    ]
    assert fonts
    assert all({"/FontFile", "/FontFile2", "/FontFile3"} & {*font} for font in fonts)


def test_the_same_invoice_makes_the_same_bytes() -> None:
    invoice = SORTS["VAT, with credits"]
    assert invoice_pdf(invoice, ZONE, ENGLISH) == invoice_pdf(invoice, ZONE, ENGLISH)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (ENGLISH, ("Invoice", "2,203,288.55 EUR", "Amount due", "Please pay to", "2026-12-01")),
        (FRENCH, ("Facture", "2\u202f203\u202f288,55 EUR", "Net à payer", "À régler")),
    ],
)
def test_it_says_what_is_asked_in_its_language(words: Words, said: tuple[str, ...]) -> None:
    text = read(invoice_pdf(an_invoice(), ZONE, words)).pages[0].extract_text()
    for word in (*said, SELLER.name, SELLER.iban, "ACME-2026-000001"):
        assert word in text.replace("\u00a0", " ")


def test_a_long_invoice_has_pages_and_a_chargeback_asks_nothing() -> None:
    long = an_invoice(*(usage(n * 3_600_000) for n in range(1, 121)))
    assert len(read(invoice_pdf(long, ZONE, ENGLISH)).pages) > 2
    team = an_invoice(tax=None, kind=InvoiceKind.CHARGEBACK, parties=(SELLER, Party("ranking")))
    reader = read(invoice_pdf(team, ZONE, ENGLISH))
    text = reader.pages[0].extract_text()
    assert not reader.attachments
    assert "Chargeback statement" in text and "Nothing is asked for" in text
    assert SELLER.iban not in text


@pytest.mark.parametrize("word", ['#panic("x")', "*bold* $x$ \\ `", "Ünïcode Škoda", "</x>&<!--"])
def test_what_people_wrote_is_shown_as_they_wrote_it(word: str) -> None:
    invoice = an_invoice(parties=(SELLER, Party(word, (word,), "DE", "DE123456789")))
    reader = read(invoice_pdf(invoice, ZONE, ENGLISH))
    assert word.split()[0] in reader.pages[0].extract_text()


def test_a_letter_that_no_font_has_is_named() -> None:
    nobody = "\U0001f9ff"
    with pytest.raises(Refused) as refused:
        invoice_pdf(an_invoice(parties=(SELLER, Party(nobody, (), "JP"))), ZONE, ENGLISH)
    assert refused.value.code == "letter_not_in_fonts"
    assert nobody in str(refused.value)
