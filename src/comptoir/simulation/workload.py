"""The workload: what tenants and operators ask, drawn from the seed.

Each write carries an idempotency key, which is also the name of what it makes, so that the
auditor can count its effects. An actor that hears nothing asks again with the same key.
"""

import json
import random
from dataclasses import dataclass, field
from typing import Any

from comptoir.desk.desk import Call, Idempotency, digest
from comptoir.desk.memory import Memory
from comptoir.desk.requests import (
    ApplyFleet,
    DeclareSupply,
    EndSupply,
    ExtendLease,
    Hold,
    IssueInvoice,
    JobRef,
    LeaseRef,
    NewNode,
    NodeRef,
    ProposeRate,
    RateRef,
    RecordUsage,
    ReportedUsage,
    RequestSeries,
    SeriesRef,
    SetEligibility,
    SetQuota,
    ShrinkLease,
    SubmitJob,
    TenantRef,
)
from comptoir.fleet.conditions import Conditions, SoldTo
from comptoir.fleet.files import Block, FileLease, FleetFile, Span
from comptoir.fleet.topology import Fabric
from comptoir.leases.lease import Lease, LeaseClass, LeaseState
from comptoir.leases.term import LeaseTerm
from comptoir.metering.usage import Measure
from comptoir.pricing.rates import RateState
from comptoir.pricing.tiers import Tier
from comptoir.simulation.clock import VirtualClock
from comptoir.simulation.closing import Closing
from comptoir.simulation.contracting import Contracting
from comptoir.simulation.crediting import Crediting
from comptoir.simulation.entitling import Entitling
from comptoir.simulation.machines import Machines
from comptoir.simulation.mishaps import Mishaps
from comptoir.simulation.moving import Moving
from comptoir.simulation.paying import Paying
from comptoir.simulation.subscribers import Subscribers
from comptoir.simulation.template import PRICES, SELLING_WINDOWS
from comptoir.simulation.wanted import KINDS, plain_words, wanted
from comptoir.tenants.parties import Actor, Tenant
from comptoir.units.errors import ComptoirError
from comptoir.units.ids import NodeId
from comptoir.units.recurrence import Recurrence
from comptoir.units.time import MS_PER_HOUR, month_start_ms

TIERS = (Tier(MS_PER_HOUR, 5), Tier(2 * MS_PER_HOUR, 1_111_111_111))

GRANT = "nsf-2026"


@dataclass(slots=True)
class Asked:
    """One write, and what was heard of it: `answer` None is nothing yet."""

    key: str
    call: Call
    answer: tuple[int, bytes] | None = None


@dataclass(slots=True)
class Told:
    """Usage that a source has reported, to be reported again, late, or out of order."""

    events: list[ReportedUsage] = field(default_factory=list)
    late: list[ReportedUsage] = field(default_factory=list)


def encode(said: Any) -> tuple[int, bytes]:
    """A door's way to put an answer on the wire: its id, or the error's code."""
    if isinstance(said, ComptoirError):
        return 400, json.dumps({"code": said.code}).encode()
    return 200, json.dumps({"id": getattr(said, "id", None)}).encode()


class Workload:
    """Draws the next batch of writes from the seed and the book as its actors see it."""

    def __init__(
        self, rng: random.Random, clock: VirtualClock, book: Memory, machines: Machines
    ) -> None:
        self._rng = rng
        self._clock = clock
        self._told = Told()
        self._count = 0
        users = {user.name: user for user in book.users}
        self._actors = {
            name: Actor(user.id, None, user.tenant_id, user.roles) for name, user in users.items()
        }
        self.closing = Closing(rng, clock, self._ask)
        self.paying = Paying(rng, clock, self._ask)
        self._makers = (
            (self._request, 34), (self._submit, 20), (self._end, 9), (self._cancel, 5),
            (self._extend, 7), (self._cancel_job, 4), (self._usage, 10), (self._invoice, 5),
            (self._propose, 3), (self._approve, 4), (self._drain, 3), (self._declare, 2),
            (self._end_supply, 2), (self._suspend, 2), (self._resume, 3), (self._quota, 1),
            *Entitling(rng, clock, self._ask).makers(),
            *Contracting(rng, clock, self._ask).makers(),
            *Mishaps(rng, clock, machines, self._ask).makers(),
            *Moving(rng, clock, self._ask).makers(),
            (self._hold, 5), (self._answer_hold, 4), (self._series, 2), (self._cancel_series, 1),
            (self._shrink, 5), (self._grant, 1), (self._apply, 1),
            *Subscribers(rng, self._ask).makers(),
            *self.closing.makers(),
            *self.paying.makers(),
            *Crediting(rng, clock, self._ask).makers(),
        )  # fmt: skip

    def batch(self, book: Memory, most: int) -> list[Asked]:
        """Up to `most` new writes."""
        makers, weights = zip(*self._makers, strict=True)
        asked = []
        for _ in range(self._rng.randint(1, most)):
            maker = self._rng.choices(makers, weights)[0]
            found = maker(book)
            if found is not None:
                asked.append(found)
        return asked

    def _ask(self, operation: str, request: Any, actor: str, key: str = "") -> Asked:
        key = key or self._key()
        said = Idempotency(key, digest(operation.encode(), repr(request).encode()))
        return Asked(key, Call(operation, request, self._actors[actor], said, encode))

    def _key(self) -> str:
        self._count += 1
        return f"k{self._count}"

    def _tenant(self, book: Memory) -> Tenant:
        return self._rng.choice(list(book.tenants))

    def _lease(self, book: Memory, *states: LeaseState) -> Lease | None:
        leases = [x for x in book.leases if not states or x.state in states]
        return self._rng.choice(leases) if leases else None

    # What tenants do.

    def _request(self, book: Memory) -> Asked:
        tenant, key = self._tenant(book), self._key()
        return self._ask(
            "request_lease", wanted(self._rng, self._clock, tenant, key), tenant.slug, key
        )

    def _hold(self, book: Memory) -> Asked:
        tenant, key, rng = self._tenant(book), self._key(), self._rng
        hold = Hold(
            wanted(rng, self._clock, tenant, key), rng.choice((5, 60, 7_200)), rng.random() < 0.4
        )
        return self._ask("hold_capacity", hold, tenant.slug, key)

    def _answer_hold(self, book: Memory) -> Asked | None:
        lease = self._lease(book, LeaseState.HELD)
        if lease is None:
            return None
        operation = self._rng.choice(("confirm_hold", "confirm_hold", "release_hold"))
        return self._ask(operation, LeaseRef(lease.id), book.tenants[lease.tenant_id].slug)

    def _series(self, book: Memory) -> Asked:
        tenant, key, rng, now = self._tenant(book), self._key(), self._rng, self._clock.now_ms()
        every = Recurrence(
            rng.choice(((0, 1, 2, 3, 4), (5, 6), tuple(range(7)))), rng.randrange(1_440),
            rng.randint(1, 1_440), rng.choice(("Europe/Paris", "UTC", "America/New_York")),
        )  # fmt: skip
        each = plain_words(wanted(rng, self._clock, tenant, key))
        request = RequestSeries(every, now + rng.choice((1, 2, 5)) * 86_400_000, each)
        return self._ask("request_series", request, tenant.slug)

    def _cancel_series(self, book: Memory) -> Asked | None:
        of_series = [lease for lease in book.leases if lease.series is not None]
        if not of_series:
            return None
        lease = self._rng.choice(of_series)
        assert lease.series is not None
        slug = book.tenants[lease.tenant_id].slug
        return self._ask("cancel_series", SeriesRef(lease.series), slug)

    def _shrink(self, book: Memory) -> Asked | None:
        lease = self._lease(book, LeaseState.ACTIVE, LeaseState.SCHEDULED, LeaseState.RECLAIMING)
        if lease is None:
            return None
        request = ShrinkLease(lease.id, self._rng.randint(1, max(lease.accelerators, 2) - 1))
        if self._rng.random() < 0.3:
            nodes = [a.node_id for a in book.allocations_of(lease.id)] or [NodeId("nd_0000")]
            request = ShrinkLease(lease.id, None, (self._rng.choice(nodes),))
        return self._ask("shrink_lease", request, book.tenants[lease.tenant_id].slug)

    def _submit(self, book: Memory) -> Asked | None:
        lease = self._lease(book)
        if lease is None:
            return None
        rng, key = self._rng, self._key()
        command = (
            rng.choices(("run", "vanish", "refuse"), (20, 2, 1))[0],
            str(rng.choice((0, 5, 800, 20_000, 300_000, 10**8))),
            str(rng.choice((0, 0, 0, 1, 137))),
            rng.choice(("honour", "honour", "finish", "ignore")),
            str(rng.choice((0, 10, 900, 40_000))),
            str(rng.choice((0, 1, 37, 100))),
        )
        request = SubmitJob(lease.id, command, key, release_lease=rng.random() < 0.4)
        return self._ask("submit_job", request, book.tenants[lease.tenant_id].slug, key)

    def _end(self, book: Memory) -> Asked | None:
        lease = self._lease(book, LeaseState.ACTIVE, LeaseState.RECLAIMING)
        if lease is None:
            return None
        return self._ask("end_lease", LeaseRef(lease.id), book.tenants[lease.tenant_id].slug)

    def _cancel(self, book: Memory) -> Asked | None:
        lease = self._lease(book, LeaseState.WAITING, LeaseState.SCHEDULED, LeaseState.HELD)
        if lease is None:
            return None
        return self._ask("cancel_lease", LeaseRef(lease.id), book.tenants[lease.tenant_id].slug)

    def _extend(self, book: Memory) -> Asked | None:
        bounded = [lease for lease in book.leases if lease.ends_at_ms is not None]
        if not bounded:
            return None
        lease = self._rng.choice(bounded)
        end = (lease.ends_at_ms or 0) + self._rng.choice((-60_000, -5_000, 1_000, 600_000))
        slug = book.tenants[lease.tenant_id].slug
        return self._ask("extend_lease", ExtendLease(lease.id, max(end, 0)), slug)

    def _cancel_job(self, book: Memory) -> Asked | None:
        jobs = list(book.jobs)
        if not jobs:
            return None
        job = self._rng.choice(jobs)
        return self._ask("cancel_job", JobRef(job.id), book.tenants[job.tenant_id].slug)

    # What telemetry does.

    def _usage(self, book: Memory) -> Asked | None:
        """New events, some kept back for later, with old ones among them, shuffled."""
        rng, now = self._rng, self._clock.now_ms()
        new: list[ReportedUsage] = []
        for lease in book.leases:
            start = lease.activated_at_ms
            if start is None or now - start < 100 or rng.random() < 0.5:
                continue
            begin = rng.randrange(start, now - 50)
            end = rng.randrange(begin + 1, now)
            most = (end - begin) * lease.accelerators
            measure = rng.choice((Measure.BUSY, Measure.BUSY, Measure.OCCUPIED))
            event_id = f"e{self._count}-{len(self._told.events) + len(self._told.late)}-{len(new)}"
            new.append(ReportedUsage(event_id, lease.id, measure, begin, end, rng.randint(1, most)))
        keep = [event for event in new if rng.random() < 0.3]
        now_told = [event for event in new if event not in keep]
        if self._told.late and rng.random() < 0.5:
            now_told += self._told.late
            self._told.late = []
        self._told.late += keep
        again = rng.sample(self._told.events, min(len(self._told.events), rng.randint(0, 4)))
        events = now_told + again + again[:1]
        self._told.events += now_told
        if not events:
            return None
        rng.shuffle(events)
        return self._ask("record_usage", RecordUsage("telemetry", tuple(events)), "operator")

    # What the house does.

    def _invoice(self, book: Memory) -> Asked:
        until = self._rng.choice((None, None, month_start_ms(self._clock.now_ms())))
        return self._ask("issue_invoice", IssueInvoice(self._tenant(book).id, until), "seller")

    def _propose(self, book: Memory) -> Asked:
        rng = self._rng
        card, kind = rng.choice(list(book.money.rate_cards)), rng.choice(KINDS)
        later = self._clock.now_ms() + rng.choice((1, 5_000, 3_600_000))
        request = ProposeRate(
            card.id, kind, rng.choice(list(LeaseClass)), rng.choice((0, 1, 77, 3_333_333_333)),
            rng.choice((PRICES[kind][1], *Measure)), rng.choice((None, later)),
            rng.choice(("", "", "site-1")), rng.choice((*LeaseTerm, LeaseTerm.HOUR)),
            tiers=rng.choice(((), TIERS)), minimum_s=rng.choice((0, 0, 45)),
            granularity_s=rng.choice((0, 0, 11)),
        )  # fmt: skip
        return self._ask("propose_rate", request, "seller")

    def _approve(self, book: Memory) -> Asked | None:
        open_ones = [rate for rate in book.money.rates if rate.state is RateState.PROPOSED]
        if not open_ones:
            return None
        return self._ask("approve_rate", RateRef(self._rng.choice(open_ones).id), "approver")

    def _drain(self, book: Memory) -> Asked | None:
        if not len(book.nodes):
            return None
        node = self._rng.choice(list(book.nodes))
        operation = self._rng.choice(("drain_node", "resume_node", "resume_node", "resume_node"))
        return self._ask(operation, NodeRef(node.id), "operator")

    def _declare(self, book: Memory) -> Asked:
        rng, now = self._rng, self._clock.now_ms()
        kind, key = rng.choice(KINDS), self._key()
        starts = rng.choice((None, None, now + 30_000))
        ends = rng.choice((None, now + 120_000, now + 7_200_000))
        engine = "" if kind == "h100-sxm" else "sim"
        site = rng.choice(("site-1", "site-2"))
        nodes = tuple(
            NewNode(
                f"{key}-{n}", rng.choice((1, 2, 4)), 8 << 30, engine, rack=f"{key}-rack",
                pod=f"{key}-pod", site=site, spare=rng.random() < 0.2, gated=rng.random() < 0.2,
                fence_after_s=rng.choice((0, 60, 300)), accept_within_s=rng.choice((0, 0, 400)),
            )
            for n in range(rng.randint(1, 2))
        )  # fmt: skip
        conditions = Conditions(
            rng.choice((SoldTo.EVERYBODY, SoldTo.EVERYBODY, SoldTo.INTERNAL)),
            rng.choice(((), (), SELLING_WINDOWS)),
            rng.choice(("", "", "", GRANT)),
            rng.choice(("", "", "FR", "FR-IDF", "US")),
        )
        request = DeclareSupply(key, kind, nodes, "partner", starts, ends, 10**9, "USD", conditions)
        return self._ask("declare_supply", request, "operator", key)

    def _apply(self, book: Memory) -> Asked:
        """A fleet file of two inbound leases; few names, so that it often meets itself."""
        name, kind = self._rng.choice(("north", "south")), self._rng.choice(KINDS)
        engine = "" if kind == "h100-sxm" else "sim"
        leases = tuple(
            FileLease(
                f"{name}-{n}", kind,
                (Block(name, f"c{n}", 2, racks=Span(1, 2), memory_bytes=8 << 30, engine=engine),),
            )
            for n in (1, 2)
        )  # fmt: skip
        file = FleetFile(f"{name}.toml", leases, (Fabric(name, "c1", "RoCE"),))
        return self._ask("apply_fleet", ApplyFleet(file, self._rng.random() < 0.2), "operator")

    def _end_supply(self, book: Memory) -> Asked | None:
        if not len(book.inbound):
            return None
        inbound = self._rng.choice(list(book.inbound))
        ends = self._rng.choice((None, self._clock.now_ms() + 45_000))
        return self._ask("end_supply", EndSupply(inbound.id, ends), "operator")

    def _grant(self, book: Memory) -> Asked:
        """A grant, once recorded, is kept: the auditor asks who holds it at the end."""
        request = SetEligibility(self._tenant(book).id, (GRANT,))
        return self._ask("set_eligibility", request, "operator")

    def _suspend(self, book: Memory) -> Asked:
        return self._ask("suspend_tenant", TenantRef(self._tenant(book).id), "operator")

    def _resume(self, book: Memory) -> Asked:
        return self._ask("resume_tenant", TenantRef(self._tenant(book).id), "operator")

    def _quota(self, book: Memory) -> Asked:
        tenant, kind = self._tenant(book), self._rng.choice(KINDS)
        request = SetQuota(tenant.id, kind, self._rng.choice((0, 2, 6, 20)))
        return self._ask("set_quota", request, "operator")
