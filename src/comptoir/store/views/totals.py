"""Totals: how the fleet is filled, how many leases are in which state, what was used."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, not_, or_, select

from comptoir.fleet.nodes import NodeState
from comptoir.fleet.topology import Fabric
from comptoir.leases.lease import LeaseClass, LeaseState
from comptoir.metering.usage import Measure
from comptoir.store import tables as t
from comptoir.store.views.reading import Views, equal
from comptoir.store.views.sums import array_length, exact_sum, whole

LEVELS = ("site", "cluster", "pod", "rack")
MOST_PLACES = 20_000
"""Places in one answer: where there are more, they are summed up a level higher."""


@dataclass(frozen=True, slots=True)
class PlaceTotal:
    """Accelerators of one kind in one place: `place` is its names, the site first.

    `allocated` are handed over now. Of those that are not, `out_of_service` stand on nodes that are
    not in service or are drained, `spare` on nodes kept as spares; the others are free.
    """

    place: tuple[str, ...]
    kind: str
    nodes: int
    accelerators: int
    allocated: int
    out_of_service: int
    spare: int


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
                a.tenant_id == tenant_id,
                a.delivered_from_ms.is_not(None),
                a.delivered_until_ms.is_(None),
                a.fenced_at_ms.is_(None),
            )
            .group_by(n.kind)
        )
        return {kind: int(count) for kind, count in connection.execute(statement)}


def places(views: Views, level: str = "rack") -> list[PlaceTotal]:
    """Every place of a level by kind, retired nodes left out, in order of place.

    Where there are more than `MOST_PLACES`, of the next level up.
    """
    n, a = t.node.c, t.allocation.c
    columns = [n[name] for name in LEVELS[: LEVELS.index(level) + 1]]
    where = (*columns, n.kind)
    live = n.state != NodeState.RETIRED
    out = or_(n.state != NodeState.IN_SERVICE, n.drained)
    kept = and_(n.spare, not_(out))
    supplied = (
        select(*where, func.count(), *_thrice(n.accelerators, out, kept))
        .where(live)
        .group_by(*where)
        .order_by(*where)
        .limit(MOST_PLACES + 1)
    )
    with views.reading() as connection:
        rows = connection.execute(supplied).all()
        if len(rows) > MOST_PLACES and level != "site":
            return places(views, LEVELS[LEVELS.index(level) - 1])
        handed_over = (
            select(*where, *_thrice(array_length(connection, a.accelerators), out, kept))
            .join_from(t.allocation, t.node, n.id == a.node_id)
            .where(
                live,
                a.delivered_from_ms.is_not(None),
                a.delivered_until_ms.is_(None),
                a.fenced_at_ms.is_(None),
            )
            .group_by(*where)
        )
        taken = {tuple(row[:-3]): row[-3:] for row in connection.execute(handed_over)}
    found = []
    for *place, kind, nodes, held, held_out, held_spare in rows:
        allocated, allocated_out, allocated_spare = taken.get((*place, kind), (0, 0, 0))
        left = int(held_out) - int(allocated_out), int(held_spare) - int(allocated_spare)
        numbers = (int(nodes), int(held), int(allocated), *left)
        found.append(PlaceTotal(tuple(place), kind, *numbers))
    return found


def _thrice(
    count: ColumnElement[int], out: ColumnElement[bool], kept: ColumnElement[bool]
) -> tuple[Any, Any, Any]:
    """The sum of a count, of what of it is out of service, and of what is kept as spares."""
    parts = [func.sum(case((part, count), else_=0)) for part in (out, kept)]
    return func.sum(count), parts[0], parts[1]


def fabrics(views: Views) -> list[Fabric]:
    """What is known of each cluster's network."""
    c = t.fabric.c
    return views.all("fabric", order=(c.site, c.cluster), most=MOST_PLACES)


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
