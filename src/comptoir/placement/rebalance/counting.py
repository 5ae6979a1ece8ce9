"""Moves counted: which places they make whole, what is spread, and what it is all worth.

A place whose leases do not all go keeps whoever it has, unless a move spreads a sold window by
itself. Everything is counted from the moves that are left, in integers.
"""

from collections import defaultdict
from collections.abc import Sequence

from comptoir.placement.rebalance.fitting import Move
from comptoir.placement.rebalance.problem import Problem
from comptoir.placement.rebalance.program import TIE_MS


class Counted:
    """Moves counted: which places they make whole, what is spread, what it is all worth."""

    def __init__(self, problem: Problem, moves: Sequence[Move]) -> None:
        self.problem = problem
        self.moves = {move.lease: move for move in moves}
        self._stands = self._standing()
        self.freed: dict[int, list[int]] = {}
        """Places that are whole afterwards and were not, and the leases that left them."""
        self._drop_what_is_in_vain()

    def score_ms(self) -> int:
        """What is gained, net of all costs."""
        places, aim = self.problem.places, self.problem.aim
        gained = sum(int(places.weight[place]) for place in self.freed)
        lost = sum(int(places.weight[place]) for place in self.used_up())
        spread = sum(self.spread_of(move) for move in self.moves.values())
        return gained - lost + spread * aim.spread_ms - sum(map(self.cost_ms, self.moves.values()))

    def cost_ms(self, move: Move) -> int:
        """What a move costs: its lease's restart, and the act."""
        mover = self.problem.rows.leases[move.lease]
        moved = sum(len(slots) for _, slots in move.parts.values())
        return mover.cost_ms * mover.accelerators + TIE_MS * moved

    def used_up(self) -> list[int]:
        """Places that were whole and get somebody."""
        place = self.problem.place
        found = {int(place[n]) for move in self.moves.values() for n, _ in move.parts.values()}
        return sorted(at for at in found if self.problem.places.whole[at])

    def worst_of(self, move: Move) -> tuple[int, int]:
        """The most that one pod holds of a lease in this pool, before and after."""
        rows = self.problem.rows
        before: dict[int, int] = defaultdict(int)
        after: dict[int, int] = defaultdict(int)
        for row in self._rows[move.lease]:
            count = int(rows.count[row])
            before[int(rows.pod[rows.on_node[row]])] += count
            node = move.parts[row][0] if row in move.parts else int(rows.on_node[row])
            after[int(rows.pod[node])] += count
        return max(before.values()), max(after.values())

    def spread_of(self, move: Move) -> int:
        """How many accelerators less one pod's loss takes; negative: more."""
        if not (self.problem.spreading and move.lease in self._spreads):
            return 0
        before, after = self.worst_of(move)
        return before - after

    def _standing(self) -> dict[int, set[int]]:
        """By place that could be whole: the rows that stand there within the horizon."""
        problem, rows = self.problem, self.problem.rows
        aim = problem.aim
        self._rows: dict[int, list[int]] = defaultdict(list)
        self._spreads = {one.lease for one in problem.loose if one.spreads}
        found: dict[int, set[int]] = defaultdict(set)
        at = problem.place[rows.on_node]
        stands = rows.open[rows.on_node] & (rows.starts < aim.until_ms) & (rows.ends > aim.now_ms)
        moved = set(self.moves)
        lease_of, counts = rows.of_lease.tolist(), problem.places.could[at] & stands
        for row in range(len(lease_of)):
            if counts[row]:
                found[int(at[row])].add(row)
            if lease_of[row] in moved:
                self._rows[lease_of[row]].append(row)
        return found

    def _drop_what_is_in_vain(self) -> None:
        """Until nothing changes: places that are not whole after all keep whoever they have."""
        changed = True
        while changed:
            self._count_freed()
            kept = {place for place in self.freed if self._is_worth_it(place)}
            changed = self._keep_moves(kept)

    def _count_freed(self) -> None:
        gone = {row for move in self.moves.values() for row in move.parts}
        entered = {
            int(self.problem.place[node])
            for move in self.moves.values()
            for node, _ in move.parts.values()
        }
        lease_of = self.problem.rows.of_lease
        self.freed = {
            place: sorted({int(lease_of[row]) for row in rows})
            for place, rows in self._stands.items()
            if rows and rows <= gone and place not in entered
        }

    def _is_worth_it(self, place: int) -> bool:
        """Whether a place gains more than the moves that serve it alone cost."""
        alone = [
            lease
            for lease in self.freed[place]
            if not any(lease in others for at, others in self.freed.items() if at != place)
        ]
        cost = sum(self.cost_ms(self.moves[lease]) for lease in alone)
        return cost < int(self.problem.places.weight[place])

    def _keep_moves(self, kept: set[int]) -> bool:
        """Drop parts that leave no place whole and spread nothing; returns whether some were."""
        problem, changed = self.problem, False
        for lease, move in list(self.moves.items()):
            if self.spread_of(move) * problem.aim.spread_ms > self.cost_ms(move):
                continue
            parts = {
                row: to
                for row, to in move.parts.items()
                if int(problem.place[problem.rows.on_node[row]]) in kept
            }
            if len(parts) < len(move.parts):
                changed = True
                del self.moves[lease]
                if parts:
                    self.moves[lease] = Move(lease, parts)
        return changed
