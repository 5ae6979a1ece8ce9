"""What is overdue is asked for in steps; what is disputed is left alone; age is by due date."""

import pytest

from comptoir.billing.ageing import OpenAmount, age, days_late
from comptoir.billing.dunning import (
    STEPS,
    DunningStep,
    check_steps,
    dunnable_micros,
    next_step_at_ms,
    step_due,
)
from comptoir.units.errors import Invalid
from comptoir.units.ids import TenantId

DAY = 86_400_000


def test_each_step_is_taken_once_in_its_time() -> None:
    days = [2, 3, 4, 13, 14, 29, 30, 90]
    taken, last, seen = 0, None, []
    for day in days:
        step = step_due(STEPS, taken, last, 0, 100, day * DAY)
        taken, last = (step, day * DAY) if step else (taken, last)
        seen.append(step)
    assert seen == [None, 1, None, None, 2, None, 3, None]
    came = [next_step_at_ms(STEPS, n, None, 0) for n in range(4)]
    assert came == [3 * DAY, 14 * DAY, 30 * DAY, None]


def test_after_a_long_sleep_the_first_letter_is_sent_and_the_others_in_their_time() -> None:
    """Woken after 45 days: the second follows 14 - 3 = 11 days later, the last 16 after that."""
    assert step_due(STEPS, 0, None, 0, 100, 45 * DAY) == 1
    assert step_due(STEPS, 1, 45 * DAY, 0, 100, 56 * DAY - 1) is None
    assert step_due(STEPS, 1, 45 * DAY, 0, 100, 56 * DAY) == 2
    assert next_step_at_ms(STEPS, 2, 56 * DAY, 0) == 72 * DAY
    assert step_due(STEPS, 3, 72 * DAY, 0, 100, 400 * DAY) is None


def test_steps_that_begin_anew_begin_with_the_first_after_its_days() -> None:
    assert next_step_at_ms(STEPS, 0, 60 * DAY, 0) == 63 * DAY


def test_a_dispute_pauses_only_what_it_disputes() -> None:
    assert dunnable_micros(100, 40) == 60
    assert step_due(STEPS, 0, None, 0, dunnable_micros(100, 40), 3 * DAY) == 1
    assert step_due(STEPS, 0, None, 0, dunnable_micros(100, 100), 3 * DAY) is None


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (DunningStep("a", 3), DunningStep("b", 3)),
        (DunningStep("a", 3), DunningStep("a", 9)),
        (DunningStep("a", -1),),
    ],
)
def test_steps_are_named_and_later_each(steps: tuple[DunningStep, ...]) -> None:
    with pytest.raises(Invalid, match="bad_dunning_steps"):
        check_steps(steps)


def test_amounts_are_aged_by_the_day_they_were_due() -> None:
    now, who = 100 * DAY, TenantId("tn_1")
    dues = [101 * DAY, 100 * DAY, 100 * DAY - 1, 70 * DAY, 69 * DAY, 9 * DAY]
    [aged] = age([OpenAmount(who, "EUR", 10**n, 0, due) for n, due in enumerate(dues)], now)
    # 0 and 0 days late; 1 and 30; 31; 91
    assert aged.buckets == (1 + 10, 100 + 1_000, 10_000, 0, 100_000)
    assert aged.total_micros == 111_111
    assert days_late(100 * DAY, now) == 0
