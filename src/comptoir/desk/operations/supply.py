"""Supply: inbound leases and their nodes declared, and ended."""

from comptoir.desk.operations.money.supply_costs import settle_inbound
from comptoir.desk.operations.taking_back import drop_promise
from comptoir.desk.requests import DeclareSupply, EndSupply
from comptoir.desk.transaction import Transaction
from comptoir.fleet.conditions import MOST_SELLING_WINDOWS, check_grant, check_residency
from comptoir.fleet.files import (
    MOST_ACCELERATORS_A_NODE,
    MOST_CPUS,
    MOST_MEMORY_BYTES,
    MOST_NODES,
)
from comptoir.fleet.kinds import CATALOGUE, Tenancy, check_kind
from comptoir.fleet.nodes import (
    MOST_ACCEPT_WITHIN_S,
    MOST_FENCE_AFTER_S,
    NewNode,
    Node,
    NodeState,
)
from comptoir.leases.allocation import Allocation
from comptoir.leases.inbound import InboundLease, InboundState
from comptoir.leases.lease import PROMISED, LeaseState, Reason
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Conflict, Invalid
from comptoir.units.ids import InboundLeaseId, NodeId
from comptoir.units.money import MOST_PRICE_NANOS, check_currency
from comptoir.units.text import check_count, check_text
from comptoir.units.time import MS_PER_S, Window, check_instant, format_instant
from comptoir.units.values import replace

_NOT_BROKEN = (LeaseState.RECLAIMING, LeaseState.HELD)
"""What goes anyhow, and what nobody has said yes to."""


def declare_supply(tx: Transaction, request: DeclareSupply) -> InboundLease:
    """Put an inbound lease and its nodes in the book.

    Raises:
        Invalid: `unknown_kind`, `out_of_range`, `end_before_start`, `unknown_currency`.
        Conflict: `node_name_taken`.
    """
    if request.starts_at_ms is not None:
        check_instant("starts_at", request.starts_at_ms)
    if request.ends_at_ms is not None:
        check_instant("ends_at", request.ends_at_ms)
    check_count("cost", request.cost_nanos, 0, MOST_PRICE_NANOS)
    starts = tx.now_ms if request.starts_at_ms is None else request.starts_at_ms
    window = Window(starts, request.ends_at_ms)
    check_count("nodes", len(request.nodes), 1, MOST_NODES)
    conditions = request.conditions
    check_count("selling_windows", len(conditions.selling_windows), 0, MOST_SELLING_WINDOWS)
    inbound = InboundLease(
        InboundLeaseId(tx.new_id("il")),
        check_text("name", request.name, 1, 100),
        check_text("partner", request.partner, 1, 100),
        check_kind(request.kind),
        window.start_ms,
        window.end_ms,
        request.cost_nanos,
        check_currency(request.currency),
        InboundState.ACTIVE,
        conditions.sold_to,
        conditions.selling_windows,
        check_grant("grant", conditions.grant),
        check_residency("residency", conditions.residency),
    )
    tx.book.inbound.put(inbound)
    for new in request.nodes:
        _add_node(tx, inbound, new)
    tx.emit(
        "supply.declared",
        inbound.id,
        None,
        kind=inbound.kind,
        nodes=len(request.nodes),
        accelerators=sum(node.accelerators for node in request.nodes),
    )
    return inbound


def _add_node(tx: Transaction, inbound: InboundLease, new: NewNode) -> None:
    name = check_text("node name", new.name, 1, 100)
    if tx.book.nodes_by_name.first(name) is not None:
        raise Conflict(
            "node_name_taken",
            f"a node called {name!r} belongs to another inbound lease",
            "end that lease first, or choose another name",
        )
    gated = _is_gated(tx, inbound.kind, new)
    tx.book.nodes.put(
        Node(
            NodeId(tx.new_id("nd")),
            name,
            inbound.id,
            inbound.kind,
            check_count("accelerators", new.accelerators, 1, MOST_ACCELERATORS_A_NODE),
            check_count("memory_bytes", new.memory_bytes, 0, MOST_MEMORY_BYTES),
            new.engine,
            check_text("site", new.site, 1, 64),
            check_text("cluster", new.cluster, 1, 64),
            check_text("pod", new.pod, 1, 64),
            check_text("rack", new.rack, 1, 64),
            NodeState.CHECKING if gated else NodeState.IN_SERVICE,
            check_count("cpus", new.cpus, 0, MOST_CPUS),
            tx.now_ms,
            "new" if gated else "",
            spare=new.spare,
            gated=gated,
            owes_checks=gated,
            fence_after_s=check_count("fence_after_s", new.fence_after_s, 0, MOST_FENCE_AFTER_S),
            accept_within_s=check_count(
                "accept_within_s", new.accept_within_s, 0, MOST_ACCEPT_WITHIN_S
            ),
        )
    )


def _is_gated(tx: Transaction, kind: str, new: NewNode) -> bool:
    """As its declaration says; if that is silent, where customers get whole nodes and somebody
    can check them."""
    if new.gated is not None:
        return new.gated
    return CATALOGUE[kind].tenancy is Tenancy.EXCLUSIVE_NODE and new.engine in tx.checkers


def end_supply(tx: Transaction, request: EndSupply) -> InboundLease:
    """Give an inbound lease an end; what may be taken back and stands on it is stopped by then.

    Held windows beyond it are let go: nobody has said yes to them. What runs keeps its notice: an
    end that comes sooner is put off until the last notice is over, and meanwhile the nodes are
    given nothing new. The turn closes it.

    Raises:
        Conflict: `supply_ended`, or `promises_past_end`: guaranteed leases are promised
            beyond it.
        Invalid: `end_in_the_past`.
    """
    inbound = tx.find(tx.book.inbound, request.inbound_lease_id)
    if inbound is None:
        raise not_found(f"inbound lease {request.inbound_lease_id}")
    if inbound.state is InboundState.ENDED:
        raise Conflict("supply_ended", f"{inbound.id} has ended already")
    if request.ends_at_ms is not None:
        check_instant("ends_at", request.ends_at_ms)
    end = tx.now_ms if request.ends_at_ms is None else request.ends_at_ms
    if end < tx.now_ms:
        raise Invalid(
            "end_in_the_past",
            f"{format_instant(end)} has passed",
            "give a later instant, or none for now",
        )
    _refuse_broken_promises(tx, inbound, end)
    standing = _standing(tx, inbound)
    for allocation in standing:
        lease = tx.book.leases[allocation.lease_id]
        if lease.state in PROMISED and _beyond(allocation, end):
            drop_promise(tx, lease, LeaseState.WAITING, Reason.SUPPLY_ENDED)
    standing = _standing(tx, inbound)
    asked, end = end, max([end, *(_notice_end(tx, allocation, end) for allocation in standing)])
    tx.book.inbound.put(replace(inbound, ends_at_ms=max(end, inbound.starts_at_ms + 1)))
    for allocation in standing:
        if _beyond(allocation, end) and not allocation.lost:
            tx.book.allocations.put(replace(allocation, ends_at_ms=end))
    if asked <= tx.now_ms:
        for node in tx.book.nodes_by_inbound.get(inbound.id):
            _give_nothing_new(tx, node)
        if not standing:
            return close_supply(tx, tx.book.inbound[inbound.id])
    tx.emit("supply.end_set", inbound.id, None, ends_at_ms=end)
    return tx.book.inbound[inbound.id]


def close_supply(tx: Transaction, inbound: InboundLease) -> InboundLease:
    """An inbound lease on which nothing stands any more has ended; its nodes leave with it."""
    settle_inbound(tx, inbound, tx.now_ms)
    for node in tx.book.nodes_by_inbound.get(inbound.id):
        tx.book.nodes.put(node.moved(NodeState.RETIRED, tx.now_ms))
    tx.emit("supply.ended", inbound.id, None, ends_at_ms=inbound.ends_at_ms)
    return tx.book.inbound.put(replace(inbound, state=InboundState.ENDED))


def _give_nothing_new(tx: Transaction, node: Node) -> None:
    node = replace(node, drained=True)
    if node.state is NodeState.IN_SERVICE:
        node = node.moved(NodeState.DRAINING, tx.now_ms, "its supply ends")
    tx.book.nodes.put(node)


def supply_is_free(tx: Transaction, inbound: InboundLease) -> bool:
    """Whether nothing stands on an inbound lease."""
    return not _standing(tx, inbound)


def _standing(tx: Transaction, inbound: InboundLease) -> list[Allocation]:
    return [
        allocation
        for node in tx.book.nodes_by_inbound.get(inbound.id)
        for allocation in tx.book.snapshot.standing_on(node.id)
    ]


def _beyond(allocation: Allocation, end_ms: int) -> bool:
    return allocation.ends_at_ms is None or allocation.ends_at_ms > end_ms


def _notice_end(tx: Transaction, allocation: Allocation, end_ms: int) -> int:
    """When this can be off at the earliest: what runs has its notice, what ends has its time."""
    lease = tx.book.leases[allocation.lease_id]
    if lease.state is LeaseState.RECLAIMING:
        return lease.kill_at_ms or end_ms
    if lease.state is LeaseState.ACTIVE and not allocation.lost and _beyond(allocation, end_ms):
        soonest = tx.now_ms + lease.notice_s * MS_PER_S
        return soonest if allocation.ends_at_ms is None else min(soonest, allocation.ends_at_ms)
    return end_ms


def _refuse_broken_promises(tx: Transaction, inbound: InboundLease, end: int) -> None:
    broken = [
        allocation.lease_id
        for allocation in _standing(tx, inbound)
        if not allocation.lost
        and not tx.book.leases[allocation.lease_id].reclaimable
        and tx.book.leases[allocation.lease_id].state not in _NOT_BROKEN
        and _beyond(allocation, end)
    ]
    if broken:
        raise Conflict(
            "promises_past_end",
            f"{len(broken)} guaranteed leases are promised past {format_instant(end)}: "
            f"{', '.join(sorted(set(broken))[:5])}",
            "end those leases first, or choose a later end",
            {"leases": sorted(set(broken))[:50]},
        )
