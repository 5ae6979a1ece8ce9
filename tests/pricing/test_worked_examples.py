"""Worked examples: every number is derived in a comment, by hand.

Prices are dollars per accelerator-hour; a numerator is accelerator-milliseconds times nanos, and
one dollar is 3,600,000 ms x 10^9 nanos = 3.6 x 10^15 of it.
"""

from comptoir.leases.lease import Lease, LeaseClass, LeaseState, OnReclaim, Reason, Shape
from comptoir.leases.term import LeaseTerm, term_of
from comptoir.pricing.steps import may_add, top_up
from comptoir.pricing.terms import Agreed, Override, OverrideMode, Terms
from comptoir.pricing.tiers import Tier, total
from comptoir.units.ids import ContractVersionId, LeaseId, TenantId, UserId
from comptoir.units.money import round_to_minor_micros
from comptoir.units.time import MS_PER_HOUR, parse_instant
from tests.pricing.lines import CARD, KIND, NANOS, Till, rate, usage

DOLLAR = MS_PER_HOUR * NANOS


def test_tiers() -> None:
    """8 accelerators all of February 2027 at 2.41, at 1.90 from 5,000 accelerator-hours on."""
    till = Till([rate(2_410_000_000, tiers=[(5_000, 1_900_000_000)])])
    month = usage("2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z", accelerators=8)
    first, second = till.price(month)
    # February 2027 has 28 x 24 = 672 hours; 8 accelerators: 5,376 accelerator-hours.
    # 5,000 of them at 2.41 are 12,050.00; the other 376 at 1.90 are 714.40.
    assert (first.accelerator_ms, second.accelerator_ms) == (5_000 * MS_PER_HOUR, 376 * MS_PER_HOUR)
    assert first.numerator == 12_050 * DOLLAR
    assert second.numerator == 714 * DOLLAR + DOLLAR * 40 // 100
    # In March the ladder begins anew: its first hour costs 2.41 again.
    (march,) = till.price(usage("2027-03-01T00:00:00Z", "2027-03-01T01:00:00Z"))
    assert march.numerator == DOLLAR * 241 // 100


def test_two_leases_climb_one_ladder_and_either_may_come_first() -> None:
    """4 accelerators for 6 h and 2 for 12 h: 48 accelerator-hours, 40 at 3.00 and 8 at 1.00."""
    line = [rate(3 * NANOS, tiers=[(40, NANOS)])]
    wide = usage("2027-02-01T00:00:00Z", "2027-02-01T06:00:00Z", accelerators=4)
    long = usage("2027-02-01T00:00:00Z", "2027-02-01T12:00:00Z", accelerators=2)
    # 4 x 6 + 2 x 12 = 48; 40 x 3.00 + 8 x 1.00 = 128.00, whichever is metered first.
    for order in ((wide, long), (long, wide)):
        till = Till(line)
        owed = sum(piece.numerator for event in order for piece in till.price(event))
        assert owed == 128 * DOLLAR


def test_a_price_that_changes_in_the_middle_of_a_month() -> None:
    """One accelerator all of April 2027: 3.00 until the 16th at noon, 2.50 from there on."""
    till = Till([rate(3 * NANOS), rate(2_500_000_000, "2027-04-16T12:00:00Z")])
    before, after = till.price(usage("2027-04-01T00:00:00Z", "2027-05-01T00:00:00Z"))
    # 15 days and 12 hours are 372 hours: 372 x 3.00 = 1,116.00.
    # April has 720 hours, so 348 are left: 348 x 2.50 = 870.00. Together 1,986.00.
    assert before.ends_at_ms == after.starts_at_ms == parse_instant("2027-04-16T12:00:00Z")
    assert (before.numerator, after.numerator) == (1_116 * DOLLAR, 870 * DOLLAR)


def test_an_override_in_the_middle_of_a_month_is_rounded_to_a_nano_once() -> None:
    """A third off 2.41 from the 10th on, for eight accelerators over 30 hours around midnight."""
    third = Override(
        KIND, None, None, None, parse_instant("2027-04-10T00:00:00Z"), None,
        OverrideMode.MULTIPLIER, factor_ppm=666_667,
    )  # fmt: skip
    agreed = Agreed((Terms(ContractVersionId("cv_1"), CARD, (third,)),))
    till = Till([rate(2_410_000_000)], agreed)
    before, after = till.price(usage("2027-04-09T06:00:00Z", "2027-04-10T12:00:00Z", 8))
    # 18 hours before: 8 x 18 = 144 accelerator-hours x 2.41 = 347.04.
    assert before.numerator == DOLLAR * 34_704 // 100
    # 2.41 x 0.666667 = 1.60666747 exactly: 1,606,667,470 nanos, nothing to round.
    # 12 hours after: 96 accelerator-hours x 1.60666747 = 154.24007712.
    assert after.price_nanos == 1_606_667_470
    assert after.numerator == 96 * MS_PER_HOUR * 1_606_667_470
    assert round_to_minor_micros(after.numerator, "USD") == 154_240_000
    # The card alone would have asked 96 x 2.41 = 231.36.
    assert after.list_numerator == DOLLAR * 23_136 // 100


def test_a_term_of_36_months_counts_its_calendar_hours() -> None:
    """2027, 2028 and 2029 have 26,304 hours, not 36 x 730 = 26,280: 2028 is a leap year."""
    starts, ends = parse_instant("2027-01-01T00:00:00Z"), parse_instant("2030-01-01T00:00:00Z")
    # 365 + 366 + 365 = 1,096 days; 1,096 x 24 = 26,304 hours.
    assert ends - starts == 26_304 * MS_PER_HOUR
    assert term_of(ends - starts) is LeaseTerm.THREE_YEARS
    till = Till([rate(2_410_000_000), rate(1_200_000_000, term=LeaseTerm.THREE_YEARS)])
    pieces = till.price(usage(starts, ends, 1_024, term=LeaseTerm.THREE_YEARS))
    # One piece a month; 1,024 x 26,304 = 26,935,296 accelerator-hours at 1.20 are 32,322,355.20,
    # 29,491.20 more than 36 x 730 hours would have been.
    assert len(pieces) == 36
    assert sum(piece.accelerator_ms for piece in pieces) == 26_935_296 * MS_PER_HOUR
    assert sum(piece.numerator for piece in pieces) == DOLLAR * 3_232_235_520 // 100
    assert 1_024 * (26_304 - 36 * 730) * 120 == 2_949_120  # cents


def test_a_month_in_paris_begins_when_it_begins_there() -> None:
    """The hour before UTC's March begins is March in Paris already: another period's ladder."""
    line = [rate(2 * NANOS, tiers=[(1, NANOS)])]
    last_hours = usage("2027-02-28T22:00:00Z", "2027-03-01T00:00:00Z")
    agreed = Agreed((Terms(ContractVersionId(""), CARD),), (), "Europe/Paris")
    # In UTC both hours are February's: the second is at 1.00. In Paris each opens a ladder.
    assert [piece.price_nanos for piece in Till(line).price(last_hours)] == [2 * NANOS, NANOS]
    assert [piece.price_nanos for piece in Till(line, agreed).price(last_hours)] == [2 * NANOS] * 2


def test_granularity_and_minimum() -> None:
    """A rate with a minimum of an hour and steps of 15 minutes, for a lease of 4 accelerators."""
    stepped = rate(NANOS, minimum_s=3_600, granularity_s=900)
    minute = 60_000
    # 4 accelerators for 20 minutes are 80 accelerator-minutes; an hour of 4 is 240: 160 more.
    assert top_up(stepped, 4, 80 * minute) == 160 * minute
    # For 61 minutes: 244, over the minimum; whole steps of 4 x 15 = 60 make 300: 56 more.
    assert top_up(stepped, 4, 244 * minute) == 56 * minute
    assert top_up(stepped, 4, 300 * minute) == top_up(stepped, 4, 0) == 0


def test_graduated_is_not_volume() -> None:
    """One unit more never makes the whole cheaper: each tier prices only what falls in it."""
    prices = (Tier(0, 10), Tier(100, 1))
    assert total(prices, 100) == 1_000
    assert total(prices, 101) == 1_001
    assert total(prices, 250) == 100 * 10 + 150 * 1


def test_only_a_holders_end_is_added_to() -> None:
    lease = Lease(
        LeaseId("ls"), TenantId("tn"), UserId("us"), "", LeaseClass.SPOT, KIND, 4, Shape.NODE, 0,
        None, 0, OnReclaim.END, 0, LeaseState.ENDED, 0, reason=Reason.ENDED_BY_HOLDER,
    )  # fmt: skip
    assert may_add(lease)
    for reason in (Reason.STRONGER_REQUEST, Reason.SUPPLY_ENDED, Reason.NODE_LOST):
        assert not may_add(
            Lease(
                LeaseId("ls"), TenantId("tn"), UserId("us"), "", LeaseClass.SPOT, KIND, 4,
                Shape.NODE, 0, None, 0, OnReclaim.END, 0, LeaseState.ENDED, 0, reason=reason,
            )
        )  # fmt: skip
