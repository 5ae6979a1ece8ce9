"""Effort: how much one call may look for, counted in plans and not in time: alike on any machine.

While a call looks, the desk is deaf to everybody else. What is not looked at for want of effort
is said, with how to go on; the queue goes on by itself in the next turn.
"""

from dataclasses import dataclass

from comptoir.desk.transaction import Transaction
from comptoir.placement.windows import passing_rows

MOST_PLANS_OF_A_CALL = 120
ROWS_OF_A_PLAN = 5_000
"""So many promises that come and go, in the pools of a kind, make a plan of it cost one more."""


@dataclass(slots=True)
class Effort:
    """Plans that may be made, and how many were."""

    most: int = MOST_PLANS_OF_A_CALL
    spent: int = 0

    @property
    def left(self) -> int:
        """What may still be spent."""
        return max(self.most - self.spent, 0)

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self.spent >= self.most

    def part(self, of: int, at_least: int) -> "Effort":
        """What one of so many that are still to come may spend of it."""
        return Effort(min(self.left, max(self.left // of, at_least)))


def weight_of(tx: Transaction, kind: str) -> int:
    """What a plan of a kind counts for: the more is promised ahead, the longer it takes."""
    pools = tx.book.snapshot.pools_of(kind)
    return 1 + sum(passing_rows(pool) for pool in pools) // ROWS_OF_A_PLAN
