"""Totals: how the fleet is filled, how many leases are in which state, what was used."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, or_, select

from comptoir.fleet.nodes import NodeState
from comptoir.leases.lease import LeaseClass, LeaseState
from comptoir.metering.usage import Measure
from comptoir.store import tables as t
from comptoir.store.views.reading import Views, equal
from comptoir.store.views.sums import array_length, exact_sum, whole


@dataclass(frozen=True, slots=True)
class PlaceTotal:
    """Accelerators of one kind in one rack: in service or draining, and handed over now."""

    site: str
    cluster: str
    pod: str
    rack: str
    kind: str
    nodes: int
    accelerators: int
    allocated: int


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """Accelerator-milliseconds of one measure, kind and class for one tenant."""

    tenant_id: str
    kind: str
    lease_class: LeaseClass
    measure: Measure
    accelerator_ms: int
    events: int


def lease_states(views: Views, tenant_id: str | None = None) -> dict[LeaseState, int]:
    """How many leases are in each state that any is in."""
    c = t.lease.c
    statement = select(c.state, func.count()).group_by(c.state)
    if tenant_id is not None:
        statement = statement.where(c.tenant_id == tenant_id)
    with views.reading() as connection:
        return {LeaseState(state): count for state, count in connection.execute(statement)}


def held_by(views: Views, tenant_id: str) -> dict[str, int]:
    """Accelerators handed over to a tenant now, by kind."""
    a, n = t.allocation.c, t.node.c
    with views.reading() as connection:
        held = func.sum(array_length(connection, a.accelerators))
        statement = (
            select(n.kind, held)
            .join_from(t.allocation, t.node, n.id == a.node_id)
            .where(
                a.tenant_id == tenant_id, a.delivered_from_ms.is_not(None), a.fenced_at_ms.is_(None)
            )
            .group_by(n.kind)
        )
        return {kind: int(count) for kind, count in connection.execute(statement)}


def places(views: Views) -> list[PlaceTotal]:
    """Every rack by kind, retired nodes left out, in order of place."""
    n, a = t.node.c, t.allocation.c
    where = (n.site, n.cluster, n.pod, n.rack, n.kind)
    live = n.state.in_((NodeState.IN_SERVICE, NodeState.DRAINING))
    supplied = (
        select(*where, func.count(), func.sum(n.accelerators))
        .where(live)
        .group_by(*where)
        .order_by(*where)
    )
    with views.reading() as connection:
        held = func.sum(array_length(connection, a.accelerators))
        allocated = (
            select(*where, held)
            .join_from(t.allocation, t.node, n.id == a.node_id)
            .where(live, a.delivered_from_ms.is_not(None), a.fenced_at_ms.is_(None))
            .group_by(*where)
        )
        taken = {tuple(row[:5]): int(row[5]) for row in connection.execute(allocated)}
        return [
            PlaceTotal(site, cluster, pod, rack, kind, nodes, int(held), taken.get(place, 0))
            for *place_words, nodes, held in connection.execute(supplied)
            for place in [tuple(place_words)]
            for site, cluster, pod, rack, kind in [place]
        ]


def usage(
    views: Views, tenant_id: str | None = None, lease_id: str | None = None
) -> list[UsageTotal]:
    """Usage by tenant, kind, class and measure."""
    c = t.usage.c
    by = (c.tenant_id, c.kind, c.lease_class, c.measure)
    statement = select(*by, *exact_sum(c.accelerator_ms), func.count()).group_by(*by).order_by(*by)
    for condition in (equal(c.tenant_id, tenant_id), equal(c.lease_id, lease_id)):
        if condition is not None:
            statement = statement.where(condition)
    with views.reading() as connection:
        return [
            UsageTotal(tenant, kind, lease_class, measure, whole(high, low), count)
            for tenant, kind, lease_class, measure, high, low, count in connection.execute(
                statement
            )
        ]


def engines_for(views: Views, kind: str) -> list[str]:
    """The engines of the live nodes of a kind; none where leases are handed over whole."""
    c = t.node.c
    statement = (
        select(c.engine)
        .where(c.kind == kind, c.state != NodeState.RETIRED, c.engine != "")
        .distinct()
        .order_by(c.engine)
    )
    with views.reading() as connection:
        return list(connection.execute(statement).scalars())


def engine_of(views: Views, lease_id: str) -> str | None:
    """The engine on which a lease stands or stood last."""
    a, n = t.allocation.c, t.node.c
    statement = (
        select(n.engine)
        .join_from(t.allocation, t.node, n.id == a.node_id)
        .where(a.lease_id == lease_id)
        .order_by(a.starts_at_ms.desc())
        .limit(1)
    )
    with views.reading() as connection:
        return connection.execute(statement).scalar()


def instance(views: Views) -> str:
    """The name of this book's server."""
    with views.reading() as connection:
        return str(connection.execute(select(t.book.c.instance)).scalar_one())


def was_ever_supplied(views: Views, engine: str, nodes: Iterable[str]) -> bool:
    """Whether any inbound lease, live or ended, brought this engine or a node of these names."""
    c = t.node.c
    return views.find("node", or_(c.engine == engine, c.name.in_(list(nodes)))) is not None
