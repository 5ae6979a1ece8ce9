"""What was decided, on real nodes: each move gets nodes of its own, none of them twice.

Racks come first, since they are the hardest to find, then whole nodes, the largest leases first,
then what leaves for itself, and small parts last. Whoever does not fit after all (small parts that
do not pack, a rack too small) is left out: `counting.py` sees what that means.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from comptoir.leases.lease import Shape
from comptoir.placement.rebalance.problem import Problem, Room
from comptoir.placement.rebalance.program import Decided
from comptoir.units.ids import TenantId


@dataclass(slots=True)
class Move:
    """A lease's move: rows of its allocations, each to a node and accelerators of it."""

    lease: int
    parts: dict[int, tuple[int, tuple[int, ...]]] = field(default_factory=dict)


class Nodes:
    """Which nodes and accelerators are still free to move to."""

    def __init__(self, problem: Problem) -> None:
        self._rack = problem.rows.rack
        self._fresh: dict[tuple[int, int], dict[int, list[int]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self._begun: dict[Room, list[int]] = {}
        self._slots: dict[int, list[int]] = {}
        self._shared: dict[tuple[Room, TenantId], list[int]] = defaultdict(list)
        """Fresh nodes that small parts of an owner have begun in this plan."""
        for room, nodes in problem.rooms.items():
            if room.owner is not None:
                self._begun[room] = list(nodes)
                continue
            for node in nodes:
                self._fresh[room.place, room.size][int(self._rack[node])].append(node)
        taken: dict[int, set[int]] = defaultdict(set)
        begun = {node for nodes in self._begun.values() for node in nodes}
        for row, node in enumerate(problem.rows.on_node.tolist()):
            if node in begun:
                taken[node].update(problem.rows.slots[row])
        self._sizes = problem.rows.size
        for node in begun:
            self._slots[node] = [
                slot for slot in range(int(self._sizes[node])) if slot not in taken[node]
            ]

    def whole(self, room: Room, count: int, one_rack: bool) -> list[int] | None:
        """Fresh nodes of a room, the emptiest racks last; `one_rack`: all of one, the tightest."""
        racks = self._fresh[room.place, room.size]
        if one_rack:
            fits = [rack for rack, nodes in racks.items() if len(nodes) >= count]
            order = sorted(fits, key=lambda rack: (len(racks[rack]), rack))[:1]
        else:
            order = sorted(racks, key=lambda rack: (len(racks[rack]), rack))
        if sum(len(racks[rack]) for rack in order) < count:
            return None
        found: list[int] = []
        for rack in order:
            while racks[rack] and len(found) < count:
                found.append(racks[rack].pop(0))
        return found

    def part(self, room: Room, count: int, owner: TenantId) -> tuple[int, tuple[int, ...]] | None:
        """So many accelerators of one node: begun by the owner, or fresh and then begun."""
        nodes = self._begun[room] if room.owner is not None else self._shared[room, owner]
        fits = [node for node in nodes if len(self._slots[node]) >= count]
        if not fits and room.owner is None:
            fresh = self.whole(room, 1, one_rack=False)
            if fresh:
                self._slots[fresh[0]] = list(range(int(self._sizes[fresh[0]])))
                nodes.append(fresh[0])
                fits = fresh
        if not fits:
            return None
        node = min(fits, key=lambda n: (len(self._slots[n]), n))
        free = self._slots[node]
        self._slots[node] = free[count:]
        return node, tuple(free[:count])


def moves_of(problem: Problem, decided: Decided) -> list[Move]:
    """What was decided, on nodes; whoever does not fit is left out."""
    nodes = Nodes(problem)
    moves: list[Move] = []
    left = {number: sorted(block.leases) for number, block in enumerate(problem.blocks)}
    ordered = sorted(
        decided.blocks.items(),
        key=lambda item: (
            problem.blocks[item[0][0]].shape is not Shape.RACK,
            -problem.blocks[item[0][0]].nodes,
            -problem.blocks[item[0][0]].part,
            item[0][0],
            item[0][1].place,
            item[0][1].free,
        ),
    )
    whole = [item for item in ordered if not problem.blocks[item[0][0]].part]
    parts = [item for item in ordered if problem.blocks[item[0][0]].part]
    for (number, room), many in whole:
        moves += _whole_blocks(problem, nodes, number, room, many, left[number])
    moves += _loose_moves(problem, nodes, decided)
    for (number, room), many in parts:
        moves += _part_blocks(problem, nodes, number, room, many, left[number])
    return moves


def _whole_blocks(
    problem: Problem, nodes: Nodes, number: int, room: Room, many: int, left: list[int]
) -> Iterable[Move]:
    block = problem.blocks[number]
    for _ in range(many):
        found = nodes.whole(room, block.nodes, block.shape is Shape.RACK)
        if found is None:
            return
        lease = left.pop(0)
        move = Move(lease)
        for row, node in zip(problem.rows_of(lease), found, strict=True):
            move.parts[row] = node, tuple(range(int(problem.rows.count[row])))
        yield move


def _part_blocks(
    problem: Problem, nodes: Nodes, number: int, room: Room, many: int, left: list[int]
) -> Iterable[Move]:
    block = problem.blocks[number]
    for _ in range(many):
        found = nodes.part(room, block.part, block.owner)
        if found is None:
            return
        lease = left.pop(0)
        (row,) = problem.rows_of(lease)
        yield Move(lease, {row: found})


def _loose_moves(problem: Problem, nodes: Nodes, decided: Decided) -> list[Move]:
    """Parts that leave go to the rooms that are entered, largest first."""
    rooms: dict[tuple[int, int, int], list[tuple[Room, int]]] = defaultdict(list)
    for (number, room, count), many in sorted(
        decided.enter.items(), key=lambda item: (item[0][0], item[0][1].place, item[0][2])
    ):
        rooms[number, room.size, count].append((room, many))
    moves: dict[int, Move] = {}
    for (number, place, size, count), many in sorted(decided.leave.items()):
        loose = problem.loose[number]
        move = moves.setdefault(number, Move(loose.lease))
        for row in loose.parts[place, size, count][:many]:
            found = _next_node(nodes, rooms[number, size, count])
            if found is not None:
                move.parts[row] = found, tuple(range(count))
    return [move for move in moves.values() if move.parts]


def _next_node(nodes: Nodes, rooms: list[tuple[Room, int]]) -> int | None:
    while rooms:
        room, many = rooms[0]
        if many:
            rooms[0] = room, many - 1
            found = nodes.whole(room, 1, one_rack=False)
            if found is not None:
                return found[0]
        else:
            rooms.pop(0)
    return None
