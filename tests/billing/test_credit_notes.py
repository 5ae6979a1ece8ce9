"""Credit notes give back what was asked: no line beyond its amount, together to the cent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.billing.credit_notes import (
    CreditNote,
    Returned,
    credit,
    lines_to_credit,
    reversal,
)
from comptoir.billing.drafts import a_line
from comptoir.billing.invoice_status import InvoiceState, InvoiceStatus, credited, opened, paid
from comptoir.billing.invoices import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    LineType,
    NumberSeries,
    Party,
    check_invoice,
    tax_line,
)
from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.metering.usage import Measure
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.units.errors import Invalid, InvariantBroken, Refused
from comptoir.units.ids import CreditNoteId, InvoiceId, RateId, TenantId, UserId
from comptoir.units.values import replace

CENT = 10_000
TENANT = TenantId("tn_1")
SERIES = NumberSeries(HOUSE_ENTITY, "CN-ACME-2026", 0)


def usage_line(number: int, cents: int) -> InvoiceLine:
    return InvoiceLine(
        number, "h100-sxm spot", "h100-sxm", LeaseClass.SPOT, Measure.DELIVERED, RateId("ra"), 1,
        0, 1, 1, 1, 1, cents * CENT, False,
    )  # fmt: skip


def an_invoice(
    *cents: int, tax_ppm: int = 0, extra: tuple[InvoiceLine, ...] = ()
) -> tuple[Invoice, InvoiceStatus]:
    lines = tuple(usage_line(n, c) for n, c in enumerate(cents, 1))
    lines += tuple(replace(line, number=len(lines) + n) for n, line in enumerate(extra, 1))
    taxes = (tax_line(lines, "USD", "standard", "FR", tax_ppm, "VAT"),) if tax_ppm else ()
    total = sum(x.amount_micros for x in lines) + sum(t.amount_micros for t in taxes)
    invoice = Invoice(
        InvoiceId("iv_1"), "ACME-2026-000001", HOUSE_ENTITY, "ACME-2026", 1, InvoiceKind.INVOICE,
        TENANT, None, "USD", 0, 1, 2, 3, total, lines, taxes, Party("House"), Party("Acme"),
    )  # fmt: skip
    return check_invoice(invoice), opened(invoice, 0)


def note_over(
    invoice: Invoice, status: InvoiceStatus, wanted: dict[int, int | None], series: NumberSeries
) -> tuple[CreditNote, InvoiceStatus, NumberSeries]:
    lines = lines_to_credit(invoice, status, wanted)
    note, series, by_line = credit(
        CreditNoteId("cn_1"), invoice, status, lines, series, (5, UserId("us_1")), "agreed"
    )
    after = credited(status, note.total_micros, by_line, note.returned_micros)
    return note, after, series


@given(
    st.lists(st.integers(1, 10**7), min_size=1, max_size=5),
    st.integers(1, 270_000),
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 10**7)), max_size=8),
)
def test_notes_together_give_back_exactly_what_was_asked(
    cents: list[int], tax_ppm: int, tries: list[tuple[int, int]]
) -> None:
    """Off by a cent is what others were: the tax of a note follows from all that is credited."""
    invoice, status = an_invoice(*cents, tax_ppm=tax_ppm)
    series, given_back, postings = SERIES, 0, []
    for line, wanted in tries:
        number = line % len(cents) + 1
        left = invoice.lines[number - 1].amount_micros - status.credited_by_line[number - 1]
        if not left:
            continue
        micros = min(wanted * CENT, left)
        note, status, series = note_over(invoice, status, {number: micros}, series)
        given_back += note.total_micros
        postings += reversal(note, invoice, Returned())
        assert given_back <= invoice.total_micros
    if status.state is not InvoiceState.VOID:
        note, status, series = note_over(invoice, status, {}, series)
        given_back += note.total_micros
        postings += reversal(note, invoice, Returned())
    assert given_back == invoice.total_micros
    assert status.state is InvoiceState.VOID
    assert not any(ledger.sums_by_unit(postings).values())
    asked = sum(leg.amount for leg in postings if leg.account == ledger.receivable(TENANT))
    assert asked == -invoice.total_micros
    assert series.last == len({*range(series.last)})


def test_a_third_of_a_cent_of_tax_is_never_lost() -> None:
    # 19 % of three times 0.35 is 0.1995: the invoice asks 0.20 of tax on 1.05.
    invoice, status = an_invoice(35, 35, 35, tax_ppm=190_000)
    assert invoice.taxes[0].amount_micros == 20 * CENT
    series, taxes = SERIES, []
    for line in (1, 2, 3):
        note, status, series = note_over(invoice, status, {line: None}, series)
        taxes.append(note.taxes[0].amount_micros // CENT)
    # Alone each would give 0.07 (0.0665): 0.21, a cent too many. Together: 0.07, 0.13, 0.20.
    assert taxes == [7, 6, 7]
    assert sum(taxes) == 20
    assert status.state is InvoiceState.VOID


@pytest.mark.parametrize(
    ("wanted", "code", "said"),
    [
        ({1: 101 * CENT}, "credit_note_too_large", ("1.00 USD is left", "asked for 1.01 USD")),
        ({3: None}, "unknown_line", ("lines 1 to 2, not 3",)),
        ({0: None}, "unknown_line", ("lines 1 to 2, not 0",)),
        ({1: 0}, "bad_amount", ("line 1 is to be credited more than zero",)),
        ({1: -CENT}, "bad_amount", ("more than zero",)),
    ],
)
def test_a_note_that_does_not_fit_its_invoice_is_refused_with_the_numbers(
    wanted: dict[int, int | None], code: str, said: tuple[str, ...]
) -> None:
    invoice, status = an_invoice(100, 50)
    with pytest.raises((Invalid, Refused)) as refused:
        lines_to_credit(invoice, status, wanted)
    assert refused.value.code == code
    assert all(words in refused.value.message for words in said)
    assert refused.value.facts


def test_what_is_credited_whole_cannot_be_credited_again() -> None:
    invoice, status = an_invoice(100)
    _, status, _ = note_over(invoice, status, {}, SERIES)
    with pytest.raises(Refused, match=r"1\.00 USD of 1\.00 USD is credited already"):
        lines_to_credit(invoice, status, {})


def test_what_was_paid_and_is_credited_is_the_customers_credit() -> None:
    invoice, status = an_invoice(100)
    status = paid(status, 80 * CENT)
    note, status, _ = note_over(invoice, status, {1: 50 * CENT}, SERIES)
    # 0.20 was open: 0.30 of the 0.50 had been paid, and is owed to the customer.
    assert note.returned_micros == 30 * CENT
    assert (status.paid_micros, status.credited_micros) == (50 * CENT, 50 * CENT)
    assert status.state is InvoiceState.PAID
    postings = reversal(note, invoice, Returned())
    sums: dict[str, int] = {}
    for leg in postings:
        sums[leg.account] = sums.get(leg.account, 0) + leg.amount
    assert sums == {
        ledger.revenue("spot"): 50 * CENT,
        ledger.receivable(TENANT): -20 * CENT,
        ledger.customer_credit(TENANT): -30 * CENT,
    }


def test_a_drawdown_goes_with_the_whole_invoice_only_and_back_where_it_came_from() -> None:
    drawn = a_line(LineType.DRAWDOWN, "drawn", -60 * CENT, (0, 1), "cb_1")
    invoice, status = an_invoice(100, extra=(drawn,))
    with pytest.raises(Refused) as refused:
        lines_to_credit(invoice, status, {2: None})
    assert refused.value.code == "only_with_the_whole"
    with pytest.raises(Refused, match=r"0\.40 USD is left to credit"):
        lines_to_credit(invoice, status, {1: 50 * CENT})
    note, status, _ = note_over(invoice, status, {}, SERIES)
    assert note.total_micros == 40 * CENT
    # 0.6004 was drawn exactly, of which 0.10 can be drawn no more.
    deferred = ledger.deferred_revenue(TENANT)
    postings = reversal(note, invoice, Returned(((deferred, 500_400),), 100_000))
    sums: dict[str, int] = {}
    for leg in postings:
        sums[leg.account] = sums.get(leg.account, 0) + leg.amount
    assert sums == {
        ledger.revenue("spot"): 100 * CENT,
        ledger.receivable(TENANT): -40 * CENT,
        deferred: -500_400,
        ledger.customer_credit(TENANT): -100_000,
        ledger.ROUNDING: 400,
    }


def test_no_invoice_asks_a_fraction_of_a_minor_unit() -> None:
    invoice, _ = an_invoice(100)
    [line] = invoice.lines
    odd = replace(line, amount_micros=line.amount_micros + 6_957)
    with pytest.raises(InvariantBroken, match="ACME-2026-000001 asks 1006957 micros USD"):
        check_invoice(replace(invoice, lines=(odd,), total_micros=odd.amount_micros))


def test_an_invoice_is_never_paid_and_credited_beyond_what_it_asked() -> None:
    _, status = an_invoice(100)
    with pytest.raises(InvariantBroken):
        paid(status, 101 * CENT)
    with pytest.raises(InvariantBroken):
        credited(paid(status, 60 * CENT), 50 * CENT, (50 * CENT,), 0)
