"""Mishaps: what people do about machines that fail, and what they get wrong.

Neighbours: `machines.py` knows what is really wrong; `workload.py` draws these with the rest.
"""

import random
from collections.abc import Callable
from typing import Any

from comptoir.desk.failure_requests import (
    AcceptDelivery,
    FailNode,
    PlanMaintenance,
    RejectNode,
    ReportChecks,
    SetSpare,
)
from comptoir.desk.memory import Memory
from comptoir.desk.requests import NodeRef
from comptoir.fleet.checks import CheckOutcome, CheckResult
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.leases.lease import Lease, LeaseState
from comptoir.simulation.clock import VirtualClock
from comptoir.simulation.machines import Fate, Machines

Ask = Callable[[str, Any, str], Any]
Maker = Callable[[Memory], Any]


class Mishaps:
    """Draws them from the seed."""

    def __init__(
        self, rng: random.Random, clock: VirtualClock, machines: Machines, ask: Ask
    ) -> None:
        self._rng = rng
        self._clock = clock
        self._machines = machines
        self._ask = ask

    def makers(self) -> tuple[tuple[Maker, int], ...]:
        """What may happen, and how often beside the rest."""
        return (
            (self._fail, 4), (self._repair, 6), (self._maintain, 2), (self._spare, 2),
            (self._check, 6), (self._accept, 2), (self._reject, 3),
        )  # fmt: skip

    def _lease(self, book: Memory) -> Lease | None:
        leases = book.leases_by_state.get(LeaseState.ACTIVE)
        return self._rng.choice(leases) if leases else None

    def _node(self, book: Memory, *states: NodeState) -> Node | None:
        nodes = [node for node in book.nodes if not states or node.state in states]
        return self._rng.choice(nodes) if nodes else None

    def _fail(self, book: Memory) -> Any:
        """Somebody finds a machine dead, late and exactly; or is wrong about one."""
        rng, now = self._rng, self._clock.now_ms()
        dead = [
            (node, trouble)
            for node in book.nodes
            if node.state is not NodeState.FAILED
            and (trouble := self._machines.trouble(node.id, self._clock.true_ms)) is not None
            and trouble.fate is Fate.DEAD
        ]
        if dead:
            node, trouble = rng.choice(dead)
            at = rng.choice((None, trouble.from_ms, trouble.from_ms))
            request = FailNode(node.id, "found dead", at, rng.random() < 0.3)
            return self._ask("fail_node", request, "operator")
        wrong = self._node(book, NodeState.IN_SERVICE, NodeState.DRAINING, NodeState.CHECKING)
        if wrong is None or rng.random() < 0.5:
            return None
        at = rng.choice((None, now - 1_000, now - 90_000))
        return self._ask("fail_node", FailNode(wrong.id, "said to be dead", at), "operator")

    def _repair(self, book: Memory) -> Any:
        node = self._node(book, NodeState.FAILED, NodeState.UNKNOWN)
        return None if node is None else self._ask("repair_node", NodeRef(node.id), "operator")

    def _maintain(self, book: Memory) -> Any:
        rng, now = self._rng, self._clock.now_ms()
        node = self._node(book)
        if node is None:
            return None
        start = rng.choice((None, now + 1_000, now + 100_000, now + 3_600_000))
        end = None if start is None or rng.random() < 0.2 else start + rng.choice((10_000, 900_000))
        return self._ask("plan_maintenance", PlanMaintenance(node.id, start, end), "operator")

    def _spare(self, book: Memory) -> Any:
        node = self._node(book)
        if node is None:
            return None
        return self._ask("set_spare", SetSpare(node.id, self._rng.random() < 0.4), "operator")

    def _check(self, book: Memory) -> Any:
        rng = self._rng
        node = self._node(book, NodeState.CHECKING) or self._node(book)
        if node is None:
            return None
        well = self._machines.trouble(node.id, self._clock.true_ms) is None
        outcome = CheckOutcome.PASSED if well and rng.random() < 0.9 else CheckOutcome.FAILED
        if well and rng.random() < 0.2:
            outcome = CheckOutcome.DEGRADED
        results = (CheckResult("answers", outcome, "x" * rng.choice((0, 9))),)
        return self._ask("report_checks", ReportChecks(node.id, results), "operator")

    def _accept(self, book: Memory) -> Any:
        lease = self._lease(book)
        if lease is None:
            return None
        slug = book.tenants[lease.tenant_id].slug
        return self._ask("accept_delivery", AcceptDelivery(lease.id), slug)

    def _reject(self, book: Memory) -> Any:
        lease = self._lease(book)
        held = [] if lease is None else [a for a in book.allocations_of(lease.id) if a.delivered]
        if lease is None or not held:
            return None
        request = RejectNode(lease.id, self._rng.choice(held).node_id, "it throttles")
        return self._ask("reject_node", request, book.tenants[lease.tenant_id].slug)
