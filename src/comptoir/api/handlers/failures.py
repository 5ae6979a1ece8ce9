"""Nodes that fail, are repaired, checked, taken for maintenance; deliveries; broken guarantees."""

from dataclasses import replace
from typing import Any

from fastapi import Response

from comptoir.api.door import Ask, Asking
from comptoir.api.handlers.leases import lease_named
from comptoir.api.shapes import failures as shapes
from comptoir.api.words import Id, Pages, Word
from comptoir.desk import failure_requests, requests
from comptoir.fleet.checks import CheckResult
from comptoir.fleet.nodes import Node
from comptoir.leases.breaches import Breach
from comptoir.store.views import lists
from comptoir.units.ids import LeaseId, NodeId


async def drain_node(ask: Ask, node: Id) -> Response:
    """Give a node no new leases; those it has run to their end."""
    return await ask.do("drain_node", requests.NodeRef(NodeId(node)))


async def resume_node(ask: Ask, node: Id) -> Response:
    """Let a drained node take new leases again, or end its maintenance early."""
    return await ask.do("resume_node", requests.NodeRef(NodeId(node)))


async def fail_node(ask: Ask, node: Id, body: shapes.FailBody) -> Response:
    """Report a node dead: what stands there is undelivered from then on, and moves if it can."""
    at: Any = body.at
    request = failure_requests.FailNode(NodeId(node), body.because, at, body.stopped)
    return await ask.do("fail_node", request)


async def repair_node(ask: Ask, node: Id) -> Response:
    """A failed node works again and nothing of before runs there: checks, then service."""
    return await ask.do("repair_node", requests.NodeRef(NodeId(node)))


async def plan_maintenance(ask: Ask, node: Id, body: shapes.MaintenanceBody) -> Response:
    """Plan work on a node: nothing new is promised into the window, what stands there moves."""
    given: Any = body
    request = failure_requests.PlanMaintenance(
        NodeId(node), given.starts_at, given.ends_at, body.because
    )
    return await ask.do("plan_maintenance", request)


async def set_spare(ask: Ask, node: Id, body: shapes.SpareBody) -> Response:
    """Keep a node out of sale to replace others, or put it back."""
    return await ask.do("set_spare", failure_requests.SetSpare(NodeId(node), body.spare))


async def report_checks(ask: Ask, node: Id, body: shapes.ChecksBody) -> Response:
    """Report health checks with their evidence.

    All passed: a node in quarantine goes to service. One failed: a node in service is dead.
    """
    results = tuple(CheckResult(one.name, one.outcome, one.evidence) for one in body.checks)
    at: Any = body.at
    return await ask.do("report_checks", failure_requests.ReportChecks(NodeId(node), results, at))


async def list_checks(ask: Ask, node: Id, pages: Pages) -> Response:
    """The checks of a node with their evidence, newest first."""
    node_id = await _node_named(ask, node)
    return await ask.page("node_checks", pages, lists.node_checks, node_id=node_id)


async def list_breaches(
    ask: Ask,
    pages: Pages,
    lease: Word = None,
    tenant: Word = None,
    node: Word = None,
    open: bool | None = None,
) -> Response:
    """Broken guarantees, latest first; an open one is shown as it has grown by now."""
    now_ms = ask.door.desk.clock.now_ms()

    def said(breach: Breach) -> dict[str, Any]:
        return ask.encode(replace(breach, accelerator_ms=breach.accelerator_ms_at(now_ms)))

    return await ask.page(
        "breaches",
        pages,
        lists.breaches,
        said,
        tenant_id=ask.of_tenant(tenant),
        lease_id=await lease_named(ask, lease),
        node_id=None if node is None else await _node_named(ask, node),
        still_open=open,
    )


async def _node_named(ask: Asking, named: str) -> NodeId:
    """A node by its id, of any time, or by its name among those that there are.

    Raises:
        NotFound: there is none; an empty list would say that nothing happened on it.
    """
    known = ask.door.desk.book.nodes_by_name.first(named)
    if known is not None:
        return known.id
    found: Node = await ask.one("node", named, "node", lists.find)
    return found.id


async def accept_delivery(ask: Ask, lease: Id, body: shapes.AcceptBody | None = None) -> Response:
    """Accept what was handed over before it is deemed accepted: billing begins."""
    named = None if body is None or body.node is None else NodeId(body.node)
    return await ask.do("accept_delivery", failure_requests.AcceptDelivery(LeaseId(lease), named))


async def reject_node(ask: Ask, lease: Id, body: shapes.RejectBody) -> Response:
    """Send a node back: it is checked, and another takes its place when there is one."""
    request = failure_requests.RejectNode(LeaseId(lease), NodeId(body.node), body.because)
    return await ask.do("reject_node", request)
