"""What a tranche that is accepted late leaves of its commitment: worked examples, and sums."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.sales.commitments import (
    AccessStep,
    Commitment,
    CommitmentType,
    CommitmentUnit,
    Instalment,
)
from comptoir.sales.late_starts import begin, begin_step

DOLLAR, DAY_MS = 10**6, 86_400_000
MONTHS = (
    AccessStep(0, 30 * DAY_MS, 300 * DOLLAR),
    AccessStep(30 * DAY_MS, 60 * DAY_MS, 90 * DOLLAR),
)


def promised(type: CommitmentType, *invoices: tuple[int, int]) -> Commitment:
    due = tuple(Instalment(day * DAY_MS, dollars * DOLLAR) for day, dollars in invoices)
    return Commitment("base", type, CommitmentUnit.SPEND, MONTHS, due, tranche="t")


def test_a_postpaid_step_begins_at_the_acceptance_at_its_share_of_time() -> None:
    """Accepted after ten of thirty days: twenty are left, $200 of $300."""
    late = begin_step(CommitmentType.POSTPAID, MONTHS[0], 10 * DAY_MS)
    assert late == AccessStep(10 * DAY_MS, 30 * DAY_MS, 200 * DOLLAR)


def test_a_prepaid_step_that_runs_is_kept_whole() -> None:
    assert begin_step(CommitmentType.PREPAID, MONTHS[0], 10 * DAY_MS) == MONTHS[0]


@pytest.mark.parametrize("type", list(CommitmentType))
def test_a_step_that_is_over_before_the_acceptance_falls_away(type: CommitmentType) -> None:
    assert begin_step(type, MONTHS[0], 30 * DAY_MS) is None
    assert begin(promised(type, (0, 390)), 60 * DAY_MS) is None


def test_what_was_to_be_paid_ahead_for_it_falls_away_the_first_of_it_first() -> None:
    """$390 in three; $300 of it were for the first month: the last $90 are asked."""
    late = begin(promised(CommitmentType.PREPAID, (0, 200), (10, 150), (40, 40)), 31 * DAY_MS)
    assert late is not None
    assert late.access == MONTHS[1:]
    assert [(one.at_ms // DAY_MS, one.micros // DOLLAR) for one in late.invoices] == [
        (10, 50), (40, 40),
    ]  # fmt: skip


@given(st.sampled_from(CommitmentType), st.integers(0, 60 * DAY_MS - 1), st.integers(0, 390))
def test_both_schedules_sum_to_the_same_however_late(
    type: CommitmentType, accepted_ms: int, first: int
) -> None:
    late = begin(promised(type, (0, first), (20, 390 - first)), accepted_ms)
    assert late is not None
    assert late.micros == sum(one.micros for one in late.invoices) <= 390 * DOLLAR
