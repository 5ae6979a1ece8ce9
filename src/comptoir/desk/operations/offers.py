"""Offers: when, where and at what price capacity could be had, for each class that is open.

A look and no promise: nothing is written. `holds.py` keeps an offer, by its own words: so what is
kept for who waits ahead (`ahead.py`) is not offered.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from comptoir.desk.operations.ahead import behind_those_ahead
from comptoir.desk.operations.effort import Effort, weight_of
from comptoir.desk.operations.placing import chosen_way, feasible_plans
from comptoir.desk.operations.request_lease import judge_request
from comptoir.desk.operations.wishes import is_narrower
from comptoir.desk.requests import AskOffers, RequestLease
from comptoir.desk.terms import currency_at, estimate_of, item_of_lease, price_of, terms_at
from comptoir.desk.transaction import Transaction
from comptoir.leases.lease import STRENGTH, Alternative, Lease, LeaseClass, Shape, request_of
from comptoir.metering.usage import Measure
from comptoir.placement.best_place import BestPlace, Coming, best_place
from comptoir.placement.place_names import place_name
from comptoir.placement.plan import Plan
from comptoir.placement.snapshot import place_of
from comptoir.units.errors import Invalid, Refused
from comptoir.units.money import round_to_minor_micros
from comptoir.units.recurrence import DAY_MS
from comptoir.units.time import MS_PER_HOUR
from comptoir.units.values import replace

MOST_AHEAD_MS = 90 * DAY_MS
"""How far ahead is looked, if it is not said."""
MOST_A_WAY = 2
"""Starts that are offered of one class and way; the next one begins an hour later at least."""
TRIES = 12
LEAST_A_WAY = 12
"""Plans that a way may cost at least, before the next one is looked at."""
RECLAIMS_OVER_MS = 30 * DAY_MS


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to have it. `shape` is the place's own, not wider than what was asked for."""

    lease_class: LeaseClass
    kind: str
    accelerators: int
    shape: Shape
    starts_at_ms: int
    ends_at_ms: int
    where: str
    price_nanos: int
    total_micros: int
    currency: str
    at_most: bool
    """Billed by what is measured: the total is the most that it can be."""
    spans: int
    """In how many places of the preferred shape it lies; 1 if none was preferred."""
    reclaimable: bool
    notice_s: int
    reclaims_30d: int
    takes_back: int
    """Leases that would give way to it."""


@dataclass(frozen=True, slots=True)
class NotOffered:
    """A class or way that is not open, and its no."""

    lease_class: LeaseClass
    kind: str
    code: str
    message: str
    next: str


@dataclass(frozen=True, slots=True)
class WhyNotSooner:
    """What is missing at the instant asked for: in the best place, and what comes back there."""

    lease_class: LeaseClass
    kind: str
    needs: int
    best_place: str
    best_free: int
    coming: tuple[Coming, ...]
    starts_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Offers:
    """The answer, the earliest start first; of one start the cheapest first."""

    offers: tuple[Offer, ...]
    not_offered: tuple[NotOffered, ...]
    sooner: tuple[WhyNotSooner, ...]


def list_offers(tx: Transaction, request: AskOffers) -> Offers:
    """The next feasible starts, class by class and way by way, with the effort of one call.

    Raises:
        Invalid: as `request_lease`, or `duration_missing`.
        Refused: no class is open to it at all; the first one's no. A way for which no effort
            is left has its own, `look_cut`, which says how to go on.
    """
    counter = tx.book.counter
    offers: list[Offer] = []
    refused: list[tuple[NotOffered, Refused]] = []
    sooner: list[WhyNotSooner] = []
    places = _Places(tx)
    classes = request.lease_classes or _open_classes(tx, request.wanted)
    effort, ways_left = Effort(), len(classes) * (1 + len(request.wanted.alternatives))
    for lease_class in classes:
        try:
            lease = _as_lease(tx, request.wanted, lease_class)
        except Refused as no:
            refused.append((_not_offered(lease_class, request.wanted.kind, no), no))
            continue
        with behind_those_ahead(tx, lease):
            for choice in lease.choices:
                way = chosen_way(lease, choice)
                part = effort.part(ways_left, LEAST_A_WAY * weight_of(tx, way.kind))
                ways_left -= 1
                try:
                    found = _offers(tx, way, part)
                except Refused as no:
                    refused.append((_not_offered(lease_class, choice.kind, no), no))
                    continue
                finally:
                    effort.spent += part.spent
                offers += found
                first_ms = min((offer.starts_at_ms for offer in found), default=None)
                if request.explain and first_ms != max(lease.starts_at_ms, tx.now_ms):
                    sooner.append(places.why_not_sooner(way, first_ms))
    tx.book.counter = counter  # a look gives no ids away
    if refused and not offers and not sooner:
        raise refused[0][1]
    offers.sort(key=_order)
    return Offers(tuple(offers), tuple(no for no, _ in refused), tuple(sooner))


def _order(offer: Offer) -> tuple[int, int, int]:
    """The earliest first, then the cheapest, then the strongest class."""
    return offer.starts_at_ms, offer.total_micros, -STRENGTH[offer.lease_class]


def _open_classes(tx: Transaction, wanted: RequestLease) -> Sequence[LeaseClass]:
    tenant = tx.acting_tenant(wanted.tenant_id)
    if tenant.is_internal:
        return (LeaseClass.INTERNAL,)
    return (LeaseClass.RESERVED, LeaseClass.ON_DEMAND, LeaseClass.SPOT)


def _as_lease(tx: Transaction, wanted: RequestLease, lease_class: LeaseClass) -> Lease:
    """The lease that an offer would be, with a start that is flexible as far as is looked."""
    if wanted.duration_s is None:
        raise Invalid(
            "duration_missing", "an offer is for so long, and this does not say", "give a duration"
        )
    start_ms = tx.now_ms if wanted.starts_at_ms is None else wanted.starts_at_ms
    latest_ms = wanted.latest_start_ms
    if latest_ms is None:
        latest_ms = start_ms + MOST_AHEAD_MS
    asked = replace(wanted, lease_class=lease_class, latest_start_ms=latest_ms)
    return judge_request(tx, asked)


def _offers(tx: Transaction, lease: Lease, effort: Effort) -> list[Offer]:
    """The first starts of a lease; with a preferred shape, those in it and those that span it.

    Raises:
        Refused: it could never be met; or `look_cut`: none was found, and no effort is left.
    """
    ways = [lease]
    if lease.preferred_shape is not None and is_narrower(lease.preferred_shape, lease.shape):
        narrow = Alternative(lease.kind, lease.accelerators, lease.preferred_shape)
        ways = [chosen_way(lease, narrow), lease]
    found: dict[tuple[int, str], Offer] = {}
    for number, way in enumerate(ways):
        given, last_ms = 0, None
        part = effort.part(len(ways) - number, 1)
        try:
            for plan in feasible_plans(tx, replace(way, preferred_shape=None), TRIES, part):
                if last_ms is not None and plan.starts_at_ms < last_ms + MS_PER_HOUR:
                    continue
                offer = _offer(tx, lease, plan)
                found.setdefault((offer.starts_at_ms, offer.where), offer)
                given, last_ms = given + 1, plan.starts_at_ms
                if given >= MOST_A_WAY:
                    break
        except Refused:
            if way is lease:
                raise
        finally:
            effort.spent += part.spent
    if effort.over and not found:
        raise _look_cut(lease)
    return list(found.values())


def _look_cut(lease: Lease) -> Refused:
    return Refused(
        "look_cut",
        f"one question may look at so many starts, and by then none was found for "
        f"{lease.accelerators:,} x {lease.kind}, {lease.lease_class}",
        "ask for this class and way alone, with a later start or up to a sooner latest start",
        {"kind": lease.kind, "accelerators": lease.accelerators, "class": lease.lease_class},
    )


def _offer(tx: Transaction, lease: Lease, plan: Plan) -> Offer:
    start_ms = plan.starts_at_ms
    end_ms = start_ms + (lease.duration_s or 0) * 1_000
    nodes = [tx.book.nodes[part.node_id] for part in plan.allocations]
    site = nodes[0].site
    priced = price_of(tx.book, lease, start_ms, site)
    numerator = estimate_of(tx.book, lease, (start_ms, end_ms), site) or 0
    currency = currency_at(tx.book, lease.tenant_id, start_ms)
    card_id = terms_at(tx, lease.tenant_id, start_ms).rate_card_id
    rates = tx.book.money.rates_of(card_id, item_of_lease(lease, site))
    shape, where = place_name(nodes)
    preferred = lease.preferred_shape
    return Offer(
        lease.lease_class,
        lease.kind,
        lease.accelerators,
        shape,
        start_ms,
        end_ms,
        where,
        0 if priced is None else priced.price_nanos,
        round_to_minor_micros(numerator, currency),
        currency,
        any(rate.measure is not Measure.DELIVERED for rate in rates),
        1 if preferred is None else len({place_of(node, preferred) for node in nodes}),
        lease.reclaimable,
        lease.notice_s,
        _reclaims(tx, lease.kind) if lease.reclaimable else 0,
        len(plan.reclaims),
    )


def _reclaims(tx: Transaction, kind: str) -> int:
    """How often a lease of a kind was taken back in thirty days."""
    since_ms = tx.now_ms - RECLAIMS_OVER_MS
    return sum(
        count.reclaims
        for count in tx.book.reclaim_counts
        if count.kind == kind and count.day_ms > since_ms
    )


class _Places:
    """The best places as things stand, each looked for once: classes and sizes share them."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._found: dict[tuple[object, ...], BestPlace] = {}

    def why_not_sooner(self, lease: Lease, first_ms: int | None) -> WhyNotSooner:
        """What is missing in the best place for a lease."""
        tx = self._tx
        request = request_of(lease, tx.book.tenants[lease.tenant_id], tx.now_ms)
        key = (request.kind, request.shape, request.window)
        place = self._found.get(key)
        if place is None:
            place = self._found[key] = best_place(tx.book.snapshot, request, tx.now_ms)
        return WhyNotSooner(
            lease.lease_class, lease.kind, lease.accelerators,
            place.name, place.free, place.coming, first_ms,
        )  # fmt: skip


def _not_offered(lease_class: LeaseClass, kind: str, no: Refused) -> NotOffered:
    return NotOffered(lease_class, kind, no.code, no.message, no.next)
