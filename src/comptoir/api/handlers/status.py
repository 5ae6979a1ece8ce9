"""How the server is: a cheap health for probes, a status for people."""

from typing import Any

from fastapi import Request, Response

from comptoir.api.door import Ask, Asking, Door, said
from comptoir.api.encoding import instant
from comptoir.desk.queue import DeskQueue
from comptoir.store.views import totals


async def health(request: Request) -> Response:
    """Whether the desk writes and has room; 503 when it does not. Needs no key."""
    state = desk_state(request.app.state.door.queue)
    return said({"status": state}, 200 if state == "ok" else 503)


async def status(ask: Ask) -> Response:
    """The trading post at a glance; a tenant sees its own leases and accelerators."""
    counts = await ask.read(totals.lease_states, ask.actor.tenant_id)
    kinds = await (_house_kinds(ask) if ask.house else _tenant_kinds(ask))
    desk = instance = None
    if ask.house:
        instance = await ask.read(totals.instance)
        queue = ask.door.queue
        failing = queue.turn_failing
        desk = {
            "state": desk_state(queue),
            "waiting": queue.depth(),
            "longest_batch_ms": round(queue.longest_batch_s * 1_000, 1),
            "turn_error": failing and f"{failing.code}: {failing.message}",
            "turn_failing_since": failing and instant(failing.since_ms),
            "version": ask.door.desk.book.version,
        }
    return said(
        {
            "version": ask.door.version,
            "instance": instance,
            "desk": desk,
            "engines": await ask.work(_engines, ask.door, ask.house),
            "leases": {state.value: count for state, count in sorted(counts.items())},
            "kinds": kinds,
        }
    )


def desk_state(queue: DeskQueue) -> str:
    """How the desk is, in a word.

    `ok`, `broken` (the desk stopped), `turn_failing` (the last turn of the book failed) or
    `short_of_room` (the disk is nearly full).
    """
    if queue.desk.broken:
        return "broken"
    if queue.turn_failing is not None:
        return "turn_failing"
    return "short_of_room" if queue.desk.store.short_of_room() else "ok"


def _engines(door: Door, house: bool) -> list[dict[str, Any]]:
    found = []
    for name, engine in sorted(door.engines.items()):
        health = engine.health()
        found.append(
            {
                "name": name,
                "available": health.available,
                "reason": health.reason,
                "notes": list(health.notes) if house else [],
            }
        )
    return found


async def _house_kinds(ask: Asking) -> list[dict[str, Any]]:
    sums: dict[str, list[int]] = {}
    for site in await ask.read(totals.places, "site"):
        held = sums.setdefault(site.kind, [0, 0])
        held[0] += site.accelerators
        held[1] += site.allocated
    return [
        {
            "kind": kind,
            "accelerators": whole,
            "allocated": taken,
            "utilisation_percent": round(100 * taken / whole, 1) if whole else 0.0,
        }
        for kind, (whole, taken) in sorted(sums.items())
    ]


async def _tenant_kinds(ask: Asking) -> list[dict[str, Any]]:
    assert ask.actor.tenant_id is not None
    held = await ask.read(totals.held_by, ask.actor.tenant_id)
    return [
        {"kind": kind, "accelerators": None, "allocated": taken, "utilisation_percent": None}
        for kind, taken in sorted(held.items())
    ]
