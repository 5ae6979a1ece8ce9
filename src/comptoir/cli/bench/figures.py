"""A figure: the median of several runs, the goal it is held to, and what stands beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity. `at_most`: whether the goal is a ceiling."""

    what: str
    unit: str
    median: float
    least: float
    most: float
    runs: int
    goal: float | None = None
    at_most: bool = False
    beside: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median meets the goal; None without one."""
        if self.goal is None:
            return None
        return self.median <= self.goal if self.at_most else self.median >= self.goal

    @property
    def goal_text(self) -> str:
        """The goal as a person reads it."""
        if self.goal is None:
            return ""
        return f"{'<=' if self.at_most else '>='} {self.goal:,.4g}"


@dataclass(frozen=True, slots=True)
class Findings:
    """What one measure found: figures for people, numbers by name for programs."""

    figures: Sequence[Figure]
    numbers: Mapping[str, float]


def figure(
    what: str,
    unit: str,
    runs: Sequence[float],
    goal: float | None = None,
    at_most: bool = False,
    beside: str = "",
) -> Figure:
    """The figure of several runs."""
    return Figure(what, unit, median(runs), min(runs), max(runs), len(runs), goal, at_most, beside)


def percentile(sorted_values: Sequence[float], per_thousand: int) -> float:
    """The value below which so many thousandths of the others lie."""
    return sorted_values[min(len(sorted_values) - 1, len(sorted_values) * per_thousand // 1_000)]
