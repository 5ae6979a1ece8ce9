"""When machines die and come back: the same for every policy, from the seed alone.

Each node fails at random while it is up, the more often the more accelerators it has; after the
time of its repair it is back.
"""

import heapq
import random
from collections.abc import Iterator, Sequence

from comptoir.simulation.replay.lives import Conditions
from comptoir.simulation.replay.tally import Tally

MS_PER_DAY = 86_400_000
NEVER_MS = 1 << 60


class Breakdowns:
    """The coming failures and repairs of a fleet, in order of time."""

    def __init__(
        self, names: Sequence[str], sizes: Sequence[int], conditions: Conditions, slices: int = 1
    ) -> None:
        self._sizes = sizes
        self._repair_ms = conditions.repair_ms
        rate = conditions.failures_per_million_accelerator_days
        self._mean_ms = 1_000_000 * MS_PER_DAY * slices / rate if rate else 0
        """Of one accelerator, or slice of one."""
        self._of = [random.Random(f"{conditions.seed}/{name}") for name in names]
        self._down: dict[int, int] = {}
        self._coming = [(self._next_ms(n, 0), n) for n in range(len(names)) if rate]
        heapq.heapify(self._coming)

    def next_ms(self) -> int:
        """When something happens next."""
        return self._coming[0][0] if self._coming else NEVER_MS

    def due(self, now: int, tally: Tally) -> Iterator[tuple[int, bool]]:
        """(node, whether it fails) of all that happens until now; else it is back."""
        while self._coming and self._coming[0][0] <= now:
            _, node = self._coming[0]
            if node in self._down:
                tally.machine_down(self._down.pop(node), now, self._sizes[node])
                heapq.heapreplace(self._coming, (self._next_ms(node, now), node))
                yield node, False
            else:
                self._down[node] = now
                tally.machine_failed()
                heapq.heapreplace(self._coming, (now + self._repair_ms, node))
                yield node, True

    def close(self, now: int, tally: Tally) -> None:
        """The replay ends: what is down was down until now."""
        for node, since in self._down.items():
            tally.machine_down(since, now, self._sizes[node])

    def _next_ms(self, node: int, now: int) -> int:
        mean_ms = self._mean_ms / self._sizes[node]
        return now + 1 + int(self._of[node].expovariate(1.0) * mean_ms)
