"""SLA terms: what a contract guarantees about delivered capacity, and what a breach is worth.

Only the words of the contract. What was broken is in `leases/breaches.py`; `billing` works a
credit out from both, so that a customer need not claim.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from comptoir.leases.breaches import BreachCause
from comptoir.units.errors import Invalid


class SlaUnit(StrEnum):
    """How much counts as down when one accelerator is: itself, or all that it stands with."""

    ACCELERATOR = "accelerator"
    NODE = "node"
    RACK = "rack"
    GANG = "gang"


@dataclass(frozen=True, slots=True)
class CreditStep:
    """Below so much of the promised time, so much of the month's charges is credited."""

    below_ppm: int
    credit_ppm: int


@dataclass(frozen=True, slots=True)
class SlaTerms:
    """A guarantee.

    A unit is up while at least `healthy_minimum_ppm` of its accelerators are delivered.
    What is whole again within `replace_within_s` was never down; of `spares` nodes of a lease
    at a time (0: any number): a further one counts from its first instant. With
    `degraded_counts`, accelerators that are delivered but degraded are not healthy. What broke
    for one of the `exclusions` does not count. `credits` are from the mildest breach to the
    worst; no month is credited more than `cap_ppm` of its charges.
    """

    unit: SlaUnit
    healthy_minimum_ppm: int
    spares: int
    replace_within_s: int
    degraded_counts: bool
    exclusions: tuple[BreachCause, ...]
    credits: tuple[CreditStep, ...]
    cap_ppm: int

    def credit_ppm(self, available_ppm: int) -> int:
        """What share of a month's charges is credited at an availability, capped."""
        credit = 0
        for step in self.credits:
            if available_ppm < step.below_ppm:
                credit = max(credit, step.credit_ppm)
        return min(credit, self.cap_ppm)


def check_credits(credits: tuple[CreditStep, ...]) -> tuple[CreditStep, ...]:
    """The steps themselves if each is worse than the one before and worth more.

    Raises:
        Invalid: `bad_credit_schedule`.
    """
    for mild, bad in pairwise(credits):
        if bad.below_ppm >= mild.below_ppm or bad.credit_ppm <= mild.credit_ppm:
            raise Invalid(
                "bad_credit_schedule",
                f"a credit of {bad.credit_ppm:,} ppm below {bad.below_ppm:,} ppm does not follow "
                f"one of {mild.credit_ppm:,} below {mild.below_ppm:,}",
                "write the steps from the mildest breach to the worst, each worth more",
            )
    return credits
