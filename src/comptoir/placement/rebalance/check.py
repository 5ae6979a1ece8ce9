"""The independent check of a rebalance, after every step. It shares no code with what plans it.

It plays the steps on the rows one after the other: a promise leaves its accelerators at once, what
runs keeps the old ones for its notice beside the new ones. After each step nobody may stand on
anybody, no lease may have become larger, smaller or wider, and nobody may have been moved who may
not be; at the end every gain is worked out again from what stands where.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from comptoir.placement.rebalance.plan import PartMove, Rebalance, Step
from comptoir.placement.rebalance.rows import PoolRows
from comptoir.units.errors import broken, invariant
from comptoir.units.ids import NodeId

_DEPTH = {"site": 0, "cluster": 0, "pod": 1, "rack": 2, "node": 3}
_ACT_MS = 1_000


@dataclass(slots=True)
class _Piece:
    """What stands on a node: whose, on which accelerators, from when until when."""

    lease: int
    slots: frozenset[int]
    start_ms: int
    end_ms: int


class _Pool:
    """The rows of one pool, as they are while the steps are played."""

    def __init__(self, rows: PoolRows) -> None:
        self.rows = rows
        self.node_of = {node_id: number for number, node_id in enumerate(rows.node_ids)}
        self.row_of = {id: row for row, id in enumerate(rows.ids)}
        self.at: list[int] = rows.on_node.tolist()
        """By row: where its accelerators are now."""
        self.moved: set[int] = set()
        self.entered: set[int] = set()
        self.pieces: dict[int, list[_Piece]] = {}
        """What stands on the nodes that steps touch."""
        self._rows_of: dict[int, list[int]] = defaultdict(list)
        self._rows_on: dict[int, list[int]] = defaultdict(list)
        for row, (lease, node) in enumerate(zip(rows.of_lease.tolist(), self.at, strict=True)):
            self._rows_of[lease].append(row)
            self._rows_on[node].append(row)

    def watch(self, nodes: set[int]) -> None:
        """Keep what stands on some nodes."""
        self.pieces = {node: [] for node in nodes}
        for row in self.rows_on(nodes):
            piece = _Piece(
                int(self.rows.of_lease[row]), frozenset(self.rows.slots[row]),
                int(self.rows.starts[row]), int(self.rows.ends[row]),
            )  # fmt: skip
            self.pieces[self.at[row]].append(piece)

    def rows_on(self, nodes: Iterable[int]) -> list[int]:
        """The rows that stood on some nodes before."""
        return [row for node in nodes for row in self._rows_on.get(node, ())]

    def rows_of(self, lease: int) -> list[int]:
        """The rows of a lease."""
        return self._rows_of[lease]


def check_rebalance(pools: Sequence[PoolRows], plan: Rebalance) -> None:
    """Let a sound plan pass.

    Raises:
        InvariantBroken: naming the rule and the numbers.
    """
    found = [_Pool(rows) for rows in pools]
    of_allocation = {id: pool for pool in found for id in pool.row_of}
    touched: dict[int, set[int]] = defaultdict(set)
    for step in plan.steps:
        for part in step.parts:
            pool = of_allocation[part.allocation_id]
            touched[id(pool)] |= {pool.node_of[part.from_node], pool.node_of[part.to_node]}
    for pool in found:
        pool.watch(touched[id(pool)])
    for number, step in enumerate(plan.steps, 1):
        invariant(step.number == number, f"step {number} is called {step.number}")
        invariant(bool(step.parts), f"step {number} moves nothing")
        _play(of_allocation[step.parts[0].allocation_id], step, plan)
    _check_gains(found, plan)


def _play(pool: _Pool, step: Step, plan: Rebalance) -> None:
    rows, now_ms = pool.rows, plan.aim.now_ms
    lease = int(rows.of_lease[pool.row_of[step.parts[0].allocation_id]])
    mover = rows.leases[lease]
    invariant(mover.lease_id == step.lease_id, f"step {step.number} moves {mover.lease_id}")
    if not mover.movable:
        broken(f"step {step.number} moves {step.lease_id}: {mover.why}")
    invariant(step.running == mover.running, f"{step.lease_id} runs, or does not")
    invariant(step.notice_s >= mover.notice_s, f"{step.lease_id} would get {step.notice_s} s")
    for part in step.parts:
        row = pool.row_of[part.allocation_id]
        invariant(int(rows.of_lease[row]) == lease, f"step {step.number} moves two leases")
        invariant(row not in pool.moved, f"{part.allocation_id} is moved twice")
        _check_part(pool, part, row, lease)
        pool.moved.add(row)
        source, target = int(rows.on_node[row]), pool.node_of[part.to_node]
        start_ms, end_ms = int(rows.starts[row]), int(rows.ends[row])
        for piece in pool.pieces[source]:
            if piece.lease == lease and piece.slots == frozenset(rows.slots[row]):
                leaves_ms = now_ms + step.notice_s * 1_000 if step.running else start_ms
                piece.end_ms = min(piece.end_ms, leaves_ms)
        pool.at[row] = target
        pool.entered.add(target)
        new = _Piece(lease, frozenset(part.accelerators), max(start_ms, now_ms), end_ms)
        pool.pieces[target].append(new)
        _check_node(pool, target, plan.aim.now_ms)
    places = {
        _place(pool, pool.at[row])[: _DEPTH[mover.shape.value]] for row in pool.rows_of(lease)
    }
    invariant(len(places) == 1, f"{step.lease_id} would span {len(places)} {mover.shape}s")


def _check_part(pool: _Pool, part: PartMove, row: int, lease: int) -> None:
    rows = pool.rows
    target = pool.node_of[part.to_node]
    invariant(
        rows.node_ids[int(rows.on_node[row])] == part.from_node,
        f"{part.allocation_id} does not stand on {part.from_node}",
    )
    invariant(bool(rows.open[target]), f"{part.to_node} is not for sale")
    slots = set(part.accelerators)
    invariant(len(slots) == len(part.accelerators) == int(rows.count[row]), "it changes its size")
    if not all(0 <= slot < int(rows.size[target]) for slot in slots):
        broken(f"{part.to_node} does not have the accelerators {sorted(slots)}")


def _check_node(pool: _Pool, node: int, now_ms: int) -> None:
    """Nobody on anybody's accelerators at any time, and no two tenants where none share."""
    pieces = pool.pieces[node]
    tenant = [pool.rows.leases[piece.lease].tenant_id for piece in pieces]
    for one in range(len(pieces)):
        for other in range(one):
            a, b = pieces[one], pieces[other]
            if max(a.start_ms, b.start_ms, now_ms) >= min(a.end_ms, b.end_ms):
                continue
            name = pool.rows.node_ids[node]
            invariant(a.slots.isdisjoint(b.slots), f"{name} would hold two on one accelerator")
            same = pool.rows.shared or tenant[one] == tenant[other]
            invariant(same, f"{name} would hold two tenants at once")


def _place(pool: _Pool, node: int) -> tuple[int, int, int]:
    return int(pool.rows.pod[node]), int(pool.rows.rack[node]), node


def _check_gains(pools: list[_Pool], plan: Rebalance) -> None:
    """What is said to be gained is what the rows say, and all of it adds up."""
    gained = 0
    for freed in plan.freed:
        gained += freed.gain_ms
        worth = [_worth_ms(pool, plan, freed.place) for pool in pools]
        if freed.gain_ms not in worth:
            broken(f"{freed.place} is said to gain {freed.gain_ms}, not {worth}")
    gained += sum(spread.gain_ms for spread in plan.spreads)
    invariant(gained == sum(step.gain_ms for step in plan.steps), "the steps gain something else")
    for used in plan.used_up:
        lost_ms = max(_whole_ms(pool, plan, used.place) for pool in pools)
        if used.lost_ms != lost_ms:
            broken(f"{used.place} is said to lose {used.lost_ms}, not {lost_ms}")
    lost = sum(used.lost_ms for used in plan.used_up)
    acts = sum(step.cost_ms + _ACT_MS * step.accelerators for step in plan.steps)
    if plan.score_ms != gained - lost - acts:
        broken(f"the score is {plan.score_ms}, {gained} - {lost} - {acts} is not")
    invariant(plan.score_ms <= plan.bound_ms, "the score passes its bound")


def _nodes_of(pool: _Pool, plan: Rebalance, place: str) -> list[int]:
    """The nodes for sale of a place, by its name."""
    rows = pool.rows
    site, cluster, *names = place.split("/", 2)
    if [site, cluster] != [rows.site, rows.cluster]:
        return []
    tables = {"pod": (rows.pod_names, rows.pod), "rack": (rows.rack_names, rows.rack)}
    if plan.aim.level.value == "node":
        found = pool.node_of.get(NodeId(place.rpartition("/")[2]))
        return [] if found is None else [found]
    called, numbers = tables[plan.aim.level.value]
    if names[0] not in called:
        return []
    number = list(called).index(names[0])
    return [int(node) for node in (numbers == number).nonzero()[0] if rows.open[node]]


def _worth_ms(pool: _Pool, plan: Rebalance, place: str) -> int:
    """What it is worth that a place is whole from now on: -1 if somebody is left or has come."""
    nodes = set(_nodes_of(pool, plan, place))
    begin, over = plan.aim.now_ms, plan.aim.now_ms + plan.aim.horizon_ms
    if not nodes or not nodes.isdisjoint(pool.entered):
        return -1
    spans = []
    for row in pool.rows_on(nodes):
        start, end = max(int(pool.rows.starts[row]), begin), min(int(pool.rows.ends[row]), over)
        if start < end:
            if row not in pool.moved:
                return -1
            spans.append((start, end))
    reached, blocked = begin, 0
    for start, end in sorted(spans):
        blocked += max(end - max(start, reached), 0)
        reached = max(reached, end)
    return blocked * sum(int(pool.rows.size[node]) for node in nodes)


def _whole_ms(pool: _Pool, plan: Rebalance, place: str) -> int:
    nodes = _nodes_of(pool, plan, place)
    return plan.aim.horizon_ms * sum(int(pool.rows.size[node]) for node in nodes)
