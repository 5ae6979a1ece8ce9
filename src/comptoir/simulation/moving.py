"""Moving: an operator who rebalances now and then, and moves leases by hand, also wrongly.

A plan is made and checked on the book as it is; its steps are asked for one by one afterwards,
while the book changes in between. Neighbours: `workload.py` draws these with the rest; the
auditor holds what any lease is held to.
"""

import random
from collections.abc import Callable
from typing import Any

from comptoir.desk.memory import Memory
from comptoir.desk.move_requests import MoveLease, MovePart
from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import Lease
from comptoir.placement.rebalance.check import check_rebalance
from comptoir.placement.rebalance.plan import Step, plan_rebalance
from comptoir.placement.rebalance.rows import Aim, Level
from comptoir.simulation.clock import VirtualClock
from comptoir.store.rebalancing import pools_of
from comptoir.units.time import Window

Ask = Callable[..., Any]
Maker = Callable[[Memory], Any]


class Moving:
    """Draws them from the seed."""

    def __init__(self, rng: random.Random, clock: VirtualClock, ask: Ask) -> None:
        self._rng = rng
        self._clock = clock
        self._ask = ask
        self._steps: list[Step] = []

    def makers(self) -> tuple[tuple[Maker, int], ...]:
        """What may happen, and how often beside the rest."""
        return ((self._plan, 3), (self._step, 4), (self._by_hand, 12))

    def _plan(self, book: Memory) -> Any:
        """Plan, and ask for the first step; the others come when they come."""
        rng = self._rng
        aim = Aim(
            rng.choice(list(Level)), self._clock.now_ms(), rng.choice((3_600_000, 86_400_000)),
            rng.choice((0, 1_000)), rng.choice((0, 60_000)),
        )  # fmt: skip
        pools = pools_of(book, None, aim)
        plan = plan_rebalance(pools, aim, None)
        check_rebalance(pools, plan)
        self._steps = list(plan.steps)
        return self._step(book)

    def _step(self, book: Memory) -> Any:
        if not self._steps:
            return None
        step = self._steps.pop(0)
        parts = tuple(MovePart(p.allocation_id, p.to_node, p.accelerators) for p in step.parts)
        return self._ask("move_lease", MoveLease(step.lease_id, parts, "rebalance"), "operator")

    def _by_hand(self, book: Memory) -> Any:
        """Some part of a lease to some accelerators of some node: seldom free, often wrong."""
        rng = self._rng
        allocations = [a for a in book.allocations if a.fenced_at_ms is None]
        nodes = list(book.nodes)
        if not allocations or not nodes:
            return None
        one = rng.choice(allocations)
        lease = book.leases[one.lease_id]
        mine = [a for a in book.allocations_of(lease.id) if a.fenced_at_ms is None]
        wanted = mine if rng.random() < 0.5 else [one]
        parts = [self._somewhere(book, lease, allocation, nodes) for allocation in wanted]
        return self._ask("move_lease", MoveLease(lease.id, tuple(parts), "by hand"), "operator")

    def _somewhere(
        self, book: Memory, lease: Lease, allocation: Allocation, nodes: list[Node]
    ) -> MovePart:
        """Some node of the kind: as often as not one with room for it."""
        rng, size = self._rng, len(allocation.accelerators)
        alike = [node for node in nodes if node.kind == lease.kind] or nodes
        now_ms, ends_ms = self._clock.now_ms(), allocation.ends_at_ms
        window = Window(now_ms, None if ends_ms is None else max(ends_ms, now_ms + 1))
        free = {
            node.id: book.snapshot.free_for(lease.tenant_id, node, window, now_ms)
            for node in (alike if rng.random() < 0.6 else ())
            if node.id != allocation.node_id
        }
        fits = [node for node in alike if len(free.get(node.id, ())) >= size]
        if fits:
            node = rng.choice(fits)
            return MovePart(allocation.id, node.id, tuple(free[node.id][:size]))
        return MovePart(allocation.id, rng.choice(alike).id, tuple(range(size)))
