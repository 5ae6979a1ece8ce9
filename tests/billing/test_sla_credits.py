"""Broken guarantees become credits by the contract's own terms; every number is derived here."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from comptoir.billing.sla_credits import Outage, explained, sla_credit
from comptoir.leases.breaches import BreachCause
from comptoir.sales.sla_terms import CreditStep, SlaTerms, SlaUnit
from comptoir.units.ids import BreachId, LeaseId, NodeId

HOUR = 3_600_000
MONTH = (0, 720 * HOUR)  # thirty days
STEPS = (CreditStep(999_000, 100_000), CreditStep(990_000, 300_000), CreditStep(950_000, 1_000_000))
GANG = SlaTerms(SlaUnit.GANG, 1_000_000, 0, 0, False, (), STEPS, 1_000_000)
CENT = 10_000
CHARGES = 1_843_200_000_000  # 1,024 accelerators x 720 h at $2.50 = $1,843,200.00 in micros


def outage(number: int = 1, node: str = "nd_1", hours: tuple[float, float] = (10, 22), **more):  # type: ignore[no-untyped-def]
    made = Outage(
        BreachId(f"br_{number}"), LeaseId("ls_1"), NodeId(node), "r1", BreachCause.NODE_FAILED, 8,
        16, 1_024, int(hours[0] * HOUR), int(hours[1] * HOUR),
    )  # fmt: skip
    return replace(made, **more)


def credited(terms: SlaTerms, *outages: Outage):  # type: ignore[no-untyped-def]
    broken = sum(o.accelerators * (o.until_ms - o.from_ms) for o in outages)
    delivered = 1_024 * 720 * HOUR - broken
    return sla_credit(terms, outages, MONTH, delivered, CHARGES, "USD")


def test_one_dead_node_in_a_gang_of_1024_is_worth_by_the_unit_that_was_agreed() -> None:
    """8 of 1,024 accelerators are gone for 12 of 720 hours."""
    # By gang: all 1,024 count as down for 12 h: 12 / 720 = 1.6666 % down, 98.3333 % available:
    # below 99 %, so 30 % of $1,843,200.00 = $552,960.00.
    gang = credited(GANG, outage())
    assert gang.promised_ms == 1_024 * 720 * HOUR
    assert gang.broken_ms == 8 * 12 * HOUR
    assert gang.down_ms == 1_024 * 12 * HOUR
    assert (gang.available_ppm, gang.credit_ppm) == (983_333, 300_000)
    assert gang.micros == 55_296_000 * CENT
    # By accelerator: 8 x 12 of 1,024 x 720 accelerator-hours = 0.0130 % down, 99.9869 %
    # available: above 99.9 %, nothing is credited.
    single = credited(replace(GANG, unit=SlaUnit.ACCELERATOR), outage())
    assert single.down_ms == single.broken_ms == 8 * 12 * HOUR
    assert (single.available_ppm, single.credit_ppm, single.micros) == (999_869, 0, 0)


def test_a_healthy_minimum_lets_a_part_be_missing() -> None:
    # 1,016 of 1,024 are 99.2187 %: at a minimum of 99 % the gang was up
    assert credited(replace(GANG, healthy_minimum_ppm=990_000), outage()).down_ms == 0
    # two nodes at once leave 1,008, 98.4375 %: down while both are gone, from hour 12 to 22
    two = credited(
        replace(GANG, healthy_minimum_ppm=990_000), outage(), outage(2, "nd_2", (12, 30))
    )
    assert two.down_ms == 1_024 * 10 * HOUR
    assert two.downs[0].breaches == ("br_1", "br_2")


def test_what_is_replaced_in_time_or_excluded_was_never_down() -> None:
    assert credited(replace(GANG, replace_within_s=12 * 3_600), outage()).down_ms == 0
    assert credited(replace(GANG, replace_within_s=12 * 3_600 - 1), outage()).down_ms > 0
    planned = outage(cause=BreachCause.MAINTENANCE)
    assert credited(replace(GANG, exclusions=(BreachCause.MAINTENANCE,)), planned).micros == 0


def test_a_rack_is_down_with_its_worst_node() -> None:
    rack = credited(replace(GANG, unit=SlaUnit.RACK), outage())
    assert rack.down_ms == 16 * 12 * HOUR


def test_the_same_time_is_not_counted_twice() -> None:
    both = credited(GANG, outage(), outage(2, "nd_2", (15, 30)))
    assert both.down_ms == 1_024 * 20 * HOUR  # hours 10 to 30, once


def test_no_month_is_credited_beyond_its_cap_and_a_month_clips_what_reaches_over_it() -> None:
    worst = credited(replace(GANG, cap_ppm=500_000), outage(hours=(0, 720)))
    assert (worst.credit_ppm, worst.micros) == (500_000, CHARGES // 2)
    over = sla_credit(GANG, [outage(hours=(-50, 2))], MONTH, 1_024 * 720 * HOUR, CHARGES, "USD")
    assert over.down_ms == 1_024 * 2 * HOUR


def test_the_explanation_has_every_number() -> None:
    said = explained(credited(GANG, outage()), GANG)
    assert "44,236,800,000 of 2,654,208,000,000 accelerator-ms were down by gang" in said[0]
    assert "98.3333 % were available" in said[0]
    assert "credits 30.0000 % of the month's charges" in said[1]
    assert "1,024 accelerators from 1970-01-01T10:00:00.000Z" in said[2] and "br_1" in said[2]


times = st.integers(0, 700)


@given(
    st.lists(st.tuples(times, st.integers(1, 60), st.integers(0, 4)), max_size=8),
    st.sampled_from(list(SlaUnit)),
    st.integers(0, 1_000_000),
)
def test_more_is_never_down_than_was_promised_and_a_wider_unit_never_counts_less(
    spans: list[tuple[int, int, int]], unit: SlaUnit, minimum: int
) -> None:
    outages = [
        outage(n, f"nd_{n}_{node}", (start, start + lasts))
        for n, (start, lasts, node) in enumerate(spans)
    ]
    terms = replace(GANG, unit=unit, healthy_minimum_ppm=minimum)
    found = credited(terms, *outages)
    assert 0 <= found.down_ms <= found.promised_ms
    assert 0 <= found.micros <= CHARGES
    whole = credited(replace(GANG, unit=SlaUnit.ACCELERATOR), *outages)
    assert whole.down_ms == whole.broken_ms
    assert credited(GANG, *outages).down_ms >= min(whole.down_ms, found.promised_ms)


def test_a_spare_makes_good_one_node_at_a_time() -> None:
    """One spare and six hours: what breaks while another is out counts from its start.

    Node 1 is out from hour 10 to 14, node 2 from 12 to 15, node 3 from 14 to 18. The spare
    makes good 1, and 3 once 1 is back; node 2 was down for its 3 hours.
    """
    three = [outage(1, "nd_1", (10, 14)), outage(2, "nd_2", (12, 15)), outage(3, "nd_3", (14, 18))]
    terms = replace(GANG, unit=SlaUnit.NODE, replace_within_s=6 * 3_600)
    assert credited(terms, *three).down_ms == 0  # no number of spares: whatever is back in time
    assert credited(replace(terms, spares=2), *three).down_ms == 0
    one = credited(replace(terms, spares=1), *three)
    assert [down.breaches for down in one.downs] == [("br_2",)]
    assert one.down_ms == 8 * 3 * HOUR


def test_an_outage_longer_than_its_forgiveness_counts_in_both_months_that_it_reaches_into() -> None:
    """Three hours at most are forgiven: of four, one lies before the month, three in it."""
    terms = replace(GANG, replace_within_s=3 * 3_600)
    found = sla_credit(terms, [outage(hours=(-1, 3))], MONTH, 1_024 * 720 * HOUR, CHARGES, "USD")
    assert found.down_ms == 1_024 * 3 * HOUR
