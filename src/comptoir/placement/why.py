"""Why is it waiting, and until when? A typed answer with the numbers."""

from dataclasses import dataclass

from comptoir.leases.lease import Lease, LeaseState, Shape
from comptoir.placement.queue import queue_key
from comptoir.placement.snapshot import Place, Snapshot, place_of
from comptoir.placement.windows import available, ending, places_of, roomiest
from comptoir.units.ids import LeaseId
from comptoir.units.time import Window

MOST_COMING = 16


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


def _best_place(snapshot: Snapshot, lease: Lease, now_ms: int) -> tuple[str, int, list[Coming]]:
    """The place of the lease's shape with the most free for its tenant, and what ends there."""
    still_open = lease.ends_at_ms is None or lease.ends_at_ms > now_ms
    starts_at_ms = max(lease.starts_at_ms, now_ms)
    window = Window(starts_at_ms, lease.ends_at_ms) if still_open else Window(now_ms)
    best: tuple[int, str, list[Coming]] = (-1, "nowhere", [])
    by_site: dict[Place, tuple[int, list[Coming]]] = {}
    for pool in snapshot.pools_of(lease.kind):
        counts = available(
            pool, lease.tenant_id, window, now_ms,
            lambda id: len(snapshot.free_for(lease.tenant_id, snapshot.nodes[id], window, now_ms)),
        )  # fmt: skip
        places = places_of(pool, lease.shape)
        found = roomiest(pool, counts, places)
        if found is None:
            continue
        free, place, row = found
        coming = [
            Coming(end_ms, pool.lease_ids[of], size)
            for end_ms, of, size in ending(pool, places, place, MOST_COMING)
            if pool.lease_ids[of] != lease.id
        ]
        where = place_of(snapshot.nodes[pool.ids[row]], lease.shape)
        if lease.shape is Shape.SITE:
            beside = by_site.get(where, (0, []))
            free += beside[0]
            coming = sorted(coming + beside[1], key=lambda c: (c.at_ms, c.lease_id))[:MOST_COMING]
            by_site[where] = (free, coming)
        if free > best[0]:
            best = (free, "/".join(part for part in where if part), coming)
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
            return _has(lease)
        case LeaseState.RECLAIMING:
            return f"is being taken back: {lease.reason.replace('_', ' ')}"
        case _:
            return f"is {lease.state}" + (
                f": {lease.reason.replace('_', ' ')}" if lease.reason else ""
            )


def _has(lease: Lease) -> str:
    if not lease.lost:
        return f"has its {lease.accelerators}"
    lost = sum(lease.lost)
    where = "" if lease.shape is Shape.NODE else f" in their {lease.shape}"
    return (
        f"has {lease.accelerators - lost} of its {lease.accelerators}; {lost} are lost with their "
        f"node and wait for another{where}"
    )
