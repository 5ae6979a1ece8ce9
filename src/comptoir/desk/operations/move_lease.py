"""A lease moved: other accelerators of the same terms, in the same shape, with its notice.

What is promised and not handed over has its new place at once. What runs is handed over on the new
nodes now and billed there; on the old ones its jobs are told, and start again beside the new ones
once they have stopped. Those stay taken until that is confirmed, or the notice is over where no
engine can confirm it. Nothing is ever undelivered, so no guarantee is broken.

Each move is judged for itself as the book is now: whoever planned it may have been overtaken.
"""

from collections.abc import Sequence

from comptoir.desk.move_requests import MoveLease, MovePart
from comptoir.desk.operations.gating import gate_between_tenants
from comptoir.desk.operations.lost import undeliver
from comptoir.desk.operations.move_clauses import clause_notice_s, note_move
from comptoir.desk.operations.nodes import MOST_BECAUSE, live_node
from comptoir.desk.operations.replacing import hand_over
from comptoir.desk.operations.taking_back import spare_victims
from comptoir.desk.transaction import Transaction
from comptoir.fleet.nodes import Node
from comptoir.leases.allocation import Allocation
from comptoir.leases.lease import Lease, LeaseRequest, refuse_over, request_of
from comptoir.leases.moving import Moving, moving_of
from comptoir.placement.check_move import check_move
from comptoir.placement.plan import PlannedAllocation
from comptoir.placement.snapshot import place_of
from comptoir.units.errors import Conflict, Invalid, Refused
from comptoir.units.ids import AllocationId
from comptoir.units.text import check_text
from comptoir.units.time import MS_PER_S, Window
from comptoir.units.values import replace

MOST_PARTS = 4_096
Moves = list[tuple[Allocation, PlannedAllocation]]


def move_lease(tx: Transaction, request: MoveLease) -> Lease:
    """Give a lease the accelerators that are named, in place of those that it has.

    Raises:
        Invalid: `nothing_to_move`.
        Conflict: `lease_over`; `lease_stays`: it may not be moved, or not now; `move_overtaken`:
            what is to be moved is not there any more.
        Refused: `move_not_free`, `move_elsewhere`: other terms, or out of its shape.
        NotFound: the lease or a node.
    """
    lease = tx.lease(request.lease_id)
    because = check_text("because", request.because, 1, MOST_BECAUSE)
    refuse_over(lease)
    standing = [a for a in tx.book.allocations_of(lease.id) if a.fenced_at_ms is None]
    moving = _may_move(tx, lease, standing)
    asked = request_of(lease, tx.book.tenants[lease.tenant_id], tx.now_ms)
    moves = _judged(tx, lease, asked, standing, request.parts)
    moved = {old.id for old, _ in moves}
    stays = [a for a in standing if a.id not in moved]
    _refuse_wider(tx, lease, stays, moves)
    check_move(tx.book.snapshot, asked, stays, moves, tx.now_ms)
    note_move(tx, lease, because)
    until_ms = tx.now_ms + moving.notice_s * MS_PER_S
    for old, to in moves:
        if old.delivered:
            _move_running(tx, lease, old, to, until_ms)
        else:
            _move_promise(tx, lease, old, to)
    spare_victims(tx, lease)
    tx.emit_lease(
        "lease.moved",
        lease,
        moved=sum(len(to.accelerators) for _, to in moves),
        left=sorted({old.node_id for old, _ in moves}),
        nodes=sorted({to.node_id for _, to in moves}),
        running=moves[0][0].delivered,
        until_ms=until_ms,
        notice_s=moving.notice_s,
        because=because,
    )
    return tx.book.leases[lease.id]


def _may_move(tx: Transaction, lease: Lease, standing: Sequence[Allocation]) -> Moving:
    moving = moving_of(lease, clause_notice_s(tx.book, lease.tenant_id, tx.now_ms), tx.now_ms)
    why = "" if moving.allowed else moving.why
    if any(allocation.lost for allocation in standing):
        why = "its last move, or the loss of a node, is not over yet"
    if why:
        raise Conflict(
            "lease_stays",
            f"{lease.id} stays where it is: {why}",
            "leave it out",
            {"lease": lease.id, "why": why},
        )
    return moving


def _judged(
    tx: Transaction,
    lease: Lease,
    asked: LeaseRequest,
    standing: Sequence[Allocation],
    parts: Sequence[MovePart],
) -> Moves:
    """Each part that moves, and what takes its place, as the book is now."""
    if not 1 <= len({part.allocation_id for part in parts}) == len(parts) <= MOST_PARTS:
        raise Invalid(
            "nothing_to_move",
            f"{len(parts):,} parts are named; at least one, each once, at most {MOST_PARTS:,}",
            "name the allocations to move: `comptoir lease show` has them",
        )
    there = {allocation.id: allocation for allocation in standing}
    taken: dict[str, set[int]] = {}
    moves: Moves = []
    for part in parts:
        old = there.get(part.allocation_id)
        if old is None or len(old.accelerators) != len(part.accelerators):
            raise Conflict(
                "move_overtaken",
                f"{part.allocation_id} of {len(part.accelerators):,} accelerators is not what "
                f"{lease.id} has now",
                "plan again: comptoir fleet rebalance --dry-run",
                {"lease": lease.id, "allocation": part.allocation_id},
            )
        node = live_node(tx, part.to_node)
        _refuse_other_terms(tx, old, node)
        _refuse_sent_back(lease, node)
        _refuse_taken(tx, asked, old, node, part, taken.setdefault(node.id, set()))
        moves.append((old, PlannedAllocation(node.id, part.accelerators, old.ends_at_ms)))
    return moves


def _refuse_other_terms(tx: Transaction, old: Allocation, node: Node) -> None:
    snapshot = tx.book.snapshot
    if snapshot.pool_of(node.id) is snapshot.pool_of(old.node_id):
        return
    raise Refused(
        "move_elsewhere",
        f"{node.id} is in another cluster than {old.node_id}, of another kind, or under other "
        "terms of supply",
        "move it within its cluster and terms",
        {"node": node.id, "from": old.node_id},
    )


def _refuse_sent_back(lease: Lease, node: Node) -> None:
    if node.id in lease.rejected:
        raise Refused(
            "move_elsewhere",
            f"{lease.id} has sent {node.id} back: it does not come to that lease again",
            "move it to another node",
            {"node": node.id, "lease": lease.id},
        )


def _refuse_taken(
    tx: Transaction,
    asked: LeaseRequest,
    old: Allocation,
    node: Node,
    part: MovePart,
    taken: set[int],
) -> None:
    """What is moved to has to be free for as long as the part is promised."""
    window = Window(max(old.starts_at_ms, tx.now_ms), old.ends_at_ms)
    free = set[int]()
    if tx.book.snapshot.promise_end(node, asked, window)[0]:
        free = {*tx.book.snapshot.free_for(asked.tenant_id, node, window, tx.now_ms)} - taken
    wanted = set(part.accelerators)
    if wanted <= free and len(wanted) == len(part.accelerators):
        taken |= wanted
        return
    raise Refused(
        "move_not_free",
        f"{len(wanted & free):,} of the {len(part.accelerators):,} accelerators on {node.id} are "
        f"free for {old.lease_id} now",
        "plan again: comptoir fleet rebalance --dry-run",
        {"node": node.id, "free": len(free), "wanted": len(part.accelerators)},
    )


def _refuse_wider(tx: Transaction, lease: Lease, stays: list[Allocation], moves: Moves) -> None:
    ids = {*(a.node_id for a in stays), *(to.node_id for _, to in moves)}
    places = {place_of(tx.book.nodes[node_id], lease.shape) for node_id in ids}
    if len(places) > 1:
        raise Refused(
            "move_elsewhere",
            f"{lease.id} would stand in {len(places)} {lease.shape}s, and it is one {lease.shape}",
            "move all of it, or within where it is",
            {"lease": lease.id, "places": len(places)},
        )


def _move_promise(tx: Transaction, lease: Lease, old: Allocation, to: PlannedAllocation) -> None:
    """Another place for what is not handed over, from its start to its end."""
    tx.book.allocations.put(replace(old, fenced_at_ms=tx.now_ms))
    node = tx.book.nodes[to.node_id]
    tx.book.allocations.put(
        replace(
            old,
            id=AllocationId(tx.new_id("al")),
            node_id=node.id,
            inbound_lease_id=node.inbound_lease_id,
            accelerators=to.accelerators,
        )
    )
    if old.starts_at_ms <= tx.now_ms:  # its tenant may have left the node for this, unchecked
        gate_between_tenants(tx, old.node_id, lease.tenant_id)


def _move_running(
    tx: Transaction, lease: Lease, old: Allocation, to: PlannedAllocation, until_ms: int
) -> None:
    """Hand over the new place, and take the old one from now on, with notice to what runs there."""
    others = tx.book.lost_on.count(old.node_id)
    undeliver(tx, lease, old, tx.now_ms, until_ms)
    node = tx.book.nodes[old.node_id]
    if node.engine:  # it says when nothing runs there any more
        fence_at = node.fence_at_ms if others else None
    else:
        fence_at = max(until_ms, node.fence_at_ms or 0) if others else until_ms
    tx.book.nodes.put(replace(node, fence_at_ms=fence_at))
    hand_over(tx, lease, to)
