"""Receipts pay what they name, once, and nothing is lost between what came in and what is left."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.billing.fx import Conversion
from comptoir.billing.receipts import (
    Asked,
    Payment,
    PaymentState,
    Receivables,
    allocate,
    allocated,
    check_refund,
    match,
    received,
    refunded,
)
from comptoir.ledger.entries import sums_by_unit
from comptoir.units.errors import InvariantBroken, Refused
from comptoir.units.ids import InvoiceId, LegalEntityId, PaymentId, TenantId
from comptoir.units.money import NANOS_PER_UNIT

CENT = 10_000
ACME, BETA = TenantId("tn_acme"), TenantId("tn_beta")


def asks(number: str, cents: int, tenant: TenantId = ACME, due: int = 0, currency: str = "USD"):
    return Asked(InvoiceId(f"iv_{number}"), number, tenant, currency, cents * CENT, due)


ONE = asks("ACME-2026-000001", 10_000, due=2)
TWO = asks("ACME-2026-000002", 5_000, due=1)
THEIRS = asks("BETA-2026-000001", 7_777, BETA)
BOOK = Receivables([ONE, TWO, THEIRS])


def at(rate_nanos: int, currency: str = "EUR") -> Conversion:
    return Conversion(currency, "USD", rate_nanos, NANOS_PER_UNIT, ())


def a_payment(cents: int, found, currency: str = "USD") -> Payment:
    return Payment(
        PaymentId("py_1"), LegalEntityId("le_1"), "e1", "s1", 0, 0, cents * CENT, currency, "", "",
        found.tenant_id, found.state, found.parts, found.left_micros,
    )  # fmt: skip


@pytest.mark.parametrize(
    "reference",
    [
        "ACME-2026-000001",
        "invoice acme 2026 000001 thank you",
        "RF/ACME2026000001/Q3",
        "acme-2026-\n000001",
    ],
)
def test_a_number_is_found_however_it_is_spaced(reference: str) -> None:
    found = match(10_000 * CENT, "USD", reference, BOOK)
    assert (found.state, found.tenant_id) == (PaymentState.MATCHED, ACME)
    assert [part.invoice_id for part in found.parts] == [ONE.invoice_id]


def test_a_longer_number_is_not_a_shorter_ones() -> None:
    assert match(CENT, "USD", "ACME-2026-0000012", BOOK).state is PaymentState.UNIDENTIFIED
    assert match(CENT, "USD", "XACME-2026-000001", BOOK).state is PaymentState.PARTIAL


def test_numbers_without_letters_are_told_apart_in_one_reference() -> None:
    book = Receivables([asks("2026-000001", 100), asks("2026-000002", 100)])
    assert match(200 * CENT, "USD", "2026-000001, 2026-000002", book).state is PaymentState.MATCHED


def test_a_number_that_ends_like_anothers_is_the_longer_one() -> None:
    short = asks("CME-2026-000001", 100, BETA)
    book = Receivables([ONE, short])
    [part] = match(100 * CENT, "USD", "ACME-2026-000001", book).parts
    assert part.invoice_id == ONE.invoice_id
    [part] = match(100 * CENT, "USD", "CME-2026-000001", book).parts
    assert part.invoice_id == short.invoice_id


def test_an_amount_alone_makes_a_suggestion_and_pays_nothing() -> None:
    found = match(7_777 * CENT, "USD", "thanks", BOOK)
    assert (found.state, found.parts, found.left_micros) == (
        PaymentState.UNIDENTIFIED,
        (),
        7_777 * CENT,
    )
    assert found.suggestions == ("BETA-2026-000001",)


def test_what_is_due_first_is_paid_first_and_a_part_leaves_the_rest_asked() -> None:
    # 120.00 for 50.00 (due at 1) and 100.00 (due at 2): the second gets 70.00, 30.00 is asked
    found = match(12_000 * CENT, "USD", "ACME-2026-000001 ACME-2026-000002", BOOK)
    assert found.state is PaymentState.PARTIAL
    assert [(p.invoice_id, p.micros // CENT) for p in found.parts] == [
        (TWO.invoice_id, 5_000),
        (ONE.invoice_id, 7_000),
    ]


def test_an_invoice_of_a_fraction_of_a_cent_is_given_whole_cents() -> None:
    """None is made any more. One that is kept from before is paid as far as money goes."""
    odd = replace(ONE, open_micros=3 * CENT + 3_478)
    for paid, most in ((CENT, CENT), (9 * CENT, 3 * CENT)):
        found = match(paid, "USD", "ACME-2026-000001", Receivables([odd]))
        [part] = found.parts
        assert (part.micros, part.paid_micros, found.left_micros) == (most, most, paid - most)
        received(a_payment(paid // CENT, found, "USD"), {odd.invoice_id: odd})


def test_more_than_is_asked_is_the_tenants_credit() -> None:
    found = match(5_001 * CENT, "USD", "ACME-2026-000002", BOOK)
    assert (found.state, found.left_micros) == (PaymentState.EXCESS, CENT)
    again = Receivables([replace(TWO, open_micros=0)])
    assert match(5_000 * CENT, "USD", "ACME-2026-000002", again).state is PaymentState.EXCESS


def test_what_is_left_over_between_two_tenants_is_nobodys_yet() -> None:
    found = match(20_000 * CENT, "USD", "ACME-2026-000001, BETA-2026-000001", BOOK)
    assert (found.state, found.tenant_id) == (PaymentState.UNIDENTIFIED, None)
    assert found.left_micros == 2_223 * CENT


def test_another_currency_pays_at_its_rate_through_the_brokerage() -> None:
    # 1 EUR = 1.25 USD: 80.00 EUR pay 100.00 USD; nothing is left
    found = match(8_000 * CENT, "EUR", "ACME-2026-000001", BOOK, {"USD": at(1_250_000_000)})
    assert (found.state, found.left_micros) == (PaymentState.MATCHED, 0)
    postings = received(a_payment(8_000, found, "EUR"), {ONE.invoice_id: ONE})
    assert [(p.account, p.unit, p.amount) for p in postings] == [
        ("cash:le_1", "EUR", 80_000_000),
        ("brokerage", "EUR", -80_000_000),
        ("brokerage", "USD", 100_000_000),
        ("receivable:tn_acme", "USD", -100_000_000),
    ]


def test_without_a_rate_an_invoice_in_another_currency_is_not_paid() -> None:
    found = match(8_000 * CENT, "EUR", "ACME-2026-000001", BOOK)
    assert (found.state, found.parts) == (PaymentState.EXCESS, ())


cents = st.integers(1, 10**6)


@given(
    st.lists(
        st.tuples(st.integers(0, 10**5), st.sampled_from([ACME, BETA])), min_size=1, max_size=6
    ),
    cents,
    st.sampled_from([("USD", NANOS_PER_UNIT), ("EUR", 1_083_700_000), ("JPY", 6_543_210)]),
)
def test_nothing_is_lost_and_no_invoice_is_overpaid(
    invoices: list[tuple[int, TenantId]], size: int, paying: tuple[str, int]
) -> None:
    currency, rate = paying
    asked = [asks(f"A-2026-{n:06d}", open_, who) for n, (open_, who) in enumerate(invoices)]
    micros = size * (10**6 if currency == "JPY" else CENT)
    words = " ".join(a.number for a in asked)
    found = match(micros, currency, words, Receivables(asked), {"USD": at(rate, currency)})
    assert sum(p.paid_micros for p in found.parts) + found.left_micros == micros
    assert all(p.micros <= a.open_micros for p in found.parts for a in asked
               if a.invoice_id == p.invoice_id)  # fmt: skip
    assert all(p.micros % CENT == 0 for p in found.parts)
    payment = replace(a_payment(1, found, currency), micros=micros)
    postings = received(payment, {a.invoice_id: a for a in asked})
    assert set(sums_by_unit(postings).values()) <= {0}
    if found.state is PaymentState.MATCHED:
        assert {p.invoice_id: p.micros for p in found.parts} == {
            a.invoice_id: a.open_micros for a in asked if a.open_micros
        }


def test_what_is_left_can_be_given_to_an_invoice_later_and_no_more() -> None:
    payment = a_payment(6_000, match(6_000 * CENT, "USD", "no idea", BOOK))
    part = allocate(payment, TWO, None, at(NANOS_PER_UNIT))
    assert (part.micros, part.paid_micros) == (5_000 * CENT, 5_000 * CENT)
    assert [p.account for p in allocated(payment, part, TWO)] == [
        "unidentified_receipts:le_1",
        "receivable:tn_acme",
    ]
    with pytest.raises(Refused, match=r"at most 50.00 USD of py_1, not 50.01"):
        allocate(payment, TWO, 5_001 * CENT, at(NANOS_PER_UNIT))


def test_a_tenants_credit_pays_no_other_tenants_invoice() -> None:
    payment = a_payment(6_000, match(6_000 * CENT, "USD", "ACME-2026-000002", BOOK))
    with pytest.raises(Refused, match="other_tenants_credit"):
        allocate(payment, THEIRS, None, at(NANOS_PER_UNIT))


def test_a_refund_is_of_what_is_left() -> None:
    payment = a_payment(6_000, match(6_000 * CENT, "USD", "ACME-2026-000002", BOOK))
    assert check_refund(payment, 1_000 * CENT) == 1_000 * CENT
    assert [p.account for p in refunded(payment, 1_000 * CENT)] == [
        "customer_credit:tn_acme",
        "cash:le_1",
    ]
    with pytest.raises(Refused, match=r"refund_too_large: 10.00 USD is left"):
        check_refund(payment, 1_001 * CENT)
    with pytest.raises(InvariantBroken):
        check_refund(payment, 0)
