"""What a budget counts, when it tells, and when it begins again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.tenants.budgets import (
    Budget,
    BudgetPeriod,
    WhenSpent,
    begun,
    check_thresholds,
    spend,
)
from comptoir.units.errors import Invalid
from comptoir.units.ids import BudgetId, TenantId, UserId


def a_budget(amount: int, *thresholds: int, **more: object) -> Budget:
    given = {
        "period": BudgetPeriod.MONTH, "when_spent": WhenSpent.STOP, "by_house": False,
        "set_by": UserId("us"), "created_at_ms": 0, "period_start_ms": 0, "project": "",
        **more,
    }  # fmt: skip
    return Budget(
        BudgetId("bg"), TenantId("tn"), currency="USD", amount_micros=amount,
        thresholds=thresholds, **given,  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_threshold_is_told_as_it_is_reached_and_the_highest_of_several() -> None:
    budget, told = spend(a_budget(100, 50, 80), 49)
    assert told is None
    budget, told = spend(budget, 1)
    assert told == 50
    budget, told = spend(budget, 29)
    assert told is None
    budget, told = spend(budget, 40)  # from 79 to 119, over 80 and 100
    assert (told, budget.spent_micros) == (100, 119)
    assert spend(budget, 1_000)[1] is None


@given(st.lists(st.integers(0, 500), max_size=30), st.sets(st.integers(1, 99), max_size=8))
def test_each_threshold_is_told_at_most_once_and_all_that_are_reached(
    pieces: list[int], thresholds: set[int]
) -> None:
    budget, told = a_budget(1_000, *sorted(thresholds)), []
    for piece in pieces:
        budget, reached = spend(budget, piece)
        if reached is not None:
            told.append(reached)
    assert told == sorted(set(told))
    reached_at_all = [at for at in (*thresholds, 100) if sum(pieces) * 100 >= at * 1_000]
    assert max(told, default=0) == max(reached_at_all, default=0)
    assert budget.spent_micros == sum(pieces)


def test_a_month_begins_from_nothing_and_tells_again() -> None:
    budget, _ = spend(a_budget(100, 50), 60)
    assert begun(budget, 0) == budget
    fresh = begun(budget, 1_000)
    assert (fresh.spent_micros, fresh.period_start_ms) == (0, 1_000)
    assert spend(fresh, 50)[1] == 50


def test_a_budget_for_once_never_begins_again() -> None:
    budget, _ = spend(a_budget(100, period=BudgetPeriod.ONCE), 60)
    assert begun(budget, 10**15) == budget


def test_a_tenants_budget_counts_every_project_and_a_projects_its_own() -> None:
    assert a_budget(1).covers("llm")
    assert a_budget(1).covers("")
    assert a_budget(1, project="llm").covers("llm")
    assert not a_budget(1, project="llm").covers("")


def test_thresholds_lie_below_the_whole_and_are_named_once() -> None:
    assert check_thresholds((80, 50)) == (50, 80)
    for wrong, code in (((0,), "out_of_range"), ((100,), "out_of_range"), ((5, 5), "bad_thr")):
        with pytest.raises(Invalid, match=code):
            check_thresholds(wrong)
