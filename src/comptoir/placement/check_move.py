"""The independent check of one lease's move. It shares no code with what plans or makes it."""

from collections.abc import Sequence

from comptoir.fleet.states import NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import LeaseRequest
from comptoir.placement.check import check_conditions, check_nobody_displaced, check_supply
from comptoir.placement.plan import Plan, PlannedAllocation
from comptoir.placement.snapshot import Snapshot
from comptoir.units.errors import invariant

_LEVELS = {"site": 1, "cluster": 2, "pod": 3, "rack": 4, "node": 5}


def check_move(
    snapshot: Snapshot,
    request: LeaseRequest,
    stays: Sequence[Allocation],
    moves: Sequence[tuple[Allocation, PlannedAllocation]],
    now_ms: int,
) -> None:
    """Let a sound move pass.

    Args:
        snapshot: The book as it is before the move.
        request: The lease, as it would ask now.
        stays: Its parts that stay where they are.
        moves: Each part that moves, and what takes its place.
        now_ms: When.

    Raises:
        InvariantBroken: naming the rule and the numbers.
    """
    lease_id = request.lease_id
    kept = [(a.node_id, len(a.accelerators)) for a in stays]
    new = [(to.node_id, len(set(to.accelerators))) for _, to in moves]
    whole = sum(size for _, size in [*kept, *new])
    invariant(whole == request.accelerators, f"{lease_id} would have {whole} accelerators")
    for old, to in moves:
        size = len(set(to.accelerators))
        invariant(size == len(old.accelerators) == len(to.accelerators), f"{old.id} changes size")
        invariant(to.ends_at_ms == old.ends_at_ms, f"{old.id} would end at {to.ends_at_ms}")
        node = snapshot.nodes[to.node_id]
        invariant(node.kind == request.kind, f"{node.id} is {node.kind}, not {request.kind}")
        invariant(node.state is NodeState.IN_SERVICE, f"{node.id} is {node.state}")
        invariant(not node.spare, f"{node.id} is a spare")
        there = all(0 <= index < node.accelerators for index in to.accelerators)
        invariant(there, f"{node.id} does not have the accelerators {to.accelerators}")
        work, over = node.maintenance_from_ms, node.maintenance_until_ms
        before = work is None or (to.ends_at_ms is not None and to.ends_at_ms <= work)
        after = over is not None and max(old.starts_at_ms, now_ms) >= over
        invariant(before or after, f"{lease_id} would stand in the planned work on {node.id}")
    nodes = [snapshot.nodes[node_id] for node_id, _ in [*kept, *new]]
    depth = _LEVELS[request.shape.value]
    places = {(n.site, n.cluster, n.pod, n.rack, n.name)[:depth] for n in nodes}
    invariant(len(places) == 1, f"{lease_id} would span {len(places)} {request.shape}s")
    for start in sorted({max(old.starts_at_ms, now_ms) for old, _ in moves}):
        parts = tuple(to for old, to in moves if max(old.starts_at_ms, now_ms) == start)
        plan = Plan(lease_id, start, parts, (), "moved")
        check_supply(snapshot, plan)
        check_conditions(snapshot, request, plan)
        check_nobody_displaced(snapshot, request, plan, now_ms)
