"""The plan: steps that each stand for themselves, and what they gain and cost.

A step is one lease's: its parts, from which allocation to which accelerators. What is gained is
counted from the steps, in integers, and is never more than the bound.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from comptoir.placement.rebalance.counting import Counted
from comptoir.placement.rebalance.fitting import Move, moves_of
from comptoir.placement.rebalance.greedy import Greedy
from comptoir.placement.rebalance.problem import Problem, problem_of
from comptoir.placement.rebalance.program import Decided, Formulation, Solve
from comptoir.placement.rebalance.rows import Aim, PoolRows
from comptoir.units.errors import invariant
from comptoir.units.ids import AllocationId, LeaseId, NodeId, TenantId
from comptoir.units.time import MS_PER_HOUR
from comptoir.units.values import replace

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class PartMove:
    """One allocation, and the accelerators that take its place."""

    allocation_id: AllocationId
    from_node: NodeId
    to_node: NodeId
    accelerators: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One lease moved. `gain_ms` is its share of what its places and its spread gain."""

    number: int
    lease_id: LeaseId
    tenant_id: TenantId
    kind: str
    running: bool
    parts: tuple[PartMove, ...]
    notice_s: int
    cost_ms: int
    gain_ms: int
    frees: tuple[str, ...]
    why: str

    @property
    def accelerators(self) -> int:
        """How many it moves."""
        return sum(len(part.accelerators) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Freed:
    """A place that is whole once its steps are done. `gain_ms` in accelerator-ms."""

    place: str
    kind: str
    accelerators: int
    gain_ms: int
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UsedUp:
    """A place that was whole and gets somebody: it is not whole for the whole horizon."""

    place: str
    kind: str
    accelerators: int
    lost_ms: int


@dataclass(frozen=True, slots=True)
class Spread:
    """A sold window of which the loss of one pod takes less than before."""

    lease_id: LeaseId
    kind: str
    worst_before: int
    worst_after: int
    gain_ms: int
    step: int


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """The steps of one pool, and what they do. `score_ms` <= `bound_ms`, each net of costs."""

    steps: tuple[Step, ...]
    freed: tuple[Freed, ...]
    spreads: tuple[Spread, ...]
    used_up: tuple[UsedUp, ...]
    score_ms: int
    bound_ms: int
    how: str


@dataclass(frozen=True, slots=True)
class Rebalance:
    """Every pool's steps, numbered from one. `gap_ppm`: how far the score may be from the best."""

    aim: Aim
    steps: tuple[Step, ...]
    freed: tuple[Freed, ...]
    spreads: tuple[Spread, ...]
    used_up: tuple[UsedUp, ...]
    score_ms: int
    bound_ms: int
    how: tuple[str, ...]

    @property
    def gap_ppm(self) -> int:
        """The part of the bound that the score does not reach."""
        return gap_ppm(self.score_ms, self.bound_ms)

    @property
    def cost_ms(self) -> int:
        """What all its steps cost, in accelerator-ms."""
        return sum(step.cost_ms for step in self.steps)


def gap_ppm(score_ms: int, bound_ms: int) -> int:
    """How far a score is from its bound, in millionths of the bound, rounded up."""
    if bound_ms <= score_ms or bound_ms <= 0:
        return 0
    return -(-(bound_ms - score_ms) * PPM // bound_ms)


def plan_rebalance(pools: Iterable[PoolRows], aim: Aim, solve: Solve | None) -> Rebalance:
    """The moves that are worth it, pool by pool.

    Args:
        pools: What stands where.
        aim: What is looked for.
        solve: The solver; None: the cheapest places first, without one.
    """
    found = [plan_pool(rows, aim, solve) for rows in pools]
    steps: list[Step] = []
    freed: list[Freed] = []
    spreads: list[Spread] = []
    for one in found:
        first = len(steps)
        steps += [replace(step, number=step.number + first) for step in one.steps]
        freed += [replace(f, steps=tuple(n + first for n in f.steps)) for f in one.freed]
        spreads += [replace(s, step=s.step + first) for s in one.spreads]
    return Rebalance(
        aim,
        tuple(steps),
        tuple(freed),
        tuple(spreads),
        tuple(used for one in found for used in one.used_up),
        sum(one.score_ms for one in found),
        sum(one.bound_ms for one in found),
        tuple(dict.fromkeys(one.how for one in found)),
    )


def plan_pool(rows: PoolRows, aim: Aim, solve: Solve | None) -> PoolPlan:
    """The moves of one pool."""
    problem = problem_of(rows, aim)
    if not (problem.blocks or problem.loose):
        return PoolPlan((), (), (), (), 0, 0, "nobody who may move stands in the way")
    if solve is None:
        greedy = Greedy(problem)
        decided, bound = greedy.run(), greedy.bound_hours()
        how = "the cheapest places first, without a solver"
    else:
        formulation = Formulation(problem)
        solution = solve(formulation.program)
        decided, bound = Decided({}, {}, {}), solution.bound
        if solution.values is not None:
            decided = formulation.decided(solution.values)
        how = solution.how + (", over a share of the rooms" if formulation.restricted else "")
    counted = Counted(problem, moves_of(problem, decided))
    score_ms, bound_ms = counted.score_ms(), _whole_ms(bound)
    invariant(score_ms <= bound_ms, f"a plan of {score_ms} passes its bound of {bound_ms}")
    return _told(counted, score_ms, bound_ms, how)


def _whole_ms(hours: float) -> int:
    """A bound in accelerator-ms, rounded up by what a solver may be off."""
    return max(math.ceil(hours * MS_PER_HOUR * (1 + 1e-6)), 0) if hours > 1e-9 else 0


def _told(counted: Counted, score_ms: int, bound_ms: int, how: str) -> PoolPlan:
    problem, aim = counted.problem, counted.problem.aim
    by_worth = sorted(counted.freed, key=lambda p: (-int(problem.places.weight[p]), p))
    order = list(dict.fromkeys(lease for p in by_worth for lease in counted.freed[p]))
    order += sorted(lease for lease in counted.moves if lease not in set(order))
    numbers = {lease: number for number, lease in enumerate(order, 1)}
    gains: dict[int, int] = defaultdict(int)
    frees: dict[int, list[str]] = defaultdict(list)
    freed = []
    for place in by_worth:
        name, weight = problem.rows.name_of(aim.level, place), int(problem.places.weight[place])
        leases = counted.freed[place]
        for lease, share in _shares(problem, place, leases, counted, weight):
            gains[lease] += share
            frees[lease].append(name)
        steps = tuple(sorted(numbers[lease] for lease in leases))
        held = int(problem.places.accelerators[place])
        freed.append(Freed(name, problem.rows.kind, held, weight, steps))
    spreads = []
    for lease, move in counted.moves.items():
        better = counted.spread_of(move)
        if better:
            gains[lease] += better * aim.spread_ms
            before, after = counted.worst_of(move)
            spreads.append(
                Spread(
                    problem.rows.leases[lease].lease_id, problem.rows.kind, before, after,
                    better * aim.spread_ms, numbers[lease],
                )
            )  # fmt: skip
    return PoolPlan(
        tuple(
            _step(counted, counted.moves[lease], numbers[lease], gains[lease], tuple(frees[lease]))
            for lease in order
        ),
        tuple(freed),
        tuple(sorted(spreads, key=lambda s: s.step)),
        tuple(_used_up(problem, place) for place in counted.used_up()),
        score_ms,
        bound_ms,
        how,
    )


def _used_up(problem: Problem, place: int) -> UsedUp:
    return UsedUp(
        problem.rows.name_of(problem.aim.level, place),
        problem.rows.kind,
        int(problem.places.accelerators[place]),
        int(problem.places.weight[place]),
    )


def _shares(
    problem: Problem, place: int, leases: Sequence[int], counted: Counted, weight: int
) -> Iterable[tuple[int, int]]:
    """What a place gains, parted among those that leave it by how much of it they held."""
    held = []
    for lease in leases:
        rows = [r for r in counted.moves[lease].parts if _leaves(problem, r, place)]
        held.append(sum(int(problem.rows.count[row]) for row in rows))
    total, given = sum(held), 0
    for lease, part in list(zip(leases, held, strict=True))[1:]:
        share = weight * part // total
        given += share
        yield lease, share
    yield leases[0], weight - given


def _leaves(problem: Problem, row: int, place: int) -> bool:
    return int(problem.place[problem.rows.on_node[row]]) == place


def _step(counted: Counted, move: Move, number: int, gain_ms: int, frees: tuple[str, ...]) -> Step:
    rows = counted.problem.rows
    mover = rows.leases[move.lease]
    parts = tuple(
        PartMove(
            rows.ids[row], rows.node_ids[int(rows.on_node[row])], rows.node_ids[node], slots
        )
        for row, (node, slots) in sorted(move.parts.items())
    )  # fmt: skip
    return Step(
        number, mover.lease_id, mover.tenant_id, rows.kind, mover.running, parts, mover.notice_s,
        mover.cost_ms * mover.accelerators, gain_ms, frees, mover.why,
    )  # fmt: skip
