"""What a lender's statement is drawn up from: delivered time as metered, entitlements, supply.

Delivered time is read from the allocations that usage was metered from, one row each however
often it was metered: a test holds that both add up to the same.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from sqlalchemy import func, or_, select

from comptoir.billing.lending import Facts, Price, Use
from comptoir.leases.lease import LeaseClass
from comptoir.metering.usage import Measure
from comptoir.pricing.rates import Item, Rate, RateState, rate_in_force
from comptoir.store import tables as t
from comptoir.store.entitlement_tables import entitlement
from comptoir.store.views.reading import Views
from comptoir.tenants.entitlements import Entitlement
from comptoir.tenants.parties import Tenant
from comptoir.units.errors import Refused
from comptoir.units.ids import TenantId
from comptoir.units.steps import Steps
from comptoir.units.time import Window

MOST_ALLOCATIONS = 100_000
"""Allocations in one statement, at most."""
MOST_RATES = 100_000
Line = list[Rate]


def lent_kinds(views: Views, tenant_id: str, window: Window) -> list[str]:
    """The kinds to which a team was entitled at some time in a window."""
    c = entitlement.c
    statement = (
        select(c.kind)
        .where(c.tenant_id == tenant_id, c.starts_at_ms < window.end_ms)
        .where(or_(c.ends_at_ms.is_(None), c.ends_at_ms > window.start_ms))
        .distinct()
        .order_by(c.kind)
    )
    with views.reading() as connection:
        return list(connection.execute(statement).scalars())


def facts(views: Views, kind: str, window: Window) -> Facts:
    """Everything of a kind that bears on a statement over a window.

    Raises:
        Refused: `statement_too_long`: more was allocated in it than one statement takes.
    """
    lines, currencies = _lines(views, kind)
    tenants: dict[str, Tenant] = {
        tenant.id: tenant for tenant in views.all("tenant", order=(t.tenant.c.id,), most=MOST_RATES)
    }
    uses = [
        piece
        for tenant_id, item, recall, held, span in _delivered(views, kind, window)
        for piece in _priced(
            tenants[tenant_id], item, recall, held, span,
            lines[tenants[tenant_id].rate_card_id, item.lease_class],
            currencies[tenants[tenant_id].rate_card_id],
        )
    ]  # fmt: skip
    rows: list[Entitlement] = views.all(
        "entitlement", entitlement.c.kind == kind, order=(entitlement.c.id,), most=MOST_RATES
    )
    return Facts(kind, rows, uses, _supplied(views, kind))


def own_prices(views: Views, tenant: Tenant, kind: str) -> tuple[list[Price], str]:
    """What a team pays for the kind itself, over time, and in which currency."""
    lines, currencies = _lines(views, kind)
    line = lines[tenant.rate_card_id, LeaseClass.INTERNAL]
    item = Item(kind, LeaseClass.INTERNAL)
    prices = [
        Price(at, rate.price_nanos)
        for at in sorted({rate.effective_from_ms for rate in line})
        if (rate := rate_in_force(line, item, at)) is not None
    ]
    return prices, currencies[tenant.rate_card_id]


def _lines(views: Views, kind: str) -> tuple[dict[tuple[str, LeaseClass], Line], dict[str, str]]:
    lines: dict[tuple[str, LeaseClass], Line] = defaultdict(list)
    c = t.rate.c
    for rate in views.all(
        "rate", c.kind == kind, c.state == RateState.APPROVED,
        order=(c.effective_from_ms,), most=MOST_RATES,
    ):  # fmt: skip
        lines[rate.rate_card_id, rate.lease_class].append(rate)
    cards = views.all("rate_card", order=(t.rate_card.c.id,), most=MOST_RATES)
    return lines, {card.id: card.currency for card in cards}


def _delivered(
    views: Views, kind: str, window: Window
) -> list[tuple[str, Item, bool, int, tuple[int, int]]]:
    a, n, lease = t.allocation.c, t.node.c, t.lease.c
    statement = (
        select(
            a.tenant_id, n.site, lease.lease_class, lease.term, lease.recall, a.accelerators,
            a.delivered_from_ms, a.delivered_until_ms, a.ends_at_ms,
        )
        .join_from(t.allocation, t.node, n.id == a.node_id)
        .join(t.lease, lease.id == a.lease_id)
        .where(n.kind == kind, a.delivered_from_ms < window.end_ms)
        .where(or_(a.delivered_until_ms.is_(None), a.delivered_until_ms > window.start_ms))
        .limit(MOST_ALLOCATIONS + 1)
    )  # fmt: skip
    with views.reading() as connection:
        found = connection.execute(statement).all()
    if len(found) > MOST_ALLOCATIONS:
        raise Refused(
            "statement_too_long",
            f"more than {MOST_ALLOCATIONS:,} allocations of {kind} lie in that window",
            "ask for a shorter window",
        )
    rows = []
    for tenant_id, site, lease_class, term, recall, held, since, until, ends in found:
        last = min(at for at in (until, ends, window.end_ms) if at is not None)
        span = max(since, window.start_ms), last
        if span[0] < span[1]:
            count = len(json.loads(held)) if isinstance(held, str) else len(held)
            item = Item(kind, lease_class, site, term)
            rows.append((tenant_id, item, bool(recall), count, span))
    return rows


def _priced(
    tenant: Tenant,
    item: Item,
    recall: bool,
    held: int,
    span: tuple[int, int],
    line: Line,
    currency: str,
) -> Iterator[Use]:
    """Delivered time cut where its price changes; only what bills delivered time has a price.

    It is the card's first price: what a contract or a tier takes off is not the lender's loss.
    """
    cuts = {r.effective_from_ms for r in line if span[0] < r.effective_from_ms < span[1]}
    for start_ms, end_ms in pairwise(sorted({*span, *cuts})):
        rate = rate_in_force(line, item, start_ms)
        delivered = rate is not None and rate.measure is Measure.DELIVERED
        price = rate.price_nanos if rate is not None and delivered else 0
        yield Use(
            TenantId(tenant.id), tenant.is_internal, item.site, item.lease_class, recall, held,
            start_ms, end_ms, price, currency,
        )  # fmt: skip


def _supplied(views: Views, kind: str) -> dict[str, Steps]:
    """Accelerators of a kind over time by site, as contracted; spares are not counted."""
    n, i = t.node.c, t.inbound_lease.c
    statement = (
        select(n.site, i.starts_at_ms, i.ends_at_ms, func.sum(n.accelerators))
        .join_from(t.node, t.inbound_lease, i.id == n.inbound_lease_id)
        .where(n.kind == kind, n.spare.is_(False))
        .group_by(n.site, i.id, i.starts_at_ms, i.ends_at_ms)
    )
    supplied: dict[str, Steps] = defaultdict(Steps)
    with views.reading() as connection:
        for site, starts, ends, accelerators in connection.execute(statement):
            supplied[site].add(starts, ends, int(accelerators))
    return dict(supplied)
