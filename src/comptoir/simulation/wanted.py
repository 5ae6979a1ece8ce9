"""What the workload's tenants ask for: windows, flexible starts, alternatives, all at random."""

import random
from dataclasses import replace

from comptoir.desk.requests import RequestLease
from comptoir.leases.lease import Alternative, LeaseClass, OnReclaim, Shape
from comptoir.simulation.clock import VirtualClock
from comptoir.simulation.template import PRICES
from comptoir.tenants.parties import Tenant

KINDS = tuple(PRICES)
NOTICES_S = (0, 1, 5, 30, 120)
_LENGTHS_MS = (1, 10_000, 90_000, 600_000, 7_200_000, 10**9)


def wanted(rng: random.Random, clock: VirtualClock, tenant: Tenant, name: str) -> RequestLease:
    """A request that a tenant might make; some make no sense."""
    now = clock.now_ms()
    classes = [LeaseClass.SPOT, LeaseClass.SPOT, LeaseClass.ON_DEMAND, LeaseClass.RESERVED]
    lease_class = LeaseClass.INTERNAL if tenant.is_internal else rng.choice(classes)
    starts = None if rng.random() < 0.7 else now + rng.choice((1_000, 60_000, 3_600_000))
    ends = None
    if lease_class is LeaseClass.RESERVED or rng.random() < 0.4:
        ends = (starts or now) + rng.choice(_LENGTHS_MS)
    request = RequestLease(
        kind=rng.choice(KINDS),
        accelerators=_count(rng),
        lease_class=lease_class,
        shape=_shape(rng),
        starts_at_ms=starts,
        ends_at_ms=ends,
        notice_s=rng.choice((None, *NOTICES_S)),
        on_reclaim=rng.choice((OnReclaim.WAIT, OnReclaim.WAIT, OnReclaim.END)),
        name=name,
        residency=rng.choice(("",) * 8 + ("EU", "FR")),
    )
    if rng.random() < 0.25:
        seconds = rng.choice((1, 30, 600, 7_200, 90_000))
        latest = (starts or now) + rng.choice((0, 20_000, 3_600_000, 10**8))
        flexible = rng.random() < 0.8
        request = replace(
            request,
            ends_at_ms=None,
            duration_s=seconds,
            latest_start_ms=latest if flexible else None,
        )
    if rng.random() < 0.3:
        request = replace(request, project=rng.choice(("llm", "vision")))
    if rng.random() < 0.2:
        request = replace(
            request,
            preferred_shape=rng.choice((Shape.NODE, Shape.RACK)),
            alternatives=tuple(
                Alternative(rng.choice(KINDS), _count(rng), _shape(rng))
                for _ in range(rng.randint(0, 2))
            ),
        )
    return request


def plain_words(request: RequestLease) -> RequestLease:
    """The same without a window of its own, as a series wants it."""
    return replace(
        request, starts_at_ms=None, ends_at_ms=None, duration_s=None, latest_start_ms=None
    )


def _count(rng: random.Random) -> int:
    return rng.choice((1, 1, 1, 2, 2, 3, 4, 5, 8))


def _shape(rng: random.Random) -> Shape:
    return rng.choice((Shape.NODE, Shape.NODE, Shape.RACK, Shape.POD, Shape.SITE))
