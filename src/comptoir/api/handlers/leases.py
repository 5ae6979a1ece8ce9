"""Outbound leases: requested, listed, explained, cancelled, ended, extended."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Query, Response

from comptoir.api.door import Ask, Asking, said
from comptoir.api.encoding import dump, instant
from comptoir.api.shapes import leases as shapes
from comptoir.api.words import Id, Pages, Word
from comptoir.desk import requests
from comptoir.leases.lease import Alternative, Lease, LeaseClass, LeaseState
from comptoir.placement.best_place import Coming
from comptoir.placement.why import Why
from comptoir.store.views import lists
from comptoir.store.views.prepared import DriverRow
from comptoir.store.views.reading import Views
from comptoir.units.ids import LeaseId, TenantId

States = Annotated[list[LeaseState], Query(description="Repeat for several.")]


async def request_lease(ask: Ask, body: shapes.LeaseBody) -> Response:
    """Request accelerators: `scheduled` if there is a place, `waiting` if it must wait."""
    return await ask.do("request_lease", wanted(body), status=201)


async def list_leases(
    ask: Ask,
    pages: Pages,
    state: States = [],  # noqa: B006  (FastAPI copies it)
    tenant: Word = None,
    kind: Word = None,
    lease_class: LeaseClass | None = None,
    series: Word = None,
) -> Response:
    """Leases, newest request first."""
    door, house = ask.door, ask.house

    def write(row: DriverRow) -> bytes:
        return dump(ask.encode(lists.lease_of(door.views, row)))

    return await ask.page(
        "leases",
        pages,
        lists.leases,
        writes=lambda row: door.rows.write(row, house, write),
        kept=True,
        tenant_id=ask.of_tenant(tenant),
        states=tuple(state),
        kind=kind,
        lease_class=lease_class,
        series=series,
    )


async def get_lease(ask: Ask, lease: Id) -> Response:
    """One lease with its allocations."""
    found = await one_lease(ask, lease)
    held = await ask.read(lists.allocations, found.id)
    return said({**ask.encode(found), "allocations": [ask.encode(part) for part in held]})


async def explain_lease(ask: Ask, lease: Id) -> Response:
    """Why a lease is waiting, and until when: the numbers; for whom it gives way, and why it."""
    why: Why = await ask.value("explain_lease", requests.LeaseRef(LeaseId(lease)))
    coming = coming_of(ask, why.coming)
    sooner = [
        {**ask.encode(item), "lease_id": item.lease_id if ask.house else None}
        for item in why.sooner
    ]
    answer = {**ask.encode(why), "coming": coming, "sooner": sooner, "gives_way_because": None}
    if not ask.house:
        answer |= {"first": None, "gives_way_to": None}
    elif why.gives_way_to is not None:
        answer["gives_way_because"] = await ask.read(_gives_way_because, why)
    return said(answer)


def _gives_way_because(views: Views, why: Why) -> str | None:
    """Why it and not another, as the book kept it when that was decided."""
    told = lists.last_told_events(views, ("lease.reclaim_planned",), None, why.lease_id, 1)
    return next((t.data["why"] for t in told if t.data["reclaimed_for"] == why.gives_way_to), None)


def coming_of(ask: Asking, coming: Iterable[Coming]) -> list[dict[str, Any]]:
    """What is promised back and when; whose it is, the house alone is told."""
    return [
        {
            "at": instant(item.at_ms),
            "lease_id": item.lease_id if ask.house else None,
            "accelerators": item.accelerators,
        }
        for item in coming
    ]


async def cancel_lease(ask: Ask, lease: Id) -> Response:
    """Withdraw a lease that has not started; a second time changes nothing."""
    return await ask.do("cancel_lease", requests.LeaseRef(LeaseId(lease)))


async def end_lease(ask: Ask, lease: Id) -> Response:
    """End a lease early: its jobs get their notice, then the accelerators are free."""
    return await ask.do("end_lease", requests.LeaseRef(LeaseId(lease)))


async def extend_lease(ask: Ask, lease: Id, body: shapes.ExtendBody) -> Response:
    """Move the end of a bounded lease, later or sooner."""
    ends_at: Any = body.ends_at
    return await ask.do("extend_lease", requests.ExtendLease(LeaseId(lease), ends_at))


def wanted(body: shapes.LeaseBody) -> requests.RequestLease:
    """The request that a body makes."""
    given: Any = body
    return requests.RequestLease(
        kind=body.kind,
        accelerators=body.accelerators,
        lease_class=body.lease_class,
        shape=body.shape,
        starts_at_ms=given.starts_at,
        ends_at_ms=given.ends_at,
        notice_s=body.notice_s,
        on_reclaim=body.on_reclaim,
        name=body.name,
        tenant_id=None if body.tenant is None else TenantId(body.tenant),
        residency=body.residency,
        recall=body.recall,
        latest_start_ms=given.latest_start,
        duration_s=body.duration_s,
        preferred_shape=body.preferred_shape,
        alternatives=tuple(
            Alternative(other.kind, other.accelerators, other.shape) for other in body.alternatives
        ),
        project=body.project,
    )


async def lease_named(ask: Asking, named: str | None) -> LeaseId | None:
    """The lease to which a list is narrowed, if it is one that the actor may know of.

    Raises:
        NotFound: there is none; an empty list would say that nothing happened on it.
    """
    return None if named is None else (await one_lease(ask, named)).id


async def one_lease(ask: Asking, id: str) -> Lease:
    """A lease that the actor may know of."""
    found = await ask.one("lease", id, "lease", lists.find)
    assert isinstance(found, Lease)
    return found
