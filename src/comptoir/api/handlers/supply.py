"""Kinds, inbound leases, nodes, the fleet by place, runtimes."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Annotated, Any, Literal

from fastapi import Query, Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.encoding import encode
from comptoir.api.shapes import supply as shapes
from comptoir.api.words import Id, Pages, Word
from comptoir.desk import requests
from comptoir.fleet.conditions import Conditions
from comptoir.fleet.kinds import CATALOGUE
from comptoir.fleet.nodes import NodeState
from comptoir.fleet.read_file import read_fleet_file
from comptoir.leases.inbound import InboundState
from comptoir.leases.jobs import Runtime
from comptoir.store.views import lists, totals
from comptoir.store.views.totals import PlaceTotal
from comptoir.tenants.entitlements import ROOT, in_force
from comptoir.units.errors import Conflict
from comptoir.units.ids import InboundLeaseId, RuntimeId

Level = Annotated[
    Literal["site", "cluster", "pod", "rack"], Query(description="The smallest places shown.")
]


async def list_kinds(ask: Ask) -> Response:
    """The catalogue of accelerator kinds."""
    items = [ask.encode(kind) for kind in CATALOGUE.values()]
    return said({"items": items, "next_cursor": None})


async def declare_supply(ask: Ask, body: shapes.SupplyBody) -> Response:
    """Put an inbound lease and its nodes in the book."""
    given: Any = body
    nodes = tuple(
        requests.NewNode(
            node.name, node.accelerators, node.memory_bytes, node.engine, node.site,
            node.cluster, node.pod, node.rack, node.cpus, node.spare, node.gated,
            node.fence_after_s, node.accept_within_s,
        )
        for node in given.nodes
    )  # fmt: skip
    request = requests.DeclareSupply(
        body.name,
        body.kind,
        nodes,
        body.partner,
        given.starts_at,
        given.ends_at,
        given.cost_per_accelerator_hour,
        body.currency,
        Conditions(body.sold_to, tuple(given.selling_windows), body.grant, body.residency),
    )
    return await ask.do("declare_supply", request, status=201)


async def list_supply(ask: Ask, pages: Pages, state: InboundState | None = None) -> Response:
    """Inbound leases, latest start first."""
    return await ask.page("supply", pages, lists.supply, state=state)


async def get_supply(ask: Ask, supply: Id) -> Response:
    """One inbound lease, by its id or name."""
    named = _supply_named(ask, supply)
    return said(ask.encode(await ask.one("inbound_lease", named, "inbound lease", lists.find)))


async def end_supply(ask: Ask, supply: Id, body: shapes.EndSupplyBody | None = None) -> Response:
    """Give an inbound lease an end, now or later; what stands on it is stopped by then.

    Guarantees that are promised past it are not broken for it: they have to end first.
    """
    ends_at: Any = None if body is None else body.ends_at
    return await ask.do("end_supply", requests.EndSupply(_supply_named(ask, supply), ends_at))


def _supply_named(ask: Asking, named: str) -> InboundLeaseId:
    """The id of an inbound lease that has not ended and is called so; else what was given.

    Raises:
        Conflict: `supply_name_twice`.
    """
    called = [lease.id for lease in ask.door.desk.book.inbound_by_name.get(named)]
    if len(called) > 1:
        raise Conflict(
            "supply_name_twice",
            f"{len(called)} inbound leases are called {named}: {', '.join(sorted(called)[:5])}",
            "give an id",
            {"supplies": sorted(called)[:50]},
        )
    return called[0] if called else InboundLeaseId(named)


async def list_nodes(
    ask: Ask,
    pages: Pages,
    kind: Word = None,
    state: NodeState | None = None,
    supply: Word = None,
) -> Response:
    """Nodes, by id."""
    return await ask.page(
        "nodes", pages, lists.nodes, kind=kind, state=state, inbound_lease_id=supply
    )


async def get_node(ask: Ask, node: Id) -> Response:
    """One node, by its id or name."""
    known = ask.door.desk.book.nodes_by_name.first(node)
    named = node if known is None else known.id
    return said(ask.encode(await ask.one("node", named, "node", lists.find)))


async def get_fleet(ask: Ask, level: Level = "rack") -> Response:
    """The fleet by place down to a level, with what is handed over, free, out of service.

    A fleet of very many places is summed up a level higher than was asked for.
    """
    found = await ask.read(totals.places, level)
    clusters = await ask.read(totals.fabrics)
    deepest = totals.LEVELS[len(found[0].place) - 1] if found else level
    return said(
        {
            "level": deepest,
            "kinds": _kinds(found),
            "entitled": _entitled(ask),
            "sites": _places(found, 0),
            "clusters": [ask.encode(fabric) for fabric in clusters],
        }
    )


async def apply_fleet(ask: Ask, body: shapes.FleetBody) -> Response:
    """Declare all that a fleet file says in one act, or say what that would change."""
    file = await ask.work(read_fleet_file, body.file, body.text, ask.door.desk.clock.now_ms())
    return await ask.do("apply_fleet", requests.ApplyFleet(file, body.dry_run), _applied)


async def declare_runtime(ask: Ask, body: shapes.RuntimeBody) -> Response:
    """Declare an environment for jobs: host paths shown read-only inside the sandbox."""
    request = requests.DeclareRuntime(
        body.name, tuple(body.paths), tuple(sorted(body.environment.items()))
    )
    return await ask.do("declare_runtime", request, lambda made: _runtime(ask.house, made), 201)


async def list_runtimes(ask: Ask, pages: Pages) -> Response:
    """Runtimes, newest first; tenants see their names, not the host's paths."""
    return await ask.page(
        "runtimes", pages, lists.runtimes, lambda runtime: _runtime(ask.house, runtime)
    )


async def retire_runtime(ask: Ask, runtime: Id) -> Response:
    """No new job may name it; jobs that have it keep it."""
    request = requests.RuntimeRef(RuntimeId(runtime))
    return await ask.do("retire_runtime", request, lambda made: _runtime(ask.house, made))


def _runtime(house: bool, runtime: Runtime) -> dict[str, Any]:
    shown = encode(runtime, house)
    return shown if house else {**shown, "paths": None, "environment": None}


def _applied(done: requests.FleetApplied) -> dict[str, Any]:
    return {
        "dry_run": done.dry_run,
        "nodes": done.nodes,
        "accelerators": done.accelerators,
        "leases": [encode(lease, house=True) for lease in done.leases],
        "clusters": [encode(cluster, house=True) for cluster in done.clusters],
    }


def _entitled(ask: Ask) -> list[dict[str, Any]]:
    """What the house has given its teams now, by kind and site; shares of a share count once."""
    desk = ask.door.desk
    sums: dict[tuple[str, str], int] = {}
    for row in in_force(list(desk.book.entitlements.rows.values()), desk.clock.now_ms()):
        if row.parent == ROOT:
            place = row.kind, row.site
            sums[place] = sums.get(place, 0) + row.accelerators
    return [
        {"kind": kind, "site": site, "accelerators": count}
        for (kind, site), count in sorted(sums.items())
    ]


def _places(found: Sequence[PlaceTotal], level: int) -> list[dict[str, Any]]:
    """The places of one level and those inside; `found` come in order of place."""
    if not found or level == len(found[0].place):
        return []
    places = []
    for name, inside in groupby(found, key=lambda total: total.place[level]):
        own = list(inside)
        places.append(
            {
                "name": name,
                "nodes": sum(total.nodes for total in own),
                "kinds": _kinds(own),
                "places": _places(own, level + 1),
            }
        )
    return places


def _kinds(totals: Iterable[PlaceTotal]) -> list[dict[str, Any]]:
    sums: dict[str, list[int]] = {}
    for total in totals:
        held = sums.setdefault(total.kind, [0, 0, 0, 0, 0])
        held[0] += total.accelerators
        held[1] += total.allocated
        held[2] += total.out_of_service
        held[3] += total.spare
        held[4] += total.nodes
    return [
        {
            "kind": kind,
            "nodes": nodes,
            "accelerators": whole,
            "allocated": taken,
            "out_of_service": out,
            "spare": spare,
            "free": max(whole - taken - out - spare, 0),
        }
        for kind, (whole, taken, out, spare, nodes) in sorted(sums.items())
    ]
