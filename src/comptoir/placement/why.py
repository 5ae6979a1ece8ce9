"""Why is it waiting, and until when? A typed answer with the numbers."""

from dataclasses import dataclass

from comptoir.leases.lease import STRENGTH, Lease, LeaseState
from comptoir.leases.snapshot import Snapshot
from comptoir.units.ids import LeaseId
from comptoir.units.time import Window


@dataclass(frozen=True, slots=True)
class Coming:
    """Accelerators in the best place that are promised back at an instant."""

    at_ms: int
    lease_id: LeaseId
    accelerators: int


@dataclass(frozen=True, slots=True)
class Why:
    """The answer. `expected_start_ms` None: nothing says when."""

    lease_id: LeaseId
    state: LeaseState
    since_ms: int
    needs: int
    kind: str
    shape: str
    best_place: str
    best_free: int
    coming: tuple[Coming, ...]
    ahead: int
    expected_start_ms: int | None
    sentence: str


def why(snapshot: Snapshot, lease: Lease, now_ms: int) -> Why:
    """Explain the state of a lease."""
    place, free, coming = _best_place(snapshot, lease, now_ms)
    ahead = sum(
        1
        for other in snapshot.leases.values()
        if other.state is LeaseState.WAITING
        and other.kind == lease.kind
        and queue_key(other) < queue_key(lease)
    )
    expected = lease.scheduled_start_ms if lease.state is LeaseState.SCHEDULED else None
    if lease.state is LeaseState.WAITING:
        missing = lease.accelerators - free
        for item in coming:
            if missing <= 0:
                break
            missing -= item.accelerators
            expected = item.at_ms if missing <= 0 else None
    return Why(
        lease.id,
        lease.state,
        lease.state_since_ms,
        lease.accelerators,
        lease.kind,
        lease.shape.value,
        place,
        free,
        tuple(coming),
        ahead if lease.state is LeaseState.WAITING else 0,
        expected,
        _sentence(lease, free, ahead, expected),
    )


def queue_key(lease: Lease) -> tuple[int, int, LeaseId]:
    """The order in which waiting leases are tried: class, then time of request."""
    return (-STRENGTH[lease.lease_class], lease.requested_at_ms, lease.id)


def _best_place(snapshot: Snapshot, lease: Lease, now_ms: int) -> tuple[str, int, list[Coming]]:
    still_open = lease.ends_at_ms is None or lease.ends_at_ms > now_ms
    starts_at_ms = max(lease.starts_at_ms, now_ms)
    window = Window(starts_at_ms, lease.ends_at_ms) if still_open else Window(now_ms)
    best: tuple[int, str, list[Coming]] = (-1, "nowhere", [])
    for place, node_ids in snapshot.places(lease.kind, lease.shape).items():
        nodes = [snapshot.nodes[node_id] for node_id in node_ids]
        free = sum(len(snapshot.free_over(node, window, now_ms)) for node in nodes)
        if free > best[0]:
            coming = [
                Coming(a.ends_at_ms, a.lease_id, len(a.accelerators))
                for node in nodes
                for a in snapshot.standing_on(node.id)
                if a.ends_at_ms is not None and a.lease_id != lease.id
            ]
            coming.sort(key=lambda item: (item.at_ms, item.lease_id))
            best = (free, "/".join(part for part in place if part), coming[:16])
    return best[1], max(best[0], 0), best[2]


def _sentence(lease: Lease, free: int, ahead: int, expected: int | None) -> str:
    match lease.state:
        case LeaseState.WAITING:
            queue = f"{ahead} ahead of it" if ahead else "nobody ahead of it"
            when = "" if expected is None else "; more is promised back"
            return f"needs {lease.accelerators}, {free} free in the best place, {queue}{when}"
        case LeaseState.SCHEDULED:
            return f"promised {lease.accelerators}; it starts when they are handed over"
        case LeaseState.ACTIVE:
            return f"has its {lease.accelerators}"
        case LeaseState.RECLAIMING:
            return f"is being taken back: {lease.reason.replace('_', ' ')}"
        case _:
            return f"is {lease.state}" + (
                f": {lease.reason.replace('_', ' ')}" if lease.reason else ""
            )
