"""Why is it waiting, and until when? A typed answer with the numbers.

It looks at the place where the lease can start first, or that has the most free: what is
missing there, what is promised back and when, what could give way, and why that is not done.
Neighbours: `queue.py` says who is ahead and gives the earliest start; `leases/claims.py` who
gives way to whom.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from comptoir.fleet.kinds import CATALOGUE, Tenancy
from comptoir.fleet.states import NodeState
from comptoir.leases.claims import claim_of, free_at_ms, may_reclaim
from comptoir.leases.lease import (
    PROMISED,
    Lease,
    LeaseClass,
    LeaseRequest,
    LeaseState,
    Reason,
    Shape,
)
from comptoir.placement.best_place import (
    NOWHERE,
    BestPlace,
    Coming,
    Slots,
    best_place,
    standing_in,
)
from comptoir.placement.snapshot import Snapshot
from comptoir.units.ids import LeaseId, NodeId
from comptoir.units.time import MS_PER_S, format_instant

MOST_SOONER = 16
MOST_NAMED = 3
NO_PLACE = BestPlace("", 0, (), ())
"""Of what does not look for a place."""


@dataclass(frozen=True, slots=True)
class Sooner:
    """A lease that could give way, or that does: when it could be gone at the earliest."""

    lease_id: LeaseId
    lease_class: LeaseClass
    accelerators: int
    at_ms: int
    minimum_runtime_left_s: int


@dataclass(frozen=True, slots=True)
class Queue:
    """Where a lease stands in the queue, as the desk knows it.

    `expected_start_ms` is when promises let it start, on `starts_on` among others;
    `kept_from_ms` is from when on what becomes free is kept for it; `first` is who is first,
    `held_up` what else holds it up.
    """

    ahead: int = 0
    first: LeaseId | None = None
    expected_start_ms: int | None = None
    starts_on: NodeId | None = None
    kept_from_ms: int | None = None
    held_up: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """The answer. `expected_start_ms` None: nothing says when; `best_place` empty: none is sought.

    `given_up_ms` is when waiting ends in vain.

    `gives_way_to`: the lease for which it is to be taken back, is being, or was last.
    """

    lease_id: LeaseId
    state: LeaseState
    since_ms: int
    needs: int
    kind: str
    shape: str
    best_place: str
    best_free: int
    coming: tuple[Coming, ...]
    sooner: tuple[Sooner, ...]
    not_sooner: str
    ahead: int
    first: LeaseId | None
    expected_start_ms: int | None
    kept_from_ms: int | None
    given_up_ms: int | None
    sentence: str
    gives_way_to: LeaseId | None = None


def why(
    snapshot: Snapshot,
    lease: Lease,
    request: LeaseRequest | None,
    queue: Queue,
    victims: Sequence[Lease],
    now_ms: int,
) -> Why:
    """Explain the state of a lease; `victims` are the leases that give way to it.

    Without a `request` it asks for no place any more.
    """
    place, not_sooner = NO_PLACE, ""
    sooner: tuple[Sooner, ...] = ()
    if lease.state is LeaseState.WAITING and request is not None:
        place = best_place(snapshot, request, now_ms, queue.starts_on)
        sooner, not_sooner = _sooner(snapshot, place, request, queue, now_ms)
        if place is NOWHERE and not queue.held_up:
            not_sooner = _out_of_service(snapshot, request.kind) or not_sooner
    elif lease.state is LeaseState.SCHEDULED:
        sooner = tuple(_gone(victim, victim.accelerators, now_ms) for victim in victims)
    given_up_ms = lease.waits_until_ms if lease.state is LeaseState.WAITING else None
    expected = _before(queue.expected_start_ms, given_up_ms)
    if lease.state in PROMISED:
        expected = lease.scheduled_start_ms
    return Why(
        lease.id,
        lease.state,
        lease.state_since_ms,
        lease.accelerators,
        lease.kind,
        lease.shape.value,
        place.name,
        place.free,
        place.coming,
        sooner[:MOST_SOONER],
        not_sooner,
        queue.ahead,
        queue.first if queue.first != lease.id else None,
        expected,
        _before(queue.kept_from_ms, given_up_ms),
        given_up_ms,
        _sentence(snapshot, lease, place, queue, len(sooner)),
        lease.reclaimed_for if _gives_way(lease) else None,
    )


def _before(instant_ms: int | None, given_up_ms: int | None) -> int | None:
    """An instant, if waiting is not in vain by then."""
    late = instant_ms is not None and given_up_ms is not None and instant_ms >= given_up_ms
    return None if late else instant_ms


def _out_of_service(snapshot: Snapshot, kind: str) -> str:
    """What of a kind is not for sale now, and why: its first nodes, with what is known of them."""
    out = [node for node in snapshot.nodes.values() if node.kind == kind and not node.for_sale]
    out = [node for node in out if node.state is not NodeState.RETIRED]
    if not out:
        return ""
    parts = []
    for node in sorted(out, key=lambda node: node.name)[:MOST_NAMED]:
        state = "a spare" if node.state is NodeState.IN_SERVICE else f"in {node.state}"
        until = node.maintenance_until_ms
        work = "" if until is None else f", planned work until {format_instant(until)}"
        parts.append(f"{node.name} is {state.replace('_', ' ')}{work}")
    more = f" and {len(out) - MOST_NAMED:,} more" if len(out) > MOST_NAMED else ""
    return f"none of {kind} is for sale now: {'; '.join(parts)}{more}"


def _gives_way(lease: Lease) -> bool:
    """Whether it is to go for somebody, is going, or waits again because it went."""
    if lease.state in (LeaseState.ACTIVE, LeaseState.SCHEDULED):
        return True
    return (
        lease.state in (LeaseState.RECLAIMING, LeaseState.WAITING)
        and lease.reason is Reason.STRONGER_REQUEST
    )


def _sooner(
    snapshot: Snapshot, place: BestPlace, request: LeaseRequest, queue: Queue, now_ms: int
) -> tuple[tuple[Sooner, ...], str]:
    """What could give way there to this claim, and why that is not done."""
    claim = claim_of(request.lease_class, request.borrowed)
    standing = standing_in(snapshot, place, request, now_ms)
    may, others = list[tuple[Lease, Slots]](), list[tuple[Lease, Slots]]()
    for other, slots in standing:
        gives_way = other.state is LeaseState.ACTIVE and may_reclaim(claim, other)
        (may if gives_way else others).append((other, slots))
    gone = sorted(
        (_gone(other, len(slots), now_ms) for other, slots in may),
        key=lambda s: (s.at_ms, s.lease_id),
    )
    freed = sum(item.accelerators for item in gone)
    missing = max(request.accelerators - place.free, 0)
    if queue.held_up:
        return tuple(gone), queue.held_up
    if missing and freed >= missing:
        return tuple(gone), "what could give way is kept for who is ahead, or is tried next"
    kept = _kept_there(snapshot, place, may, others)
    if not gone:
        said = "nothing there gives way to it"
    else:
        leases = f"{len(gone):,} lease" + ("s" if len(gone) > 1 else "")
        said = f"reclaiming {leases} frees {freed:,} of the {missing:,} that are missing"
    return tuple(gone), ": ".join([said, " and ".join(kept)] if kept else [said])


def _kept_there(
    snapshot: Snapshot,
    place: BestPlace,
    may: Sequence[tuple[Lease, Slots]],
    others: Sequence[tuple[Lease, Slots]],
) -> list[str]:
    """What of a place does not give way: each accelerator once, whoever follows whom on it."""
    guaranteed = Slots().union(*(slots for other, slots in others if not other.reclaimable))
    entitled = Slots().union(*(slots for other, slots in others if other.reclaimable))
    entitled -= guaranteed
    kept = [f"{len(guaranteed):,} there are guaranteed"] if guaranteed else []
    if entitled:
        kept.append(f"{len(entitled):,} give way to stronger claims alone")
    nodes = [snapshot.nodes[node_id] for node_id in place.nodes]
    taken = guaranteed.union(entitled, *(slots for _, slots in may))
    whole = sum(node.accelerators for node in nodes if node.for_sale) - len(taken) - place.free
    if nodes and CATALOGUE[nodes[0].kind].tenancy is Tenancy.EXCLUSIVE_NODE and whole > 0 and taken:
        kept.append(f"{whole:,} are free on nodes that other tenants have whole")
    return kept


def _gone(lease: Lease, accelerators: int, now_ms: int) -> Sooner:
    if lease.state is LeaseState.RECLAIMING:
        return Sooner(lease.id, lease.lease_class, accelerators, lease.kill_at_ms or now_ms, 0)
    left_ms = max(lease.reclaimable_from_ms - now_ms, 0)
    at_ms = free_at_ms(lease, now_ms)
    return Sooner(lease.id, lease.lease_class, accelerators, at_ms, -(-left_ms // MS_PER_S))


def _sentence(
    snapshot: Snapshot, lease: Lease, place: BestPlace, queue: Queue, victims: int
) -> str:
    match lease.state:
        case LeaseState.WAITING if queue.held_up:
            return queue.held_up
        case LeaseState.WAITING:
            line = f"{queue.ahead:,} ahead of it" if queue.ahead else "nobody ahead of it"
            when = "" if queue.expected_start_ms is None else "; more is promised back"
            best = f"{place.free:,} free in the best place"
            return f"needs {lease.accelerators:,}, {best}, {line}{when}"
        case LeaseState.HELD:
            firm = "firmly" if lease.hold_firm else "softly: a firm request may have them"
            return f"holds {lease.accelerators:,} {firm}, and waits for a yes"
        case LeaseState.SCHEDULED:
            give = "give" if victims > 1 else "gives"
            told = f"; {victims} {give} way to it" if victims else ""
            until = _until(snapshot, lease)
            return (
                f"promised {lease.accelerators:,}; it starts when they are handed over{told}{until}"
            )
        case LeaseState.ACTIVE:
            return _has(lease) + _until(snapshot, lease)
        case LeaseState.RECLAIMING:
            return f"is being taken back: {lease.reason.replace('_', ' ')}"
        case _:
            return f"is {lease.state}" + (
                f": {lease.reason.replace('_', ' ')}" if lease.reason else ""
            )


def _until(snapshot: Snapshot, lease: Lease) -> str:
    """When what it has ends before it does, or is interrupted, and why."""
    parts = [
        (part, snapshot.nodes[part.node_id])
        for part in snapshot.allocations_of.get(lease.id, {}).values()
        if part.fenced_at_ms is None and not part.lost
    ]
    said = ""
    ends = [(part.ends_at_ms, node) for part, node in parts if part.ends_at_ms is not None]
    first_ms, node = min(ends, key=lambda end: end[0], default=(None, None))
    sooner = lease.ends_at_ms is None or (first_ms or 0) < lease.ends_at_ms
    if first_ms is not None and node is not None and sooner and lease.reclaimed_for is None:
        supply_ends_ms = snapshot.inbound[node.inbound_lease_id].ends_at_ms
        why = "its supply ends" if supply_ends_ms == first_ms else "what it stands on is promised"
        said += f"; until {format_instant(first_ms)}, when {why}"
    works = [(node.maintenance_from_ms, node.name) for _, node in parts if node.maintenance]
    if works:
        from_ms, name = min((from_ms or 0, name) for from_ms, name in works)
        said += f"; planned work on {name} from {format_instant(from_ms)} on"
    return said


def _has(lease: Lease) -> str:
    if not lease.lost:
        return f"has its {lease.accelerators:,}" + _ground(lease)
    lost = sum(lease.lost)
    where = "" if lease.shape is Shape.NODE else f" in their {lease.shape}"
    return (
        f"has {lease.accelerators - lost:,} of its {lease.accelerators:,}; {lost:,} are lost with "
        f"their node and wait for another{where}"
    )


def _ground(lease: Lease) -> str:
    """Why somebody might take it back."""
    if lease.lent:
        return ", on what a team lends: an entitled team may take it back"
    if lease.borrowed:
        return ", more than its team is entitled to: an entitled team may take it back"
    return ", with a recall clause" if lease.recallable else ""
