"""Steps of postpaid commitments: what is short, what late usage takes off, what an exit leaves."""

from hypothesis import given
from hypothesis import strategies as st

from comptoir.sales.commitments import (
    AccessStep,
    Commitment,
    CommitmentType,
    CommitmentUnit,
    Instalment,
)
from comptoir.sales.committed_steps import (
    CommittedStep,
    counted,
    settle,
    shortfall,
    take_back_late,
)
from comptoir.sales.contracts import Contract, Direction
from comptoir.sales.credit_blocks import EVERYTHING
from comptoir.sales.exits import cut_step, exit_settlements, left_after_exit
from comptoir.units.ids import ContractId, LegalEntityId, TenantId, UserId
from comptoir.units.money import NUMERATOR_PER_MICRO

CONTRACT = ContractId("ct_1")
SOLD = Contract(
    CONTRACT,
    "ACME-1",
    Direction.SOLD,
    TenantId("tn_1"),
    "",
    LegalEntityId("house"),
    "USD",
    UserId("us_1"),
    0,
)
DOLLAR, CENT, DAY_MS = 10**6, 10_000, 86_400_000


def a_step(dollars: int, spent: int = 0) -> CommittedStep:
    """A step of so many dollars of which so many micros are spent."""
    return CommittedStep(
        "ct_1/base/0", CONTRACT, TenantId("tn_1"), "base", "USD", EVERYTHING, 0, DAY_MS,
        dollars * DOLLAR, spent * NUMERATOR_PER_MICRO,
    )  # fmt: skip


def test_worked_example_true_up() -> None:
    """$10,000 a year, postpaid: of $8,700 spent 1,300 are owed, of $11,000 nothing."""
    assert settle(a_step(10_000, 8_700 * DOLLAR), True).asked_micros == 1_300 * DOLLAR
    assert settle(a_step(10_000, 11_000 * DOLLAR), True).asked_micros == 0
    assert settle(a_step(10_000), False).asked_micros == 0  # its tranche never came


def test_a_shortfall_is_rounded_to_the_minor_unit_once() -> None:
    """$300 less $1.000277... is $298.999722..., which is asked as $299.00."""
    spent = counted(a_step(300), 1_000_277 * NUMERATOR_PER_MICRO + 1)
    assert shortfall(spent) == 299 * DOLLAR


@given(
    st.integers(1, 1_000),
    st.lists(st.integers(0, 400 * DOLLAR), max_size=8),
    st.integers(0, 8),
)
def test_whatever_came_late_the_true_up_ends_as_if_it_had_come_in_time(
    dollars: int, used: list[int], in_time: int
) -> None:
    """Cumulative totals do not depend on when usage was reported, nor on how it was split."""
    step = a_step(dollars)
    for micros in used[:in_time]:
        step = counted(step, micros * NUMERATOR_PER_MICRO)
    step = settle(step, True)
    asked = step.asked_micros
    for micros in used[in_time:]:
        after = take_back_late(counted(step, micros * NUMERATOR_PER_MICRO))
        asked += after.asked_micros - step.asked_micros
        step = after
    at_once = a_step(dollars, sum(used))
    assert asked == step.asked_micros == settle(at_once, True).asked_micros


@given(st.integers(1, 10**12), st.integers(1, 400), st.integers(1, 400))
def test_an_exit_keeps_and_releases_all_of_a_postpaid_commitment(
    micros: int, length: int, ends: int
) -> None:
    steps = tuple(
        AccessStep(at * length * DAY_MS, (at + 1) * length * DAY_MS, micros) for at in range(3)
    )
    due = tuple(Instalment(step.until_ms, micros) for step in steps)
    whole = Commitment("base", CommitmentType.POSTPAID, CommitmentUnit.SPEND, steps, due)
    kept = [step for one in steps if (step := cut_step(one, ends * DAY_MS)) is not None]
    assert sum(step.micros for step in kept) + left_after_exit(whole, ends * DAY_MS) == 3 * micros
    assert all(step.from_ms < step.until_ms <= ends * DAY_MS for step in kept if step not in steps)


def test_an_exit_halfway_through_a_step_leaves_half_of_it() -> None:
    step = AccessStep(0, 30 * DAY_MS, 300 * DOLLAR)
    assert cut_step(step, 15 * DAY_MS) == AccessStep(0, 15 * DAY_MS, 150 * DOLLAR)
    assert (cut_step(step, 30 * DAY_MS), cut_step(step, 0)) == (step, None)


def test_a_prepaid_commitment_is_settled_to_what_its_kept_steps_cost() -> None:
    """Two months of $100, all of it asked for at the start; an exit in the first: $100 back."""
    steps = tuple(AccessStep(at * DAY_MS, (at + 30) * DAY_MS, 100 * DOLLAR) for at in (0, 30))
    ahead = Commitment(
        "base", CommitmentType.PREPAID, CommitmentUnit.SPEND, steps, (Instalment(0, 200 * DOLLAR),)
    )
    found = exit_settlements(SOLD, [ahead], 10 * DAY_MS)
    assert found == [("ct_1/base/exit", "base", -100 * DOLLAR)]
