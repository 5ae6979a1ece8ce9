"""Recalls: how many leases of one contract a plan may take back, whatever else they cost.

The kernel's cover (`kernel_cover.py`) knows no such bound. Where its answer passes one, the leases
of that contract that may go are chosen first: every choice that could be the cheapest is tried,
the one that frees most first, and of what is found the cheapest is taken. Bound: MOST_COVERS
covers, beyond which the answer keeps to the number and is maybe not the cheapest.

Neighbours: `reclaim.py` reads a place and asks here; `check.py` counts again, by itself.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

from comptoir.leases.lease import Lease
from comptoir.placement.kernel_reclaim import RECORD

RecallsLeft = Callable[[Lease, int], tuple[str, int] | None]
"""Of which number it is one to take a lease back by an instant, and how many are left of it."""

MOST_COVERS = 64

Solve = Callable[[list[int]], list[int]]
"""The cheapest cover by some records: victims by number, or none."""


def any_number(_lease: Lease, _taken_at_ms: int) -> None:
    """Where no contract bounds recalls."""
    return


@dataclass(slots=True)
class Bounds:
    """Which of the victims of a place count together, and how many of these may go.

    `of` has for each victim the number of which it is one, or None; `left` how many of each.
    """

    of: list[str | None]
    left: dict[str, int]

    @classmethod
    def on(cls, leases: Sequence[Lease], taken_at_ms: int, recalls_left: RecallsLeft) -> "Bounds":
        """What bounds taking some leases back by an instant."""
        found = [recalls_left(lease, taken_at_ms) for lease in leases]
        left = dict(bound for bound in found if bound is not None)
        return cls([None if bound is None else bound[0] for bound in found], left)

    def most_freed(self, records: list[int]) -> int:
        """No more than this can be freed: of what counts together, the largest that may go."""
        freed = [0] * len(self.of)
        for at in range(0, len(records), RECORD):
            freed[records[at]] += records[at + 2]
        total = sum(size for size, of in zip(freed, self.of, strict=True) if of is None)
        for number, left in self.left.items():
            sizes = sorted(size for size, of in zip(freed, self.of, strict=True) if of == number)
            total += sum(sizes[max(len(sizes) - max(left, 0), 0) :])
        return total

    def cover(self, records: list[int], costs: list[int], solve: Solve) -> list[int]:
        """The cheapest cover within all bounds, of those that are tried; none if none is found."""
        none_left = {v for v, of in enumerate(self.of) if of is not None and self.left[of] <= 0}
        return _Search(self, costs, solve).below(without(records, none_left))

    def passed(self, chosen: Sequence[int]) -> str | None:
        """The first number that some victims pass together."""
        counted: dict[str, int] = {}
        for victim in chosen:
            of = self.of[victim]
            if of is not None:
                counted[of] = counted.get(of, 0) + 1
                if counted[of] > self.left[of]:
                    return of
        return None


@dataclass(slots=True)
class _Search:
    """Covers that keep to the bounds, and the least that one costs so far."""

    bounds: Bounds
    costs: list[int]
    solve: Solve
    tried: int = 0
    least: int | None = None

    def below(self, records: list[int]) -> list[int]:
        """The cheapest cover by these records that is cheaper than what was found."""
        if self.tried >= MOST_COVERS or not records:
            return []
        self.tried += 1
        chosen = self.solve(records)
        cost = sum(self.costs[victim] for victim in chosen)
        if not chosen or (self.least is not None and cost >= self.least):
            return []  # what keeps to more bounds costs no less
        number = self.bounds.passed(chosen)
        if number is None:
            self.least = cost
            return chosen
        best: list[int] = []
        for those_that_stay in self._choices(records, number):
            best = self.below(without(records, those_that_stay)) or best
            if self.tried >= MOST_COVERS:
                break
        return best

    def _choices(self, records: list[int], number: str) -> Iterator[set[int]]:
        """Who of those that count together stays: what frees most, and costs least, goes first.

        A lease on its own of which as many as may go free as much for as little is never needed.
        """
        freed, linked = dict[int, int](), set[int]()
        for at in range(0, len(records), RECORD):
            if self.bounds.of[records[at]] == number:
                freed[records[at]] = freed.get(records[at], 0) + records[at + 2]
                if records[at + 3]:
                    linked.add(records[at])
        left = self.bounds.left[number]
        order = sorted(freed, key=lambda v: (-freed[v], self.costs[v], v))
        needed = list[int]()
        for victim in order:
            better = [v for v in needed if v not in linked and self.costs[v] <= self.costs[victim]]
            if victim in linked or len(better) < left:
                needed.append(victim)
        for going in islice(combinations(needed, left), MOST_COVERS):
            yield set(order) - set(going)


def without(records: list[int], staying: set[int]) -> list[int]:
    """The records of a place in which some victims stay: what comes only with them goes, too."""
    if not staying:
        return records
    kept_by = {
        records[at + 1]
        for at in range(0, len(records), RECORD)
        if records[at] in staying and records[at + 3]
    }
    return [
        value
        for at in range(0, len(records), RECORD)
        if records[at] not in staying and records[at + 1] not in kept_by
        for value in records[at : at + RECORD]
    ]
