"""A rebalance planned on a snapshot: the child process that `plan_child.py` starts.

It reads the committed book as any reader does, works in memory of its own under a limit, and
writes the plan to its standard output as JSON. The desk does not know of it.
"""

import json
import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from comptoir.desk.memory import Memory
from comptoir.desk.operations.move_clauses import clause_notice_s
from comptoir.desk.plan_port import (
    RebalanceAsk,
    RebalancePart,
    RebalancePlace,
    RebalancePlan,
    RebalanceSpread,
    RebalanceStep,
    RebalanceUsed,
)
from comptoir.desk.terms import price_of
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import Lease, LeaseClass
from comptoir.leases.moving import moving_of
from comptoir.leases.term import LeaseTerm
from comptoir.placement.rebalance.check import check_rebalance
from comptoir.placement.rebalance.highs import can_solve, solve
from comptoir.placement.rebalance.plan import Rebalance, Step, plan_rebalance
from comptoir.placement.rebalance.rows import Aim, Level, Mover, PoolRows, mover_of, read_pools
from comptoir.pricing.rates import Item
from comptoir.pricing.segments import segment_at
from comptoir.pricing.terms import without_contract
from comptoir.store.nested import encoded
from comptoir.store.opening import book_engine
from comptoir.store.sql_store import SqlStore
from comptoir.units.ids import LeaseId, NodeId
from comptoir.units.money import NUMERATOR_PER_MICRO
from comptoir.units.time import MS_PER_S
from comptoir.units.values import replace

OUT_OF_MEMORY = 12
_LOW_PRIORITY = 10


def rebalance_book(engine: Engine, ask: RebalanceAsk, plan_id: str, now_ms: int) -> RebalancePlan:
    """Plan, check every step, and say it in the words of the port."""
    book = Memory()
    book.load(SqlStore(engine).load())
    aim = Aim(
        Level(ask.level), now_ms, ask.horizon_s * MS_PER_S, ask.restart_s * MS_PER_S,
        ask.spread_s * MS_PER_S,
    )  # fmt: skip
    pools = pools_of(book, ask.kind, aim)
    solver = solve if can_solve() else None
    plan = plan_rebalance(pools, aim, solver)
    check_rebalance(pools, plan)
    said = _Said(book, pools, plan, ask, plan_id)
    return said.plan("highs" if solver else "greedy")


def pools_of(book: Memory, kind: str | None, aim: Aim) -> list[PoolRows]:
    """The pools of a book, of one kind or of all."""
    nodes = [node for node in book.nodes if kind is None or node.kind == kind]
    standing: dict[NodeId, list[Allocation]] = defaultdict(list)
    movers: dict[LeaseId, Mover] = {}
    for node in nodes:
        for allocation in book.snapshot.standing_on(node.id):
            standing[node.id].append(allocation)
            if allocation.lease_id not in movers:
                movers[allocation.lease_id] = _mover(book, book.leases[allocation.lease_id], aim)
    return read_pools(nodes, book.snapshot.inbound, movers, standing, aim)


def _mover(book: Memory, lease: Lease, aim: Aim) -> Mover:
    moving = moving_of(lease, clause_notice_s(book, lease.tenant_id, aim.now_ms), aim.now_ms)
    if any(a.lost and a.fenced_at_ms is None for a in book.allocations_of(lease.id)):
        moving = replace(moving, allowed=False, why="its last move, or a loss, is not over yet")
    return mover_of(lease, moving, aim)


@dataclass(frozen=True, slots=True)
class _Said:
    """A plan in the words of the port, with its money."""

    book: Memory
    pools: list[PoolRows]
    found: Rebalance
    ask: RebalanceAsk
    plan_id: str

    def plan(self, solver: str) -> RebalancePlan:
        """All of it."""
        found = self.found
        spread = {one.step: one.gain_ms for one in found.spreads}
        steps = tuple(self._step(step, spread.get(step.number, 0)) for step in found.steps)
        places = tuple(
            RebalancePlace(
                one.place, one.kind, one.accelerators, one.gain_ms,
                self._sold(one.kind, one.place, one.gain_ms), one.steps,
            )
            for one in found.freed
        )  # fmt: skip
        spreads = tuple(
            RebalanceSpread(
                one.lease_id, one.kind, one.worst_before, one.worst_after, one.gain_ms, one.step
            )
            for one in found.spreads
        )
        used_up = tuple(
            RebalanceUsed(
                one.place, one.kind, one.accelerators, one.lost_ms,
                self._sold(one.kind, one.place, one.lost_ms),
            )
            for one in found.used_up
        )  # fmt: skip
        ask = self.ask
        return RebalancePlan(
            self.plan_id, found.aim.now_ms, ask.level, ask.kind, ask.horizon_s, ask.restart_s,
            ask.spread_s, sum(len(pool.node_ids) for pool in self.pools),
            sum(len(pool.leases) for pool in self.pools), steps, places, spreads, used_up,
            sum(one.gain_ms for one in found.freed) - sum(one.lost_ms for one in found.used_up),
            _net(_sum(p.gain_micros for p in places), _sum(u.lost_micros for u in used_up)),
            found.cost_ms, _sum(step.cost_micros for step in steps), self._currency(),
            found.score_ms, found.bound_ms, found.gap_ppm, solver, found.how, 0, 0,
        )  # fmt: skip

    def _step(self, step: Step, spread_ms: int) -> RebalanceStep:
        gain = step.gain_ms - spread_ms
        where = step.frees[0] if step.frees else ""
        parts = tuple(
            RebalancePart(p.allocation_id, p.from_node, p.to_node, p.accelerators)
            for p in step.parts
        )
        return RebalanceStep(
            step.number, step.lease_id, step.tenant_id, step.kind, step.running, step.notice_s,
            parts, gain, self._sold(step.kind, where, gain) if gain else 0, step.cost_ms,
            self._lost(step), step.frees, step.why,
        )  # fmt: skip

    def _sold(self, kind: str, place: str, accelerator_ms: int) -> int | None:
        """What accelerator time is sold for on demand, by the book's first rate card."""
        card = next(iter(self.book.money.rate_cards)).id
        item = Item(kind, LeaseClass.ON_DEMAND, place.partition("/")[0], LeaseTerm.HOUR)
        rates_of = self.book.money.rates_of
        priced = segment_at(item, without_contract(card), rates_of, self.found.aim.now_ms).priced
        if priced is None:
            return None
        return accelerator_ms * priced.price_nanos // NUMERATOR_PER_MICRO

    def _lost(self, step: Step) -> int | None:
        """What the time that a move costs would be billed at, as its lease is."""
        if not step.cost_ms:
            return 0
        lease = self.book.leases[step.lease_id]
        site = self.book.nodes[step.parts[0].from_node].site
        priced = price_of(self.book, lease, self.found.aim.now_ms, site)
        if priced is None:
            return self._sold(step.kind, site, step.cost_ms)
        return step.cost_ms * priced.price_nanos // NUMERATOR_PER_MICRO

    def _currency(self) -> str:
        return next(iter(self.book.money.rate_cards)).currency


def _sum(parts: Iterator[int | None]) -> int | None:
    """The sum, if every part is known."""
    total = 0
    for part in parts:
        if part is None:
            return None
        total += part
    return total


def _net(gained: int | None, lost: int | None) -> int | None:
    return None if gained is None or lost is None else gained - lost


def main(asked: Mapping[str, Any]) -> RebalancePlan:
    """Plan what was asked on the standard input."""
    began = time.monotonic()
    limit = int(asked["memory_bytes"])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    seconds = int(asked["ask"]["time_limit_s"]) + 1  # should nobody be left to end it
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    os.setpriority(os.PRIO_PROCESS, 0, _LOW_PRIORITY)
    engine = book_engine(Path(asked["data"]), asked["database_url"])
    ask = RebalanceAsk(**asked["ask"])
    plan = rebalance_book(engine, ask, asked["id"], int(asked["now_ms"]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024
    return replace(plan, took_s=int(time.monotonic() - began) + 1, memory_bytes=peak)


if __name__ == "__main__":
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a solver prints is no part of the answer
    try:
        made = main(json.load(sys.stdin))
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)
    with answer:
        json.dump(encoded(made), answer)
