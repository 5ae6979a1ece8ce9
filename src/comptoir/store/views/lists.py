"""Lists: one function a list. `tenant_id` None means of every tenant."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Dialect, select

from comptoir.desk.ports import Event
from comptoir.fleet.checks import NodeCheck
from comptoir.fleet.nodes import Node, NodeState
from comptoir.leases.allocation import Allocation
from comptoir.leases.breaches import Breach
from comptoir.leases.inbound import InboundLease, InboundState
from comptoir.leases.jobs import Attempt, Job, JobState, Runtime
from comptoir.leases.lease import Lease, LeaseClass, LeaseState
from comptoir.metering.usage import Measure, UsageEvent
from comptoir.pricing.charges import Charge
from comptoir.pricing.rates import Rate, RateCard, RateState
from comptoir.store import tables as t
from comptoir.store.views.prepared import DriverRow, PreparedPages
from comptoir.store.views.reading import Ask, Page, Views, equal
from comptoir.tenants.entitlements import Entitlement
from comptoir.tenants.parties import Key, Quota, Tenant, User
from comptoir.tenants.subscriptions import (
    Delivery,
    Subscription,
    SubscriptionKind,
    SubscriptionState,
)

MOST_PARTS = 20_000
"""Allocations shown with one lease, attempts with one job."""


def tenants(views: Views, ask: Ask, tenant_id: str | None = None) -> Page[Tenant]:
    """Tenants, newest first."""
    c = t.tenant.c
    return views.page("tenant", ask, equal(c.id, tenant_id), keys=("created_at_ms", "id"))


def quotas(views: Views, ask: Ask, tenant_id: str) -> Page[Quota]:
    """A tenant's quotas by kind."""
    return views.page(
        "quota", ask, t.quota.c.tenant_id == tenant_id, keys=("kind",), newest_first=False
    )


def entitlements(
    views: Views, ask: Ask, tenant_id: str | None = None, kind: str | None = None
) -> Page[Entitlement]:
    """Entitlements of teams and groups, latest start first."""
    c = t.entitlement.c
    wanted = equal(c.tenant_id, tenant_id), equal(c.kind, kind)
    return views.page("entitlement", ask, *wanted, keys=("starts_at_ms", "id"))


def users(
    views: Views, ask: Ask, tenant_id: str | None = None, user_id: str | None = None
) -> Page[User]:
    """Users, newest first."""
    c = t.user.c
    wanted = equal(c.tenant_id, tenant_id), equal(c.id, user_id)
    return views.page("user", ask, *wanted, keys=("created_at_ms", "id"))


def keys(
    views: Views, ask: Ask, tenant_id: str | None = None, user_id: str | None = None
) -> Page[Key]:
    """Keys of users, newest first."""
    c = t.key.c
    of_tenant = None
    if tenant_id is not None:
        of_tenant = c.user_id.in_(select(t.user.c.id).where(t.user.c.tenant_id == tenant_id))
    wanted = of_tenant, equal(c.user_id, user_id)
    return views.page("key", ask, *wanted, keys=("created_at_ms", "id"))


def nodes(
    views: Views,
    ask: Ask,
    kind: str | None = None,
    state: NodeState | None = None,
    inbound_lease_id: str | None = None,
) -> Page[Node]:
    """Nodes by id."""
    c = t.node.c
    wanted = equal(c.kind, kind), equal(c.state, state), equal(c.inbound_lease_id, inbound_lease_id)
    return views.page("node", ask, *wanted, keys=("id",), newest_first=False)


def supply(views: Views, ask: Ask, state: InboundState | None = None) -> Page[InboundLease]:
    """Inbound leases, latest start first."""
    c = t.inbound_lease.c
    return views.page("inbound_lease", ask, equal(c.state, state), keys=("starts_at_ms", "id"))


def runtimes(views: Views, ask: Ask) -> Page[Runtime]:
    """Runtimes, newest first."""
    return views.page("runtime", ask, keys=("created_at_ms", "id"))


def rate_cards(views: Views, ask: Ask, rate_card_id: str | None = None) -> Page[RateCard]:
    """Rate cards, newest first."""
    c = t.rate_card.c
    return views.page("rate_card", ask, equal(c.id, rate_card_id), keys=("created_at_ms", "id"))


def rates(
    views: Views,
    ask: Ask,
    rate_card_id: str | None = None,
    state: RateState | None = None,
    kind: str | None = None,
    lease_class: LeaseClass | None = None,
) -> Page[Rate]:
    """Rates, latest in force first."""
    c = t.rate.c
    wanted = (
        equal(c.rate_card_id, rate_card_id),
        equal(c.state, state),
        equal(c.kind, kind),
        equal(c.lease_class, lease_class),
    )
    return views.page("rate", ask, *wanted, keys=("effective_from_ms", "id"))


def leases(
    views: Views,
    ask: Ask,
    tenant_id: str | None = None,
    states: Sequence[LeaseState] = (),
    kind: str | None = None,
    lease_class: LeaseClass | None = None,
    series: str | None = None,
) -> Page[DriverRow]:
    """Outbound leases, newest request first, as rows: `lease_of` makes a lease of one."""
    filters = {
        "tenant_id": tenant_id,
        "state": states,
        "kind": kind,
        "lease_class": lease_class,
        "series": series,
    }
    return _lease_pages(views.engine.dialect).page(views, ask, filters)


def lease_of(views: Views, row: DriverRow) -> Lease:
    """The lease of a row."""
    found = _lease_pages(views.engine.dialect).value(row)
    assert isinstance(found, Lease)
    return found


@cache
def _lease_pages(dialect: Dialect) -> PreparedPages:
    return PreparedPages(dialect, "lease", ("requested_at_ms", "id"))


def allocations(views: Views, lease_id: str) -> list[Allocation]:
    """What a lease holds and held, oldest first."""
    c = t.allocation.c
    return views.all(
        "allocation", c.lease_id == lease_id, order=(c.starts_at_ms, c.id), most=MOST_PARTS
    )


def breaches(
    views: Views,
    ask: Ask,
    tenant_id: str | None = None,
    lease_id: str | None = None,
    node_id: str | None = None,
    still_open: bool | None = None,
) -> Page[Breach]:
    """Broken guarantees, latest first."""
    c = t.breach.c
    wanted = (
        equal(c.tenant_id, tenant_id),
        equal(c.lease_id, lease_id),
        equal(c.node_id, node_id),
        _open(still_open),
    )
    return views.page("breach", ask, *wanted, keys=("broken_from_ms", "id"))


def _open(still_open: bool | None) -> ColumnElement[bool] | None:
    until = t.breach.c.broken_until_ms
    if still_open is None:
        return None
    return until.is_(None) if still_open else until.is_not(None)


def node_checks(views: Views, ask: Ask, node_id: str) -> Page[NodeCheck]:
    """The checks of a node, newest first."""
    return views.page("node_check", ask, t.node_check.c.node_id == node_id, keys=("seq",))


def jobs(
    views: Views,
    ask: Ask,
    tenant_id: str | None = None,
    states: Sequence[JobState] = (),
    lease_id: str | None = None,
) -> Page[Job]:
    """Jobs, newest first."""
    c = t.job.c
    wanted = (
        equal(c.tenant_id, tenant_id),
        c.state.in_(states) if states else None,
        equal(c.lease_id, lease_id),
    )
    return views.page("job", ask, *wanted, keys=("submitted_at_ms", "id"))


def attempts(views: Views, job_id: str) -> list[Attempt]:
    """The attempts of a job, first first."""
    c = t.attempt.c
    return views.all("attempt", c.job_id == job_id, order=(c.number,), most=MOST_PARTS)


def usage(
    views: Views,
    ask: Ask,
    tenant_id: str | None = None,
    lease_id: str | None = None,
    measure: Measure | None = None,
) -> Page[UsageEvent]:
    """Usage events, newest first."""
    c = t.usage.c
    wanted = equal(c.tenant_id, tenant_id), equal(c.lease_id, lease_id), equal(c.measure, measure)
    return views.page("usage", ask, *wanted, keys=("seq",))


def charges(
    views: Views, ask: Ask, tenant_id: str | None = None, lease_id: str | None = None
) -> Page[Charge]:
    """Charges, newest first."""
    c = t.charge.c
    wanted = equal(c.tenant_id, tenant_id), equal(c.lease_id, lease_id)
    return views.page("charge", ask, *wanted, keys=("seq",))


def events(
    views: Views,
    ask: Ask,
    tenant_id: str | None = None,
    subject: str | None = None,
    newest_first: bool = True,
) -> Page[Event]:
    """The event table: newest first to look back, oldest first to follow."""
    c = t.event.c
    wanted = equal(c.tenant_id, tenant_id), equal(c.subject, subject)
    return views.page("event", ask, *wanted, keys=("seq",), newest_first=newest_first)


def has_events(views: Views, tenant_id: str | None, subject: str) -> bool:
    """Whether anything ever happened to something, as a tenant may know."""
    c = t.event.c
    wanted = equal(c.tenant_id, tenant_id), c.subject == subject
    return bool(views.all("event", *wanted, order=(c.seq,), most=1))


def told_events(
    views: Views,
    types: Sequence[str],
    tenant_id: str | None,
    subject: str | None,
    after: int,
    most: int,
) -> list[Event]:
    """Events of these types with a number over `after`, oldest first: what a feed goes through."""
    c = t.event.c
    wanted = c.type.in_(types), equal(c.tenant_id, tenant_id), equal(c.subject, subject)
    return views.all("event", *wanted, c.seq > after, order=(c.seq,), most=most)


def last_told_events(
    views: Views, types: Sequence[str], tenant_id: str | None, subject: str | None, most: int
) -> list[Event]:
    """The newest events of these types, oldest of them first."""
    c = t.event.c
    wanted = c.type.in_(types), equal(c.tenant_id, tenant_id), equal(c.subject, subject)
    return views.all("event", *wanted, order=(c.seq.desc(),), most=most)[::-1]


def last_event_seq(views: Views) -> int:
    """The number of the newest event; 0 in a book without any."""
    c = t.event.c
    newest: list[Event] = views.all("event", order=(c.seq.desc(),), most=1)
    return newest[0].seq if newest else 0


def subscriptions(
    views: Views, ask: Ask, tenant_id: str | None = None, kind: SubscriptionKind | None = None
) -> Page[Subscription]:
    """Subscriptions that are not deleted, newest first."""
    c = t.subscription.c
    wanted = (
        equal(c.tenant_id, tenant_id),
        equal(c.kind, kind),
        c.state != SubscriptionState.DELETED,
    )
    return views.page("subscription", ask, *wanted, keys=("created_at_ms", "id"))


def deliveries(views: Views, ask: Ask, subscription_id: str) -> Page[Delivery]:
    """Tries to send to a subscription, newest first."""
    c = t.delivery.c
    return views.page("delivery", ask, c.subscription_id == subscription_id, keys=("number",))


def find(views: Views, table: str, id: str) -> Any | None:
    """One value by its id."""
    return views.find(table, t.MAPPED[table].table.c.id == id)
