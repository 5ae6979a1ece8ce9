"""However much usage is rated, and in whatever way: the same sums to the last digit."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comptoir.leases.term import LeaseTerm
from comptoir.metering.usage import Measure, UsageEvent
from comptoir.pricing.charges import item_of
from comptoir.pricing.rates import Rate
from comptoir.pricing.rating import Rated, Rating, UsageRow
from comptoir.pricing.segments import cuts_between
from comptoir.pricing.terms import Agreed, Override, OverrideMode, Terms
from comptoir.store.rating import COLUMNS, open_duckdb, rate_table
from comptoir.units.ids import ContractVersionId, TenantId
from comptoir.units.time import parse_instant
from tests.pricing.lines import CARD, DAY_MS, KIND, NANOS, Till, rate, usage

BEGIN = parse_instant("2027-01-20T00:00:00Z")
SPAN_MS = 60 * DAY_MS
TENANT = TenantId("tn")
RATES = [
    rate(2 * NANOS + 7),
    rate(NANOS + 3, BEGIN + 5 * DAY_MS + 1),
    rate(NANOS, BEGIN + 3 * DAY_MS, site="paris", tiers=((24, NANOS // 2 + 1), (72, 5))),
    rate(NANOS - 1, term=LeaseTerm.MONTH, measure=Measure.OCCUPIED),
]
AGREED = Agreed(
    (
        Terms(ContractVersionId(""), CARD),
        Terms(
            ContractVersionId("cv_1"), CARD,
            (
                Override(
                    KIND, None, "paris", None, BEGIN + 20 * DAY_MS, BEGIN + 33 * DAY_MS,
                    OverrideMode.MULTIPLIER, factor_ppm=333_333,
                ),
            ),
            from_ms=BEGIN + 10 * DAY_MS,
        ),
        Terms(ContractVersionId("cv_2"), CARD, (), from_ms=BEGIN + 30 * DAY_MS),
    ),
    (BEGIN + 7 * DAY_MS,),
    "Europe/Paris",
)  # fmt: skip


@st.composite
def events(draw: st.DrawFn) -> UsageEvent:
    start = BEGIN + draw(st.integers(0, SPAN_MS))
    length = draw(st.sampled_from([1, 60_000, DAY_MS, 40 * DAY_MS]))
    term = draw(st.sampled_from([LeaseTerm.HOUR, LeaseTerm.ONE_YEAR]))
    return usage(
        start, start + length, site=draw(st.sampled_from(["", "paris"])), term=term,
        accelerator_ms=draw(st.integers(1, 10**12)),
    )  # fmt: skip


def row(event: UsageEvent) -> UsageRow:
    return (
        event.tenant_id, event.kind, str(event.lease_class), event.site, str(event.term),
        str(event.measure), event.starts_at_ms, event.ends_at_ms, event.accelerator_ms,
    )  # fmt: skip


def one_by_one(rates: Sequence[Rate], given: Sequence[UsageEvent]) -> Counter[tuple[str, ...]]:
    """Accelerator-ms and numerators, by tenant, rate and period, as the desk charges them."""
    till, found = Till(rates, AGREED), Counter[tuple[str, ...]]()
    for event in given:
        for piece in till.price(event):
            place = str(piece.rate.id), str(piece.segment.period_ms), piece.segment.word
            found[(*place, "time")] += piece.accelerator_ms
            found[(*place, "owed")] += piece.numerator
            found[(*place, "list")] += piece.list_numerator
    return found


def summed(rated: Sequence[Rated]) -> Counter[tuple[str, ...]]:
    found = Counter[tuple[str, ...]]()
    for one in rated:
        place = str(one.rate_id), str(one.period_ms), one.word
        found[(*place, "time")] += one.accelerator_ms
        found[(*place, "owed")] += one.numerator
        found[(*place, "list")] += one.list_numerator
    return found


@given(st.lists(events(), max_size=12), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_any_order_gives_the_same_totals_as_charges_one_by_one(
    given: list[UsageEvent], rng: object
) -> None:
    expected = one_by_one(RATES, given)
    for _ in range(2):
        rating = Rating(lambda tenant: AGREED, lambda card, item: RATES)
        rating.add([row(event) for event in given])
        assert summed(rating.rated()) == expected
        assert rating.rows == len(given)
        rng.shuffle(given)  # type: ignore[attr-defined]
        assert one_by_one(RATES, given) == expected


@given(st.lists(events(), max_size=12))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_duckdb_adds_up_to_the_same(tmp_path: Path, given: list[UsageEvent]) -> None:
    pytest.importorskip("duckdb")
    plain, through = (
        Rating(lambda tenant: AGREED, lambda card, item: RATES),
        Rating(lambda tenant: AGREED, lambda card, item: RATES),
    )
    plain.add([row(event) for event in given])
    types = ["VARCHAR"] * 6 + ["BIGINT"] * 3
    with open_duckdb(tmp_path) as connection:
        columns = ", ".join(f"{c} {kind}" for c, kind in zip(COLUMNS, types, strict=True))
        connection.execute(f"CREATE OR REPLACE TABLE u ({columns})")
        for one in given:
            connection.execute("INSERT INTO u VALUES (?,?,?,?,?,?,?,?,?)", row(one))
        cuts = cuts_between([AGREED], RATES, BEGIN, BEGIN + 200 * DAY_MS)
        rate_table(connection, "u", cuts, through)
    assert through.rated() == plain.rated()
    assert through.rows == plain.rows == len(given)


def test_every_edge_is_a_cut() -> None:
    """Between two cuts, no price of anything changes: what DuckDB relies on."""
    till = Till(RATES, AGREED)
    cuts = [BEGIN, *cuts_between([AGREED], RATES, BEGIN, BEGIN + SPAN_MS), BEGIN + SPAN_MS]
    assert parse_instant("2027-01-31T23:00:00Z") in cuts  # February begins in Paris
    item = item_of(usage(BEGIN, BEGIN + 1, site="paris"))
    for low, high in pairwise(cuts):
        first = till.segment(TENANT, item, low)
        last = till.segment(TENANT, item, high - 1)
        assert first == last
