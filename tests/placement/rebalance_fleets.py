"""Random pools for tests of the rebalance, and the best there is of a tiny one, by trying all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np

from comptoir.leases.lease import Shape
from comptoir.placement.rebalance.program import TIE_MS
from comptoir.placement.rebalance.rows import ENDLESS, Aim, Level, Mover, PoolRows
from comptoir.units.ids import AllocationId, LeaseId, NodeId, TenantId

NOW_MS, HOUR_MS = 0, 3_600_000
RESTART_MS = 900_000


def aim_at(level: Level, spread_ms: int = 0, horizon_h: int = 24) -> Aim:
    return Aim(level, NOW_MS, horizon_h * HOUR_MS, RESTART_MS, spread_ms)


class Fleet:
    """Nodes of one pool, and leases put on them one by one."""

    def __init__(self, pods: int, per_pod: int, per_rack: int, size: int = 8) -> None:
        self.count, self.size = pods * per_pod, size
        self.pod = [node // per_pod for node in range(self.count)]
        self.rack = [node // per_rack for node in range(self.count)]
        self.free = {node: set(range(size)) for node in range(self.count)}
        self.owner: dict[int, str] = {}
        self.open = [True] * self.count
        self.leases: list[Mover] = []
        self.rows: list[tuple[int, int, tuple[int, ...], int, int]] = []

    def put(
        self,
        tenant: str,
        parts: list[tuple[int, int]],
        shape: Shape = Shape.NODE,
        *,
        running: bool = True,
        movable: bool = True,
        spreads: bool = False,
        starts_ms: int | None = None,
        ends_ms: int = ENDLESS,
    ) -> None:
        """A lease with so many accelerators of each of some nodes."""
        number, size = len(self.leases), sum(count for _, count in parts)
        self.leases.append(
            Mover(
                LeaseId(f"ls_{number}"), TenantId(tenant), shape, size, running, movable, 30,
                30_000 + RESTART_MS if running else 0, spreads, "it stays" * (not movable),
            )
        )  # fmt: skip
        starts = (-5_000 if running else HOUR_MS) if starts_ms is None else starts_ms
        for node, count in parts:
            slots = tuple(sorted(self.free[node])[:count])
            assert len(slots) == count
            self.free[node] -= set(slots)
            self.owner[node] = tenant
            self.rows.append((number, node, slots, starts, ends_ms))

    def pool(self, shared: bool = False) -> PoolRows:
        """The rows."""

        def ints(values: list[int]) -> np.ndarray:
            return np.array(values, dtype=np.int64)

        return PoolRows(
            "h100-sxm", "s", "c", shared, [NodeId(f"nd_{n}") for n in range(self.count)],
            ints([self.size] * self.count), np.array(self.open), ints(self.pod), ints(self.rack),
            [f"p{n}" for n in range(max(self.pod) + 1)],
            [f"p/r{n}" for n in range(max(self.rack) + 1)], self.leases,
            [AllocationId(f"al_{n}") for n in range(len(self.rows))],
            [row[2] for row in self.rows], ints([row[0] for row in self.rows]),
            ints([row[1] for row in self.rows]), ints([len(row[2]) for row in self.rows]),
            ints([row[3] for row in self.rows]), ints([row[4] for row in self.rows]),
        )  # fmt: skip


def random_fleet(
    rng: random.Random, pods: int, per_pod: int, leases: int, whole_nodes: bool = False
) -> Fleet:
    """A fleet with some leases where they happen to fit."""
    fleet = Fleet(pods, per_pod, 2)
    for _ in range(leases):
        tenant = f"t{rng.randrange(3)}"
        running, movable = rng.random() < 0.6, rng.random() < 0.85
        spreads, size = rng.random() < 0.5, fleet.size
        ends = rng.choice([ENDLESS, ENDLESS, 5 * HOUR_MS, 40 * HOUR_MS])
        told = {"running": running, "movable": movable, "spreads": spreads, "ends_ms": ends}
        if rng.random() < 0.5:
            count = size if whole_nodes else rng.choice([1, 2, 4, 8])
            fits = [
                n
                for n, free in fleet.free.items()
                if len(free) >= count and fleet.owner.get(n, tenant) == tenant
            ]
            if fits:
                fleet.put(tenant, [(rng.choice(fits), count)], **told)
            continue
        wide = rng.choice([Shape.RACK, Shape.POD, Shape.CLUSTER])
        many = 2 if wide is Shape.RACK else rng.randrange(2, 4)
        by: dict[int, list[int]] = {}
        for node, free in fleet.free.items():
            if len(free) == size:
                at = {Shape.RACK: fleet.rack, Shape.POD: fleet.pod}.get(wide, [0] * fleet.count)
                by.setdefault(at[node], []).append(node)
        fits_in = [nodes for nodes in by.values() if len(nodes) >= many]
        if fits_in:
            nodes = rng.sample(rng.choice(fits_in), many)
            fleet.put(tenant, [(node, size) for node in nodes], wide, **told)
    return fleet


def best_score_ms(rows: PoolRows, aim: Aim) -> int:
    """The most that any set of moves scores: all of them are tried. For tiny pools."""
    return Brute(rows, aim).best()


class Brute:
    """Every way to move every lease, one after the other, on nodes."""

    def __init__(self, rows: PoolRows, aim: Aim) -> None:
        self.rows, self.aim = rows, aim
        self.place = rows.places(aim.level).tolist()
        self.on = rows.on_node.tolist()
        taken: dict[int, set[int]] = {}
        self.owner: dict[int, str] = {}
        for row, node in enumerate(self.on):
            taken.setdefault(node, set()).update(rows.slots[row])
            self.owner[node] = self._tenant(row)
        self.free = {
            node: int(rows.size[node]) - len(taken.get(node, ()))
            for node in range(len(rows.size))
            if rows.open[node]
        }
        self.fresh = {node for node in self.free if node not in taken}

    def best(self) -> int:
        """The best score of all."""
        movable = [n for n, mover in enumerate(self.rows.leases) if mover.movable]
        return max(self._from(movable, {}))

    def _from(self, leases: list[int], to: dict[int, int]) -> Iterator[int]:
        if not leases:
            yield self._score(to)
            return
        yield from self._from(leases[1:], to)
        mine = [r for r, lease in enumerate(self.rows.of_lease.tolist()) if lease == leases[0]]
        for moved in self._choices(mine):
            if not self._shape_holds(mine, moved):
                continue
            undo = self._take(moved)
            yield from self._from(leases[1:], to | moved)
            self._give(undo)

    def _choices(self, mine: list[int]) -> Iterator[dict[int, int]]:
        """Which of its rows go where: whole nodes to fresh ones, one small part anywhere."""
        size = int(self.rows.size[0])
        if len(mine) == 1:
            count, row = int(self.rows.count[mine[0]]), mine[0]
            for node in self._alike(count, self._tenant(row)):
                if node != self.on[row] and self.place[node] != self.place[self.on[row]]:
                    yield {row: node}
            return
        assert all(int(self.rows.count[row]) == size for row in mine)
        for many in range(1, len(mine) + 1):
            for rows in combinations(mine, many):
                for nodes in combinations(sorted(self.fresh), many):
                    yield dict(zip(rows, nodes, strict=True))

    def _alike(self, count: int, tenant: str) -> list[int]:
        """Nodes with so much room for a tenant; of fresh ones in a place, one."""
        found, seen = [], set()
        for node, free in sorted(self.free.items()):
            if free < count or self.owner.get(node, tenant) != tenant:
                continue
            if node in self.fresh:
                if self.place[node] in seen:
                    continue
                seen.add(self.place[node])
            found.append(node)
        return found

    def _shape_holds(self, mine: list[int], moved: dict[int, int]) -> bool:
        shape = self.rows.leases[int(self.rows.of_lease[mine[0]])].shape
        nodes = [moved.get(row, self.on[row]) for row in mine]
        width = {Shape.NODE: 0, Shape.RACK: 1, Shape.POD: 2}.get(shape, 3)
        if len(mine) > 1 and width > list(Level).index(self.aim.level):
            nodes += [self.on[row] for row in mine]  # part by part, within its own wide place
        if shape is Shape.RACK:
            return len({int(self.rows.rack[node]) for node in nodes}) == 1
        return shape is not Shape.POD or len({int(self.rows.pod[node]) for node in nodes}) == 1

    def _take(self, moved: dict[int, int]) -> list[tuple[int, int, str | None, bool]]:
        undo = []
        for row, node in moved.items():
            undo.append((node, self.free[node], self.owner.get(node), node in self.fresh))
            self.free[node] -= int(self.rows.count[row])
            self.owner[node] = self._tenant(row)
            self.fresh.discard(node)
        return undo

    def _give(self, undo: list[tuple[int, int, str | None, bool]]) -> None:
        for node, free, owner, fresh in reversed(undo):
            self.free[node] = free
            if fresh:
                self.fresh.add(node)
            if owner is None:
                del self.owner[node]
            else:
                self.owner[node] = owner

    def _tenant(self, row: int) -> str:
        tenant = self.rows.leases[int(self.rows.of_lease[row])].tenant_id
        return "" if self.rows.shared else tenant

    def _score(self, to: dict[int, int]) -> int:
        """What some moves are worth, from the definition alone."""
        aim, rows, score = self.aim, self.rows, 0
        entered = {self.place[node] for node in to.values()}
        for place in set(self.place):
            nodes = [n for n in self.free if self.place[n] == place]
            held = sum(int(rows.size[n]) for n in nodes)
            there = [
                (max(int(rows.starts[r]), aim.now_ms), min(int(rows.ends[r]), aim.until_ms), r)
                for r, node in enumerate(self.on)
                if node in nodes
            ]
            stands = [(start, end, r) for start, end, r in there if start < end]
            if not stands:
                score -= aim.horizon_ms * held * (place in entered)
            elif place not in entered and all(r in to for *_, r in stands):
                instants = sorted({at for start, end, _ in stands for at in (start, end)})
                score += held * sum(
                    b - a
                    for a, b in pairwise(instants)
                    if any(start <= a and b <= end for start, end, _ in stands)
                )
        for lease in {int(rows.of_lease[row]) for row in to}:
            mover = rows.leases[lease]
            mine = [r for r, of in enumerate(rows.of_lease.tolist()) if of == lease]
            moved = sum(int(rows.count[r]) for r in mine if r in to)
            score -= mover.cost_ms * mover.accelerators + TIE_MS * moved
            wide = mover.shape in (Shape.CLUSTER, Shape.SITE) and len(mine) > 1
            if aim.spread_ms and aim.level is Level.POD and mover.spreads and wide:
                score += aim.spread_ms * (self._worst(mine, {}) - self._worst(mine, to))
        return score

    def _worst(self, mine: list[int], to: dict[int, int]) -> int:
        held: dict[int, int] = {}
        for row in mine:
            pod = int(self.rows.pod[to.get(row, self.on[row])])
            held[pod] = held.get(pod, 0) + int(self.rows.count[row])
        return max(held.values())
