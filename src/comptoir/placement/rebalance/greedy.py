"""A rebalance without a solver: the cheapest place first, as long as its leases find room.

For an installation without the extra `comptoir[plan]`, and as a reference for what the solver is
worth. It makes places whole and spreads nothing. Its bound is what all the room there is could
make whole if places and parts were divisible.
"""

from collections import defaultdict
from collections.abc import Iterable

from comptoir.leases.lease import Shape
from comptoir.placement.rebalance.problem import Block, Problem, Room
from comptoir.placement.rebalance.program import TIE_MS, Decided
from comptoir.units.time import MS_PER_HOUR

Taken = dict[Room, int]


class Greedy:
    """One pool's places, made whole one after the other."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.decided = Decided({}, {}, {})
        self._left: Taken = {room: _size(problem, room) for room in problem.rooms}
        self._whole: set[int] = set()
        self._used: set[int] = set()
        self._blocks: dict[int, list[tuple[int, Block]]] = defaultdict(list)
        for number, block in enumerate(problem.blocks):
            self._blocks[block.place].append((number, block))
        self._loose: dict[int, list[tuple[int, int, int, int]]] = defaultdict(list)
        for number, loose in enumerate(problem.loose):
            for (place, size, count), parts in loose.parts.items() if loose.blocks else ():
                self._loose[place].append((number, size, count, len(parts)))

    def run(self) -> Decided:
        """Decide."""
        could = self.problem.places.could.nonzero()[0].tolist()
        for place in sorted(could, key=lambda p: (self._cost_ms(p), self._nodes(p), p)):
            if place not in self._used and self._cost_ms(place) < self._weight(place):
                self._try(place)
        return self.decided

    def bound_hours(self) -> float:
        """No plan gains more: what is worth most for each node it needs, as far as room goes."""
        room = sum(len(nodes) for r, nodes in self.problem.rooms.items() if r.owner is None)
        found, bound = [], 0.0
        for place in self.problem.places.could.nonzero()[0].tolist():
            net = self._weight(place) - self._cost_ms(place, loose=False)
            if net > 0:
                found.append((net / max(self._whole_nodes(place), 1e-9), place, net))
        for _, place, net in sorted(found, reverse=True):
            needed = self._whole_nodes(place)
            part = 1.0 if needed <= room else room / needed
            room -= min(needed, room)
            bound += part * net
        return (bound + self._spread_ms()) / MS_PER_HOUR

    def _spread_ms(self) -> float:
        """What spreading every lease evenly over all places would gain."""
        if not self.problem.spreading:
            return 0.0
        gained = 0.0
        for loose in self.problem.loose:
            held: dict[int, int] = defaultdict(int)
            for (place, _, count), parts in loose.parts.items():
                held[place] += count * len(parts)
            even = sum(held.values()) / len(self.problem.places.weight)
            gained += max(held.values()) - even if loose.spreads else 0
        return gained * self.problem.aim.spread_ms

    def _weight(self, place: int) -> int:
        return int(self.problem.places.weight[place])

    def _cost_ms(self, place: int, loose: bool = True) -> int:
        cost = sum(
            len(b.leases) * (b.cost_ms + TIE_MS * b.accelerators) for _, b in self._blocks[place]
        )
        if loose:
            cost += sum(self.problem.loose[n].cost_ms for n in {n for n, *_ in self._loose[place]})
        return cost

    def _whole_nodes(self, place: int) -> int:
        """Fresh nodes that are needed at least."""
        whole = sum(len(b.leases) * b.nodes for _, b in self._blocks[place] if not b.part)
        return whole + sum(many for *_, many in self._loose[place])

    def _nodes(self, place: int) -> int:
        return self._whole_nodes(place) + sum(
            len(b.leases) for _, b in self._blocks[place] if b.part
        )

    def _try(self, place: int) -> None:
        """Empty a place if all of it finds room that costs no other place more."""
        taken: Taken = defaultdict(int)
        blocks: dict[tuple[int, Room], int] = defaultdict(int)
        leave: dict[tuple[int, int, int, int], int] = {}
        enter: dict[tuple[int, Room, int], int] = defaultdict(int)
        for number, block in sorted(self._blocks[place], key=lambda nb: -nb[1].accelerators):
            for _ in block.leases:
                room = self._room(place, block, taken)
                if room is None:
                    return
                blocks[number, room] += 1
        for number, size, count, many in self._loose[place]:
            leave[number, place, size, count] = many
            home = self.problem.loose[number].home
            for _ in range(many):
                room = self._fresh(place, size, 1, taken, home)
                if room is None:
                    return
                enter[number, room, count] += 1
        lost = sum(
            self._weight(room.place)
            for room in {r.place: r for r in taken}.values()
            if self.problem.places.whole[room.place] and room.place not in self._used
        )
        if self._cost_ms(place) + lost >= self._weight(place):
            return
        self._whole.add(place)
        self._used |= {room.place for room in taken}
        for room, amount in taken.items():
            self._left[room] -= amount
        self.decided.blocks.update(blocks)
        self.decided.leave.update(leave)
        for key, many in enter.items():
            self.decided.enter[key] = self.decided.enter.get(key, 0) + many

    def _room(self, place: int, block: Block, taken: Taken) -> Room | None:
        if block.part:
            begun = [
                r
                for r in self.problem.rooms
                if r.owner == block.owner and r.size == block.size and r.free >= block.part
            ]
            for room in sorted(begun, key=lambda r: (r.free, r.place)):
                if (
                    self._may_use(place, room)
                    and self._left[room] - taken.get(room, 0) >= block.part
                ):
                    taken[room] += block.part
                    return room
            return self._fresh(place, block.size, 1, taken, None)
        within = block.nodes if block.shape is not Shape.RACK else None
        return self._fresh(place, block.size, block.nodes, taken, None, within is None)

    def _fresh(
        self,
        place: int,
        size: int,
        nodes: int,
        taken: Taken,
        home: Iterable[int] | None,
        one_rack: bool = False,
    ) -> Room | None:
        """The fullest fresh room that will do: first where no place can be whole anyway."""
        places = self.problem.places
        rooms = [
            room
            for room in self.problem.rooms
            if room.owner is None
            and room.size == size
            and self._may_use(place, room)
            and (home is None or room.place in home)
            and self._left[room] - taken.get(room, 0) >= nodes
            and not (one_rack and self._in_one_rack(room) < nodes)
        ]
        rooms.sort(
            key=lambda r: (
                bool(places.whole[r.place]) and r.place not in self._used,
                bool(places.could[r.place]),
                self._left[r] - taken.get(r, 0),
                r.place,
            )
        )
        if not rooms:
            return None
        taken[rooms[0]] += nodes
        return rooms[0]

    def _in_one_rack(self, room: Room) -> int:
        racks: dict[int, int] = defaultdict(int)
        for node in self.problem.rooms[room]:
            racks[int(self.problem.rows.rack[node])] += 1
        return max(racks.values())

    def _may_use(self, place: int, room: Room) -> bool:
        return room.place != place and room.place not in self._whole


def _size(problem: Problem, room: Room) -> int:
    """How much a room holds: fresh nodes, or accelerators of begun ones."""
    nodes = len(problem.rooms[room])
    return nodes if room.owner is None else nodes * room.free
