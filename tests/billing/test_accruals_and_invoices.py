"""An accrual has posted its floor; an invoice rounds each line once and clears what it bills."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from comptoir.billing.accruals import Accrual, accrue
from comptoir.billing.drafts import (
    DraftState,
    InvoiceDraft,
    fill,
    finalise,
    line_key,
    whole,
)
from comptoir.billing.invoices import Invoice, InvoiceKind, NumberSeries, Party, settlement
from comptoir.leases.lease import LeaseClass
from comptoir.ledger.entries import Posting, sums_by_unit, unbilled
from comptoir.metering.usage import Measure
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.tenants.parties import TenantKind
from comptoir.units.ids import AccrualId, InvoiceId, LeaseId, RateId, TenantId
from comptoir.units.money import MINOR_DIGITS, NUMERATOR_PER_MICRO, floor_micros

NOW = 1_790_000_000_000
pieces = st.tuples(st.integers(1, 10**12), st.integers(0, 10**14))
kinds = st.sampled_from(list(TenantKind))


def opened(number: int, rate: int, month: int, correction: bool, currency: str) -> Accrual:
    return Accrual(
        AccrualId(f"ac_{number}"), TenantId("tn"), LeaseId(f"ls_{number % 3}"),
        RateId(f"ra_{rate}"), LeaseClass.SPOT, "cpu-core", Measure.DELIVERED, 1, currency, month,
        NOW, NOW, correction,
    )  # fmt: skip


@st.composite
def accruals(draw: st.DrawFn) -> tuple[str, list[Accrual], list[Posting]]:
    currency = draw(st.sampled_from(["USD", "JPY", "KWD"]))
    made, postings = [], []
    for number in range(draw(st.integers(1, 6))):
        accrual = opened(
            number, draw(st.integers(1, 2)), draw(st.integers(0, 1)), draw(st.booleans()), currency
        )
        for time, price in draw(st.lists(pieces, min_size=1, max_size=5)):
            accrual, legs = accrue(accrual, NOW, NOW + 1, time, time * price)
            postings += legs
        made.append(accrual)
    return currency, made, postings


@given(st.lists(pieces, max_size=30))
def test_an_accrual_has_posted_the_floor_of_its_sum(added: list[tuple[int, int]]) -> None:
    accrual, posted, exact = opened(1, 1, 0, False, "USD"), 0, 0
    for time, price in added:
        accrual, legs = accrue(accrual, NOW, NOW + 1, time, time * price)
        posted += sum(leg.amount for leg in legs if leg.account == unbilled(TenantId("tn")))
        exact += time * price
        assert posted == accrual.posted_micros == floor_micros(exact)
        assert not any(sums_by_unit(legs).values())


def billed(
    currency: str, made: list[Accrual], kind: TenantKind, slices: int = 1
) -> tuple[Invoice, dict[str, int], tuple[Posting, ...]]:
    """An invoice over accruals that were put into its draft in so many slices."""
    chargeback = kind is TenantKind.TEAM
    draft = InvoiceDraft(
        InvoiceId("iv"), HOUSE_ENTITY, TenantId("tn"),
        InvoiceKind.CHARGEBACK if chargeback else InvoiceKind.INVOICE, None, currency,
        DraftState.FILLING, NOW, NOW, NOW,
    )  # fmt: skip
    ordered, placed = sorted(made, key=line_key), {}
    size = -(-len(ordered) // slices)
    for start in range(0, len(ordered), size):
        draft, at = fill(draft, ordered[start : start + size])
        placed |= {accrual.id: line for accrual, line in at.items()}
    parties = Party("House"), Party("Acme")
    series = NumberSeries(HOUSE_ENTITY, "ACME-2026", 6)
    invoice, after = finalise(whole(draft, (), NOW), series, parties, (), NOW, NOW)
    assert (invoice.number, after.last) == ("ACME-2026-000007", 7)
    return invoice, placed, settlement(invoice, draft.unbilled_micros)


@given(accruals(), kinds)
def test_an_invoice_clears_what_it_bills_and_rounds_each_line_once(
    drawn: tuple[str, list[Accrual], list[Posting]], kind: TenantKind
) -> None:
    currency, made, accrued = drawn
    invoice, placed, settled = billed(currency, made, kind)
    assert invoice.total_micros == sum(line.amount_micros for line in invoice.lines)
    assert {line.number for line in invoice.lines} == set(placed.values())
    step = 10 ** (6 - MINOR_DIGITS[currency])
    for line in invoice.lines:
        exact = sum(a.numerator for a in made if placed[a.id] == line.number)
        assert line.numerator == exact
        assert line.amount_micros % step == 0
        off = abs(line.amount_micros * NUMERATOR_PER_MICRO - exact)
        assert 2 * off <= step * NUMERATOR_PER_MICRO
    assert not any(sums_by_unit(settled).values())
    left = [leg for leg in (*accrued, *settled) if leg.account == unbilled(TenantId("tn"))]
    assert not any(sums_by_unit(left).values())


@given(accruals(), kinds, st.integers(1, 6), st.randoms())
def test_the_same_accruals_make_the_same_invoice_in_any_order_and_any_slices(
    drawn: tuple[str, list[Accrual], list[Posting]], kind: TenantKind, slices: int, rng: Random
) -> None:
    currency, made, _ = drawn
    one, _, _ = billed(currency, made, kind)
    other, _, _ = billed(currency, rng.sample(made, len(made)), kind, slices)
    assert one == other
