"""A problem as an integer program: by classes, so that a fleet of a million nodes is some
ten thousand columns.

The columns are whole numbers: how many of a block's leases go to which room, how many parts
of a loose lease leave a place and enter another, whether a running one moves at all, how many
fresh nodes small parts share, which places are whole, and how much of a sold window the loss of
one pod takes. The objective is accelerator-hours: what is gained less what it costs, and one
accelerator-second for each accelerator that moves, so that nothing moves for nothing.

Room is at most as large here as on the nodes (small parts may not pack, racks may be too small):
what the program promises bounds from above what its steps can do.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from comptoir.leases.lease import Shape
from comptoir.placement.rebalance.problem import Block, Loose, Problem, Room
from comptoir.units.time import MS_PER_HOUR, MS_PER_S

MOST_CANDIDATES = 24
"""Rooms to which a class may go, at most, beside its own places: some of those with the most room
in places that cannot be whole anyway, and a share of all others that is each class's own."""
_BEST = 8
ALL_CANDIDATES = 64
"""A pool of so few places leaves none out: its bound is then a bound of every plan there is."""
TIE_MS = MS_PER_S
"""What it costs a plan that an accelerator moves, beside what it costs the lease."""
_MS = 1 / MS_PER_HOUR
_INFINITE = float("inf")


@dataclass(slots=True)
class Program:
    """maximise cost @ x, subject to low <= A x <= high and lower <= x <= upper.

    `whole`: which of x are whole numbers; the others follow from those. A is kept by rows:
    `starts`, `columns`, `values`.
    """

    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    columns: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    constant: float = 0.0
    choices: list[int] = field(default_factory=list)
    """Columns of 0 or 1 that decide the others, the most promising first."""
    kept: list[int] = field(default_factory=list)
    """Columns of 0 or 1 that are 1 now, and are worth keeping so."""

    def column(
        self, upper: float, cost: float = 0.0, lower: float = 0.0, whole: bool = True
    ) -> int:
        """A new column."""
        self.whole.append(whole)
        self.lower.append(lower)
        self.upper.append(upper)
        self.cost.append(cost)
        return len(self.cost) - 1

    def row(self, terms: Sequence[tuple[int, float]], low: float, high: float) -> None:
        """A new row."""
        for column, value in terms:
            self.columns.append(column)
            self.values.append(value)
        self.starts.append(len(self.columns))
        self.low.append(low)
        self.high.append(high)


@dataclass(frozen=True, slots=True)
class Solution:
    """The best whole numbers that were found, and what nothing can exceed (accelerator-hours).

    `values` None: none were found. `how` says what was done.
    """

    values: Sequence[int] | None
    bound: float
    how: str


Solve = Callable[[Program], Solution]
"""The port to a solver."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a solver's answer says: how many go where.

    `blocks`: (block, room) -> leases. `leave`: (loose, place, size, count) -> parts;
    `enter`: (loose, room, count) -> parts.
    """

    blocks: dict[tuple[int, Room], int]
    leave: dict[tuple[int, int, int, int], int]
    enter: dict[tuple[int, Room, int], int]


class Formulation:
    """The program of a problem, and what its columns stand for."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.program = Program()
        self._use: dict[Room, list[tuple[int, float]]] = defaultdict(list)
        """By room, what takes of it: fresh nodes, or accelerators of begun ones."""
        self._shared: dict[tuple[Room, str], list[tuple[int, float]]] = defaultdict(list)
        """By fresh room and owner: small parts that share nodes."""
        self._gone: dict[int, list[tuple[list[tuple[int, float]], int]]] = defaultdict(list)
        """By place, what has to leave it: terms, and how many."""
        self._blocks: dict[tuple[int, Room], int] = {}
        self._leave: dict[tuple[int, int, int, int], int] = {}
        self._enter: dict[tuple[int, Room, int], int] = {}
        self.restricted = len(problem.places.weight) > ALL_CANDIDATES
        """Whether some rooms are left out for somebody."""
        self._begun: dict[tuple[str, int], list[Room]] = defaultdict(list)
        self._held: dict[int, list[Room]] = defaultdict(list)
        self._others: dict[int, list[Room]] = defaultdict(list)
        self._sort_rooms()
        for number, block in enumerate(problem.blocks):
            self._add_block(number, block)
        for number, loose in enumerate(problem.loose):
            self._add_loose(number, loose)
        self._add_places()
        self._add_rooms()

    def decided(self, values: Sequence[int]) -> Decided:
        """What an answer says."""
        return Decided(
            {key: values[at] for key, at in self._blocks.items() if values[at]},
            {key: values[at] for key, at in self._leave.items() if values[at]},
            {key: values[at] for key, at in self._enter.items() if values[at]},
        )

    def _sort_rooms(self) -> None:
        """Begun rooms by owner and size; fresh ones by size, and whether they may be whole."""
        places = self.problem.places
        rooms = self.problem.rooms
        for room in rooms:
            if room.owner is not None:
                self._begun[room.owner, room.size].append(room)
            elif places.could[room.place] or places.whole[room.place]:
                self._others[room.size].append(room)
            else:
                self._held[room.size].append(room)
        for kept in (self._held, self._others):
            for found in kept.values():
                found.sort(key=lambda room: (-len(rooms[room]), room.place))

    def _fresh(self, number: int, size: int, own: Collection[int] = ()) -> list[Room]:
        """The fresh rooms that are looked at for a class: all, or its share and its own places."""
        held, others = self._held[size], self._others[size]
        if not self.restricted:
            return [*held, *others]
        rest = [*held[_BEST:], *others]
        mine = [room for room in (*held, *others) if room.place in own]
        return list(dict.fromkeys([*held[:_BEST], *self._share(number, rest), *mine]))

    def _share(self, number: int, rooms: list[Room]) -> list[Room]:
        """As many as a class may look at, spread over all of them, others for the next class."""
        if not self.restricted or len(rooms) <= MOST_CANDIDATES:
            return rooms
        step = -(-len(rooms) // MOST_CANDIDATES)
        return rooms[number % step :: step]

    def _add_block(self, number: int, block: Block) -> None:
        many = len(block.leases)
        cost = -(block.cost_ms + TIE_MS * block.accelerators) * _MS
        gone: list[tuple[int, float]] = []
        rooms = [r for r in self._fresh(number, block.size) if r.place != block.place]
        if block.part:
            begun = [
                r
                for r in self._begun[block.owner, block.size]
                if r.place != block.place and r.free >= block.part
            ]
            rooms += self._share(number, begun)
        for room in rooms:
            fit = self._fits(block, room)
            if not fit:
                continue
            at = self.program.column(min(many, fit), cost)
            self._blocks[number, room] = at
            gone.append((at, 1.0))
            if not block.part:
                self._use[room].append((at, float(block.nodes)))
            elif room.owner is None:
                self._shared[room, block.owner].append((at, float(block.part)))
            else:
                self._use[room].append((at, float(block.part)))
        self.program.row(gone, 0, many)
        self._gone[block.place].append((gone, many))

    def _fits(self, block: Block, room: Room) -> int:
        """How many leases of a block a room holds at most, with nobody else there."""
        nodes = self.problem.rooms[room]
        if block.part:
            return len(nodes) * (room.free // block.part)
        if block.shape is Shape.RACK:
            racks = np.bincount(self.problem.rows.rack[nodes])
            return int((racks // block.nodes).sum())
        return len(nodes) // block.nodes

    def _add_loose(self, number: int, loose: Loose) -> None:
        program = self.program
        stays: dict[int, float] = defaultdict(float)
        change: dict[int, list[tuple[int, float]]] = defaultdict(list)
        moves, own = None, {place for place, _, _ in loose.parts}
        if loose.cost_ms:
            moves = program.column(1, -loose.cost_ms * _MS)
        flows: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)
        for (place, size, count), parts in loose.parts.items():
            at = program.column(len(parts), -TIE_MS * count * _MS)
            self._leave[number, place, size, count] = at
            flows[size, count].append((at, 1.0))
            stays[place] += count * len(parts)
            change[place].append((at, -float(count)))
            if moves is not None:
                program.row([(at, 1.0), (moves, -float(len(parts)))], -_INFINITE, 0)
            if loose.blocks:
                self._gone[place].append(([(at, 1.0)], len(parts)))
        for (size, count), leaving in flows.items():
            many = sum(int(program.upper[at]) for at, _ in leaving)
            entering = []
            for room in self._fresh(number, size, own):
                if loose.home is None or room.place in loose.home:
                    at = program.column(min(many, len(self.problem.rooms[room])))
                    self._enter[number, room, count] = at
                    entering.append((at, -1.0))
                    self._use[room].append((at, 1.0))
                    change[room.place].append((at, float(count)))
            program.row([*leaving, *entering], 0, 0)
        if self.problem.spreading and loose.spreads:
            self._spread(stays, change)

    def _spread(self, stays: dict[int, float], change: dict[int, list[tuple[int, float]]]) -> None:
        """The most that one pod holds, and what it is worth that it holds less."""
        worth, most = self.problem.aim.spread_ms * _MS, max(stays.values())
        total = sum(stays.values())
        least = total / max(len({*stays, *change}), 1)
        worst = self.program.column(total, -worth, least, whole=False)
        self.program.constant += worth * most
        for place in {*stays, *change}:
            terms = [*change[place], (worst, -1.0)]
            self.program.row(terms, -_INFINITE, -stays.get(place, 0.0))

    def _add_places(self) -> None:
        """Whether each place is whole afterwards, and what that needs."""
        places, program = self.problem.places, self.program
        used = {room.place for room in self._use} | {room.place for room, _ in self._shared}
        self._whole: dict[int, int] = {}
        for place in np.flatnonzero(places.could | places.whole).tolist():
            is_whole = bool(places.whole[place])
            if is_whole and place not in used:
                continue
            weight = int(places.weight[place]) * _MS
            at = self._whole[place] = program.column(1, weight)
            if is_whole:
                program.kept.append(at)
                program.constant -= weight
                continue
            for terms, many in self._gone[place]:
                program.row([(at, float(many)), *((c, -v) for c, v in terms)], -_INFINITE, 0)

        self._promise()

    def _promise(self) -> None:
        """Order the places by what they gain for each node that they take out of reach.

        And say once more, in whole places, that all of them together need no more nodes than
        are free: what a place holds and has free, times what is whole, is at most all that is
        free. Divided by the least of them and rounded down, that is what no linear program sees.
        """
        problem, program = self.problem, self.program
        fresh: dict[int, int] = defaultdict(int)
        for room, nodes in problem.rooms.items():
            if room.owner is None:
                fresh[room.place] += len(nodes)
        held, cost = _burden(problem)
        nodes_of = {place: held[place] + fresh[place] for place in self._whole}
        promise = {
            place: (int(problem.places.weight[place]) - cost[place]) / max(nodes_of[place], 0.5)
            for place in self._whole
            if not problem.places.whole[place]
        }
        ordered = sorted(promise, key=lambda place: (-promise[place], held[place], place))
        program.choices += [self._whole[place] for place in ordered]
        least = min((many for many in nodes_of.values() if many), default=0)
        if least:
            terms = [(self._whole[place], float(many // least)) for place, many in nodes_of.items()]
            program.row(terms, -_INFINITE, float(sum(fresh.values()) // least))

    def _add_rooms(self) -> None:
        """No room is used up twice, and none in a place that is to be whole."""
        for (room, _), terms in self._shared.items():
            nodes = len(self.problem.rooms[room])
            opened = self.program.column(nodes)
            self.program.row([*terms, (opened, -float(room.size))], -_INFINITE, 0)
            self._use[room].append((opened, 1.0))
        for room, terms in self._use.items():
            nodes = len(self.problem.rooms[room])
            most = float(nodes if room.owner is None else nodes * room.free)
            whole = self._whole.get(room.place)
            if whole is not None:
                terms = [*terms, (whole, most)]
            self.program.row(terms, -_INFINITE, most)


def _burden(problem: Problem) -> tuple[dict[int, int], dict[int, int]]:
    """By place, how many whole nodes have to be found for it elsewhere, and what that costs.

    A lease that stands in several places is paid for once, so each bears its share.
    """
    held: dict[int, int] = defaultdict(int)
    cost: dict[int, int] = defaultdict(int)
    for block in problem.blocks:
        held[block.place] += len(block.leases) * block.nodes * (not block.part)
        cost[block.place] += len(block.leases) * block.cost_ms
    for loose in problem.loose:
        whole = sum(len(parts) for parts in loose.parts.values())
        for (place, _, _), parts in loose.parts.items():
            if loose.blocks:
                held[place] += len(parts)
                cost[place] += loose.cost_ms * len(parts) // whole
    return held, cost
