"""Entitling: what an operator gives teams and takes from them, and how classes are treated.

Neighbours: `audit_entitled.py` holds what follows from it; `workload.py` draws these with the
rest.
"""

import random
from collections.abc import Callable
from typing import Any

from comptoir.desk.memory import Memory
from comptoir.desk.requests import EndEntitlement, RequestLease, SetEntitlement, SetPolicy
from comptoir.leases.lease import LeaseClass, Shape
from comptoir.leases.policy import MOST_NOTICE_S
from comptoir.simulation.clock import VirtualClock
from comptoir.simulation.wanted import KINDS
from comptoir.tenants.parties import Tenant

Ask = Callable[..., Any]
Maker = Callable[[Memory], Any]
GROUPS = ("growth", "research")
CORNERED = "h100-sxm"


class Entitling:
    """Draws them from the seed."""

    def __init__(self, rng: random.Random, clock: VirtualClock, ask: Ask) -> None:
        self._rng = rng
        self._clock = clock
        self._ask = ask
        self._corner = rng.random() < 0.15
        """In some schedules a team has all of a kind, which is sold with recall clauses."""

    def makers(self) -> tuple[tuple[Maker, int], ...]:
        """What may happen, and how often beside the rest."""
        return (
            (self._entitle, 6), (self._end, 1), (self._policy, 1), (self._recall, 5),
            (self._fill, 9), (self._claim, 8), (self._call_back, 90 if self._corner else 0),
        )  # fmt: skip

    def _tenant(self, book: Memory, internal: bool) -> Tenant | None:
        """One of the teams, or of the customers; None while the book is not read yet."""
        found = [tenant for tenant in book.tenants if tenant.is_internal is internal]
        return self._rng.choice(found) if found else None

    def _entitle(self, book: Memory) -> Any:
        """To a team or a group, now or later, with limits or without; first of all, plainly."""
        rng, now = self._rng, self._clock.now_ms()
        team = self._tenant(book, internal=True)
        if team is None:
            return None
        if not len(book.entitlements) or rng.random() < 0.3:
            kind = rng.choice(KINDS)
            plain = SetEntitlement(kind, rng.choice((2, 4)), team.id)
            return self._ask("set_entitlement", plain, "operator")
        to_group = rng.random() < 0.25
        starts = rng.choice((None, None, None, now + 40_000, now + 3_600_000))
        ends = rng.choice((None, None, (starts or now) + rng.choice((30_000, 7_200_000))))
        request = SetEntitlement(
            kind=rng.choice(KINDS),
            accelerators=rng.choice((1, 2, 3, 4, 6, 8)),
            tenant_id=None if to_group else team.id,
            group=rng.choice(GROUPS) if to_group else "",
            parent=rng.choice(("", "", "", *GROUPS)),
            site=rng.choice(("", "", "", "site-1", "site-2")),
            starts_at_ms=starts,
            ends_at_ms=ends,
            lend_limit=rng.choice((None, None, None, 0, 2)),
            borrow_limit=rng.choice((None, None, None, 0, 3)),
            lender_share_bps=rng.choice((0, 5_000, 10_000)),
        )
        return self._ask("set_entitlement", request, "operator")

    def _end(self, book: Memory) -> Any:
        rows = list(book.entitlements)
        if not rows:
            return None
        ends = self._rng.choice((None, self._clock.now_ms() + 20_000))
        return self._ask(
            "end_entitlement", EndEntitlement(self._rng.choice(rows).id, ends), "operator"
        )

    def _policy(self, book: Memory) -> Any:
        rng, lease_class = self._rng, self._rng.choice(list(LeaseClass))
        request = SetPolicy(
            lease_class,
            notice_s=rng.choice((None, 0, 20, MOST_NOTICE_S[lease_class] + rng.choice((0, 1)))),
            minimum_runtime_s=rng.choice((None, 0, 60, 900)),
            ageing_s=rng.choice((None, 0, 60, 3_600)),
        )
        return self._ask("set_policy", request, "operator")

    def _fill(self, book: Memory) -> Any:
        """Customers and teams that take whatever is left of an entitled kind."""
        rng = self._rng
        lease_class = rng.choice(
            (LeaseClass.SPOT, LeaseClass.ON_DEMAND, LeaseClass.ON_DEMAND, LeaseClass.INTERNAL)
        )
        return self._want(book, lease_class)

    def _claim(self, book: Memory) -> Any:
        """A team that wants what it is entitled to."""
        return self._want(book, LeaseClass.INTERNAL)

    def _want(self, book: Memory, lease_class: LeaseClass) -> Any:
        rng, rows = self._rng, list(book.entitlements)
        tenant = self._tenant(book, internal=lease_class is LeaseClass.INTERNAL)
        if not rows or tenant is None:
            return None
        name = f"want-{self._clock.now_ms()}-{rng.randrange(10**9)}"
        request = RequestLease(
            rng.choice(rows).kind, rng.choice((1, 2, 2, 4)), lease_class, Shape.NODE,
            notice_s=rng.choice((0, 5, 30)), name=name,
        )  # fmt: skip
        return self._ask("request_lease", request, tenant.slug, name)

    def _recall(self, book: Memory) -> Any:
        """A sold window that may be called back, put into the book by the house."""
        rng, now = self._rng, self._clock.now_ms()
        customer = self._tenant(book, internal=False)
        if customer is None:
            return None
        if rng.random() < 0.7:  # whose contract says how often
            customer = book.tenant_by_slug.first("acme") or customer
        entitled = [row.kind for row in book.entitlements]
        name = f"recall-{now}-{rng.randrange(10**9)}"
        request = RequestLease(
            rng.choice(entitled or KINDS), rng.choice((1, 2, 4)), LeaseClass.RESERVED,
            ends_at_ms=now + rng.choice((90_000, 7_200_000, 10**9)), notice_s=rng.choice((0, 30)),
            name=name, tenant_id=customer.id, recall=True,
        )  # fmt: skip
        return self._ask("request_lease", request, "operator", name)

    def _call_back(self, book: Memory) -> Any:
        """A team that has all of a kind, and wants it back piece by piece from one customer."""
        rng, now = self._rng, self._clock.now_ms()
        team, acme = (book.tenant_by_slug.first(slug) for slug in ("ranking", "acme"))
        if team is None or acme is None:
            return None
        if all(row.kind != CORNERED or row.ends_at_ms for row in book.entitlements):
            return self._ask("set_entitlement", SetEntitlement(CORNERED, 8, team.id), "operator")
        held = [x for x in book.recalls.clauses_of.get(acme.id) if x.kind == CORNERED]
        name = f"back-{now}-{rng.randrange(10**9)}"
        if sum(lease.accelerators for lease in held) < 8 and rng.random() < 0.7:
            sold = RequestLease(
                CORNERED, rng.choice((2, 4)), LeaseClass.RESERVED, ends_at_ms=now + 10**9,
                notice_s=rng.choice((0, 30)), name=name, tenant_id=acme.id, recall=True,
            )  # fmt: skip
            return self._ask("request_lease", sold, "operator", name)
        wanted = RequestLease(
            CORNERED, rng.choice((2, 2, 4, 8)), LeaseClass.INTERNAL, Shape.SITE, name=name
        )
        return self._ask("request_lease", wanted, team.slug, name)
