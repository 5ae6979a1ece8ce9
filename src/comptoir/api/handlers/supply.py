"""Kinds, inbound leases, nodes, the fleet by place, runtimes."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from fastapi import Response

from comptoir.api.door import Ask, said
from comptoir.api.encoding import encode
from comptoir.api.shapes import supply as shapes
from comptoir.api.words import Id, Pages, Word
from comptoir.desk import requests
from comptoir.fleet.conditions import Conditions
from comptoir.fleet.kinds import CATALOGUE
from comptoir.fleet.nodes import NodeState
from comptoir.leases.inbound import InboundState
from comptoir.leases.jobs import Runtime
from comptoir.store.views import lists, totals
from comptoir.store.views.totals import PlaceTotal
from comptoir.units.ids import InboundLeaseId, NodeId, RuntimeId


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
            node.cluster, node.pod, node.rack, node.cpus,
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
    """One inbound lease."""
    return said(ask.encode(await ask.one("inbound_lease", supply, "inbound lease", lists.find)))


async def end_supply(ask: Ask, supply: Id, body: shapes.EndSupplyBody | None = None) -> Response:
    """Give an inbound lease an end, now or later; what stands on it is stopped by then."""
    ends_at: Any = None if body is None else body.ends_at
    return await ask.do("end_supply", requests.EndSupply(InboundLeaseId(supply), ends_at))


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
    """One node."""
    return said(ask.encode(await ask.one("node", node, "node", lists.find)))


async def drain_node(ask: Ask, node: Id) -> Response:
    """Give a node no new leases; those it has run to their end."""
    return await ask.do("drain_node", requests.NodeRef(NodeId(node)))


async def resume_node(ask: Ask, node: Id) -> Response:
    """Put a drained node back in service."""
    return await ask.do("resume_node", requests.NodeRef(NodeId(node)))


async def get_fleet(ask: Ask) -> Response:
    """The fleet by site, cluster, pod and rack, with what is allocated and free."""
    racks = await ask.read(totals.places)
    return said({"kinds": _kinds(racks), "sites": _places(racks, 0)})


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


_LEVELS = ("site", "cluster", "pod", "rack")


def _places(racks: Iterable[PlaceTotal], level: int) -> list[dict[str, Any]]:
    """The places of one level and those inside; `racks` come in order of place."""
    if level == len(_LEVELS):
        return []
    name = _LEVELS[level]
    found = []
    for place, inside in groupby(racks, key=lambda rack: str(getattr(rack, name))):
        own = list(inside)
        found.append(
            {
                "name": place,
                "nodes": sum(rack.nodes for rack in own),
                "kinds": _kinds(own),
                "places": _places(own, level + 1),
            }
        )
    return found


def _kinds(racks: Iterable[PlaceTotal]) -> list[dict[str, Any]]:
    sums: dict[str, list[int]] = {}
    for rack in racks:
        held = sums.setdefault(rack.kind, [0, 0])
        held[0] += rack.accelerators
        held[1] += rack.allocated
    return [
        {"kind": kind, "accelerators": whole, "allocated": taken, "free": max(whole - taken, 0)}
        for kind, (whole, taken) in sorted(sums.items())
    ]
