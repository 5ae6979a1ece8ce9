"""Replacing what was lost: another node for each lost allocation, or the lease waits.

A guaranteed lease keeps what is left of it and waits for the rest, its broken guarantee growing;
if nothing is left it waits as a whole, and its place in the queue may reclaim. Spot has no
guarantee: what is left of it is stopped with its notice, and it waits again. Before planned
maintenance the same is done for what still stands on the node.
"""

from collections.abc import Sequence

from comptoir.desk.operations.breaking import close_breach_of, close_breaches
from comptoir.desk.operations.lost import lose_allocation
from comptoir.desk.operations.taking_back import begin_stop
from comptoir.desk.operations.tending import moves_at_ms, standing_into_maintenance
from comptoir.desk.transaction import Transaction
from comptoir.fleet.nodes import Node
from comptoir.fleet.states import NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import BreachCause, guaranteed
from comptoir.leases.lease import Lease, LeaseState, Reason, request_of
from comptoir.placement.check_replace import check_replacements
from comptoir.placement.plan import PlannedAllocation
from comptoir.placement.replace import Loss, find_replacements
from comptoir.units.ids import AllocationId, LeaseId, NodeId
from comptoir.units.time import MS_PER_S
from comptoir.units.values import replace

AGAIN_AFTER_MS = 1_000


def replace_lost(tx: Transaction, most: int) -> bool:
    """Find nodes for what was lost, at most so many leases; returns whether some were left over.

    While capacity is as it was when a lease was tried in vain, it is not tried again; nor more
    than once a second, however much changes elsewhere, unless a node changed.
    """
    done = 0
    for lease in tx.book.short_leases.get(LeaseState.ACTIVE):
        if not _is_due(tx, lease.id):
            continue
        if done >= most:
            return True
        done += 1
        _replace(tx, lease)
        _tried(tx, lease.id)
    for node in tx.book.moving_nodes.get(True):
        if not _is_due(tx, node.id) or moves_at_ms(tx, node) > tx.now_ms:
            continue
        if done >= most:
            return True
        done += 1
        _move(tx, node)
        _tried(tx, node.id)
    return False


def _is_due(tx: Transaction, key: LeaseId | NodeId) -> bool:
    """Whether capacity has changed since this was tried in vain, and that was a while ago."""
    version, at_ms = tx.book.replaced_in_vain.get(key, (-1, 0))
    return version != tx.book.snapshot.version and tx.now_ms >= at_ms + AGAIN_AFTER_MS


def _tried(tx: Transaction, key: LeaseId | NodeId) -> None:
    """What is still wanted was looked for in vain; of anything else nothing is remembered."""
    lease = tx.book.leases.get(LeaseId(key))
    node = tx.book.nodes.get(NodeId(key))
    short = lease is not None and lease.state is LeaseState.ACTIVE and bool(lease.lost)
    if short or (node is not None and node.state is NodeState.DRAINING):
        tx.book.replaced_in_vain[key] = tx.book.snapshot.version, tx.now_ms
    else:
        tx.book.replaced_in_vain.pop(key, None)


def _replace(tx: Transaction, lease: Lease) -> None:
    kept = [a for a in tx.book.allocations_of(lease.id) if a.delivered]
    if lease.ends_at_ms is not None and lease.ends_at_ms <= tx.now_ms:
        return  # its end is about to be announced
    found = _find(tx, lease, lease.lost, [a.node_id for a in kept])
    if found and not kept:
        _deliver_anew(tx, lease, found)
        return
    for new in found:
        _deliver(tx, tx.book.leases[lease.id], new)
    lease = tx.book.leases[lease.id]
    if not lease.lost:
        return
    if not guaranteed(lease):
        notice_ms = lease.notice_s * MS_PER_S if kept else 0
        begin_stop(tx, lease, Reason.NODE_LOST, tx.now_ms + notice_ms)
    elif not kept:
        _wait(tx, lease)


def _find(
    tx: Transaction, lease: Lease, pieces: tuple[int, ...], kept: list[NodeId]
) -> tuple[PlannedAllocation, ...]:
    """Nodes for what a lease lost; none for one that is about to give way to somebody."""
    if lease.reclaimed_for is not None:
        return ()
    spares = tx.book.spares.get(lease.kind) if guaranteed(lease) else []
    tenant = tx.book.tenants[lease.tenant_id]
    loss = Loss(
        request_of(lease, tenant, tx.now_ms),
        pieces,
        tuple(sorted(set(kept))),
        tuple(sorted(node.id for node in spares)),
    )
    found = find_replacements(tx.book.snapshot, loss, tx.now_ms)
    check_replacements(tx.book.snapshot, loss, found, tx.now_ms)
    return found


def _deliver_anew(tx: Transaction, lease: Lease, found: Sequence[PlannedAllocation]) -> None:
    """Nothing is left where a lease stood, and it stands elsewhere as a whole, now."""
    for new in found:
        hand_over(tx, lease, new)
    lease = tx.book.leases.put(replace(lease, lost=()))
    close_breaches(tx, lease, tx.now_ms, found[0].node_id)
    for new in found:
        size = len(new.accelerators)
        tx.emit_lease("lease.node_replaced", lease, node=new.node_id, replaced=size, still_lost=0)


def _deliver(tx: Transaction, lease: Lease, new: PlannedAllocation, *, broken: bool = True) -> None:
    """Hand a replacement over, and close what was broken."""
    size = len(new.accelerators)
    hand_over(tx, lease, new)
    left = list(lease.lost)
    left.remove(size)
    lease = tx.book.leases.put(replace(lease, lost=tuple(left)))
    if broken:
        close_breach_of(tx, lease, size, new.node_id)
    tx.emit_lease(
        "lease.node_replaced", lease, node=new.node_id, replaced=size, still_lost=sum(left)
    )


def hand_over(tx: Transaction, lease: Lease, new: PlannedAllocation) -> Allocation:
    """A free part of a node becomes the lease's, now."""
    node = tx.book.nodes[new.node_id]
    return tx.book.allocations.put(
        Allocation(
            AllocationId(tx.new_id("al")),
            lease.id,
            lease.tenant_id,
            node.id,
            node.inbound_lease_id,
            new.accelerators,
            tx.now_ms,
            new.ends_at_ms,
            delivered_from_ms=tx.now_ms,
            accepted_at_ms=tx.now_ms + node.accept_within_s * MS_PER_S,
        )
    )


def _wait(tx: Transaction, lease: Lease) -> None:
    """Nothing is left of a guaranteed lease, and no place has all of it: it waits as a whole."""
    moved = tx.book.leases.put(
        lease.moved(
            LeaseState.WAITING,
            tx.now_ms,
            reason=Reason.NODE_LOST,
            scheduled_start_ms=None,
            lost=(),
        )
    )
    tx.emit_lease("lease.waiting", moved, reason=Reason.NODE_LOST)


def _move(tx: Transaction, node: Node) -> None:
    """What stands into a node's maintenance moves while it can; spot that cannot is stopped.

    Whoever has moved has the old node too until the work begins, to leave it in order.
    """
    start = node.maintenance_from_ms or tx.now_ms
    for allocation in standing_into_maintenance(tx, node):
        lease = tx.book.leases[allocation.lease_id]
        if lease.state is not LeaseState.ACTIVE or lease.lost:
            continue
        others = [
            a.node_id
            for a in tx.book.allocations_of(lease.id)
            if a.delivered and a.id != allocation.id
        ]
        found = _find(tx, lease, (len(allocation.accelerators),), others)
        if found:
            cause = BreachCause.MAINTENANCE
            lose_allocation(tx, allocation, node, cause, tx.now_ms, start, breaks=False)
            _deliver(tx, tx.book.leases[lease.id], found[0], broken=False)
        elif not guaranteed(lease):
            notice_ms = lease.notice_s * MS_PER_S
            kill_at = max(start, tx.now_ms + notice_ms)
            begin_stop(tx, lease, Reason.NODE_MAINTENANCE, kill_at)
    moved = tx.book.nodes[node.id]
    if moved.fence_at_ms is None or moved.fence_at_ms > start:
        tx.book.nodes.put(replace(moved, fence_at_ms=start))
