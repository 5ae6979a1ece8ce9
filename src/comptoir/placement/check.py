"""The independent check of a plan. It shares no code with the planner, on purpose.

It reads what stands on each node and works every rule out again (the snapshot's index is
common ground: the simulator's auditor reads the rows instead); a plan that breaks one
is a bug in the planner and stops the desk.
"""

from collections.abc import Callable

from comptoir.fleet.conditions import REGIONS
from comptoir.fleet.kinds import CATALOGUE, Tenancy
from comptoir.fleet.nodes import Node, NodeState
from comptoir.leases.inbound import InboundState
from comptoir.leases.lease import Lease, LeaseRequest, LeaseState
from comptoir.placement.plan import Plan, PlannedAllocation
from comptoir.placement.snapshot import Snapshot
from comptoir.units.errors import broken, invariant

_ENDLESS = 1 << 62
_LEVELS = {"site": 1, "cluster": 2, "pod": 3, "rack": 4, "node": 5}


def check_plan(
    snapshot: Snapshot,
    request: LeaseRequest,
    plan: Plan,
    now_ms: int,
    recalls_left: Callable[[Lease, int], tuple[str, int] | None] | None = None,
) -> None:
    """Let a sound plan pass.

    Raises:
        InvariantBroken: naming the rule and the numbers.
    """
    _check_gang(snapshot, request, plan)
    _check_promise(snapshot, request, plan, now_ms)
    check_supply(snapshot, plan)
    check_conditions(snapshot, request, plan)
    _check_victims(snapshot, request, plan, now_ms)
    if recalls_left is not None:
        _check_recalls(snapshot, plan, recalls_left)
    check_nobody_displaced(snapshot, request, plan, now_ms)


def _check_gang(snapshot: Snapshot, request: LeaseRequest, plan: Plan) -> None:
    if plan.lease_id != request.lease_id:
        broken(f"plan of {plan.lease_id} where {request.lease_id} asked")
    slots = [(p.node_id, index) for p in plan.allocations for index in p.accelerators]
    if len(slots) != len(set(slots)):
        broken(f"plan of {plan.lease_id} names a slot twice")
    if len(slots) != request.accelerators:
        broken(
            f"plan of {plan.lease_id} has {len(slots)} accelerators, asked {request.accelerators}"
        )
    invariant(plan.starts_at_ms >= request.window.start_ms, "plan starts before it was asked to")
    nodes = {part.node_id for part in plan.allocations if part.accelerators}
    if len(nodes) != len(plan.allocations):
        broken(f"plan of {plan.lease_id} names a node twice, or for nothing")
    places = set()
    depth = _LEVELS[request.shape._value_]
    for part in plan.allocations:
        node = snapshot.nodes[part.node_id]
        _check_node(node, request, part, plan.starts_at_ms)
        places.add((node.site, node.cluster, node.pod, node.rack, node.name)[:depth])
    if len(places) != 1:
        broken(f"plan of {plan.lease_id} spans {len(places)} {request.shape}s")


def _check_node(
    node: Node, request: LeaseRequest, part: PlannedAllocation, starts_at_ms: int
) -> None:
    if node.kind != request.kind:
        broken(f"{node.id} is {node.kind}, not {request.kind}")
    if node.state is not NodeState.IN_SERVICE:
        broken(f"{node.id} is {node.state}")
    if node.spare:
        broken(f"{node.id} is a spare")
    if node.id in request.rejected:
        broken(f"{node.id} was sent back by {request.lease_id}")
    work, end, over = node.maintenance_from_ms, part.ends_at_ms, node.maintenance_until_ms
    before = work is None or (end is not None and end <= work)
    if not before and (over is None or starts_at_ms < over):
        broken(f"promised into the planned work on {node.id}")
    if [index for index in part.accelerators if not 0 <= index < node.accelerators]:
        broken(f"plan of {request.lease_id} names accelerators that {node.id} does not have")


def _check_promise(snapshot: Snapshot, request: LeaseRequest, plan: Plan, now_ms: int) -> None:
    """The whole gang from now or later on, up to the end that was asked for."""
    if plan.starts_at_ms < now_ms:
        broken(f"plan of {plan.lease_id} starts {now_ms - plan.starts_at_ms} ms ago")
    ends = {part.ends_at_ms for part in plan.allocations}
    if len(ends) != 1:
        broken(f"parts of {plan.lease_id} end at {len(ends)} instants")
    end, asked = ends.pop(), request.window.end_ms
    if plan.fills_gap:
        _check_gap(request, plan, end)
    elif asked is not None and end != asked:
        broken(f"plan of {plan.lease_id} ends at {end}, asked {asked}")
    elif asked is None and end is not None and not _ends_there(snapshot, request, plan, end):
        broken(f"plan of {plan.lease_id} ends at {end} and nothing else does")


def _check_gap(request: LeaseRequest, plan: Plan, end: int | None) -> None:
    least = request.least_gap_ms
    spot = request.lease_class._value_ == "spot" and request.window.end_ms is None
    if not spot or least is None or end is None:
        broken(f"{request.lease_id} may fill no gap")
    elif end - plan.starts_at_ms < least:
        broken(f"{request.lease_id} would get {end - plan.starts_at_ms} of at least {least} ms")


def _ends_there(snapshot: Snapshot, request: LeaseRequest, plan: Plan, end: int) -> bool:
    """Whether the supply of some part ends at an instant: itself, its sale, or by planned work."""
    for part in plan.allocations:
        node = snapshot.nodes[part.node_id]
        inbound = snapshot.inbound[node.inbound_lease_id]
        if end in (inbound.ends_at_ms, node.maintenance_from_ms):
            return True
        sales = inbound.selling_windows if request.lease_class._value_ != "internal" else ()
        if sales and not any(recurring.holding(end) for recurring in sales):
            return True
    return False


def check_supply(snapshot: Snapshot, plan: Plan) -> None:
    """Nothing is promised outside the inbound lease it stands on."""
    for part in plan.allocations:
        inbound = snapshot.inbound[snapshot.nodes[part.node_id].inbound_lease_id]
        if inbound.state is not InboundState.ACTIVE:
            broken(f"{inbound.id} has ended")
        if inbound.starts_at_ms > plan.starts_at_ms:
            broken(f"{inbound.id} has not started")
        supply_end = _ENDLESS if inbound.ends_at_ms is None else inbound.ends_at_ms
        promised_end = _ENDLESS if part.ends_at_ms is None else part.ends_at_ms
        if promised_end > supply_end:
            broken(f"promised past the end of {inbound.id}")
        invariant(promised_end > plan.starts_at_ms, "an allocation ends before it starts")


def check_conditions(snapshot: Snapshot, request: LeaseRequest, plan: Plan) -> None:
    """The request meets the conditions of every inbound lease it would stand on."""
    sold = request.lease_class._value_ != "internal"
    for part in plan.allocations:
        inbound = snapshot.inbound[snapshot.nodes[part.node_id].inbound_lease_id]
        if sold and inbound.sold_to._value_ == "internal":
            broken(f"{inbound.id} is not sold")
        if inbound.grant and inbound.grant not in request.grants:
            broken(f"{inbound.id} is for grant {inbound.grant}")
        country = inbound.residency[:2]
        for required in request.residency:
            invariant(
                required in (inbound.residency, country) or country in REGIONS.get(required, ()),
                f"{inbound.id} is in {inbound.residency or 'no stated place'}, not in {required}",
            )
        if not sold or not inbound.selling_windows:
            continue
        invariant(part.ends_at_ms is not None, f"{inbound.id} is sold in windows, without an end")
        at_ms = plan.starts_at_ms
        while at_ms < (part.ends_at_ms or 0):
            held = [w for r in inbound.selling_windows if (w := r.holding(at_ms)) is not None]
            invariant(bool(held), f"promised while {inbound.id} may not be sold")
            at_ms = max(window.end_ms or 0 for window in held)


def _check_victims(snapshot: Snapshot, request: LeaseRequest, plan: Plan, now_ms: int) -> None:
    seen: set[str] = set()
    for reclaim in plan.reclaims:
        lease = snapshot.leases[reclaim.lease_id]
        entitled = request.lease_class.value == "internal" and not request.borrowed
        spot = lease.lease_class.value == "spot"
        gives_way = {
            "spot": True,
            "internal": lease.borrowed,
            "on_demand": lease.lent,
            "reserved": lease.recall and not lease.recall_spent,
        }
        invariant(
            request.lease_class.value != "spot" and (spot or entitled),
            f"{lease.id} does not give way to {request.lease_id}",
        )
        invariant(gives_way[lease.lease_class.value], f"{lease.id} is guaranteed")
        invariant(lease.state is LeaseState.ACTIVE, f"{lease.id} is {lease.state}, not active")
        invariant(
            reclaim.until_ms - now_ms >= lease.notice_s * 1000,
            f"{lease.id} would get less than its notice of {lease.notice_s} s",
        )
        invariant(
            reclaim.until_ms >= lease.reclaimable_from_ms,
            f"{lease.id} would not run as long as it was promised to",
        )
        invariant(lease.id not in seen, f"{lease.id} is reclaimed twice")
        seen.add(lease.id)


def _check_recalls(
    snapshot: Snapshot,
    plan: Plan,
    recalls_left: Callable[[Lease, int], tuple[str, int] | None],
) -> None:
    """No more leases of a contract than it still allows to be recalled in that year."""
    taken: dict[str, list[str]] = {}
    for reclaim in plan.reclaims:
        lease = snapshot.leases[reclaim.lease_id]
        bound = recalls_left(lease, reclaim.until_ms) if lease.recall else None
        if bound is None:
            continue
        number, left = bound
        taken.setdefault(number, []).append(lease.id)
        if len(taken[number]) > left:
            broken(f"{', '.join(taken[number])} would be recalled, {number} allows {left} more")


def check_nobody_displaced(
    snapshot: Snapshot, request: LeaseRequest, plan: Plan, now_ms: int
) -> None:
    """Nobody else stands there meanwhile, and no second tenant on a node of one."""
    until = {reclaim.lease_id: reclaim.until_ms for reclaim in plan.reclaims}
    spared = set(until)
    for part in plan.allocations:
        node = snapshot.nodes[part.node_id]
        wanted = set(part.accelerators)
        exclusive = CATALOGUE[node.kind].tenancy is Tenancy.EXCLUSIVE_NODE
        my_end = _ENDLESS if part.ends_at_ms is None else part.ends_at_ms
        for other in snapshot.standing_on(part.node_id):
            end = _ENDLESS if other.ends_at_ms is None else other.ends_at_ms
            if other.delivered_from_ms is not None and end <= now_ms:
                end = now_ms + 1
            if end <= plan.starts_at_ms or other.starts_at_ms >= my_end:
                continue
            stranger = exclusive and other.tenant_id != request.tenant_id
            if not stranger and wanted.isdisjoint(other.accelerators):
                continue
            if until.get(other.lease_id, _ENDLESS) <= plan.starts_at_ms:
                spared.discard(other.lease_id)
                continue
            if stranger:
                broken(
                    f"{node.id} would hold two tenants at once, {other.lease_id} "
                    f"and {plan.lease_id}"
                )
            broken(f"{node.id}: {other.lease_id} stands where {plan.lease_id} would")
    if spared:
        broken(f"{', '.join(sorted(spared))} would be reclaimed and stands in nobody's way")
