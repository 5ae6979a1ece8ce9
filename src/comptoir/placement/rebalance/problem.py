"""The problem of one pool: which places could be whole, who would have to go, where there is room.

A *place* is whole while nothing stands on its nodes for sale within the horizon. One that is not
gains its accelerators times the part of the horizon in which something stands there; one that is
loses the whole horizon by being used. It can be made whole if all who stand there may move.

What has to go is counted in classes, so that the program stays small:

blocks    leases whose shape lies within the place: each goes as one, to one other place
loose     leases of a wider shape: each part goes for itself, within the lease's own wide place

Room is what nothing stands on, now or later: whole nodes, and what is left of a node that its
tenant has begun. A part smaller than a node gets a node of its own unless it is all of its lease.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from comptoir.leases.lease import Shape
from comptoir.placement.rebalance.rows import Aim, Flags, Ints, Level, PoolRows
from comptoir.units.ids import TenantId

_WIDTH = {Shape.NODE: 0, Shape.RACK: 1, Shape.POD: 2, Shape.CLUSTER: 3, Shape.SITE: 4}
_LEVEL = {Level.NODE: 0, Level.RACK: 1, Level.POD: 2}
SHARED = TenantId("")
"""The owner of every node that tenants share."""


@dataclass(frozen=True, slots=True)
class Places:
    """The places of a pool, by number. `weight` is accelerator-ms of being whole; `whole`: it is
    now; `could`: it is not, and all who stand there may move.
    """

    accelerators: Ints
    weight: Ints
    whole: Flags
    could: Flags


@dataclass(frozen=True, slots=True)
class Room:
    """Nodes of one size in one place with so much free each: begun by an owner, or (None) fresh."""

    place: int
    free: int
    size: int
    owner: TenantId | None


@dataclass(slots=True)
class Block:
    """Leases that are alike: from one place, of `nodes` parts on nodes of one size, as one.

    `part` is the one part's accelerators if it does not fill its node, else 0. `cost_ms` is of
    each lease, in accelerator-ms.
    """

    place: int
    size: int
    nodes: int
    part: int
    owner: TenantId
    shape: Shape
    accelerators: int
    cost_ms: int
    leases: list[int] = field(default_factory=list)

    @property
    def alike(self) -> tuple[object, ...]:
        """All that makes two leases alike."""
        return (
            self.place, self.size, self.nodes, self.part, self.owner, self.shape,
            self.accelerators, self.cost_ms,
        )  # fmt: skip


@dataclass(slots=True)
class Loose:
    """A lease whose parts go for themselves: rows of its allocations by (place, size, count).

    `blocks`: it stands in the way of some place that could be whole.
    """

    lease: int
    cost_ms: int
    spreads: bool
    blocks: bool
    parts: dict[tuple[int, int, int], list[int]]
    home: frozenset[int] | None
    """The places in which it may stand; None: any of the pool."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What one pool asks of a solver, and the rows that it came from."""

    rows: PoolRows
    aim: Aim
    place: Ints
    places: Places
    rooms: dict[Room, list[int]]
    """Nodes by the room that they are."""
    blocks: list[Block]
    loose: list[Loose]
    order: Ints
    edges: Ints
    """The rows of allocations, lease by lease, and where each lease's begin."""

    def rows_of(self, lease: int) -> list[int]:
        """The allocations of a lease, as rows."""
        found: list[int] = self.order[self.edges[lease] : self.edges[lease + 1]].tolist()
        return found

    @property
    def spreading(self) -> bool:
        """Whether it is worth anything to spread; pods are the domains."""
        return self.aim.spread_ms > 0 and self.aim.level is Level.POD


def problem_of(rows: PoolRows, aim: Aim) -> Problem:
    """Count a pool in classes."""
    place = rows.places(aim.level)
    on_open = rows.open[rows.on_node] if len(rows.on_node) else np.zeros(0, dtype=np.bool_)
    movable = _movable(rows, on_open)
    places = _places(rows, aim, place, on_open, movable)
    rooms = _rooms(rows, place)
    order = np.argsort(rows.of_lease, kind="stable")
    edges = np.searchsorted(rows.of_lease[order], np.arange(len(rows.leases) + 1))
    problem = Problem(rows, aim, place, places, rooms, [], [], order, edges)
    _class_leases(problem, movable, _within(rows, aim))
    return problem


def _movable(rows: PoolRows, on_open: Flags) -> Flags:
    """By lease: whether it may move, and all of it stands on nodes for sale."""
    movable = np.array([mover.movable for mover in rows.leases], dtype=np.bool_)
    movable[rows.of_lease[~on_open]] = False
    return movable


def _within(rows: PoolRows, aim: Aim) -> Flags:
    """By lease: whether it stands somewhere within the horizon."""
    within = np.zeros(len(rows.leases), dtype=np.bool_)
    within[rows.of_lease[(rows.starts < aim.until_ms) & (rows.ends > aim.now_ms)]] = True
    return within


def _places(rows: PoolRows, aim: Aim, place: Ints, on_open: Flags, movable: Flags) -> Places:
    count = int(place.max()) + 1 if len(place) else 0
    accelerators = np.bincount(
        place, weights=np.where(rows.open, rows.size, 0), minlength=count
    ).astype(np.int64)
    stands = on_open & (rows.starts < aim.until_ms) & (rows.ends > aim.now_ms)
    there = place[rows.on_node[stands]]
    blocked_ms = _blocked_ms(
        there,
        np.maximum(rows.starts[stands], aim.now_ms),
        np.minimum(rows.ends[stands], aim.until_ms),
        count,
    )
    stays = np.zeros(count, dtype=np.bool_)
    stays[there[~movable[rows.of_lease[stands]]]] = True
    whole = (blocked_ms == 0) & (accelerators > 0)
    could = (blocked_ms > 0) & ~stays
    weight = accelerators * np.where(whole, aim.horizon_ms, blocked_ms)
    return Places(accelerators, weight, whole, could)


def _blocked_ms(there: Ints, starts: Ints, ends: Ints, count: int) -> Ints:
    """By place: for how much of the horizon something stands there."""
    found = np.zeros(count, dtype=np.int64)
    triples = np.unique(np.stack([there, starts, ends], axis=1), axis=0)
    reached = -1
    last = -1
    for at, start, end in triples.tolist():
        if at != last:
            last, reached = at, -1
        found[at] += max(end - max(start, reached), 0)
        reached = max(reached, end)
    return found


def _rooms(rows: PoolRows, place: Ints) -> dict[Room, list[int]]:
    """Where something could stand: fresh nodes, and what is left of those that are begun."""
    rooms: dict[Room, list[int]] = defaultdict(list)
    touched = np.zeros(len(rows.size), dtype=np.bool_)
    touched[rows.on_node] = True
    for node in np.flatnonzero(rows.open & ~touched).tolist():
        size = int(rows.size[node])
        rooms[Room(int(place[node]), size, size, None)].append(node)
    taken = np.bincount(rows.on_node, weights=rows.count, minlength=len(rows.size))
    for node, (owner, slots) in _begun(rows, rows.open & touched & (taken < rows.size)).items():
        size = int(rows.size[node])
        if owner is not None and len(slots) < size:
            rooms[Room(int(place[node]), size - len(slots), size, owner)].append(node)
    return rooms


def _begun(rows: PoolRows, wanted: Flags) -> dict[int, tuple[TenantId | None, set[int]]]:
    """By node: the one tenant that stands there (None: several), and which accelerators."""
    found: dict[int, tuple[TenantId | None, set[int]]] = {}
    for row in np.flatnonzero(wanted[rows.on_node]).tolist() if len(rows.on_node) else []:
        node = int(rows.on_node[row])
        tenant = owner_of(rows, int(rows.of_lease[row]))
        known = found.get(node)
        if known is None:
            found[node] = tenant, set(rows.slots[row])
        else:
            known[1].update(rows.slots[row])
            found[node] = tenant if known[0] == tenant else None, known[1]
    return found


def owner_of(rows: PoolRows, lease: int) -> TenantId:
    """Whose nodes a lease may share."""
    return SHARED if rows.shared else rows.leases[lease].tenant_id


def _class_leases(problem: Problem, movable: Flags, within: Flags) -> None:
    """Everybody for whom a move may be worth something, in classes.

    A place that holds a lease on nodes of several sizes, which goes nowhere as one, stays as it is.
    """
    rows, place, could = problem.rows, problem.place, problem.places.could
    blocks: dict[tuple[object, ...], Block] = {}
    for lease in np.flatnonzero(movable).tolist():
        mover, parts = rows.leases[lease], problem.rows_of(lease)
        nodes = rows.on_node[parts]
        where = np.unique(place[nodes])
        helps = bool(within[lease]) and bool(could[where].any())
        if len(parts) > 1 and _WIDTH[mover.shape] > _LEVEL[problem.aim.level]:
            if helps or (problem.spreading and mover.spreads):
                problem.loose.append(_as_loose(rows, place, lease, parts, helps))
        elif helps and len(np.unique(rows.size[nodes])) > 1:
            could[where] = False
        elif helps:
            block = _block(rows, lease, parts, int(where[0]))
            blocks.setdefault(block.alike, block).leases.append(lease)
    problem.blocks.extend(blocks.values())


def _block(rows: PoolRows, lease: int, parts: Sequence[int], at: int) -> Block:
    """The class of a lease that goes as one, without a lease in it yet."""
    size = int(rows.size[rows.on_node[parts[0]]])
    count = int(rows.count[parts[0]])
    part = count if len(parts) == 1 and count < size else 0
    mover = rows.leases[lease]
    owner = owner_of(rows, lease) if part else SHARED
    shape = mover.shape if len(parts) > 1 else Shape.NODE
    return Block(
        at,
        size,
        len(parts),
        part,
        owner,
        shape,
        mover.accelerators,
        mover.cost_ms * mover.accelerators,
    )


def _as_loose(rows: PoolRows, place: Ints, lease: int, parts: Sequence[int], helps: bool) -> Loose:
    mover = rows.leases[lease]
    found: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for row in parts:
        node = int(rows.on_node[row])
        found[int(place[node]), int(rows.size[node]), int(rows.count[row])].append(row)
    cost_ms = mover.cost_ms * mover.accelerators
    home = _home(rows, place, mover.shape, parts)
    return Loose(lease, cost_ms, mover.spreads, helps, dict(found), home)


def _home(rows: PoolRows, place: Ints, shape: Shape, parts: Sequence[int]) -> frozenset[int] | None:
    """The places within the wide place in which a lease has to stay."""
    if _WIDTH[shape] > _WIDTH[Shape.POD]:
        return None
    wide = rows.pod if shape is Shape.POD else rows.rack
    there = int(wide[rows.on_node[parts[0]]])
    return frozenset(np.unique(place[wide == there]).tolist())
