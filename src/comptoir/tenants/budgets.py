"""Budgets: what a tenant, or one of its projects, means to spend; warned of, then stopped.

A budget counts what is booked for its tenant or project, without tax, from when it is set; one
by the month begins again with each month of the seller's zone. One that stops
is warned of by what is spent and held, the sum that stops. Invariants: what was spent never sinks
within a period, and each threshold is told once a period.
"""

from dataclasses import dataclass

from comptoir.units.errors import Invalid
from comptoir.units.ids import BudgetId, TenantId, UserId
from comptoir.units.text import check_count
from comptoir.units.values import Term, quick, replace

MOST_THRESHOLDS = 8
MOST_BUDGETS_A_TENANT = 200
WHOLE = 100
"""Percent at which a budget is spent."""


class BudgetPeriod(Term):
    """How often it begins again."""

    MONTH = "month"
    ONCE = "once"


class WhenSpent(Term):
    """What a spent budget does. Each does what the one before it does, and more."""

    WARN = "warn"
    STOP = "stop"
    TAKE_BACK = "take_back"


@quick
@dataclass(frozen=True, slots=True)
class Budget:
    """So much money for a tenant (`project` empty) or one of its projects.

    `stop` refuses new work that would go beyond it; `take_back` also ends open-ended work, with
    its notice. `warned_percent` is the last threshold that was told in this period. One that was
    `by_house` is not the tenant's to change.
    """

    id: BudgetId
    tenant_id: TenantId
    project: str
    currency: str
    amount_micros: int
    period: BudgetPeriod
    thresholds: tuple[int, ...]
    when_spent: WhenSpent
    by_house: bool
    set_by: UserId
    created_at_ms: int
    period_start_ms: int
    spent_micros: int = 0
    warned_percent: int = 0
    ended_at_ms: int | None = None

    @property
    def live(self) -> bool:
        """Whether it still counts."""
        return self.ended_at_ms is None

    @property
    def stops(self) -> bool:
        """Whether it refuses new work."""
        return self.live and self.when_spent is not WhenSpent.WARN

    def covers(self, project: str) -> bool:
        """Whether work of a project counts against it: a tenant's own counts all."""
        return self.project in ("", project)


def check_thresholds(percents: tuple[int, ...]) -> tuple[int, ...]:
    """`percents` in order, if they lie between 1 and 99.

    Raises:
        Invalid: `out_of_range` or `bad_thresholds`.
    """
    check_count("thresholds", len(percents), 0, MOST_THRESHOLDS)
    for percent in percents:
        check_count("threshold", percent, 1, WHOLE - 1)
    if len(set(percents)) != len(percents):
        raise Invalid(
            "bad_thresholds",
            f"{', '.join(map(str, percents))} names one threshold twice",
            "give each percentage once",
            {"field": "thresholds"},
        )
    return tuple(sorted(percents))


def begun(budget: Budget, period_start_ms: int) -> Budget:
    """The budget in the period that began at an instant: a new month starts from nothing."""
    if budget.period is BudgetPeriod.ONCE or period_start_ms <= budget.period_start_ms:
        return budget
    return replace(budget, period_start_ms=period_start_ms, spent_micros=0, warned_percent=0)


def spend(budget: Budget, micros: int) -> tuple[Budget, int | None]:
    """The budget after `micros` more are booked, and the threshold that it has newly reached."""
    return reach(replace(budget, spent_micros=budget.spent_micros + micros))


def reach(budget: Budget, held_micros: int = 0) -> tuple[Budget, int | None]:
    """The budget, and the highest threshold that is reached and was not told.

    `held_micros` is what the work that it counts holds: a budget that stops is warned of by the
    sum that stops.

    Returns:
        100 for the threshold when it is spent; None if there is none to tell.
    """
    reached = reached_percent(budget, held_micros)
    if reached <= budget.warned_percent:
        return budget, None
    return replace(budget, warned_percent=reached), reached


def reached_percent(budget: Budget, held_micros: int = 0) -> int:
    """The highest threshold that is reached, 100 by what is spent alone; 0 if none."""
    if budget.spent_micros >= budget.amount_micros:
        return WHOLE
    counted = budget.spent_micros + (held_micros if budget.stops else 0)
    told = (at for at in budget.thresholds if counted * WHOLE >= at * budget.amount_micros)
    return max(told, default=0)
