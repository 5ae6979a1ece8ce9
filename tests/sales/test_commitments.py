"""Commitments: what becomes credit, what is invoiced, what rolls over, what is owed."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from comptoir.leases.lease import LeaseClass
from comptoir.sales.commitments import (
    AccessStep,
    Commitment,
    CommitmentType,
    CommitmentUnit,
    Instalment,
    block_of,
    instalments_due,
)
from comptoir.sales.credit_blocks import (
    EVERYTHING,
    BlockState,
    CreditSource,
    expire,
    expired_at,
    rolled_over,
)
from comptoir.sales.drawdown import Due, draw
from comptoir.sales.supply_cost import burn_down
from comptoir.units.ids import ContractId, CreditBlockId, TenantId
from comptoir.units.time import parse_instant

CONTRACT, ACME = ContractId("ct_1"), TenantId("tn_1")
DOLLAR, HOUR_MS, DAY_MS = 10**6, 3_600_000, 86_400_000


def day(text: str) -> int:
    return parse_instant(f"{text}T00:00:00Z")


def prepaid(*steps: tuple[str, str, int], **more: object) -> Commitment:
    access = tuple(AccessStep(day(a), day(b), dollars * DOLLAR) for a, b, dollars in steps)
    due = (Instalment(access[0].from_ms, sum(step.micros for step in access)),)
    return Commitment("base", CommitmentType.PREPAID, CommitmentUnit.SPEND, access, due, **more)  # type: ignore[arg-type]


def postpaid(*steps: tuple[str, str, int]) -> Commitment:
    access = tuple(AccessStep(day(a), day(b), dollars * DOLLAR) for a, b, dollars in steps)
    due = tuple(Instalment(step.until_ms, step.micros) for step in access)
    return Commitment("base", CommitmentType.POSTPAID, CommitmentUnit.SPEND, access, due)


def used(name: str, at: str, dollars: int) -> Due:
    start = day(at)
    return Due(
        name, ACME, "USD", "h100-sxm", LeaseClass.RESERVED, "", start, start + DAY_MS,
        dollars * DOLLAR,
    )  # fmt: skip


def test_worked_example_prepaid_with_expiry_and_rollover() -> None:
    """$1,000 for the first quarter, of which a quarter of what is left lives on for 90 days.

    Used: $300 in January, $250 in March, $200 on 1 April.

    Close of March: the usage of January and March draws 300 + 250 = 550; 450 are left.
        25 % of 450 are 112.50, which roll over; 337.50 expire, and are breakage.
    Close of April: the 200 of April draw the 112.50 that rolled over; 87.50 are owed in money.
    """
    commitment = prepaid(
        ("2027-01-01", "2027-04-01", 1_000), rollover_ppm=250_000, rollover_s=90 * 86_400
    )
    block = block_of(
        CreditBlockId("cb_0001"), ACME, CONTRACT, commitment, commitment.access[0], "USD",
        day("2026-12-01"),
    )  # fmt: skip
    dues = [used("jan", "2027-01-10", 300), used("mar", "2027-03-31", 250)]
    april = used("apr", "2027-04-01", 200)
    (block,), draws = draw([block], [*dues, april])
    assert [one.micros // DOLLAR for one in draws] == [300, 250]
    assert expired_at([block], day("2027-04-01") - 1) == []
    ((over, left),) = expired_at([block], day("2027-04-01"))
    assert left == 450 * DOLLAR
    new = rolled_over(CreditBlockId("cb_0002"), over, day("2027-04-02"))
    assert new is not None
    assert (new.granted_micros, new.source) == (112_500_000, CreditSource.ROLLOVER)
    assert (new.from_ms, new.until_ms) == (day("2027-04-01"), day("2027-06-30"))
    assert left - new.granted_micros == 337_500_000  # the breakage
    assert expire(over).state is BlockState.EXPIRED
    (spent,), draws = draw([new], [april])
    assert (sum(one.micros for one in draws), spent.state) == (112_500_000, BlockState.SPENT)
    assert april.micros - 112_500_000 == 87_500_000  # owed in money
    # What rolled over once does not roll over again.
    assert rolled_over(CreditBlockId("cb_0003"), new, day("2027-07-01")) is None


@st.composite
def schedules(draws: st.DrawFn) -> tuple[Commitment, list[int]]:
    """A commitment of some steps, and periods that cover all of it."""
    cuts = draws(st.lists(st.integers(1, 400), min_size=2, max_size=6, unique=True).map(sorted))
    amounts = [draws(st.integers(1, 10**9)) for _ in cuts[1:]]
    access = tuple(
        AccessStep(a * DAY_MS, b * DAY_MS, n)
        for a, b, n in zip(cuts, cuts[1:], amounts, strict=False)
    )
    dates = draws(st.lists(st.integers(0, 400), min_size=1, max_size=5))
    due = tuple(Instalment(at * DAY_MS, 7) for at in dates)
    type_ = draws(st.sampled_from(CommitmentType))
    periods = draws(st.lists(st.integers(1, 400), max_size=6, unique=True).map(sorted))
    return (
        Commitment("base", type_, CommitmentUnit.SPEND, access, due, EVERYTHING),
        [0, *(p * DAY_MS for p in periods), 401 * DAY_MS],
    )


@given(schedules())
def test_each_instalment_falls_in_exactly_one_period(
    given_: tuple[Commitment, list[int]],
) -> None:
    commitment, periods = given_
    pairs = list(pairwise(periods))
    due = [one for a, b in pairs for one in instalments_due(CONTRACT, [commitment], a, b)]
    assert len({one.key for one in due}) == len(due)
    ahead = commitment.type is CommitmentType.PREPAID
    assert len(due) == (len(commitment.invoices) if ahead else 0)


def test_worked_example_burn_down_of_ten_billion() -> None:
    """24,576 accelerators at $8.00 are $196,608 an hour.

    $10,000,000,000 / $196,608 = 50,862.63 hours = 2,119.28 days after 1 September 2025.
    """
    start, end = day("2025-09-01"), day("2031-09-01")
    hourly = 24_576 * 8 * 10**9
    found = burn_down([(start, end, 10**10 * DOLLAR, 0, 0)], hourly, start)
    exact = 10**10 * 10**9 * HOUR_MS // hourly
    assert found.used_up_at_ms is not None
    assert 0 <= found.used_up_at_ms - start - exact <= 1
    assert day("2031-06-21") < found.used_up_at_ms < day("2031-06-22")
    assert found.short_micros == 0
    # At half of the rate it is not used up: what is short is the true-up risk.
    half = burn_down([(start, end, 10**10 * DOLLAR, 0, 0)], hourly // 2, start)
    hours = (end - start) // HOUR_MS
    assert half.used_up_at_ms is None
    assert half.short_micros == 10**10 * DOLLAR - hours * 98_304 * DOLLAR
    # Nothing is drawn: all of it is at risk.
    assert burn_down([(start, end, 10**10 * DOLLAR, 0, 0)], 0, start).short_micros == 10**16


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 10**9)), min_size=1, max_size=4),
    st.integers(0, 10**9),
    st.integers(0, 60),
)
def test_a_burn_down_is_what_drawing_it_hour_by_hour_would_give(
    parts: list[tuple[int, int]], hourly_micros: int, now: int
) -> None:
    steps, at = [], 0
    for hours, micros in parts:
        steps.append((at * HOUR_MS, (at + hours) * HOUR_MS, micros, 0, 0))
        at += hours
    found = burn_down(steps, hourly_micros * 1_000, now * HOUR_MS)
    short = 0
    for from_ms, until_ms, micros, _, _ in steps:
        hours = max(until_ms - max(from_ms, now * HOUR_MS), 0) // HOUR_MS
        if until_ms > now * HOUR_MS:
            short += max(micros - hours * hourly_micros, 0)
    assert found.short_micros == short
    assert (found.used_up_at_ms is None) == (short > 0 or not found.left_micros)


def test_a_burn_down_counts_what_rolls_over_once_and_until_it_ends() -> None:
    """$100 for 10 hours at $6 an hour: $60 are used, half of the $40 left rolls over for 5 hours.

    The next step of $10 ends with them: of $30 then, the $20 that end sooner are used up in 3 h 20
    min and the $10 after 5 h. What does not roll over, $20, is short.
    """
    steps = [
        (0, 10 * HOUR_MS, 100 * DOLLAR, 0, 0),
        (10 * HOUR_MS, 40 * HOUR_MS, 10 * DOLLAR, 0, 0),
    ]
    rolling = [(500_000, 15 * HOUR_MS), (0, 0)]
    found = burn_down(steps, 6 * 10**9, 0, rolling)
    assert (found.granted_micros, found.left_micros) == (110 * DOLLAR, 110 * DOLLAR)
    assert (found.short_micros, found.used_up_at_ms) == (20 * DOLLAR, None)
    # All of it rolls over: $40 are more than the 5 hours at $6 use, so $10 end with them.
    whole = burn_down(steps, 6 * 10**9, 0, [(1_000_000, 15 * HOUR_MS), (0, 0)])
    assert whole.short_micros == 10 * DOLLAR
    # For 10 hours more it is used up: $110 at $6 an hour last 18 h 20 min.
    longer = burn_down(steps, 6 * 10**9, 0, [(1_000_000, 25 * HOUR_MS), (0, 0)])
    assert longer.short_micros == 0
    assert longer.used_up_at_ms is not None
    assert abs(longer.used_up_at_ms - 110 * HOUR_MS // 6) <= 2
